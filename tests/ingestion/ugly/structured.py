"""JSON, XML, DBF and maps."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from tests.ingestion.ugly.case import FIRMS, Case, N, case, day, firms, put


@case
def nested_lines(folder: Path) -> Case:
    lines = [
        json.dumps(
            {
                "id": f"e{i}",
                "sensor": {"code": f"RG{i % 5}", "pos": {"lon": 116.3, "lat": 39.9}},
                "v": i / 4,
                "tags": ["a", i],
                "at": f"2024-05-01T00:{i:02d}:00+08:00",
            }
        )
        for i in range(N)
    ]
    return Case(
        put(folder / "事件.ndjson", "\n".join(lines) + "\n"),
        {"id": "string", "sensor.code": "string", "v": "decimal", "at": "timestamp", "tags": "string"}, key=("id",), kind="ndjson",
    )  # fmt: skip


@case
def json_in_an_envelope(folder: Path) -> Case:
    document = {
        "code": 200,
        "msg": "ok",
        "data": {
            "total": N,
            "pages": [1, 2],
            "list": [{"主键": i + 1000, "名称": f"甲{i}", "启用": i % 2 == 0, "金额": i / 8} for i in range(N)],
        },
    }
    return Case(
        put(folder / "接口.json", json.dumps(document, ensure_ascii=False), "gb18030"),
        {"主键": "string", "名称": "string", "启用": "boolean", "金额": "decimal"}, key=("主键",), kind="json",
    )  # fmt: skip


@case
def xml_of_rows(folder: Path) -> Case:
    rows = "".join(
        f'<row id="{i}"><名称>甲{i}&amp;乙</名称><日期>2024-01-{i % 28 + 1:02d}</日期><金额>{i}.50</金额></row>'
        for i in range(N)
    )
    return Case(
        put(folder / "数据.xml", f'<?xml version="1.0" encoding="GB2312"?><result><head><count>{N}</count></head><rows>{rows}</rows></result>', "gb18030"),
        {"名称": "string", "日期": "date", "金额": "decimal"}, kind="xml",
    )  # fmt: skip


def _dbf(folder: Path) -> bytes:
    import struct

    columns = [("编号", "C", 8), ("名称", "C", 30), ("面积", "N", 12), ("日期", "D", 8)]
    out = struct.pack("<BBBBIHH20x", 3, 124, 1, 1, N, 32 + 32 * len(columns) + 1, 1 + sum(w for *_, w in columns))
    for name, kind, width in columns:
        out += (
            name.encode("gbk").ljust(11, b"\0")
            + kind.encode()
            + b"\0" * 4
            + bytes([width, 2 if kind == "N" else 0])
            + b"\0" * 14
        )
    out += b"\r"
    for i in range(N):
        out += (
            b" "
            + f"F{i:05d}".encode().ljust(8)
            + f"第{i}地块".encode("gbk").ljust(30)
            + f"{i * 2.25:.2f}".encode().rjust(12)
            + "{}{:02d}{:02d}".format(*day(i)).encode()
        )
    return out + b"\x1a"


@case
def dbf_gbk(folder: Path) -> Case:
    return Case(
        put(folder / "地块.dbf", _dbf(folder)), {"编号": "string", "名称": "string", "面积": "decimal", "日期": "date"},
        key=("编号",), kind="dbf",
    )  # fmt: skip


def _frame(crs: Any = 4490) -> Any:
    import geopandas as gpd
    from shapely.geometry import Point, box

    shapes = [
        Point(116.36 + i / 1000, 39.9).buffer(0.0002)
        if i % 2
        else box(116.36 + i / 1000, 39.9, 116.3605 + i / 1000, 39.901)
        for i in range(N)
    ]
    return gpd.GeoDataFrame(
        {
            "编号": [f"M{i:03d}" for i in range(N)],
            "名称": [f"片{i}" for i in range(N)],
            "面积": [i + 0.5 for i in range(N)],
        },
        geometry=shapes,
        crs=crs,
    )


MAP = {"编号": "string", "名称": "string", "面积": "decimal", "geometry": "geometry"}


@case
def shapefile_without_cpg(folder: Path) -> Case:
    from pyogrio import write_dataframe

    write_dataframe(_frame(), folder / "片区.shp", encoding="GBK")
    path = folder / "片区.zip"
    with zipfile.ZipFile(path, "w") as z:
        for part in folder.glob("片区.*"):
            if part.suffix in (".shp", ".shx", ".dbf", ".prj"):
                z.write(part, f"数据/{part.name}")
    return Case(path, {**MAP, "面积": "any"}, key=("编号",), kind="shapefile")


@case
def geopackage(folder: Path) -> Case:
    from pyogrio import write_dataframe

    write_dataframe(_frame(4326), folder / "片区.gpkg", layer="片区")
    return Case(folder / "片区.gpkg", {**MAP, "面积": "any"}, key=("编号",), kind="gpkg")


@case
def gml(folder: Path) -> Case:
    from pyogrio import write_dataframe

    write_dataframe(_frame(4490), folder / "片区.gml", driver="GML")
    return Case(folder / "片区.gml", {**MAP, "面积": "any"}, key=("编号",), kind="gml")


@case
def kml(folder: Path) -> Case:
    marks = "".join(
        f"<Placemark><name>点{i}</name><description>说明{i}</description><Point><coordinates>{116.36 + i / 1000},39.9,0</coordinates></Point></Placemark>"
        for i in range(N)
    )
    return Case(
        put(folder / "点位.kml", f'<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document><Folder><name>点位</name>{marks}</Folder></Document></kml>'),
        {"Name": "string", "geometry": "geometry"}, kind="kml",
    )  # fmt: skip


@case
def lines_of_chinese(folder: Path) -> Case:
    head, *rows = firms()
    lines = [json.dumps(dict(zip(head, row, strict=True)), ensure_ascii=False) for row in rows]
    return Case(put(folder / "企业.json", "\n".join(lines), "gb18030"), FIRMS, key=("编号",), kind="ndjson")


@case
def kml_of_folders(folder: Path) -> Case:
    """Data with Chinese names of one length, in folders: a folder is a layer, its name says what stands in it."""
    marks = [
        f'<Placemark><name>点{i}</name><ExtendedData><Data name="编号"><value>J{i:03d}</value></Data><Data name="街道">'
        f"<value>{'广内' if i % 2 else '牛街'}</value></Data></ExtendedData><Point><coordinates>{116.36 + i / 1000},39.9"
        "</coordinates></Point></Placemark>"
        for i in range(N)
    ]
    folders = "".join(
        f"<Folder><name>{name}</name>{''.join(part)}</Folder>"
        for name, part in (("井盖", marks[:15]), ("井盖", marks[15:20]), ("雨水箅", marks[20:]))
    )
    document = (
        '<?xml version="1.0" encoding="GB18030"?><kml xmlns="http://www.opengis.net/kml/2.2">'
        f"<Document>{folders}</Document></kml>"
    )
    return Case(
        put(folder / "部件.kml", document, "gb18030"),
        {"Name": "string", "编号": "string", "街道": "string", "图层": "string", "geometry": "geometry"},
        key=("编号",), kind="kml",
    )  # fmt: skip


@case
def json_of_lists(folder: Path) -> Case:
    """As an open data portal's interface answers: descriptions of the columns, then lists of values."""
    head, *rows = firms()
    fields = [{"type": "text", "id": name} for name in head]
    document = {"success": True, "result": {"fields": fields, "records": [*rows[:9], rows[9][:2], *rows[9:]]}}
    return Case(
        put(folder / "接口.json", json.dumps(document, ensure_ascii=False)), FIRMS, key=("编号",), kind="json",
        quarantined=1,
    )  # fmt: skip


@case
def geojson_in_metres(folder: Path) -> Case:
    frame = _frame(4490).to_crs(4548)
    document = json.loads(frame.to_json())
    document["crs"] = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4548"}}
    return Case(
        put(folder / "片区.geojson", json.dumps(document, ensure_ascii=False)),
        {**MAP, "面积": "any"},
        key=("编号",),
        kind="geojson",
    )


@case
def parquet(folder: Path) -> Case:
    import datetime
    import decimal

    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({
        "编号": [f"Q{i:03d}" for i in range(N)], "金额": pa.array([decimal.Decimal(i) / 4 for i in range(N)], pa.decimal128(18, 2)),
        "时间": pa.array([datetime.datetime(2024, 1, 1, i % 24, i) for i in range(N)], pa.timestamp("us")),
        "日期": [datetime.date(*day(i)) for i in range(N)], "达标": [i % 2 == 0 for i in range(N)],
        "街道": pa.array(["广安门内街道"] * N).dictionary_encode(), "明细": [[{"a": i}] for i in range(N)],
    })  # fmt: skip
    pq.write_table(table, folder / "数据.parquet")
    return Case(
        folder / "数据.parquet",
        {"编号": "string", "金额": "decimal", "时间": "timestamp", "日期": "date", "达标": "boolean", "街道": "code", "明细": "string"},
        key=("编号",), kind="parquet",
    )  # fmt: skip

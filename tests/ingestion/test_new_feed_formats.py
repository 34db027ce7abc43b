"""``feed new`` on every format: the contract it writes lints, and loads the file it was made from, whole."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import InputError
from catalog.registry import load_catalog
from catalog.settings import Settings
from ingestion.new_feed import propose
from ingestion.sniff import sniff
from tests.ingestion.format_support import DBF_COLUMNS, dbf, dbf_row, gauge, parquet, xml
from tests.ingestion.test_new_feed_loads import place, staged  # noqa: F401 - a fixture
from tests.ingestion.test_workbooks import PAGE, book

N = range(24)
CSV = "编号,名称,日期\n" + "".join(f"A{i:03d},站{i},2024-01-{i + 1:02d}\n" for i in N)


def _zip(path: Path, members: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w") as z:
        for name, content in members.items():
            z.writestr(name, content)
    return path


def _map(folder: Path, driver: str, crs: int | None = 4490) -> bytes:
    import geopandas as gpd
    import shapely

    shapes = [shapely.Point(116.36 + i / 1000, 39.9) for i in N]
    made = gpd.GeoDataFrame({"名称": [f"点{i}" for i in N]}, geometry=shapes, crs=4490).to_crs(crs)
    path = folder / {"LIBKML": "made.kml", "GML": "made.gml", "GPKG": "made.gpkg"}[driver]
    made.to_file(path, driver=driver)
    return path.read_bytes()


def in_gzip(folder: Path) -> Path:
    (folder / "数据.csv.gz").write_bytes(gzip.compress(CSV.encode("gb18030")))
    return folder / "数据.csv.gz"


def in_zip_with_a_letter(folder: Path) -> Path:
    return _zip(
        folder / "七月.zip", {"a.csv": CSV, "b.csv": "编号,名称,日期\nB1,站,2024-02-01\n", "函.pdf": b"%PDF-1.7"}
    )


def utf16_tabs(folder: Path) -> Path:
    (folder / "表.xls").write_bytes(CSV.replace(",", "\t").encode("utf-16"))
    return folder / "表.xls"


def in_xml(folder: Path) -> Path:
    text = xml(*(gauge(f"S{i:02d}", i / 2) for i in N), encoding="GB18030")
    (folder / "雨量.xml").write_bytes(text.encode("gb18030"))
    return folder / "雨量.xml"


def in_dbf(folder: Path) -> Path:
    (folder / "井盖.dbf").write_bytes(dbf(DBF_COLUMNS, [dbf_row(f"井{i:02d}") for i in N]))
    return folder / "井盖.dbf"


def in_parquet(folder: Path) -> Path:
    days = [dt.date(2024, 1, i + 1) for i in N]
    (folder / "a.parquet").write_bytes(
        parquet({"编号": [f"A{i:02d}" for i in N], "日期": days, "数量": [i / 2 for i in N]})
    )
    return folder / "a.parquet"


def sheets_of_years(folder: Path) -> Path:
    header = ["编号", "名称", "数量"]
    sheets = {
        str(2020 + y): [[f"{2020 + y}年表", "", ""], header, *[[f"A{y}{i:02d}", f"站{i}", i] for i in range(8)]]
        for y in range(3)
    }
    (folder / "各年.xlsx").write_bytes(book({**sheets, "代码": [["代码", "含义"], ["1", "好"], ["2", "坏"]]}))
    return folder / "各年.xlsx"


def header_of_groups(folder: Path) -> Path:
    rows = [["编号", "人数", "", "备注"], ["", "男", "女", ""], *[[f"A{i:02d}", str(i), str(i + 1), "无"] for i in N]]
    (folder / "人口.csv").write_text("\n".join(",".join(r) for r in rows), encoding="utf-8")
    return folder / "人口.csv"


def merged_header(folder: Path) -> Path:
    def merge(made: Any) -> None:
        for area in ("A1:D1", "A2:A3", "B2:C2", "D2:D3"):
            made.active.merge_cells(area)

    rows: list[list[Any]] = [["人口表"], ["编号", "人数", None, "备注"], [None, "男", "女", None]]
    rows += [[f"A{i:02d}", i, i + 1, "无"] for i in N]
    (folder / "人口.xlsx").write_bytes(book({"表": rows}, merge))
    return folder / "人口.xlsx"


def nested_json(folder: Path) -> Path:
    records = [{"id": f"A{i}", "at": {"x": i, "in": {"街道": "广内"}}} for i in N]
    (folder / "a.json").write_text(json.dumps({"data": {"rows": records}}, ensure_ascii=False), encoding="utf-8")
    return folder / "a.json"


LISTS = [[f"A{i:03d}", f"站{i}", f"2024-01-{i + 1:02d}", i / 2] for i in N]
LIST_NAMES = ["编号", "名称", "日期", "数量"]


def _sent(folder: Path, document: Any) -> Path:
    (folder / "表.json").write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return folder / "表.json"


def lists_below_their_names(folder: Path) -> Path:
    return _sent(folder, [["雨量站统计表"], LIST_NAMES, *LISTS])


def lists_with_columns(folder: Path) -> Path:
    return _sent(folder, {"index": list(N), "columns": LIST_NAMES, "data": LISTS, "types": ["s", "s", "d", "n", "n"]})


def lists_with_fields(folder: Path) -> Path:
    described = [{"type": "text", "id": n, "info": {"label": n}} for n in LIST_NAMES]
    return _sent(folder, {"help": "?", "result": {"fields": described, "records": LISTS, "total": 24}})


def lists_without_names(folder: Path) -> Path:
    return _sent(folder, {"data": LISTS})


def nested_lines(folder: Path) -> Path:
    lines = [json.dumps({"id": f"A{i}", "at": {"x": i}}) for i in N]
    (folder / "a.log").write_text("\n".join(lines), encoding="utf-8")
    return folder / "a.log"


def kml(folder: Path) -> Path:
    (folder / "点.kml").write_bytes(_map(folder, "LIBKML", 4326))
    return folder / "点.kml"


def gml(folder: Path) -> Path:
    (folder / "点.gml").write_bytes(_map(folder, "GML"))
    return folder / "点.gml"


def geopackage(folder: Path) -> Path:
    (folder / "点.gpkg").write_bytes(_map(folder, "GPKG", 4548))
    return folder / "点.gpkg"


def page(folder: Path) -> Path:
    rows = "".join(f"<tr><td>A{i}</td><td>{i}.5</td></tr>" for i in N)
    (folder / "a.xls").write_text(
        f"<html><table><tr><th>编号</th><th>雨量</th></tr>{rows}</table></html>", encoding="gb18030"
    )
    return folder / "a.xls"


FILES: dict[Callable[[Path], Path], tuple[int, str]] = {
    in_gzip: (24, "csv"), in_zip_with_a_letter: (25, "csv"), utf16_tabs: (24, "csv"), in_xml: (24, "xml"),
    in_dbf: (24, "dbf"), in_parquet: (24, "parquet"), sheets_of_years: (24, "excel"), header_of_groups: (24, "csv"),
    merged_header: (24, "excel"), nested_json: (24, "json"), nested_lines: (24, "ndjson"),
    lists_below_their_names: (24, "json"), lists_with_columns: (24, "json"), lists_with_fields: (24, "json"),
    lists_without_names: (24, "json"), kml: (24, "vector"),
    gml: (24, "vector"), geopackage: (24, "vector"), page: (24, "excel"),
}  # fmt: skip


@pytest.mark.parametrize("make", FILES, ids=lambda m: m.__name__)
def test_the_contract_made_of_a_file_loads_it_whole(
    place: Any,  # noqa: F811
    tmp_path: Path,
    make: Callable[[Path], Path],
) -> None:
    rows, kind = FILES[make]
    path = make(tmp_path)
    assert sniff(path).format == kind
    found, accepted, rejected, reasons = staged(place, path)
    assert (found, accepted, rejected) == (rows, rows, 0), reasons


def test_what_it_finds_is_said(tmp_path: Path) -> None:
    many = sniff(sheets_of_years(tmp_path))
    assert many.options == {"sheets": ["2020", "2021", "2022"], "part_column": "工作表"}
    assert any("代码" in n for n in many.notes)
    grouped = sniff(header_of_groups(tmp_path))
    assert [c.name for c in grouped.columns] == ["编号", "人数_男", "人数_女", "备注"]
    assert [c.name for c in sniff(merged_header(tmp_path)).columns] == ["编号", "人数_男", "人数_女", "备注"]
    packed = sniff(in_zip_with_a_letter(tmp_path))
    assert (packed.packed, packed.kind, packed.options) == ("zip", "csv", {"members": "*.csv"})
    assert any("函.pdf" in n for n in packed.notes)
    assert PAGE  # the page of the workbook tests has a title row; read there


def test_where_the_names_of_lists_stand_is_found(tmp_path: Path) -> None:
    for make, options, records in (
        (lists_below_their_names, {}, ""),
        (lists_with_columns, {"names": "columns"}, "data"),
        (lists_with_fields, {"names": "result.fields.id"}, "result.records"),
    ):
        found = sniff(make(tmp_path))
        assert ([c.name for c in found.columns], found.options, found.records) == (LIST_NAMES, options, records)
    assert sniff(lists_without_names(tmp_path)).options == {"header_row": 0}
    short = sniff(_sent(tmp_path, {"columns": LIST_NAMES, "data": [*LISTS, ["A999"], [*LISTS[0], "x"]]}))
    assert (short.rows, short.ragged) == (26, 2)
    objects = sniff(_sent(tmp_path, {"rows": [{"编号": i} for i in N], "box": [[1, 2], [3, 4]]}))
    assert (objects.records, objects.options) == ("rows", {})


def test_an_archive_of_several_layouts_is_refused_with_what_to_do(tmp_path: Path) -> None:
    from catalog.errors import InputError

    path = _zip(tmp_path / "a.zip", {"a.csv": CSV, "b.csv": "甲,乙\n1,2\n3,4\n"})
    with pytest.raises(InputError, match="different layouts"):
        sniff(path)


def test_the_scanner_looks_into_every_member_and_every_sheet(tmp_path: Path) -> None:
    from ingestion.scan import scan_file
    from tests.ingestion.test_sniff import resident_id

    ids = [resident_id(f"11010219800101{i:03d}") for i in range(12)]
    hidden = book({"表": [["编号", "名称"], ["A", "x"]], "藏": [["号码"], *[[i] for i in ids]]})
    path = _zip(tmp_path / "a.zip", {"a.csv": CSV, "b.xlsx": hidden})
    findings, looked, complete = scan_file(path)
    assert any(f.kind == "resident_id" and f.hits == 12 for f in findings)
    assert (looked, complete) == (24 + 1 + 12, True)


def test_half_a_character_in_a_sample_does_not_stop_the_look_at_it(tmp_path: Path) -> None:
    path = tmp_path / "半个字符.json"
    path.write_text('[{"说明": "\\ud83d", "编号": "A1"}, {"说明": "整字", "编号": "A2"}]', encoding="utf-8")
    assert [c.name for c in sniff(path).columns] == ["说明", "编号"]


@pytest.mark.parametrize(
    ("document", "path", "columns"),
    [
        ({f"1101{n:02d}": f"区{n}" for n in range(12)}, "*", ["记录编号", "记录值"]),
        ({"code": 0, "data": {f"1101{n:02d}": {"名称": f"区{n}"} for n in range(12)}}, "data.*", ["记录编号", "名称"]),
    ],
)
def test_members_of_an_object_are_records(
    place: Settings,  # noqa: F811
    tmp_path: Path,
    document: Any,
    path: str,
    columns: list[str],
) -> None:
    file = tmp_path / "区划.json"
    file.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    sample = sniff(file)
    assert (sample.records, [c.name for c in sample.columns]) == (path, columns)
    assert staged(place, file)[:2] == (12, 12)


def test_an_answer_without_records_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"code": 500, "msg": "超时", "data": {}}', encoding="utf-8")
    with pytest.raises(InputError, match="no list of records"):
        sniff(path)


def test_records_that_are_not_taken_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"站": [{"id": n} for n in range(9)], "线": [{"no": n} for n in range(3)]}), "utf-8")
    assert any("线（3 条）" in note for note in sniff(path).notes)
    stations, lines = '<站 id="1"/>' * 9, '<线 no="1"/>' * 3
    path.write_text(f"<a><站表>{stations}</站表><线表>{lines}</线表></a>", "utf-8")
    assert any("a/线表/线（3 条）" in note for note in sniff(path).notes)


def test_a_track_is_wgs_84(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "巡查轨迹.gpx"
    points = "".join(f'<trkpt lat="39.{n}" lon="116.{n}"><ele>{n}</ele></trkpt>' for n in range(10, 40))
    path.write_text(
        f'<gpx xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>{points}</trkseg></trk></gpx>', "utf-8"
    )
    catalog = load_catalog(root / "catalog")
    proposal = propose(sniff(path, catalog=catalog), department="tax", catalog=catalog)
    assert "crs: 'EPSG:4326'" in proposal.contract_yaml
    assert "title: 巡查轨迹\n" in proposal.contract_yaml


def test_a_line_nested_too_deeply_is_the_loads_to_set_apart(place: Settings, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "报文.ndjson"
    lines = [f'{{"id": {n}}}' for n in range(9)]
    path.write_text("\n".join([*lines, '{"id":' * 3000 + "1" + "}" * 3000]) + "\n", encoding="utf-8")
    assert staged(place, path)[:3] == (10, 9, 1)


def test_a_cover_is_passed_over(place: Settings, tmp_path: Path) -> None:  # noqa: F811
    import openpyxl

    workbook = openpyxl.Workbook()
    workbook.active["B2"] = "西城区统计年鉴2023"
    workbook.active["B4"] = "北京市西城区统计局"
    table = workbook.create_sheet("1-1")
    for row in [
        ["1-1 社区"],
        [],
        ["街道", "社区（个）", "开工日期"],
        *[[f"街道{n}", n, f"2023.{n}"] for n in range(1, 13)],
    ]:
        table.append(row)
    workbook.save(tmp_path / "年鉴.xlsx")
    sample = sniff(tmp_path / "年鉴.xlsx")
    assert [(c.name, c.type, c.form) for c in sample.columns][1:] == [
        ("社区（个）", "integer", ""), ("开工日期", "string", "month"),
    ]  # fmt: skip
    assert staged(place, tmp_path / "年鉴.xlsx")[:3] == (12, 12, 0)

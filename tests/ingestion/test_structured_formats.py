"""XML, DBF and Parquet: each record found and placed, each broken file refused with a cure."""

from __future__ import annotations

import datetime as dt
import decimal
import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ingestion.formats.parquet import as_text
from tests.ingestion.format_support import DBF_COLUMNS, Build, dbf, dbf_row, gauge, house_of, parquet, refused, xml

pytestmark = pytest.mark.slow  # many small loads: a minute in all with the others of its kind

# --- XML

XML_FIELDS = """
  sensor_id: {from: "@id", required: true}
  rain_mm: {from: rain.value, required: true}
  note: {from: rain.@unit}
"""


@pytest.fixture
def gauges(build: Build, contracts: dict[str, str]) -> Any:
    return house_of(build, contracts, "type: xml, records: list/gauge", XML_FIELDS)


@pytest.mark.parametrize("encoding", ["UTF-8", "GB18030", "GBK", "gb2312", "UTF-16"])
def test_xml_in_the_encoding_it_declares(gauges: Any, encoding: str) -> None:
    result = gauges.send(xml(gauge("西城1", 1.5), gauge("B", 2), encoding=encoding), "a.xls", encoding)
    assert (result.rows_found, result.rows_loaded) == (2, 2)
    assert gauges.rows("sensor_id, rain_mm, note") == [("B", 2, "毫米"), ("西城1", 1.5, "毫米")]


def test_xml_whose_declaration_is_wrong_is_read_by_its_bytes(gauges: Any) -> None:
    result = gauges.send(xml(gauge("西城", 1)), "a.xml", "gb18030")
    assert (result.rows_loaded, result.about["encoding"], result.about["encoding_declared"]) == (1, "gb18030", "UTF-8")


def test_xml_namespaces_cdata_repeats_and_comments(build: Build, contracts: dict[str, str]) -> None:
    fields = '\n  sensor_id: {from: "@id"}\n  note: {from: tag}\n  big_id: {from: name}\n'
    house = house_of(build, contracts, "type: xml, records: /feed/entry", fields)
    text = (
        '<a:feed xmlns:a="u:1" xmlns:b="u:2"><!-- x --><a:entry b:id="A"><b:tag>一</b:tag><b:tag>二</b:tag>'
        "<name><![CDATA[甲<乙&丙]]></name></a:entry><a:entry b:id='B'><name>&#x4E00;&amp;</name></a:entry></a:feed>"
    )
    assert house.send(text, "a.xml").rows_loaded == 2
    assert house.rows("sensor_id, note, big_id") == [("A", '["一", "二"]', "甲<乙&丙"), ("B", None, "一&")]


def test_a_bad_xml_record_goes_to_quarantine_with_its_number(gauges: Any) -> None:
    result = gauges.send(xml(gauge("A", 1), "<gauge>只有文字</gauge>", gauge("C", "多"), gauge("D", 4)), "a.xml")
    assert (result.rows_found, result.rows_loaded, result.rows_quarantined) == (4, 2, 2)
    assert sorted(gauges.rows("row_number, raw", "quarantine"))[0] == (2, '{"_line": "只有文字"}')


def test_an_xml_column_met_late_is_drift(gauges: Any) -> None:
    many = [gauge(f"S{i}", i) for i in range(1100)]
    refused(gauges.send(xml(*many, '<gauge id="Z" neu="1"/>'), "a.xml"), "extra: @neu")


BOMB = "<!DOCTYPE l [<!ENTITY a '1234567890'>" + "".join(
    f"<!ENTITY {chr(98 + i)} '{f'&{chr(97 + i)};' * 10}'>" for i in range(9)
)


@pytest.mark.parametrize(
    "head",
    [
        BOMB + "]>",
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE r SYSTEM "http://127.0.0.1:1/x.dtd">',
        "<!-- " + "x" * 300 + " -->\n<!DOCTYPE r>",
    ],
)
def test_document_types_and_so_all_entities_are_refused(gauges: Any, head: str) -> None:
    refused(gauges.send(xml(gauge("A", "&x;"), head=head), "a.xml"), "DOCTYPE")


def test_broken_xml_is_refused_with_its_place(gauges: Any, build: Build, contracts: dict[str, str]) -> None:
    whole = xml(gauge("A", 1), gauge("B", 2))
    refused(gauges.send(whole[: len(whole) // 2], "a.xml"), "cut short")
    refused(gauges.send(whole.replace("</value>", "</vaule>", 1), "b.xml"), "mismatched tag", "line=3")
    refused(gauges.send(xml(gauge("A", "&x;")), "c.xml"), "not well-formed", "undefined entity")
    refused(gauges.send("<root>" + "<a>" * 5000 + "</a>" * 5000 + "</root>", "d.xml"), "deeper than 100")
    refused(gauges.send("<root><liste/></root>", "e.xml"), "no element list/gauge", "root/liste")
    refused(gauges.send("编号,雨量\nA,1\n", "f.xml"), "delimited text, not xml")
    wide = "<gauge>" + "".join(f"<f{i}>1</f{i}>" for i in range(16_304)) + "</gauge>"
    refused(gauges.send(xml(wide), "g.xml"), "16304 columns")
    nameless = house_of(build, contracts, "type: xml", XML_FIELDS)
    refused(nameless.send(whole, "h.xml"), "format.records")


def test_xml_memory_is_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elements are let go: far fewer are held than were read."""
    monkeypatch.setattr("ingestion.formats.base.BATCH_ROWS", 5000)
    import gc
    from xml.etree import ElementTree

    from catalog.model import Format
    from ingestion.formats import Wanted, open_file

    path = tmp_path / "a.xml"
    path.write_text(xml(*(gauge(f"S{i}", i) + "<other><x>1</x></other>" for i in range(20_000))), encoding="utf-8")
    wanted = Wanted({}, {}, frozenset(), None, frozenset(), frozenset(), {})
    opened = open_file(path, Format(type="xml", records="list/gauge"), wanted)
    held = []
    for batch in opened.batches:
        assert batch.num_rows
        held.append(sum(type(o) is ElementTree.Element for o in gc.get_objects()))
    opened.close()
    assert len(held) > 3
    assert max(held) < 20_000


# --- DBF


DBF_FIELDS = """
  sensor_id: {from: 编号, required: true}
  rain_mm: {from: 雨量}
  big_id: {from: 编码}
  birth_date: {from: 日期}
ignore: [有效]
"""


@pytest.fixture
def tables(build: Build, contracts: dict[str, str]) -> Any:
    return house_of(build, contracts, "type: dbf", DBF_FIELDS)


@pytest.mark.parametrize(("encoding", "driver"), [("gb18030", 0), ("gb18030", 0x4D), ("gb18030", 0x03), ("utf-8", 0)])
def test_dbf_without_a_code_page_file(tables: Any, encoding: str, driver: int) -> None:
    rows = [dbf_row("西城", encoding=encoding), [b"*", *dbf_row("删")], dbf_row("B", "")]
    result = tables.send(dbf(DBF_COLUMNS, rows, encoding=encoding, driver=driver), "a.xls")
    assert (result.rows_found, result.rows_loaded, result.about["deleted_rows"]) == (2, 2, 1)
    assert result.about["encoding"] == encoding
    assert tables.rows("sensor_id, rain_mm, big_id, birth_date::text") == [
        ("B", None, "11010219800101001234", "2024-01-31"),
        ("西城", 1.5, "11010219800101001234", "2024-01-31"),
    ]


def test_dbf_of_foxpro(build: Build, contracts: dict[str, str]) -> None:
    fields = "\n  sensor_id: {from: id}\n  rain_mm: {from: x}\n  seen_at: {from: t}\n  note: {from: y}\nignore: [m]\n"
    house = house_of(build, contracts, "type: dbf", fields)
    columns = [("id", "I", 4), ("x", "B", 8), ("t", "T", 8), ("y", "Y", 8), ("m", "M", 4)]
    moment = struct.pack("<ii", 2460311, 8 * 3600 * 1000)
    row = [struct.pack("<i", 7), struct.pack("<d", 1.25), moment, struct.pack("<q", 12_345), b"\0" * 4]
    result = house.send(dbf(columns, [row], version=0x30), "a.dbf")
    assert result.about["memo_columns_left_out"] == ["m"]
    assert house.rows("sensor_id, rain_mm, seen_at::text, note") == [("7", 1.25, "2024-01-01 00:00:00+00", "1.2345")]


def test_dbf_records_that_cannot_be_read(tables: Any) -> None:
    broken = dbf_row("A")
    broken[0] = b"\xff\xff\xff"
    result = tables.send(dbf(DBF_COLUMNS, [dbf_row("西"), broken, dbf_row("C", "1x5")]), "a.dbf")
    assert (result.rows_found, result.rows_loaded, result.rows_quarantined) == (3, 1, 2)
    assert sorted(r[0] for r in tables.rows("row_number", "quarantine")) == [2, 3]


def test_a_damaged_dbf(tables: Any) -> None:
    whole = dbf(DBF_COLUMNS, [dbf_row(f"A{i}") for i in range(50)])
    refused(tables.send(whole[: len(whole) // 2], "a.dbf"), "states 50 records", "missing at its end")
    result = tables.send(whole[:-20], "b.dbf")
    assert (result.rows_found, result.rows_loaded, result.reasons) == (50, 49, {"truncated": 1})
    refused(tables.send(whole[:10] + b"\x07\x00" + whole[12:], "c.dbf"), "header of the DBF is damaged")
    assert tables.send(dbf(DBF_COLUMNS, [], stated=0), "d.dbf").verdict == "empty"
    assert tables.send(dbf(DBF_COLUMNS, [dbf_row("A")], stated=0), "e.dbf").rows_loaded == 1


# --- Parquet


PARQUET_FIELDS = """
  sensor_id: {from: 编号, required: true}
  rain_mm: {from: 雨量}
  big_id: {from: 电话}
  birth_date: {from: 日期, formats: ["%Y/%m/%d"]}
  seen_at: {from: 时间}
  note: {from: 标签}
"""


def test_parquet_of_every_type(build: Build, contracts: dict[str, str]) -> None:
    import pyarrow as pa

    house = house_of(build, contracts, "type: parquet", PARQUET_FIELDS)
    moment = dt.datetime(2024, 1, 31, 8, 30, tzinfo=dt.UTC)
    table = {
        "编号": pa.array(["A", "B"]).dictionary_encode(),
        "雨量": pa.array([decimal.Decimal("1.50"), None], pa.decimal128(9, 2)),
        "电话": pa.array([13812345678.0, float("nan")]),
        "日期": pa.array([dt.datetime(2024, 1, 31), dt.datetime(2024, 2, 1)], pa.timestamp("ns")),
        "时间": pa.array([moment, None], pa.timestamp("us", "Asia/Shanghai")),
        "标签": pa.array([["甲", "乙"], None]),
    }
    result = house.send(parquet(table, row_group_size=1), "a.csv")
    assert result.verdict == "passed", result
    assert (result.rows_found, result.rows_loaded, result.about["row_groups"]) == (2, 2, 2)
    assert house.rows("sensor_id, rain_mm, big_id, birth_date::text, seen_at::text, note") == [
        ("A", 1.5, "13812345678", "2024-01-31", "2024-01-31 08:30:00+00", '["甲", "乙"]'),
        ("B", None, None, "2024-02-01", None, None),
    ]


def test_a_moment_inside_a_value_that_python_has_not() -> None:
    far = pa.array([{"at": 253_402_300_800_000_000}, None], pa.struct([("at", pa.timestamp("us"))]))
    assert as_text(far).to_pylist() == ['{"at":"10000-01-01 00:00:00"}', None]


def test_a_broken_or_bloated_parquet(build: Build, contracts: dict[str, str]) -> None:
    house = house_of(build, contracts, "type: parquet, max_uncompressed_mb: 1", "\n  sensor_id: {from: a}\n")
    whole = parquet({"a": [f"S{i}" for i in range(5000)]})
    refused(house.send(whole[: len(whole) // 2], "a.parquet"), "damaged, cut short")
    body = bytearray(whole)
    body[200:1200] = bytes(1000)
    refused(house.send(bytes(body), "b.parquet"), "damaged, cut short")
    bomb = parquet({"a": [f"{i:0100d}" for i in range(20_000)]}, compression="zstd", use_dictionary=False)
    refused(house.send(bomb, "c.parquet"), "more than 1 MB")
    refused(house.send(parquet({"a": ["1"], **{f"b{i}": ["1"] for i in range(2100)}}), "d.parquet"), "2101 columns")


def test_geoparquet_becomes_cgcs2000(build: Build, contracts: dict[str, str], tmp_path: Path) -> None:
    import geopandas as gpd
    import shapely

    house = house_of(
        build, contracts, "type: parquet", "\n  sensor_id: {from: id}\n  geom_cgcs2000: {from: geometry}\n"
    )
    path = tmp_path / "a.parquet"
    frame = gpd.GeoDataFrame({"id": ["A"]}, geometry=[shapely.Point(116.36, 39.9)], crs=4490).to_crs(4548)
    frame.to_parquet(path)
    house.send(path.read_bytes(), "a.parquet")
    ((blob,),) = house.rows("geom_cgcs2000")
    assert shapely.from_wkb(bytes(blob)).equals_exact(shapely.Point(116.36, 39.9), 1e-8)

"""XML, DBF, Parquet and nested JSON: each record found and placed, each broken file refused with a cure."""

from __future__ import annotations

import datetime as dt
import decimal
import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ingestion.formats.parquet import as_text

pytestmark = pytest.mark.slow  # many small loads: a minute in all with the others of its kind

Build = Callable[[str], Any]

FIELDS = """
load: {mode: snapshot}
elements:
  note: {label: 备注, grade: 1}
  big_id: {label: 编码, grade: 1}
  seen_at: {label: 时间, type: timestamp, grade: 1}
fields:
"""


def house_of(build: Build, contracts: dict[str, str], fmt: str, fields: str, more: str = "") -> Any:
    return build(contracts["head"] + f"format: {{{fmt}}}" + FIELDS + fields + more)


def refused(result: Any, *words: str) -> None:
    assert result.verdict == "stopped", result
    assert result.rows_loaded == 0
    for word in words:
        assert word in result.message, result.message


# --- XML

XML_FIELDS = """
  sensor_id: {from: "@id", required: true}
  rain_mm: {from: rain.value, required: true}
  note: {from: rain.@unit}
"""


@pytest.fixture
def gauges(build: Build, contracts: dict[str, str]) -> Any:
    return house_of(build, contracts, "type: xml, records: list/gauge", XML_FIELDS)


def xml(*records: str, encoding: str = "UTF-8", head: str = "") -> str:
    body = "".join(f"  {r}\n" for r in records)
    return f'<?xml version="1.0" encoding="{encoding}"?>\n{head}<root xmlns="urn:x"><meta><at>1</at></meta><list>\n{body}</list></root>\n'


def gauge(name: str, value: object, unit: str = "毫米") -> str:
    return f'<gauge id="{name}"><rain unit="{unit}"><value>{value}</value></rain></gauge>'


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


def dbf(
    columns: list[tuple[str, str, int]], rows: list[list[bytes]], *, encoding: str = "gb18030", driver: int = 0,
    version: int = 3, stated: int | None = None,
) -> bytes:  # fmt: skip
    described, length = b"", 1
    for name, kind, width in columns:
        described += (
            name.encode(encoding).ljust(11, b"\0")[:11] + kind.encode() + b"\0" * 4 + bytes([width]) + b"\0" * 15
        )
        length += width
    count = len(rows) if stated is None else stated
    head = struct.pack("<BBBBIHH", version, 126, 8, 1, count, 33 + len(described), length).ljust(29, b"\0") + bytes(
        [driver]
    )
    body = b""
    for row in rows:
        flag, cells = (b"*", row[1:]) if row[0] == b"*" else (b" ", row)
        body += flag + b"".join(
            c.ljust(w) if k == "C" else c.rjust(w) for c, (_, k, w) in zip(cells, columns, strict=True)
        )
    return head.ljust(32, b"\0") + described + b"\r" + body + b"\x1a"


DBF_COLUMNS = [("编号", "C", 10), ("雨量", "N", 8), ("编码", "N", 20), ("日期", "D", 8), ("有效", "L", 1)]
DBF_FIELDS = """
  sensor_id: {from: 编号, required: true}
  rain_mm: {from: 雨量}
  big_id: {from: 编码}
  birth_date: {from: 日期}
ignore: [有效]
"""


def dbf_row(name: str, value: str = "1.5", encoding: str = "gb18030") -> list[bytes]:
    return [name.encode(encoding), value.encode(), b"11010219800101001234", b"20240131", b"T"]


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


def parquet(table: dict[str, Any], **options: Any) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table(table), out, **options)
    return out.getvalue()


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


# --- nested JSON

NESTED = [
    {"id": "A", "at": {"place": {"街道": "广内"}, "mm": 1.5}, "tags": ["x"]},
    {"id": "B", "at": {"place": {}, "mm": 2}, "tags": []},
]
NESTED_FIELDS = """
  sensor_id: {from: id, required: true}
  rain_mm: {from: at.mm}
  note: {from: at.place.街道}
  big_id: {from: tags}
ignore: [at.place]
"""


@pytest.mark.parametrize("kind", ["json", "ndjson"])
def test_nested_objects_become_dotted_columns(build: Build, contracts: dict[str, str], kind: str) -> None:
    house = house_of(build, contracts, f"type: {kind}, flatten: true", NESTED_FIELDS)
    lines = [json.dumps(r, ensure_ascii=False) for r in NESTED]
    result = house.send("\n".join(lines) if kind == "ndjson" else f"[{','.join(lines)}]", "a.txt", "gb18030")
    assert (result.rows_found, result.rows_loaded, result.about["encoding"]) == (2, 2, "gb18030")
    assert [r[:3] for r in house.rows("sensor_id, rain_mm, note")] == [("A", 1.5, "广内"), ("B", 2, None)]


@pytest.mark.parametrize("kind", ["json", "ndjson"])
def test_a_name_inside_an_object_that_is_not_flattened(build: Build, contracts: dict[str, str], kind: str) -> None:
    fields = "\n  sensor_id: {from: id}\n  rain_mm: {from: at.mm}\n  note: {from: at.place.街道}\nignore: [tags, at]\n"
    house = house_of(build, contracts, f"type: {kind}", fields)
    assert house.send(as_sent(NESTED, kind), "a.txt").rows_loaded == 2
    assert house.rows("sensor_id, rain_mm, note") == [("A", 1.5, "广内"), ("B", 2.0, None)]
    house = house_of(build, contracts, f"type: {kind}", fields.replace(", at]", "]"))
    refused(house.send(as_sent(NESTED[:1], kind), "b.txt"), "extra: at", "format.flatten: true")


def test_a_nested_name_met_late_is_drift(build: Build, contracts: dict[str, str]) -> None:
    house = house_of(build, contracts, "type: ndjson, flatten: true", NESTED_FIELDS)
    line = json.dumps(NESTED[0], ensure_ascii=False)
    late = line.replace('"mm"', '"neu": 1, "mm"')
    refused(house.send("\n".join([*[line] * 1100, late]), "a.ndjson"), "extra: at.neu")


# --- records that are lists

LIST_ROWS: list[Any] = [
    ["A", 1.50, {"街道": "广内"}],
    ["B", None, "x"],
    ["C", 3],
    ["D", 4, "x", "y"],
    [],
    {"id": "E"},
    7,
]
LIST_FIELDS = "\n  sensor_id: {from: 编号, required: true}\n  rain_mm: {from: 雨量}\n  note: {from: 备注}\n"
LIST_NAMES = ["编号", "雨量", "备注"]
DESCRIBED = [{"id": n, "type": "text"} for n in LIST_NAMES]


@pytest.mark.parametrize(
    ("fmt", "document"),
    [
        ("type: json", [LIST_NAMES, *LIST_ROWS[:5], 7]),
        ("type: json, records: r", {"r": [["降雨统计表"], LIST_NAMES, *LIST_ROWS[:5], LIST_NAMES, 7]}),
        ("type: json, names: columns, records: data", {"columns": LIST_NAMES, "index": [1], "data": LIST_ROWS}),
        ("type: json, names: m.fields.id, records: m.r", {"m": {"fields": DESCRIBED, "r": LIST_ROWS}}),
    ],
)
def test_records_that_are_lists(build: Build, contracts: dict[str, str], fmt: str, document: Any) -> None:
    house = house_of(build, contracts, fmt, LIST_FIELDS)
    text = json.dumps(document, ensure_ascii=False).replace("1.5,", "1.50,")
    result = house.send(text, "a.json", "gb18030")
    bad = 2 if "names" in fmt else 1  # an object is a record of another kind only where lists are promised
    assert (result.rows_loaded, result.reasons) == (2, {"ragged": 2, "bad_record": bad})
    assert result.rows_found == 5 + bad + (fmt == "type: json, records: r")  # the header once more
    assert house.rows("_row_number, sensor_id, rain_mm, note") == [
        (1, "A", 1.5, '{"街道": "广内"}'),
        (2, "B", None, "x"),
    ]
    found = house.rows("row_number, rules, raw", "quarantine")
    assert [r[:2] for r in found][:2] == [(3, ["ragged"]), (4, ["ragged"])]
    assert json.loads(found[1][2]) == {"_fields": ["D", "4", "x", "y"]}


def test_lists_without_names_or_with_wrong_ones(build: Build, contracts: dict[str, str]) -> None:
    house = house_of(build, contracts, "type: json", LIST_FIELDS)
    refused(house.send(as_sent(LIST_ROWS[:2], "json"), "a.json"), "none of the first 2 rows", "编号")
    refused(house.send(as_sent([["编号", "雨量", "新"], ["A", 1, 2]], "json"), "b.json"), "missing: 备注", "extra: 新")
    document = json.dumps({"columns": ["编号", None], "data": [], "f": [{"x": "编号"}, {}]})
    for names in ("columns", "data", "f.x", "neu.x", "f"):
        house = house_of(build, contracts, f"type: json, records: data, names: {names}", LIST_FIELDS)
        refused(house.send(document, "c.json"), f"no list of column names at {names}", "format.names")
    house = house_of(
        build, contracts, "type: json, header_row: 0", LIST_FIELDS.replace("编号", "列1").replace("雨量", "列2")
    )
    refused(house.send(as_sent([["A", 1, "x"]], "json"), "d.json"), "missing: 备注")


# --- JSON that readers do not agree on

TWICE = ['{"id": "A", "mm": 1}', '{"id": "B", "mm": 2, "mm": 3}', '{"id": "C", "mm": 4}']


@pytest.mark.parametrize("kind", ["json", "ndjson"])
def test_a_name_twice_and_half_a_character(build: Build, contracts: dict[str, str], kind: str) -> None:
    fields = "\n  sensor_id: {from: id, required: true}\n  rain_mm: {from: mm}\n"
    house = house_of(build, contracts, f"type: {kind}", fields)
    lines = [*TWICE, '{"id": "\\ud83d", "mm": 5}', '{"id": "\\ud83d\\ude00", "mm": NaN}']
    result = house.send("\n".join(lines) if kind == "ndjson" else f"[{','.join(lines)}]", "a.txt")
    nan = {"rain_mm.type": 1}
    assert (result.rows_loaded, result.reasons) == (2, {"repeated_name": 1, "bad_record": 1, **nan})
    raws = [json.loads(raw)["_line"] for _, raw in house.rows("row_number, raw", "quarantine", "row_number < 5")]
    sent = [TWICE[1], lines[3]]
    if kind == "json":  # where numbers are kept as text
        sent = ['{"id": "B", "mm": "2", "mm": "3"}', '{"id": "\\ud83d", "mm": "5"}']
    assert raws == sent


def test_an_envelope_with_two_lists_of_one_name(build: Build, contracts: dict[str, str]) -> None:
    house = house_of(build, contracts, "type: json, records: r.d", "\n  sensor_id: {from: id}\n")
    refused(house.send('{"r": {"d": [{"id": 1}], "d": [{"id": 2}]}}', "a.json"), "'d' stands more than once at r")


# --- lists inside records

GAUGES = [
    {
        "id": "A",
        "where": {"street": "广内"},
        "data": {"readings": [{"mm": 1.5, "by": {"who": "甲"}}, {"mm": 2}], "n": 2},
    },
    {"id": "B", "where": {"street": "牛街"}, "data": {"readings": []}},
    {"id": "C", "where": None, "data": None},
    {"id": "D", "data": {"readings": {"mm": 3}}},
    "E",
    {"id": "F", "where": {"street": "陶然亭"}, "data": {"readings": [{"mm": 4}, None]}},
]
GAUGE_FIELDS = """
  sensor_id: {from: id, required: true}
  rain_mm: {from: data.readings.mm}
  note: {from: [data.readings.by.who]}
  sensor_name: {from: where.street}
  sequence_number: {from: "data.readings.#"}
ignore: [data.n, data, where, data.readings, data.readings.by]
"""


def as_sent(records: list[Any], kind: str) -> str:
    lines = [json.dumps(r, ensure_ascii=False) for r in records]
    return "\n".join(lines) if kind == "ndjson" else f"[{','.join(lines)}]"


@pytest.mark.parametrize("kind", ["json", "ndjson"])
def test_a_list_is_exploded_into_rows(build: Build, contracts: dict[str, str], kind: str) -> None:
    house = house_of(build, contracts, f"type: {kind}, flatten: true, explode: data.readings", GAUGE_FIELDS)
    result = house.send(as_sent(GAUGES, kind), "a.txt")
    assert (result.rows_found, result.rows_loaded) == (8, 6)
    assert result.reasons == {"not_a_list": 1, "bad_record": 1}
    assert house.rows("_row_number, sensor_id, rain_mm, note, sensor_name, sequence_number") == [
        (1, "A", 1.5, "甲", "广内", 1),
        (2, "A", 2.0, None, "广内", 2),
        (3, "B", None, None, "牛街", None),
        (4, "C", None, None, None, None),
        (7, "F", 4.0, None, "陶然亭", 1),
        (8, "F", None, None, "陶然亭", 2),
    ]
    found = house.rows("row_number, rules, raw", "quarantine")
    assert [r[:2] for r in found] == [(5, ["not_a_list"]), (6, ["bad_record"])]
    assert json.loads(json.loads(found[0][2])["_line"])["id"] == "D"


@pytest.mark.parametrize("kind", ["json", "ndjson"])
def test_plain_items_are_a_column(build: Build, contracts: dict[str, str], kind: str) -> None:
    fields = "\n  sensor_id: {from: id}\n  note: {from: tags}\n"
    house = house_of(build, contracts, f"type: {kind}, explode: tags", fields)
    assert house.send(as_sent([{"id": "A", "tags": ["x", "y", 3]}, {"id": "B"}], kind), "a.txt").rows_loaded == 4
    assert house.rows("sensor_id, note") == [("A", "3"), ("A", "x"), ("A", "y"), ("B", None)]


def test_a_member_of_an_item_met_late_is_drift(build: Build, contracts: dict[str, str]) -> None:
    house = house_of(
        build, contracts, "type: ndjson, explode: tags", "\n  sensor_id: {from: id}\n  note: {from: tags.a}\n"
    )
    lines = as_sent([*[{"id": "A", "tags": [{"a": 1}]}] * 1100, {"id": "B", "tags": [{"a": 1}, {"neu": 2}]}], "ndjson")
    refused(house.send(lines, "a.ndjson"), "extra: tags.neu")


def test_lists_of_many_lines_are_exploded_a_part_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from catalog.model import Format
    from ingestion.formats import Wanted, ndjson

    monkeypatch.setattr(ndjson, "EXPLODED_CHARACTERS", 200)
    path = tmp_path / "a.ndjson"
    records = [{"id": i, "tags": [{"v": f"{i}.{j}"} for j in range(i % 5)]} for i in range(100)]
    path.write_text(as_sent(records, "ndjson"), encoding="utf-8")
    names = {"id": ("id",), "v": ("tags.v",)}
    wanted = Wanted(names, {}, frozenset(), None, frozenset(), frozenset(), {n[0]: n[0] for n in names.values()})
    batches = list(ndjson.read(path, Format(type="ndjson", explode="tags"), wanted).batches)
    assert len(batches) > 5
    rows = [(r["_row_number"], r["c0"], r["c1"]) for b in batches for r in b.to_pylist()]
    flat = [(str(r["id"]), v) for r in records for v in ([t["v"] for t in r["tags"]] or [None])]
    assert rows == [(n, *pair) for n, pair in enumerate(flat, start=1)]

"""JSON with objects and lists inside: each record found and placed, each broken file refused with a cure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.ingestion.format_support import Build, house_of, refused

pytestmark = pytest.mark.slow  # many small loads: a minute in all with the others of its kind

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

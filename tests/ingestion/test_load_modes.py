"""Snapshot, append, upsert; duplicates in a file and between files; what is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # many small loads: a minute in all with the others of its kind

Build = Callable[[str], Any]


def test_first_load_types_codes_and_adds_system_columns(people: Any) -> None:
    result = people.send(people.people(1, 2))
    assert (result.verdict, result.rows_found, result.rows_loaded) == ("passed", 2, 2)
    rows = people.opened(
        "resident_id, sex_code, ethnic_code, birth_date::text, updated_at::text, _row_number, _receipt"
    )
    assert rows[0][1:] == ("1", "01", "1980-01-01", "2026-07-01 00:00:00+00", 1, result.receipt)
    assert rows[1][5] == 2


def test_a_pseudonym_stands_in_place_of_a_direct_identifier_and_is_keyed(people: Any) -> None:
    people.send(people.people(1))
    row = people.rows("*")[0]
    names = [d[0] for d in _columns(people)]
    assert names[0] == "resident_key"
    assert not {"resident_id", "person_name"} & set(names)
    assert len(row[0]) == 32
    assert (people.settings.keys / "pseudonym.key").stat().st_mode & 0o777 == 0o600


def test_one_person_has_one_pseudonym_in_any_spelling(people: Any) -> None:
    from quality.pseudonym import load_key

    number = next(n for i in range(200) if (n := people.resident_id(i, "19600102")).endswith("X"))
    lines = [
        people.header,
        people.person(1, 身份证号=number.lower()),
        people.person(2, 身份证号=number[:6] + number[8:17]),
    ]
    result = people.send("\n".join(lines))
    assert people.opened("resident_key, resident_id") == [
        (load_key(people.settings.keys).resident_key(number), number[:6] + number[8:17])
    ]
    assert result.reasons == {"key_conflict": 1}, "the same person twice in one delivery, under two names"


def test_a_pseudonym_of_several_source_columns_is_made_on_the_way_out(build: Build, contracts: dict[str, str]) -> None:
    from quality.pseudonym import load_key

    changed = contracts["people"].replace("resident_id: {from: 身份证号", "resident_id: {from: [身份证号, 证件号]")
    house = build(changed.replace("load:", "optional_columns: true\nload:"))
    text = "\n".join([house.header + ",证件号", house.person(1, 身份证号="") + "," + house.resident_id(5)])
    house.send(text)
    assert house.rows("resident_key") == [(load_key(house.settings.keys).resident_key(house.resident_id(5)),)]


def test_a_lost_key_is_not_replaced(people: Any) -> None:
    from quality.pseudonym import KeyRefused

    people.send(people.people(1))
    (people.settings.keys / "pseudonym.key").unlink()
    with pytest.raises(KeyRefused):
        people.send(people.people(2), "b.csv")
    assert len(people.rows()) == 1


def _columns(house: Any) -> list[tuple[str]]:
    from deltalake import DeltaTable

    return [(f.name,) for f in DeltaTable(house.settings.feed_path(house.feed_id)).schema().fields]


def test_the_columns_are_those_of_the_compiled_schema(people: Any) -> None:
    from warehouse.schema import feed_schema

    people.send(people.people(1))
    assert [c[0] for c in _columns(people)] == feed_schema(people.catalog, people.feed_id).names


def test_upsert_replaces_when_not_older_and_skips_older(people: Any) -> None:
    people.send(people.people(1, 2, 3))
    lines = [
        people.header,
        people.person(1, 姓名="新名", 更新时间="2026-07-02 08:00:00"),
        people.person(2, 姓名="旧名", 更新时间="2026-06-01 08:00:00"),
        people.person(4),
    ]
    result = people.send("\n".join(lines), "b.csv")
    assert (result.rows_loaded, result.rows_skipped, result.skipped) == (2, 1, {"older": 1})
    assert [r[0] for r in people.opened("person_name")] == sorted(["新名", "王小2", "王小3", "王小4"])


def test_upsert_without_newest_by_takes_the_last_delivery(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"].replace("append", "upsert"))
    house.send("编号,雨量\nA,1\nB,2\n")
    house.send("编号,雨量\nA,3\n", "b.csv")
    assert house.rows("sensor_id, rain_mm") == [("A", 3.0), ("B", 2.0)]


def test_append_skips_keys_that_are_there(readings: Any) -> None:
    readings.send("编号,雨量\nA,1\nB,2\n")
    result = readings.send("编号,雨量\nB,9\nC,3\n", "b.csv")
    assert (result.rows_loaded, result.skipped) == (1, {"known": 1})
    assert readings.rows("sensor_id, rain_mm") == [("A", 1.0), ("B", 2.0), ("C", 3.0)]


def test_snapshot_replaces_everything(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"].replace("append", "snapshot"))
    house.send("编号,雨量\nA,1\nB,2\n")
    house.send("编号,雨量\nC,3\n", "b.csv")
    assert house.rows("sensor_id") == [("C",)]


def test_snapshot_without_a_good_row_keeps_the_table(build: Build, contracts: dict[str, str], real_gate: None) -> None:
    house = build(contracts["readings"].replace("append", "snapshot"))
    from ingestion import load

    assert load._gate.__module__ == "ingestion.load"
    house.send("编号,雨量\nA,多\n", "b.csv")
    result = house.ingest_all(file=house.drop("c.csv", "编号,雨量\nA,少\n"))[-1]
    assert (result.verdict, result.rows_skipped, result.rows_loaded) == ("stopped", 1, 0)
    assert house.rows() == []
    assert house.rows(table="quarantine") == []


def test_exact_duplicates_in_a_file_are_skipped(readings: Any) -> None:
    result = readings.send("编号,雨量\nA,1\nA,1.0\nB,2\n")
    assert (result.rows_loaded, result.skipped) == (2, {"duplicate": 1})


def test_a_key_may_hold_the_time_that_says_which_is_newest(build: Build, contracts: dict[str, str]) -> None:
    told = contracts["readings"].replace(
        "mode: append, key: [sensor_id]", "mode: upsert, key: [sensor_id, rain_mm], newest_by: rain_mm"
    )
    assert told != contracts["readings"]
    result = build(told).send("编号,雨量\nA,1\nA,1\nA,2\n")
    assert (result.rows_loaded, result.skipped) == (2, {"duplicate": 1})


def test_older_versions_in_a_file_are_superseded(people: Any) -> None:
    lines = [people.header, people.person(1, 更新时间="2026-07-03 00:00:00"), people.person(1, 姓名="旧")]
    result = people.send("\n".join(lines))
    assert result.skipped == {"superseded": 1}
    assert people.opened("person_name") == [("王小1",)]


def test_conflicting_rows_of_one_key_are_quarantined_with_their_raw_values(readings: Any) -> None:
    result = readings.send("编号,雨量\nA,1\nA,2\n")
    assert (result.rows_loaded, result.reasons) == (1, {"key_conflict": 1})
    assert readings.rows("rain_mm") == [(1.0,)]
    assert readings.rows("row_number, rules, raw", "quarantine") == [(2, ["key_conflict"], '{"编号":"A","雨量":"2"}')]


def test_rejected_rows_keep_receipt_row_rules_reason_and_raw_values(people: Any) -> None:
    from warehouse.vault import opener

    lines = [people.header, people.person(1), people.person(2, 姓名="", 出生日期="1980/02/30")]
    result = people.send("\n".join(lines))
    assert result.verdict == "warned"
    assert result.rows_quarantined == 1
    (row,) = people.rows("receipt, row_number, rules, reasons, raw, status", "quarantine")
    assert row[:2] == (result.receipt, 2)
    assert set(row[2]) == {"person_name.required", "birth_date.type"}
    assert "；" in row[3]
    assert row[4].startswith("sealed:")
    (raw,) = opener(people.settings, people.feed_id, quarantine=True).open_text([row[4]])
    assert '"出生日期":"1980/02/30"' in raw
    assert row[5] == "open"


def test_platform_loads_has_one_row_a_receipt(people: Any) -> None:
    people.send(people.people(1))
    people.send(people.people(1, 2), "b.csv")
    rows = people.platform("loads", "feed, sequence, verdict, rows_found, rows_loaded, file")
    assert rows == [("t__f", 1, "passed", 1, 1, "a.csv"), ("t__f", 2, "passed", 2, 2, "b.csv")]


def test_a_deliverys_own_codes_come_before_the_lists(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["people"].replace("{from: 性别}", '{from: 性别, codes: {雄: "1"}}'))
    lines = [house.header]
    lines += [house.person(n, 性别=text) for n, text in enumerate(("雄", "男", "1", "雌"), start=1)]
    result = house.send("\n".join(lines))
    assert result.reasons == {"sex_code.code_list": 1}
    assert house.rows("sex_code") == [("1",)] * 3


def test_a_short_form_of_a_name_is_its_code(people: Any) -> None:
    result = people.send("\n".join([people.header, people.person(1, 民族="汉"), people.person(2, 民族="满")]))
    assert result.rows_loaded == 2
    assert people.rows("ethnic_code") == [("01",), ("11",)]


def test_discarded_values_become_null_and_are_counted(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["people"].replace("load:", "drift: {types: discard_value, codes: discard_value}\nload:"))
    result = house.send("\n".join([house.header, house.person(1, 性别="雌", 出生日期="不详")]))
    assert (result.rows_loaded, result.verdict) == (1, "warned")
    assert result.warnings == {"sex_code.code_list": 1, "birth_date.type": 1}
    assert house.rows("sex_code, birth_date") == [(None, None)]


@pytest.mark.parametrize("mode", ["append", "upsert", "snapshot"])
def test_the_same_file_twice_is_recognised(build: Build, contracts: dict[str, str], mode: str) -> None:
    house = build(contracts["readings"].replace("append", mode))
    first = house.send("编号,雨量\nA,1\n")
    again = house.send("编号,雨量\nA,1\n", "other name.csv")
    assert (again.verdict, again.rows_loaded, again.rows_skipped) == ("duplicate", 0, 1)
    assert again.about["duplicate_of"] == first.receipt
    assert house.rows("sensor_id, rain_mm, _receipt") == [("A", 1.0, first.receipt)]


def test_the_same_name_with_other_bytes_is_a_new_delivery(readings: Any) -> None:
    readings.send("编号,雨量\nA,1\n")
    result = readings.send("编号,雨量\nB,1\n")
    assert result.verdict == "passed"
    assert len(readings.rows()) == 2


@pytest.mark.parametrize("mode", ["snapshot", "append", "upsert"])
def test_a_type_the_table_was_not_made_with_stops_the_load(build: Build, contracts: dict[str, str], mode: str) -> None:
    """``feed new --force`` over another file of the same name: the table stays, and the cure is told."""
    key = ", key: [sensor_id]" if mode != "snapshot" else ""
    text = contracts["readings"].replace("{mode: append, key: [sensor_id]}", f"{{mode: {mode}{key}}}")
    elements = "elements: {depth: {label: 深, grade: 1, type: decimal, precision: 18, scale: SCALE}}\n"
    text = text.replace("fields:", elements + "fields:") + "  depth: {from: 深}\n"
    house = build(text.replace("SCALE", "2"))
    assert house.send("编号,雨量,深\nA,1,1.5\n").rows_loaded == 1
    house = build(text.replace("SCALE", "5"))
    result = house.send("编号,雨量,深\nB,1,1.55555\n", "b.csv")
    assert (result.verdict, result.error["error"]) == ("stopped", "LH100")
    assert "depth" in result.message
    assert "contract (and a table) of its own" in result.message
    assert len(house.rows()) == 1

"""Browsing and replaying rejected rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.slow


Build = Callable[[str], Any]


def browse(house: Any, **options: Any) -> list[Any]:
    from ingestion.quarantine import browse as look

    return look(house.settings, house.catalog, house.feed_id, **options)


def replay(house: Any, **options: Any) -> Any:
    from ingestion.quarantine import replay as again

    result = again(house.settings, house.catalog, house.feed_id, **options)
    assert result.rows_found == result.rows_loaded + result.rows_quarantined + result.rows_skipped
    return result


def statuses(house: Any) -> list[tuple[Any, ...]]:
    return house.rows("row_number, status, closed_by", "quarantine")  # type: ignore[no-any-return]


def test_browse_shows_reasons_and_masks_personal_values(people: Any) -> None:
    bad_id = people.resident_id(7)[:-1] + "?"
    people.send("\n".join([people.header, people.person(1), people.person(2, 身份证号=bad_id)]))
    (row,) = browse(people)
    assert row.row_number == 2
    assert row.reason
    assert bad_id not in str(row)
    assert "王小2" not in str(row)
    assert row.shown["姓名"].startswith("王*")
    assert row.shown["更新时间"] == "2026-07-01 08:00:00"
    assert browse(people, limit=1) == [row]
    assert browse(people, receipt="none") == []


def test_an_empty_quarantine(people: Any) -> None:
    assert browse(people) == []
    assert replay(people).rows_found == 0


def test_replay_without_a_change_changes_nothing(people: Any) -> None:
    people.send("\n".join([people.header, people.person(1, 姓名="")]))
    before = people.rows("rules, reasons, raw, status", "quarantine")
    assert replay(people).rows_quarantined == 1
    assert people.rows("rules, reasons, raw, status", "quarantine") == before


def test_rows_that_pass_a_mended_contract_are_loaded_once(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["people"])
    result = house.send(
        "\n".join([house.header, house.person(1), house.person(2, 性别="雌"), house.person(3, 姓名="")])
    )
    assert result.rows_quarantined == 2
    house = build(contracts["people"].replace("{from: 性别}", '{from: 性别, codes: {雌: "2"}}'))
    done = replay(house)
    assert (done.rows_loaded, done.rows_quarantined) == (1, 1)
    assert house.rows("_row_number, sex_code, _receipt") == [(1, "1", result.receipt), (2, "2", result.receipt)]
    assert statuses(house) == [(2, "loaded", "replay"), (3, "open", None)]
    assert replay(house).rows_loaded == 0
    assert len(house.rows()) == 2
    assert len(house.rows("resident_key", where="length(resident_key) = 32")) == 2


def test_a_replayed_row_does_not_replace_a_newer_one(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["people"])
    house.send("\n".join([house.header, house.person(1, 性别="雌", 更新时间="2026-07-01 00:00:00"), house.person(2)]))
    house.send("\n".join([house.header, house.person(1, 更新时间="2026-07-05 00:00:00")]), "b.csv")
    house = build(contracts["people"].replace("{from: 性别}", '{from: 性别, codes: {雌: "2"}}'))
    replay(house)
    assert house.opened("sex_code, updated_at::date::text", where="person_name = '王小1'") == [("1", "2026-07-04")]


def test_a_conflict_in_append_is_closed_as_known(readings: Any) -> None:
    readings.send("编号,雨量\nA,1\nA,2\n")
    readings.send("编号,雨量\nA,1\n", "b.csv")
    assert replay(readings).rows_skipped == 1
    assert readings.rows("rain_mm") == [(1.0,)]


def test_a_conflict_in_upsert_stays_open(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"].replace("append", "upsert"))
    house.send("编号,雨量\nA,1\nA,2\n")
    result = replay(house)
    assert (result.rows_quarantined, result.rows_loaded) == (1, 0)
    assert house.rows("rain_mm") == [(2.0,)]
    assert house.rows("rules", "quarantine") == [(["key_conflict"],)]


def test_rows_of_an_old_snapshot_do_not_enter_the_new_one(build: Build, contracts: dict[str, str]) -> None:
    snapshot = contracts["readings"].replace("append", "snapshot")
    house = build(snapshot)
    house.send("编号,雨量\nA,1\nB,坏\n")
    house.send("编号,雨量\nC,1\nD,坏\n", "b.csv")
    house = build(snapshot.replace("{from: 雨量, required: true}", '{from: 雨量, null_values: ["坏"]}'))
    result = replay(house)
    assert (result.rows_loaded, result.rows_skipped) == (1, 1)
    assert [r[0] for r in house.rows("sensor_id")] == ["C", "D"]


def test_ragged_rows_are_rejoined_once_the_contract_says_where(build: Build, contracts: dict[str, str]) -> None:
    fields = """
format: {type: csv, encoding: auto}
load: {mode: append, key: [order_id]}
fields:
  order_id: {from: 工单编号, required: true}
  order_title: {from: 标题}
"""
    house = build(contracts["head"] + fields)
    house.send("工单编号,标题\n1,路灯\n2,漏水,急\n")
    house = build(contracts["head"] + fields.replace("encoding: auto", "encoding: auto, free_text: 标题"))
    assert replay(house).rows_loaded == 1
    assert house.rows("order_title, _row_number") == [("漏水,急", 2), ("路灯", 1)]


def test_values_of_wide_columns_are_replayed(build: Build, contracts: dict[str, str]) -> None:
    text = """
format: {type: csv, encoding: auto, unpivot: {columns: "^([0-9]{4})年$", name: period_year, value: value}}
load: {mode: upsert, key: [indicator_name, period_year]}
fields:
  indicator_name: {from: 指标, required: true}
  period_year: {from: period_year, required: true}
  indicator_value: {from: value, required: true}
"""
    house = build(contracts["head"] + text)
    result = house.send("指标,2019年,2020年,2021年\n人口,1,约2,\n")
    assert (result.rows_found, result.rows_loaded, result.rows_quarantined, result.rows_skipped) == (3, 1, 1, 1)
    house = build(contracts["head"] + text.replace("{from: value, required: true}", "{from: value, parse: number_cn}"))
    assert replay(house).rows_loaded == 1
    assert house.rows("period_year, indicator_value::int") == [(2019, 1), (2020, 2)]


def test_what_cannot_be_read_is_not_told_to_be_empty(build: Build, contracts: dict[str, str]) -> None:
    """The department sees its value in the cell: 必填项为空 beside it would be untrue."""
    house = build(contracts["readings"])
    house.send("编号,雨量\nA,二\nB,\nC,3\nD,4\nE,5\nF,6\nG,7\n")
    told = dict(house.rows("row_number, reasons", table="quarantine"))
    assert (told[1], told[2]) == ("降水量：无法读作数值", "降水量：必填项为空")

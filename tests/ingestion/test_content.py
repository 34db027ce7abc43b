"""Content graded higher than its column: much of it stops the batch, a stray value only its row."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from ingestion import landing
from ingestion.content import SAMPLE_ROWS
from ingestion.quarantine import replay
from tests.ingestion.conftest import HEAD, NOW, House, resident_id

NOTES = (
    HEAD
    + """
format: {type: csv, encoding: auto}
load: {mode: append, key: [sensor_id]}
elements:
  note: {label: 说明, grade: GRADE}
fields:
  sensor_id: {from: 编号, required: true}
  note: {from: 说明}
"""
)


def notes(rows: int, ids: int) -> str:
    """A delivery in which ``ids`` of ``rows`` notes hold a resident ID."""
    texts = [f"登记人{resident_id(i)}" if i < ids else "正常" for i in range(rows)]
    return "编号,说明\n" + "".join(f"s{i},{text}\n" for i, text in enumerate(texts))


def house_of(build: Callable[[str], House], grade: int = 1) -> House:
    return build(NOTES.replace("GRADE", str(grade)))


@pytest.mark.slow
def test_a_batch_with_much_graded_content_is_stopped(build: Callable[[str], House], real_gate: None) -> None:
    house = house_of(build)
    result = house.send(notes(200, 5))
    assert (result.verdict, result.rows_loaded, result.rows_quarantined) == ("stopped", 0, 0)
    assert (
        "note.content_grade：字段 note（说明）申报为 1 级，其中 5 个值（2.50%）是公民身份号码，应为 3 级"
        in result.message
    )
    assert "110102" not in result.message
    assert house.rows() == []
    (receipt,) = landing.receipts_of(house.settings, house.feed_id)
    assert "110102" in landing.landed_file(house.settings, receipt).read_text(encoding="utf-8")
    checks = house.platform("validations", "code, severity, party, dimension, unexpected, observed, maximum, success")
    assert ("note.content_grade", "stop", "source", "validity", 5, 3.0, 1.0, False) in checks
    events = (house.settings.home / "audit" / "log.jsonl").read_text(encoding="utf-8")
    (event,) = [e for e in map(json.loads, events.splitlines()) if e["event"] == "content.graded_higher"]
    assert (event["detail"]["verdict"], event["detail"]["hits"], "110102" in events) == ("stopped", 5, False)


def test_a_column_graded_high_enough_may_hold_it(build: Callable[[str], House]) -> None:
    assert house_of(build, grade=3).send(notes(20, 10)).rows_loaded == 20


@pytest.mark.slow
def test_stray_values_quarantine_their_rows_until_the_grade_is_mended(build: Callable[[str], House]) -> None:
    house = house_of(build)
    result = house.send(notes(500, 3))
    assert (result.rows_loaded, result.rows_quarantined, result.reasons) == (497, 3, {"note.content_grade": 3})
    rows = house.rows("row_number, rules, reasons", "quarantine")
    assert [(n, r) for n, r, _ in rows] == [(n, ["note.content_grade"]) for n in (1, 2, 3)]
    assert {reason for _, _, reason in rows} == {"内容的级别高于该字段的申报级别"}
    again = replay(house.settings, house.catalog, house.feed_id, now=NOW)
    assert (again.rows_found, again.rows_loaded, again.rows_quarantined) == (3, 0, 3)
    mended = house_of(build, grade=3)
    assert replay(mended.settings, mended.catalog, house.feed_id, now=NOW).rows_loaded == 3
    assert len(mended.rows()) == 500


@pytest.mark.slow
def test_a_large_delivery_is_sampled_and_then_counted_in_full(build: Callable[[str], House]) -> None:
    house = house_of(build)
    rows = 3 * SAMPLE_ROWS
    text = "".join(
        f"s{i},{'电话138' + format(i, '08') if i % 1000 == 7 else '正常'}\n" for i in range(rows)
    )  # a thousandth
    result = house.send("编号,说明\n" + text)
    assert result.reasons == {"note.content_grade": rows // 1000}
    assert result.rows_loaded == rows - rows // 1000


@pytest.mark.slow
def test_a_single_id_in_a_large_delivery_is_found(build: Callable[[str], House]) -> None:
    """Whatever rows the sample takes: two IDs stand far apart, and a telephone."""
    house = house_of(build)
    rows = 2 * SAMPLE_ROWS + 1
    stray = {11: f"登记人{resident_id(1)}", 77_777: f"{resident_id(2)[:6]} {resident_id(2)[6:14]} {resident_id(2)[14:]}",
             rows - 2: "13800001234"}  # fmt: skip
    result = house.send("编号,说明\n" + "".join(f"s{i},{stray.get(i, '正常')}\n" for i in range(rows)))
    assert (result.reasons, result.rows_loaded) == ({"note.content_grade": 3}, rows - 3)

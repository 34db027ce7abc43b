"""Rejected rows go out as a workbook, come back corrected, and are closed (校核纠错)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from catalog.errors import InputError, LakehouseError
from ingestion.corrections import correct, export, fix
from ingestion.quarantine import replay
from tests.ingestion.conftest import NOW, PEOPLE_HEADER, person, resident_id
from tests.ingestion.test_vault import PASSPHRASE, enrol

pytestmark = pytest.mark.slow

PURPOSE = "退回部门更正"


def _put_out(house: Any, tmp_path: Path, *, signed: bool, name: str = "out.xlsx") -> tuple[Any, Path]:
    who = {"person": "zhang_san", "passphrase": PASSPHRASE, "purpose": PURPOSE} if signed else {}
    file = tmp_path / name
    return export(house.settings, house.catalog, house.feed_id, file, now=NOW, **who), file


@pytest.fixture
def rejected(people: Any) -> Any:
    """Two rows that load, three that do not: a wrong identity number, a wrong birth date, a formula for a name."""
    wrong = resident_id(3)[:-1] + ("1" if resident_id(3)[-1] != "1" else "2")
    lines = [
        PEOPLE_HEADER, person(1), person(2), person(3, 身份证号=wrong), person(4, 出生日期="1980年"),
        person(5, 姓名="=cmd|' /C calc'!A1", 出生日期="?"),
    ]  # fmt: skip
    assert people.send("\n".join(lines) + "\n").rows_quarantined == 3
    enrol(people)
    return people


def test_corrected_in_place_and_sent_back_rows_are_loaded_and_closed(rejected: Any, tmp_path: Path) -> None:
    done, file = _put_out(rejected, tmp_path, signed=True)
    assert (done.rows, done.masked, done.left) == (3, 0, 0)
    assert file.stat().st_mode & 0o077 == 0
    book = openpyxl.load_workbook(file)
    sheet = book["待更正"]
    head = {c.value: c.column for c in sheet[1]}
    assert [sheet.cell(r, head["※行号"]).value for r in (2, 3, 4)] == ["3", "4", "5"]
    assert "出生日期" in str(sheet.cell(3, head["※不通过原因"]).value)
    sheet.cell(2, head["身份证号"]).value = resident_id(3)
    sheet.cell(3, head["出生日期"]).value = "1980-01-01"
    sheet.cell(4, head["※处理"]).value = "作废"
    book.save(file)
    result = correct(rejected.settings, rejected.catalog, rejected.feed_id, file, now=NOW)
    assert (result.rows, result.rows_loaded, result.rows_withdrawn) == (3, 2, 1)
    assert len(rejected.rows()) == 4
    assert rejected.opened("resident_id", "_row_number = 3") == [(resident_id(3),)]
    closed = rejected.rows("row_number, status, split_part(closed_by, ':', 1)", "quarantine")
    assert closed == [(3, "loaded", "correction"), (4, "loaded", "correction"), (5, "withdrawn", "correction")]
    again = correct(rejected.settings, rejected.catalog, rejected.feed_id, file, now=NOW)
    assert (again.rows_unknown, again.rows_loaded) == (3, 0)
    assert len(rejected.rows()) == 4
    assert rejected.platform("corrections", "kind, rows, rows_loaded, rows_withdrawn") == [
        ("file", 3, 0, 0),
        ("file", 3, 2, 1),
    ]


def test_a_row_still_wrong_stays_with_its_present_reason(rejected: Any, tmp_path: Path) -> None:
    _, file = _put_out(rejected, tmp_path, signed=True)
    book = openpyxl.load_workbook(file)
    sheet = book["待更正"]
    head = {c.value: c.column for c in sheet[1]}
    sheet.cell(2, head["身份证号"]).value = resident_id(3)
    sheet.cell(2, head["性别"]).value = "不知"
    sheet.cell(3, head["※处理"]).value = "暂不处理"
    book.save(file)
    result = correct(rejected.settings, rejected.catalog, rejected.feed_id, file, now=NOW)
    assert (result.rows, result.rows_loaded, result.rows_quarantined, result.rows_unchanged) == (2, 0, 1, 1)
    assert rejected.rows("rules", "quarantine", "row_number = 3") == [(["sex_code.code_list"],)]
    assert {r[0] for r in rejected.rows("status", "quarantine")} == {"open"}


def test_without_a_signature_values_are_masked_and_cannot_be_corrected(rejected: Any, tmp_path: Path) -> None:
    done, file = _put_out(rejected, tmp_path, signed=False)
    assert done.masked > 0
    told = json.dumps([[c.value for c in row] for row in openpyxl.load_workbook(file)["待更正"]], ensure_ascii=False)
    assert resident_id(4) not in told
    assert "王小4" not in told
    with pytest.raises(InputError, match="masked"):
        correct(rejected.settings, rejected.catalog, rejected.feed_id, file, now=NOW)
    with pytest.raises(LakehouseError, match="passphrase"):
        export(
            rejected.settings, rejected.catalog, rejected.feed_id, tmp_path / "b.xlsx",
            now=NOW, person="zhang_san", passphrase="wrong", purpose=PURPOSE,
        )  # fmt: skip
    assert not (tmp_path / "b.xlsx").exists()
    log = (rejected.settings.home / "audit" / "log.jsonl").read_text()
    assert '"quarantine.exported"' in log
    assert '"vault.refused"' in log
    assert "王小" not in log


def test_a_formula_that_was_sent_is_text_in_the_workbook(rejected: Any, tmp_path: Path) -> None:
    _, file = _put_out(rejected, tmp_path, signed=True)
    sheet = openpyxl.load_workbook(file)["待更正"]
    (cell,) = [c for row in sheet for c in row if str(c.value).startswith("=cmd")]
    assert cell.data_type == "s"
    assert cell.quotePrefix
    assert cell.number_format == "@"


def test_other_workbooks_are_refused(rejected: Any, tmp_path: Path) -> None:
    other = openpyxl.Workbook()
    other.save(tmp_path / "x.xlsx")
    with pytest.raises(InputError, match="not a workbook of corrections"):
        correct(rejected.settings, rejected.catalog, rejected.feed_id, tmp_path / "x.xlsx", now=NOW)
    _, file = _put_out(rejected, tmp_path, signed=True)
    book = openpyxl.load_workbook(file)
    book["说明"]["B2"] = "tax__arrears"
    book.save(file)
    with pytest.raises(InputError, match="another feed"):
        correct(rejected.settings, rejected.catalog, rejected.feed_id, file, now=NOW)


def test_a_rule_mends_rows_by_column_and_pattern(rejected: Any) -> None:
    result = fix(rejected.settings, rejected.catalog, rejected.feed_id, "出生日期", r"(\d{4})年", r"\1-01-01", now=NOW)
    assert (result.rows_found, result.rows_loaded) == (1, 1)
    assert [r[0] for r in rejected.rows("status", "quarantine", "row_number = 4")] == ["loaded"]
    with pytest.raises(InputError, match="no open row has this column"):
        fix(rejected.settings, rejected.catalog, rejected.feed_id, "没有", ".*", "", now=NOW)


def test_a_row_the_department_sent_anew_is_closed_by_the_next_replay(rejected: Any) -> None:
    again = "\n".join([PEOPLE_HEADER, person(4, 更新时间="2026-07-02 08:00:00")]) + "\n"
    assert rejected.send(again, "b.csv").rows_loaded == 1
    result = replay(rejected.settings, rejected.catalog, rejected.feed_id, now=NOW)
    assert (result.rows_loaded, result.rows_skipped, result.rows_quarantined) == (0, 1, 2)
    assert [r[0] for r in rejected.rows("status", "quarantine", "row_number = 4")] == ["resent"]

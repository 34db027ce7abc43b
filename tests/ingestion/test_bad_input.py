"""Everything departments send that is not as agreed: a clear error or a counted row, and nothing lost."""

from __future__ import annotations

import io
import os
import stat
import struct
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import Busy

pytestmark = pytest.mark.slow  # many small loads: a minute in all with the others of its kind

Build = Callable[[str], Any]
GOOD = "编号,雨量\nA,1\nB,2\n"


def landed(house: Any, result: Any) -> bytes:
    """The bytes kept for a delivery."""
    from ingestion.landing import landed_file, read_receipt

    return landed_file(house.settings, read_receipt(house.settings, house.feed_id, result.receipt)).read_bytes()


def refused(house: Any, result: Any, content: bytes) -> str:
    """Assert that a delivery was stopped, kept, and changed nothing; its message."""
    assert result.verdict == "stopped"
    assert result.rows_found == 0
    assert landed(house, result) == content
    assert house.rows() == []
    assert result.error["hint"]
    return str(result.message)


# --- encodings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16", "utf-16-le"])
def test_encoding_is_found(readings: Any, encoding: str) -> None:
    result = readings.send("编号,雨量\n站点一,1\n", encoding=encoding)
    assert (result.verdict, result.rows_loaded) == ("passed", 1)
    assert readings.rows("sensor_id") == [("站点一",)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(readings: Any, end: str) -> None:
    assert readings.send(GOOD.replace("\n", end)).rows_loaded == 2


def test_wrong_encoding_declared_utf8_sent_gb18030(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"].replace("encoding: auto", "encoding: utf-8"))
    content = "编号,雨量\n甲,1\n".encode("gb18030")
    message = refused(house, house.send(content), content)
    assert "gb18030" in message
    assert "offset=0" in message


def test_wrong_encoding_declared_gb18030_sent_utf8(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"].replace("encoding: auto", "encoding: gb18030"))
    content = "编号,雨量\n甲乙丙,1\n".encode()
    assert "utf-8" in refused(house, house.send(content), content)


def test_an_undecodable_byte_in_a_document_is_named_with_line_and_offset(
    build: Build, contracts: dict[str, str]
) -> None:
    house = build(contracts["readings"].replace("type: csv, encoding: auto", "type: json, encoding: gb18030"))
    good = '[{"编号": "A",\n "雨量": 1},'.encode("gb18030")
    content = good + b'{"' + b"\xff" + '编号": "B"}]'.encode("gb18030")
    message = refused(house, house.send(content, "a.json"), content)
    assert "line=2" in message
    assert f"offset={len(good) + 2}" in message


# --- headers


def test_title_and_seal_rows_above_the_header(readings: Any) -> None:
    result = readings.send("某局2026年7月雨量台账,\n单位（盖章）：   2026年8月1日,\n" + GOOD)
    assert (result.rows_found, result.rows_loaded, result.about["header_row"]) == (2, 2, 3)


def test_a_header_on_row_3_when_row_1_is_declared(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"].replace("encoding: auto", "header_row: 1"))
    content = ("台账,\n盖章,\n" + GOOD).encode()
    assert "row 3" in refused(house, house.send(content), content)


def test_a_sentence_as_header(readings: Any) -> None:
    content = "以下为本局本月报送的全部雨量记录共二行,请查收\nA,1\nB,2\n".encode()
    message = refused(readings, readings.send(content), content)
    assert "编号" in message
    assert "雨量" in message


def test_header_spelling_full_width_blanks_newlines_and_bom(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"].replace("from: 雨量", "from: 雨量(mm)"))
    assert house.send('\ufeff 编 号 ,"雨量\n（ｍｍ）"\nA,1\n').rows_loaded == 1


def test_a_header_among_the_data_is_skipped_and_another_one_quarantined(readings: Any) -> None:
    result = readings.send(GOOD + "编号,雨量\nC,3\n")
    assert (result.rows_loaded, result.rows_quarantined, result.skipped) == (3, 0, {"header": 1})
    result = readings.send("编号,雨量\nD,1\nE,2\n编号,降雨\nF,3\n")
    assert (result.rows_loaded, result.reasons) == (3, {"rain_mm.type": 1, "rain_mm.required": 1})


def test_a_missing_column_stops_with_a_diff(people: Any) -> None:
    content = people.people(1).replace("性别", "男女", 1).encode()
    message = refused(people, people.send(content), content)
    assert "missing: 性别" in message
    assert "extra: 男女" in message


def test_a_renamed_column_is_guessed_and_an_alias_cures_it(
    people: Any, build: Build, contracts: dict[str, str]
) -> None:
    content = people.people(1).replace("出生日期", "出生年月日", 1)
    assert "出生日期 → 出生年月日" in refused(people, people.send(content), content.encode())
    house = build(contracts["people"].replace("from: 出生日期", "from: [出生日期, 出生年月日]"))
    assert house.send(content).rows_loaded == 1


def test_an_extra_column_stops_when_frozen(readings: Any) -> None:
    content = "编号,雨量,新列\nA,1,x\n".encode()
    assert "extra: 新列" in refused(readings, readings.send(content), content)


def test_an_extra_column_is_added_when_evolving(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"].replace("load:", "drift: {columns: evolve}\nload:"))
    house.send(GOOD)
    house.send("编号,雨量,新 列\nC,3,x\n", "b.csv")
    assert house.rows('sensor_id, "x_新_列"') == [("A", None), ("B", None), ("C", "x")]
    house.send("编号,雨量\nD,4\n", "c.csv")
    assert len(house.rows()) == 4


def test_one_header_name_twice_is_an_extra_column(readings: Any) -> None:
    content = "编号,雨量,雨量\nA,1,2\n".encode()
    assert "extra: 雨量" in refused(readings, readings.send(content), content)


def test_unnamed_empty_columns_are_no_drift_but_a_value_there_is_quarantined(readings: Any) -> None:
    result = readings.send("编号,雨量,,Unnamed: 3\nA,1,,\nB,2,x,\n")
    assert (result.rows_loaded, result.reasons) == (1, {"unnamed_value": 1})


def test_a_header_of_16304_columns(readings: Any) -> None:
    content = ("编号,雨量" + "".join(f",列{i}" for i in range(16302)) + "\n").encode()
    assert "16304 columns" in refused(readings, readings.send(content), content)


def test_a_row_of_16304_columns(readings: Any) -> None:
    result = readings.send(GOOD + "C" + ",9" * 16303 + "\nD,4\n")
    assert (result.rows_found, result.rows_loaded, result.reasons) == (4, 3, {"ragged": 1})
    assert readings.rows("row_number", "quarantine") == [(3,)]


# --- rows


def test_ragged_rows_keep_their_numbers(readings: Any) -> None:
    result = readings.send('编号,雨量\nA,1\nB\n"C\nc",3\n\nD,4,5\nE,5\nF\n')
    assert (result.rows_found, result.rows_loaded, result.reasons) == (6, 3, {"ragged": 3})
    assert readings.rows("sensor_id, _row_number") == [("A", 1), ("C\nc", 3), ("E", 5)]
    assert [r[0] for r in readings.rows("row_number", "quarantine")] == [2, 4, 6]


FREE = """
format: {type: csv, encoding: auto, free_text: 标题}
load: {mode: append, key: [order_id]}
fields:
  order_id: {from: 工单编号, required: true}
  order_title: {from: 标题, grade: 2, grade_reason: 测试数据，无人}
  called_at: {from: 来电时间, formats: ["%Y-%m-%d"], required: true}
"""


def test_an_unescaped_comma_in_the_free_text_is_rejoined(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["head"] + FREE)
    result = house.send("工单编号,标题,来电时间\n1,路灯,2026-07-01\n2,漏水,已三天,急,2026-07-02\n")
    assert (result.rows_loaded, result.rows_quarantined) == (2, 0)
    assert house.rows("order_title") == [("漏水,已三天,急",), ("路灯",)]


def test_a_row_that_no_rejoin_mends_is_quarantined_as_it_stood(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["head"] + FREE)
    result = house.send("工单编号,标题,来电时间\n1,路灯,2026-07-01,多余\n2\n")
    assert result.rows_quarantined == 2
    rows = house.rows("row_number, rules, raw", "quarantine")
    assert rows[0][1][0] == "ragged"
    assert "called_at.type" in rows[0][1]
    assert rows[0][2] == '{"_fields": ["1", "路灯", "2026-07-01", "多余"]}'
    assert rows[1][1] == ["ragged"]


def test_blank_rows_are_skipped_and_counted(readings: Any) -> None:
    result = readings.send("编号,雨量\nA,1\n,\n　, \nB,2\n")
    assert (result.rows_found, result.skipped) == (4, {"blank": 2})


def test_credit_codes_in_scientific_notation_are_quarantined(build: Build, contracts: dict[str, str]) -> None:
    house = build(
        contracts["head"]
        + """
format: {type: csv, encoding: auto}
load: {mode: upsert, key: [uscc]}
fields:
  uscc: {from: 信用代码, required: true}
"""
    )
    result = house.send("信用代码\n9.11101E+17\n91110106102167290A\n")
    assert (result.rows_loaded, result.rows_quarantined) == (1, 1)
    assert "uscc.not_scientific" in result.reasons


def test_nul_bytes_are_quarantined(readings: Any) -> None:
    result = readings.send("编号,雨量\nA\0,1\nB,2\n")
    assert (result.rows_loaded, result.reasons) == (1, {"nul": 1})


def test_an_open_quote_takes_only_its_own_line(readings: Any) -> None:
    lines = [f"S{i},{i}" for i in range(1, 200)]
    lines[49] = '"S50,50'
    result = readings.send("编号,雨量\n" + "\n".join(lines) + "\n")
    assert (result.rows_found, result.rows_loaded, result.reasons) == (199, 198, {"unclosed_quote": 1})
    assert readings.rows("row_number, raw", "quarantine") == [(50, '{"_line": "\\"S50,50"}')]
    assert readings.rows("_row_number", where="sensor_id = 'S199'") == [(199,)]


def test_a_value_too_long_for_the_fast_way_is_no_blank_row(
    build: Build, contracts: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingestion.formats import csv

    house = build(
        contracts["head"]
        + "format: {type: csv}\nload: {mode: snapshot}\nelements: {note: {label: 备注, grade: 1}}\n"
        + "fields: {note: {from: 备注}, rain_mm: {from: 雨量, required: true}}\n"
    )
    monkeypatch.setattr(csv, "MAX_FIELD_WHEN_BROKEN", 1000)
    lines = ["备注,雨量", f"{'长' * 400_000},1", '"多\n行",2', '"开,3', "B,4"]  # over two blocks, and an open quote
    result = house.send("\n".join(lines) + "\n")
    assert (result.rows_found, result.rows_loaded, result.reasons) == (4, 3, {"unclosed_quote": 1})
    assert house.rows("max(length(note))") == [(400_000,)]
    monkeypatch.setattr(csv, "MAX_RECORD_BYTES", 300_000)
    monkeypatch.setattr(csv, "HEAD_BYTES", 1000)
    assert "longer than" in refused_message(house.send("\n".join(lines[:2]) + "\n" + '"开,3\n', "b.csv"))


def refused_message(result: Any) -> str:
    assert (result.verdict, result.rows_loaded) == ("stopped", 0)
    return str(result.message)


def test_two_open_quotes_swallow_nothing(readings: Any) -> None:
    lines = [f"S{i},{i}" for i in range(1, 100)]
    lines[9], lines[59] = '"S10,10', '"S60,60'
    result = readings.send("编号,雨量\n" + "\n".join(lines) + "\n")
    assert (result.rows_found, result.rows_loaded, result.rows_quarantined) == (99, 97, 2)


def test_quotes_and_newlines_that_are_right_stay_right(readings: Any) -> None:
    result = readings.send('编号,雨量\n"A ""1"", x\n第二行",1\nB,2\n')
    assert result.rows_loaded == 2
    assert readings.rows("sensor_id")[0] == ('A "1", x\n第二行',)


# --- files


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b"   \r\n"])
def test_an_empty_file_changes_nothing(build: Build, contracts: dict[str, str], content: bytes) -> None:
    house = build(contracts["readings"].replace("append", "snapshot"))
    house.send(GOOD)
    result = house.send(content, "b.csv")
    assert (result.verdict, result.rows_found) == ("empty", 0)
    assert len(house.rows()) == 2


def test_a_header_without_rows_changes_nothing(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"].replace("append", "snapshot"))
    house.send(GOOD)
    assert house.send("编号,雨量\n", "b.csv").verdict == "empty"
    assert len(house.rows()) == 2


def test_a_file_cut_within_its_last_row(readings: Any) -> None:
    result = readings.send("编号,雨量\nA,1\nB,2\nC")
    assert (result.rows_loaded, result.reasons) == (2, {"truncated": 1})


def test_a_file_cut_within_a_character(readings: Any) -> None:
    whole = "编号,雨量\nA,1\n站".encode("gb18030")
    result = readings.send(whole[:-1])
    assert (result.rows_loaded, result.reasons) == (1, {"truncated": 1})


def test_a_file_cut_within_a_quote(readings: Any) -> None:
    result = readings.send('编号,雨量\nA,1\n"B')
    assert (result.rows_loaded, result.reasons) == (1, {"unclosed_quote": 1})


def xlsx(rows: list[list[Any]]) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_an_xlsx_named_csv_says_what_it_is(readings: Any) -> None:
    content = xlsx([["编号", "雨量"], ["A", 1]])
    message = refused(readings, readings.send(content, "a.csv"), content)
    assert "XLSX" in message
    assert "format.type to excel" in message


def test_an_xlsx_named_csv_is_read_when_the_contract_says_excel(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"].replace("type: csv", "type: excel"))
    assert house.send(xlsx([["编号", "雨量"], ["A", 1]]), "a.csv").rows_loaded == 1


def test_csv_named_xlsx_says_what_it_is(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"].replace("type: csv", "type: excel"))
    assert "delimited text" in refused(house, house.send(GOOD, "a.xlsx"), GOOD.encode())


def test_a_cut_xlsx_is_named_damaged(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"].replace("type: csv", "type: excel"))
    content = xlsx([["编号", "雨量"], ["A", 1]])[:-200]
    assert "damaged" in refused(house, house.send(content, "a.xlsx"), content)


def test_a_zip_bomb_is_refused(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"].replace("type: csv", "type: excel, max_uncompressed_mb: 20"))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("xl/worksheets/sheet1.xml", b"0" * 30_000_000)
    content = out.getvalue()
    assert len(content) < 50_000
    assert "zip bomb" in refused(house, house.send(content, "a.xlsx"), content)


def test_a_zip_bomb_that_lies_about_its_size_is_refused(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"].replace("type: csv", "type: excel, max_uncompressed_mb: 20"))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("xl/worksheets/sheet1.xml", b"0" * 30_000_000)
    content = out.getvalue().replace(struct.pack("<I", 30_000_000), struct.pack("<I", 1000))
    result = house.send(content, "a.xlsx")
    refused(house, result, content)


def test_a_sheet_with_a_stray_cell_in_the_last_corner_is_refused(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"].replace("type: csv", "type: excel"))
    import openpyxl

    book = openpyxl.Workbook()
    book.active["A1"], book.active["B1"], book.active["XFD1048576"] = "编号", "雨量", 1
    out = io.BytesIO()
    book.save(out)
    assert "spans 1048576 rows" in refused(house, house.send(out.getvalue(), "a.xlsx"), out.getvalue())


def test_one_bad_file_does_not_hold_up_the_others(readings: Any) -> None:
    readings.drop("1.csv", "完全不同,的东西\n1,2\n")
    readings.drop("2.csv", GOOD)
    verdicts = {r.file: r.verdict for r in readings.ingest_all()}
    assert verdicts == {"1.csv": "stopped", "2.csv": "passed"}


def test_a_stopped_file_sent_again_is_tried_again(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"])
    text = "站号,雨量\nA,1\n"
    assert house.send(text).verdict == "stopped"
    house = build(contracts["readings"].replace("from: 编号", "from: [编号, 站号]"))
    assert house.send(text).verdict == "passed"


# --- names and links


def test_dropped_files_leave_the_drop_folder_and_others_stay(readings: Any, tmp_path: Path) -> None:
    dropped = readings.drop("a.csv", GOOD)
    readings.ingest()
    assert not dropped.exists()
    outside = tmp_path / "b.csv"
    outside.write_text("编号,雨量\nC,1\n", encoding="utf-8")
    readings.ingest(file=outside)
    assert outside.exists()


def test_a_link_in_the_drop_folder_is_refused(readings: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text(GOOD, encoding="utf-8")
    folder = readings.settings.drop / "t" / "f"
    folder.mkdir(parents=True)
    (folder / "a.csv").symlink_to(secret)
    result = readings.ingest()
    assert (result.verdict, result.receipt) == ("stopped", "")
    assert "link" in result.message
    assert readings.rows() == []


def test_a_linked_folder_that_leads_out_is_refused(readings: Any, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.csv").write_text(GOOD, encoding="utf-8")
    (readings.settings.drop / "t").mkdir(parents=True)
    (readings.settings.drop / "t" / "f").symlink_to(tmp_path / "elsewhere")
    assert readings.ingest().verdict == "stopped"
    assert (tmp_path / "elsewhere" / "a.csv").exists()


@pytest.mark.parametrize("name", ["receipt.json", "长" * 80 + ".csv", "a b\tc.csv", "outcome.json"])
def test_any_file_name_is_kept_safely(readings: Any, name: str) -> None:
    result = readings.send(GOOD, name)
    assert result.verdict == "passed"
    assert landed(readings, result) == GOOD.encode()


def test_a_pipe_or_missing_file_is_refused(readings: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    assert readings.ingest(file=tmp_path / "pipe.csv").verdict == "stopped"
    assert readings.ingest(file=tmp_path / "nothing.csv").verdict == "stopped"


def test_half_written_names_are_left_alone(readings: Any) -> None:
    readings.drop("a.csv.part", GOOD)
    assert readings.ingest_all() == []


def test_landing_is_readable_by_its_owner_only(readings: Any) -> None:
    readings.send(GOOD)
    for path in (readings.settings.landing / readings.feed_id).rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


# --- two at once


def test_a_second_load_is_told_busy(readings: Any) -> None:
    readings.drop("a.csv", GOOD)
    inside, go_on = threading.Event(), threading.Event()

    def pause(step: str) -> None:
        if step == "load.staged":
            inside.set()
            assert go_on.wait(30)

    first = threading.Thread(target=readings.ingest_all, kwargs={"checkpoint": pause})
    first.start()
    assert inside.wait(30)
    with pytest.raises(Busy):
        readings.ingest_all(lock_timeout=0.2)
    go_on.set()
    first.join()
    assert len(readings.rows()) == 2


@pytest.mark.slow
def test_two_processes_at_once_give_what_one_gives(readings: Any, root: Path) -> None:
    for i in range(4):
        readings.drop(f"{i}.csv", f"编号,雨量\nS{i},{i}\n")
    script = (
        "import sys\nfrom pathlib import Path\nfrom catalog.registry import load_catalog\n"
        "from catalog.settings import Settings\nfrom ingestion.load import ingest\n"
        f"s = Settings(home=Path({str(readings.settings.home)!r}), lake={readings.settings.lake!r})\n"
        f"ingest(s, load_catalog(Path({str(readings.catalog.root)!r})), 't__f', lock_timeout=120)\n"
    )
    children = [subprocess.Popen([sys.executable, "-c", script], cwd=root) for _ in range(2)]
    assert [c.wait(timeout=240) for c in children] == [0, 0]
    assert [r[0] for r in readings.rows("sensor_id")] == ["S0", "S1", "S2", "S3"]
    assert [r[0] for r in readings.platform("loads", "sequence")] == [1, 2, 3, 4]

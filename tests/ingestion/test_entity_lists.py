"""Lists of names written again with codes: encodings, title rows, broken rows, workbooks, and an untouched list."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from catalog.errors import InputError, UnknownName
from ingestion.entity_lists import match_list
from warehouse.entities.matcher import EntityMatcher, KnownName

A = "91110102MA00000001"
MATCHER = EntityMatcher([KnownName(A, "北京华安信达科技有限公司")])


def _read(path: Path, encoding: str = "utf-8") -> list[list[str]]:
    with path.open(encoding=encoding, newline="") as f:
        return list(csv.reader(f))


def test_gb18030_with_title_rows_and_ragged_rows(tmp_path: Path) -> None:
    text = "某某名单,,\n填报单位：某局,,\n序号,企业名称,备注\n1,北京華安信達科技有限公司,甲\n2,北京他人有限公司,乙\n3,,丙\n4,北京华安信达科技有限公司,丁,多\n"
    path, out = tmp_path / "list.csv", tmp_path / "out.csv"
    path.write_bytes(text.encode("gb18030"))
    done = match_list(path, out, column="企业名称", matcher=MATCHER)
    rows = _read(out)
    assert rows[0] == ["序号", "企业名称", "备注", "uscc", "entity_name", "confidence"]
    assert rows[1] == ["1", "北京華安信達科技有限公司", "甲", A, "北京华安信达科技有限公司", "1.00"]
    assert rows[2][3:] == rows[3][3:] == ["", "", ""]
    assert rows[4][:2] == ["4", "北京华安信达科技有限公司"]
    assert (done.rows, done.matched, done.unmatched, done.empty) == (4, 2, 1, 1)


def test_one_column_and_an_encoding_of_the_output(tmp_path: Path) -> None:
    path, out = tmp_path / "list.csv", tmp_path / "out.csv"
    path.write_bytes("企业名称\r\n北京华安信达科技\r\n".encode("gb18030"))
    done = match_list(path, out, column="企业名称", matcher=MATCHER, encoding="gb18030")
    assert _read(out, "gb18030")[1] == ["北京华安信达科技", A, "北京华安信达科技有限公司", "0.92"]
    assert done.by_method == {"core": 1}


def test_no_cell_of_the_list_becomes_a_formula(tmp_path: Path) -> None:
    path, out = tmp_path / "list.csv", tmp_path / "out.csv"
    path.write_text('企业名称,=备注,数\n=cmd|calc,@SUM(1),-1\n+1+1,"\t=1",2\n', encoding="utf-8")
    match_list(path, out, column="企业名称", matcher=MATCHER)
    assert [row[:3] for row in _read(out)] == [
        ["企业名称", "'=备注", "数"], ["'=cmd|calc", "'@SUM(1)", "-1"], ["'+1+1", "'=1", "2"],
    ]  # fmt: skip


def test_a_workbook(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["单位", "uscc"])
    book.active.append(["北京华安信达科技有限公司", "旧"])
    path, out = tmp_path / "list.csv", tmp_path / "out.csv"
    book.save(path)
    match_list(path, out, column="单位", matcher=MATCHER)
    assert _read(out)[0] == ["单位", "uscc", "matched_uscc", "entity_name", "confidence"]
    assert _read(out)[1][2] == A


def test_a_list_is_never_replaced_and_nothing_half_is_left(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("企业名称\n甲\n", encoding="utf-8")
    with pytest.raises(InputError, match="replace"):
        match_list(path, path, column="企业名称", matcher=MATCHER)
    with pytest.raises(UnknownName, match="no column") as caught:
        match_list(path, tmp_path / "out.csv", column="单位", matcher=MATCHER)
    assert "企业名称" in caught.value.hint
    with pytest.raises(InputError, match="no file"):
        match_list(tmp_path / "no.csv", tmp_path / "out.csv", column="单位", matcher=MATCHER)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["list.csv"]

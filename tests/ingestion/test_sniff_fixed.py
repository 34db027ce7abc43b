"""Fixed-width text is found by its blank columns, and what is proposed for it loads it whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.settings import Settings
from ingestion.sniff import sniff
from tests.ingestion.test_new_feed_loads import place, staged

assert place
NAMES = ("西城区某院", "德胜门", "广安门外第三小学", "陶然亭", "月坛")


def pad(text: str, width: int) -> str:
    """``text`` filled to so many bytes of GB18030."""
    return text + " " * (width - len(text.encode("gb18030")))


def lines(count: int = 40) -> list[str]:
    return [f"A{i:05d} {pad(NAMES[i % 5], 20)}{1.5 * i:>9.2f} 2024-01-{i % 28 + 1:02d}" for i in range(count)]


def write(path: Path, text: list[str], encoding: str) -> Path:
    path.write_bytes(("\r\n".join(text) + "\r\n").encode(encoding))
    return path


def test_columns_are_found_with_numbers_to_the_right(tmp_path: Path, place: Settings) -> None:
    path = write(tmp_path / "台账.txt", lines(), "gb18030")
    sample = sniff(path)
    assert (sample.format, sample.encoding, sample.rows) == ("fixed", "gb18030", 40)
    assert [c.type for c in sample.columns] == ["string", "string", "decimal", "date"]
    assert staged(place, path)[:2] == (40, 40)


def test_a_header_in_line_and_a_title_above_are_passed_over(tmp_path: Path, place: Settings) -> None:
    head = "编号   " + pad("单位名称", 20) + pad("金额", 10) + "日期"
    path = write(tmp_path / "台账二.txt", ["某局二〇二四年度设施台账（内部）", head, *lines()], "gb18030")
    sample = sniff(path)
    assert [c.name for c in sample.columns] == ["编号", "单位名称", "金额", "日期"]
    assert sample.rows == 40
    assert staged(place, path)[:2] == (40, 40)


def test_utf8_in_characters(tmp_path: Path, place: Settings) -> None:
    text = [f"{i:04d}  {NAMES[i % 5]:<10}  {i % 7}" for i in range(30)]
    path = write(tmp_path / "字符.txt", text, "utf-8")
    assert sniff(path).options["positions"] == "characters"
    assert staged(place, path)[:2] == (30, 30)


@pytest.mark.parametrize(
    "text",
    [
        ["这是一段说明文字，没有列。", "第二行 也不是表格，只有文字。", "第三行。", "第四行的文字。", "末行 完。"],
        [f"企业{i}有限公司" for i in range(30)],
    ],
)
def test_running_text_is_not_fixed_width_and_still_loads(tmp_path: Path, place: Settings, text: list[str]) -> None:
    path = write(tmp_path / "文字.txt", text, "utf-8")
    assert sniff(path).format == "csv"
    assert staged(place, path)[:2] == (len(text), len(text))


def test_words_with_one_blank_between_are_columns(tmp_path: Path, place: Settings) -> None:
    path = write(tmp_path / "标注.txt", [f"{'京海西城'[i % 4]} B-{'路号区'[i % 3]}no" for i in range(60)], "utf-8")
    sample = sniff(path)
    assert (sample.delimiter, len(sample.columns), sample.header_row) == (" ", 2, 0)
    assert staged(place, path)[:2] == (60, 60)

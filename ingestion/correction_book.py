"""The workbook that rejected rows travel in: written as text that no spreadsheet runs or rounds, and read back."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from catalog.errors import InputError
from catalog.model import Format
from ingestion.formats.excel import Book as Workbook
from ingestion.formats.excel import text
from quality.formulas import RISKY

OWN = ("※收据号", "※行号", "※分值号", "※处理", "※不通过原因")
"""Columns of the house before the department's; their mark keeps them apart from source columns of the same name."""
CORRECT, VOID, LATER = "更正", "作废", "暂不处理"
MASKED = "已遮蔽，仅供查看"
SHEET, NOTES = "待更正", "说明"
_WIDTH = 18


class Book(NamedTuple):
    """Rows to be written: source columns, and (receipt, row number, part, reasons, cells) of each."""

    columns: list[str]
    rows: list[tuple[str, int, int, str, list[str]]]


class Found(NamedTuple):
    """A workbook that came back.

    Attributes:
        rows: receipt, row number, part, what to do, reasons.
        cells: the values of each row by source column.
    """

    feed: str
    masked: bool
    columns: list[str]
    rows: list[tuple[str, int, int, str, str]]
    cells: list[dict[str, str]]


def write_book(book: Book, *, title: str, feed: str, now: datetime, masked: bool) -> bytes:
    """The workbook's bytes.

    Every value is a cell of text with a quote prefix: a formula stays text even after the department saved the sheet as
    CSV and opened it again, and long numbers keep their digits.
    """
    import xlsxwriter

    out = io.BytesIO()
    made = xlsxwriter.Workbook(
        out, {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    )
    bold = made.add_format({"bold": True, "bg_color": "#DDEBF7", "text_wrap": True, "valign": "top"})
    plain = made.add_format({"num_format": "@"})
    guarded = made.add_format({"num_format": "@", "quote_prefix": True})
    why = made.add_format({"num_format": "@", "text_wrap": True, "font_color": "#9C0006"})
    sheet = made.add_worksheet(SHEET)
    for at, name in enumerate([*OWN, *book.columns]):
        sheet.write_string(0, at, name, bold)
    sheet.set_column(0, len(OWN) + len(book.columns) - 1, _WIDTH)
    sheet.set_column(len(OWN) - 1, len(OWN) - 1, 2 * _WIDTH)
    sheet.freeze_panes(1, len(OWN))
    for n, (receipt, number, part, reason, cells) in enumerate(book.rows, start=1):
        for at, value in enumerate((receipt, str(number), str(part), CORRECT, reason)):
            sheet.write_string(n, at, value, why if at == len(OWN) - 1 else plain)
        for at, value in enumerate(cells, start=len(OWN)):
            sheet.write_string(n, at, value[:32_767], guarded if value and value[0] in RISKY else plain)
    choice = {"validate": "list", "source": [CORRECT, VOID, LATER]}
    sheet.data_validation(1, OWN.index("※处理"), max(1, len(book.rows)), OWN.index("※处理"), choice)
    notes = made.add_worksheet(NOTES)
    notes.set_column(0, 0, 16)
    notes.set_column(1, 1, 90)
    for n, (name, value) in enumerate(_notes(title, feed, now, masked)):
        notes.write_string(n, 0, name, bold)
        notes.write_string(n, 1, value)
    made.close()
    return out.getvalue()


def _notes(title: str, feed: str, now: datetime, masked: bool) -> list[tuple[str, str]]:
    how = "在“待更正”表中改正单元格，不动收据号、行号、分值号；确属无效的行，“※处理”选“作废”；改好后送回。"
    return [
        ("资源", title),
        ("数据编号", feed),
        ("导出时间", now.isoformat(timespec="seconds")),
        ("状态", MASKED if masked else "可更正"),
        ("怎样更正", how if not masked else "本文件中的值已遮蔽，不能据以更正。"),
    ]


def read_book(path: Path, fmt: Format) -> Found:
    """A workbook that came back; the department may have moved columns, added rows of its own or filled in numbers.

    Raises:
        InputError: not a workbook of ``write_book``.
    """
    book = Workbook(path, fmt)
    if SHEET not in book.names or NOTES not in book.names:
        raise InputError(
            "this is not a workbook of corrections", hint="use the one `lakehouse feed quarantine --export` wrote",
            file=path.name,
        )  # fmt: skip
    notes = {str(r[0]): str(r[1]) for r in book.sheet(NOTES).to_python() if len(r) > 1}
    rows = [[text(c) or "" for c in row] for row in book.sheet(SHEET).to_python()]
    head = next((i for i, row in enumerate(rows[:20]) if set(OWN[:4]) <= set(row)), None)
    if head is None:
        raise InputError(
            "the columns that name a row are gone", hint=f"keep the columns {'、'.join(OWN[:4])}", file=path.name
        )
    names = rows[head]
    own = {name: names.index(name) for name in OWN if name in names}
    columns = [n for n in names if n and n not in OWN]
    places, cells = [], []
    for row in rows[head + 1 :]:
        if not any(row):
            continue
        receipt, number, part, action = (row[own[n]].strip() for n in OWN[:4])
        if action == LATER:
            continue
        try:
            places.append((receipt, _whole(number), _whole(part), action, ""))
        except ValueError:
            places.append((receipt, -1, -1, action, ""))  # a row of the department's own: nothing waits under it
        cells.append({n: row[names.index(n)].strip() for n in columns})
    return Found(notes.get("数据编号", ""), notes.get("状态") == MASKED, columns, places, cells)


def _whole(value: Any) -> int:
    return int(float(value)) if value else 0

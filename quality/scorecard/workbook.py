"""The scorecard as a workbook for people who calculate with it: 部门得分, 资源得分, 问题规则, 异议."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from quality.formulas import RISKY
from quality.scorecard.model import DIMENSIONS, BrokenRule, DepartmentCard, FeedLine, Line, ObjectionLine, Scorecard
from quality.scorecard.words import PARTIES, SEVERITIES, STATES

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
LONGEST = 32_767
"""Characters a cell holds."""


def write_workbook(card: Scorecard, path: Path) -> Path:
    """Write ``scorecard.xlsx``. Texts are cells of type text, and what a spreadsheet might run gets an apostrophe."""
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for title, (header, rows) in _tables(card).items():
        _sheet(book, title, header, rows)
    book.save(path)
    return path


def _tables(card: Scorecard) -> dict[str, tuple[list[str], list[list[Any]]]]:
    """Title to header and rows of each sheet."""
    totals = [*(card.labels[d] for d in DIMENSIONS), "总分", "上月总分", "较上月"]
    counts = ["交付批次", "停下批次", "逾期批次", "收到行数", "隔离行数"]
    rules = [
        "规则代码",
        "说明",
        "维度",
        "处置",
        "责任方",
        "受影响行数",
        "占比（%）",
        "未通过批次",
        "检查批次",
        "异议成立",
    ]
    said = ["资源标识", "规则代码", "理由", "提出时间", "状态", "答复人", "答复"]
    departments = card.departments
    return {
        "部门得分": (
            ["名次", "部门", *totals, "资源数", *counts],
            [[d.rank, d.title, *_totals(d), len(d.feeds), *_counts(d)] for d in departments],
        ),
        "资源得分": (
            ["部门", "资源", "资源标识", *totals, *counts],
            [[d.title, f.title, f.id, *_totals(f), *_counts(f)] for d in departments for f in d.feeds],
        ),
        "问题规则": (
            ["部门", "资源", *rules],
            [[d.title, w.title, *_rule(card, w)] for d in departments for w in d.worst],
        ),
        "异议": (
            ["编号", "部门", *said],
            [[o.id, d.title, *_said(o)] for d in departments for o in d.objections],
        ),
    }


def _totals(line: Line) -> list[float | None]:
    return [*(line.scores[d] for d in DIMENSIONS), line.total, line.previous, line.change]


def _counts(line: FeedLine | DepartmentCard) -> list[int]:
    return [line.deliveries, line.stopped, line.late, line.rows_found, line.rows_quarantined]


def _rule(card: Scorecard, w: BrokenRule) -> list[Any]:
    named = [w.code, w.message, card.labels.get(w.dimension, w.dimension), SEVERITIES[w.severity], PARTIES[w.party]]
    return [*named, w.rows, w.share_pct, w.failed, w.checks, "是" if w.is_excused else ""]


def _said(o: ObjectionLine) -> list[str]:
    return [o.feed, o.rule_code, o.reason, f"{o.raised_at:%Y-%m-%d}", STATES[o.state], o.answered_by, o.answer]


def safe_text(text: str) -> str:
    """``text`` as a cell that no spreadsheet takes for a formula (OWASP, CSV injection), without control characters."""
    text = _CONTROL.sub("", text)[: LONGEST - 1]
    return f"'{text}" if text and text[0] in RISKY else text


def _sheet(book: Any, title: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter

    sheet = book.create_sheet(title)
    fill = PatternFill("solid", fgColor="E8EEF4")
    for r, row in enumerate([header, *rows], start=1):
        for c, value in enumerate(row, start=1):
            cell = sheet.cell(r, c)
            if isinstance(value, str):
                cell.value = safe_text(value)
                cell.data_type = "s"  # whatever it begins with
            else:
                cell.value = value
            if r == 1:
                cell.font, cell.fill = Font(bold=True), fill
                cell.alignment = Alignment(wrap_text=True, vertical="top")
            elif isinstance(value, float):
                cell.number_format = "0.00"
    for c in range(1, len(header) + 1):
        longest = max([_width(header[c - 1]), *(_width(str(row[c - 1] or "")) for row in rows)])
        sheet.column_dimensions[get_column_letter(c)].width = min(longest + 2, 60)
    sheet.freeze_panes = "A2"
    if rows:
        sheet.auto_filter.ref = sheet.dimensions


def _width(text: str) -> int:
    return sum(2 if ord(ch) > 0x2E7F else 1 for ch in text)

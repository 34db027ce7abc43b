"""The page and the workbook: every text is escaped, nothing is loaded from outside, no cell is a formula."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from quality.scorecard.model import (
    DIMENSIONS,
    BrokenRule,
    DepartmentCard,
    Example,
    FeedLine,
    Late,
    Line,
    ObjectionLine,
    Scorecard,
)
from quality.scorecard.page import NARROWEST, change, level, render_page, score, trend
from quality.scorecard.workbook import safe_text, write_workbook

AT = datetime(2026, 7, 1, 4, 30, tzinfo=UTC)
MONTH = date(2026, 6, 1)
HOSTILE = '=HYPERLINK("http://x","y")<script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}'
SCORES: dict[str, float | None] = {**dict.fromkeys(DIMENSIONS, 97.5), "accuracy": None}


def card(text: str = "税务局") -> Scorecard:
    totals: dict[str, Any] = {"scores": SCORES, "total": 97.5, "previous": 96.0, "change": 1.5}
    counts = {"deliveries": 2, "stopped": 1, "late": 1, "rows_found": 100, "rows_quarantined": 3}
    rule = BrokenRule(
        feed="tax__arrears", title=text, department="tax", department_name=text, code="uscc.uscc", message=text,
        dimension="validity", severity="reject", party="source", failed=1, checks=2, rows=3, share_pct=3.0,
        rank_in_month=1, rank_in_department=1, is_excused=False,
        examples=(Example(receipt="r", row_number=7, reason=text, shown={text: text}),),
    )  # fmt: skip
    said = ObjectionLine(
        id="O1", feed="tax__arrears", rule_code="uscc.uscc", department="tax", reason=text, raised_at=AT,
        state="rejected", answered_by=text, answer=text,
    )  # fmt: skip
    late = Late(feed="tax__arrears", title=text, receipt="r", file=text, landed_at=AT, late_hours=5.0)
    feed = FeedLine(id="tax__arrears", title=text, department="tax", **totals, **counts)
    department = DepartmentCard(
        id="tax", title=text, rank=1, feeds=(feed,), late_deliveries=(late,), worst=(rule,), objections=(said,),
        history=((date(2026, 5, 1), 96.0), (MONTH, 97.5)), **totals, **counts,
    )  # fmt: skip
    return Scorecard(
        month=MONTH,
        built_at=AT,
        is_complete=True,
        weights=dict.fromkeys(DIMENSIONS, 100 / 6),
        weights_source=text,
        labels={d: d for d in DIMENSIONS},
        departments=(department,),
        libraries=(Line(id="population", title=text, scores=SCORES, total=None),),
        worst=(rule,),
        silent=(text,),
    )


def test_hostile_text_is_escaped_wherever_it_stands() -> None:
    page = render_page(card(HOSTILE))
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "{{ 7*7 }}" in page, "a text is no template"
    assert page.count("&lt;script&gt;") >= 14, "every text is shown"


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = render_page(card())
    for word in (
        "<script",
        "<link",
        "<iframe",
        "<form",
        "src=",
        "url(",
        "@import",
        "http://",
        "https://",
        "javascript:",
    ):
        assert word not in page, word
    assert "default-src 'none'" in page


def test_a_cell_that_looks_like_a_formula_is_text(tmp_path: Path) -> None:
    from openpyxl import load_workbook

    starts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "＠x"]
    for start in starts:
        write_workbook(card(start + HOSTILE), tmp_path / "s.xlsx")
        book = load_workbook(tmp_path / "s.xlsx")
        assert book.sheetnames == ["部门得分", "资源得分", "问题规则", "异议"]
        cells = [c for sheet in book for row in sheet.iter_rows() for c in row if c.value is not None]
        assert all(c.data_type in ("s", "n") for c in cells), start
        texts = [str(c.value) for c in cells if c.data_type == "s"]
        assert not [t for t in texts if t[0] in "=+-@\t\r＝＋－＠"], start
        assert sum("HYPERLINK" in t for t in texts) == 10


def test_numbers_stay_numbers(tmp_path: Path) -> None:
    from openpyxl import load_workbook

    sheet = load_workbook(write_workbook(card(), tmp_path / "s.xlsx"))["部门得分"]
    header, row = ([c.value for c in r] for r in sheet.iter_rows())
    assert dict(zip(header, row, strict=True)) | {"总分": 97.5, "上月总分": 96, "较上月": 1.5, "隔离行数": 3} == dict(
        zip(header, row, strict=True)
    )
    assert sheet.cell(2, header.index("accuracy") + 1).value is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [("普通文字", "普通文字"), ("=A1", "'=A1"), ("a=1", "a=1"), ("x\x00\x1fy", "xy"), ("\x00=A1", "'=A1")],
)
def test_safe_text(text: str, kept: str) -> None:
    assert safe_text(text) == kept


@pytest.mark.parametrize(
    ("value", "shown", "colour"),
    [
        (None, "—", "none"),
        (100.0, "100.0", "good"),
        (99.96, "99.9", "good"),
        (80.0, "80.0", "fair"),
        (0.0, "0.0", "poor"),
    ],
)
def test_scores_are_never_rounded_up_to_perfect(value: float | None, shown: str, colour: str) -> None:
    assert (score(value), level(value)) == (shown, colour)


def test_changes_and_trends_in_words() -> None:
    assert [change(v) for v in (None, 0.01, 1.26, -3.0)] == ["首月", "持平", "▲ 1.3", "▼ 3.0"]
    flat = trend([(date(2026, 5, 1), 99.0), (MONTH, 99.1)])
    ys = [float(p.split(",")[1]) for p in flat["points"].split()]
    assert 0 < ys[0] - ys[1] < 22 * 0.2 / NARROWEST, "a tenth of a point is no cliff"
    gap = trend([(date(2026, 4, 1), 90.0), (date(2026, 5, 1), None), (MONTH, 95.0)])
    assert len(gap["points"].split()) == 2
    assert gap["label"] == "2026-04 90.0，2026-06 95.0"
    assert trend([])["last"] is None

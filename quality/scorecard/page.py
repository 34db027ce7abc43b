"""The scorecard as one page that opens without a network: no script, no file beside it, every text escaped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from quality.scorecard.model import DIMENSIONS, Line, Scorecard
from quality.scorecard.words import PARTIES, SEVERITIES, STATES

ASSETS = Path(__file__).resolve().parent.parent / "assets"
WIDTH, HEIGHT, MARGIN = 120, 30, 4
"""Of a trend, in CSS pixels."""
NARROWEST = 2.0
"""Points a trend's height stands for at least: a tenth of a point must not look like a cliff."""


def render_page(card: Scorecard) -> str:
    """The page's HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    env = Environment(
        loader=FileSystemLoader(str(ASSETS)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(score=score, level=level, number=number, change=change)
    css = (ASSETS / "scorecard.css").read_text(encoding="utf-8")
    return env.get_template("scorecard.j2").render(
        card=card,
        css=css,
        dimensions=DIMENSIONS,
        trend=trend,
        severities=SEVERITIES,
        parties=PARTIES,
        states=STATES,
        mean=_mean(card.departments),
    )


def score(value: float | None) -> str:
    """A score to one decimal; a dash where there is none. Never rounded up to a full 100."""
    if value is None:
        return "—"
    text = f"{value:.1f}"
    return "99.9" if text == "100.0" and value < 100 else text


def level(value: float | None) -> str:
    """A word for the colour of a score."""
    if value is None:
        return "none"
    return "good" if value >= 95 else "fair" if value >= 80 else "poor"


def number(value: float | None) -> str:
    if value is None:
        return "—"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def change(value: float | None) -> str:
    """The difference to the month before with its sign."""
    if value is None:
        return "首月"
    return "持平" if abs(value) < 0.05 else f"{'▲' if value > 0 else '▼'} {abs(value):.1f}"


def trend(history: Sequence[tuple[date, float | None]]) -> dict[str, Any]:
    """Points of a line of totals by month, for inline SVG; ``label`` says the same in words."""
    known = [(i, month, total) for i, (month, total) in enumerate(history) if total is not None]
    if not known:
        return {"points": "", "last": None, "label": "没有得分"}
    totals = [t for _, _, t in known]
    middle, spread = (max(totals) + min(totals)) / 2, max(max(totals) - min(totals), NARROWEST)
    low = middle - spread / 2
    step = (WIDTH - 2 * MARGIN) / max(len(history) - 1, 1)
    at = [(MARGIN + i * step, HEIGHT - MARGIN - (t - low) / spread * (HEIGHT - 2 * MARGIN)) for i, _, t in known]
    if len(history) == 1:
        at = [(WIDTH / 2, HEIGHT / 2)]
    return {
        "points": " ".join(f"{x:.1f},{y:.1f}" for x, y in at),
        "last": at[-1],
        "label": "，".join(f"{m:%Y-%m} {score(t)}" for _, m, t in known),
    }


def _mean(lines: Sequence[Line]) -> float | None:
    totals = [line.total for line in lines if line.total is not None]
    return sum(totals) / len(totals) if totals else None

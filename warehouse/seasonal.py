"""Seasonal adjustment of the district's monthly and quarterly series by STL, which SQL cannot compute.

A series is adjusted on logarithms when it is positive throughout, so that the season is a factor, as X-13 does by
default. Robust weights keep single odd months from bending the season. A figure for several periods (January and
February are often one) is shared out as those periods usually stand to one another, evenly where that is not known;
up to two missing periods in a row are filled on the line between their neighbours: both are marked.
Source: Cleveland et al. 1990, as statsmodels implements it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

PER_YEAR = {"month": 12, "quarter": 4}
YEARS_NEEDED = 3
LONGEST_GAP = 2
SEASONAL_WINDOW = 13
"""Years over which the season may drift slowly: odd, at least 7."""


@dataclass(frozen=True)
class Point:
    """One period of a series: its start and its value; ``periods`` is 2 where it is of two months."""

    period: str
    start: date
    value: float
    periods: int = 1


def schema() -> pa.Schema:
    """Of ``platform.seasonal``; one row an indicator, area and period."""
    import pyarrow as pa

    text, number = pa.string(), pa.float64()
    return pa.schema(
        [
            ("indicator_code", text),
            ("area_code", text),
            ("period", text),
            ("frequency", text),
            ("period_start", pa.date32()),
            ("value", number),
            ("is_filled", pa.bool_()),
            ("adjusted_value", number),
            ("trend_value", number),
            ("seasonal_factor", number),
            ("irregular_factor", number),
            ("seasonal_strength", number),
            ("method", text),
        ]
    )


def adjust(points: Sequence[Point], frequency: str) -> list[dict[str, Any]]:
    """The rows of one series, oldest first, without its keys; none when it is too short or has too wide a gap.

    Of a series with a gap of more than two periods only what follows the gap is adjusted. Factors are ratios for a
    positive series and differences (around 0) for any other.
    """
    import numpy as np
    from statsmodels.tsa.seasonal import STL

    per_year = PER_YEAR[frequency]
    periods, values, filled = _regular(points, per_year)
    if len(values) < YEARS_NEEDED * per_year:
        return []
    raw = np.array(values)
    ratio = bool((raw > 0).all())
    at = np.log(raw) if ratio else raw
    found = STL(at, period=per_year, seasonal=SEASONAL_WINDOW, robust=True).fit()
    back = np.exp if ratio else (lambda x: x)
    spread = float(np.var(found.seasonal + found.resid))
    strength = max(0.0, 1 - float(np.var(found.resid)) / spread) if spread > 0 else 0.0
    method = f"STL（{'乘法' if ratio else '加法'}，稳健）"
    columns = zip(
        periods, raw, filled, back(at - found.seasonal), back(found.trend), back(found.seasonal), back(found.resid),
        strict=True,
    )  # fmt: skip
    return [
        {
            "period": _name(start, frequency),
            "frequency": frequency,
            "period_start": start,
            "value": float(value),
            "is_filled": is_filled,
            "adjusted_value": float(adjusted),
            "trend_value": float(trend),
            "seasonal_factor": float(seasonal),
            "irregular_factor": float(irregular),
            "seasonal_strength": round(strength, 4),
            "method": method,
        }
        for start, value, is_filled, adjusted, trend, seasonal, irregular in columns
    ]


def _regular(points: Sequence[Point], per_year: int) -> tuple[list[date], list[float], list[bool]]:
    """Starts, values a period and marks of what was filled, without holes, from the last wide gap on."""
    step = 12 // per_year
    usual = _usual(points, step, per_year)
    known: dict[int, tuple[float, bool]] = {}
    for p in points:
        index = (p.start.year * 12 + p.start.month - 1) // step
        span = range(index - p.periods + 1, index + 1)
        weights = [usual.get(i % per_year) for i in span]
        total = sum(w for w in weights if w is not None)
        for i, weight in zip(span, weights, strict=True):
            share = weight / total if weight is not None and None not in weights and total > 0 else 1 / p.periods
            known[i] = (p.value * share, p.periods > 1)
    starts: list[int] = []
    values: list[float] = []
    filled: list[bool] = []
    for index in sorted(known):
        gap = index - starts[-1] - 1 if starts else 0
        if gap > LONGEST_GAP:
            starts, values, filled = [], [], []
        elif gap:
            before = values[-1]
            for i in range(1, gap + 1):
                starts.append(index - gap - 1 + i)
                values.append(before + (known[index][0] - before) * i / (gap + 1))
                filled.append(True)
        starts.append(index)
        values.append(known[index][0])
        filled.append(known[index][1])
    return [date(i * step // 12, i * step % 12 + 1, 1) for i in starts], values, filled


def _usual(points: Sequence[Point], step: int, per_year: int) -> dict[int, float]:
    """Place in the year to the mean of the values that stand alone there."""
    found: dict[int, list[float]] = {}
    for p in points:
        if p.periods == 1:
            found.setdefault((p.start.month - 1) // step % per_year, []).append(p.value)
    return {place: sum(values) / len(values) for place, values in found.items()}


def _name(start: date, frequency: str) -> str:
    return f"{start.year}Q{(start.month + 2) // 3}" if frequency == "quarter" else f"{start:%Y-%m}"

"""STL takes out a season that is known, leaves what is too short alone, and shares combined months out."""

from __future__ import annotations

import math
from datetime import date

import pytest

from warehouse.seasonal import Point, adjust

SEASON = [1.2, 0.7, 1.0, 0.95, 1.05, 1.1, 0.9, 0.92, 1.08, 1.0, 1.02, 1.08]


def _months(years: int) -> list[Point]:
    """A trend of 0.4 % a month times the season; no noise."""
    out = []
    for i in range(years * 12):
        start = date(2019 + i // 12, i % 12 + 1, 1)
        out.append(Point(f"{start:%Y-%m}", start, 100 * 1.004**i * SEASON[i % 12]))
    return out


@pytest.mark.slow
def test_the_season_goes_and_the_trend_stays() -> None:
    rows = adjust(_months(7), "month")
    assert len(rows) == 84
    level = sum(math.log(s) for s in SEASON) / 12
    for i, r in enumerate(rows):
        assert r["adjusted_value"] == pytest.approx(100 * 1.004**i * math.exp(level), rel=0.004)
        assert r["value"] == pytest.approx(r["trend_value"] * r["seasonal_factor"] * r["irregular_factor"])
    assert rows[0]["seasonal_strength"] > 0.99
    assert not any(r["is_filled"] for r in rows)


def test_january_and_february_as_one_figure_are_shared_out_by_what_is_usual() -> None:
    points = _months(7)
    both = points[48].value + points[49].value
    combined = [*points[:48], Point("2023-02", points[49].start, both, 2), *points[50:]]
    rows = adjust(combined, "month")
    assert [r["is_filled"] for r in rows].count(True) == 2
    assert rows[48]["period"] == "2023-01"
    assert rows[48]["value"] / rows[49]["value"] == pytest.approx(1.2 / 0.7, rel=0.03)


def test_combined_months_nobody_ever_saw_apart_are_halved() -> None:
    points = [p for p in _months(4) if p.start.month > 2]
    points += [Point(f"{y}-02", date(y, 2, 1), 180.0, 2) for y in range(2019, 2023)]
    rows = adjust(sorted(points, key=lambda p: p.start), "month")
    assert len(rows) == 48
    assert [r["value"] for r in rows[:2]] == [90.0, 90.0]


def test_short_series_and_wide_gaps() -> None:
    points = _months(7)
    assert adjust(points[:35], "month") == []
    holes = [p for p in points if p.period not in ("2021-05", "2021-06")]
    assert [r["period"] for r in adjust(holes, "month") if r["is_filled"]] == ["2021-05", "2021-06"]
    wide = [p for p in points if p.period not in ("2021-05", "2021-06", "2021-07")]
    assert adjust(wide, "month")[0]["period"] == "2021-08"


def test_quarters_and_series_that_go_below_zero() -> None:
    points = [Point("", date(2018 + i // 4, i % 4 * 3 + 1, 1), [3.0, -2.0, 1.0, -2.5][i % 4]) for i in range(20)]
    rows = adjust(points, "quarter")
    assert rows[5]["period"] == "2019Q2"
    assert "加法" in rows[0]["method"]
    assert all(abs(r["adjusted_value"] - -0.125) < 0.2 for r in rows)

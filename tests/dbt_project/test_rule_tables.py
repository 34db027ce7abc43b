"""The tables of HJ 633 and GB 3095 are whole: no gap, no overlap, both editions, and the levels meet."""

from __future__ import annotations

import csv
import itertools
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

import pytest


def _rows(project: Path, name: str) -> list[dict[str, str]]:
    with (project / "seeds" / f"{name}.csv").open(encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def test_breakpoints_have_no_gap(project: Path) -> None:
    tables = defaultdict(list)
    for row in _rows(project, "hj633_breakpoints"):
        key = (row["standard"], row["pollutant"], row["averaging"])
        tables[key].append(tuple(float(row[c]) for c in ("bp_lo", "bp_hi", "iaqi_lo", "iaqi_hi")))
    assert len(tables) == 20
    for key, steps in tables.items():
        assert steps[0][0] == steps[0][2] == 0, key
        for before, after in itertools.pairwise(steps):
            assert after[0] == before[1], key
            assert after[2] == before[3], key
        ends = steps[-1][1] == 999999
        assert ends or (key[0] == "HJ 633-2012" and (key[1], key[2]) in {("O3", "8h"), ("SO2", "1h")}), key


@pytest.mark.parametrize(
    ("standard", "pollutant", "averaging", "node", "iaqi"),
    [
        ("HJ 633-2012", "PM2.5", "24h", 75, 100),
        ("HJ 633-2026", "PM2.5", "24h", 60, 100),
        ("HJ 633-2012", "PM10", "24h", 150, 100),
        ("HJ 633-2026", "PM10", "24h", 120, 100),
        ("HJ 633-2026", "SO2", "24h", 475, 150),
        ("HJ 633-2026", "SO2", "1h", 999999, 200),
        ("HJ 633-2026", "O3", "8h", 999999, 300),
        ("HJ 633-2012", "CO", "24h", 14, 150),
        ("HJ 633-2012", "O3", "1h", 1200, 500),
    ],
)
def test_nodes(project: Path, standard: str, pollutant: str, averaging: str, node: float, iaqi: int) -> None:
    found = [
        int(r["iaqi_hi"])
        for r in _rows(project, "hj633_breakpoints")
        if (r["standard"], r["pollutant"], r["averaging"]) == (standard, pollutant, averaging)
        and float(r["bp_hi"]) == node
    ]
    assert found == [iaqi]


@pytest.mark.parametrize("name", ["hj633_breakpoints", "hj633_daily_items", "hj633_editions", "gb3095_limits"])
def test_one_edition_follows_the_other_without_a_day_between(project: Path, name: str) -> None:
    spans = sorted({(r["valid_from"], r["valid_to"]) for r in _rows(project, name)})
    assert spans[0][0] == "2012-02-29"
    assert spans[-1][1] == "9999-12-31"
    for (_, end), (start, _) in itertools.pairwise(spans):
        assert date.fromisoformat(start) - date.fromisoformat(end) == timedelta(days=1)
    assert any(start == "2026-03-01" for start, _ in spans)


def test_limits_have_both_classes_and_tighten(project: Path) -> None:
    limits = {
        (r["phase"], r["pollutant"], r["averaging"], r["class_code"]): float(r["limit_value"])
        for r in _rows(project, "gb3095_limits")
    }
    assert len(limits) == 3 * 14 * 2
    for (phase, pollutant, averaging, grade), value in limits.items():
        if grade == "1":
            assert value <= limits[phase, pollutant, averaging, "2"]
        if phase == "正式":
            assert value <= limits["过渡", pollutant, averaging, grade] <= limits["现行", pollutant, averaging, grade]
    assert limits["过渡", "PM2.5", "24h", "2"] == 60
    assert limits["正式", "PM2.5", "annual", "1"] == 10


def test_levels_meet(project: Path) -> None:
    levels = _rows(project, "aqi_levels")
    assert [int(r["aqi_lo"]) for r in levels] == [0, 51, 101, 151, 201, 301]
    assert [int(r["aqi_hi"]) for r in levels] == [50, 100, 150, 200, 300, 9999]

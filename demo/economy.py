"""The statistics office's progress data by month and quarter, and the household survey with a misprinted year."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo.deliveries import Office
from demo.faults import Fault, Place, Row, put
from demo.world import World, word_list
from demo.writers import csv_file

FIRST_YEAR = 2019
PROGRESS_HEADER = ("指标名称", "计量单位", "时期", "数值", "同比增速")
PROGRESS_FAULTS: tuple[Fault, ...] = (
    put("impossible_period", "时期", "2021Q5"),
    put("impossible_month", "时期", "2024-13"),
    put("not_a_number", "数值", "见附表"),
    put("missing_required", "计量单位", ""),
    put("unknown_unit", "计量单位", "亿美元", "loaded"),
)
NEW_UNITS = {"全社会用电量（累计）": (2025, "亿千瓦时", 1e-4)}
"""From this year on the office prints the indicator in another unit."""
REVISED = 3  # last months of the first delivery that the second prints again, some of them changed
HOUSEHOLD_LONG = ("指标", "年份", "数值")
HOUSEHOLD_FAULTS: tuple[Fault, ...] = (put("two_numbers_in_a_cell", "数值", "1186/1464"),)
COPIED_YEAR = 9
"""The year, counted from the first, that the survey's table repeats from the year before."""
SWOLLEN_YEAR = 14
"""The year whose education spending has a figure too many: more than the group it belongs to."""


def months(world: World) -> list[tuple[int, int]]:
    """Year and month of every month from 2019 to the one before the district's last day."""
    last = world.as_of.year * 12 + world.as_of.month - 2
    return [(m // 12, m % 12 + 1) for m in range(FIRST_YEAR * 12, max(last, FIRST_YEAR * 12 + 23) + 1)]


def progress_rows(world: World) -> list[Row]:
    """Long rows by indicator and period; row grain: one indicator and period."""
    rng = world.rng("progress")
    span = months(world)
    cycle = _cycle(world.rng("business_cycle"), len(span) + 24)
    rows = []
    for spec in word_list("indicators.yaml")["progress"]:
        flow = _flow(rng, spec, span, cycle)
        rows += _quarters(spec, span, flow) if spec["kind"] == "quarter" else _months(spec, span, flow)
    return rows


def _cycle(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """The district's business cycle: swings of three to four years, about -1 to 1."""
    at = np.arange(count)
    phase = rng.uniform(0, 2 * np.pi, 2)
    return np.asarray(0.7 * np.sin(at / 41 * 2 * np.pi + phase[0]) + 0.4 * np.sin(at / 23 * 2 * np.pi + phase[1]))


def _flow(
    rng: np.random.Generator, spec: Any, span: list[tuple[int, int]], cycle: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What happened in each month (stock: what stood at its end), before anything is summed up."""
    at = np.arange(len(span))
    factors = np.array([spec["months"][(m - 1) // (12 // len(spec["months"]))] for _, m in span])
    trend = spec["start"] * (1 + spec["growth_pct"] / 100) ** (at / 12)
    swing = 1 + spec["swing"] / 100 * cycle[at + 12 + spec["lead"]]
    noise = 1 + rng.normal(0, 0.002 if spec["kind"] == "stock" else 0.011, len(at))
    return np.asarray(trend * factors * swing * noise)


def _months(spec: Any, span: list[tuple[int, int]], flow: NDArray[np.float64]) -> list[Row]:
    values: dict[tuple[int, int], float] = {}
    for i, (year, month) in enumerate(span):
        before = values.get((year, month - 1), 0.0) if spec["kind"] == "ytd" else 0.0
        values[year, month] = before + float(flow[i])
    rows = []
    for year, month in span:
        if month == 1 and not spec["january"]:
            continue  # January and February are published together
        rows.append(_row(spec, f"{year}-{month:02d}", values[year, month], values.get((year - 1, month)), year))
    return rows


def _quarters(spec: Any, span: list[tuple[int, int]], flow: NDArray[np.float64]) -> list[Row]:
    totals: dict[tuple[int, int], float] = {}
    for i, (year, month) in enumerate(span):
        if month % 3 == 0:
            quarter = month // 3
            totals[year, quarter] = totals.get((year, quarter - 1), 0.0) + float(flow[i])
    return [_row(spec, f"{y}Q{q}", value, totals.get((y - 1, q)), y) for (y, q), value in totals.items()]


def _row(spec: Any, period: str, value: float, before: float | None, year: int) -> Row:
    unit, factor, digits = spec["unit"], 1.0, int(spec["digits"])
    change = NEW_UNITS.get(spec["name"])
    if change and year >= change[0]:
        _, unit, factor = change
        digits = 4
    yoy = "" if before is None else f"{(value / before - 1) * 100:.1f}"
    return [spec["name"], unit, period, f"{value * factor:.{digits}f}", yoy]


def latest_rows(world: World, rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """The first delivery, without the last month, and the second: the last months again, the earliest one revised."""
    span = [f"{y}-{m:02d}" for y, m in months(world)]
    last, again = span[-1], span[-1 - REVISED : -1]
    second = []
    for name, unit, period, value, yoy in rows:
        if period == again[0]:
            digits = len(value.partition(".")[2])
            second.append([name, unit, period, f"{float(value) * 1.006:.{digits}f}", yoy])
        elif period in again or period == last:
            second.append([name, unit, period, value, yoy])
    return [r for r in rows if r[2] != last], second


def household_rows(world: World) -> list[Row]:
    """Long rows (indicator, year, value), one a cell of the survey's wide table, year by year."""
    rng = world.rng("household_survey")
    data = word_list("indicators.yaml")["household"]
    span = range(data["first_year"], world.as_of.year)
    table: dict[tuple[str, int], str] = {}
    for spec in data["series"]:
        steps = 1 + spec["growth_pct"] / 100 + rng.normal(0, 0.012, len(span))
        for year, factor in zip(span, np.cumprod(steps).tolist(), strict=True):
            table[spec["name"], year] = f"{spec['start'] * factor:.{spec['digits']}f}"
    names = [s["name"] for s in data["series"]]
    copied, swollen = data["first_year"] + COPIED_YEAR, data["first_year"] + SWOLLEN_YEAR
    for name in names:
        if copied in span:
            table[name, copied] = table[name, copied - 1]
    if swollen in span:
        table["教育支出", swollen] += "0"
    return [[name, str(year), table[name, year]] for year in span for name in names]


def in_table(rows: list[Row]) -> Place:
    """Where a long row stands in the wide table of years."""
    width = len({r[0] for r in rows})
    return lambda number, row: ((number - 1) // width + 1, row[0])


def widen(rows: list[Row]) -> tuple[list[str], list[Row]]:
    """Header and rows of the wide table, one row a year."""
    names = list(dict.fromkeys(r[0] for r in rows))
    years: dict[str, dict[str, str]] = {}
    for name, year, value in rows:
        years.setdefault(year, {})[name] = value
    return ["年份", *names], [[year, *(cells[n] for n in names)] for year, cells in years.items()]


def deliver(office: Office) -> None:
    """Progress data twice, the second with revisions; the survey up to the last but two years, then the last ones."""
    world, feed = office.world, "statistics__progress"
    first, second = latest_rows(world, progress_rows(world))
    for name, part in ((office.before, first), (office.day, second)):
        path, sent, _, _ = office.break_some(
            feed, f"progress_{name}.csv", PROGRESS_HEADER, part, PROGRESS_FAULTS, key=("指标名称", "时期")
        )
        csv_file(office.drop, path, PROGRESS_HEADER, sent, encoding="gb18030")
    feed, rows = "statistics__household_survey", household_rows(world)
    cut = str(world.as_of.year - 3)
    deliveries = (
        (world.as_of.year - 1, [r for r in rows if r[1] <= cut], HOUSEHOLD_FAULTS),
        (world.as_of.year, [r for r in rows if r[1] > cut], ()),
    )
    for year, part, faults in deliveries:
        path, sent, _, _ = office.break_some(
            feed, f"household_{year}.csv", HOUSEHOLD_LONG, part, faults, key=("指标", "年份"), place=in_table(part)
        )
        header, wide = widen(sent)
        csv_file(office.drop, path, header, wide)

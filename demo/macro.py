"""The statistics office: a wide sheet of yearly indicators and monthly price indices."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np

from demo.faults import Fault, Place, Row, put
from demo.world import World, word_list

FIRST_YEAR = 2016
LONG_HEADER = ("指标", "单位", "年份", "value")
INDICATOR_FAULTS: tuple[Fault, ...] = (
    put("two_numbers_in_a_cell", "value", "1186/1464"),
    put("no_value", "value", "…", "skipped"),
)
CPI_HEADER = ("report_month", "cpi_national_yoy100", "cpi_city_yoy100", "cpi_rural_yoy100")
CPI_FAULTS: tuple[Fault, ...] = (
    put("impossible_date", "report_month", '"2025-13"'),
    put("missing_required", "cpi_national_yoy100", "null"),
    put("over_range", "cpi_city_yoy100", "1000.5"),
)


def years(world: World) -> list[int]:
    """2016 up to the last full year."""
    return list(range(FIRST_YEAR, max(FIRST_YEAR + 1, world.as_of.year)))


def indicator_rows(world: World) -> list[Row]:
    """Long rows (indicator, unit, year, value), one a cell of the wide sheet, in sheet order.

    Published figures stand where ``indicators.yaml`` anchors them; all else is invented.
    """
    rng = world.rng("indicators")
    out = []
    made: dict[str, dict[int, float]] = {}
    for spec in word_list("indicators.yaml")["indicators"]:
        values = _path(rng, spec, years(world))
        if spec["name"] == "第三产业增加值":  # the district has no primary industry: the parts add up to the whole
            whole, other = made["地区生产总值"], made["第二产业增加值"]
            values = {y: round(whole[y], 1) - round(other[y], 1) for y in values}
        made[spec["name"]] = values
        out += [[spec["name"], spec["unit"], str(y), f"{v:.{spec['digits']}f}"] for y, v in values.items()]
    return out


def _path(rng: np.random.Generator, spec: Any, span: list[int]) -> dict[int, float]:
    """A yearly series through the anchors: growth with noise, scaled to meet the next anchor."""
    anchors = {FIRST_YEAR: float(spec["start"]), **{int(y): float(v) for y, v in spec["anchors"].items()}}
    steps = 1 + spec["growth_pct"] / 100 + rng.normal(0, 0.006, len(span))
    free = np.cumprod(np.concatenate([[1.0], steps[1:]]))
    at = dict(zip(span, free.tolist(), strict=True))
    known = sorted(y for y in anchors if y in at)
    out = {}
    for y in span:
        before = max(k for k in known if k <= y)
        after = min((k for k in known if k > y), default=None)
        ratio = anchors[before] / at[before]
        if after is not None:
            part = (y - before) / (after - before)
            ratio = ratio ** (1 - part) * (anchors[after] / at[after]) ** part
        out[y] = at[y] * ratio
    return out


def revision_rows(world: World, rows: list[Row]) -> list[Row]:
    """The last two years once more, the last one revised (next bulletin)."""
    last = years(world)[-1]
    out = []
    for name, unit, year, value in rows:
        if int(year) == last:
            digits = len(value.partition(".")[2])
            out.append([name, unit, year, f"{float(value) * 1.004:.{digits}f}"])
        elif int(year) == last - 1:
            out.append([name, unit, year, value])
    return out


def in_sheet(rows: list[Row]) -> Place:
    """Where a long row stands in the wide sheet: its record, and the column of its year."""
    span = len({r[2] for r in rows})
    return lambda number, row: ((number - 1) // span + 1, f"{row[2]}年")


def widen(rows: list[Row]) -> tuple[list[str], list[Row]]:
    """Header and rows of the wide sheet from long rows."""
    span = sorted({r[2] for r in rows})
    table: dict[tuple[str, str], dict[str, str]] = {}
    for name, unit, year, value in rows:
        table.setdefault((name, unit), {})[year] = value
    wide = [[name, unit, *(cells[y] for y in span)] for (name, unit), cells in table.items()]
    return ["指标", "单位", *(f"{y}年" for y in span)], wide


def cpi_rows(world: World) -> list[Row]:
    """Monthly indices, same month of last year = 100, newest first; cells are JSON literals."""
    rng = world.rng("cpi")
    months = []
    at = date(FIRST_YEAR, 1, 1)
    while at < world.as_of.replace(day=1):
        months.append(f'"{at.year}-{at.month:02d}"')
        at = date(at.year + at.month // 12, at.month % 12 + 1, 1)
    level = 0.0
    out = []
    for month in months:
        level = 0.9 * level + float(rng.normal(0, 0.35))
        city, rural = level + float(rng.normal(0, 0.08)), level + float(rng.normal(0, 0.15))
        out.append([month, *(f"{round(100.8 + v, 1):g}" for v in (level, city, rural))])
    return out[::-1]


def cpi_record(row: Row) -> dict[str, Any]:
    import json

    return {name: json.loads(value) for name, value in zip(CPI_HEADER, row, strict=True)}

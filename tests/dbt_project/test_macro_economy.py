"""The macro-economy library on known figures, and on the real household file with errors put in: all are found."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.dbt_project.conftest import Models

pytestmark = pytest.mark.slow

AT = datetime(2026, 7, 1, tzinfo=UTC)
FEEDS = {
    "indicators": {"indicator_name": "varchar", "indicator_unit": "varchar", "period_year": "bigint"},
    "progress": {"indicator_name": "varchar", "indicator_unit": "varchar", "period": "varchar"},
    "bulletin": {"indicator_name": "varchar", "period_year": "bigint", "indicator_unit": "varchar"},
    "household_survey": {"indicator_name": "varchar", "period_year": "bigint"},
    "district_comparison": {"indicator_name": "varchar", "district_code": "varchar", "period_year": "bigint"},
    "price_indices": {"indicator_name": "varchar", "period_month": "varchar"},
    "national_series": {"indicator_name": "varchar", "published_date": "date"},
}
LIBRARY = ("reports", "observations", "indicators", "series", "growth", "checks")
Cells = dict[tuple[str, int], str]


@pytest.fixture
def library(models: Models) -> Callable[..., Models]:
    """``library(progress=rows, …)`` fills feeds and builds the library; a second call is a later load."""

    def built(*, at: datetime = AT, **feeds: Sequence[Sequence[Any]]) -> Models:
        for name, keys in FEEDS.items():
            extra = {"published_yoy_pct": "decimal(12,3)"} if name in ("progress", "bulletin") else {}
            columns = {**keys, "indicator_value": "decimal(24,6)", **extra, "_loaded_at": "timestamptz"}
            wide = len(columns) - 1
            rows = [[*r, *[None] * (wide - len(r)), at] for r in feeds.get(name, ())]
            models.table(f"staging__statistics__{name}", columns, rows)
        areas = {f"cpi_{a}_yoy100": "decimal(8,3)" for a in ("national", "city", "rural")}
        models.table("staging__statistics__cpi", {"period_month": "varchar", **areas, "_loaded_at": "timestamptz"})
        if not models.rows("select 1 from duckdb_tables() where table_name = 'macro_economy__observations'"):
            columns = dict.fromkeys(("indicator_code", "indicator_name", "area_code", "period", "frequency"), "varchar")
            columns |= {"vintage_date": "date", "value": "decimal(24,6)", "unit": "varchar", "source_feed": "varchar"}
            models.table("macro_economy__observations", columns)
        models.build(*(f"macro_economy__{n}" for n in LIBRARY))
        return models

    return built


def test_what_was_known_on_a_day_can_be_asked(library: Callable[..., Models]) -> None:
    """GDP 2024 is 6,000 in February, 6,030 from July on; 2025 comes in July."""
    library(at=datetime(2026, 2, 1, tzinfo=UTC), indicators=[("地区生产总值", "亿元", 2024, 6000)])
    later = [("地区生产总值", "亿元", 2024, 6030), ("地区生产总值", "亿元", 2025, 6300)]
    made = library(indicators=later)
    known = "from macro_economy__series where known_from <= date '{}' and (known_to is null or known_to > date '{}')"
    for day, values in (("2026-03-01", [6000]), ("2026-01-01", []), ("2026-08-01", [6030, 6300])):
        rows = made.rows(f"select value {known.format(day, day)} order by period")
        assert [r[0] for r in rows] == values, day
    assert made.rows("select revision_number, revised_pct from macro_economy__series where is_current order by period") \
        == [(2, 0.5), (1, 0.0)]  # fmt: skip


def test_cumulative_values_become_discrete_and_units_are_converted(library: Callable[..., Models]) -> None:
    """120 by February and 180 by March: 120 for two months, 60; electricity in 万千瓦时 becomes 亿千瓦时."""
    name, power = "社会消费品零售总额（累计）", "全社会用电量（累计）"
    rows = [(name, "亿元", "2024-02", 100), (name, "亿元", "2025-02", 120), (name, "亿元", "2025-03", 180)]
    rows += [
        (power, "万千瓦时", "2024-01", 50000),
        (power, "亿千瓦时", "2025-01", 5.5),
        (power, "亿美元", "2025-02", 9),
    ]
    made = library(progress=rows)
    got = made.rows(
        "select period, discrete_value, discrete_periods, yoy_pct, previous_pct from macro_economy__growth "
        "where indicator_code = 'retail_sales_ytd' order by period"
    )
    assert got == [("2024-02", 100, 2, None, None), ("2025-02", 120, 2, 20.0, None), ("2025-03", 60, 1, None, None)]
    power_rows = made.rows(
        "select period, value, yoy_pct from macro_economy__growth where indicator_code = 'electricity_ytd' order by period"
    )
    assert power_rows == [("2024-01", 5.0, None), ("2025-01", 5.5, 10.0)]
    assert made.rows("select kind, period from macro_economy__checks where kind = 'unit'") == [("unit", "2025-02")]


def test_shares_and_constant_prices(library: Callable[..., Models]) -> None:
    """Prices rise 2 % each year: 5 % in money is 2.94 % in fact, and last year's 100 is 102 at this year's prices."""
    prices = [("cpi_national_yoy100", f"{y}-{m:02d}", 102) for y in (2023, 2024) for m in range(1, 13)]
    made = library(
        price_indices=prices,
        indicators=[("地区生产总值", "亿元", 2023, 100), ("地区生产总值", "亿元", 2024, 105),
                    ("第三产业增加值", "亿元", 2024, 84), ("第二产业增加值", "亿元", 2024, 21)],
    )  # fmt: skip
    rows = made.rows(
        "select period, yoy_pct, real_yoy_pct, constant_price_value from macro_economy__growth "
        "where indicator_code = 'gdp' order by period"
    )
    assert rows == [("2023", None, None, 102.0), ("2024", 5.0, 2.94, 105.0)]
    share = made.rows("select share_pct from macro_economy__growth where indicator_code = 'tertiary_value_added'")
    assert share == [(80.0,)]
    assert made.rows("select * from macro_economy__checks where kind = 'parts'") == []


def test_a_sum_that_does_not_hold_and_sources_that_differ(library: Callable[..., Models]) -> None:
    made = library(
        indicators=[("地区生产总值", "亿元", 2021, 5408.1), ("第二产业增加值", "亿元", 2021, 274.7),
                    ("第三产业增加值", "亿元", 2021, 5131.4)],
        bulletin=[("地区生产总值", 2021, "亿元", 5418.1)],
        district_comparison=[("gdp_100m_yuan", "110101", 2015, 100), ("population_10k", "110101", 2015, 50),
                             ("gdp_per_capita_yuan", "110101", 2015, 30000)],
    )  # fmt: skip
    found = made.rows(
        "select kind, check_code, area_code, found_value, expected_value from macro_economy__checks order by 1, 2"
    )
    assert found == [
        ("parts", "gdp_by_industry", "110102", 5408.1, 5406.1),
        ("parts", "gdp_per_head", "110101", 30000.0, 20000.0),
        ("sources_disagree", "", "110102", 5408.1, 5418.1),
    ]


@pytest.fixture(scope="module")
def household(shared_data: Path) -> Cells:
    """The real file's cells that hold one number."""
    with (shared_data / "macro" / "xicheng_household_2000_2019.csv").open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    cells = {(n, int(r["年份"])): v for r in rows for n, v in r.items() if n != "年份" and v}
    assert cells.pop(("教育支出", 2010)) == "1186/1464"
    assert len(cells) == 108
    return cells


def _findings(library: Callable[..., Models], cells: Cells) -> set[tuple[str, str, str]]:
    made = library(household_survey=[(n, y, Decimal(v)) for (n, y), v in cells.items()])
    return set(made.rows("select kind, period, indicator_code || check_code from macro_economy__checks"))


def test_the_real_household_file_repeats_2007_in_2008(library: Callable[..., Models], household: Cells) -> None:
    found = _findings(library, household)
    copies = {f for f in found if f[0] in ("copied_period", "copied_value", "copied_across", "parts")}
    assert copies == {("copied_period", "2008", ""), ("copied_value", "2006", "household_size")}
    assert sum(f[0] == "jump" for f in found) == 5, "of 108 cells, breaks of the statistics themselves"
    gaps = {(p, c) for k, p, c in found if k == "gap"}
    assert {("2011", "education_spending"), ("2002", "dependants_per_worker"), ("2014", "household_size")} <= gaps


@pytest.mark.parametrize("odd", [0, 1])
def test_every_year_copied_into_the_next_is_found(library: Callable[..., Models], household: Cells, odd: int) -> None:
    """Every second year a copy of the year before, then the other ones."""
    years = [y for y in range(2001, 2020) if y % 2 == odd]
    copied = {k: household.get((k[0], k[1] - 1), v) if k[1] in years else v for k, v in household.items()}
    found = _findings(library, copied)
    assert [y for y in years if ("copied_period", str(y), "") not in found] == []


@pytest.mark.parametrize("odd", [0, 1])
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("人均可支配收入", "income_per_head_survey"),
        ("人均消费支出", "consumption_per_head_survey"),
        ("教育文化娱乐总支出", "education_culture_spending"),
        ("小学招生数", "primary_school_entrants"),
    ],
)
def test_every_copied_amount_is_found(
    library: Callable[..., Models], household: Cells, name: str, code: str, odd: int
) -> None:
    years = [
        y
        for y in range(2001, 2020)
        # 2007 and 2008 are the file's own copy
        if y % 2 == odd and y not in (2007, 2008) and {(name, y - 1), (name, y)} <= household.keys()
    ]
    assert years
    found = _findings(library, household | {(name, y): household[name, y - 1] for y in years})
    assert [y for y in years if ("copied_value", str(y), code) not in found] == []


@pytest.mark.parametrize(
    ("part", "whole", "check"),
    [
        ("教育支出", "教育文化娱乐总支出", "education_culture_spendingeducation_in_group"),
        ("教育文化娱乐总支出", "人均消费支出", "consumption_per_head_surveygroup_in_spending"),
        ("人均消费支出", "人均可支配收入", "income_per_head_surveyspending_in_income"),
    ],
)
def test_every_broken_part_is_found(
    library: Callable[..., Models], household: Cells, part: str, whole: str, check: str
) -> None:
    """A figure too many in the part, and whole and part exchanged, in every year that has both."""
    years = [y for y in range(2000, 2020) if (part, y) in household and (whole, y) in household]
    assert len(years) >= 13
    swollen = {(part, y): str(Decimal(household[part, y]) * 10) for y in years}
    swapped = {(part, y): household[whole, y] for y in years} | {(whole, y): household[part, y] for y in years}
    for broken in (swollen, swapped):
        found = _findings(library, household | broken)
        assert [y for y in years if ("parts", str(y), check) not in found] == []


def _slips(cells: Cells, name: str, year: int) -> dict[str, str]:
    """What a typist may make of one cell: kind of slip to the value printed then."""
    value, columns = cells[name, year], [n for n in COLUMNS if (n, year) in cells]
    at, figures = columns.index(name), value.replace(".", "").rstrip("0")
    slips = {"point to the right": str(Decimal(value) * 10), "point to the left": str(Decimal(value) / 10)}
    slips["figure lost"] = value[:-1] if "." not in value else value.replace(".", "", 1)
    if "." not in value:
        slips["figure twice"] = value[0] + value
    for kind, place in (("from above", (name, year - 1)), ("from below", (name, year + 1))):
        if len(figures) >= 3 and len(cells.get(place, "").replace(".", "").rstrip("0")) >= 3:
            slips[kind] = cells[place]
    for kind, beside in (("from the left", columns[at - 1 : at]), ("from the right", columns[at + 1 : at + 2])):
        for other in beside:
            slips[kind] = cells[other, year]
    if value[0] != value[1] and value[1] not in "0.":
        slips["first two exchanged"] = value[1] + value[0] + value[2:]
    return {kind: printed for kind, printed in slips.items() if Decimal(printed) != Decimal(value)}


COLUMNS = ("家庭户均人口数", "人均可支配收入", "人均消费支出", "教育支出")
COLUMNS += ("教育文化娱乐总支出", "每一就业负担人数", "恩格尔系数", "小学招生数")


@pytest.mark.slow
def test_every_slip_put_into_one_cell_is_found(library: Callable[..., Models], household: Cells) -> None:
    """Each slip alone in a copy of the file, all copies side by side as areas; what the file itself shows does not count."""
    made = library(household_survey=[(n, y, Decimal(v)) for (n, y), v in household.items()])
    found = "select area_code, kind, period, indicator_code, check_code from macro_economy__checks"
    own = {f[1:] for f in made.rows(found)}
    slips = [(k, n, y, v) for n, y in household for k, v in _slips(household, n, y).items()]
    rows = [[f"{i}", n, str(y), Decimal(v)] for i, (_, n, y, v) in enumerate(slips)]
    made.table("slips", {"id": "varchar", "name": "varchar", "year": "varchar", "printed": "decimal(24,6)"}, rows)
    made.con.execute("create table cells as from macro_economy__reports")
    is_it = "cells.printed_name = slips.name and cells.period = slips.year"
    made.con.execute(
        "create or replace table macro_economy__reports as select cells.* replace (slips.id as area_code, "
        f"case when {is_it} then slips.printed else cells.value end as value, "
        f"case when {is_it} then slips.printed else cells.printed_value end as printed_value) from cells, slips"
    )
    made.con.execute("delete from macro_economy__growth")
    made.build("macro_economy__checks")
    told = {f[0] for f in made.rows(found) if f[1:] not in own}
    missed: dict[str, list[tuple[str, int]]] = {}
    for i, (kind, name, year, _) in enumerate(slips):
        missed.setdefault(kind, [])
        if str(i) not in told:
            missed[kind].append((name, year))
    exchanged = missed.pop("first two exchanged")
    assert not any(missed.values()), missed
    assert len(missed) == 8
    assert len(exchanged) <= 0.25 * sum(k == "first two exchanged" for k, *_ in slips), (
        "often no more than a year's growth"
    )

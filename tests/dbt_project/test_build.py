"""The project is built for real: unit tests, an empty lake, and small feed tables with known answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from catalog.settings import Settings

pytestmark = pytest.mark.slow

AT = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
HOUSEHOLD, FLOATING = "public_security__household", "public_security__floating_population"


def test_unit_tests_pass_and_an_empty_lake_builds(settings: Settings) -> None:
    from warehouse.dbt_build import build

    result = build(settings, unit_tests=True)
    result.raise_for_failure()
    kinds = [m.kind for m in result.models]
    assert kinds.count("unit_test") >= 13
    tables = {m.name: m.rows for m in result.models if m.kind == "model" and m.layer}
    assert {"environment.daily_aqi", "hotline.street_monthly", "population.residents"} <= set(tables)


def test_guanyuan_reads_as_hj633_says(
    settings: Settings, shared_data: Path, fill: Callable[..., None], read: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    """Four real years: 527 of 1,461 days differ between the tables of 2012 and 2026 (rounded, O3 by 8 hours)."""
    import duckdb
    import pyarrow as pa

    from warehouse.dbt_build import build

    path = shared_data / "air" / "PRSA_Data_Guanyuan_20130301-20170228.csv"
    table = duckdb.execute(
        """
        select station as station_name,
            make_timestamp(year, month, day, hour, 0, 0) - interval 8 hour as observed_at,
            "PM2.5"::double as pm25_ugm3, "PM10"::double as pm10_ugm3, "SO2"::double as so2_ugm3,
            "NO2"::double as no2_ugm3, "CO"::double * 0.001 as co_mgm3, "O3"::double as o3_ugm3
        from read_csv(?, nullstr = 'NA')
        """,
        [str(path)],
    ).to_arrow_table()
    at = table.column("observed_at").cast(pa.timestamp("us", tz="UTC"))
    fill("ecology__air_hourly", table.set_column(1, "observed_at", at))
    build(settings, select=["+environment__daily_aqi", "+environment__station_monthly"]).raise_for_failure()
    days, complete, standards = read(
        "select count(*), count(*) filter (is_complete), list(distinct standard) from environment.daily_aqi"
    )[0]
    assert (days, complete, standards) == (1461, 1315, ["HJ 633-2012"])
    differing = read(
        """
        with aqi as (
            select date, standard, max(iaqi) filter (use_in_aqi = 'always') as aqi
            from environment.daily_iaqi group by all
        )
        select count(*) from aqi as a join aqi as b using (date)
        where a.standard = 'HJ 633-2012' and b.standard = 'HJ 633-2026' and a.aqi is distinct from b.aqi
        """
    )
    assert differing == [(527,)]
    assert read("select count(*) from environment.daily_aqi where aqi is null and is_complete") == [(0,)]


def test_new_editions_start_on_their_day(
    settings: Settings, fill: Callable[..., None], read: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    """PM2.5 75 all day, the rest low: 100 on 2026-02-28, 114 on 2026-03-01; without O3 114 stands, 75 → 60.5 is NA."""
    from warehouse.dbt_build import build

    low = {"pm10_ugm3": 80.0, "so2_ugm3": 5.0, "no2_ugm3": 20.0, "co_mgm3": 0.5, "o3_ugm3": 50.0}
    days = {
        date(2026, 2, 28): {**low, "pm25_ugm3": 75.0},
        date(2026, 3, 1): {**low, "pm25_ugm3": 75.0},
        date(2026, 3, 2): {**low, "pm25_ugm3": 75.0, "o3_ugm3": None},
        date(2026, 3, 3): {**low, "pm25_ugm3": 60.5, "o3_ugm3": None},
        date(2026, 2, 27): {**low, "pm25_ugm3": 60.5, "o3_ugm3": None},
    }
    rows = [
        {"station_name": "官园", "observed_at": datetime(d.year, d.month, d.day, tzinfo=UTC) + timedelta(hours=h - 8)}
        | values
        for d, values in days.items()
        for h in range(24)
    ]
    fill("ecology__air_hourly", rows)
    build(settings, select=["+environment__daily_aqi", "+environment__exceedances"]).raise_for_failure()
    got = read("select date, aqi, primary_pollutant, standard, is_complete from environment.daily_aqi order by date")
    assert got == [
        (date(2026, 2, 27), 82, "PM2.5", "HJ 633-2012", False),
        (date(2026, 2, 28), 100, "PM2.5", "HJ 633-2012", True),
        (date(2026, 3, 1), 114, "PM2.5", "HJ 633-2026", True),
        (date(2026, 3, 2), 114, "PM2.5", "HJ 633-2026", False),
        (date(2026, 3, 3), None, None, "HJ 633-2026", False),
    ]
    over = read("select date from environment.exceedances where pollutant = 'PM2.5' and exceeds_class2 order by date")
    assert over == [(date(2026, 3, 1),), (date(2026, 3, 2),)]


def _wkb(x: float, y: float) -> bytes:
    from shapely import Point, to_wkb

    return to_wkb(Point(x, y))


def _square(west: float, south: float, east: float, north: float) -> bytes:
    from shapely import box, to_wkb

    return to_wkb(box(west, south, east, north))


def _linked(settings: Settings, records: dict[str, str]) -> None:
    """What linking leaves for registers whose every record is a person of its own: resident key to feed."""
    import pyarrow as pa

    from warehouse.delta import append_rows
    from warehouse.linking import store

    tables: dict[str, list[dict[str, Any]]] = {
        store.LINKS: [
            {"feed": feed, "record_key": k, "role": "self", "person_key": f"p-{k}"} for k, feed in records.items()
        ],
        store.IDENTITIES: [{"person_key": f"p-{k}", "resident_key": k, "is_identified": True} for k in records],
    }
    for name, rows in tables.items():
        append_rows(settings.platform_path(name), pa.Table.from_pylist(rows, schema=store.schemas()[name]))


def _fill_district(fill: Callable[..., None]) -> None:
    """Two households, one of the floating population, a street, and three addresses of which one is known to lie right."""

    def person(key: str, household: str, relation: str, born: date) -> dict[str, Any]:
        return {
            "resident_key": key,
            "sex_code": "1",
            "birth_date": born,
            "household_key": household,
            "family_relation_code": relation,
            "community_code": "110102001004",
            "updated_at": AT,
        }

    fill(
        "public_security__household",
        [
            person("a", "h1", "0", date(1980, 1, 1)),
            person("b", "h1", "1", date(1982, 1, 1)),
            person("c", "h2", "1", date(2010, 1, 1)),
        ],
    )
    fill(
        "public_security__floating_population",
        [
            {"resident_key": "d", "sex_code": "2", "birth_date": date(1990, 1, 1), "street_name": "西长安街"}
            | {"community_name": "府右街南社区", "registration_date": date(2026, 1, 1)}
        ],
    )
    fill(
        "planning__divisions",
        [
            {
                "division_code": "110102001",
                "division_name": "西长安街街道",
                "geom_cgcs2000": _square(116.3, 39.9, 116.4, 40),
            }
        ],
    )
    fill(
        "planning__address_points",
        [
            {"address_code": "p1", "standard_address": "甲", "street_name": "西长安街", "community_name": "府右街南"}
            | {"geom_cgcs2000": _wkb(116.35, 39.95), "collected_date": date(2026, 1, 1)},
            {"address_code": "p2", "standard_address": "乙", "street_name": "月坛", "community_name": "无此社区"}
            | {"geom_cgcs2000": _wkb(116.36, 39.95), "collected_date": date(2026, 1, 1)},
            {"address_code": "p3", "standard_address": "丙", "street_name": "月坛街道"}
            | {"geom_cgcs2000": _wkb(116.6, 40.1), "collected_date": date(2026, 1, 1)},
        ],
    )


def test_libraries_hold_together(
    settings: Settings, fill: Callable[..., None], read: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    from warehouse.dbt_build import build

    _fill_district(fill)
    _linked(settings, {"a": HOUSEHOLD, "b": HOUSEHOLD, "c": HOUSEHOLD, "d": FLOATING})
    build(settings, select=["tag:library"]).raise_for_failure()
    assert read("select person_key, resident_key, kind, household_key from population.residents order by 1") == [
        ("p-a", "a", "resident", "h1"),
        ("p-b", "b", "resident", "h1"),
        ("p-c", "c", "resident", "h2"),
        ("p-d", "d", "floating", None),
    ]
    households = (
        "select household_key, head_key, members_count, has_recorded_head from population.households order by 1"
    )
    assert read(households) == [("h1", "p-a", 2, True), ("h2", "p-c", 1, False)]
    assert read("select sum(persons_count), count(*) filter (is_suppressed) from population.community_counts") == [
        (0, 2)
    ]
    assert read(
        "select address_code, street_code, community_code, located_street_code, is_inside_district, is_inside_street"
        " from spatiotemporal.addresses order by 1"
    ) == [
        ("p1", "110102001", "110102001004", "110102001", True, True),
        ("p2", "110102007", None, "110102001", True, False),
        ("p3", "110102007", None, None, False, None),
    ]
    area = read("select area_m2 from spatiotemporal.divisions where division_code = '110102001'")[0][0]
    assert area == pytest.approx(8545 * 11104, rel=0.01)  # a degree is 85.3 km by 111.0 km at 39.95 N
    levels = read("select level, count(*) from spatiotemporal.divisions where is_current group by 1 order by 1")
    assert levels == [("community", 263), ("district", 16), ("province", 1), ("street", 15)]
    leaked = read(
        "select table_schema, table_name from information_schema.columns where table_schema <> 'platform'"
        " and column_name in ('resident_id', 'person_name', 'phone', 'caller_name')"
    )
    assert leaked == []


def test_revised_indicators_keep_their_old_value(
    settings: Settings, fill: Callable[..., None], read: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    from decimal import Decimal

    from warehouse.dbt_build import build

    def deliver(value: str, at: datetime, *, refresh: bool = False) -> None:
        row = {"indicator_name": "地区生产总值", "indicator_unit": "亿元", "period_year": 2020}
        fill("statistics__indicators", [row | {"indicator_value": Decimal(value), "_loaded_at": at}])
        build(settings, select=["+macro_economy__observations"], full_refresh=refresh).raise_for_failure()

    deliver("5000", AT)
    deliver("5000", AT + timedelta(days=1))
    deliver("5061.1", AT + timedelta(days=2))
    deliver("5061.1", AT + timedelta(days=3), refresh=True)
    assert read(
        "select indicator_code, period, value, vintage_date from macro_economy.observations order by vintage_date"
    ) == [
        ("gdp", "2020", Decimal("5000.000000"), date(2026, 3, 2)),
        ("gdp", "2020", Decimal("5061.100000"), date(2026, 3, 4)),
    ]

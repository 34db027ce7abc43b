"""Sensor marts as they are written: daily AQI of four years at fifty stations, and a day of fourteen million readings.

Each runs the models' own SQL (rendered for DuckDB) over Parquet; the targets are seconds. Beside it stands what an
analyst would write by hand: for AQI a pandas mean of the same hours with the table of one edition, without validity
rules; for the roll-up one ``GROUP BY`` of the same readings by hour, without register, range check or local time.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from bench.harness import ROOT, compare

STATIONS, YEARS = 50, 4
READINGS = 14_000_000
SENSORS = 9_722  # one reading a minute each makes 14 million a day
AQI = ("environment__daily_concentrations", "environment__daily_iaqi", "environment__daily_aqi")
ROLLUP = ("city_sensing__readings", "city_sensing__hourly", "city_sensing__daily")


def run(scale: float = 1.0) -> list[dict[str, Any]]:
    """Daily AQI, and the roll-up, at ``scale`` times their rows."""
    stations = max(1, round(STATIONS * scale))
    readings = max(10_000, round(READINGS * scale))
    with tempfile.TemporaryDirectory(prefix="bench_sensing_") as folder:
        air, day = Path(folder) / "air.parquet", Path(folder) / "day.parquet"
        hours = _make_air(air, stations)
        _make_day(day, readings)
        out = []
        for label, sides, path, rows, seconds in (
            (f"daily AQI of {stations} stations, {YEARS} years", ("daily_aqi", "aqi_by_pandas"), air, hours, 3.0),
            (f"a day of {readings / 1e6:g} M readings by hour and day", ("roll_up", "group_by"), day, readings, 30.0),
        ):
            ours, other = (f"bench.bench_sensing:{side}" for side in sides)
            args = {"parquet": str(path)}
            out.append(
                compare(f"{label}, seconds", ours=ours, args=args, rows=rows, target=seconds if scale >= 1 else None)
            )
            out.append(compare(f"{label}, beside a query", ours=ours, yardstick=other, args=args, rows=rows, runs=1))
        return out


def daily_aqi(parquet: str) -> None:
    """Our three models, one after the other."""
    con = _open({"staging__ecology__air_hourly": parquet})
    _build(con, AQI)
    assert con.execute("SELECT count(aqi) FROM environment__daily_aqi").fetchone()[0] > 0


def aqi_by_pandas(parquet: str) -> None:
    """Daily means and the index of six pollutants with numpy's interpolation; no validity rules, one edition."""
    import numpy as np
    import pandas as pd

    frame = pd.read_parquet(parquet)
    frame["date"] = (frame["observed_at"] + pd.Timedelta(hours=8)).dt.date
    nodes = [0, 50, 100, 150, 200, 300, 400, 500]
    tables = {
        "pm25_ugm3": [0, 35, 75, 115, 150, 250, 350, 500], "pm10_ugm3": [0, 50, 150, 250, 350, 420, 500, 600],
        "so2_ugm3": [0, 50, 150, 475, 800, 1600, 2100, 2620], "no2_ugm3": [0, 40, 80, 180, 280, 565, 750, 940],
        "co_mgm3": [0, 2, 4, 14, 24, 36, 48, 60],
    }  # fmt: skip
    days = frame.groupby(["station_name", "date"])[list(tables)].mean()
    frame = frame.sort_values(["station_name", "observed_at"])
    eight = frame.groupby("station_name")["o3_ugm3"].rolling(8, min_periods=6).mean().to_numpy()
    ozone = frame.assign(eight=eight).groupby(["station_name", "date"])["eight"].max()
    parts = [np.ceil(np.interp(days[name], table, nodes)) for name, table in tables.items()]
    parts.append(np.ceil(np.interp(ozone, [0, 100, 160, 215, 265, 800], nodes[:6])))
    assert np.nanmax(np.vstack(parts), axis=0).size == len(days)


def roll_up(parquet: str) -> None:
    """Readings with their register, then hours, then days."""
    con = _open({"staging__city_sensing__gateway": parquet})
    con.execute(
        "CREATE TABLE staging__city_sensing__sensors AS SELECT 'S' || i AS sensor_id, 'noise' AS sensor_kind_code, "
        f"'dB(A)' AS measured_unit, 20.0 AS range_min, 130.0 AS range_max FROM range({SENSORS}) AS t (i)"
    )
    con.execute(
        "CREATE TABLE staging__water__rain_gauges (sensor_id VARCHAR, observed_at TIMESTAMPTZ, sequence_number BIGINT, "
        "rain_mm DOUBLE, battery_pct DOUBLE)"
    )
    con.execute(
        "CREATE TABLE spatiotemporal__sensor_readings (sensor_id VARCHAR, observed_at TIMESTAMPTZ, "
        "sequence_number BIGINT, measured_value DOUBLE, battery_pct DOUBLE, is_flat_line BOOLEAN, is_spike BOOLEAN)"
    )
    _build(con, ROLLUP, views=("city_sensing__readings",))
    assert con.execute("SELECT count(*) FROM city_sensing__daily").fetchone()[0] > 0


def group_by(parquet: str) -> None:
    """The plain statement."""
    import duckdb

    con = duckdb.connect()
    con.execute(
        "CREATE TABLE hours AS SELECT sensor_id, date_trunc('hour', observed_at) AS hour, count(*) AS n, "
        "avg(measured_value) AS mean, min(measured_value) AS low, max(measured_value) AS high "
        f"FROM '{parquet}' GROUP BY ALL"
    )


def _make_air(path: Path, stations: int) -> int:
    import duckdb

    hours = YEARS * 365 * 24
    duckdb.execute(
        f"""COPY (SELECT 'station ' || s AS station_name, TIMESTAMPTZ '2023-01-01 00:00:00+00' + h * INTERVAL 1 HOUR
            AS observed_at, 20 + 60 * random() AS pm25_ugm3, 40 + 90 * random() AS pm10_ugm3, 9 * random() AS so2_ugm3,
            15 + 50 * random() AS no2_ugm3, 0.2 + random() AS co_mgm3, 20 + 140 * random() AS o3_ugm3
            FROM range({stations}) AS a (s), range({hours}) AS b (h)) TO '{path}'"""
    )
    return stations * hours


def _make_day(path: Path, readings: int) -> None:
    import duckdb

    duckdb.execute(
        f"""COPY (SELECT 'S' || (i % {SENSORS}) AS sensor_id,
            TIMESTAMPTZ '2026-06-22 16:00:00+00' + (i * 86400 // {readings}) * INTERVAL 1 SECOND AS observed_at,
            i AS sequence_number, 40 + 30 * random() AS measured_value, 90.0 AS battery_pct
            FROM range({readings}) AS t (i)) TO '{path}'"""
    )


def _open(tables: dict[str, str]) -> Any:
    import duckdb
    import yaml

    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET preserve_insertion_order = false")
    for name, path in tables.items():
        con.execute(f"CREATE VIEW {name} AS FROM read_parquet('{path}')")
    seeds = ROOT / "dbt_project" / "seeds"
    for seed in yaml.safe_load((seeds / "_seeds.yml").read_text(encoding="utf-8"))["seeds"]:
        if seed["name"].startswith(("hj633", "gb3095", "aqi")):
            types = ", ".join(f"'{c}': '{t}'" for c, t in seed["config"]["column_types"].items())
            source = f"read_csv('{seeds / seed['name']}.csv', header = true, types = {{{types}}})"
            con.execute(f"CREATE TABLE {seed['name']} AS FROM {source}")
    return con


def _build(con: Any, names: tuple[str, ...], views: tuple[str, ...] = ()) -> None:
    for name in names:
        kind = "VIEW" if name in views else "TABLE"
        con.execute(f"CREATE {kind} {name} AS {_render(name)}")


def _render(model: str) -> str:
    """The SQL dbt would give DuckDB."""
    from jinja2 import Environment

    project = ROOT / "dbt_project"
    files = [p for p in sorted((project / "macros").rglob("*.sql")) if "materializations" not in p.parts]
    macros = "\n".join(p.read_text(encoding="utf-8") for p in files)
    names = set(re.findall(r"macro (\w+)\(", macros))

    class Adapter:
        def dispatch(self, name: str) -> Any:
            own = f"duckdb__{name}"
            return getattr(module, own if own in names else f"default__{name}")

    context: dict[str, Any] = {
        "adapter": Adapter(),
        "return": lambda value: value,
        "ref": lambda name: name,
        "var": lambda name, default=None: default,
        "source": lambda schema, name: f"{schema}.{name}",
        "config": lambda **_: "",
        "is_incremental": lambda: False,
    }
    env = Environment(extensions=["jinja2.ext.do"])
    module = env.from_string(macros, globals=context).module
    text = next((project / "models").rglob(f"{model}.sql")).read_text(encoding="utf-8")
    return env.from_string(macros + text, globals=context).render(**context)

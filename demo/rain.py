"""Rain gauges: one a street, five-minute readings as lines of JSON, with a summer storm."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import numpy as np

from demo.deliveries import Office
from demo.faults import DUPLICATE, Fault, Row, put
from demo.geometry import street_polygons
from demo.world import World
from demo.writers import ndjson_file

HEADER = ("sensor_id", "name", "lon", "lat", "time", "rain_mm", "seq", "battery_pct")
DAYS = 4
STORM_DAY = 1
PER_DAY = 288
RESENT = 6  # readings a gauge sends again after midnight
BEIJING = timezone(timedelta(hours=8))

FAULTS: tuple[Fault, ...] = (
    put("negative_rain", "rain_mm", "-999.9"),
    put("missing_required", "rain_mm", "null"),
    put("impossible_date", "time", '"2026-06-31T08:00:00+08:00"'),
    DUPLICATE,
    put("over_range", "battery_pct", "187"),
    put("number_as_text", "rain_mm", '"0.2"', "loaded"),
)


def day_rows(world: World) -> list[tuple[datetime, list[Row]]]:
    """For each day its readings in order of time; cells are JSON literals.

    Each day after the first begins with the last half hour of the day before, sent again.
    """
    rng = world.rng("rain")
    first = first_day(world)
    sites = [[f'"{i}"', json.dumps(name, ensure_ascii=False), x, y] for i, name, x, y in gauge_sites(world)]
    rain = _rain(rng, len(sites))
    battery = 96 - rng.random(len(sites)) * 30
    sequence = rng.integers(1_000, 60_000, len(sites))
    out: list[tuple[datetime, list[Row]]] = []
    for day in range(DAYS):
        start = first + timedelta(days=day)
        rows = [list(r) for r in out[-1][1][-RESENT * len(sites) :]] if out else []
        for slot in range(PER_DAY):
            stamp = f'"{(start + timedelta(minutes=5 * slot)).isoformat()}"'
            k = day * PER_DAY + slot
            rows.extend(
                [*site, stamp, f"{rain[k, s]:.1f}", str(sequence[s] + k), f"{battery[s] - k * 0.004:.1f}"]
                for s, site in enumerate(sites)
            )
        out.append((start, rows))
    return out


def first_day(world: World) -> datetime:
    """Midnight, Beijing time, at which the readings begin."""
    last = datetime(world.as_of.year, world.as_of.month, world.as_of.day, tzinfo=BEIJING) - timedelta(days=5)
    return last - timedelta(days=DAYS - 1)


def gauge_sites(world: World) -> list[tuple[str, str, str, str]]:
    """Identifier, name, longitude and latitude (CGCS2000) of each gauge, one a street in their order."""
    polygons = street_polygons()
    out = []
    for i, street in enumerate(world.streets):
        at = polygons[street.code].representative_point()
        out.append((f"XC-RG-{i + 1:02d}", street.name.removesuffix("街道") + "雨量站", f"{at.x:.6f}", f"{at.y:.6f}"))
    return out


def depths(world: World) -> np.ndarray:
    """Millimetres in five minutes, slots × gauges, as :func:`day_rows` sends them."""
    return _rain(world.rng("rain"), len(world.streets))


def _rain(rng: np.random.Generator, gauges: int) -> np.ndarray:
    """Millimetres in five minutes, slots × gauges: a drizzle on the first day, a storm on the second."""
    slot = np.arange(DAYS * PER_DAY)[:, None]
    lag = rng.integers(-4, 5, gauges)[None, :]
    peak = STORM_DAY * PER_DAY + 222  # 18:30
    storm = 6.8 * np.exp(-(((slot - peak - lag) / 9.0) ** 2)) + 2.0 * np.exp(-(((slot - peak - 34 - lag) / 16.0) ** 2))
    drizzle = 0.28 * np.exp(-(((slot - 60 - lag) / 30.0) ** 2))
    depth = (storm * rng.uniform(0.6, 1.35, gauges)[None, :] + drizzle) * rng.gamma(6, 1 / 6, (len(slot), gauges))
    return np.asarray(np.floor(depth / 0.2) * 0.2)  # the tipping bucket counts 0.2 mm


def as_line(row: Row) -> str:
    """The reading as a line of JSON."""
    return "{" + ",".join(f'"{name}":{value}' for name, value in zip(HEADER, row, strict=True)) + "}"


def deliver(office: Office) -> None:
    """One file a day, and one of them a second time under another name."""
    feed = "water__rain_gauges"
    for i, (start, rows) in enumerate(day_rows(office.world)):
        path, sent, _, file = office.break_some(
            feed, f"rain_{start:%Y%m%d}.ndjson", HEADER, rows, FAULTS, key=("sensor_id", "time", "seq"), append=True
        )
        ndjson_file(office.drop, path, (as_line(r) for r in sent))
        if i == STORM_DAY:
            again = path.replace(".ndjson", "_resend.ndjson")
            office.drop.copy(path, again)
            office.truth.repeat(file, again)

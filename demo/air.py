"""Hourly air quality of the district's two national stations, in the layout of the PRSA files."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from demo.deliveries import Office
from demo.faults import DUPLICATE, Fault, RawRow, Row, put
from demo.world import World
from demo.writers import csv_file

STATIONS = (("Guanyuan", 1.0), ("Wanshouxigong", 1.04))
DAYS = 60
REGIME_CHANGE = date(2026, 3, 1)  # HJ 633-2026 comes into force
HEADER: tuple[str, ...] = (
    "No",
    "year",
    "month",
    "day",
    "hour",
    "PM2.5",
    "PM10",
    "SO2",
    "NO2",
    "CO",
    "O3",
    "TEMP",
    "PRES",
    "DEWP",
    "RAIN",
    "wd",
    "WSPM",
    "station",
)
QUOTED_HEADER = RawRow(f'"{name}"' for name in HEADER)
WINDS = ("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW")


def _fine_above_coarse(row: Row, at: dict[str, int], rng: np.random.Generator) -> Row:
    row[at["PM2.5"]], row[at["PM10"]] = "48", "31"
    return row


FAULTS: tuple[Fault, ...] = (
    put("negative_value", "PM10", "-999"),
    put("not_a_number", "PM2.5", "--", "warned"),
    Fault("pm10_below_pm25", "PM10", "warned", _fine_above_coarse),
    put("wrong_code", "wd", '"静风"'),
    put("missing_required", "station", '""'),
    DUPLICATE,
    put("over_range", "CO", "999999"),
)


def period(world: World) -> tuple[date, date]:
    """First and last day: 60 days around 2026-03-01, or the last 60 when the district ends before."""
    last = min(world.as_of - timedelta(days=1), REGIME_CHANGE + timedelta(days=30))
    return last - timedelta(days=DAYS - 1), last


def station_rows(world: World, station: int) -> list[Row]:
    """Hours of one station, oldest first; row grain: one hour. CO in µg/m³, missing values ``NA``."""
    name, level = STATIONS[station]
    first, _ = period(world)
    shared, own = world.rng("air"), world.rng("air", station + 1)
    hours = DAYS * 24
    hour = np.arange(hours) % 24
    spell = _smooth(shared, hours, 40.0)  # stagnant and clean spells last for days
    dust = np.maximum(_smooth(shared, hours, 16.0) - 1.9, 0) * 160
    season = np.arange(hours) / hours
    rush = np.exp(-((hour - 8) ** 2) / 8) + 1.1 * np.exp(-((hour - 20) ** 2) / 14)
    sun = np.maximum(np.sin((hour - 7) / 12 * np.pi), 0)
    noise = own.normal(0, 0.10, (6, hours))
    pm25 = level * np.exp(3.45 + 0.75 * spell + 0.16 * rush - 0.12 * sun + noise[0])
    pm10 = pm25 * (1.25 + 0.15 * np.abs(noise[1])) + 12 + dust
    so2 = np.exp(1.15 + 0.35 * spell + noise[2])
    no2 = np.exp(3.35 + 0.38 * spell + 0.35 * rush - 0.35 * sun + noise[3])
    co = np.exp(6.35 + 0.42 * spell + 0.20 * rush + noise[4])
    o3 = np.maximum(22 + (62 + 55 * season) * sun - 14 * rush - 6 * spell + 60 * noise[5], 2)
    temperature = -2 + 14 * season + 5 * np.sin((hour - 9) / 12 * np.pi) + 2.2 * _smooth(shared, hours, 60.0)
    wind = np.maximum(1.8 - 0.7 * spell + own.gamma(1.2, 0.5, hours), 0.1)
    pressure = 1022 - 6 * season - 4 * _smooth(shared, hours, 50.0)
    gases = (pm25, pm10, so2, no2, co)
    texts = [np.round(g).clip(1).astype(int).astype(str).astype("U8") for g in gases[:4]]
    texts.append(((np.round(co / 100).clip(1)) * 100).astype(int).astype("U8"))
    texts.append(np.round(o3).astype(int).astype("U8"))
    for text, gap in zip(texts, _gaps(own, hours), strict=True):
        text[gap] = "NA"
    winds = own.integers(0, 16, hours)
    dew = temperature - 9 - own.gamma(2, 3, hours)
    return [
        RawRow(
            [
                str(i + 1),
                *_date_parts(first, i),
                *(str(t[i]) for t in texts),
                f"{temperature[i]:.1f}",
                f"{pressure[i]:.1f}",
                f"{dew[i]:.1f}",
                "0",
                f'"{WINDS[winds[i]]}"' if wind[i] > 0.2 else "NA",
                f"{wind[i]:.1f}",
                f'"{name}"',
            ]
        )
        for i in range(hours)
    ]


def _date_parts(first: date, hour: int) -> tuple[str, str, str, str]:
    day = first + timedelta(days=hour // 24)
    return str(day.year), str(day.month), str(day.day), str(hour % 24)


def _smooth(rng: np.random.Generator, count: int, hours: float) -> np.ndarray:
    """A wandering series of mean 0 and spread 1 that forgets within ``hours``."""
    keep = np.exp(-1 / hours)
    steps = rng.normal(0, np.sqrt(1 - keep**2), count)
    steps[0] = rng.normal()
    out = np.empty(count)
    value = 0.0
    for i in range(count):
        value = keep * value + steps[i]
        out[i] = value
    return out


def _gaps(rng: np.random.Generator, hours: int) -> np.ndarray:
    """Missing hours of six pollutants: single ones, an instrument down, the whole station down."""
    gap = rng.random((6, hours)) < 0.012
    for _ in range(6):
        start, length = int(rng.integers(hours - 12)), int(rng.integers(3, 11))
        gap[int(rng.integers(6)), start : start + length] = True
    start = int(rng.integers(hours - 12))
    gap[:, start : start + 8] = True
    return gap


def deliver(office: Office) -> None:
    """Two deliveries a station; the second repeats the last day of the first."""
    feed, key = "ecology__air_hourly", ("station", "year", "month", "day", "hour")
    first, last = period(office.world)
    cut = (DAYS - 2) * 24
    middle = first + timedelta(days=DAYS - 3)
    for station, (name, _) in enumerate(STATIONS):
        rows = station_rows(office.world, station)
        parts = ((first, middle, rows[:cut]), (middle, last, rows[cut - 24 :]))
        for start, end, part in parts:
            path, sent, _, _ = office.break_some(
                feed, f"PRSA_Data_{name}_{start:%Y%m%d}-{end:%Y%m%d}.csv", HEADER, part, FAULTS, key=key, append=True
            )
            csv_file(office.drop, path, QUOTED_HEADER, sent)

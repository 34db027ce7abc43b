"""Sensor marts on readings made by hand: hysteresis, storms, ponding, presence, noise; the hourly index."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.dbt_project.conftest import Models

T0 = datetime(2026, 6, 22, 16, 0, tzinfo=UTC)  # midnight in Beijing
pytestmark = pytest.mark.slow

READINGS = {
    "sensor_id": "varchar", "observed_at": "timestamptz", "sequence_number": "bigint", "sensor_kind_code": "varchar",
    "measured_value": "double", "measured_unit": "varchar", "date": "date", "hour": "integer",
    "is_registered": "boolean", "is_valid": "boolean", "battery_pct": "double", "source_feed": "varchar",
}  # fmt: skip
SENSORS = {
    "sensor_id": "varchar", "sensor_name": "varchar", "sensor_kind_code": "varchar", "sampling_seconds": "bigint",
    "installed_date": "date", "removed_date": "date", "street_code": "varchar", "longitude": "double",
    "latitude": "double",
}  # fmt: skip


def _readings(models: Models, *series: tuple[str, str, int, list[float | None]]) -> None:
    """Series (sensor, kind, minutes apart, values); None is a reading that never came, a negative one is invalid."""
    rows = []
    for sensor, kind, minutes, values in series:
        for i, value in enumerate(values):
            if value is None:
                continue
            at = T0 + timedelta(minutes=minutes * i)
            local = at + timedelta(hours=8)
            row = (sensor, at, i, kind, value, "", local.date(), local.hour, True, value >= 0, 90.0, "f")
            rows.append(row)
    models.table("city_sensing__readings", READINGS, rows)


def _sensors(models: Models, *rows: tuple[str, str, int, float, float]) -> None:
    made = [(s, s, kind, seconds, date(2020, 1, 1), None, "110102001", x, y) for s, kind, seconds, x, y in rows]
    models.table("city_sensing__sensors", SENSORS, made)


def _minutes(at: Any) -> float | None:
    return None if at is None else (at - T0).total_seconds() / 60


def test_live_readings_count_once_and_only_where_no_file_has_them(models: Models) -> None:
    """W at 0 comes by file and live (30), at 5 live twice: one each; a spike, a flat line, no register: not valid."""
    file = {"sensor_id": "varchar", "observed_at": "timestamptz", "sequence_number": "bigint",
            "measured_value": "double", "battery_pct": "double"}  # fmt: skip
    register = {"sensor_id": "varchar", "sensor_kind_code": "varchar", "measured_unit": "varchar", "range_min": "double",
                "range_max": "double"}  # fmt: skip
    at = [T0 + timedelta(minutes=5 * i) for i in range(4)]
    models.table("staging__water__rain_gauges", {("rain_mm" if k == "measured_value" else k): v for k, v in file.items()},
                 [("R", at[0], 7, 0.4, 90.0)])  # fmt: skip
    models.table("staging__city_sensing__gateway", file, [("W", at[0], 1, 20.0, 90.0)])
    models.table("staging__city_sensing__sensors", register,
                 [("W", "water_level", "mm", 0, 2000), ("R", "rain_gauge", "mm", 0, 50)])  # fmt: skip
    models.table(
        "spatiotemporal__sensor_readings", {**file, "is_flat_line": "boolean", "is_spike": "boolean"},
        [("W", at[0], 1, 30.0, 80.0, False, False), ("W", at[1], 2, 40.0, 80.0, False, False),
         ("W", at[1], 3, 41.0, 80.0, False, False), ("W", at[2], 4, 1900.0, 80.0, False, True),
         ("W", at[3], 5, 41.0, 80.0, True, False), ("R", at[1], 8, 99.0, 80.0, False, False),
         ("X", at[0], 9, 1.0, 80.0, False, False)],
    )  # fmt: skip
    models.build("city_sensing__readings")
    rows = models.rows(
        "select sensor_id, observed_at, sequence_number, measured_value, measured_unit, is_registered, is_valid, source_feed "
        "from city_sensing__readings order by 1, 2"
    )
    live, gateway, gauges = "city_sensing__readings", "city_sensing__gateway", "water__rain_gauges"
    assert [(s, _minutes(t), *rest) for s, t, *rest in rows] == [
        ("R", 0, 7, 0.4, "mm", True, True, gauges), ("R", 5, 8, 99.0, "mm", True, False, live),
        ("W", 0, 1, 20.0, "mm", True, True, gateway), ("W", 5, 3, 41.0, "mm", True, True, live),
        ("W", 10, 4, 1900.0, "mm", True, False, live), ("W", 15, 5, 41.0, "mm", True, False, live),
        ("X", 0, 9, 1.0, None, False, False, live),
    ]  # fmt: skip


def test_flags_of_live_readings(models: Models) -> None:
    """Twelve equal readings make a flat line, at the bottom of the range none; a jump and back is a spike, a step none."""
    read = {"sensor_id": "varchar", "observed_at": "timestamptz", "sequence_number": "bigint", "measured_value": "double",
            "battery_pct": "double", "received_at": "timestamptz", "_loaded_at": "timestamptz"}  # fmt: skip
    register = {"sensor_id": "varchar", "sensor_kind_code": "varchar", "measured_unit": "varchar", "range_min": "double",
                "range_max": "double", "calibrated_date": "date"}  # fmt: skip
    series = {"flat": [7.0] * 13, "dry": [0.0] * 13, "spike": [5, 5.1, 80, 5.2, 5], "step": [5, 5.1, 80, 80.1, 80]}
    series["beyond"] = [101, 102, 101]
    rows: list[tuple[Any, ...]] = []
    for sensor, values in series.items():
        for i, value in enumerate(values):
            at = T0 + timedelta(minutes=i)
            rows.append((sensor, at, i, value, 90.0, at, T0 + timedelta(days=1)))
    models.table("staging__city_sensing__readings", read, rows)
    models.table("staging__city_sensing__sensors", register,
                 [(s, "water_level", "mm", 0, 100, date(2026, 1, 1)) for s in series])  # fmt: skip
    made = dict.fromkeys(("sensor_id", "sensor_kind_code", "measured_unit"), "varchar")
    made |= {"observed_at": "timestamptz", "sequence_number": "bigint", "measured_value": "double", "battery_pct": "double",
             "calibrated_date": "date", "is_registered": "boolean", "is_out_of_range": "boolean", "is_flat_line": "boolean",
             "is_spike": "boolean", "is_usable": "boolean", "received_at": "timestamptz", "_loaded_at": "timestamptz"}  # fmt: skip
    models.table("spatiotemporal__sensor_readings", made, [("before", *[None] * 13, T0)])
    models.build("spatiotemporal__sensor_readings")
    flagged = models.rows(
        "select sensor_id, sequence_number, is_out_of_range, is_flat_line, is_spike from spatiotemporal__sensor_readings "
        "where not is_usable order by 1, 2"
    )
    assert flagged == [
        *(("beyond", i, True, False, False) for i in range(3)),
        *(("flat", i, False, True, False) for i in (11, 12)), ("spike", 2, False, False, True),
    ]  # fmt: skip


def test_an_alarm_stays_until_the_value_is_below_the_lower_limit(models: Models) -> None:
    """On at 50, off below 30: 45 and 30 neither raise nor clear; an invalid reading does neither; the last one lasts."""
    levels: list[float | None] = [0, 45, 50, 35, 80, 30, -1, 29, 49, 10, 60, 31]
    _readings(models, ("W", "water_level", 5, levels))
    _sensors(models, ("W", "water_level", 300, 116.36, 39.9))
    models.build("city_sensing__alarms")
    rows = models.rows(
        "select raised_at, cleared_at, peak_value, peak_at, is_open, duration_minutes from city_sensing__alarms "
        "where alarm_code = 'ponding' order by raised_at"
    )
    got = [(_minutes(a), _minutes(b), peak, _minutes(p), is_open, m) for a, b, peak, p, is_open, m in rows]
    assert got == [(10, 35, 80, 20, False, 25.0), (50, None, 60, 50, True, None)]


def test_storms_end_after_six_dry_hours_and_ponding_is_led_back_to_its_storm(models: Models) -> None:
    """Half an hour of 10 mm each five minutes, 7 hours dry, 2 mm: two events; the water comes 20 minutes after the peak."""
    rain: list[float | None] = [0.0, 10, 10, 12, 10, 10, 8, *[0.0] * 84, 2.0]
    level: list[float | None] = [0, 0, 0, 10, 60, 120, 160, 200, 120, 60, 20, *[0.0] * 80]
    _readings(models, ("R", "rain_gauge", 5, rain), ("W", "water_level", 5, level))
    _sensors(models, ("R", "rain_gauge", 300, 116.36, 39.9), ("W", "water_level", 300, 116.361, 39.9),
             ("R2", "rain_gauge", 300, 116.40, 39.9))  # fmt: skip
    models.build("city_sensing__storm_events", "city_sensing__alarms", "city_sensing__ponding")
    storms = models.rows(
        "select total_mm, max_reading_mm, max_hour_mm, duration_hours, rain_grade, return_period_years "
        "from city_sensing__storm_events order by started_at"
    )
    # q = 60 / 0.36 = 166.67; (166.67 * 71.593^0.681 / 1602 - 1) / 1.037 = 0.8755: 7.5 years
    assert storms == [(60.0, 12.0, 60.0, 0.42, "暴雨", 7.5), (2.0, 2.0, 2.0, 0.0, "小雨", 0.1)]
    (pond,) = models.rows(
        "select peak_mm, raised_at, drained_at, duration_minutes, gauge_id, gauge_distance_m, storm_total_mm, lag_minutes "
        "from city_sensing__ponding"
    )
    assert (pond[0], _minutes(pond[1]), _minutes(pond[2]), *pond[3:]) == (200, 20, 50, 30.0, "R", 85.0, 60.0, 20.0)


def test_presence_counts_what_never_came(models: Models) -> None:
    """Every hour due; N1 sends 23 of 24 with one hole of two hours, N2 nothing at all."""
    _readings(models, ("N1", "noise", 60, [50.0 if h != 9 else None for h in range(24)]))
    _sensors(models, ("N1", "noise", 3600, 116.3, 39.9), ("N2", "noise", 3600, 116.3, 39.9))
    models.build("city_sensing__availability")
    rows = models.rows(
        "select sensor_id, expected_count, received_count, availability_pct, longest_gap_minutes "
        "from city_sensing__availability order by 1"
    )
    assert rows == [("N1", 24, 23, 95.83, 120.0), ("N2", 24, 0, 0.0, 1440.0)]


def test_noise_is_the_mean_of_energies(models: Models) -> None:
    """Half the day hours 50, half 60 dB: 57.4, not 55; five night hours are too few."""
    _readings(models, ("N", "noise", 60, [None] * 3 + [45.0] * 3 + [50.0] * 8 + [60.0] * 8 + [45.0] * 2))
    _sensors(models, ("N", "noise", 3600, 116.3, 39.9))
    models.build("city_sensing__noise_daily", "city_sensing__hourly", "city_sensing__daily")
    (row,) = models.rows(
        "select day_dba, night_dba, max_hour_dba, exceeds_day, exceeds_night from city_sensing__noise_daily"
    )
    assert row == (57.4, None, 60.0, False, None)
    (daily,) = models.rows("select hours_count, valid_count, round(mean_value, 3), max_value from city_sensing__daily")
    assert daily == (21, 21, round((45 * 5 + 50 * 8 + 60 * 8) / 21, 3), 60.0)


@pytest.mark.parametrize(
    ("day", "values", "expected"),
    [
        # 2026: PM2.5 75 for one hour counts at once: 100 + 15/55*50 = 113.6, up to 114
        (date(2026, 3, 2), {"pm25_ugm3": 75.0}, (114, "PM2.5", True)),
        # half to even: 60.5 is 60, which is 100
        (date(2026, 3, 2), {"pm25_ugm3": 60.5}, (100, "PM2.5", True)),
        # without O3 and not above 100 there is no index in 2026; above 100 there is
        (date(2026, 3, 2), {"pm25_ugm3": 50.0, "o3_ugm3": None}, (None, None, False)),
        (date(2026, 3, 2), {"pm25_ugm3": 75.0, "o3_ugm3": None}, (114, "PM2.5", False)),
        # NO2 1 h 150: 50 + 50/100*50 = 75; CO 1 h 7.55 rounds to 7.6 (odd 5 up): 50 + 2.6/5*50 = 76
        (date(2026, 3, 2), {"no2_ugm3": 150.0, "co_mgm3": 7.55}, (76, "CO", True)),
    ],
)
def test_hourly_index(models: Models, day: date, values: dict[str, Any], expected: tuple[Any, ...]) -> None:
    low = {"pm25_ugm3": 10.0, "pm10_ugm3": 20.0, "so2_ugm3": 5.0, "no2_ugm3": 20.0, "co_mgm3": 0.5, "o3_ugm3": 50.0}
    columns = {"station_name": "varchar", "observed_at": "timestamptz", **dict.fromkeys(low, "double")}
    at = datetime(day.year, day.month, day.day, 4, tzinfo=UTC)
    models.table("staging__ecology__air_hourly", columns, [("A", at, *{**low, **values}.values())])
    models.build("environment__hourly_aqi")
    assert models.rows("select aqi, primary_pollutant, is_complete from environment__hourly_aqi") == [expected]


def test_particles_of_2012_need_20_of_24_hours(models: Models) -> None:
    """75 for 24 hours is 100 from the 20th hour on; before it there is no particle index, and 2012 publishes the rest."""
    columns = {"station_name": "varchar", "observed_at": "timestamptz", "pm25_ugm3": "double", "pm10_ugm3": "double"}
    columns |= dict.fromkeys(("so2_ugm3", "no2_ugm3", "co_mgm3", "o3_ugm3"), "double")
    start = datetime(2016, 1, 1, 16, tzinfo=UTC)
    rows = [("A", start + timedelta(hours=h), 75.0, 40.0, 5.0, 40.0, 0.5, 30.0) for h in range(24)]
    models.table("staging__ecology__air_hourly", columns, rows)
    models.build("environment__hourly_aqi")
    got = [r[0] for r in models.rows("select aqi from environment__hourly_aqi order by observed_at")]
    assert got == [20] * 19 + [100] * 5

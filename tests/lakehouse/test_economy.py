"""Plots, the report and the maps over small tables: what they say, and what they say when there is nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from catalog.errors import InputError, UnknownName
from catalog.settings import Settings

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def _write(settings: Settings, layer: str, schema: str, table: str, rows: list[dict[str, Any]]) -> None:
    write_deltalake(settings.table_path(layer, schema, table), pa.Table.from_pylist(rows), mode="overwrite")


@pytest.fixture
def economy(settings: Settings) -> Settings:
    kinds = [("gdp", "地区生产总值"), ("gdp_per_head", "人均地区生产总值"), ("<b>x</b>", "<script>alert(1)</script>")]
    _write(settings, "library", "macro_economy", "indicators", [
        {"indicator_code": c, "indicator_name": n, "unit": "亿元", "observations_count": 4} for c, n in kinds
    ])  # fmt: skip
    _write(settings, "library", "macro_economy", "growth", [
        {"indicator_code": "gdp", "area_code": a, "period": str(y), "period_start": date(y, 1, 1), "value": v + y - 2020,
         "discrete_value": v, "discrete_periods": 1, "yoy_pct": None if y == 2020 else 2.5 - (y - 2020)}
        for a, v in (("110102", 5000.0), ("110101", 900.0)) for y in range(2020, 2026)
    ])  # fmt: skip
    _write(settings, "library", "macro_economy", "checks", [
        {"kind": "unit", "severity": "error", "period": "2025", "message": "<img src=x>不能换算"}
    ])  # fmt: skip
    return settings


def test_an_indicator_is_found_by_code_name_or_part(economy: Settings) -> None:
    from lakehouse.economy import find_indicator, read_series

    assert find_indicator(economy, "gdp")["indicator_code"] == "gdp"
    assert find_indicator(economy, "地区生产总值")["indicator_code"] == "gdp"
    assert find_indicator(economy, "人均")["indicator_code"] == "gdp_per_head"
    for text in ("生产", "无此指标"):
        with pytest.raises(UnknownName):
            find_indicator(economy, text)
    assert read_series(economy, "gdp").values[0] == 5000
    assert read_series(economy, "gdp", area="110101").values == (900, 901, 902, 903, 904, 905)
    with pytest.raises(UnknownName):
        read_series(economy, "gdp", area="310000")
    with pytest.raises(InputError):
        read_series(economy, "gdp", shown="adjusted")


def test_the_terminal_chart_shows_scale_and_ends(economy: Settings) -> None:
    from lakehouse.drawing.charts import terminal_chart
    from lakehouse.economy import read_series

    lines = terminal_chart(read_series(economy, "gdp")).splitlines()
    assert lines[0] == "地区生产总值 · 数值（亿元）"
    assert "5,005" in lines[1]
    assert lines[-1].split() == ["2020", "2025"]
    assert len(lines) == 13
    assert all(len(line) < 100 for line in lines)
    growth = terminal_chart(read_series(economy, "gdp", shown="yoy"))
    assert "%" in growth.splitlines()[0]


def test_the_report_escapes_what_it_shows_and_reaches_out_for_nothing(economy: Settings, tmp_path: Path) -> None:
    from lakehouse.drawing.economy_page import write_page

    text = write_page(economy, tmp_path / "a" / "page.html", now=NOW).read_text(encoding="utf-8")
    assert "<svg role=" in text
    assert "&lt;img src=x&gt;不能换算" in text
    for foreign in ("<img", "<script", "<link", "@import", 'src="http'):
        assert foreign not in text


def test_an_empty_lake_says_so(settings: Settings, tmp_path: Path) -> None:
    from lakehouse.drawing.economy_page import write_page
    from lakehouse.drawing.sensing import draw_map

    with pytest.raises(InputError):
        write_page(settings, tmp_path / "page.html", now=NOW)
    with pytest.raises(InputError):
        draw_map(settings, "rain", tmp_path / "rain.png")
    with pytest.raises(UnknownName):
        draw_map(settings, "moon", tmp_path / "moon.png")
    assert not [p for p in tmp_path.iterdir() if p.suffix]


def test_a_map_shows_each_point_once(settings: Settings, tmp_path: Path) -> None:
    from shapely import box, to_wkb

    from lakehouse.drawing.sensing import draw_map

    _write(settings, "library", "spatiotemporal", "divisions", [
        {"division_code": "110102001", "division_name": "西长安街街道", "level": "street", "is_current": True,
         "geom_cgcs2000": to_wkb(box(116.35, 39.89, 116.39, 39.92))},
    ])  # fmt: skip
    storms = [("A", 12.0), ("A", 80.0), ("B", 3.0)]
    _write(settings, "mart", "city_sensing", "storm_events", [
        {"sensor_id": s, "total_mm": mm, "date": date(2026, 6, 23), "return_period_years": 2.0, "longitude": 116.36,
         "latitude": 39.9} for s, mm in storms
    ])  # fmt: skip
    for name in ("rain.png", "rain.svg"):
        assert draw_map(settings, "rain", tmp_path / name) == 2
        assert (tmp_path / name).stat().st_size > 10_000

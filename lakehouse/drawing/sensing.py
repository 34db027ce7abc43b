"""Maps of the sensor marts: air, rain, ponding, manholes, noise, and how present the sensors are."""

# ruff: noqa: S608 - columns stand here, nothing comes from outside

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import InputError, UnknownName
from lakehouse.drawing.labels import Labels
from lakehouse.drawing.maps import base_map, furniture, legend, points, streets
from lakehouse.drawing.style import picture, save

if TYPE_CHECKING:
    from catalog.settings import Settings

Rows = list[dict[str, Any]]
Told = tuple[str, str]
"""Title and note of a map."""
BLUES = ((0, "#c6dbe9"), (50, "#7fb0d1"), (100, "#3f86b8"), (250, "#1f4e79"))
DEPTHS = ((0, "#c6dbe9"), (50, "#e0b04a"), (150, "#d9772b"), (270, "#b3402e"))
GOOD, FAIR, POOR = "#4f8f6b", "#d9a521", "#b3402e"


def draw_map(settings: Settings, layer: str, path: Path) -> int:
    """Draw a layer of ``LAYERS`` into ``path`` (PNG or SVG); how many points it shows.

    Raises:
        UnknownName: no such layer. InputError: its mart holds nothing yet.
    """
    if layer not in LAYERS:
        raise UnknownName(f"there is no map {layer!r}", hint=f"there are {', '.join(LAYERS)}")
    schema, table, sql, draw = LAYERS[layer]
    from warehouse.delta import rows_of

    rows = rows_of(settings.table_path("mart", schema, table), sql)
    placed = [r for r in rows if r["longitude"] is not None]
    if not placed:
        raise InputError(f"{schema}.{table} has nothing to show yet", hint="lakehouse run, or ingest and build")
    with picture(8.6, 7.2) as (figure, axes):
        areas = streets(settings)
        labels = base_map(axes, areas)
        title, note = draw(labels, placed)
        furniture(labels, areas, title, note)
        save(figure, path)
    return len(placed)


def _step(steps: Sequence[tuple[float, str]], value: float) -> str:
    return next(colour for least, colour in reversed(steps) if value >= least)


def _air(labels: Labels, rows: Rows) -> Told:
    said = [{**r, "text": f"{r['station_label']}  AQI {'—' if r['last_aqi'] is None else r['last_aqi']}"} for r in rows]
    points(labels, said, size=260, colour=[r["last_colour_hex"] or "#bbbbbb" for r in rows], key="text")
    scale = (("#00E400", "优 ≤50"), ("#FFFF00", "良 ≤100"), ("#FF7E00", "轻度 ≤150"), ("#FF0000", "中度 ≤200"))
    legend(labels.axes, (*scale, ("#99004C", "重度 ≤300"), ("#7E0023", "严重 >300")), "日 AQI")
    return f"空气质量 · {max(r['last_date'] for r in rows)}", "站点位置为约略位置"


def _rain(labels: Labels, rows: Rows) -> Told:
    said = [{**r, "text": f"{r['total_mm']:.0f}"} for r in rows]
    sizes, colours = [40 + 3 * r["total_mm"] for r in rows], [_step(BLUES, r["total_mm"]) for r in rows]
    points(labels, said, size=sizes, colour=colours, key="text")
    legend(labels.axes, [(c, f"≥ {m:.0f} mm") for m, c in BLUES], "场次雨量")
    day, years = max(r["date"] for r in rows), max(r["return_period_years"] for r in rows)
    return f"最强一场雨 · {day}", f"各站雨量（毫米）；最大一小时雨强重现期约 {years:.0f} 年"


def _ponding(labels: Labels, rows: Rows) -> Told:
    said = [{**r, "text": f"{r['peak_mm']:.0f}"} for r in rows]
    sizes, colours = [50 + r["peak_mm"] / 2 for r in rows], [_step(DEPTHS, r["peak_mm"]) for r in rows]
    points(labels, said, size=sizes, colour=colours, key="text")
    legend(labels.axes, [(c, f"≥ {m} mm") for m, c in DEPTHS], "最大水深")
    return f"低洼点积水 · {max(r['date'] for r in rows)}", "每点最深的一次（毫米）"


def _manholes(labels: Labels, rows: Rows) -> Told:
    def state(r: dict[str, Any]) -> str:
        return POOR if r["is_alarmed"] else FAIR if r["alarms_count"] else GOOD

    rows = sorted(rows, key=lambda r: r["alarms_count"])
    said = [{**r, "text": r["sensor_name"] if r["alarms_count"] else ""} for r in rows]
    sizes = [130 if r["alarms_count"] else 45 for r in rows]
    points(labels, said, size=sizes, colour=[state(r) for r in rows], key="text")
    legend(labels.axes, [(GOOD, "正常"), (FAIR, "曾报警"), (POOR, "正在报警")], "井盖与燃气阀井")
    return "井盖与燃气阀井", f"{sum(bool(r['alarms_count']) for r in rows)} 处曾报警，共 {len(rows)} 处"


def _noise(labels: Labels, rows: Rows) -> Told:
    over = [POOR if r["exceeds_night"] else FAIR if r["exceeds_day"] else GOOD for r in rows]
    said = [{**r, "text": f"{r['day_dba']:.0f} / {r['night_dba']:.0f}"} for r in rows]
    points(labels, said, size=160, colour=over, key="text")
    legend(labels.axes, [(GOOD, "达标"), (FAIR, "昼间超标"), (POOR, "夜间超标")], "昼 / 夜 dB(A)")
    return f"声环境 · {max(r['date'] for r in rows)}", f"按 {rows[0]['zone_class']} 类区限值"


def _present(labels: Labels, rows: Rows) -> Told:
    share = [GOOD if r["availability_pct"] >= 95 else FAIR if r["availability_pct"] >= 80 else POOR for r in rows]
    points(labels, rows, size=60, colour=share)
    legend(labels.axes, [(GOOD, "≥ 95 %"), (FAIR, "80—95 %"), (POOR, "< 80 %")], "井类设备在线率")
    return "设备在线", f"{len(rows)} 台井类设备"


_LATEST = "QUALIFY row_number() OVER (PARTITION BY {} ORDER BY {}) = 1"
LAYERS: dict[str, tuple[str, str, str, Callable[[Labels, Rows], Told]]] = {
    "air": ("environment", "station_ranking", f"SELECT * FROM t {_LATEST.format('station_name', 'year DESC')}", _air),
    "rain": (
        "city_sensing", "storm_events", f"SELECT * FROM t {_LATEST.format('sensor_id', 'total_mm DESC')}", _rain,
    ),
    "ponding": ("city_sensing", "ponding", f"SELECT * FROM t {_LATEST.format('sensor_id', 'peak_mm DESC')}", _ponding),
    "manholes": ("city_sensing", "manholes", "SELECT * FROM t ORDER BY sensor_id", _manholes),
    "noise": (
        "city_sensing",
        "noise_daily",
        "SELECT * FROM t WHERE day_dba IS NOT NULL AND night_dba IS NOT NULL "
        + _LATEST.format("sensor_id", "date DESC"),
        _noise,
    ),
    "presence": (
        "city_sensing", "manholes", "SELECT * FROM t WHERE availability_pct IS NOT NULL ORDER BY sensor_id", _present,
    ),
}  # fmt: skip
"""Layer to schema, table, the rows wanted of it, and how they are drawn."""

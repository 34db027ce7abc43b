"""A calm map of one layer: its shapes over the streets, coloured by class, with a scale and its origin."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import InputError
from catalog.settings import Settings
from lakehouse.drawing.labels import Labels
from lakehouse.drawing.style import GREENS, INK, PALETTE, QUIET, picture, save

if TYPE_CHECKING:
    import geopandas
    from matplotlib.axes import Axes

PLANE = "EPSG:4548"
"""Gauss-Krüger metres of Beijing's zone: shapes are drawn as they are, and a scale bar is true."""
MAX_CLASSES = 8
MANY = ("communities", "community_middles", "enrolment_areas")
"""Layers of too many classes for a legend."""
WATER = "#3f86b8"
BARS_KM = (1, 2, 5, 10, 20, 50)
AREAS = ("Polygon", "MultiPolygon")
POINTS = ("Point", "MultiPoint")


def draw_layer(settings: Settings, name: str, out: Path, *, on: date | None = None, colour: str = "") -> int:
    """Draw a layer as PNG or SVG; gives the number of shapes drawn: those that reach into the picture's frame.

    Args:
        name: a layer of ``warehouse.map_layers``.
        on: the day its shapes are in force; None: now.
        colour: column that colours; empty: the layer's own.

    Raises:
        InputError: no shapes, no such column, or another suffix.
        UnknownName: no such layer, or its table is not built.
    """
    from shapely import box

    from warehouse.map_layers import layer, read_layer

    it = layer(name)
    frame = read_layer(settings, name, on=on)
    if frame.empty:
        raise InputError(
            f"layer {name} has no shapes on that day", hint="ingest its feeds and build, or ask another day"
        )
    by = colour or it.colour_by
    if by and by not in frame.columns:
        raise InputError(f"layer {name} has no column {by!r}", hint=f"one of: {', '.join(it.columns)}")
    base = read_layer(settings, "streets", on=None) if name not in ("streets", "districts") else None
    within = base if base is not None and len(base) else frame
    west, south, east, north = _bounds(within)
    # a feed may hold the whole city: what lies beyond the frame is neither drawn nor counted
    frame = frame[frame.to_crs(PLANE).intersects(box(west, south, east, north))]
    if frame.empty:
        raise InputError(f"layer {name} has no shapes in the district", hint="see its table for where they lie")
    with picture(8.2, 9.2) as (figure, axes):
        _base(axes, base)
        _shapes(axes, frame.to_crs(PLANE), by, name, _class_names(settings))
        labels = _labels(axes, frame, base if base is not None else frame)
        _finish(axes, within, _origin(frame))
        labels.draw()
        when = f"{on:%Y-%m-%d}" if on else "现行"
        axes.set_title(f"西城区 · {it.title}（{when}，{len(frame):,} 个）", fontsize=13)
        save(figure, out)
    return len(frame)


def _base(axes: Axes, streets: geopandas.GeoDataFrame | None) -> None:
    if streets is not None and len(streets):
        streets.to_crs(PLANE).plot(ax=axes, facecolor="#f7f6f2", edgecolor="#bdbdbd", linewidth=0.8)


def _shapes(axes: Axes, frame: Any, by: str, name: str, names: dict[str, str]) -> None:
    """The layer itself; classes beyond the eighth, and none, are grey."""
    if name in MANY:  # neighbours in eight quiet colours; a legend of 263 would say nothing
        order = frame[by].rank(method="dense").astype(int)
        if name == "communities":
            order += frame.groupby(by).cumcount() * 3
        colours = [PALETTE[i % len(PALETTE)] for i in order]
        if set(frame.geometry.geom_type) <= set(POINTS):
            axes.scatter(frame.geometry.x, frame.geometry.y, s=9, color=colours, linewidths=0, zorder=3)
        else:
            frame.plot(ax=axes, color=colours, alpha=0.35, edgecolor="white", linewidth=0.5)
        return
    if name == "grid_cells":  # outlines over the streets' own, or nothing else would be seen
        frame.plot(ax=axes, facecolor=PALETTE[5], alpha=0.12)
        frame.boundary.plot(ax=axes, color=PALETTE[5], linewidth=0.4)
        return
    if not by or name in ("streets", "districts"):
        _plot(axes, frame, WATER if name == "water" else PALETTE[0], "")
        return
    counts, scale = frame[by].value_counts(), GREENS if name == "green" else PALETTE
    for i, value in enumerate(counts.index[:MAX_CLASSES]):
        part = frame[frame[by] == value]
        _plot(axes, part, scale[i % len(scale)], f"{names.get(str(value), value)}  {len(part):,}")
    rest = frame[~frame[by].isin(counts.index[:MAX_CLASSES])]
    if len(rest):
        _plot(axes, rest, "#9a9a9a", f"其他  {len(rest):,}")
    axes.legend(loc="upper left", fontsize=8, frameon=True, framealpha=0.9, edgecolor="none", markerscale=1.6)


def _plot(axes: Axes, frame: Any, colour: str, label: str) -> None:
    kinds = set(frame.geometry.geom_type)
    if kinds <= set(POINTS):
        size = 9 if len(frame) < 500 else 4
        axes.scatter(
            frame.geometry.x, frame.geometry.y, s=size, color=colour, label=label or None, linewidths=0, zorder=3
        )
    elif kinds <= set(AREAS):
        frame.plot(ax=axes, facecolor=colour, alpha=0.45, edgecolor=colour, linewidth=0.4)
        if label:
            axes.scatter([], [], s=30, marker="s", color=colour, alpha=0.6, label=label)
    else:
        frame.plot(ax=axes, color=colour, linewidth=1.0, label=label or None)


def _labels(axes: Axes, frame: Any, streets: Any) -> Labels:
    """Names of the streets, off the points of ``frame`` where there is room."""
    labels = Labels(axes)
    if "division_name" not in streets.columns or len(streets) > 60:
        return labels
    if set(frame.geometry.geom_type) <= set(POINTS):
        plane = frame.to_crs(PLANE).geometry
        labels.add_dots(plane.x.tolist(), plane.y.tolist(), [1.5] * len(frame))
    for name, shape in zip(streets["division_name"], streets.to_crs(PLANE).geometry, strict=True):
        at = shape.representative_point()
        labels.name(str(name).removesuffix("街道"), at.x, at.y, fontsize=7.5, color=INK, alpha=0.75, zorder=4)
    return labels


def _bounds(within: Any) -> tuple[float, float, float, float]:
    """West, south, east and north of the picture in metres: the shapes' with a margin of 3 %."""
    west, south, east, north = within.to_crs(PLANE).total_bounds
    margin = 0.03 * max(east - west, north - south)
    return west - margin, south - margin, east + margin, north + margin


def _finish(axes: Axes, within: Any, note: str) -> None:
    """No axes, equal metres both ways, the frame of the district, below it a scale and a note."""
    west, south, east, north = _bounds(within)
    low = south - 0.02 * (north - south)  # below every shape
    axes.set_xlim(west, east)
    axes.set_ylim(low - 0.03 * (north - south), north)
    axes.set_aspect("equal")
    axes.grid(visible=False)
    axes.set_axis_off()
    left = west + 0.03 / 1.06 * max(east - west, north - south)
    bar_km = max(km for km in BARS_KM if km == BARS_KM[0] or km * 1000 <= 0.35 * (east - west))
    axes.plot([left, left + bar_km * 1000], [low, low], color=QUIET, linewidth=2, solid_capstyle="butt")
    at = (left + bar_km * 1000, low)
    axes.annotate(
        f"{bar_km} km   北 ↑", at, xytext=(5, 0), textcoords="offset points", va="center", fontsize=7.5, color=QUIET
    )
    axes.text(1.0, low - 0.02 * (north - south), note, transform=axes.get_yaxis_transform(), ha="right", va="center",
              fontsize=7, color=QUIET)  # fmt: skip


def _origin(frame: Any) -> str:
    """Where shapes outside the district are, and the systems they came in."""
    systems = sorted(set(frame["origin_crs"].dropna())) if "origin_crs" in frame.columns else []
    return "CGCS2000，高斯-克吕格投影（中央经线 117°）" + (f"；来源坐标系 {'、'.join(systems)}" if systems else "")


def _class_names(settings: Settings) -> dict[str, str]:
    """Codes of the layers' classes to their Chinese names."""
    from catalog.registry import load_catalog

    lists = load_catalog(settings.catalog_dir).code_lists
    found: dict[str, str] = {}
    for name in ("poi_class", "component_kind", "sensor_kind"):
        if name in lists:
            found |= {v.code: v.name for v in lists[name].values}
    return found

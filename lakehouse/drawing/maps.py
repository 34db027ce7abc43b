"""A quiet map of the district to draw on: streets as outlines with their names, true to scale at 40° N."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lakehouse.drawing.style import INK, QUIET, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from catalog.settings import Settings

LAND = "#f7f5f0"


@dataclass(frozen=True)
class Area:
    """A polygon of the base map; ``wkb`` in CGCS2000 degrees."""

    code: str
    name: str
    wkb: bytes


def streets(settings: Settings) -> list[Area]:
    """The current streets that have an outline."""
    from warehouse.scorecard import rows_of

    rows = rows_of(
        settings.table_path("library", "spatiotemporal", "divisions"),
        "SELECT division_code, division_name, geom_cgcs2000 FROM t "
        "WHERE level = 'street' AND is_current AND geom_cgcs2000 IS NOT NULL ORDER BY division_code",
    )
    return [Area(r["division_code"], r["division_name"], r["geom_cgcs2000"]) for r in rows]


def base_map(axes: Axes, areas: Sequence[Area], *, fill: dict[str, str] | None = None, names: bool = True) -> None:
    """Outlines and names of ``areas``; ``fill``: code to colour."""
    import shapely
    from matplotlib.patches import Polygon

    axes.set_axis_off()
    axes.set_aspect(1 / math.cos(math.radians(39.91)))
    for area in areas:
        shape = shapely.from_wkb(area.wkb)
        for part in getattr(shape, "geoms", [shape]):
            colour = (fill or {}).get(area.code, LAND)
            outline = shapely.get_coordinates(part.exterior)
            axes.add_patch(
                Polygon(outline, closed=True, facecolor=colour, edgecolor="#c9c4b8", linewidth=0.8, zorder=1)
            )
        if names:
            at = shape.representative_point()
            text = area.name.removesuffix("街道")
            axes.text(at.x, at.y, text, ha="center", va="center", fontsize=7.5, color="#8a867c", zorder=2)
    axes.autoscale_view()


def points(axes: Axes, rows: Sequence[dict[str, Any]], *, size: Any, colour: Any, label: str = "") -> None:
    """Rows with ``longitude`` and ``latitude`` as dots; ``size`` (points squared), ``colour``: of each or of all."""
    axes.scatter(
        [r["longitude"] for r in rows], [r["latitude"] for r in rows], s=size, c=colour, label=label or None,
        edgecolors="white", linewidths=0.7, alpha=0.92, zorder=4,
    )  # fmt: skip


def notes(axes: Axes, rows: Sequence[dict[str, Any]], key: str) -> None:
    """The text ``key`` of each row beside its dot."""
    for r in rows:
        axes.annotate(
            str(r[key]), (r["longitude"], r["latitude"]), xytext=(6, 5), textcoords="offset points", fontsize=7.5,
            color=INK, zorder=5,
        )  # fmt: skip


def furniture(axes: Axes, title: str, note: str = "") -> None:
    """Title above, note and a scale of one kilometre below."""
    axes.set_title(title, fontsize=13, pad=10)
    west, _ = axes.get_xlim()
    south, north = axes.get_ylim()
    width = 1000 / 85_390  # a kilometre in degrees of longitude at 39.9° N
    y = south + (north - south) * 0.01
    axes.plot([west, west + width], [y, y], color=QUIET, linewidth=2, solid_capstyle="butt", zorder=5)
    axes.text(west, y + (north - south) * 0.012, "1 km", fontsize=8, color=QUIET)
    if note:
        axes.text(1.0, -0.01, note, transform=axes.transAxes, ha="right", va="top", fontsize=8, color=QUIET)


def legend(axes: Axes, entries: Sequence[tuple[str, str]], title: str = "") -> None:
    """Colours and what they say, beside the map."""
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], marker="o", linestyle="", markersize=7, color=colour, markeredgecolor=RULE, label=text)
        for colour, text in entries
    ]
    axes.legend(handles=marks, title=title or None, loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9)

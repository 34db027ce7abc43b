"""A quiet map of the district to draw on: streets as outlines with their names, true to scale at 40° N."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lakehouse.drawing.labels import Labels
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
    from warehouse.delta import rows_of

    rows = rows_of(
        settings.table_path("library", "spatiotemporal", "divisions"),
        "SELECT division_code, division_name, geom_cgcs2000 FROM t "
        "WHERE level = 'street' AND is_current AND geom_cgcs2000 IS NOT NULL ORDER BY division_code",
    )
    return [Area(r["division_code"], r["division_name"], r["geom_cgcs2000"]) for r in rows]


def base_map(axes: Axes, areas: Sequence[Area], *, fill: dict[str, str] | None = None) -> Labels:
    """Outlines of ``areas``, ``fill``: code to colour; gives the labels of the map, which ``furniture`` draws last."""
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
    axes.autoscale_view()
    return Labels(axes)


def points(labels: Labels, rows: Sequence[dict[str, Any]], *, size: Any, colour: Any, key: str = "") -> None:
    """Rows with ``longitude`` and ``latitude`` as dots, with the text ``key`` of each beside it.

    Args:
        size: points squared; ``colour``: of each or of all.
    """
    x, y = [r["longitude"] for r in rows], [r["latitude"] for r in rows]
    labels.axes.scatter(x, y, s=size, c=colour, edgecolors="white", linewidths=0.7, alpha=0.92, zorder=4)
    sizes = [float(s) for s in size] if isinstance(size, list) else [float(size)] * len(rows)
    radii = [math.sqrt(s) / 2 for s in sizes]
    labels.add_dots(x, y, radii)
    for row, radius in zip(rows, radii, strict=True):
        if key and row.get(key):
            labels.note(str(row[key]), row["longitude"], row["latitude"], radius, fontsize=7.5, color=INK, zorder=6)


def furniture(labels: Labels, areas: Sequence[Area], title: str, note: str = "") -> None:
    """Title above; a scale of one kilometre and a note below; then all names, those of ``areas`` last."""
    import shapely

    axes = labels.axes
    axes.set_title(title, fontsize=13, pad=10)
    west, _ = axes.get_xlim()
    south, north = axes.get_ylim()
    width = 1000 / 85_390  # a kilometre in degrees of longitude at 39.9° N
    low = south - (north - south) * 0.03  # below every dot
    axes.set_ylim(low - (north - south) * 0.01, north)
    axes.plot([west, west + width], [low, low], color=QUIET, linewidth=2, solid_capstyle="butt", zorder=5)
    axes.text(west + width * 1.1, low, "1 km", fontsize=8, color=QUIET, va="center")
    if note:
        axes.text(
            1.0, low, note, transform=axes.get_yaxis_transform(), ha="right", va="center", fontsize=8, color=QUIET
        )
    for area in areas:
        at = shapely.from_wkb(area.wkb).representative_point()
        labels.name(area.name.removesuffix("街道"), at.x, at.y, fontsize=7.5, color="#8a867c", zorder=5)
    labels.draw()


def legend(axes: Axes, entries: Sequence[tuple[str, str]], title: str = "") -> None:
    """Colours and what they say, beside the map."""
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], marker="o", linestyle="", markersize=7, color=colour, markeredgecolor=RULE, label=text)
        for colour, text in entries
    ]
    axes.legend(handles=marks, title=title or None, loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9)

"""Puts names on a map where they can be read: beside their dot, off other names and, given room, off other dots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

_BESIDE = ((1, 0), (1, 1), (1, -1), (-1, 0), (-1, 1), (-1, -1), (0, 1), (0, -1))
"""Where a note may stand from its dot, the first free one: right, above right …"""
_AROUND = tuple((dx, dy) for dy in (0, 1, -1, 2, -2, 3, -3) for dx in (0, 1, -1))
"""Where a name of an area may stand from its middle, in lines and half widths."""
OVER_NAME, OVER_DOT = 100.0, 1.0

Box = tuple[float, float, float, float]


@dataclass
class Labels:
    """The names of one map. Dots are told first, then notes, then names of areas; ``draw`` is called last.

    Attributes:
        dots: x, y (data) and radius (points) of every mark that should stay visible.
    """

    axes: Axes
    dots: list[tuple[float, float, float]] = field(default_factory=list)
    _wanted: list[tuple[str, float, float, float, dict[str, Any]]] = field(default_factory=list)

    def add_dots(self, x: Sequence[float], y: Sequence[float], radius: Sequence[float]) -> None:
        """Marks on the map; ``radius`` in points."""
        self.dots += list(zip(x, y, radius, strict=True))

    def note(self, text: str, x: float, y: float, radius: float, **style: Any) -> None:
        """A text beside a dot of ``radius`` points."""
        self._wanted.append((text, x, y, radius, style))

    def name(self, text: str, x: float, y: float, **style: Any) -> None:
        """A text on an area, near the point given."""
        self._wanted.append((text, x, y, -1.0, style))

    def draw(self) -> None:
        """Place every text; the axes must have their limits."""
        figure: Any = self.axes.figure
        figure.draw_without_rendering()  # fixes the layout, on which the size of texts in data units depends
        scale = figure.dpi / 72
        places = self.axes.transData.transform(np.array([d[:2] for d in self.dots]).reshape(-1, 2))
        radii = np.array([d[2] for d in self.dots]) * scale
        taken: list[Box] = []
        for text, x, y, radius, style in self._wanted:
            made = self._text(text, style)
            size = made.get_window_extent()
            at = self.axes.transData.transform((x, y))
            boxes = _boxes(at, size.width, size.height, radius * scale if radius >= 0 else None, 2 * scale)
            others = np.hypot(*(places - at).T) > 0.5 if radius >= 0 else np.ones(len(places), dtype=bool)
            costs = [_cost(box, taken, places[others], radii[others]) for box in boxes]
            best = costs.index(min(costs))
            west, south, east, north = boxes[best]
            x, y = self.axes.transData.inverted().transform(((west + east) / 2, (south + north) / 2)).tolist()
            made.set_position((x, y))
            taken.append(boxes[best])

    def _text(self, text: str, style: dict[str, Any]) -> Text:
        from matplotlib.patheffects import withStroke

        halo = [withStroke(linewidth=2, foreground="white")]
        return self.axes.text(0, 0, text, ha="center", va="center", path_effects=halo, **style)


def _boxes(at: Any, width: float, height: float, radius: float | None, gap: float) -> list[Box]:
    """Boxes that a text could have, best first, in pixels; ``radius`` None: of an area's name."""
    out = []
    for dx, dy in _AROUND if radius is None else _BESIDE:
        if radius is None:
            x, y = at[0] + dx * width / 2, at[1] + dy * height
        else:
            reach = radius if not (dx and dy) else 0.7 * radius
            x, y = at[0] + dx * (reach + gap + width / 2), at[1] + dy * (reach + gap / 2 + height / 2)
        out.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
    return out


def _cost(box: Box, taken: list[Box], places: Any, radii: Any) -> float:
    """How much of other names and how many dots a box covers."""
    west, south, east, north = box
    over = sum(
        max(0.0, min(east, b[2]) - max(west, b[0])) * max(0.0, min(north, b[3]) - max(south, b[1])) > 0 for b in taken
    )
    if not len(places):
        return OVER_NAME * over
    nearest = np.clip(places, (west, south), (east, north))
    apart = np.hypot(*(places - nearest).T)
    return OVER_NAME * over + OVER_DOT * float((apart < radii).sum())

"""Which area each of millions of points lies in: exact, through a raster of the cells that no boundary touches.

A cell that no boundary touches has one answer for all its points, looked up in an array; only points in the thin
cells along boundaries are asked about geometrically. Areas may have holes and parts; where areas overlap, and on a
shared boundary, the area that comes first in the list has the point.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int32]
OUTSIDE, _ASK = -1, -2
_PIECE = 1 << 18


class AreaIndex:
    """An index of polygons for point questions; made once, asked often, by several threads if wanted.

    Args:
        polygons: valid shapely polygons or multipolygons, all in one system of degrees or metres.
        cells: columns and rows of the raster; more cells make fewer exact questions and a slower start.

    Raises:
        ValueError: no polygon, or an empty or invalid one (its place in the list is named).
    """

    def __init__(self, polygons: Sequence[Any], *, cells: int = 2048) -> None:
        import shapely

        shapes = np.asarray(polygons, dtype=object)
        bad = np.flatnonzero(shapely.is_empty(shapes) | ~shapely.is_valid(shapes)) if len(shapes) else np.array([0])
        if len(bad):
            raise ValueError(f"areas are valid polygons and at least one; the area at place {int(bad[0])} is not")
        self._tree = shapely.STRtree(shapes)
        west, south, east, north = shapely.total_bounds(shapes)
        self._west, self._south = float(west), float(south)
        self._cells = cells
        self._per_x, self._per_y = cells / max(east - west, 1e-12), cells / max(north - south, 1e-12)
        self._raster = self._labelled(self._touched(shapes))

    def locate(self, x: Any, y: Any) -> Labels:
        """For each point the place of its area in the list, -1 for none (and for NaN)."""
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        out = np.full(x.shape, OUTSIDE, dtype=np.int32)

        def piece(start: int) -> None:
            part = slice(start, start + _PIECE)
            out[part] = self._locate(x[part], y[part])

        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as workers:
            list(workers.map(piece, range(0, x.size, _PIECE)))
        return out

    def _locate(self, x: Array, y: Array) -> Labels:
        column, row = (x - self._west) * self._per_x, (y - self._south) * self._per_y
        inside = (column >= 0) & (column <= self._cells) & (row >= 0) & (row <= self._cells)
        last = self._cells - 1
        # what is not inside, NaN too, looks up a cell that exists and is thrown away below
        at_x = np.where(inside, column, 0).astype(np.int32).clip(0, last)
        at_y = np.where(inside, row, 0).astype(np.int32).clip(0, last)
        labels = np.where(inside, self._raster[at_y, at_x], np.int32(OUTSIDE))
        ask = np.flatnonzero(labels == _ASK)
        labels[ask] = self._ask(x[ask], y[ask])
        return labels

    def _ask(self, x: Array, y: Array) -> Labels:
        import shapely

        found = np.full(len(x), np.iinfo(np.int32).max, dtype=np.int32)
        point, area = self._tree.query(shapely.points(x, y), predicate="intersects")
        np.minimum.at(found, point, area.astype(np.int32))
        return np.where(found == np.iinfo(np.int32).max, np.int32(OUTSIDE), found)

    def _touched(self, shapes: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """The cells a boundary may touch.

        Boundaries are walked in steps of half a cell at most, so that between two steps they stay within the cells
        of both and their neighbours.
        """
        import shapely

        lines = shapely.transform(
            shapely.boundary(shapes), lambda c: (c - (self._west, self._south)) * (self._per_x, self._per_y)
        )
        steps = shapely.get_coordinates(shapely.segmentize(lines, 0.5))
        at = np.floor(steps).astype(np.int64).clip(0, self._cells - 1)
        touched = np.zeros((self._cells, self._cells), dtype=bool)
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                touched[(at[:, 1] + dy).clip(0, self._cells - 1), (at[:, 0] + dx).clip(0, self._cells - 1)] = True
        return touched

    def _labelled(self, touched: npt.NDArray[np.bool_]) -> Labels:
        """One exact question for each run of untouched cells in a row; the whole run has its answer."""
        flat = touched.ravel().copy()
        starts = np.zeros(flat.shape, dtype=bool)
        starts[1:] = ~flat[1:] & flat[:-1]
        starts[:: self._cells] = ~flat[:: self._cells]
        first = np.flatnonzero(starts)
        row, column = first // self._cells, first % self._cells
        answers = self._ask(self._west + (column + 0.5) / self._per_x, self._south + (row + 0.5) / self._per_y)
        run = np.cumsum(starts) - 1
        labels = np.full(flat.shape, _ASK, dtype=np.int32)
        labels[~flat] = answers[run[~flat]]
        return labels.reshape(touched.shape)

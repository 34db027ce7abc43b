"""The area index says what a plain question to every polygon says."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from quality.areas import AreaIndex


def plain(polygons: list[shapely.Polygon], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    found = np.full(len(x), -1)
    for i in reversed(range(len(polygons))):
        found[shapely.intersects_xy(polygons[i], x, y)] = i
    return found


@pytest.mark.parametrize("cells", [4, 64, 512])
def test_it_agrees_with_every_polygon_asked(cells: int) -> None:
    rng = np.random.default_rng(5)
    seeds = shapely.MultiPoint(rng.uniform(0, 1, (40, 2)))
    outline = shapely.Point(0.5, 0.5).buffer(0.45)
    polygons = [c.intersection(outline) for c in shapely.voronoi_polygons(seeds).geoms]
    polygons = [p for p in polygons if not p.is_empty]
    polygons[0] = polygons[0].difference(polygons[0].centroid.buffer(0.02))  # a hole
    polygons.append(shapely.box(0.4, 0.4, 0.6, 0.6))  # and an overlap
    x, y = rng.uniform(-0.1, 1.1, (2, 20_000))
    corners = shapely.get_coordinates(polygons)
    x, y = np.concatenate([x, corners[:, 0]]), np.concatenate([y, corners[:, 1]])
    assert (AreaIndex(polygons, cells=cells).locate(x, y) == plain(polygons, x, y)).all()


def test_points_that_are_nowhere() -> None:
    index = AreaIndex([shapely.box(0, 0, 1, 1)])
    assert index.locate([np.nan, np.inf, 2.0, -0.1, 1.0], [0.5, 0.5, 0.5, 0.5, 1.0]).tolist() == [-1, -1, -1, -1, 0]
    assert index.locate([], []).tolist() == []


@pytest.mark.parametrize(
    ("polygons", "reason"),
    [([], "none"), ([shapely.Polygon()], "empty"), ([shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])], "crosses itself")],
)  # fmt: skip
def test_areas_that_are_none_are_refused(polygons: list[shapely.Polygon], reason: str) -> None:
    with pytest.raises(ValueError, match="valid polygons"):
        AreaIndex(polygons)

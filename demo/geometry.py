"""Where the synthetic streets lie: a partition of the district around approximate centres.

Real boundaries carry a share-alike licence and are not committed; these polygons are invented
(property ``synthetic``), cover the district without gaps and keep each street where it is.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo.world import World, word_list

Ring = list[tuple[float, float]]

GCJ_A = 6378245.0
GCJ_EE = 0.00669342162296594323


@lru_cache(maxsize=1)
def street_polygons() -> dict[str, Any]:
    """Street code to its shapely polygon, WGS84 degrees."""
    from shapely import MultiPoint, Point, Polygon, voronoi_polygons

    data = word_list("streets.yaml")
    outline = Polygon(data["outline"])
    centres = {str(code): Point(s["centre"]) for code, s in data["streets"].items()}
    cells = voronoi_polygons(MultiPoint(list(centres.values())), extend_to=outline.buffer(0.05)).geoms
    out = {}
    for code, centre in centres.items():
        cell = next(c for c in cells if c.contains(centre)).intersection(outline)
        parts = getattr(cell, "geoms", [cell])
        out[code] = max(parts, key=lambda g: g.area)
    return out


def rings() -> dict[str, Ring]:
    """Street code to the outer ring, counter-clockwise, closed, seven decimals (about 1 cm)."""
    from shapely.geometry.polygon import orient

    return {
        code: [(round(x, 7), round(y, 7)) for x, y in orient(polygon).exterior.coords]
        for code, polygon in street_polygons().items()
    }


def community_polygons(world: World) -> dict[str, Any]:
    """Community code to its shapely polygon: each street shared among its centres.

    Of a cell in several pieces the largest counts: the few gaps that leaves are findings of the base map.
    """
    from shapely import MultiPoint, Point, set_precision, voronoi_polygons

    out = {}
    for street in world.streets:
        own = [c for c in world.communities if c.street == street]
        area = street_polygons()[street.code]
        points = [Point(p) for p in spread(street.code, len(own)).tolist()]
        cells = voronoi_polygons(MultiPoint(points), extend_to=area.buffer(0.01)).geoms if len(own) > 1 else [area]
        for community, point in zip(own, points, strict=True):
            cell = next(c for c in cells if c.contains(point)).intersection(area)
            largest = max(getattr(cell, "geoms", [cell]), key=lambda g: g.area)
            out[community.code] = set_precision(largest, 1e-7)
    return out


def area_ha(ring: Ring) -> float:
    """Area of a ring of degrees, in hectares, on a local plane (good to a tenth of a percent here)."""
    lat = math.radians(sum(y for _, y in ring) / len(ring))
    east, north = 111_412.84 * math.cos(lat) - 93.5 * math.cos(3 * lat), 111_132.95 - 559.85 * math.cos(2 * lat)
    pairs = pairwise(ring)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)) / 2 * east * north / 10_000


def spread(code: str, count: int) -> NDArray[Any]:
    """``count`` points of a street far from one another, the same in every run: community centres."""
    from shapely import contains_xy

    polygon = street_polygons()[code]
    rng = np.random.default_rng(int(code))
    west, south, east, north = polygon.buffer(-0.0005).bounds
    points: list[NDArray[Any]] = []
    for _ in range(count):
        xy = rng.uniform((west, south), (east, north), (48, 2))
        xy = xy[contains_xy(polygon, xy[:, 0], xy[:, 1])]
        if points:
            gap = np.min(np.linalg.norm(xy[:, None, :] - np.array(points)[None, :, :], axis=2), axis=1)
            points.append(xy[int(np.argmax(gap))])
        else:
            points.append(xy[0])
    return np.array(points)


def scatter(rng: np.random.Generator, code: str, centre: NDArray[Any], count: int) -> NDArray[Any]:
    """``count`` points around ``centre``, all inside the street."""
    from shapely import contains_xy

    polygon = street_polygons()[code]
    offset = rng.normal(0.0, 0.0011, (count, 2)).clip(-0.004, 0.004)
    for _ in range(12):
        xy = centre + offset
        outside = ~contains_xy(polygon, xy[:, 0], xy[:, 1])
        if not outside.any():
            break
        offset[outside] *= 0.5
    return np.round(centre + offset, 7)


def to_gcj02(lon: NDArray[Any], lat: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """WGS84 degrees to GCJ-02 degrees (the public formula, standards note 4)."""
    x, y = lon - 105.0, lat - 35.0
    common = (20 * np.sin(6 * np.pi * x) + 20 * np.sin(2 * np.pi * x)) * 2 / 3

    def waves(t: NDArray[Any], a: float, b: float, p: float, q: float) -> NDArray[Any]:
        near = (20 * np.sin(np.pi * t) + 40 * np.sin(np.pi * t / 3)) * 2 / 3
        return near + (a * np.sin(np.pi * t / 12) + b * np.sin(np.pi * t / 30)) * p / q

    dlat = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * np.sqrt(np.abs(x))
    dlat = dlat + common + waves(y, 160, 320, 2, 3)
    dlon = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * np.sqrt(np.abs(x))
    dlon = dlon + common + waves(x, 150, 300, 2, 3)
    radians = np.radians(lat)
    magic = 1 - GCJ_EE * np.sin(radians) ** 2
    dlat = dlat * 180 / ((GCJ_A * (1 - GCJ_EE)) / (magic * np.sqrt(magic)) * np.pi)
    dlon = dlon * 180 / (GCJ_A / np.sqrt(magic) * np.cos(radians) * np.pi)
    return lon + dlon, lat + dlat


def to_bd09(lon: NDArray[Any], lat: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """WGS84 degrees to BD-09 degrees, by way of GCJ-02."""
    x, y = to_gcj02(lon, lat)
    turn = np.pi * 3000.0 / 180.0
    z = np.hypot(x, y) + 0.00002 * np.sin(y * turn)
    theta = np.arctan2(y, x) + 0.000003 * np.cos(x * turn)
    return z * np.cos(theta) + 0.0065, z * np.sin(theta) + 0.006

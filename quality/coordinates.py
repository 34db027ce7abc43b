"""The coordinate systems of Chinese maps: GCJ-02 and BD-09 from and to WGS 84, exact to a centimetre.

CGCS2000 (EPSG:4490) and WGS 84 (EPSG:4326) differ by centimetres; both are taken as the same degrees.
The inverse of GCJ-02 has no closed form: it is iterated, where one step would err by up to 1.8 m
in Xicheng. Every other system, Gauss-Krüger zones among them, is pyproj's. Functions take and return arrays of
degrees (metres where a system is projected), longitude or easting first; long arrays are worked on in pieces, by
as many threads as there are processors.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_A = 6378245.0
_EE = 0.00669342162296594323
_X_PI = 3.14159265358979324 * 3000.0 / 180.0
SAME_AS_CGCS2000 = ("EPSG:4490", "EPSG:4326", "OGC:CRS84", "WGS84", "CGCS2000")
BEIJING_ZONE = {"GK39": "EPSG:4527", "GK117": "EPSG:4548"}
"""Short names of Beijing's 3-degree Gauss-Krüger zone (CGCS2000): easting with the zone's number, and without."""
_PIECE = 1 << 15
"""Points worked on at once: what a pass needs stays in the processor's cache."""


def _in_pieces(change: Callable[[Array, Array], tuple[Array, Array]], lon: Any, lat: Any) -> tuple[Array, Array]:
    lon, lat = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    if lon.ndim != 1 or lon.shape != lat.shape or lon.size <= _PIECE:
        return change(lon, lat)
    out = np.empty_like(lon), np.empty_like(lat)

    def piece(start: int) -> None:
        part = slice(start, start + _PIECE)
        out[0][part], out[1][part] = change(lon[part], lat[part])

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as workers:
        list(workers.map(piece, range(0, lon.size, _PIECE)))
    return out


def wgs84_to_gcj02(lon: Any, lat: Any) -> tuple[Array, Array]:
    """Shift as the national obfuscation does; points outside China are not moved."""
    return _in_pieces(_wgs84_to_gcj02, lon, lat)


def _wgs84_to_gcj02(lon: Array, lat: Array) -> tuple[Array, Array]:
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    waves = (20.0 * np.sin(6.0 * x * np.pi) + 20.0 * np.sin(2.0 * x * np.pi)) * 2.0 / 3.0
    dlat = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + waves
    dlat += (20.0 * np.sin(y * np.pi) + 40.0 * np.sin(y / 3.0 * np.pi)) * 2.0 / 3.0
    dlat += (160.0 * np.sin(y / 12.0 * np.pi) + 320.0 * np.sin(y * np.pi / 30.0)) * 2.0 / 3.0
    dlon = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + waves
    dlon += (20.0 * np.sin(x * np.pi) + 40.0 * np.sin(x / 3.0 * np.pi)) * 2.0 / 3.0
    dlon += (150.0 * np.sin(x / 12.0 * np.pi) + 300.0 * np.sin(x / 30.0 * np.pi)) * 2.0 / 3.0
    radians = lat / 180.0 * np.pi
    magic = 1.0 - _EE * np.sin(radians) ** 2
    root_magic = np.sqrt(magic)
    dlat = dlat * 180.0 / ((_A * (1.0 - _EE)) / (magic * root_magic) * np.pi)
    dlon = dlon * 180.0 / (_A / root_magic * np.cos(radians) * np.pi)
    inside = _in_china(lon, lat)
    return np.where(inside, lon + dlon, lon), np.where(inside, lat + dlat, lat)


def gcj02_to_wgs84(lon: Any, lat: Any, *, tolerance: float = 1e-9) -> tuple[Array, Array]:
    """The inverse, iterated until no point is off by more than ``tolerance`` degrees (0.1 mm)."""
    return _in_pieces(lambda x, y: _solve(_wgs84_to_gcj02, x, y, x, y, tolerance), lon, lat)


def _solve(
    forward: Callable[[Array, Array], tuple[Array, Array]], lon: Array, lat: Array, x: Array, y: Array, tolerance: float
) -> tuple[Array, Array]:
    """Where ``forward`` leads to (lon, lat), from the first guess (x, y).

    The offsets' slope is below 0.006 (450 m a degree at most), so that a step leaves less than a 160th of the error:
    after one of a hundred tolerances the rest is below one.
    """
    for _ in range(20):
        there = forward(x, y)
        dlon, dlat = there[0] - lon, there[1] - lat
        x, y = x - dlon, y - dlat
        if not np.any(np.maximum(np.abs(dlon), np.abs(dlat)) > 100 * tolerance):
            break
    return x, y


def gcj02_to_bd09(lon: Any, lat: Any) -> tuple[Array, Array]:
    """From the national to Baidu's system."""
    return _in_pieces(_gcj02_to_bd09, lon, lat)


def _gcj02_to_bd09(lon: Array, lat: Array) -> tuple[Array, Array]:
    z = np.sqrt(lon * lon + lat * lat) + 0.00002 * np.sin(lat * _X_PI)
    theta = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _X_PI)
    return z * np.cos(theta) + 0.0065, z * np.sin(theta) + 0.006


def bd09_to_gcj02(lon: Any, lat: Any, *, tolerance: float = 1e-9) -> tuple[Array, Array]:
    """From Baidu's to the national system: the usual formula, then iterated like GCJ-02's inverse."""
    return _in_pieces(lambda x, y: _solve(_gcj02_to_bd09, x, y, *_near_gcj02(x, y), tolerance), lon, lat)


def _near_gcj02(lon: Array, lat: Array) -> tuple[Array, Array]:
    x, y = lon - 0.0065, lat - 0.006
    z = np.sqrt(x * x + y * y) - 0.00002 * np.sin(y * _X_PI)
    theta = np.arctan2(y, x) - 0.000003 * np.cos(x * _X_PI)
    return z * np.cos(theta), z * np.sin(theta)


def bd09_to_wgs84(lon: Any, lat: Any) -> tuple[Array, Array]:
    """From Baidu's system to WGS 84."""
    return gcj02_to_wgs84(*bd09_to_gcj02(lon, lat))


def wgs84_to_bd09(lon: Any, lat: Any) -> tuple[Array, Array]:
    """From WGS 84 to Baidu's system."""
    return gcj02_to_bd09(*wgs84_to_gcj02(lon, lat))


def to_cgcs2000(x: Any, y: Any, crs: str) -> tuple[Array, Array]:
    """Coordinates in ``crs`` as CGCS2000 degrees, longitude and latitude.

    Args:
        x, y: longitude and latitude, or easting and northing, in this order whatever the CRS says.
        crs: ``GCJ02``, ``BD09``, or anything pyproj reads (``EPSG:4548`` …).
    """
    name = crs.upper()
    if name == "GCJ02":
        return gcj02_to_wgs84(x, y)
    if name == "BD09":
        return bd09_to_wgs84(x, y)
    if name in SAME_AS_CGCS2000:
        return np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    return _projected(_transformer(BEIJING_ZONE.get(name, crs), "EPSG:4490"), x, y)


def from_cgcs2000(lon: Any, lat: Any, crs: str) -> tuple[Array, Array]:
    """CGCS2000 degrees in another system: the inverse of ``to_cgcs2000``, with the same names."""
    name = crs.upper()
    if name == "GCJ02":
        return wgs84_to_gcj02(lon, lat)
    if name == "BD09":
        return wgs84_to_bd09(lon, lat)
    if name in SAME_AS_CGCS2000:
        return np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    return _projected(_transformer("EPSG:4490", BEIJING_ZONE.get(name, crs)), lon, lat)


def convert(x: Any, y: Any, source: str, target: str) -> tuple[Array, Array]:
    """From one system to another by way of CGCS2000; x first, degrees or metres as the systems have them.

    Args:
        source, target: ``WGS84``, ``CGCS2000``, ``GCJ02``, ``BD09``, ``GK117``, ``GK39``, or anything pyproj reads.

    Raises:
        pyproj.exceptions.CRSError: a system nobody knows.
    """
    return from_cgcs2000(*to_cgcs2000(x, y, source), target)


@lru_cache(maxsize=32)
def _transformer(source: str, target: str) -> Any:
    from pyproj import Transformer

    return Transformer.from_crs(source, target, always_xy=True)


def _projected(transformer: Any, x: Any, y: Any) -> tuple[Array, Array]:
    east, north = transformer.transform(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    return np.asarray(east, dtype=float), np.asarray(north, dtype=float)


def point_wkb(lon: Any, lat: Any) -> npt.NDArray[np.void]:
    """Little-endian WKB of points, 21 bytes each."""
    lon = np.asarray(lon, dtype=float)
    out = np.empty(len(lon), dtype=np.dtype([("order", "u1"), ("kind", "<u4"), ("x", "<f8"), ("y", "<f8")]))
    out["order"], out["kind"], out["x"], out["y"] = 1, 1, lon, lat
    return out.view("V21")


def _in_china(lon: Array, lat: Array) -> npt.NDArray[np.bool_]:
    return (lon > 73.66) & (lon < 135.05) & (lat > 3.86) & (lat < 53.55)

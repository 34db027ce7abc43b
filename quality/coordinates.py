"""The coordinate systems of Chinese maps: GCJ-02 and BD-09 from and to WGS 84, exact to a centimetre.

CGCS2000 (EPSG:4490) and WGS 84 (EPSG:4326) differ by centimetres; both are taken as the same degrees.
The inverse of GCJ-02 has no closed form: it is iterated, where one step would err by up to 1.8 m
in Xicheng. Functions take and return arrays of degrees, longitude first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_A = 6378245.0
_EE = 0.00669342162296594323
_X_PI = 3.14159265358979324 * 3000.0 / 180.0
SAME_AS_CGCS2000 = ("EPSG:4490", "EPSG:4326", "OGC:CRS84", "WGS84", "CGCS2000")


def wgs84_to_gcj02(lon: Any, lat: Any) -> tuple[Array, Array]:
    """Shift as the national obfuscation does; points outside China are not moved."""
    lon, lat = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
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
    """The inverse, iterated until no point moves by more than ``tolerance`` degrees (0.1 mm)."""
    lon, lat = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    wlon, wlat = lon.copy(), lat.copy()
    for _ in range(20):
        glon, glat = wgs84_to_gcj02(wlon, wlat)
        dlon, dlat = glon - lon, glat - lat
        wlon, wlat = wlon - dlon, wlat - dlat
        if not np.any(np.maximum(np.abs(dlon), np.abs(dlat)) > tolerance):
            break
    return wlon, wlat


def gcj02_to_bd09(lon: Any, lat: Any) -> tuple[Array, Array]:
    """From the national to Baidu's system."""
    lon, lat = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    z = np.sqrt(lon * lon + lat * lat) + 0.00002 * np.sin(lat * _X_PI)
    theta = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _X_PI)
    return z * np.cos(theta) + 0.0065, z * np.sin(theta) + 0.006


def bd09_to_gcj02(lon: Any, lat: Any, *, tolerance: float = 1e-9) -> tuple[Array, Array]:
    """From Baidu's to the national system: the usual formula, then iterated like GCJ-02's inverse."""
    lon, lat = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    x, y = lon - 0.0065, lat - 0.006
    z = np.sqrt(x * x + y * y) - 0.00002 * np.sin(y * _X_PI)
    theta = np.arctan2(y, x) - 0.000003 * np.cos(x * _X_PI)
    glon, glat = z * np.cos(theta), z * np.sin(theta)
    for _ in range(20):
        blon, blat = gcj02_to_bd09(glon, glat)
        dlon, dlat = blon - lon, blat - lat
        glon, glat = glon - dlon, glat - dlat
        if not np.any(np.maximum(np.abs(dlon), np.abs(dlat)) > tolerance):
            break
    return glon, glat


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
    from pyproj import Transformer

    lon, lat = Transformer.from_crs(crs, "EPSG:4490", always_xy=True).transform(x, y)
    return np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)


def point_wkb(lon: Any, lat: Any) -> npt.NDArray[np.void]:
    """Little-endian WKB of points, 21 bytes each."""
    lon = np.asarray(lon, dtype=float)
    out = np.empty(len(lon), dtype=np.dtype([("order", "u1"), ("kind", "<u4"), ("x", "<f8"), ("y", "<f8")]))
    out["order"], out["kind"], out["x"], out["y"] = 1, 1, lon, lat
    return out.view("V21")


def _in_china(lon: Array, lat: Array) -> npt.NDArray[np.bool_]:
    return (lon > 73.66) & (lon < 135.05) & (lat > 3.86) & (lat < 53.55)

"""Which coordinate system a map is in, when it says so, when its numbers betray it, and when it lies.

Gauss-Krüger coordinates of CGCS2000 carry their zone in front of the easting (false easting of zone 39:
39,500,000 m), so a map without a system can be told: zones 25-45 of 3° are EPSG:4513-4533, zones
13-23 of 6° EPSG:4491-4501. Without the zone (false easting 500,000 m, EPSG:4534-4554) they cannot.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from catalog.errors import InputError
from quality.coordinates import SAME_AS_CGCS2000, to_cgcs2000

CHINA = (73.0, 3.0, 136.0, 54.5)
"""Degrees: west, south, east, north."""
_NORTHING = (300_000.0, 6_200_000.0)
_OFF_AXIS = 450_000.0
"""Metres a zone reaches to either side of its meridian, generously."""

Bounds = tuple[float, float, float, float]


def zone_crs(bounds: Bounds) -> str | None:
    """The Gauss-Krüger zone of CGCS2000 whose false easting the coordinates carry; None when they carry none."""
    west, south, east, north = bounds
    zone = int(west // 1_000_000)
    middle = zone * 1_000_000 + 500_000
    if not (abs(west - middle) < _OFF_AXIS and abs(east - middle) < _OFF_AXIS):
        return None
    if not (_NORTHING[0] < south and north < _NORTHING[1]):
        return None
    if 25 <= zone <= 45:
        return f"EPSG:{4513 + zone - 25}"
    return f"EPSG:{4491 + zone - 13}" if 13 <= zone <= 23 else None


def source_crs(declared: str, found: str | None, bounds: Bounds | None, *, default: str | None = None) -> str:
    """The system to read a map in: the contract's, else the file's, else the zone its numbers carry.

    Args:
        declared: ``format.crs``.
        found: what the file states.
        bounds: of all coordinates, None when there are none.
        default: of a format that has one (GeoJSON: WGS 84).

    Raises:
        InputError: nothing says it.
    """
    if declared != "auto":
        return declared
    if found:
        return found
    zone = zone_crs(bounds) if bounds else None
    if zone or default:
        return zone or default or ""
    raise InputError("the map states no coordinate system", hint=f"set format.crs in the contract: {_advice(bounds)}")


def _advice(bounds: Bounds | None) -> str:
    if bounds is None:
        return "EPSG:4490, EPSG:4326, GCJ02 …"
    if _degrees(bounds):
        return "the numbers are degrees, so EPSG:4490, EPSG:4326, GCJ02 or BD09; ask the department which"
    swapped = (bounds[1], bounds[0], bounds[3], bounds[2])
    if zone := zone_crs(swapped):
        return f"the numbers look like {zone} with northing first; ask for easting first"
    if abs(bounds[0] - 500_000) < _OFF_AXIS and _NORTHING[0] < bounds[1] < _NORTHING[1]:
        return "the numbers are Gauss-Krüger without a zone; in Beijing that is mostly EPSG:4548 (meridian 117°); ask"
    return "the numbers fit no system of the district (a local grid?); ask the department"


def _degrees(bounds: Bounds) -> bool:
    return bounds[0] >= -180 and bounds[2] <= 180 and bounds[1] >= -90 and bounds[3] <= 90


def _shapes(given: Any) -> Any:
    """Shapes of WKB; None for one that is damaged, or has arcs, which no table here holds."""
    import shapely

    try:
        return shapely.from_wkb(given, on_invalid="ignore")
    except NotImplementedError:
        shapes = np.full(len(given), None, dtype=object)
        for i, wkb in enumerate(given):
            with suppress(NotImplementedError):
                shapes[i] = shapely.from_wkb(wkb, on_invalid="ignore")
        return shapes


def to_hex(
    column: Any, declared: str, found: str | None = None, default: str | None = None
) -> tuple[Any, list[int], str]:
    """Geometries as hexadecimal CGCS2000 WKB.

    Args:
        column: an Arrow column of WKB.
        declared, found, default: see ``source_crs``.

    Returns:
        the texts, the places of shapes that could not be read, and the system they were in.

    Raises:
        InputError: no system is known, or most shapes do not lie in China in this one.
    """
    import pyarrow as pa
    import shapely
    from pyproj.exceptions import CRSError

    given = np.array(column.to_pylist(), dtype=object)
    shapes = shapely.force_2d(_shapes(given))
    broken = [i for i, (g, s) in enumerate(zip(given, shapes, strict=True)) if g is not None and s is None]
    bounds = _bounds(shapely.total_bounds(shapes)) if len(shapes) else None
    crs = source_crs(declared, found, bounds, default=default)
    try:
        moved = shapely.transform(shapes, lambda xy: np.column_stack(to_cgcs2000(xy[:, 0], xy[:, 1], crs)))
    except CRSError as e:
        raise InputError(f"there is no coordinate system {crs[:40]!r}", hint="correct format.crs") from e
    _check_place(shapely.bounds(moved), crs, bounds)
    return pa.array(list(shapely.to_wkb(moved, hex=True, byte_order=1)), pa.string()), broken, crs


def _bounds(found: Any) -> Bounds | None:
    west, south, east, north = (float(v) for v in found)
    return (west, south, east, north) if np.isfinite(found).all() else None


def _check_place(boxes: Any, crs: str, before: Bounds | None) -> None:
    """Refuse a map most of which lies abroad: its system is not the one that it is read in."""
    if before is None or not len(boxes):
        return
    west, south, east, north = CHINA
    with np.errstate(invalid="ignore"):
        home = (boxes[:, 0] >= west) & (boxes[:, 1] >= south) & (boxes[:, 2] <= east) & (boxes[:, 3] <= north)
    there = ~np.isnan(boxes).all(axis=1)
    there |= np.isinf(boxes).any(axis=1)
    if there.sum() and home[there].sum() * 2 < there.sum():
        zone = zone_crs(before)
        raise InputError(
            f"read as {'degrees' if crs.upper() in (*SAME_AS_CGCS2000, 'GCJ02', 'BD09') else crs[:60]}, "
            "most shapes lie outside China",
            hint=f"set format.crs to {zone}" if zone else f"set format.crs: {_advice(before)}",
        )

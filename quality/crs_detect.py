"""Tells in which coordinate system unlabelled points of the district are, and which points are wrong by themselves.

GCJ-02 and BD-09 look like longitude and latitude and lie 550 m and 1.3 km off. A point alone says nothing; a batch
does: read in the wrong system, more of it falls outside the district. Places whose true position is known decide
much more sharply: in the right system they lie close to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from quality.coordinates import Array, to_cgcs2000

Flag = Literal["ok", "missing", "zero", "swapped", "far", "outside_district"]
DEGREES = ("CGCS2000", "GCJ02", "BD09")
METRES = ("EPSG:4527", "EPSG:4548")
"""Beijing's 3-degree Gauss-Krüger zone: easting with the zone's number, and without."""
BEIJING = (115.4, 39.4, 117.6, 41.1)
"""West, south, east, north of the city, generously."""
MIN_POINTS = 30
"""Fewer points than this inside the city decide nothing without known places."""
_SIGNS = 3.0
"""How many standard deviations the points that one system alone puts inside must lead by (a chance of 1 in 700)."""
_MOST_OUTSIDE_PCT = 10.0


class Candidate(BaseModel):
    """One system and how well the points read in it.

    Attributes:
        inside_pct: per cent of the points that lie in the district (of those that lie in the city).
        off_m: median distance to the known places, metres; None without any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    crs: str
    inside_pct: float
    off_m: float | None


class Detection(BaseModel):
    """What is said of a batch.

    Attributes:
        crs: the system, empty when undecided.
        swapped: x carries latitudes (northings) and y longitudes.
        decided_by: ``places``, ``district``, ``range`` (metres), or empty.
        candidates: all that were tried, the best first.
        flags: points by flag, once read in ``crs`` (in the best candidate when undecided).
        contradicts: the declared system, when the batch says another.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    points: int
    crs: str
    swapped: bool
    decided_by: Literal["places", "district", "range", ""]
    candidates: tuple[Candidate, ...]
    flags: dict[str, int]
    contradicts: str = ""


class Known(NamedTuple):
    """Places whose position is known: row of the batch, and CGCS2000 degrees."""

    rows: npt.NDArray[np.int64]
    lon: Array
    lat: Array


def detect(x: Any, y: Any, district: Any, *, known: Known | None = None, declared: str = "") -> Detection:
    """The system of a batch of points as they were sent.

    Args:
        x, y: the two columns, whatever they hold; NaN where there is no number.
        district: shapely polygon of the district, CGCS2000 degrees.
        known: places of the batch whose position is known from elsewhere.
        declared: the system the sender states; when the batch says another, it is named in ``contradicts``.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    swapped = _mostly(x, y, swapped=True) > _mostly(x, y, swapped=False)
    a, b = (y, x) if swapped else (x, y)
    metres = _metres(a, b)
    names: Sequence[str] = (metres,) if metres else DEGREES
    inside = {name: _inside(a, b, name, district) for name in names}
    candidates = sorted(
        (_candidate(name, inside[name], _off(a, b, name, known)) for name in names),
        key=lambda c: (c.off_m if c.off_m is not None else 0.0, -c.inside_pct),
    )
    by: Literal["places", "district", "range", ""] = "range" if metres else _decided(candidates, inside, known)
    best = candidates[0].crs
    kinds, counts = np.unique(flag_points(x, y, best, district, swapped=swapped), return_counts=True)
    crs = best if by else ""
    return Detection(
        points=len(x),
        crs=crs,
        swapped=swapped,
        decided_by=by,
        candidates=tuple(candidates),
        flags={str(k): int(n) for k, n in zip(kinds, counts, strict=True)},
        contradicts=declared if crs and declared and not _same(crs, declared) else "",
    )


def flag_points(x: Any, y: Any, crs: str, district: Any, *, swapped: bool = False) -> npt.NDArray[np.str_]:
    """What is wrong with each point by itself, read in ``crs``.

    Returns:
        per point: ``missing`` (no number), ``zero`` (0,0), ``swapped`` (in the city when its two values change
        places), ``far`` (outside the city), ``outside_district``, or ``ok``.
    """
    from shapely import contains_xy

    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    a, b = (y, x) if swapped else (x, y)
    lon, lat = _read(a, b, crs)
    other = _read(b, a, crs)
    flags = np.full(len(a), "ok", dtype="U16")
    in_city = _in_city(lon, lat)
    flags[in_city & ~contains_xy(district, np.where(in_city, lon, 0.0), np.where(in_city, lat, 0.0))] = (
        "outside_district"
    )
    flags[~in_city] = "far"
    flags[~in_city & _in_city(*other)] = "swapped"
    flags[(np.abs(a) < 1e-6) & (np.abs(b) < 1e-6)] = "zero"
    flags[~(np.isfinite(a) & np.isfinite(b))] = "missing"
    return flags


def _read(x: Array, y: Array, crs: str) -> tuple[Array, Array]:
    """Degrees, NaN where the values cannot be of this system."""
    ok = np.isfinite(x) & np.isfinite(y)
    if crs in DEGREES:
        ok &= (np.abs(x) <= 180) & (np.abs(y) <= 90)
    lon, lat = to_cgcs2000(np.where(ok, x, 116.0), np.where(ok, y, 39.0), crs)
    ok &= np.isfinite(lon) & np.isfinite(lat)
    return np.where(ok, lon, np.nan), np.where(ok, lat, np.nan)


def _in_city(lon: Array, lat: Array) -> npt.NDArray[np.bool_]:
    west, south, east, north = BEIJING
    return (lon > west) & (lon < east) & (lat > south) & (lat < north)


def _mostly(x: Array, y: Array, *, swapped: bool) -> float:
    """Share of the points that look like degrees or zone metres of the city in this order of axes."""
    a, b = (y, x) if swapped else (x, y)
    easting = ((a > 39_300_000) & (a < 39_700_000)) | ((a > 300_000) & (a < 700_000))
    looks = _in_city(a, b) | (easting & (b > 4_300_000) & (b < 4_600_000))
    return float(looks.mean()) if len(looks) else 0.0


def _metres(x: Array, y: Array) -> str:
    """The Gauss-Krüger zone the batch is in, when half of it or more looks like eastings and northings."""
    north = (y > 4_300_000) & (y < 4_600_000)
    for crs, low, high in ((METRES[0], 39_300_000, 39_700_000), (METRES[1], 300_000, 700_000)):
        if len(x) and float((north & (x > low) & (x < high)).mean()) >= 0.5:
            return crs
    return ""


class _Reading(NamedTuple):
    """Per point, read in one system: whether it lies in the city, and in the district."""

    city: npt.NDArray[np.bool_]
    district: npt.NDArray[np.bool_]


def _inside(x: Array, y: Array, crs: str, district: Any) -> _Reading:
    from shapely import contains_xy, prepare

    lon, lat = _read(x, y, crs)
    city = _in_city(lon, lat)
    prepare(district)
    return _Reading(city, city & contains_xy(district, np.where(city, lon, 0.0), np.where(city, lat, 0.0)))


def _off(x: Array, y: Array, crs: str, known: Known | None) -> float | None:
    if known is None or len(known.rows) == 0:
        return None
    lon, lat = _read(x[known.rows], y[known.rows], crs)
    east, north = 111_320 * np.cos(np.radians(known.lat)) * (lon - known.lon), 110_950 * (lat - known.lat)
    off = np.hypot(east, north)
    return float(np.nanmedian(off)) if np.isfinite(off).any() else None


def _candidate(crs: str, reading: _Reading, off: float | None) -> Candidate:
    city = int(reading.city.sum())
    share = 100.0 * int(reading.district.sum()) / city if city else 0.0
    return Candidate(crs=crs, inside_pct=round(share, 2), off_m=None if off is None else round(off, 1))


def _decided(
    candidates: Sequence[Candidate], inside: dict[str, _Reading], known: Known | None
) -> Literal["places", "district", ""]:
    """Whether the first candidate leads far enough.

    By places: three or more, half of them within 200 m, the next system twice as far. By the district: hardly any
    point outside (else the batch is of another area), and against every other system a sign test over the points
    that only one of the two puts inside.
    """
    first, second = candidates[0], candidates[1]
    if known is not None and first.off_m is not None and second.off_m is not None and len(known.rows) >= 3:
        return "places" if first.off_m < 200 and second.off_m > 2 * first.off_m else ""
    mine = inside[first.crs]
    if int(mine.city.sum()) < MIN_POINTS or first.inside_pct < 100 - _MOST_OUTSIDE_PCT:
        return ""
    for other in candidates[1:]:
        only_mine = int((mine.district & ~inside[other.crs].district).sum())
        only_other = int((inside[other.crs].district & ~mine.district).sum())
        if only_mine - only_other < _SIGNS * sqrt(max(only_mine + only_other, 1)):
            return ""
    return "district"


def _same(crs: str, declared: str) -> bool:
    from quality.coordinates import BEIJING_ZONE, SAME_AS_CGCS2000

    def plain(name: str) -> str:
        upper = name.upper()
        return "CGCS2000" if upper in SAME_AS_CGCS2000 else BEIJING_ZONE.get(upper, upper)

    return plain(crs) == plain(declared)

"""GCJ-02 and BD-09: known pairs, exact inverses, arrays of any size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality.coordinates import (
    bd09_to_gcj02,
    bd09_to_wgs84,
    convert,
    gcj02_to_bd09,
    gcj02_to_wgs84,
    point_wkb,
    to_cgcs2000,
    wgs84_to_bd09,
    wgs84_to_gcj02,
)

CENTIMETRE = 9e-8
"""Degrees of latitude."""


def test_the_published_example() -> None:
    """coordtransform's own example: 116.404, 39.915."""
    assert wgs84_to_gcj02([116.404], [39.915]) == pytest.approx((116.41024449916938, 39.91640428150164), abs=1e-9)
    assert gcj02_to_bd09([116.404], [39.915]) == pytest.approx((116.41036949371029, 39.92133699351021), abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.floats(115.4, 117.6), st.floats(39.4, 41.1))
def test_inverses_are_exact_to_a_centimetre(lon: float, lat: float) -> None:
    for there, back in (
        (wgs84_to_gcj02, gcj02_to_wgs84),
        (gcj02_to_bd09, bd09_to_gcj02),
        (wgs84_to_bd09, bd09_to_wgs84),
    ):
        x, y = back(*there([lon], [lat]))
        assert abs(x[0] - lon) < CENTIMETRE
        assert abs(y[0] - lat) < CENTIMETRE


def test_points_outside_china_do_not_move() -> None:
    lon, lat = wgs84_to_gcj02([2.35, -122.4], [48.86, 37.77])
    assert lon.tolist() == [2.35, -122.4]
    assert lat.tolist() == [48.86, 37.77]


def test_offset_in_xicheng_is_about_550_metres() -> None:
    lon, lat = wgs84_to_gcj02([116.36], [39.91])
    assert lon[0] - 116.36 == pytest.approx(0.0062, abs=5e-4)
    assert lat[0] - 39.91 == pytest.approx(0.0014, abs=5e-4)


@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:4326", "OGC:CRS84"])
def test_degrees_stay(crs: str) -> None:
    lon, lat = to_cgcs2000([116.36], [39.91], crs)
    assert (lon[0], lat[0]) == (116.36, 39.91)


def test_gauss_krueger() -> None:
    lon, lat = to_cgcs2000([39445275.8], [4419594.0], "EPSG:4527")
    assert (round(lon[0], 1), round(lat[0], 1)) == (116.4, 39.9)


TRIPLES = (
    # from, x, y, to, x, y, source
    ("WGS84", 116.404, 39.915, "GCJ02", 116.41024449916938, 39.91640428150164, "coordtransform's example"),
    ("GCJ02", 116.404, 39.915, "BD09", 116.41036949371029, 39.92133699351021, "coordtransform's example"),
    ("GCJ02", 116.41024449916938, 39.91640428150164, "CGCS2000", 116.404, 39.915, "the first, turned round"),
    ("BD09", 116.41036949371029, 39.92133699351021, "GCJ02", 116.404, 39.915, "the second, turned round"),
    # on the central meridian the easting is the false easting, and the northing the meridian arc from the equator
    ("CGCS2000", 117.0, 40.0, "GK117", 500_000.0, 4_429_529.0303, "Helmert's series by hand, e'^2 of CGCS2000"),
    ("CGCS2000", 117.0, 40.0, "GK39", 39_500_000.0, 4_429_529.0303, "the same with the zone's number"),
    ("GK117", 500_000.0, 4_429_529.0303, "WGS84", 117.0, 40.0, "turned round"),
)


@pytest.mark.parametrize(("source", "x", "y", "target", "a", "b", "why"), TRIPLES)
def test_known_triples(source: str, x: float, y: float, target: str, a: float, b: float, why: str) -> None:
    east, north = convert([x], [y], source, target)
    off = 0.01 if target.startswith("GK") else CENTIMETRE
    assert east[0] == pytest.approx(a, abs=off), why
    assert north[0] == pytest.approx(b, abs=off), why


def test_the_arc_of_the_meridian_is_helmerts() -> None:
    """The northing of the table, computed here by the series in n, independent of PROJ."""
    a, f, phi = 6378137.0, 1 / 298.257222101, np.radians(40.0)
    n = f / (2 - f)
    arc = (1 + n**2 / 4 + n**4 / 64) * phi
    arc -= 1.5 * (n - n**3 / 8) * np.sin(2 * phi)
    arc += 15 / 16 * (n**2 - n**4 / 4) * np.sin(4 * phi)
    arc -= 35 / 48 * n**3 * np.sin(6 * phi)
    arc += 315 / 512 * n**4 * np.sin(8 * phi)
    assert a / (1 + n) * arc == pytest.approx(TRIPLES[4][5], abs=1e-3)


@pytest.mark.parametrize("crs", ["WGS84", "GCJ02", "BD09", "GK117", "GK39", "EPSG:4527", "EPSG:3857"])
def test_round_trips_of_long_arrays_stay_within_a_centimetre(crs: str) -> None:
    """More points than one piece, so that the pieces are worked on by threads."""
    rng = np.random.default_rng(1)
    lon, lat = rng.uniform(115.4, 117.6, 70_000), rng.uniform(39.4, 41.1, 70_000)
    x, y = convert(*convert(lon, lat, "CGCS2000", crs), crs, "CGCS2000")
    assert max(np.abs(x - lon).max(), np.abs(y - lat).max()) < CENTIMETRE
    one = convert(lon[40_000:40_001], lat[40_000:40_001], "CGCS2000", crs)
    many = convert(lon, lat, "CGCS2000", crs)
    assert (one[0][0], one[1][0]) == (many[0][40_000], many[1][40_000])


def test_wkb_of_points() -> None:
    import shapely

    packed = point_wkb([116.36, 1.0], [39.91, 2.0])
    assert shapely.from_wkb([bytes(p) for p in packed])[0].coords[0] == (116.36, 39.91)
    assert len(point_wkb(np.array([]), np.array([]))) == 0

"""GCJ-02 and BD-09: known pairs, exact inverses, arrays of any size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality.coordinates import (
    bd09_to_gcj02,
    bd09_to_wgs84,
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


def test_wkb_of_points() -> None:
    import shapely

    packed = point_wkb([116.36, 1.0], [39.91, 2.0])
    assert shapely.from_wkb([bytes(p) for p in packed])[0].coords[0] == (116.36, 39.91)
    assert len(point_wkb(np.array([]), np.array([]))) == 0

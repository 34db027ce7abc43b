"""The system of unlabelled points: told from a batch, from known places, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely

from quality.coordinates import Array, convert
from quality.crs_detect import Known, detect, flag_points

DISTRICT = shapely.Polygon([(116.32, 39.87), (116.397, 39.87), (116.397, 39.97), (116.32, 39.97)])


@pytest.fixture(scope="module")
def points() -> tuple[Array, Array]:
    rng = np.random.default_rng(3)
    return rng.uniform(116.3205, 116.3965, 600), rng.uniform(39.8705, 39.9695, 600)


@pytest.mark.parametrize("crs", ["CGCS2000", "GCJ02", "BD09", "EPSG:4548", "EPSG:4527"])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_batch_tells_its_system_and_the_order_of_its_axes(
    points: tuple[Array, Array], crs: str, swapped: bool
) -> None:
    x, y = convert(*points, "CGCS2000", crs)
    found = detect(*((y, x) if swapped else (x, y)), DISTRICT)
    assert (found.crs, found.swapped) == (crs, swapped)
    assert found.flags["ok"] == 600


def test_a_system_that_lies_is_named(points: tuple[Array, Array]) -> None:
    x, y = convert(*points, "CGCS2000", "BD09")
    assert detect(x, y, DISTRICT, declared="EPSG:4326").contradicts == "EPSG:4326"
    assert detect(*points, DISTRICT, declared="EPSG:4326").contradicts == ""


def test_few_points_decide_nothing_but_known_places_do() -> None:
    lon, lat = np.array([116.35, 116.36, 116.37]), np.array([39.90, 39.91, 39.92])
    x, y = convert(lon, lat, "CGCS2000", "BD09")
    assert detect(x, y, DISTRICT).crs == ""
    found = detect(x, y, DISTRICT, known=Known(np.arange(3), lon, lat))
    assert (found.crs, found.decided_by) == ("BD09", "places")
    assert found.candidates[0].off_m == pytest.approx(0, abs=0.1)


def test_points_of_another_area_decide_nothing() -> None:
    rng = np.random.default_rng(4)
    assert detect(rng.uniform(116.5, 116.7, 500), rng.uniform(40.0, 40.2, 500), DISTRICT).crs == ""


def test_each_point_has_its_flag() -> None:
    x = [116.35, 0.0, 39.90, np.nan, 2.35, 116.60, 5e6]
    y = [39.90, 0.0, 116.35, 39.90, 48.86, 39.90, 39.90]
    flags = ["ok", "zero", "swapped", "missing", "far", "outside_district", "far"]
    assert flag_points(x, y, "CGCS2000", DISTRICT).tolist() == flags


def test_nothing_at_all() -> None:
    found = detect([], [], DISTRICT)
    assert (found.points, found.crs) == (0, "")


@pytest.mark.parametrize(
    ("name", "x", "y", "crs", "outside"),
    [("xicheng_residential_compounds.json", "gcj02lng", "gcj02lat", "GCJ02", 5),
     ("xicheng_schools_geocoded_raw.json", "lng", "lat", "BD09", 5)],
)  # fmt: skip
def test_real_files(shared_data: Path, name: str, x: str, y: str, crs: str, outside: int) -> None:
    streets = shapely.from_geojson((shared_data / "geo/xicheng_15_streets_osm_wgs84.geojson").read_text("utf-8"))
    rows = json.loads((shared_data / "poi" / name).read_text("utf-8"))
    found = detect([r[x] for r in rows], [r[y] for r in rows], shapely.union_all(shapely.get_parts(streets)))
    assert found.crs == crs
    assert found.points - found.flags["ok"] <= outside

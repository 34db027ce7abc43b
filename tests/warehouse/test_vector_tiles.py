"""Vector tiles: nothing is lost at the deepest zoom, little is drawn above it, and equal rows give equal bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from warehouse.duck import connect
from warehouse.vector_tiles import ZOOMS, Row, mercator, read_features, write_pmtiles

Write = Callable[..., Path]
GRID_M = 0.31
"""One unit of zoom 15 in metres of the projection, 0.30, and a little."""
DOOR = 0.00006


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(rows: list[Row], name: str = "layer", chunk: int = 7) -> Path:
        path = tmp_path / f"{name}.pmtiles"
        with connect(spill=tmp_path / "spill") as con:
            parts = (rows[i : i + chunk] for i in range(0, len(rows), chunk))
            write_pmtiles(path, parts, con, name=name, fields={"n": "Number"}, attribution="测试")
        assert list(tmp_path.glob("*.pieces")) == []
        return path

    return make


def shapes(count: int) -> list[Any]:
    """Houses, lanes, doors, a district, a lake with an island, two ponds as one; some cross edges of tiles."""
    rng = np.random.default_rng(4)
    found: list[Any] = [shapely.box(116.32, 39.87, 116.4, 39.97)]
    lake = shapely.Point(116.38, 39.94).buffer(0.004)
    found += [
        lake.difference(shapely.Point(116.38, 39.94).buffer(0.001)),
        shapely.union_all([shapely.Point(116.35, 39.9).buffer(0.001), shapely.Point(116.36, 39.9).buffer(0.001)]),
    ]
    for x, y in rng.uniform((116.32, 39.87), (116.4, 39.97), (count, 2)):
        found.append(shapely.box(x, y, x + DOOR, y + DOOR))
        found.append(shapely.LineString([(x, y), (x + 0.003, y + 0.001), (x + 0.004, y)]))
        found.append(shapely.Point(x, y))
    return found


def rows_of(made: list[Any]) -> list[Row]:
    return [(shapely.to_wkb(g), {"n": i, "name": f"第{i}号"}) for i, g in enumerate(made)]


def test_the_deepest_zoom_holds_every_shape_where_it_lies(write: Write) -> None:
    made = shapes(40)
    pieces: dict[int, list[Any]] = defaultdict(list)
    for row, properties, shape in read_features(write(rows_of(made))):
        assert properties == {"n": row, "name": f"第{row}号"}
        assert shapely.is_valid(shape)
        pieces[row].append(shape)
    assert sorted(pieces) == list(range(len(made)))
    for row, parts in pieces.items():
        whole, meant = shapely.union_all(parts), mercator(made[row])
        assert whole.hausdorff_distance(meant) < GRID_M
        assert whole.area == pytest.approx(meant.area, rel=0.1)


@pytest.mark.slow
def test_farther_out_small_things_go_first_and_large_ones_stay(write: Write) -> None:
    path = write(rows_of(shapes(200)))
    seen = [{row for row, *_ in read_features(path, zoom)} for zoom in ZOOMS]
    assert all(0 in rows for rows in seen), "the district is on every zoom"
    houses = [sum(row > 2 and row % 3 == 0 for row in rows) for rows in seen]
    assert houses[0] == 0 < houses[-1] == 200
    assert [len(rows) for rows in seen] == sorted(len(rows) for rows in seen)


def test_points_on_one_spot_become_one_until_the_deepest_zoom(write: Write) -> None:
    many = [shapely.Point(116.36 + i * 1e-7, 39.92) for i in range(20)]
    path = write(rows_of(many))
    assert [len(list(read_features(path, zoom))) for zoom in ZOOMS] == [1] * 5 + [20]


def test_what_is_thinner_than_the_grid_stays_as_a_point_and_nothing_is_no_feature(write: Write) -> None:
    speck = shapely.box(116.36, 39.92, 116.36 + 1e-8, 39.92 + 1e-8)
    bow = shapely.Polygon([(116.35, 39.9), (116.351, 39.901), (116.351, 39.9), (116.35, 39.901)])
    mixed = shapely.GeometryCollection([shapely.Point(116.37, 39.9), shapely.box(116.37, 39.9, 116.371, 39.901)])
    made = [speck, bow, shapely.Point(), mixed]
    rows: list[Row] = [*rows_of(made), (None, {"n": 4})]
    found = {row: shape for row, _, shape in read_features(write(rows))}
    assert set(found) == {0, 1, 3}
    assert found[0].geom_type == "Point"
    assert found[1].geom_type == "MultiPolygon"
    assert found[3].geom_type == "Polygon"


def test_equal_rows_give_equal_bytes_whatever_the_chunks(write: Write) -> None:
    rows = rows_of(shapes(30))
    assert write(rows, chunk=5).read_bytes() == write(rows, chunk=64).read_bytes()


def test_other_readers_open_it(write: Write) -> None:
    from pmtiles.reader import MmapSource, Reader

    with write(rows_of(shapes(5)), "green").open("rb") as file:
        reader = Reader(MmapSource(file))
        header, about = reader.header(), reader.metadata()
    assert (header["min_zoom"], header["max_zoom"]) == (ZOOMS.start, ZOOMS.stop - 1)
    assert (header["min_lon_e7"], header["max_lat_e7"]) == (1_163_200_000, 399_700_000)
    assert about["vector_layers"][0]["id"] == about["name"] == "green"


def test_without_rows_there_is_still_an_archive(write: Write) -> None:
    assert list(read_features(write([]))) == []

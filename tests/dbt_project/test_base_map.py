"""The base map from feeds laid out by hand: what is wrong with it is found, and nothing else; layers as files."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import shapely

from catalog.errors import InputError, UnknownName
from catalog.settings import Settings

WEST, SOUTH = 116.350, 39.900
METRE = 1 / 85_520.0
STREET, LEFT, RIGHT = "110102001", "110102001004", "110102001007"


def square(x_m: float, y_m: float, side_m: float, wide_m: float | None = None) -> bytes:
    """A square some metres east and north of the corner, WKB."""
    x, y, up = WEST + x_m * METRE, SOUTH + y_m / 111_030, side_m / 111_030
    return bytes(shapely.to_wkb(shapely.box(x, y, x + (wide_m or side_m) * METRE, y + up)))


def point(x_m: float, y_m: float) -> bytes:
    return bytes(shapely.to_wkb(shapely.Point(WEST + x_m * METRE, SOUTH + y_m / 111_030)))


CROSSED = bytes(
    shapely.to_wkb(
        shapely.Polygon(
            [(WEST + a * METRE, SOUTH + b / 111_030) for a, b in ((10, 500), (30, 520), (30, 500), (10, 520))]
        )
    )
)


def lay_out(fill: Callable[..., None]) -> None:
    """A street of 1 km, two communities that leave 20 m of it and reach 30 m out of it, things in them."""
    at = datetime(2026, 6, 30, tzinfo=UTC)
    row: dict[str, Any] = {"_receipt": "r", "_loaded_at": at, "_row_number": 1}
    fill("planning__divisions", [
        row | {"division_code": STREET, "division_name": "西长安街街道", "geom_cgcs2000": square(0, 0, 1000)},
        row | {"division_code": LEFT, "division_name": "府右街南社区", "geom_cgcs2000": square(0, 0, 1000, 500)},
        row | {"division_code": RIGHT, "division_name": "西交民巷社区", "geom_cgcs2000": square(520, 0, 1000, 510)},
    ])  # fmt: skip
    fill("planning__district_fence", [row | {"division_code": "110102", "geom_cgcs2000": square(0, 0, 900)}])
    fill("planning__district_boundaries", [
        row | {"division_code": "110102", "division_name": "西城区", "geom_cgcs2000": square(0, 0, 800)},
        row | {"division_code": "110101", "division_name": "东城区", "geom_cgcs2000": square(2000, 0, 800)},
    ])  # fmt: skip
    fill("statistics__county_codes", [
        row | {"list_publisher": "mca", "list_month": "198012", "division_code": code, "division_name": name}
        for code, name in (("110102", "西城区"), ("110104", "宣武区"), ("110100", "市辖区"))
    ])  # fmt: skip
    fill("planning__communities", [
        row | {"street_code": STREET, "street_name": "西长安街街道", "community_name": name}
        for name in ("府右街南社区", "无此社区")
    ])  # fmt: skip
    fill("transport__bus_line_stops", [
        row | {"line_name": line, "direction_code": "0", "stop_number": n, "stop_name": name}
        for line, stops in (("101", ("西四", "西单", "和平门")), ("22", ("西单", "前门")))
        for n, name in enumerate(stops, start=1)
    ])  # fmt: skip
    fill("urban_management__grid_cells", [
        row | {"grid_code": f"{LEFT}01", "community_code": LEFT, "geom_cgcs2000": square(0, 0, 1000, 250)},
        row | {"grid_code": f"{LEFT}02", "community_code": LEFT, "geom_cgcs2000": square(250, 0, 1000, 250)},
    ])  # fmt: skip
    fill("planning__base_map", [
        row | {"feature_code": code, "layer_code": layer, "surveyed_date": date(2026, 1, 1), "removed_date": gone,
               "geom_cgcs2000": shape}
        for code, layer, gone, shape in (
            ("B1", "building", None, square(10, 10, 20)), ("B2", "building", None, square(25, 10, 20)),
            ("B3", "building", date(2026, 3, 1), square(10, 12, 20)), ("B4", "building", None, CROSSED),
            ("G1", "green", None, square(600, 600, 50)),
        )
    ])  # fmt: skip
    day: dict[str, Any] = {"collected_date": date(2026, 1, 1)}
    fill("planning__poi", [
        row | day | {"poi_code": code, "poi_name": name, "poi_class_code": kind, "geom_cgcs2000": shape}
        for code, name, kind, shape in (
            ("P1", "便民超市", "shop", point(100, 100)), ("P2", "便民超市", "shop", point(101.5, 100)),
            ("P3", "便民超市", "shop", point(103.6, 100)), ("P4", "便民超市", "restaurant", point(100, 100)),
            ("P5", "小吃店", "restaurant", point(5000, 100)), ("P6", "无坐标", "shop", None),
        )
    ])  # fmt: skip
    fill("public_security__cameras", [
        row | {"camera_code": "C1", "geom_cgcs2000": point(700, 700), "installed_date": date(2020, 1, 1)}
    ])  # fmt: skip


MODELS = ("divisions", "division_changes", "grid_cells", "map_features", "map_points", "cameras", "map_findings")
MODELS += ("division_lists", "bus_line_stops")


@pytest.mark.slow
def test_findings_places_and_layers(
    settings: Settings, fill: Callable[..., None], read: Callable[[str], list[tuple[Any, ...]]], tmp_path: Path
) -> None:
    from warehouse.dbt_build import build

    lay_out(fill)
    result = build(settings, select=[f"spatiotemporal__{m}" for m in MODELS])
    assert result.ok, result
    found = read(
        "select rule, layer, code, other_code, round(measure, 1) from spatiotemporal.map_findings order by all"
    )
    assert [f[:4] for f in found] == [
        ("duplicate_point", "poi", "P1", "P2"),
        ("gap", "community", STREET, ""),
        ("invalid_geometry", "building", "B4", ""),
        ("outside_district", "poi", "P5", "planning__poi"),
        ("outside_parent", "community", STREET, ""),
        ("overlap", "building", "B1", "B2"),
    ]
    measures = {f[0]: f[4] for f in found}
    assert measures["duplicate_point"] == 1.5
    assert measures["gap"] == pytest.approx(20_000, rel=0.01)
    assert measures["outside_parent"] == pytest.approx(30_000, rel=0.01)
    assert measures["overlap"] == pytest.approx(100, rel=0.01)
    located = read("select feature_code, community_code, is_geometry_valid from spatiotemporal.map_features order by 1")
    assert located == [
        ("B1", LEFT, True), ("B2", LEFT, True), ("B3", LEFT, True), ("B4", LEFT, False), ("G1", RIGHT, True),
    ]  # fmt: skip
    assert read("select community_code, origin_crs from spatiotemporal.cameras") == [(RIGHT, "GCJ02")]
    _divisions(settings, read)
    _lists(read)
    _layers(settings, tmp_path)
    _picture(settings, tmp_path)


def _divisions(settings: Settings, read: Callable[[str], list[tuple[Any, ...]]]) -> None:
    from warehouse.places import area_polygons, division_on

    counts = dict(read("select level, count(*) from spatiotemporal.divisions where is_current group by all"))
    assert (counts["street"], counts["community"], counts["district"]) == (15, 263, 16)
    for code, day, held in (
        ("110104", date(2010, 6, 30), True), ("110104", date(2010, 7, 1), False), ("110228", date(2015, 10, 31), True),
        ("110228", date(2016, 1, 1), False), ("110118", date(2016, 1, 1), True), ("110112", date(1996, 6, 1), False),
        ("110112", date(1997, 6, 1), None), ("110112", date(1998, 6, 1), True),
        ("110102020027", date(2016, 7, 31), True), ("110102020027", date(2020, 1, 1), None),
        ("110102020027", date(2026, 6, 30), False), ("110102020908", date(2016, 7, 31), False),
    ):  # fmt: skip
        (told,) = division_on(settings, code, day)
        assert told["is_valid"] is held, (code, day)
    (old,) = division_on(settings, "宣武区", date(2009, 1, 1))
    assert "并入 110102 西城区" in old["changes"][0]
    assert set(area_polygons(settings, "community")) == {LEFT, RIGHT}
    with pytest.raises(UnknownName):
        division_on(settings, "110999", date(2020, 1, 1))


def _lists(read: Callable[[str], list[tuple[Any, ...]]]) -> None:
    outlines = "select division_code, source_feed, origin_crs, accuracy_m from spatiotemporal.divisions "
    assert read(outlines + "where level = 'district' and geom_cgcs2000 is not null order by 1") == [
        ("110101", "planning__district_boundaries", "GCJ02", 100.0),
        ("110102", "planning__district_fence", "GCJ02", 50.0),
    ], "the district's own outline goes before the one among all districts"
    listed = "select division_name, division_code, is_known, is_current from spatiotemporal.division_lists order by all"
    assert read(listed) == [
        ("宣武区", "110104", True, False), ("市辖区", "110100", False, False),
        ("府右街南社区", LEFT, True, True), ("无此社区", None, False, False), ("西城区", "110102", True, True),
    ]  # fmt: skip
    stops = "select line_name, stop_name, previous_stop_name, next_stop_name, stops_count, lines_at_stop_count "
    assert read(stops + "from spatiotemporal.bus_line_stops order by line_name, stop_number") == [
        ("101", "西四", None, "西单", 3, 1), ("101", "西单", "西四", "和平门", 3, 2), ("101", "和平门", "西单", None, 3, 1),
        ("22", "西单", None, "前门", 2, 2), ("22", "前门", "西单", None, 2, 1),
    ]  # fmt: skip


def _layers(settings: Settings, folder: Path) -> None:
    import geopandas
    import mapbox_vector_tile
    from pmtiles.reader import MmapSource, Reader, all_tiles

    from warehouse.map_layers import read_layer, write_layer

    assert write_layer(settings, "buildings", folder / "b.parquet") == 3
    back = geopandas.read_parquet(folder / "b.parquet")
    assert back.crs.to_epsg() == 4490
    assert sorted(back["feature_code"]) == ["B1", "B2", "B4"]
    assert set(read_layer(settings, "buildings", on=date(2026, 2, 1))["feature_code"]) == {"B1", "B2", "B3", "B4"}
    assert read_layer(settings, "buildings", on=date(2025, 1, 1)).empty
    assert write_layer(settings, "poi", folder / "p.geojson") == 5
    document = json.loads((folder / "p.geojson").read_text("utf-8"))
    assert {f["properties"]["point_code"] for f in document["features"]} == {"P1", "P2", "P3", "P4", "P5"}
    assert write_layer(settings, "green", folder / "g.pmtiles") == 1
    with (folder / "g.pmtiles").open("rb") as file:
        source = MmapSource(file)
        tiles = dict(all_tiles(source))
        assert {z for z, _, _ in tiles} == {13, 14, 15}, "farther out it is smaller than two pixels"
        assert Reader(source).metadata()["name"] == "green"
    import gzip

    (feature,) = mapbox_vector_tile.decode(gzip.decompress(tiles[min(tiles)]))["green"]["features"]
    assert feature["properties"]["feature_code"] == "G1"
    with pytest.raises(InputError, match=r"not \.txt"):
        write_layer(settings, "green", folder / "g.txt")
    with pytest.raises(InputError, match="no shapes"):
        write_layer(settings, "water", folder / "w.geojson")
    with pytest.raises(UnknownName, match="no layer"):
        read_layer(settings, "cameras")


def _picture(settings: Settings, folder: Path) -> None:
    from lakehouse.drawing.layers import draw_layer

    assert draw_layer(settings, "buildings", folder / "b.png") == 3
    assert (folder / "b.png").read_bytes().startswith(b"\x89PNG")
    assert draw_layer(settings, "poi", folder / "p.png") == 4  # the fifth lies 4 km beyond the district
    with pytest.raises(InputError, match="no column"):
        draw_layer(settings, "buildings", folder / "b.png", colour="phase")

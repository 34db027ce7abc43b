"""Maps in every form and system: told by content, moved to CGCS2000, layers taken on purpose, nothing followed."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # many small loads: a minute in all with the others of its kind

Build = Callable[[str], Any]

FIELDS = """
load: {mode: snapshot}
elements: {note: {label: 名称, grade: 1}, layer_name: {label: 图层, grade: 1}}
fields:
  note: {from: 名称, required: true}
  geom_cgcs2000: {from: geometry, required: true}
"""
HERE = (116.36, 39.9)


def house_of(build: Build, contracts: dict[str, str], fmt: str = "", more: str = "") -> Any:
    return build(contracts["head"] + f"format: {{type: vector{', ' * bool(fmt)}{fmt}}}" + FIELDS + more)


def refused(result: Any, *words: str) -> None:
    assert result.verdict == "stopped", result
    assert result.rows_loaded == 0
    for word in words:
        assert word in result.message, result.message


def frame(crs: int | None = 4490, at: tuple[float, float] = HERE) -> Any:
    import geopandas as gpd
    import shapely

    made = gpd.GeoDataFrame({"名称": ["甲", "乙"]}, geometry=[shapely.Point(at), shapely.Point(at)], crs=4490)
    return made.to_crs(crs) if crs else made


def written(folder: Path, made: Any, driver: str, **options: Any) -> bytes:
    suffix = {"GPKG": "gpkg", "LIBKML": "kml", "GML": "gml", "GeoJSON": "geojson"}[driver]
    path = folder / f"made.{suffix}"
    made.to_file(path, driver=driver, **options)
    return path.read_bytes()


def shapefile(folder: Path, made: Any, name: str = "街道", *, without: tuple[str, ...] = (".cpg",)) -> bytes:
    made.to_file(folder / f"{name}.shp", driver="ESRI Shapefile", encoding="GB18030")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for part in sorted(folder.glob(f"{name}.*")):
            if part.suffix not in without:
                z.write(part, part.name)
    return out.getvalue()


def places(house: Any) -> list[tuple[float, float]]:
    import shapely

    points = [shapely.from_wkb(bytes(b)) for (b,) in house.rows("geom_cgcs2000")]
    return [(round(p.x, 6), round(p.y, 6)) for p in points]


@pytest.mark.parametrize("name", ["a.csv", "图"])
@pytest.mark.parametrize(("driver", "crs"), [("GPKG", 4548), ("LIBKML", 4326), ("GML", 4490), ("GML", 4527)])
def test_told_by_content_whatever_the_name(
    build: Build, contracts: dict[str, str], tmp_path: Path, driver: str, crs: int, name: str
) -> None:
    more = "ignore: [id, Name, description, gml_id]\n"
    house = house_of(build, contracts, more=more)
    result = house.send(written(tmp_path, frame(crs), driver), name)
    assert (result.rows_found, result.rows_loaded) == (2, 2), result
    assert (result.about["crs"], places(house)) == (f"EPSG:{crs}", [HERE, HERE])
    landed = [p.name for p in house.settings.landing.rglob("*") if p.is_file()]
    assert sorted(landed) == sorted([name, "outcome.json", "receipt.json"])  # nothing is written beside it


def test_kmz_and_packed_maps(build: Build, contracts: dict[str, str], tmp_path: Path) -> None:
    import gzip

    house = house_of(build, contracts, more="ignore: [id, Name, description]\n")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("doc.kml", written(tmp_path, frame(4326), "LIBKML"))
        z.writestr("files/icon.png", b"\x89PNG")
    assert house.send(out.getvalue(), "a.kmz").rows_loaded == 2
    assert house.send(gzip.compress(written(tmp_path, frame(4326), "GeoJSON")), "a.gz").rows_loaded == 2


@pytest.mark.parametrize(("epsg", "shown"), [(4527, "EPSG:4527"), (4528, "EPSG:4528"), (4498, "EPSG:4498")])
def test_the_zone_is_told_by_the_false_easting(
    build: Build, contracts: dict[str, str], tmp_path: Path, epsg: int, shown: str
) -> None:
    house = house_of(build, contracts)
    result = house.send(shapefile(tmp_path, frame(epsg), without=(".cpg", ".prj")), "a.zip")
    assert (result.rows_loaded, result.about["crs"]) == (2, shown), result
    assert "zone" in result.about["crs_found_by"]
    assert places(house) == [HERE, HERE]


def test_every_zone_of_the_country() -> None:
    from pyproj import Transformer

    from ingestion.formats.crs import zone_crs

    for zone in range(25, 46):
        move = Transformer.from_crs(4490, 4513 + zone - 25, always_xy=True)
        x, y = move.transform(zone * 3 + 0.4, 35.0)
        assert zone_crs((x, y, x + 1000, y + 1000)) == f"EPSG:{4513 + zone - 25}"
    for zone in range(13, 24):
        move = Transformer.from_crs(4490, 4491 + zone - 13, always_xy=True)
        x, y = move.transform(zone * 6 - 3 + 0.4, 35.0)
        assert zone_crs((x, y, x + 1000, y + 1000)) == f"EPSG:{4491 + zone - 13}"
    assert zone_crs((116.0, 39.0, 117.0, 40.0)) is None
    assert zone_crs((445_000.0, 4_400_000.0, 446_000.0, 4_500_000.0)) is None


def test_a_map_that_does_not_say_its_system_is_refused_with_what_its_numbers_look_like(
    build: Build, contracts: dict[str, str], tmp_path: Path
) -> None:
    house = house_of(build, contracts)
    bare = (".cpg", ".prj")
    refused(house.send(shapefile(tmp_path, frame(4548), without=bare), "a.zip"), "no coordinate system", "EPSG:4548")
    refused(house.send(shapefile(tmp_path, frame(4490), without=bare), "b.zip"), "the numbers are degrees")


def test_a_map_whose_statement_contradicts_its_numbers_is_refused(
    build: Build, contracts: dict[str, str], tmp_path: Path
) -> None:
    house = house_of(build, contracts, "crs: EPSG:4490")
    refused(house.send(shapefile(tmp_path, frame(4527)), "a.zip"), "outside China", "EPSG:4527")
    abroad = house_of(build, contracts, "crs: EPSG:4999999")
    refused(abroad.send(shapefile(tmp_path, frame(4527)), "b.zip"), "no coordinate system")


@pytest.mark.parametrize("crs", ["GCJ02", "BD09"])
def test_declared_chinese_systems(build: Build, contracts: dict[str, str], tmp_path: Path, crs: str) -> None:
    from quality.coordinates import wgs84_to_bd09, wgs84_to_gcj02

    lon, lat = (wgs84_to_gcj02 if crs == "GCJ02" else wgs84_to_bd09)([HERE[0]], [HERE[1]])
    house = house_of(build, contracts, f"crs: {crs}")
    house.send(written(tmp_path, frame(4490, (lon[0], lat[0])), "GPKG"), "a.gpkg")
    assert places(house) == [HERE, HERE]


def layered(folder: Path, crs: int = 4490) -> bytes:
    for layer in ("东片", "西片"):
        content = written(folder, frame(crs), "GPKG", layer=layer)
    return content


def test_layers_are_taken_on_purpose(build: Build, contracts: dict[str, str], tmp_path: Path) -> None:
    content = layered(tmp_path)
    refused(house_of(build, contracts).send(content, "a.gpkg"), "2 layers (东片, 西片)", "format.sheets")
    house = house_of(build, contracts, "sheets: all, part_column: 图层", "  layer_name: {from: 图层}\n")
    result = house.send(content, "b.gpkg")
    assert (result.rows_found, result.rows_loaded) == (4, 4)
    assert {r[0] for r in house.rows("layer_name")} == {"东片", "西片"}
    (tmp_path / "made.gpkg").unlink()
    again = layered(tmp_path, 4548)
    assert house_of(build, contracts, "sheets: [西片]").send(again, "c.gpkg").rows_loaded == 2
    (tmp_path / "made.gpkg").unlink()
    third = layered(tmp_path, 4527)
    refused(house_of(build, contracts, "sheets: [南片]").send(third, "d.gpkg"), "no layer 南片")


def test_two_shapefiles_in_one_archive(build: Build, contracts: dict[str, str], tmp_path: Path) -> None:
    shapefile(tmp_path, frame(), "甲")
    shapefile(tmp_path, frame(4527), "乙")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for part in sorted(tmp_path.glob("[甲乙].*")):
            z.write(part, part.name)
    refused(house_of(build, contracts).send(out.getvalue(), "a.zip"), "2 layers")
    house = house_of(build, contracts, "sheets: all")
    assert house.send(out.getvalue(), "b.zip").rows_loaded == 4
    assert set(places(house)) == {HERE}


# --- hostile and broken


@pytest.mark.parametrize(
    "content",
    [
        '<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>/etc/passwd</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>',
        '{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read /etc/passwd", "x": {"type": "FeatureCollection"}}',
        '{"type": "FeatureCollection", "features": [], "y": {"type": "gdal_streamed_alg"}}',
        "<!DOCTYPE kml [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><kml><Document><name>&x;</name></Document></kml>",
        "SQLite format 3\0 but no map",
        "名称,x,y\n甲,1,2\n",
    ],
)
def test_what_gdal_would_follow_run_or_guess_is_not_given_to_it(
    build: Build, contracts: dict[str, str], content: str
) -> None:
    refused(house_of(build, contracts).send(content, "a.geojson"))


def test_broken_maps(build: Build, contracts: dict[str, str], tmp_path: Path) -> None:
    house = house_of(build, contracts)
    gpkg = written(tmp_path, frame(), "GPKG")
    refused(house.send(gpkg[: len(gpkg) // 3], "a.gpkg"))
    geojson = written(tmp_path, frame(4326), "GeoJSON")
    refused(house.send(geojson[:-40], "b.geojson"), "GDAL cannot read")
    refused(house.send(shapefile(tmp_path, frame(), without=(".shx", ".dbf")), "c.zip"), ".shx")
    kml = written(tmp_path, frame(4326), "LIBKML")
    refused(house.send(kml[: len(kml) // 2], "d.kml"))


def kml(data: str, encoding: str = "UTF-8") -> bytes:
    mark = f"<Placemark><name>甲</name><ExtendedData>{data}</ExtendedData><Point><coordinates>{HERE[0]},{HERE[1]}"
    text = f'<?xml version="1.0" encoding="{encoding}"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
    return f"{text}{mark}</coordinates></Point></Placemark></Document></kml>".encode(encoding)


@pytest.mark.parametrize("encoding", ["UTF-8", "GB18030"])
@pytest.mark.parametrize("name", ["编号", "a b", "编&amp;号", "code"])
def test_names_of_data_in_kml_are_what_they_are(
    build: Build, contracts: dict[str, str], name: str, encoding: str
) -> None:
    known = name.replace("&amp;", "&")
    house = build(
        contracts["head"]
        + "format: {type: vector}\nload: {mode: snapshot}\nignore: [id, Name, description]\n"
        + "elements: {note: {label: 名称, grade: 1}, code_text: {label: 编号, grade: 1}}\n"
        + f'fields: {{note: {{from: "{known}"}}, code_text: {{from: 街道}}, geom_cgcs2000: {{from: geometry}}}}\n'
    )
    data = f"<Data name='{name}'><value>1</value></Data>"
    data += '<Data name="街道"><displayName>街</displayName><value>2</value></Data>'
    result = house.send(kml(data, encoding), "a.kml")
    assert (result.rows_loaded, house.rows("note, code_text")) == (1, [("1", "2")]), result.message


def test_a_feature_without_a_shape_is_one_rejected_row(build: Build, contracts: dict[str, str]) -> None:
    features = [
        {"type": "Feature", "properties": {"名称": "甲"}, "geometry": {"type": "Point", "coordinates": list(HERE)}},
        {"type": "Feature", "properties": {"名称": "乙"}, "geometry": None},
    ]
    house = house_of(build, contracts)
    result = house.send(json.dumps({"type": "FeatureCollection", "features": features}), "a.geojson")
    assert (result.rows_found, result.rows_loaded, result.reasons) == (2, 1, {"geom_cgcs2000.required": 1})


@pytest.mark.parametrize("type_last", [False, True])
def test_topojson_is_a_map_and_not_a_list_of_arcs(build: Build, contracts: dict[str, str], type_last: bool) -> None:
    arc = [[0, 0], [100, 0], [0, 100], [-100, -100]]
    shapes = [{"type": "Polygon", "arcs": [[0]], "properties": {"名称": "甲"}}]
    told = {
        "transform": {"scale": [0.0001, 0.0001], "translate": list(HERE)},
        "objects": {"街道": {"type": "GeometryCollection", "geometries": shapes}},
        "arcs": [arc],
    }
    told = {**told, "type": "Topology"} if type_last else {"type": "Topology", **told}
    result = house_of(build, contracts, more="ignore: [id]\n").send(json.dumps(told, ensure_ascii=False), "a.json")
    assert (result.rows_found, result.rows_loaded, result.reasons) == (1, 1, {})


def test_the_real_shapefile_and_the_real_geojson(build: Build, contracts: dict[str, str], shared_data: Path) -> None:
    house = build(
        contracts["head"]
        + "format: {type: vector}\nload: {mode: snapshot}\n"
        + "elements: {note: {label: 名称, grade: 1}}\nignore: [街道代码, adcode]\ndrift: {columns: evolve}\n"
        + "fields: {note: {from: [街道名称, name]}, geom_cgcs2000: {from: geometry, required: true}}\n"
    )
    for name in ("xicheng_streets_gbkdbf_cgcs2000_shp.zip", "xicheng_15_streets_osm_wgs84.geojson"):
        result = house.send((shared_data / "geo" / name).read_bytes(), name)
        assert (result.rows_found, result.rows_loaded) == (15, 15)
        assert ("广安门内街道",) in house.rows("note")

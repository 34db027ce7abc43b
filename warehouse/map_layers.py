"""Layers of the base map as frames and files: GeoParquet, GeoJSON, PMTiles.

A layer is a question about one library table; its rows are those that are in force on a day. Layers above grade 2 are
not handed out here.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from catalog.errors import InputError, UnknownName
from catalog.settings import Settings
from warehouse.places import open_table, scan

if TYPE_CHECKING:
    import geopandas


class Layer(NamedTuple):
    """One layer: its Chinese title, table, condition, and the columns that go with each shape.

    Attributes:
        colour_by: column whose values are told apart by colour, empty for one colour.
        dated: whether rows have ``valid_from`` and ``valid_to``.
        at: columns of longitude and latitude where rows are points without a geometry column.
    """

    title: str
    table: str
    where: str
    columns: tuple[str, ...]
    colour_by: str = ""
    dated: bool = True
    at: tuple[str, str] | None = None


_FEATURE = (
    "feature_code",
    "feature_name",
    "feature_class",
    "street_code",
    "community_code",
    "valid_from",
    "origin_crs",
    "accuracy_m",
    "source_feed",
)
_POINT = (
    "point_code",
    "class_code",
    "point_name",
    "street_code",
    "community_code",
    "valid_from",
    "origin_crs",
    "accuracy_m",
    "source_feed",
)
_DIVISION = (
    "division_code",
    "division_name",
    "parent_code",
    "valid_from",
    "area_m2",
    "origin_crs",
    "accuracy_m",
    "source_feed",
)
_AT = ("longitude_cgcs2000", "latitude_cgcs2000")
LAYERS: dict[str, Layer] = {
    "districts": Layer("区界", "spatiotemporal.divisions", "level = 'district'", _DIVISION, "division_name"),
    "streets": Layer("街道", "spatiotemporal.divisions", "level = 'street'", _DIVISION, "division_name"),
    "communities": Layer("社区", "spatiotemporal.divisions", "level = 'community'", _DIVISION, "parent_code"),
    "community_middles": Layer(
        "社区中心", "spatiotemporal.divisions", "level = 'community'", _DIVISION[:4], "parent_code", at=_AT
    ),
    "enrolment_areas": Layer(
        "入学划片地址",
        "spatiotemporal.address_areas",
        "true",
        (
            "area_id",
            "piece_number",
            "name",
            "number_from",
            "number_to",
            "stated_year",
            "community_code",
            "community_name",
        ),
        "community_name",
        False,
        _AT,
    ),
    "grid_cells": Layer(
        "单元网格",
        "spatiotemporal.grid_cells",
        "true",
        ("grid_code", "grid_name", "community_code", "street_code", "area_m2"),
        "street_code",
        False,
    ),
    "buildings": Layer(
        "建筑",
        "spatiotemporal.map_features",
        "layer_code = 'building'",
        (*_FEATURE, "floors_count", "height_m", "area_m2"),
        "feature_class",
    ),
    "roads": Layer(
        "道路",
        "spatiotemporal.map_features",
        "layer_code = 'road'",
        (*_FEATURE, "width_m", "length_m"),
        "feature_class",
    ),
    "green": Layer(
        "绿地", "spatiotemporal.map_features", "layer_code = 'green'", (*_FEATURE, "area_m2"), "feature_class"
    ),
    "water": Layer("水系", "spatiotemporal.map_features", "layer_code = 'water'", (*_FEATURE, "area_m2"), ""),
    "house_numbers": Layer(
        "门牌",
        "spatiotemporal.addresses",
        "true",
        (
            "address_code",
            "standard_address",
            "lane_name",
            "house_number",
            "street_code",
            "community_code",
            "collected_date",
        ),
        "",
        False,
    ),
    "poi": Layer("兴趣点", "spatiotemporal.map_points", "layer_code = 'poi'", (*_POINT, "address"), "class_code"),
    "components": Layer("城市部件", "spatiotemporal.map_points", "layer_code = 'component'", _POINT, "class_code"),
    "sensors": Layer("感知设备", "spatiotemporal.map_points", "layer_code = 'sensor'", _POINT, "class_code"),
}
CHUNK = 5_000


def layer(name: str) -> Layer:
    """The layer called ``name``.

    Raises:
        UnknownName: there is none.
    """
    if name not in LAYERS:
        raise UnknownName(f"there is no layer {name!r}", hint=f"one of: {', '.join(LAYERS)}")
    return LAYERS[name]


def read_layer(settings: Settings, name: str, *, on: date | None = None) -> geopandas.GeoDataFrame:
    """The shapes of a layer that are in force on a day (None: now), CGCS2000; rows without a shape are left out.

    Raises:
        UnknownName: no such layer, or its table is not built.
    """
    import geopandas
    import shapely

    it = layer(name)
    # all names and conditions below are this module's own; the day is a parameter
    shape = it.at or ("geom_cgcs2000",)
    sql = f"SELECT {', '.join((*it.columns, *shape))} FROM {scan(settings, it.table)} "  # noqa: S608
    sql += f"WHERE {it.where} AND {shape[0]} IS NOT NULL"
    values: dict[str, Any] = {}
    if it.dated and on is None:
        sql += " AND is_current"
    elif it.dated:
        sql += " AND (valid_from IS NULL OR valid_from <= $on) AND (valid_to IS NULL OR valid_to > $on)"
        values["on"] = on
    con = open_table(settings)
    try:
        table = con.execute(f"{sql} ORDER BY {', '.join(it.columns[:2])}", values).to_arrow_table()
    finally:
        con.close()
    frame = table.drop_columns(list(shape)).to_pandas()
    found = [table[column].to_pylist() for column in shape]
    shapes = shapely.points(*found) if it.at else shapely.from_wkb(found[0])
    return geopandas.GeoDataFrame(frame, geometry=shapes, crs="EPSG:4490")


def write_layer(settings: Settings, name: str, out: Path, *, on: date | None = None) -> int:
    """Write a layer as GeoParquet, GeoJSON or PMTiles, as the suffix says; atomic.

    GeoParquet keeps CGCS2000 (EPSG:4490); GeoJSON and PMTiles state WGS 84, which agrees to centimetres.

    Returns:
        shapes written.

    Raises:
        InputError: another suffix, or nothing to write.
        UnknownName: no such layer.
    """
    writers = {".parquet": _geoparquet, ".geojson": _geojson, ".pmtiles": _pmtiles}
    write = writers.get(out.suffix.lower())
    if write is None:
        raise InputError(
            f"a layer is written as {', '.join(writers)}, not {out.suffix or 'without suffix'}",
            hint="--out NAME.pmtiles",
        )
    frame = read_layer(settings, name, on=on)
    if frame.empty:
        raise InputError(
            f"layer {name} has no shapes on that day", hint="ingest its feeds and build, or ask another day"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    try:
        write(frame, name, part)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return len(frame)


def _geoparquet(frame: Any, name: str, path: Path) -> None:
    frame.to_parquet(path, index=False, write_covering_bbox=True)


def _plain(value: Any) -> Any:
    if value is None or value != value:  # NaN
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value


def _properties(frame: Any) -> list[dict[str, Any]]:
    records = frame.drop(columns="geometry").to_dict("records")
    return [{k: _plain(v) for k, v in r.items() if str(v) != "NaT"} for r in records]


def _geojson(frame: Any, name: str, path: Path) -> None:
    import shapely

    shapes = shapely.to_geojson(shapely.set_precision(frame.geometry.to_numpy(), 1e-8, mode="pointwise"))
    features = [
        {"type": "Feature", "properties": p, "geometry": json.loads(g)}
        for p, g in zip(_properties(frame), shapes, strict=True)
    ]
    document = {"type": "FeatureCollection", "name": name, "features": features}
    path.write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def _pmtiles(frame: Any, name: str, path: Path) -> None:
    import shapely

    from warehouse.duck import connect
    from warehouse.vector_tiles import write_pmtiles

    rows = list(zip(shapely.to_wkb(frame.geometry.to_numpy()).tolist(), _properties(frame), strict=True))
    fields = {c: "Number" if frame[c].dtype.kind in "if" else "String" for c in frame.columns if c != "geometry"}
    with connect() as con:
        chunks = (rows[i : i + CHUNK] for i in range(0, len(rows), CHUNK))
        write_pmtiles(path, chunks, con, name=name, fields=fields, attribution=layer(name).title)

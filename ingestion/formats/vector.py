"""Vector maps through GDAL (GeoJSON, TopoJSON, zipped Shapefile, GeoPackage, KML, KMZ, GML); shapes become CGCS2000.

GDAL chooses its driver by a file's name too (a GeoJSON called ``.csv`` is read as lines), follows
references, and writes beside what it reads. So it is given a copy or link of our own naming, in a folder that is
thrown away, and only kinds told by content.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from catalog.errors import InputError
from catalog.model import Format
from ingestion.formats.archive import unpack
from ingestion.formats.base import BAD_RECORD, Opened, make_batch
from ingestion.formats.crs import to_hex
from ingestion.formats.header import Wanted, normalise, unique_columns
from ingestion.formats.kinds import Kind, check_kind
from ingestion.formats.kml_names import prepared
from ingestion.formats.several import Part, several
from ingestion.formats.xml import refuse_doctype

TARGET = "EPSG:4490"
_SUFFIX = {"geojson": ".geojson", "topojson": ".topojson", "geopackage": ".gpkg", "kml": ".kml", "gml": ".gml"}
_DECORATION = frozenset({
    "timestamp", "begin", "end", "altitudemode", "tessellate", "extrude", "visibility", "draworder", "icon",
    "lowercorner", "uppercorner",
})  # fmt: skip
"""Columns GDAL makes of how a KML is drawn, and of the boxes around GML features."""


class Layer(NamedTuple):
    """A layer to read: its name for people, GDAL's place and number of it, its codec, true names of its columns."""

    name: str
    place: str
    inner: int
    encoding: str | None
    names: Mapping[str, str] = {}


def read(path: Path, fmt: Format, wanted: Wanted) -> Opened:
    """Open the layer, or the layers ``fmt.sheets`` says, of a vector file; ``geometry`` is hexadecimal WKB.

    The coordinate system is the contract's, else the file's, else the zone the coordinates carry;
    GeoJSON without one is WGS 84 (RFC 7946).

    Raises:
        InputError: unreadable, no layer or several undeclared, or no coordinate system.
    """
    kind = check_kind(path, "vector")
    with tempfile.TemporaryDirectory(prefix="map-") as folder:
        layers = _chosen(_layers(path, fmt, kind, Path(folder)), fmt)
        parts = [Part(layer.name, partial(_keep, _read_layer(layer, fmt, wanted, kind))) for layer in layers]
    if len(parts) == 1 and fmt.part_column is None:
        return parts[0].open()
    return several(parts, wanted, what="layer", label=fmt.part_column)


def layer_names(path: Path) -> list[str]:
    """The names of a map's layers, in its order.

    Raises:
        InputError: GDAL cannot read it.
    """
    with tempfile.TemporaryDirectory(prefix="map-") as folder:
        kind = check_kind(path, "vector")
        return [layer.name for layer in _layers(path, Format(type="vector"), kind, Path(folder))]


class _Read(NamedTuple):
    columns: tuple[str, ...]
    batches: list[pa.RecordBatch]
    about: dict[str, Any]


def _keep(one: _Read) -> Opened:
    return Opened(one.columns, iter(one.batches), dict(one.about))


def _layers(path: Path, fmt: Format, kind: Kind, folder: Path) -> list[Layer]:
    if kind == "shapefile-zip":
        members = unpack(path, fmt, folder).members
        shapes = [m for m in members if m.name.lower().endswith(".shp")]
        if not shapes:
            raise InputError("the archive has no .shp that matches format.members", hint="correct format.members")
        return [Layer(Path(m.name).stem, str(m.path), 0, _dbf_encoding(m.path, fmt)) for m in shapes]
    if kind == "kmz":
        members = [m for m in unpack(path, fmt, folder).members if m.name.lower().endswith(".kml")]
        main = next((m for m in members if m.name.lower() == "doc.kml"), None)
        path = main.path if main else path
        kind = "kml"
    if kind in ("kml", "gml"):
        refuse_doctype(path)
    place = folder / f"map{_SUFFIX[kind]}"
    if kind == "geopackage":
        shutil.copyfile(path, place)
    else:
        place.symlink_to(path.resolve())
    encoding = None if fmt.encoding == "auto" else fmt.encoding
    place, true = prepared(place, folder / "plain.kml") if kind == "kml" else (place, {})
    names = [str(n) for n, _ in _gdal("list_layers", str(place))]
    return [Layer(n, str(place), i, encoding, true) for i, n in enumerate(names)]


def _chosen(layers: Sequence[Layer], fmt: Format) -> list[Layer]:
    """The layers of the contract; one is taken unasked when it is the only one.

    Raises:
        InputError: there is none, or several that the contract does not mention.
    """
    names = [layer.name for layer in layers]
    shown = ", ".join(names[:10])
    if not layers:
        raise InputError("the map has no layer", hint="ask the department for it again")
    wish = fmt.sheets
    if wish is None:
        if isinstance(fmt.sheet, str):
            wish = (fmt.sheet,)
        elif len(layers) > 1:
            raise InputError(
                f"the map has {len(layers)} layers ({shown})", hint="set format.sheets to all, or to the names wanted"
            )
    if isinstance(wish, tuple):
        missing = [n for n in wish if n not in names]
        if missing:
            raise InputError(
                f"the map has no layer {', '.join(missing)} (it has {shown})", hint="correct format.sheets"
            )
        return [layer for n in wish for layer in layers if layer.name == n]
    found = [layer for layer in layers if wish in (None, "all") or re.search(str(wish), layer.name)]
    if not found:
        raise InputError(f"no layer matches format.sheets (there: {shown})", hint="correct format.sheets")
    return found


def _gdal(call: str, place: str, **options: Any) -> Any:
    """What pyogrio's ``call`` gives.

    Raises:
        InputError: GDAL cannot read the file.
    """
    import pyogrio

    if place.endswith(".gml") and call == "read_arrow":
        options |= {"DOWNLOAD_SCHEMA": "NO", "WRITE_GFS": "NO"}
    if place.endswith(".geojson") and call == "read_arrow":
        options["DATE_AS_STRING"] = "YES"  # GDAL makes 1 July of 2026-06-31; as text the type rule finds it
    errors = (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError, KeyError, pa.ArrowException)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return getattr(pyogrio, call)(place, **options)
    except errors as e:
        raise InputError(
            "GDAL cannot read the file as a map", hint="check that all parts (.shp .shx .dbf .prj) are there and whole"
        ) from e


def _read_layer(layer: Layer, fmt: Format, wanted: Wanted, kind: Kind) -> _Read:
    meta, table = _gdal("read_arrow", layer.place, layer=layer.inner, encoding=layer.encoding)
    geometry = meta.get("geometry_name") or "wkb_geometry"
    kept = wanted.names()
    names = [
        n
        for n in table.column_names
        if n not in (geometry, meta.get("fid_column"))
        and not (kind in ("kml", "kmz", "gml") and n.lower() in _DECORATION and normalise(n) not in kept)
    ]
    texts = [_as_text(table[n]) for n in names]
    rows = table.num_rows
    crs, broken, shapes = str(meta.get("crs") or ""), list[int](), pa.nulls(rows, pa.string())
    default = "EPSG:4326" if kind in ("geojson", "topojson", "kml", "kmz") else None
    if geometry in table.column_names:
        shapes, broken, crs = to_hex(table[geometry], fmt.crs, meta.get("crs"), default)
    about = {"encoding": layer.encoding or meta.get("encoding"), "crs": crs, "geometry_type": meta.get("geometry_type")}
    if geometry in table.column_names and fmt.crs == "auto" and not meta.get("crs") and crs != default:
        about["crs_found_by"] = "the zone in the coordinates"
    columns = unique_columns([*(layer.names.get(n, n) for n in names), "geometry"])
    return _Read(columns, list(_batches(columns, texts, shapes, broken)), about)


def _batches(
    columns: Sequence[str], texts: list[pa.Array], shapes: pa.Array, broken: list[int]
) -> Iterator[pa.RecordBatch]:
    rows = len(shapes)
    if not rows:
        return
    problems: list[str | None] | None = None
    raws: list[str | None] | None = None
    if broken:
        problems, raws = [None] * rows, [None] * rows
        for i in broken:
            problems[i] = BAD_RECORD
            shown = {c: t[i].as_py() for c, t in zip(columns, texts, strict=False)}
            raws[i] = json.dumps(shown, ensure_ascii=False)
    yield make_batch(pa.array(range(1, rows + 1), pa.int64()), [*texts, shapes], problems, raws)


def _as_text(column: pa.ChunkedArray) -> pa.Array:
    from ingestion.formats.parquet import as_text

    return as_text(column.combine_chunks())


def _dbf_encoding(shape: Path, fmt: Format) -> str | None:
    """The encoding of a Shapefile's attributes: the contract's, the .cpg's (None), UTF-8 if they are, else GB18030."""
    if fmt.encoding != "auto":
        return fmt.encoding
    table = shape.with_suffix(".dbf")
    if shape.with_suffix(".cpg").exists() or not table.exists():
        return None
    try:
        table.read_bytes()[32:].decode("utf-8")
    except UnicodeDecodeError:
        return "GB18030"
    return "UTF-8"

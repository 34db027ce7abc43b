"""Vector maps through GDAL: GeoJSON, zipped Shapefile, GeoPackage; geometries become CGCS2000 WKB."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.errors import InputError
from catalog.model import Format
from ingestion.formats.base import Opened, make_batch, unique_columns
from ingestion.formats.header import Wanted
from ingestion.formats.kinds import check_archive, check_kind

TARGET = "EPSG:4490"


def read(path: Path, fmt: Format, wanted: Wanted) -> Opened:
    """Open the one layer of a vector file; the geometry is the column ``geometry``, hexadecimal WKB.

    The coordinate system is the contract's, else the file's; GeoJSON without one is WGS 84 (RFC 7946).

    Raises:
        InputError: unreadable, no layer, or no coordinate system in file and contract.
    """
    import pyogrio

    kind = check_kind(path, "vector")
    place = str(path)
    encoding: str | None = None if fmt.encoding == "auto" else fmt.encoding
    if kind in ("shapefile-zip", "zip"):
        check_archive(path, fmt.max_uncompressed_mb)
        place = f"/vsizip/{{{path}}}/{_shapefile_in(path)}" if kind == "shapefile-zip" else f"/vsizip/{{{path}}}"
        encoding = encoding or _dbf_encoding(path)
    try:
        info = pyogrio.read_info(place, encoding=encoding)
        crs = _source_crs(fmt.crs, info.get("crs"), kind)
        meta, table = pyogrio.read_arrow(place, encoding=encoding)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError) as e:
        raise InputError(
            "GDAL cannot read the file as a map", hint="check that all parts (.shp .shx .dbf .prj) are there"
        ) from e
    geometry = meta.get("geometry_name") or "wkb_geometry"
    names = [n for n in table.column_names if n not in (geometry, meta.get("fid_column"))]
    texts = [_as_text(table[n]) for n in names]
    shapes = _to_hex(table[geometry] if geometry in table.column_names else None, crs, table.num_rows)
    columns = unique_columns([*names, "geometry"])
    about = {"encoding": encoding or meta.get("encoding"), "crs": crs, "geometry_type": meta.get("geometry_type")}
    return Opened(columns, _batches(texts, shapes, table.num_rows), about)


def _batches(texts: list[pa.Array], shapes: pa.Array, rows: int) -> Iterator[pa.RecordBatch]:
    if rows:
        yield make_batch(pa.array(range(1, rows + 1), pa.int64()), [*texts, shapes])


def _as_text(column: pa.ChunkedArray) -> pa.Array:
    column = column.combine_chunks()
    if pa.types.is_nested(column.type):
        import json

        return pa.array([None if v is None else json.dumps(v, ensure_ascii=False) for v in column.to_pylist()])
    return column.cast(pa.string())


def _to_hex(column: Any, crs: str, rows: int) -> pa.Array:
    if column is None:
        return pa.nulls(rows, pa.string())
    import shapely

    from quality.coordinates import to_cgcs2000

    shapes = shapely.from_wkb(np.array(column.to_pylist(), dtype=object), on_invalid="ignore")
    moved = shapely.transform(
        shapely.force_2d(shapes), lambda xy: np.column_stack(to_cgcs2000(xy[:, 0], xy[:, 1], crs))
    )
    return pa.array(list(shapely.to_wkb(moved, hex=True, byte_order=1)), pa.string())


def _source_crs(declared: str, found: str | None, kind: str) -> str:
    if declared != "auto":
        return declared
    if found:
        return found
    if kind in ("geojson", "json"):
        return "EPSG:4326"
    raise InputError(
        "the map states no coordinate system", hint="set format.crs (EPSG:4490, EPSG:4326, GCJ02 …) in the contract"
    )


def _shapefile_in(path: Path) -> str:
    with zipfile.ZipFile(path) as z:
        shapes = [n for n in z.namelist() if n.lower().endswith(".shp")]
    if len(shapes) > 1:
        raise InputError(f"the archive holds {len(shapes)} Shapefiles", hint="ask for one layer an archive")
    return shapes[0]


def _dbf_encoding(path: Path) -> str | None:
    """The encoding of a Shapefile's attributes when no .cpg says it: UTF-8 when they are, else GB18030."""
    with zipfile.ZipFile(path) as z:
        names = {n.lower(): n for n in z.namelist()}
        if any(n.endswith(".cpg") for n in names):
            return None
        dbf = next((names[n] for n in names if n.endswith(".dbf")), None)
        if dbf is None:
            return None
        data = z.read(dbf)
    try:
        data[32:].decode("utf-8")
    except UnicodeDecodeError:
        return "GB18030"
    return "UTF-8"

"""Vector tiles: shapes with properties become one PMTiles archive (version 3) of Mapbox vector tiles (2.1).

Tiles are of web Mercator. The deepest zoom holds every shape, as exact as its grid (a tile is 4,096 units wide: 0.2 m
at 40° N). Above it lines and areas under two pixels are left out, corners that nobody could see are straightened, and
one point stands for those of the same four pixels. Equal rows give equal bytes.

Memory does not grow with the rows: each chunk is cut into pieces that go to a Parquet file, DuckDB sorts that by tile,
and one tile at a time is encoded.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from warehouse.duck import literal

if TYPE_CHECKING:
    import duckdb
    from numpy.typing import NDArray

ZOOMS = range(10, 16)
"""A district fills the window at 12; at 15 a tile is 940 m wide and shows single doors. Viewers enlarge beyond it."""
EXTENT = 4096
MARGIN = 64
"""Units that a shape reaches over the edge of its tile, so that outlines have no seams."""
PIXEL = EXTENT // 256
HALF_M = 20_037_508.342789244
"""Half the side of the web Mercator square, metres."""
_FETCH = 2_000

Row = tuple[bytes | None, dict[str, Any]]
"""WKB in degrees (CGCS2000 or WGS 84, which agree to centimetres), and the properties."""


class _Pieces(NamedTuple):
    """Shapes in units of their tiles. Row grain: a shape in a tile; ``row`` is its place in the chunk."""

    row: NDArray[np.int64]
    x: NDArray[np.int64]
    y: NDArray[np.int64]
    shapes: NDArray[Any]


def write_pmtiles(
    path: Path,
    rows: Iterable[list[Row]],
    con: duckdb.DuckDBPyConnection,
    *,
    name: str,
    fields: dict[str, str],
    attribution: str = "",
) -> None:
    """Write one archive with one layer.

    Args:
        path: the archive; ``path`` with ``.pieces`` behind it lies beside it meanwhile.
        rows: chunks of rows, in the order that numbers the features (``id``, from 0); rows without a shape have none.
        con: sorts the pieces; it should have a folder to spill to.
        name: of the layer and the archive; ``fields``: property to ``Number``, ``Boolean`` or ``String``.
    """
    pieces = path.with_name(f"{path.name}.pieces")
    try:
        bounds = _spool(pieces, rows)
        about = {"id": name, "fields": fields, "minzoom": ZOOMS.start, "maxzoom": ZOOMS.stop - 1}
        metadata = {"name": name, "attribution": attribution, "vector_layers": [about]}
        _archive(path, _encoded(pieces, con, name), bounds, metadata)
    finally:
        pieces.unlink(missing_ok=True)


def _spool(path: Path, rows: Iterable[list[Row]]) -> NDArray[np.float64]:
    """Cut the rows into pieces; returns west, south, east, north of all shapes in degrees (NaN of none)."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import shapely

    schema = pa.schema([("tile", pa.int64()), ("row", pa.int64()), ("shape", pa.binary()), ("said", pa.string())])
    bounds, first, seen = np.full(4, np.nan), 0, _Seen()
    with pq.ParquetWriter(path, schema, compression="zstd") as out:
        for chunk in rows:
            made = shapely.force_2d(shapely.from_wkb([wkb for wkb, _ in chunk]))
            there = np.flatnonzero(~shapely.is_missing(made) & ~shapely.is_empty(made))
            said = [json.dumps(_plain(p), ensure_ascii=False) for _, p in chunk]
            if len(there):
                new = shapely.total_bounds(made[there])
                bounds = np.concatenate([np.fmin(bounds[:2], new[:2]), np.fmax(bounds[2:], new[2:])])
                for zoom, part in _cut(shapely.make_valid(mercator(made[there])), there, seen):
                    texts = [said[i] for i in part.row]
                    shapes = shapely.to_wkb(part.shapes)
                    out.write(pa.table([_tile_ids(zoom, part), part.row + first, shapes, texts], schema=schema))
            first += len(chunk)
    return bounds


class _Seen(dict[int, set[int]]):
    """Zoom to the groups of pixels that a point stands for already."""

    def __missing__(self, zoom: int) -> set[int]:
        self[zoom] = set()
        return self[zoom]


def mercator(shapes: Any) -> Any:
    """Degrees to web Mercator metres."""
    import shapely

    def project(at: NDArray[np.float64]) -> NDArray[np.float64]:
        y = np.log(np.tan(np.pi / 4 + np.radians(at[:, 1]) / 2))
        return np.column_stack([at[:, 0] / 180 * HALF_M, y / np.pi * HALF_M])

    return shapely.transform(shapes, project)


def _plain(properties: dict[str, Any]) -> dict[str, Any]:
    """Without empty values, which a tile cannot hold."""
    return {k: v for k, v in properties.items() if v is not None}


def _cut(shapes: Any, row: NDArray[np.int64], seen: _Seen) -> Iterator[tuple[int, _Pieces]]:
    """The pieces of each zoom: points (they stand in one tile each), then lines and areas."""
    import shapely

    is_point = shapely.get_type_id(shapes) == 0
    bounds = shapely.bounds(shapes)
    size = np.maximum(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1])
    for zoom in ZOOMS:
        side, deepest = 2 * HALF_M / 2**zoom, zoom == ZOOMS.stop - 1
        points = np.flatnonzero(is_point)
        if not deepest:
            points = points[_first_of(shapely.get_coordinates(shapes[points]), side / 64, seen[zoom])]
        if len(points):
            x, y = _tile_of(bounds[points, 0], bounds[points, 3], side)
            yield zoom, _Pieces(row[points], x, y, _on_grid(shapes[points], x, y, side))
        wide = np.flatnonzero(~is_point & (deepest | (size >= side / 128)))
        if len(wide):
            where, x, y = _tiles_met(bounds[wide], side)
            yield zoom, _areas(shapes[wide], row[wide], where, x, y, side, deepest=deepest)


def _first_of(at: NDArray[np.float64], cell_m: float, taken: set[int]) -> list[int]:
    """Which points are the first of their cell."""
    cells = np.floor((at + HALF_M) / cell_m).astype(np.int64)
    keys = cells[:, 0] * (1 << 32) + cells[:, 1]
    kept = [i for i in np.sort(np.unique(keys, return_index=True)[1]).tolist() if int(keys[i]) not in taken]
    taken.update(int(keys[i]) for i in kept)
    return kept


def _tile_of(x_m: Any, y_m: Any, side: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.floor((x_m + HALF_M) / side).astype(np.int64), np.floor((HALF_M - y_m) / side).astype(np.int64)


def _tiles_met(
    bounds: NDArray[np.float64], side: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Place of the shape, and column and row of every tile that its bounds with their margin meet."""
    over = side * MARGIN / EXTENT
    x0, y0 = _tile_of(bounds[:, 0] - over, bounds[:, 3] + over, side)
    x1, y1 = _tile_of(bounds[:, 2] + over, bounds[:, 1] - over, side)
    across = x1 - x0 + 1
    counts = across * (y1 - y0 + 1)
    where = np.repeat(np.arange(len(bounds)), counts)
    nth = np.arange(len(where)) - np.repeat(np.cumsum(counts) - counts, counts)
    return where, x0[where] + nth % across[where], y0[where] + nth // across[where]


def _on_grid(shapes: Any, x: NDArray[np.int64], y: NDArray[np.int64], side: float) -> Any:
    """Shapes in units of their tiles, north up, rounded; lines and areas stay valid or become empty."""
    import shapely

    at, owner = shapely.get_coordinates(shapes, return_index=True)
    west, south = x * side - HALF_M, HALF_M - (y + 1) * side
    units = (at - np.column_stack([west, south])[owner]) * (EXTENT / side)
    if not len(shapes) or (shapely.get_type_id(shapes) == 0).all():
        return shapely.points(np.clip(np.round(units), 0, EXTENT))
    return shapely.set_coordinates(shapes.copy(), units)


def _areas(
    shapes: Any,
    row: NDArray[np.int64],
    where: NDArray[np.int64],
    x: NDArray[np.int64],
    y: NDArray[np.int64],
    side: float,
    *,
    deepest: bool,
) -> _Pieces:
    """Lines and areas cut to their tiles; of one that is thinner than the deepest grid a point stays."""
    import shapely

    kind = shapely.get_dimensions(shapes)
    units = _on_grid(shapes[where], x, y, side)
    if not deepest:
        units = shapely.simplify(units, PIXEL / 2)
    cut = shapely.intersection(units, shapely.box(-MARGIN, -MARGIN, EXTENT + MARGIN, EXTENT + MARGIN))
    cut = shapely.set_precision(_alike(cut, kind[where]), 1.0)
    kept = ~shapely.is_empty(cut)
    if deepest:
        gone = np.setdiff1d(np.arange(len(shapes)), where[kept])
        if len(gone):
            middle = shapely.point_on_surface(shapes[gone])
            mx, my = _tile_of(shapely.get_x(middle), shapely.get_y(middle), side)
            points = _on_grid(middle, mx, my, side)
            where, x, y = (np.concatenate(p) for p in ((where[kept], gone), (x[kept], mx), (y[kept], my)))
            return _Pieces(row[where], x, y, np.concatenate([cut[kept], points]))
    return _Pieces(row[where[kept]], x[kept], y[kept], cut[kept])


def _alike(shapes: Any, kind: NDArray[np.int32]) -> Any:
    """Collections, which a tile cannot hold, cut down to their parts of the shape's own dimension."""
    import shapely

    for i in np.flatnonzero(shapely.get_type_id(shapes) == 7):
        parts = [g for g in shapely.get_parts(shapes[i]) if shapely.get_dimensions(g) == kind[i]]
        shapes[i] = shapely.union_all(parts) if parts else shapely.Point()
    return shapes


def _tile_ids(zoom: int, part: _Pieces) -> list[int]:
    from pmtiles.tile import zxy_to_tileid

    known: dict[tuple[int, int], int] = {}
    for at in zip(part.x.tolist(), part.y.tolist(), strict=True):
        if at not in known:
            known[at] = zxy_to_tileid(zoom, *at)
    return [known[at] for at in zip(part.x.tolist(), part.y.tolist(), strict=True)]


def _encoded(pieces: Path, con: duckdb.DuckDBPyConnection, name: str) -> Iterator[tuple[int, bytes]]:
    """Tiles in the archive's order, each with its features in the order of the rows."""
    import mapbox_vector_tile
    import shapely

    cursor = con.cursor()
    cursor.execute(
        f"SELECT tile, row, shape, said FROM read_parquet({literal(str(pieces))}) ORDER BY tile, row"  # noqa: S608
    )
    fetched = iter(partial(cursor.fetchmany, _FETCH), [])
    for tile, group in groupby((r for some in fetched for r in some), key=itemgetter(0)):
        held = list(group)
        shapes = shapely.orient_polygons(shapely.from_wkb([r[2] for r in held]), exterior_cw=True)
        features = [
            {"geometry": shape, "properties": json.loads(said), "id": row}
            for shape, (_, row, _, said) in zip(shapes, held, strict=True)
        ]
        layer = {"name": name, "features": features}
        options = {"extents": EXTENT, "check_winding_order": False}
        yield tile, gzip.compress(mapbox_vector_tile.encode(layer, default_options=options), mtime=0)
    cursor.close()


def _archive(
    path: Path, tiles: Iterable[tuple[int, bytes]], bounds: NDArray[np.float64], metadata: dict[str, Any]
) -> None:
    from pmtiles.tile import Compression, TileType
    from pmtiles.writer import Writer

    with path.open("wb") as file:
        writer = Writer(file)
        for tile, packed in tiles:
            writer.write_tile(tile, packed)
        if not writer.tile_entries:  # no shapes: an archive holds one tile at least
            writer.write_tile(0, gzip.compress(b"", mtime=0))
        header: dict[str, Any] = {
            "tile_type": TileType.MVT, "tile_compression": Compression.GZIP, "min_zoom": ZOOMS.start,
            "max_zoom": ZOOMS.stop - 1, "center_zoom": 12,
        }  # fmt: skip
        if not np.isnan(bounds).any():
            e7 = [round(v * 1e7) for v in bounds.tolist()]
            header |= dict(zip(("min_lon_e7", "min_lat_e7", "max_lon_e7", "max_lat_e7"), e7, strict=True))
            header |= {"center_lon_e7": (e7[0] + e7[2]) // 2, "center_lat_e7": (e7[1] + e7[3]) // 2}
        writer.finalize(header, metadata)


def read_features(path: Path, zoom: int = ZOOMS.stop - 1) -> Iterator[tuple[int, dict[str, Any], Any]]:
    """Features of one zoom of an archive of ours, tile by tile: id, properties, and shape in web Mercator metres.

    A shape that crosses a tile's edge comes once a tile. Raises what the readers raise of a file that is no archive.
    """
    import mapbox_vector_tile
    import shapely
    from pmtiles.reader import MmapSource, all_tiles

    side = 2 * HALF_M / 2**zoom
    with path.open("rb") as file:
        for (z, x, y), packed in all_tiles(MmapSource(file)):
            if z != zoom:
                continue
            west, south = x * side - HALF_M, HALF_M - (y + 1) * side
            for layer in mapbox_vector_tile.decode(gzip.decompress(packed)).values():
                for feature in layer["features"]:
                    shape = shapely.geometry.shape(feature["geometry"])
                    moved = shapely.transform(shape, lambda at: at * side / EXTENT + [west, south])  # noqa: B023
                    yield feature["id"], feature["properties"], moved

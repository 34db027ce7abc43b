"""Vector tiles of a release: written from its rows, then read back and compared feature by feature."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from warehouse import vector_tiles
from warehouse.duck import quote
from warehouse.output import jsonable
from warehouse.release_formats import Job, chunks_of, differs, geometry_of, properties_of
from warehouse.vector_tiles import EXTENT, HALF_M, ZOOMS, Row, mercator, read_features

TOLERANCE_M = 2 * (2 * HALF_M / 2 ** (ZOOMS.stop - 1)) / EXTENT
"""Two units of the deepest grid: rounding moves a corner by less."""
_WIDE = 2**63


def write_pmtiles(job: Job, path: Path) -> None:
    """Write the rows of a release as PMTiles; only released columns are properties."""
    names, _ = properties_of(job)
    numbers = ("DOUBLE", "FLOAT", "DECIMAL", "TINYINT", "SMALLINT", "INTEGER", "BIGINT")
    fields = {
        n: "Boolean" if job.types[n] == "BOOLEAN" else "Number" if job.types[n].startswith(numbers) else "String"
        for n in names
    }
    about = job.plan.product
    vector_tiles.write_pmtiles(path, _rows(job), job.con, name=about.id, fields=fields, attribution=about.licence)


def check_pmtiles(job: Job, path: Path) -> None:
    """Read the archive back.

    Raises:
        ReleaseRefused: a row is missing, at another place or with other properties.
    """
    if not _is_whole(job, path):
        raise differs(job, path)


def _is_whole(job: Job, path: Path) -> bool:
    """Whether the deepest zoom holds each row that has a shape, at its place and with its properties, and no other."""
    import shapely

    marks: list[int] = []
    bounds = []
    for chunk in _rows(job):
        marks += [_mark({k: v for k, v in said.items() if v is not None}) for _, said in chunk]
        bounds.append(shapely.bounds(mercator(shapely.force_2d(shapely.from_wkb([wkb for wkb, _ in chunk])))))
    lying = np.concatenate(bounds) if bounds else np.empty((0, 4))
    missing = np.array(~np.isnan(lying).any(axis=1), dtype=bool)
    is_shaped = missing.copy()
    for row, said, shape in read_features(path):
        if not 0 <= row < len(marks) or not is_shaped[row] or _mark(said) != marks[row]:
            return False
        west, south, east, north = shape.bounds
        (w, s), (e, n) = lying[row, :2] - TOLERANCE_M, lying[row, 2:] + TOLERANCE_M
        if west < w or south < s or east > e or north > n:
            return False
        missing[row] = False
    return not missing.any()


def _rows(job: Job) -> Iterator[list[Row]]:
    names, texts = properties_of(job)
    for chunk in chunks_of(job, [quote(geometry_of(job)), *texts]):
        yield [(row[0], {n: _scalar(v) for n, v in zip(names, row[1:], strict=True)}) for row in chunk]


def _scalar(value: Any) -> Any:
    """A value as a tile can hold it: lists and records as JSON, whole numbers beyond 64 bits as text."""
    plain = jsonable(value)
    if isinstance(plain, dict | list):
        return json.dumps(plain, ensure_ascii=False)
    if isinstance(plain, int) and not -_WIDE <= plain < _WIDE:
        return str(plain)
    return plain


def _mark(properties: dict[str, Any]) -> int:
    """A hash of properties that takes 2 and 2.0 for equal: a tile keeps one of them."""
    same = {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in properties.items()}
    text = json.dumps(same, sort_keys=True, ensure_ascii=False)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())

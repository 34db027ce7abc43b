"""Coordinates in CSV files: two columns converted, coded or judged; every other column stays as it is."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from catalog.errors import InputError
from quality.formulas import guarded

Array = npt.NDArray[np.float64]
_ROWS = 50_000


class Points(NamedTuple):
    """Records of a CSV and the numbers of its two coordinate columns; NaN where a cell is no number."""

    header: list[str]
    rows: list[list[str]]
    x: Array
    y: Array


def read_points(path: Path, x: str, y: str) -> Iterator[Points]:
    """The records of a CSV, some 50,000 at a time; any encoding the house reads.

    Args:
        x, y: columns of longitude (easting) and latitude (northing). The same name twice: one column ``lng,lat``.

    Raises:
        InputError: no such file, no such column, or bytes that are no text.
    """
    import io

    from ingestion.formats.text import Utf8Reader, resolve_encoding

    if not path.is_file():
        raise InputError(f"there is no file {path.name}", hint="give the path of a CSV")
    with Utf8Reader(path, resolve_encoding(path, "auto")) as raw:
        lines = csv.reader(io.StringIO(raw.read().decode("utf-8").removeprefix("\ufeff"), newline=""))
        header = next(lines, [])
        for name in (x, y):
            if name not in header:
                raise InputError(f"there is no column {name!r}", hint=f"columns: {', '.join(header[:20])}")
        at = header.index(x), header.index(y)
        batch: list[list[str]] = []
        empty = True
        for row in lines:
            if not row:
                continue
            batch.append(row + [""] * (len(header) - len(row)))
            if len(batch) == _ROWS:
                yield _points(header, batch, at)
                batch, empty = [], False
        if batch or empty:
            yield _points(header, batch, at)


def _points(header: list[str], rows: list[list[str]], at: tuple[int, int]) -> Points:
    if at[0] == at[1]:
        pairs = [r[at[0]].partition(",") for r in rows]
        x, y = [p[0] for p in pairs], [p[2] for p in pairs]
    else:
        x, y = [r[at[0]] for r in rows], [r[at[1]] for r in rows]
    return Points(header, rows, np.array([_number(v) for v in x]), np.array([_number(v) for v in y]))


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def add_columns(
    path: Path, x: str, y: str, out: Path, names: tuple[str, ...], make: Callable[[Array, Array], list[Any]]
) -> tuple[int, int]:
    """Write the file again with more columns; atomic.

    Args:
        names: the new columns.
        make: from the two arrays to one list of texts a column; what has no value is empty.

    Returns:
        rows, and rows whose first new column is empty.

    Raises:
        InputError: see ``read_points``; or the file has a column of such a name.
    """
    part = out.with_name(f".{out.name}.part")
    out.parent.mkdir(parents=True, exist_ok=True)
    rows = empty = 0
    try:
        with part.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            for points in read_points(path, x, y):
                twice = sorted(set(names) & set(points.header))
                if twice:
                    raise InputError(f"the file has a column {twice[0]!r} already", hint="rename it, then try again")
                if not rows:
                    writer.writerow(map(guarded, [*points.header, *names]))
                columns = make(points.x, points.y)
                for row, new in zip(points.rows, zip(*columns, strict=True), strict=True):
                    writer.writerow(map(guarded, [*row, *new]))
                    rows, empty = rows + 1, empty + (new[0] == "")
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return rows, empty


def texts(values: Array, digits: int) -> list[str]:
    """Numbers as text with so many decimals; empty for NaN."""
    return ["" if not math.isfinite(v) else f"{v:.{digits}f}" for v in values.tolist()]

"""Reads a copy that turned up somewhere: any column order, headings or encoding, every cell as text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import InputError
from quality.sql import literal, quote

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

HEAD_ROWS = 5
"""Rows in which a heading may stand: a title, labels and names come before the data."""
_CHUNK = 50_000
_DELIMITERS = ",\t;|"


def open_copy(con: duckdb.DuckDBPyConnection, file: Path, view: str) -> dict[str, set[str]]:
    """Make the cells of a file the relation ``view`` of ``con``.

    Returns:
        Each of its columns, with the texts near its top (or, for Parquet, its name). None for an empty file.

    Raises:
        InputError: missing, or none of CSV, text, XLSX, XLS and Parquet.
    """
    suffix = file.suffix.lower()
    if not file.is_file():
        raise InputError("there is no such file", hint="check the path", file=file)
    if suffix == ".parquet":
        return _open_parquet(con, file, view)
    if suffix in (".xlsx", ".xlsm", ".xls", ".ods"):
        heads, table = _text_table(_sheet_rows(file))
    elif suffix in (".csv", ".txt", ".tsv"):
        heads, table = _text_table(_csv_rows(file))
    else:
        what = suffix or "without a suffix"
        raise InputError(f"files called {what} are not read", hint="export it as CSV, XLSX or Parquet", file=file)
    if heads:
        con.register(view, table)
    return heads


def _open_parquet(con: duckdb.DuckDBPyConnection, file: Path, view: str) -> dict[str, set[str]]:
    import duckdb

    try:
        con.execute(f"CREATE OR REPLACE TEMP VIEW {quote(view)} AS FROM read_parquet({literal(str(file))})")
    except duckdb.Error as e:
        raise InputError("not a Parquet file", hint="check how it was copied", file=file) from e
    return {name: {name} for name, *_ in con.execute(f"DESCRIBE {quote(view)}").fetchall()}


def _text_table(rows: Iterator[list[str]]) -> tuple[dict[str, set[str]], pa.Table]:
    import pyarrow as pa

    columns: list[list[pa.Array]] = []
    heads: dict[str, set[str]] = {}
    done = 0
    while chunk := list(islice(rows, _CHUNK)):
        width = max(len(row) for row in chunk)
        while len(columns) < width:
            columns.append([pa.nulls(done, pa.string())])
        for i, parts in enumerate(columns):
            cells = [row[i] if i < len(row) else None for row in chunk]
            parts.append(pa.array(cells, pa.string()))
            if done == 0:
                heads[f"c{i}"] = {c.strip() for c in cells[:HEAD_ROWS] if c}
        done += len(chunk)
    return {f"c{i}": heads.get(f"c{i}", set()) for i in range(len(columns))}, pa.table(
        {f"c{i}": pa.chunked_array(parts, pa.string()) for i, parts in enumerate(columns)}
    )


def _csv_rows(file: Path) -> Iterator[list[str]]:
    raw = file.read_bytes()
    text = _decode(raw, file)
    first = text[:4096].split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=first.count)
    csv.field_size_limit(1 << 27)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _decode(raw: bytes, file: Path) -> str:
    wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    for codec in ("utf-16",) if wide else ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(codec)
        except UnicodeDecodeError:
            continue
    raise InputError("its encoding is none of UTF-8, UTF-16 and GB18030", hint="save it as UTF-8", file=file)


def _sheet_rows(file: Path) -> Iterator[list[str]]:
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_path(str(file))
        sheets: list[Iterable[list[Any]]] = [book.get_sheet_by_name(n).to_python() for n in book.sheet_names]
    except (python_calamine.CalamineError, OSError) as e:
        raise InputError("not a workbook", hint="check how it was copied", file=file) from e
    # The data is the longest sheet; others are dictionaries and notes.
    rows = max((list(s) for s in sheets), key=len, default=[])
    return iter([["" if v is None else str(v) for v in row] for row in rows])

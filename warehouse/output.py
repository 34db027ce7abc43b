"""Writes the rows of a SQL result as a table, CSV, JSON or Parquet, as they come; nothing is gathered first.

Values are written as people and programs expect them: dates and instants in ISO 8601, geometries as WKT,
other binary as hexadecimal.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from catalog.errors import UnknownName
from quality.formulas import guarded

if TYPE_CHECKING:
    from rich.console import Console

    from warehouse.query import SqlResult

FORMATS = ("table", "csv", "json", "parquet")
PIPE_WIDTH = 200
"""Columns of a table that goes to no terminal."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def write(result: SqlResult, format: str, out: BinaryIO) -> int:
    """Write all rows of ``result`` to ``out``; returns how many.

    Raises:
        UnknownName: ``format`` is not one of ``FORMATS``.
    """
    writers: dict[str, Callable[[SqlResult, BinaryIO], int]] = {
        "table": _write_table_bytes,
        "csv": write_csv,
        "json": write_json,
        "parquet": write_parquet,
    }
    if format not in writers:
        raise UnknownName(f"there is no output format {format!r}", hint=f"one of {', '.join(FORMATS)}")
    return writers[format](result, out)


def write_result(result: SqlResult, format: str, out: Path | None = None) -> int:
    """Write ``result`` to standard output, or to the file ``out``, which appears whole or not at all; closes it.

    Raises:
        UnknownName: ``format`` is not one of ``FORMATS``.
    """
    with result:
        if out is not None:
            part = out.with_name(f".{out.name}.part")
            try:
                with part.open("wb") as f:
                    count = write(result, format, f)
                part.replace(out)
            finally:
                part.unlink(missing_ok=True)
            return count
        if format == "table":
            from rich.console import Console

            return write_table(result, Console(width=None if sys.stdout.isatty() else PIPE_WIDTH))
        return write(result, format, sys.stdout.buffer)


def write_table(result: SqlResult, console: Console) -> int:
    """Rows as a table for people; control characters in values are made harmless."""
    from rich.table import Table
    from rich.text import Text

    table = Table(header_style="bold")
    for column in result.columns:
        numeric = column.type.split("(")[0] in _NUMERIC
        table.add_column(Text(_shown(column.name)), justify="right" if numeric else "left", overflow="fold")
    count = 0
    for row in _texts(result):
        table.add_row(*(Text("NULL", style="dim") if v is None else Text(_shown(v)) for v in row))
        count += 1
    console.print(table)
    if result.truncated:
        console.print(f"… cut at {count} rows; raise --limit for more", style="dim")
    return count


def write_csv(result: SqlResult, out: BinaryIO) -> int:
    """UTF-8 CSV with a header row; NULL is empty, and no text becomes a formula where a spreadsheet opens it."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=False)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([guarded(c.name) for c in result.columns])
    count = 0
    for row in _texts(result):
        writer.writerow([guarded(v) for v in row])
        count += 1
    text.flush()
    text.detach()
    return count


def write_json(result: SqlResult, out: BinaryIO) -> int:
    """A JSON array with one object a row and a line."""
    names = _distinct([c.name for c in result.columns])
    count = 0
    out.write(b"[")
    for row in _values(result):
        line = json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, allow_nan=False)
        out.write((",\n" if count else "\n").encode() + line.encode())
        count += 1
    out.write(b"\n]\n" if count else b"]\n")
    return count


def write_parquet(result: SqlResult, out: BinaryIO) -> int:
    """Parquet with the engine's own types."""
    import pyarrow.parquet as pq

    reader = result.reader()
    count = 0
    with pq.ParquetWriter(out, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def as_dict(result: SqlResult) -> dict[str, Any]:
    """A small result as one object: ``columns, rows, truncated``."""
    rows = [list(row) for row in _values(result)]
    columns = [{"name": c.name, "type": c.type} for c in result.columns]
    return {"columns": columns, "rows": rows, "truncated": result.truncated}


_NUMERIC = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "FLOAT"}
    | {"DOUBLE", "DECIMAL"}
)


def _write_table_bytes(result: SqlResult, out: BinaryIO) -> int:
    from rich.console import Console

    text = io.TextIOWrapper(out, encoding="utf-8")
    count = write_table(result, Console(file=text, width=PIPE_WIDTH))
    text.flush()
    text.detach()
    return count


def _values(result: SqlResult) -> Iterator[list[Any]]:
    """Rows as JSON values."""
    geometries = [i for i, c in enumerate(result.columns) if c.is_geometry]
    for chunk in result.chunks():
        rows = [[jsonable(v) for v in row] for row in chunk] if not geometries else _with_wkt(chunk, geometries)
        yield from rows


def _texts(result: SqlResult) -> Iterator[list[str | None]]:
    """Rows as text, NULL as None."""
    for row in _values(result):
        yield [v if v is None or isinstance(v, str) else _plain(v) for v in row]


def _with_wkt(chunk: list[tuple[Any, ...]], geometries: list[int]) -> list[list[Any]]:
    import shapely

    rows = [list(row) for row in chunk]
    for i in geometries:
        made = shapely.from_wkb([row[i] for row in rows], on_invalid="ignore")
        for row, text in zip(rows, shapely.to_wkt(made, rounding_precision=7), strict=True):
            row[i] = text if text is not None else row[i]
    return [[jsonable(v) for v in row] for row in rows]


def jsonable(value: Any) -> Any:
    """A DuckDB value as a JSON value."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(v) for v in value]
    return str(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _shown(text: str) -> str:
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _distinct(names: list[str]) -> list[str]:
    """Column names made distinct, so that no value of a row is lost in an object."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return out

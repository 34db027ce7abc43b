# ruff: noqa: S608 - columns are numbered, and the path is a literal
"""Parquet, row group by row group; every value as text, as the other readers hand it on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalog.errors import InputError
from catalog.model import Format
from ingestion.formats.base import BATCH_ROWS, Opened, make_batch, trimmed_sql
from ingestion.formats.header import Wanted, unique_columns
from quality.sql import literal
from warehouse.read_ahead import in_groups

_TEXTUAL = (pa.string(), pa.large_string(), pa.string_view())


def read(path: Path, fmt: Format, wanted: Wanted) -> Opened:
    """Open a Parquet file; nested values become JSON text, bytes hexadecimal, geometry columns CGCS2000 WKB.

    Raises:
        InputError: damaged, encrypted, or bigger unpacked than the contract allows.
    """
    try:
        file = pq.ParquetFile(path, pre_buffer=False)
    except (pa.ArrowException, OSError) as e:
        raise _damaged() from e
    try:
        columns = _checked(file, fmt)
        geometries = _geometries(file.schema_arrow, fmt)
    except BaseException:
        file.close()
        raise
    about = {"row_groups": file.metadata.num_row_groups, "rows": file.metadata.num_rows}
    if geometries:
        about["crs"] = next(iter(geometries.values()))
    types = {i: f.type for i, f in enumerate(file.schema_arrow) if f.name not in geometries}
    keep: dict[int, pa.DataType] = {}
    batches = in_groups(_batches(file, geometries, keep))
    query = partial(_query, path, file.schema_arrow, keep)
    return Opened(columns, batches, about, types=types, keep=keep, query=query, close=file.close)


def _checked(file: pq.ParquetFile, fmt: Format) -> tuple[str, ...]:
    meta, names = file.metadata, file.schema_arrow.names
    if len(names) > fmt.max_columns:
        raise InputError(
            f"the table has {len(names)} columns, more than {fmt.max_columns}",
            hint="ask for the agreed columns, or raise format.max_columns",
        )
    unpacked = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
    if unpacked > fmt.max_uncompressed_mb * 1_000_000:
        raise InputError(
            f"the table unpacks to more than {fmt.max_uncompressed_mb} MB",
            hint="if the file is genuine, raise format.max_uncompressed_mb in the contract",
        )
    return unique_columns(names)


def _damaged() -> InputError:
    return InputError(
        "the Parquet file is damaged, cut short or encrypted", hint="ask the department to send the file again"
    )


def _geometries(schema: pa.Schema, fmt: Format) -> dict[str, str]:
    """Geometry columns of a GeoParquet file and their systems; WGS 84 when none is named (GeoParquet 1.1)."""
    try:
        geo = json.loads((schema.metadata or {}).get(b"geo", b"{}"))
        found = {}
        for name, column in geo.get("columns", {}).items():
            if str(column.get("encoding", "")).upper() == "WKB":
                stated = column.get("crs", "EPSG:4326")
                crs = fmt.crs if fmt.crs != "auto" else stated
                found[name] = crs if isinstance(crs, str) else json.dumps(crs)
    except (ValueError, AttributeError) as e:
        raise InputError("the file's note on its geometry is unreadable", hint="ask for the file again") from e
    return found


def _batches(
    file: pq.ParquetFile, geometries: dict[str, str], keep: dict[int, pa.DataType]
) -> Iterator[pa.RecordBatch]:
    done = 0
    for batch in _whole(file.iter_batches(batch_size=BATCH_ROWS)):
        n = batch.num_rows
        numbers = pa.array(np.arange(done + 1, done + n + 1, dtype=np.int64))
        done += n
        columns = [
            _typed(batch.column(c), keep[c]) if c in keep else _column(c, batch, geometries)
            for c in range(batch.num_columns)
        ]
        yield make_batch(numbers, columns, kept=keep)


_KEPT = {
    pa.int64(): "BIGINT", pa.float64(): "DOUBLE", pa.bool_(): "BOOLEAN", pa.date32(): "DATE",
    pa.timestamp("us"): "TIMESTAMP", pa.timestamp("us", "UTC"): "TIMESTAMPTZ",
}  # fmt: skip


def _query(path: Path, schema: pa.Schema, keep: Mapping[int, pa.DataType]) -> str | None:
    """SELECT of the records for DuckDB, which reads several row groups at a time; None where it may read otherwise.

    That is where a value is not kept in its type and no text either, a moment has other units (or the twelve bytes
    of old writers), names differ in case only, or the path has the look of a pattern.
    """
    names = {name.lower() for name in schema.names}
    if not names or len(names) < len(schema) or set("*?[") & set(str(path)):
        return None
    picked = []
    for i, field in enumerate(schema):
        if i not in keep and field.type != pa.string():
            return None
        if pa.types.is_timestamp(field.type) and field.type.unit not in ("ms", "us"):
            return None
        picked.append(f"{_kept_sql(f'c{i}', keep[i]) if i in keep else trimmed_sql(f'c{i}::VARCHAR')} AS c{i}")
    columns = ", ".join(f"c{i}" for i in range(len(schema)))
    return (
        f"SELECT n + 1 AS _row_number, {', '.join(picked)}, NULL::VARCHAR AS _problem, NULL::VARCHAR AS _raw FROM "
        f"read_parquet({literal(str(path))}, file_row_number = true, hive_partitioning = false) t({columns}, n)"
    )


def _kept_sql(column: str, kind: pa.DataType) -> str:
    name = f"DECIMAL({kind.precision}, {kind.scale})" if pa.types.is_decimal128(kind) else _KEPT[kind]
    typed = f"CAST({column} AS {name})"
    return f"CASE WHEN NOT isnan({typed}) THEN {typed} END" if pa.types.is_floating(kind) else typed


def _whole(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    try:
        yield from batches
    except (pa.ArrowException, OSError) as e:
        raise _damaged() from e


def _typed(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """A column in ``kind``; NaN is no value, as in text."""
    column = column.cast(kind, safe=False)
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column)
    return column


def _column(place: int, batch: pa.RecordBatch, geometries: dict[str, str]) -> pa.Array:
    name, column = batch.schema.names[place], batch.column(place)
    if name in geometries:
        from ingestion.formats.crs import to_hex

        shapes, broken, _ = to_hex(column, geometries[name])
        if broken:
            raise InputError(f"{len(broken)} shapes are unreadable", hint="ask for simple features", column=name)
        return shapes
    return as_text(column)


def as_text(column: pa.Array) -> pa.Array:
    """Any Arrow array as text: ISO dates and times, plain decimals, JSON for nested values, hexadecimal bytes."""
    kind: Any = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if kind in _TEXTUAL:
        return column.cast(pa.string())
    if pa.types.is_nested(kind) or pa.types.is_map(kind):
        try:
            values = column.to_pylist()
        except (OverflowError, ValueError):  # a moment inside that Python has not: 30828-09-14
            return _nested_text(column)
        texts = [None if v is None else json.dumps(v, ensure_ascii=False, default=str) for v in values]
        return pa.array(texts, pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.array([None if v is None else v.hex() for v in column.to_pylist()], pa.string())
    if pa.types.is_timestamp(kind):
        zone = "UTC" if kind.tz else None
        text = column.cast(pa.timestamp("us", zone), safe=False).cast(pa.string())
        return pc.replace_substring_regex(text, r"\.000000" if zone else r"( 00:00:00)?\.000000", "")
    if pa.types.is_floating(kind):
        return _float_text(column.cast(pa.float64()))
    return column.cast(pa.string())


def _nested_text(column: pa.Array) -> pa.Array:
    """Nested values as DuckDB writes their JSON: its years go to 290,000."""
    with duckdb.connect(":memory:", config={"autoinstall_known_extensions": False}) as con:
        con.register("nested", pa.table({"value": column}))
        made = con.execute("SELECT CAST(to_json(value) AS VARCHAR) AS text FROM nested").to_arrow_table()
    return made.column("text").combine_chunks().cast(pa.string())


def _float_text(column: pa.Array) -> pa.Array:
    """Numbers as text; whole ones without exponent (telephone numbers stand in such columns), NaN is no value."""
    whole = pc.and_(pc.equal(column, pc.trunc(column)), pc.less(pc.abs(column), float(2**53)))
    integers = pc.if_else(whole, column, 0.0).cast(pa.int64()).cast(pa.string())
    return pc.if_else(
        pc.is_nan(column), pa.scalar(None, pa.string()), pc.if_else(whole, integers, column.cast(pa.string()))
    )

"""Which DuckDB types a Delta table can hold, and what a model's column becomes when it is not one.

| DuckDB | in Delta | why |
|---|---|---|
| TINYINT … BIGINT, FLOAT, DOUBLE, DECIMAL, BOOLEAN, DATE, VARCHAR, BLOB, TIMESTAMPTZ | the same | |
| UTINYINT, USMALLINT, UINTEGER | SMALLINT, INTEGER, BIGINT | Delta has no unsigned integers; nothing is lost |
| UBIGINT | DECIMAL(20,0) | the same |
| HUGEINT (``sum`` of integers) | BIGINT | as on Spark; a value that does not fit is an error |
| TIMESTAMP, _S, _MS, _NS | TIMESTAMPTZ, read as UTC | one kind of instant in the house |
| UUID, ENUM, JSON | VARCHAR | |
| GEOMETRY | BLOB as WKB | Delta has no geometry; the column's name says its CRS |
| ARRAY of fixed length | LIST | |
| untyped NULL | INTEGER | DuckDB's own choice; cast it to say otherwise |
| TIME, TIMETZ, INTERVAL, BIT, UHUGEINT, UNION, BIGNUM, VARIANT | refused | cast in the model |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from catalog.errors import LakehouseError
from warehouse.duck import quote

_SAME = {
    "boolean", "tinyint", "smallint", "integer", "bigint", "float", "double", "date", "blob",
    "timestamp with time zone",
}  # fmt: skip
_CAST = {
    "utinyint": "SMALLINT",
    "usmallint": "INTEGER",
    "uinteger": "BIGINT",
    "ubigint": "DECIMAL(20,0)",
    "hugeint": "BIGINT",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "timestamp_s": "TIMESTAMP WITH TIME ZONE",
    "timestamp_ms": "TIMESTAMP WITH TIME ZONE",
    "timestamp_ns": "TIMESTAMP WITH TIME ZONE",
    "uuid": "VARCHAR",
    "enum": "VARCHAR",
    "null": "INTEGER",
    '"null"': "INTEGER",
}
_CURES = {
    "time": "cast it to varchar, or keep a timestamp",
    "time with time zone": "cast it to varchar, or keep a timestamp",
    "interval": "turn it into a number of seconds, minutes or hours",
    "bit": "cast it to varchar or blob",
    "uhugeint": "cast it to decimal(38,0)",
}
_FORBIDDEN = set(" ,;{}()\n\t=")


class DeltaTypeError(LakehouseError):
    """A model has a column that no Delta table can hold."""

    code = "LH610"
    exit_code = 1


class StoreError(LakehouseError):
    """A model's rows do not fit its table; nothing was written."""

    code = "LH611"
    exit_code = 1


@dataclass(frozen=True)
class Column:
    """A column of a model: its name, its type in Delta (in DuckDB's words) and the expression that makes it."""

    name: str
    type: str
    expression: str


def delta_columns(relation: duckdb.DuckDBPyRelation, *, model: str) -> tuple[Column, ...]:
    """The columns of ``relation`` as Delta will hold them.

    Raises:
        DeltaTypeError: a type Delta has no room for, a name with a forbidden character, or a name used twice.
    """
    columns: list[Column] = []
    seen: dict[str, str] = {}
    for name, kind in zip(relation.columns, relation.types, strict=True):
        if bad := sorted(_FORBIDDEN & set(name)):
            raise DeltaTypeError(
                f"Delta allows none of {' '.join(map(repr, bad))} in a column name",
                hint="give the column an alias",
                model=model,
                column=name,
            )
        other = seen.setdefault(name.lower(), name)
        if len(seen) != len(columns) + 1:
            raise DeltaTypeError(
                f"columns {other!r} and {name!r} have one name", hint="rename one", model=model, column=name
            )
        columns.append(_column(name, kind, model))
    return tuple(columns)


def contracted(
    relation: duckdb.DuckDBPyRelation, contract: Sequence[tuple[str, str]], *, model: str
) -> tuple[Column, ...]:
    """The same, in the order of a contract that names every column with its type; an empty one is no contract.

    Raises:
        StoreError: a column is not the contract's. DeltaTypeError: of `delta_columns`.
    """
    columns = {c.name: c for c in delta_columns(relation, model=model)}
    if not contract:
        return tuple(columns.values())
    gives = dict(zip(relation.columns, map(str, relation.types), strict=True))
    says = {name: _declared(name, kind, model) for name, kind in contract}
    differ = [
        f"{name}: {says.get(name, 'nothing')} by contract, {gives.get(name, 'nothing')} by query"
        for name in says | gives
        if says.get(name) != gives.get(name)
    ]
    if differ:
        raise StoreError(
            f"the query's columns are not those of its contract: {'; '.join(differ)}",
            hint="cast or name them in the model as its yml says, or correct the yml",
            model=model,
        )
    return tuple(columns[name] for name in says)


def _declared(name: str, kind: str, model: str) -> str:
    try:
        return str(duckdb.sqltype(kind))
    except duckdb.Error as e:
        raise StoreError(
            f"the contract's type {kind} is none of DuckDB's", hint="correct it in the yml", model=model, column=name
        ) from e


def _column(name: str, kind: duckdb.sqltypes.DuckDBPyType, model: str) -> Column:
    quoted = quote(name)
    if kind.id == "geometry":
        return Column(name, "BLOB", f"cast(st_aswkb({quoted}) as blob)")
    if str(kind) == "JSON":
        return Column(name, "VARCHAR", f"cast({quoted} as varchar)")
    target = _target(kind, name, model)
    if target == str(kind):
        return Column(name, target, quoted)
    return Column(name, target, f"cast({quoted} as {target})")


def _target(kind: Any, name: str, model: str) -> str:
    ident = kind.id
    if ident in _SAME or ident == "decimal":
        return str(kind)
    if ident == "varchar":
        return "VARCHAR"
    if ident in _CAST:
        return _CAST[ident]
    if ident in ("list", "array"):
        return f"{_target(dict(kind.children)['child'], name, model)}[]"
    if ident == "struct":
        inner = ", ".join(f"{quote(n)} {_target(child, name, model)}" for n, child in kind.children)
        return f"STRUCT({inner})"
    if ident == "map":
        parts = dict(kind.children)
        return f"MAP({_target(parts['key'], name, model)}, {_target(parts['value'], name, model)})"
    raise DeltaTypeError(
        f"Delta cannot hold type {kind}",
        hint=_CURES.get(ident, "cast it in the model to a type Delta knows"),
        model=model,
        column=name,
    )

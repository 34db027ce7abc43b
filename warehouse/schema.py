"""From a contract's types to Arrow, DuckDB and so to Delta: the one place where they meet.

A feed table holds, in this order: the contract's fields, each followed by the pseudonym of its
element if it has one, then the system columns. A direct identifier is no column of it: its place is
taken by its pseudonym, and its value stands sealed in the vault table. Timestamps are UTC instants with microseconds,
geometries are WKB.
"""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from catalog.errors import ContractError
from catalog.model import DataType, Feed
from catalog.registry import Catalog

_ARROW: dict[DataType, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "geometry": pa.binary(),
}
_DUCKDB: dict[DataType, str] = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "geometry": "BLOB",
}


class TableColumn(NamedTuple):
    """A column of a feed table. ``origin``: ``field``, ``pseudonym`` or ``system``."""

    name: str
    type: DataType
    precision: int = 18
    scale: int = 2
    origin: str = "field"

    @property
    def arrow(self) -> pa.DataType:
        return arrow_type(self.type, self.precision, self.scale)

    @property
    def duckdb(self) -> str:
        return duckdb_type(self.type, self.precision, self.scale)


SYSTEM_COLUMNS = (
    TableColumn("_receipt", "string", origin="system"),
    TableColumn("_row_number", "integer", origin="system"),
    TableColumn("_loaded_at", "timestamp", origin="system"),
)
"""Receipt of the delivery, 1-based record in its file, and when the row was committed (UTC)."""

DELETED_AT = "_deleted_at"
"""When a row was found gone at the source (UTC), NULL while it is there; only where the contract marks deletions."""
_DELETED = TableColumn(DELETED_AT, "timestamp", origin="system")


def arrow_type(kind: DataType, precision: int = 18, scale: int = 2) -> pa.DataType:
    """The Arrow type of a contract's type; precision and scale matter to ``decimal`` only."""
    return pa.decimal128(precision, scale) if kind == "decimal" else _ARROW[kind]


def duckdb_type(kind: DataType, precision: int = 18, scale: int = 2) -> str:
    """The DuckDB type whose Arrow and Delta form is ``arrow_type`` of the same arguments."""
    return f"DECIMAL({int(precision)},{int(scale)})" if kind == "decimal" else _DUCKDB[kind]


def feed_columns(catalog: Catalog, feed: Feed | str) -> tuple[TableColumn, ...]:
    """The columns of a feed table in their order, pseudonyms and system columns included, direct identifiers not.

    Raises:
        ContractError: two columns would carry one name.
    """
    feed = catalog.feed(feed) if isinstance(feed, str) else feed
    columns: list[TableColumn] = []
    for field in catalog.fields(feed):
        if field.element.identifier != "direct":
            columns.append(TableColumn(field.name, field.type, field.precision, field.scale))
        if field.element.pseudonym:
            columns.append(TableColumn(field.element.pseudonym, "string", origin="pseudonym"))
    columns.extend(SYSTEM_COLUMNS)
    if feed.load.deletes == "mark":
        columns.append(_DELETED)
    seen: set[str] = set()
    for column in columns:
        if column.name in seen:
            raise ContractError(
                f"two columns of the feed table would be called {column.name!r}",
                hint="rename the field, or give one of the two elements another pseudonym",
                feed=feed.id,
                file=catalog.files.get(feed.id),
                field=column.name,
            )
        seen.add(column.name)
    return tuple(columns)


def feed_schema(catalog: Catalog, feed: Feed | str) -> pa.Schema:
    """The Arrow schema of a feed table, every column nullable."""
    return pa.schema([pa.field(c.name, c.arrow) for c in feed_columns(catalog, feed)])


VALID_FROM, VALID_TO = "valid_from", "valid_to"
"""Since when a version of a row is held for true, and until when (exclusive; NULL: still); UTC."""


def history_schema(catalog: Catalog, feed: Feed | str) -> pa.Schema:
    """The Arrow schema of ``history.<feed>``: the feed table's columns, and how long a version was held for true."""
    held = [pa.field(n, _ARROW["timestamp"]) for n in (VALID_FROM, VALID_TO)]
    return pa.schema([*feed_schema(catalog, feed), *held])


SEALED = "sealed"
"""The column of a vault table with the direct identifiers of a row, encrypted."""


def vault_schema(catalog: Catalog, feed: Feed | str) -> pa.Schema:
    """The Arrow schema of a vault table: what finds a row again, its sealed value, the system columns.

    One row a row of the feed table. First the load key as it stands there, then pseudonyms that are not in it.
    """
    columns = {c.name: c for c in feed_columns(catalog, feed)}
    pseudonyms = [c.name for c in columns.values() if c.origin == "pseudonym"]
    names = dict.fromkeys((*catalog.table_key(feed), *pseudonyms))
    found = [pa.field(n, columns[n].arrow) for n in names]
    return pa.schema([*found, pa.field(SEALED, pa.binary()), *(pa.field(c.name, c.arrow) for c in SYSTEM_COLUMNS)])

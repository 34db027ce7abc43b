"""The views of the build database on the Delta tables of the lake, put there each time dbt opens it.

They are what ``source()`` of a model reads, and what a model that is not built this time is read by.
"""

# ruff: noqa: S608 - views take no parameters: identifiers are quoted, paths are literals
from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb

from catalog.registry import Catalog
from catalog.settings import Settings
from catalog.yamlfile import read_yaml
from warehouse import delta
from warehouse.delta import scan_sql
from warehouse.duck import literal, quote
from warehouse.linking.store import MODELLED
from warehouse.log_state import state
from warehouse.model_grades import PROJECT
from warehouse.schema import VALID_FROM, VALID_TO, duckdb_type, feed_columns
from warehouse.tables import TableRef, readable_tables

_NOTED = "main.lakehouse_views"
"""What each view was made of, kept in the database of the views: the one is never there without the other."""


@dataclass(frozen=True)
class _View:
    """A view to have.

    Attributes:
        columns: with their DuckDB types, in this order; columns the table has besides follow. None: as the table is.
        hidden: columns of the table that are left out.
        live: the table may be written while the build database is open.
    """

    schema: str
    name: str
    table: TableRef | None
    columns: Mapping[str, str] | None
    hidden: frozenset[str] = frozenset()
    live: bool = False

    def made_of(self) -> str | None:
        """A text that is another when the view would be; None where that cannot be told without making it."""
        log = state(self.table.path) if self.table else ()
        if not isinstance(log, tuple):
            return None
        path = self.table.path if self.table else ""
        return json.dumps([_way_of_making(), path, log, self.columns, sorted(self.hidden), self.live])

    def select(self, conn: duckdb.DuckDBPyConnection) -> str:
        """A column the table lacks, because the contract grew since the last load, reads as NULL; so does everything,
        in no row, when there is no table yet."""
        if self.columns is None:
            return f"select * from delta_scan({literal(self.table.path if self.table else '')})"
        if self.table is None:
            scan, there = "", []
        else:
            path = self.table.path
            scan = f"delta_scan({literal(path)})" if self.live else scan_sql(conn, path)
            there = conn.sql(f"from {scan}").columns
        parts = [quote(c) if c in there else f"cast(null as {kind}) as {quote(c)}" for c, kind in self.columns.items()]
        parts += [quote(name) for name in there if name not in self.columns and name not in self.hidden]
        return f"select {', '.join(parts)} {f'from {scan}' if scan else 'where false'}"


def register_views(conn: duckdb.DuckDBPyConnection, settings: Settings, catalog: Catalog) -> None:
    """A view ``schema.table`` for every Delta table, and for every feed of the catalog, without direct identifiers.

    A view remembers its columns and fails when the table got others, so it is made anew after every commit. Those of
    feeds, and of models once they are built, name the files of now where they can (`scan_sql`): a statement else reads
    the log of every table it names, each time it is planned, and some name twenty.
    """
    views = list(_views(settings, catalog))
    columns = "schema_name text, view_name text, made_of text, primary key (schema_name, view_name)"
    conn.execute(f"create table if not exists {_NOTED} ({columns})")
    noted = {(schema, name): made_of for schema, name, made_of in conn.execute(f"from {_NOTED}").fetchall()}
    there = set(conn.execute("select schema_name, view_name from duckdb_views() where not internal").fetchall())
    tables = set(
        conn.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = current_database()"
        ).fetchall()
    )
    for schema in sorted({"feed", "platform", *(view.schema for view in views)}):
        conn.execute(f"create schema if not exists {quote(schema)}")
    made = []
    for view in views:
        known_as, made_of = (view.schema, view.name), view.made_of()
        if known_as in there and made_of is not None and noted.get(known_as) == made_of:
            continue
        if known_as in tables:
            conn.execute(f"drop table {quote(view.schema)}.{quote(view.name)}")
        conn.execute(f"create or replace view {quote(view.schema)}.{quote(view.name)} as {view.select(conn)}")
        made.append((view.schema, view.name, made_of))
    if made:
        rows = (f"({', '.join('null' if text is None else literal(text) for text in one)})" for one in made)
        conn.execute(f"insert or replace into {_NOTED} values {', '.join(rows)}")


def _views(settings: Settings, catalog: Catalog) -> Iterator[_View]:
    tables = {(t.layer, t.schema, t.name): t for t in readable_tables(settings)}
    versions = {name: duckdb_type("timestamp") for name in (VALID_FROM, VALID_TO)}
    for feed_id in catalog.feeds:
        columns = {c.name: c.duckdb for c in feed_columns(catalog, feed_id)}
        hidden = frozenset(f.name for f in catalog.vaulted(feed_id))
        yield _View("feed", feed_id, tables.pop(("feed", "feed", feed_id), None), columns, hidden)
        if catalog.feed(feed_id).load.history:
            table = tables.pop(("feed", "history", feed_id), None)
            yield _View("history", feed_id, table, columns | versions, hidden)
    for name, declared in platform_sources().items():
        table = tables.pop(("platform", "platform", name), None)
        yield _View("platform", name, table, declared, live=name in MODELLED)
    for table in tables.values():
        yield _View(table.schema, table.name, table, None)


@cache
def _way_of_making() -> str:
    """A text that is another when this code is."""
    return hashlib.sha256(b"".join(Path(f).read_bytes() for f in (__file__, delta.__file__))).hexdigest()


@cache
def platform_sources() -> dict[str, dict[str, str]]:
    """The platform tables models read: name to column to DuckDB type, as the dbt project declares its source."""
    (source,) = read_yaml(PROJECT / "models" / "staging" / "_platform.yml").data["sources"]
    return {t["name"]: {c["name"]: c["data_type"] for c in t["columns"]} for t in source["tables"]}

"""The dbt-duckdb plugin that makes Delta the storage of ``table`` and ``incremental`` models.

dbt loads it by the profile (``module: warehouse.dbt_plugin``). On connecting it loads the extensions,
and puts a view on every Delta table of the lake into the build database, so that the database can be
deleted at any time and a feed that has delivered nothing yet reads as an empty table of its contract.
The materializations in ``dbt_project/macros/materializations`` call ``store``.
"""

# ruff: noqa: S608 - views take no parameters: identifiers are quoted, paths are literals
from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import TargetConfig
from duckdb.func import FunctionNullHandling

from catalog.registry import Catalog, load_catalog
from catalog.settings import PACKAGED_CATALOG, Settings
from catalog.yamlfile import read_yaml
from warehouse.addresses.functions import register as register_address_functions
from warehouse.dbt_knowledge import knowledge
from warehouse.dbt_remade import answered_by, changed_in_feeds, made_through
from warehouse.delta import scan_sql
from warehouse.duck import literal, load_extension, quote
from warehouse.entities.functions import register as register_entity_match
from warehouse.linking.store import MODELLED
from warehouse.model_grades import PROJECT
from warehouse.schema import VALID_FROM, VALID_TO, duckdb_type, feed_columns
from warehouse.tables import TableRef, readable_tables, table_lock

EXTENSIONS = ("delta", "spatial")


class Plugin(BasePlugin):
    """Configured in ``profiles.yml`` with ``home``, ``lake`` and ``catalog`` (a folder)."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        self.settings = settings_of(plugin_config)
        self._con: duckdb.DuckDBPyConnection | None = None

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Prepare the build database; called once for every time it is opened."""
        self._con = conn
        for name in EXTENSIONS:
            load_extension(conn, name)
        conn.execute("set global TimeZone = 'UTC'")
        conn.execute("set global python_enable_replacements = false")
        conn.create_function("lakehouse_delta_exists", _delta_exists, ["VARCHAR"], "BOOLEAN", side_effects=True)
        catalog = load_catalog(self.settings.catalog_dir)
        asked: dict[str, tuple[Callable[..., Any], int, str]] = {
            "lakehouse_made_through": (made_through, 1, "BIGINT"),
            "lakehouse_answered_by": (answered_by, 1, "VARCHAR"),
            "lakehouse_knowledge": (partial(knowledge, self.settings), 1, "VARCHAR"),
            "lakehouse_changed_in_feeds": (
                lru_cache(64)(partial(changed_in_feeds, self.settings, catalog)),
                3,
                "VARCHAR",
            ),
        }
        for name, (function, texts, returns) in asked.items():
            conn.create_function(
                name,
                function,
                ["VARCHAR"] * texts,
                returns,
                side_effects=True,
                null_handling=FunctionNullHandling.SPECIAL,
            )
        register_entity_match(conn, self.settings)
        register_address_functions(conn, self.settings)
        register_views(conn, self.settings, catalog)

    def store(self, target_config: TargetConfig) -> None:
        """Commit a model to Delta; the rows, the version and how to read it come back in the config passed in."""
        from warehouse.dbt_store import StoreRequest, store

        if self._con is None:
            raise RuntimeError("store() was called before the build database was opened")
        reply = target_config.config
        request = StoreRequest.model_validate(reply["request"])
        relation = target_config.relation
        with table_lock(self.settings, f"{relation.schema}.{relation.identifier}"):
            result = store(self._con, request)
            scan = scan_sql(self._con, request.path)
        reply.update(rows=result.rows, version=result.version, scan=scan)


def settings_of(config: dict[str, Any]) -> Settings:
    """Settings from a plugin's configuration; an empty text means the default."""
    home = Path(config.get("home") or "var").absolute()
    return Settings(
        home=home,
        lake=config.get("lake") or str(home / "lake"),
        catalog_dir=Path(config.get("catalog") or PACKAGED_CATALOG).absolute(),
    )


def register_views(conn: duckdb.DuckDBPyConnection, settings: Settings, catalog: Catalog) -> None:
    """A view ``schema.table`` for every Delta table, and for every feed of the catalog.

    Views are made anew each time: a view remembers its columns and fails when the table got others. Those of feeds, and
    of models once they are built, name the files of now where they can (`scan_sql`): a statement else reads the log of
    every table it names, each time it is planned, and some name twenty.
    """
    tables = {(t.layer, t.schema, t.name): t for t in readable_tables(settings)}
    views: dict[tuple[str, str], str] = {}
    for feed_id in catalog.feeds:
        table = tables.pop(("feed", "feed", feed_id), None)
        views["feed", feed_id] = feed_select(conn, catalog, feed_id, table)
        if catalog.feed(feed_id).load.history:
            versions = tables.pop(("feed", "history", feed_id), None)
            views["history", feed_id] = history_select(conn, catalog, feed_id, versions)
    for name, columns in platform_sources().items():
        table = tables.pop(("platform", "platform", name), None)
        views["platform", name] = source_select(conn, columns, table, live=name in MODELLED)
    for table in tables.values():
        views[table.schema, table.name] = f"select * from delta_scan({literal(table.path)})"
    there = conn.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = current_database()"
    ).fetchall()
    for schema, name in views.keys() & set(there):
        conn.execute(f"drop table {quote(schema)}.{quote(name)}")
    for schema in sorted({"feed", "platform", *(schema for schema, _ in views)}):
        conn.execute(f"create schema if not exists {quote(schema)}")
    for (schema, name), select in views.items():
        conn.execute(f"create or replace view {quote(schema)}.{quote(name)} as {select}")


def feed_select(conn: duckdb.DuckDBPyConnection, catalog: Catalog, feed_id: str, table: TableRef | None) -> str:
    """A SELECT with the contract's columns in their order, then columns the table has besides, no direct identifier.

    A column the table lacks, because the contract grew since the last load, reads as NULL; so does
    everything, in no row, when there is no table yet.
    """
    hidden = frozenset(f.name for f in catalog.vaulted(feed_id))
    return source_select(conn, {c.name: c.duckdb for c in feed_columns(catalog, feed_id)}, table, hidden=hidden)


def history_select(conn: duckdb.DuckDBPyConnection, catalog: Catalog, feed_id: str, table: TableRef | None) -> str:
    """The same for the versions of a feed's rows, with ``valid_from`` and ``valid_to``."""
    hidden = frozenset(f.name for f in catalog.vaulted(feed_id))
    held = {name: duckdb_type("timestamp") for name in (VALID_FROM, VALID_TO)}
    columns = {c.name: c.duckdb for c in feed_columns(catalog, feed_id)}
    return source_select(conn, columns | held, table, hidden=hidden)


def source_select(
    conn: duckdb.DuckDBPyConnection,
    columns: Mapping[str, str],
    table: TableRef | None,
    *,
    hidden: frozenset[str] = frozenset(),
    live: bool = False,
) -> str:
    """The same for columns with their DuckDB types; ``hidden`` ones of the table are left out.

    Args:
        live: the table may be written while the build database is open.
    """
    scan = "" if table is None else f"delta_scan({literal(table.path)})" if live else scan_sql(conn, table.path)
    there: list[str] = conn.sql(f"from {scan}").columns if table else []
    parts = [quote(c) if c in there else f"cast(null as {kind}) as {quote(c)}" for c, kind in columns.items()]
    parts += [quote(name) for name in there if name not in columns and name not in hidden]
    return f"select {', '.join(parts)} {f'from {scan}' if table else 'where false'}"


@cache
def platform_sources() -> dict[str, dict[str, str]]:
    """The platform tables models read: name to column to DuckDB type, as the dbt project declares its source."""
    (source,) = read_yaml(PROJECT / "models" / "staging" / "_platform.yml").data["sources"]
    return {t["name"]: {c["name"]: c["data_type"] for c in t["columns"]} for t in source["tables"]}


def _delta_exists(path: str) -> bool:
    from deltalake import DeltaTable

    return DeltaTable.is_deltatable(path)

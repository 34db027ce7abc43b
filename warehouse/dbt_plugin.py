"""The dbt-duckdb plugin that makes Delta the storage of ``table`` and ``incremental`` models.

dbt loads it by the profile (``module: warehouse.dbt_plugin``). On connecting it loads the extensions,
and puts a view on every Delta table of the lake into the build database, so that the database can be
deleted at any time and a feed that has delivered nothing yet reads as an empty table of its contract.
The materializations in ``dbt_project/macros/materializations`` call ``store``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import TargetConfig
from duckdb.func import FunctionNullHandling

from catalog.registry import load_catalog
from catalog.settings import PACKAGED_CATALOG, Settings
from warehouse.addresses.functions import register as register_address_functions
from warehouse.changed_records import SCRATCH, changed_records
from warehouse.dbt_knowledge import knowledge
from warehouse.dbt_remade import answered_by, person_runs
from warehouse.dbt_views import register_views
from warehouse.delta import scan_sql
from warehouse.duck import literal, load_extension
from warehouse.entities.functions import register as register_entity_match
from warehouse.tables import table_lock

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
        conn.execute(f"attach if not exists ':memory:' as {SCRATCH}")
        conn.execute("set global TimeZone = 'UTC'")
        conn.execute("set global python_enable_replacements = false")
        conn.create_function("lakehouse_delta_exists", _delta_exists, ["VARCHAR"], "BOOLEAN", side_effects=True)
        catalog = load_catalog(self.settings.catalog_dir)
        asked: dict[str, tuple[Callable[..., Any], int, str]] = {
            "lakehouse_person_runs": (partial(person_runs, self.settings), 2, "VARCHAR"),
            "lakehouse_answered_by": (answered_by, 1, "VARCHAR"),
            "lakehouse_knowledge": (partial(knowledge, self.settings), 1, "VARCHAR"),
            "lakehouse_changed_records": (
                lru_cache(64)(partial(changed_records, self.settings, catalog, conn.cursor)),
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
            marked = f"delta_scan({literal(request.path)})"
            scan = marked if result.marked else scan_sql(self._con, request.path)
        reply.update(rows=result.rows, version=result.version, scan=scan)


def settings_of(config: dict[str, Any]) -> Settings:
    """Settings from a plugin's configuration; an empty text means the default."""
    home = Path(config.get("home") or "var").absolute()
    return Settings(
        home=home,
        lake=config.get("lake") or str(home / "lake"),
        catalog_dir=Path(config.get("catalog") or PACKAGED_CATALOG).absolute(),
    )


def _delta_exists(path: str) -> bool:
    from deltalake import DeltaTable

    return DeltaTable.is_deltatable(path)

"""The platform tables models read: declared once, as their writers write them, empty where there is none."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from catalog.registry import Catalog
from catalog.settings import Settings


@pytest.mark.slow
def test_the_declared_columns_are_those_of_the_writers() -> None:
    from ingestion.results import LOADS_SCHEMA
    from quality.verdict import validations_schema
    from warehouse import objections, seasonal, truths
    from warehouse.addresses import confirm
    from warehouse.dbt_views import platform_sources
    from warehouse.linking import store

    linked = (store.LINKS, store.IDENTITIES, store.REDIRECTS)
    written = {
        "loads": LOADS_SCHEMA,
        "validations": validations_schema(),
        "objections": objections.schema(),
        "truths": truths.schema(),
        "address_confirmations": confirm.schema(),
        "seasonal": seasonal.schema(),
        **{name: store.schemas()[name] for name in linked},
    }
    declared = platform_sources()
    assert set(declared) == set(written)
    for name, columns in declared.items():
        empty = duckdb.from_arrow(written[name].empty_table())
        types = {c: str(t).lower() for c, t in zip(empty.columns, empty.types, strict=True)}
        assert {c: types[c] for c in columns} == columns, name


@pytest.mark.slow
def test_absent_tables_read_as_empty_and_others_as_they_are(settings: Settings, catalog: Catalog) -> None:
    from warehouse.dbt_views import platform_sources, register_views
    from warehouse.delta import append_rows
    from warehouse.duck import load_extension
    from warehouse.truths import schema

    row = {"feed": "f", "receipt": "r", "rows_checked": 10, "rows_wrong": 1, "source": "s", "checked_at": None}
    append_rows(settings.platform_path("truths"), pa.Table.from_pylist([row], schema=schema()))
    con = duckdb.connect()
    load_extension(con, "delta")
    register_views(con, settings, catalog)
    for name, columns in platform_sources().items():
        found = con.sql(f"from platform.{name}")
        assert found.columns[: len(columns)] == list(columns)
        assert len(found.fetchall()) == (1 if name == "truths" else 0)

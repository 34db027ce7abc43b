"""Which keys of a table have to be made anew is told by what came and went in the table it is made from."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from catalog.registry import Catalog
from catalog.settings import Settings
from warehouse.changed_records import SCRATCH, changed_records
from warehouse.dbt_remade import FEEDS, PROJECT_DIGEST, project_digest
from warehouse.duck import connect
from warehouse.row_changes import change_rows, mark_rows

ROWS = 400
Tell = Callable[[], list[str | None] | None]


def _persons(*rows: tuple[int, str | None]) -> pa.Table:
    return pa.Table.from_pylist(
        [{"person": p, "household": h} for p, h in rows],
        schema=pa.schema([("person", pa.int64()), ("household", pa.string())]),
    )


@pytest.fixture
def persons(settings: Settings) -> str:
    path = settings.table_path("library", "population", "residents")
    write_deltalake(path, _persons(*((i, f"h{i // 2}") for i in range(ROWS))))
    return path


@pytest.fixture
def told(settings: Settings, catalog: Catalog, persons: str) -> Tell:
    """Asks for the keys that changed since the last answer, which the table notes; None for all."""
    con = duckdb.connect()
    con.execute(f"attach ':memory:' as {SCRATCH}")
    path = settings.table_path("library", "population", "households")
    asked = json.dumps({"population__residents": ["household", persons]})

    def tell() -> list[str | None] | None:
        found: dict[str, Any] = json.loads(changed_records(settings, catalog, con.cursor, path, asked, "a build"))
        note = CommitProperties(custom_metadata={FEEDS: found["made_from"], PROJECT_DIGEST: project_digest()})
        write_deltalake(path, pa.table({"household": ["h"]}), mode="overwrite", commit_properties=note)
        changed = found["changed"]
        return changed and [k for (k,) in con.execute(f"{changed} order by k nulls last").fetchall()]

    return tell


def _change(path: str, gone: str, *rows: tuple[int, str | None]) -> None:
    with connect(memory="400MB", house_only=True) as con:
        marked = mark_rows(con, DeltaTable(path), gone)
        assert marked is not None
        change_rows(marked, _persons(*rows).to_reader() if rows else None, note={})


def test_households_of_before_and_of_now_are_told(told: Tell, persons: str) -> None:
    assert told() is None, "it was never made"
    assert told() == []
    _change(persons, "person in (10, 11, 31)", (10, "h5"), (11, "new"), (900, None))
    assert told() == ["h15", "h5", "new", None]
    _change(persons, "person = 900")
    _change(persons, "person = 11", (11, "h5"))
    assert told() == ["h5", "new", None], "of several commits"
    assert told() == []


def test_all_is_made_where_the_log_does_not_tell_it(told: Tell, persons: str) -> None:
    told()
    write_deltalake(persons, _persons((1, "h1")), mode="overwrite")
    assert told() is None, "written whole"
    write_deltalake(persons, _persons((2, "h2")), mode="append")
    DeltaTable(persons).restore(0)
    assert told() is None, "put back"
    _change(persons, "person = 7")
    assert told() == ["h3"]


def test_all_is_made_where_a_file_is_gone(told: Tell, persons: str) -> None:
    told()
    first = DeltaTable(persons).file_uris()
    _change(persons, "person = 7", (7, "h9"))
    DeltaTable(persons).optimize.compact()
    DeltaTable(persons).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert not set(first) & set(DeltaTable(persons).file_uris())
    assert told() is None

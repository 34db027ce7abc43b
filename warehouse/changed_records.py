"""What changed, since a table of the dbt project was made, in the tables it is made from: for those that are remade for
the keys that changed."""

# ruff: noqa: S608 - SQL is put together from SELECTs of `feed_changes`, paths of the log, escaped, and quoted names
from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb  # DuckDB evaluates the annotations of functions it is given

from catalog.registry import Catalog
from catalog.settings import Settings
from warehouse.dbt_remade import FEEDS, note_of
from warehouse.delta_log import files_at
from warehouse.duck import literal, quote
from warehouse.feed_changes import changed_values
from warehouse.gone_rows import gone_values_sql, tells_gone_rows
from warehouse.log_state import version
from warehouse.table_changes import Changes, Standing, changes_since, standing

SCRATCH = "lakehouse_scratch"
"""Database in memory beside the build database: keys that changed are looked for once, and read from there."""
FEW = 50
"""Answers of one row in so many are asked for again in the time in which a table is read for those it has."""


def changed_records(
    settings: Settings,
    catalog: Catalog,
    cursor: Callable[[], duckdb.DuckDBPyConnection],
    path: str,
    asked: str,
    _build: str,
) -> str:
    """What changed since the table at ``path`` was made.

    Args:
        cursor: of the build database, with `SCRATCH` beside it.
        asked: JSON of feed or model to the column in it that has the table's keys, and where the model's table is (NULL
            for a feed).
        _build: of which this is asked; a table notes the versions that were looked at, so that one answer has to serve.

    Returns:
        JSON: ``changed``, a SELECT of the keys of rows that came, changed or went, NULL when all are to be made;
        ``few``, whether they are few beside the table; and ``made_from``, the versions up to which that was looked for.
    """
    made_from = json.loads(note_of(path).get(FEEDS) or "{}")
    keys = f"{SCRATCH}.{quote('.'.join(Path(path).parts[-2:]))}"
    now: dict[str, Any] = {}
    found: list[str | None] = []
    with cursor() as con:
        for name, (column, table) in json.loads(asked).items():
            since, sql = made_from.get(name), None
            if table is not None:
                now[name], sql = _in_table(con, table, column, since)
            else:
                now[name] = version(settings.feed_path(name))
                if since is not None:
                    sql = changed_values(con, settings, catalog, name, column, (since, now[name]))
            found.append(sql)
        changed, few = None, False
        if None not in found:
            values = " union all ".join(map(str, found))
            con.execute(f"create or replace table {keys} as select distinct k from ({values}) as changed(k)")
            counted: Any = con.execute(f"select count(*) from {keys}").fetchone()
            changed, few = f"select k from {keys}", FEW * counted[0] <= _rows(path)
    return json.dumps({"changed": changed, "few": few, "made_from": json.dumps(now)})


def _in_table(
    con: duckdb.DuckDBPyConnection, table: str, column: str, since: dict[str, Any] | None
) -> tuple[dict[str, Any] | None, str | None]:
    """How a table of the house stands, and a SELECT of the values of ``column`` in rows that came or went since."""
    changes = changes_since(table, Standing(**since)) if since else None
    if changes is None or not tells_gone_rows(changes):
        at = standing(table)
        return (asdict(at) if at else None), None
    return asdict(changes.now), _values_sql(con, changes, column, numbers="gone_" + "_".join(Path(table).parts[-2:]))


def _values_sql(con: duckdb.DuckDBPyConnection, changes: Changes, column: str, *, numbers: str) -> str:
    """Of the new files all rows are told: one that came and went again between is made anew for nothing."""
    parts = []
    if changes.new:
        files = ", ".join(literal(str(p)) for p in changes.new)
        parts.append(f"select {quote(column)} from read_parquet([{files}], union_by_name = true)")
    if changes.gone:
        parts.append(gone_values_sql(con, changes.gone, column, numbers))
    return " union all ".join(parts) or "select cast(null as varchar) where false"


def _rows(path: str) -> int:
    """Rows of a local table; 0 when its log does not tell."""
    files = files_at(Path(path), version(path)) if "://" not in path else None
    return sum(f.rows - len(f.deleted) for f in files or ())

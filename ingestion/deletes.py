"""Rows that are gone at the source: their keys come as a delivery of their own, and they leave the feed table.

Where the contract says ``deletes: mark`` they stay in it, with the time they were found gone in ``_deleted_at``; a row
that comes again is whole again.
"""

# ruff: noqa: S608 - every name here comes from a validated contract and is quoted
from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from catalog.model import Drift, Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion import landing
from ingestion.commit import app_id
from ingestion.landing import Receipt
from ingestion.results import LoadResult
from ingestion.stage import stage
from quality.rules import compile_rules
from quality.sql import literal, quote
from warehouse.delta import commit_once, delete_once, exists, scan_sql
from warehouse.schema import DELETED_AT


def remove_deleted(
    settings: Settings,
    catalog: Catalog,
    feed: Feed,
    receipt: Receipt,
    at: datetime,
    *,
    planned: Callable[[LoadResult], None],
) -> LoadResult:
    """Remove or mark the rows whose keys a delivery names; keys are read as the contract reads them.

    Args:
        planned: called with the result before anything is removed, so that a crash can be reported.

    Returns:
        ``rows_found`` keys, of which ``rows_loaded`` were removed or marked; the others were not there, or marked
        already, or not readable.
    """
    keyed = keys_of(feed)
    rules = compile_rules(catalog, keyed, as_of=receipt.arrived_at)
    key = catalog.table_key(feed)
    path, columns = settings.feed_path(feed.id), ", ".join(quote(k) for k in key)
    marks = feed.load.deletes == "mark"
    file = landing.landed_file(settings, receipt)
    with stage(settings, catalog, keyed, file, receipt=receipt.id, loaded_at=at, rules=rules) as staged:
        there = 0
        if exists(path):
            scan = scan_sql(staged.con, path)
            live = f"(SELECT * FROM {scan} WHERE {DELETED_AT} IS NULL)" if marks and _has_marks(path) else scan
            staged.con.execute(f"CREATE TABLE _gone AS SELECT t.* FROM {live} t SEMI JOIN accepted s USING ({columns})")
            row = staged.con.execute("SELECT count(*) FROM _gone").fetchone()
            there = int(row[0]) if row else 0
        found, unread = staged.rows_found, staged.rows_found - staged.rows_accepted
        skipped = {"not_there": found - unread - there, "key_unreadable": unread}
        result = LoadResult(
            feed=feed.id,
            receipt=receipt.id,
            file=receipt.original_name,
            rows_found=found,
            rows_loaded=there,
            rows_skipped=found - there,
            verdict="warned" if unread else "passed",
            skipped={k: n for k, n in skipped.items() if n},
            message=f"来源已删除 {found} 行，{'标记' if marks else '移除'} {there} 行",
            about={"deletes": True},
        )
        planned(result)
        if there and marks:
            _mark(staged.con, feed, receipt, path, key, at)
        elif there:
            keys = staged.con.cursor().execute(f"SELECT {columns} FROM accepted").to_arrow_table()
            for table in (settings.vault_path(feed.id), path):
                if exists(table):
                    delete_once(table, keys, key=key, app_id=app_id(feed.id), version=receipt.sequence)
    return result


def _has_marks(path: str) -> bool:
    return DELETED_AT in {f.name for f in DeltaTable(path).schema().fields}


def _mark(
    con: duckdb.DuckDBPyConnection, feed: Feed, receipt: Receipt, path: str, key: tuple[str, ...], at: datetime
) -> None:
    """Write the rows of ``_gone`` again with the time they were found gone; their vault is as it was."""
    when = f"TIMESTAMPTZ {literal(at.astimezone(UTC).isoformat())}"
    old = f"* EXCLUDE ({DELETED_AT})" if _has_marks(path) else "*"
    rows = con.cursor().execute(f"SELECT {old}, {when} AS {DELETED_AT} FROM _gone").to_arrow_table()
    schema = pa.schema(DeltaTable(path).schema().to_arrow())
    if DELETED_AT not in schema.names:
        schema = schema.append(pa.field(DELETED_AT, pa.timestamp("us", "UTC")))
    commit_once(
        path, rows.select(schema.names).cast(schema), mode="merge", app_id=app_id(feed.id), version=receipt.sequence,
        merge_key=key, evolve=True,
    )  # fmt: skip


def keys_of(feed: Feed) -> Feed:
    """The contract of the key alone, for files of keys."""
    return feed.model_copy(
        update={
            "fields": {k: feed.fields[k] for k in feed.load.key},
            "load": feed.load.model_copy(update={"newest_by": None, "partition_by": (), "deletes": "keep"}),
            "rules": (),
            "ignore": (),
            "drift": Drift(),
        }
    )

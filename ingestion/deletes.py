"""Rows that are gone at the source: their keys come as a delivery of their own, and leave the feed table."""

# ruff: noqa: S608 - every name here comes from a validated contract and is quoted
from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from catalog.model import Drift, Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion import landing
from ingestion.commit import app_id
from ingestion.landing import Receipt
from ingestion.results import LoadResult
from ingestion.stage import stage
from quality.rules import compile_rules
from quality.sql import quote
from warehouse.delta import delete_once, exists, scan_sql


def remove_deleted(
    settings: Settings,
    catalog: Catalog,
    feed: Feed,
    receipt: Receipt,
    at: datetime,
    *,
    planned: Callable[[LoadResult], None],
) -> LoadResult:
    """Remove the rows whose keys a delivery names; keys are read as the contract reads them.

    Args:
        planned: called with the result before anything is removed, so that a crash can be reported.

    Returns:
        ``rows_found`` keys, of which ``rows_loaded`` were removed; the others were not there or not readable.
    """
    keyed = keys_of(feed)
    rules = compile_rules(catalog, keyed, as_of=receipt.arrived_at)
    key = catalog.table_key(feed)
    path, columns = settings.feed_path(feed.id), ", ".join(quote(k) for k in key)
    file = landing.landed_file(settings, receipt)
    with stage(settings, catalog, keyed, file, receipt=receipt.id, loaded_at=at, rules=rules) as staged:
        there = 0
        if exists(path):
            row = staged.con.execute(
                f"SELECT count(*) FROM {scan_sql(staged.con, path)} t SEMI JOIN accepted s USING ({columns})"
            ).fetchone()
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
            message=f"来源已删除 {found} 行，移除 {there} 行",
            about={"deletes": True},
        )
        planned(result)
        if there:
            keys = staged.con.cursor().execute(f"SELECT {columns} FROM accepted").to_arrow_table()
            for table in (settings.vault_path(feed.id), path):
                if exists(table):
                    delete_once(table, keys, key=key, app_id=app_id(feed.id), version=receipt.sequence)
    return result


def keys_of(feed: Feed) -> Feed:
    """The contract of the key alone, for files of keys."""
    return feed.model_copy(
        update={
            "fields": {k: feed.fields[k] for k in feed.load.key},
            "load": feed.load.model_copy(update={"newest_by": None, "partition_by": ()}),
            "rules": (),
            "ignore": (),
            "drift": Drift(),
        }
    )

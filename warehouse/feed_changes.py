"""Which rows of a feed table came, changed or went since an older version of it, as SQL.

The log tells how many rows each commit since touched. As long as none was taken away, and just as many rows bear an
instant of loading and a receipt that the old version does not know, those are they; else both versions are compared by
what they say. Two loads of one record on one day are enough for that: it costs more and finds the same.
"""

# ruff: noqa: S608 - SQL is put together here from the contract's columns, quoted, and paths, escaped
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.registry import Catalog
from catalog.settings import Settings
from warehouse.duck import literal, quote
from warehouse.schema import SYSTEM_COLUMNS

if TYPE_CHECKING:
    import duckdb
    from deltalake import DeltaTable

_SYSTEM = frozenset(c.name for c in SYSTEM_COLUMNS)
_STAMPS = ("_loaded_at", "_receipt")
"""What a load writes into every row of it, and no other load does."""
_TOUCHED = ("num_target_rows_inserted", "num_target_rows_updated", "num_updated_rows", "num_added_rows")
_TAKEN = ("num_target_rows_deleted", "num_deleted_rows")
_COUNTED = frozenset({"MERGE", "UPDATE", "WRITE"})
"""Operations that count the rows they touch."""


def changed_values(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    catalog: Catalog,
    feed_id: str,
    column: str,
    versions: tuple[int, int],
) -> str | None:
    """A SELECT of the values of ``column`` in rows that came, changed or went between two versions of a feed table.

    Args:
        con: with the delta extension; the SELECT is for it, as it may read a temporary table of what was looked at.
        versions: of before and of now; -1 for a table that was not there.

    Returns:
        None when that cannot be told: there is no such version any more, or it had other columns.
    """
    since, now = versions
    if now == since:
        return "select cast(null as varchar) where false"
    path = settings.feed_path(feed_id)
    tables = _versions(path, (since, now)) if min(since, now) >= 0 else None
    if tables is None:
        return None
    was, current = (f"delta_scan({literal(path)}, version => {v})" for v in (since, now))
    columns = [f.name for f in tables[1].schema().fields]
    if {f.name for f in tables[0].schema().fields} != set(columns) or column not in columns:
        return None
    touched = _touched(tables[1], since)
    if touched is not None and set(_STAMPS) <= set(columns):
        key, stamped = catalog.table_key(catalog.feed(feed_id)), quote(f"stamped {feed_id}")
        names = ", ".join(quote(c) for c in dict.fromkeys((*key, column)))
        con.execute(f"create or replace temporary table {stamped} as select {names} {_with_new_stamps(was, current)}")
        found: Any = con.execute(f"select count(*) from {stamped}").fetchone()
        if found[0] == touched:
            return f"select {quote(column)} from {stamped}{_before(was, stamped, key, column)}"
        con.execute(f"drop table {stamped}")
    said = ", ".join(quote(c) for c in columns if c not in _SYSTEM)
    rows = [f"select {said} from {table}" for table in (was, current)]
    either = (f"({a} except all {b})" for a, b in (rows, reversed(rows)))
    return " union all ".join(f"select {quote(column)} from {one}" for one in either)


def _versions(path: str, versions: Sequence[int]) -> list[DeltaTable] | None:
    """The table at each version; None when a file of one is gone."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    if "://" in path:
        return None
    try:
        tables = [DeltaTable(path, version=v) for v in versions]
    except (DeltaError, OSError):
        return None  # its part of the log was cleaned away
    files = {uri.removeprefix("file://") for t in tables for uri in t.file_uris()}
    return tables if all(Path(f).exists() for f in files) else None


def _touched(table: DeltaTable, since: int) -> int | None:
    """Rows that commits after ``since`` touched, one touched twice counted twice; None when rows were taken away, or a
    commit does not tell."""
    touched = 0
    for commit in table.history(table.version() - since):
        metrics = commit.get("operationMetrics") or {}
        if commit.get("operation") == "OPTIMIZE":
            continue
        overwritten = commit["operation"] == "WRITE" and int(metrics.get("num_removed_files", 1))
        if commit["operation"] not in _COUNTED or overwritten or any(int(metrics.get(m, 0)) for m in _TAKEN):
            return None
        counts = [int(metrics[m]) for m in _TOUCHED if m in metrics]
        if not counts:
            return None
        touched += sum(counts)
    return touched


def _with_new_stamps(was: str, current: str) -> str:
    names = ", ".join(_STAMPS)
    same = " and ".join(f"known.{c} is not distinct from fresh.{c}" for c in _STAMPS)
    known = f"(select distinct {names} from {was}) as known"
    return f"from {current} as fresh where not exists (select 1 from {known} where {same})"


def _before(was: str, stamped: str, key: Sequence[str], column: str) -> str:
    """What those rows said before, where that may be another value: an upsert finds its rows by ``key``."""
    if not key or column in key:
        return ""
    names = ", ".join(quote(k) for k in key)
    return f" union all select {quote(column)} from {was} where ({names}) in (select ({names}) from {stamped})"

"""Keeps every version of a row with the time it held: ``valid_from`` inclusive, ``valid_to`` exclusive.

The current version has no ``valid_to``. Both are UTC instants handed in by the caller, so that the
same inputs give the same history. Running again with the same rows and instant changes nothing.
"""

# ruff: noqa: S608 - SQL is put together here from quoted identifiers, escaped literals and dbt's own SELECT
from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

import duckdb

from warehouse.dbt_types import Column, StoreError
from warehouse.duck import literal, quote

VALID_FROM, VALID_TO = "valid_from", "valid_to"
_INSTANT = "timestamp with time zone"


def instant(at: datetime) -> str:
    """``at`` as a DuckDB literal; a naive value is read as UTC."""
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return f"cast({literal(at.astimezone(UTC).isoformat())} as {_INSTANT})"


def first_version(query: str, at: datetime) -> str:
    """The query that starts a history: every row holds from ``at`` on."""
    return f"select *, {instant(at)} as {VALID_FROM}, cast(null as {_INSTANT}) as {VALID_TO} from (\n{query}\n)"


def check_history(
    cur: duckdb.DuckDBPyConnection, path: str, at: datetime, target: tuple[Column, ...], *, model: str
) -> None:
    """Raise StoreError when the table has no history columns, or its history is newer than ``at``."""
    if not {VALID_FROM, VALID_TO} <= {c.name for c in target}:
        raise StoreError(
            "the table has no valid_from and valid_to: it was built by another strategy",
            hint="build it with --full-refresh",
            model=model,
        )
    later = f"{VALID_FROM} > {instant(at)} or {VALID_TO} > {instant(at)}"
    if cur.execute(f"select 1 from delta_scan({literal(path)}) where {later} limit 1").fetchone():
        raise StoreError(
            "the table's history goes on after the instant of this run", hint="pass a later history_at", model=model
        )


def next_version(
    *,
    path: str,
    stage: str,
    columns: Sequence[str],
    old_columns: Collection[str],
    unique_key: Sequence[str],
    check_cols: Sequence[str],
    at: datetime,
    hard_deletes: str,
) -> str:
    """The query whose rows, merged by key and ``valid_from``, carry the history on to ``at``.

    Rows are new versions (keys that are new or changed) and old versions with their ``valid_to``.
    A version that began at ``at`` itself is replaced, so that a corrected run leaves no version of no length.

    Args:
        stage: table of the rows that hold now, with ``columns``.
        old_columns: those of ``columns`` the table has already.
        check_cols: columns whose change counts; empty for all but the key.
        hard_deletes: ``invalidate`` closes current versions whose key is not in ``stage``.
    """
    watched = list(check_cols) or [c for c in columns if c not in unique_key]
    same_key = " and ".join(f"old.{quote(k)} = new.{quote(k)}" for k in unique_key)
    key = quote(unique_key[0])
    changes = [
        f"new.{quote(c)} is distinct from " + (f"old.{quote(c)}" if c in old_columns else "null") for c in watched
    ]
    changed = f"({' or '.join(changes) or 'false'})"
    new = ", ".join(f"new.{quote(c)}" for c in columns)
    old = ", ".join(f"old.{quote(c)}" if c in old_columns else f"null as {quote(c)}" for c in columns)
    current = f"(select * from delta_scan({literal(path)}) where {VALID_TO} is null) as old"
    gone = f" or new.{key} is null" if hard_deletes == "invalidate" else ""
    return f"""
        select {new}, {instant(at)} as {VALID_FROM}, cast(null as {_INSTANT}) as {VALID_TO}
        from {stage} as new left join {current} on {same_key}
        where old.{key} is null or {changed}
        union all
        select {old}, old.{VALID_FROM}, {instant(at)}
        from {current} left join {stage} as new on {same_key}
        where (new.{key} is not null and {changed} and old.{VALID_FROM} < {instant(at)}){gone}
    """

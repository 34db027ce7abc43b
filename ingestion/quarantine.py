# ruff: noqa: S608 - every name and constant here comes from a validated contract and is quoted
"""Rejected rows: look at them, and send them through the contract again once it or the rules are mended.

A replay never replaces a newer or equal row of the feed table, so that it can be repeated, and may
run long after later deliveries. Rows that load or turn out needless stay in the table as closed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from catalog.model import Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion import landing
from ingestion.commit import QUARANTINE_SCHEMA, is_current, output, quarantine_sql
from ingestion.content import check_content
from ingestion.formats.base import Opened, rows_to_batches
from ingestion.formats.csv import join_free_text
from ingestion.formats.header import normalise
from ingestion.history import keep_history
from ingestion.landing import Checkpoint, no_checkpoint
from ingestion.shown import clear_columns, shown
from ingestion.stage import QUARANTINES, Staged, recount, stage
from ingestion.vaulting import replay_vault
from quality.rules import compile_rules
from quality.sql import literal, quote
from warehouse.delta import append_rows, commit_once, ensure_table, exists, scan_sql, transaction_version
from warehouse.duck import connect
from warehouse.schema import feed_schema
from warehouse.tables import LOCK_SECONDS, table_lock
from warehouse.vault import opener, require_migrated

REPLAY = "replay"
RESENT = "resent"
"""Status of a row that a later delivery of the department brought anew; it is right now, in the feed table."""


class QuarantinedRow(BaseModel):
    """A rejected row as a person may see it: values of grade 1 in clear, others masked."""

    model_config = ConfigDict(frozen=True)

    receipt: str
    row_number: int
    part: int
    rules: tuple[str, ...]
    reason: str
    parties: tuple[str, ...]
    quarantined_at: datetime
    shown: dict[str, str]


class ReplayResult(BaseModel):
    """Counts of a replay: rows_found were open; found = loaded + quarantined (still) + skipped."""

    model_config = ConfigDict(frozen=True)

    feed: str
    rows_found: int = 0
    rows_loaded: int = 0
    rows_quarantined: int = 0
    rows_skipped: int = 0


def browse(
    settings: Settings, catalog: Catalog, feed_id: str, *, limit: int = 20, receipt: str | None = None
) -> list[QuarantinedRow]:
    """Open rows of a feed's quarantine, the newest receipts first.

    Raises:
        KeyFault: raw values are sealed and their key is missing or another one.
    """
    feed = catalog.feed(feed_id)
    path = settings.quarantine_path(feed_id)
    if not exists(path):
        return []
    with _connect(path) as con:
        rows = con.execute(
            "SELECT receipt, row_number, part, rules, reasons, parties, quarantined_at, raw FROM q "
            "WHERE status = 'open' AND ($receipt IS NULL OR receipt = $receipt) "
            "ORDER BY receipt DESC, row_number, part LIMIT $limit",
            {"receipt": receipt, "limit": limit},
        ).fetchall()
    clear = clear_columns(catalog, feed)
    raws = opener(settings, feed_id, quarantine=True).open_text([r[7] for r in rows])
    return [
        QuarantinedRow(
            receipt=r[0], row_number=r[1], part=r[2], rules=tuple(r[3]), reason=r[4], parties=tuple(r[5]),
            quarantined_at=r[6], shown=shown(raw, clear),
        )
        for r, raw in zip(rows, raws, strict=True)
    ]  # fmt: skip


def replay(
    settings: Settings,
    catalog: Catalog,
    feed_id: str,
    *,
    now: datetime | None = None,
    receipt: str | None = None,
    mend: Mend | None = None,
    closed_by: str = REPLAY,
    checkpoint: Checkpoint = no_checkpoint,
    lock_timeout: float = LOCK_SECONDS,
) -> ReplayResult:
    """Send the open rows of a feed's quarantine through its present contract; rows that pass are loaded.

    A row whose record a later delivery brought anew is closed as ``resent``.

    Args:
        receipt: only the rows of this delivery.
        mend: gives the values a row is to be read with in place of those that were sent, None to leave it alone.
        closed_by: who closes rows that load.

    Raises:
        Busy: a load of this feed runs.
        KeyFault: raw values are sealed and their key is missing or another one.
    """
    feed = catalog.feed(feed_id)
    at = now or datetime.now(UTC)
    totals = {"rows_found": 0, "rows_loaded": 0, "rows_quarantined": 0, "rows_skipped": 0}
    with table_lock(settings, feed_id, timeout=lock_timeout):
        require_migrated(settings, catalog, feed)
        for each, rows in open_rows(settings, feed_id, receipt):
            for part, group in _groups(_mended(each, rows, mend)):
                counts = _replay_receipt(settings, catalog, feed, each, part, group, at, checkpoint, closed_by)
                totals = {k: totals[k] + counts[k] for k in totals}
    return ReplayResult(feed=feed_id, **totals)


@dataclass(frozen=True)
class Row:
    """A rejected record: its place in its delivery, and its values as they were sent."""

    row_number: int
    part: int
    raw: dict[str, Any]


Mend = Callable[[str, Row], dict[str, Any] | None]
"""Receipt and row to the values it is to be read with; None leaves the row alone."""


def _mended(receipt: str, rows: list[Row], mend: Mend | None) -> list[Row]:
    if mend is None:
        return rows
    found = [(row, mend(receipt, row)) for row in rows]
    return [Row(row.row_number, row.part, raw) for row, raw in found if raw is not None]


def _connect(path: str) -> duckdb.DuckDBPyConnection:
    con = connect(memory="900MB")
    con.execute("SET TimeZone = 'UTC'")
    con.execute(f"CREATE TEMP VIEW q AS SELECT * FROM {scan_sql(con, path)}")
    return con


def open_rows(settings: Settings, feed_id: str, receipt: str | None) -> list[tuple[str, list[Row]]]:
    """The rows that wait, in clear, by receipt; for this room only.

    Raises:
        KeyFault: raw values are sealed and their key is missing or another one.
    """
    path = settings.quarantine_path(feed_id)
    if not exists(path):
        return []
    with _connect(path) as con:
        rows = con.execute(
            "SELECT receipt, row_number, part, raw FROM q WHERE status = 'open' AND raw IS NOT NULL "
            "AND ($receipt IS NULL OR receipt = $receipt) ORDER BY receipt, row_number, part",
            {"receipt": receipt},
        ).fetchall()
    raws = opener(settings, feed_id, quarantine=True).open_text([r[3] for r in rows])
    out: dict[str, list[Row]] = {}
    for r, raw in zip(rows, raws, strict=True):
        out.setdefault(r[0], []).append(Row(r[1], r[2], json.loads(raw or "{}")))
    return list(out.items())


def reasons_of(settings: Settings, feed_id: str) -> dict[tuple[str, int, int], str]:
    """Receipt, row number and part of every open row, to its reasons in Chinese."""
    path = settings.quarantine_path(feed_id)
    if not exists(path):
        return {}
    with _connect(path) as con:
        rows = con.execute("SELECT receipt, row_number, part, reasons FROM q WHERE status = 'open'").fetchall()
    return {(r[0], r[1], r[2]): r[3] for r in rows}


def withdraw(
    settings: Settings,
    feed_id: str,
    places: Sequence[tuple[str, int, int]],
    by: str,
    at: datetime,
    *,
    lock_timeout: float = LOCK_SECONDS,
) -> None:
    """Close open rows that their department says were never valid.

    Raises:
        Busy: a load of this feed runs.
    """
    path, name = settings.quarantine_path(feed_id), f"withdraw/{feed_id}"
    keys = pa.table(dict(zip(("receipt", "row_number", "part"), map(list, zip(*places, strict=True)), strict=True)))
    with table_lock(settings, feed_id, timeout=lock_timeout), connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("_void", keys)
        rows = con.execute(
            f"SELECT q.* REPLACE ('withdrawn' AS status, $at AS closed_at, $by AS closed_by) "
            f"FROM {scan_sql(con, path)} q "
            f"SEMI JOIN _void v ON v.receipt = q.receipt AND v.row_number = q.row_number AND v.part = q.part "
            f"WHERE q.status = 'open'",
            {"at": at, "by": by},
        ).to_arrow_table()
        commit_once(
            path, rows.cast(QUARANTINE_SCHEMA), mode="merge", app_id=name,
            version=(transaction_version(path, name) or 0) + 1, merge_key=("receipt", "row_number", "part"),
        )  # fmt: skip


def _groups(rows: list[Row]) -> Iterator[tuple[bool, list[Row]]]:
    """Whole records, and single values of unpivoted ones, apart."""
    for part in (False, True):
        group = [r for r in rows if bool(r.part) is part]
        if group:
            yield part, group


def _replay_receipt(
    settings: Settings,
    catalog: Catalog,
    feed: Feed,
    receipt: str,
    part: bool,
    rows: list[Row],
    at: datetime,
    checkpoint: Checkpoint,
    closed_by: str,
) -> dict[str, int]:
    columns = _columns(settings, feed, receipt, rows, part)
    if part:
        feed = feed.model_copy(update={"format": feed.format.model_copy(update={"unpivot": None})})
    # what a replay reads was delivered already: columns that came or went since are no drift
    if feed.drift.columns != "quarantine":
        feed = feed.model_copy(
            update={"drift": feed.drift.model_copy(update={"columns": "freeze"}), "ignore": (*feed.ignore, *columns)}
        )

    def source(recover: bool) -> Opened:
        records = (_record(i, row, columns, feed) for i, row in enumerate(rows, start=1))
        return Opened(columns, rows_to_batches(records, len(columns)))

    rules = compile_rules(catalog, feed, as_of=at)
    with stage(settings, catalog, feed, source, receipt=receipt, loaded_at=at, rules=rules) as staged:
        _restore_numbers(staged, rows)
        _mark_resent(settings, catalog, feed, staged, receipt)
        replacing = _mark_held(settings, catalog, feed, staged, receipt)
        check_content(staged, at, may_stop=False)
        recount(staged)
        checkpoint("replay.staged")
        replay_vault(settings, catalog, feed, staged, at, app=f"replay/{feed.id}")
        checkpoint("replay.vaulted")
        _commit_feed(settings, catalog, feed, staged, replacing)
        keep_history(settings, catalog, feed, at)
        checkpoint("replay.committed")
        _close(settings, feed, staged, receipt, at, closed_by)
        checkpoint("replay.closed")
        counts = {
            "rows_found": staged.rows_found,
            "rows_loaded": staged.rows_accepted + staged.skipped.get("loaded_before", 0),
            "rows_quarantined": staged.rows_quarantined,
            "rows_skipped": staged.rows_skipped - staged.skipped.get("loaded_before", 0),
        }
    _log(settings, feed.id, receipt, counts, at)
    return counts


def _columns(settings: Settings, feed: Feed, receipt: str, rows: list[Row], part: bool) -> tuple[str, ...]:
    """The source columns of the delivery: as its load recorded them, and whatever the raw rows carry."""
    outcome = landing.read_outcome(settings, landing.read_receipt(settings, feed.id, receipt)) or {}
    names = dict.fromkeys(outcome.get("about", {}).get("columns", ()))
    for row in rows:
        if "_fields" not in row.raw and "_line" not in row.raw:
            names.update(dict.fromkeys(row.raw))
    return tuple(names)


def _record(
    number: int, row: Row, columns: Sequence[str], feed: Feed
) -> tuple[int, Sequence[str | None] | None, str | None, str | None]:
    text = json.dumps(row.raw, ensure_ascii=False)
    if "_line" in row.raw:
        return number, None, "bad_record", text
    if "_fields" in row.raw:
        fields = list(row.raw["_fields"])
        free = (
            [normalise(c) for c in columns].index(normalise(feed.format.free_text)) if feed.format.free_text else None
        )
        return join_free_text(number, fields, feed.format, len(columns), free)
    return number, [row.raw.get(c) for c in columns], None, None


def _restore_numbers(staged: Staged, rows: list[Row]) -> None:
    """Give staged rows the record numbers of their delivery in place of their place in the replay."""
    numbers = {"i": range(1, len(rows) + 1), "n": [r.row_number for r in rows], "p": [r.part for r in rows]}
    staged.con.register("_numbers", pa.table({k: pa.array(v, pa.int64()) for k, v in numbers.items()}))
    staged.con.execute("UPDATE staged SET _row_number = n, _part = p FROM _numbers WHERE _row_number = i")
    staged.con.unregister("_numbers")


def _mark_held(settings: Settings, catalog: Catalog, feed: Feed, staged: Staged, receipt: str) -> int:
    """Take out accepted rows that the table holds already or that would replace a row that is not older.

    ``loaded_before``: this very row (a replay was killed). ``outdated``: another snapshot has replaced
    this one. ``known``: append, the key is there. Other
    rows whose key is there and which are not newer stay quarantined as ``key_conflict``.
    """
    path = settings.feed_path(feed.id)
    if not exists(path):
        return 0
    con, key = staged.con, catalog.table_key(feed)
    table = scan_sql(con, path)
    if feed.load.mode == "snapshot" and not is_current(settings, feed, receipt):
        con.execute(
            "INSERT INTO _losers SELECT rowid, _row_number, _part, 'outdated' FROM staged WHERE _state = 0 "
            "AND rowid NOT IN (SELECT r FROM _losers)"
        )
        staged.view()
        return 0
    con.execute(
        f"INSERT INTO _losers SELECT s.rowid, s._row_number, s._part, 'loaded_before' FROM staged s WHERE s._state = 0 "
        f"AND s.rowid NOT IN (SELECT r FROM _losers) AND EXISTS (SELECT 1 FROM {table} t "
        f"WHERE t._receipt = {literal(receipt)} AND t._row_number = s._row_number"
        f"{''.join(f' AND t.{quote(k)} = s.{quote(k)}' for k in key)})"
    )
    if not key:
        staged.view()
        return 0
    newest = quote(feed.load.newest_by) if feed.load.newest_by else None
    same = " AND ".join(f"t.{quote(k)} = s.{quote(k)}" for k in key)
    newer = (
        f"coalesce(s.{newest} > t.{newest}, t.{newest} IS NULL)" if newest and feed.load.mode != "append" else "false"
    )
    why = "known" if feed.load.mode == "append" else "key_conflict"
    con.execute(
        f"INSERT INTO _losers SELECT s.rowid, s._row_number, s._part, '{why}' FROM staged s WHERE s._state = 0 "
        f"AND s.rowid NOT IN (SELECT r FROM _losers) AND EXISTS (SELECT 1 FROM {table} t WHERE {same} AND NOT {newer})"
    )
    con.execute("CREATE OR REPLACE TABLE _conflict_raw AS SELECT _row_number, _part, NULL::VARCHAR AS raw FROM _losers")
    staged.view()
    row = con.execute(f"SELECT count(*) FROM accepted s SEMI JOIN (SELECT * FROM {table}) t ON {same}").fetchone()
    return int(row[0]) if row else 0


def _commit_feed(settings: Settings, catalog: Catalog, feed: Feed, staged: Staged, replacing: int) -> None:
    if not staged.rows_accepted:
        return
    path = settings.feed_path(feed.id)
    ensure_table(path, feed_schema(catalog, feed), partition_by=feed.load.partition_by)
    out = output(settings, catalog, feed, staged)
    name = f"replay/{feed.id}"
    commit_once(
        path,
        out.rows,
        mode="merge" if replacing else "append",
        app_id=name,
        version=(transaction_version(path, name) or 0) + 1,
        merge_key=catalog.table_key(feed),
        newest_by=feed.load.newest_by,
        evolve=out.evolve,
    )


def _mark_resent(settings: Settings, catalog: Catalog, feed: Feed, staged: Staged, receipt: str) -> None:
    """Skip rows that still break a rule, but whose key a later delivery brought: the department has corrected them."""
    path, key = settings.feed_path(feed.id), catalog.table_key(feed)
    if not key or not exists(path):
        return
    same = " AND ".join(f"t.{quote(k)} = s.{quote(k)}" for k in key)
    staged.con.execute(
        f"UPDATE staged s SET _state = 2, _skip = '{RESENT}' WHERE s._state = 1 AND EXISTS "
        f"(SELECT 1 FROM {scan_sql(staged.con, path)} t WHERE {same} AND t._receipt > {literal(receipt)})"
    )


def _close(settings: Settings, feed: Feed, staged: Staged, receipt: str, at: datetime, closed_by: str) -> None:
    """Rewrite the receipt's quarantine rows: loaded and needless ones closed, the others with their present reasons."""
    path = settings.quarantine_path(feed.id)
    con = staged.con
    con.execute(f"CREATE OR REPLACE TEMP TABLE _again AS {quarantine_sql(staged, receipt, at)}")
    con.execute(
        "CREATE OR REPLACE TEMP TABLE _verdicts AS SELECT s._row_number AS row_number, s._part AS part, "
        f"CASE WHEN l.why = 'loaded_before' THEN 'loaded' WHEN {QUARANTINES} THEN 'open' "
        f"WHEN s._skip = '{RESENT}' THEN '{RESENT}' "
        "WHEN l.why IS NOT NULL OR s._state = 2 THEN 'skipped' WHEN s._state = 1 THEN 'open' "
        "ELSE 'loaded' END AS status FROM staged s LEFT JOIN _losers l ON l.r = s.rowid"
    )
    when = f"TIMESTAMPTZ {literal(at.isoformat())}"
    rows = con.execute(
        f"SELECT q.receipt, q.row_number, q.part, "
        f"CASE WHEN v.status = 'open' THEN a.rules ELSE q.rules END AS rules, "
        f"CASE WHEN v.status = 'open' THEN a.reasons ELSE q.reasons END AS reasons, "
        f"CASE WHEN v.status = 'open' THEN a.parties ELSE q.parties END AS parties, "
        f"q.raw, q.quarantined_at, coalesce(v.status, q.status) AS status, "
        f"CASE WHEN v.status <> 'open' THEN {when} ELSE q.closed_at END AS closed_at, "
        f"CASE WHEN v.status <> 'open' THEN {literal(closed_by)} ELSE q.closed_by END AS closed_by "
        f"FROM {scan_sql(con, path)} q "
        f"LEFT JOIN _verdicts v ON q.status = 'open' AND v.row_number = q.row_number AND v.part = q.part "
        f"LEFT JOIN _again a ON a.row_number = q.row_number AND a.part = q.part WHERE q.receipt = $receipt",
        {"receipt": receipt},
    ).to_arrow_table()
    name = f"replay/{feed.id}"
    commit_once(
        path, rows, mode="overwrite", predicate=f"receipt = {literal(receipt)}", app_id=name,
        version=(transaction_version(path, name) or 0) + 1,
    )  # fmt: skip


def _log(settings: Settings, feed_id: str, receipt: str, counts: dict[str, int], at: datetime) -> None:
    row = {"feed": feed_id, "receipt": receipt, **counts, "replayed_at": at}
    schema = pa.schema(
        [
            ("feed", pa.string()),
            ("receipt", pa.string()),
            *((k, pa.int64()) for k in counts),
            ("replayed_at", pa.timestamp("us", tz="UTC")),
        ]
    )
    with table_lock(settings, "platform.replays"):
        append_rows(settings.platform_path("replays"), pa.Table.from_pylist([row], schema=schema))

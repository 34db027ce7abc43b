# ruff: noqa: S608 - every name and constant here comes from a validated contract and is quoted
"""Deliveries of a span of days once more: read as the contract says now, or asked of their source again.

A delivery is loaded again under its own receipt, as though the present contract had been there when it came: its rows
in the feed table are replaced by what they are read as today, rows of other deliveries stay where those won. Done twice
it changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

from pydantic import BaseModel, ConfigDict

from catalog.errors import ContractError, InputError, LakehouseError
from catalog.model import Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion import landing
from ingestion.commit import is_current, output, replace_quarantine
from ingestion.content import check_content
from ingestion.history import keep_history
from ingestion.landing import Checkpoint, Receipt, no_checkpoint
from ingestion.sources.moments import BEIJING, Moment, parse_moment
from ingestion.sources.pull import pulls
from ingestion.sources.state import State, state_folder
from ingestion.stage import Staged, recount, stage
from ingestion.vaulting import replay_vault
from quality.rules import compile_rules
from quality.sql import literal, quote
from warehouse.delta import commit_once, delete_once, ensure_table, exists, scan_sql, transaction_version
from warehouse.schema import feed_schema
from warehouse.tables import LOCK_SECONDS, table_lock
from warehouse.vault import merge_key, require_migrated


class BackfillResult(BaseModel):
    """What became of one delivery that was loaded again; found = loaded + quarantined + skipped.

    Attributes:
        rows_removed: rows of this delivery that were in the table and are no longer accepted.
        note: why nothing was done, in Chinese; '' when something was.
    """

    model_config = ConfigDict(frozen=True)

    feed: str
    receipt: str
    file: str = ""
    arrived_at: datetime
    rows_found: int = 0
    rows_loaded: int = 0
    rows_quarantined: int = 0
    rows_skipped: int = 0
    rows_removed: int = 0
    skipped: dict[str, int] = {}
    note: str = ""


def backfill(
    settings: Settings,
    catalog: Catalog,
    feed_id: str,
    first: date,
    last: date,
    *,
    now: datetime | None = None,
    progress: Callable[[str], None] | None = None,
    checkpoint: Checkpoint = no_checkpoint,
    lock_timeout: float = LOCK_SECONDS,
) -> list[BackfillResult]:
    """Load the kept deliveries that arrived from ``first`` to ``last`` (UTC days, both included) once more.

    Returns:
        One result a delivery, in the order they came.

    Raises:
        InputError: the days are the wrong way round. Busy: a load of this feed runs.
    """
    if first > last:
        raise InputError("--from is after --to", hint="give the earlier day first")
    feed = catalog.feed(feed_id)
    at, say = now or datetime.now(UTC), progress or (lambda _: None)
    done = []
    with table_lock(settings, feed_id, timeout=lock_timeout):
        require_migrated(settings, catalog, feed)
        for receipt in landing.receipts_of(settings, feed_id):
            if not first <= receipt.arrived_at.date() <= last:
                continue
            result = _again(settings, catalog, feed, receipt, at, checkpoint)
            say(f"{feed_id}: {receipt.original_name}: {result.note or f'{result.rows_loaded} rows'}")
            done.append(result)
    return done


def rewind(settings: Settings, feed: Feed, first: date) -> bool:
    """Set the cursor of a feed's connector back to a day, so that the next pull asks from there; hold no lock.

    Returns:
        False when the connector remembers no moment, or one before that day; full and comparing pulls take all anyway.

    Raises:
        ContractError: the feed's files are dropped, not fetched. Busy: a pull of this feed runs.
    """
    if not pulls(feed):
        raise ContractError("the files of this feed are dropped, there is no source to ask", hint="leave out --pull")
    with table_lock(settings, f"pull.{feed.id}"), State(state_folder(settings.home, feed.id)) as state:
        cursor = state.cursor()
        since = cursor.get("since")
        moment = None if since is None else _moment_of(first, parse_moment(since))
        if moment is None:
            return False
        state.rewind({**cursor, "since": moment})
    return True


def _moment_of(day: date, reached: Moment) -> str | None:
    """The start of a day (in Beijing) as a cursor writes it; None when the cursor is a number or was not past it."""
    zone = BEIJING if reached.kind == "moment" else None
    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    text = day.isoformat() if reached.kind == "date" else start.isoformat(sep="T" if "T" in reached.text else " ")
    if reached.kind == "number" or parse_moment(text).value >= reached.value:
        return None
    return text


def _again(
    settings: Settings, catalog: Catalog, feed: Feed, receipt: Receipt, at: datetime, checkpoint: Checkpoint
) -> BackfillResult:
    told = BackfillResult(feed=feed.id, receipt=receipt.id, file=receipt.original_name, arrived_at=receipt.arrived_at)
    note = _not_again(settings, feed, receipt)
    if note:
        return told.model_copy(update={"note": note})
    rules = compile_rules(catalog, feed, as_of=receipt.arrived_at)
    path = landing.landed_file(settings, receipt)
    try:
        with stage(settings, catalog, feed, path, receipt=receipt.id, loaded_at=at, rules=rules) as staged:
            replacing = _mark_won(settings, catalog, feed, staged, receipt)
            check_content(staged, at, may_stop=False, remember_raw=staged.remember_raw)
            recount(staged)
            checkpoint("backfill.staged")
            removed = _commit(settings, catalog, feed, staged, receipt, at, replacing, checkpoint)
            return told.model_copy(
                update={
                    "rows_found": staged.rows_found,
                    "rows_loaded": staged.rows_accepted,
                    "rows_quarantined": staged.rows_quarantined,
                    "rows_skipped": staged.rows_skipped,
                    "rows_removed": removed,
                    "skipped": dict(staged.skipped),
                }
            )
    except LakehouseError as e:
        return told.model_copy(update={"note": f"没有重装：{e}"})


def _not_again(settings: Settings, feed: Feed, receipt: Receipt) -> str:
    if receipt.expired_at:
        return "原始文件已按保存期限销毁"
    if receipt.duplicate_of or receipt.deletes:
        return "内容与先前的交付相同" if receipt.duplicate_of else "删除清单不重装"
    if not landing.is_loaded(settings, receipt):
        return f"尚未入库：lakehouse ingest {feed.id}"
    if feed.load.mode == "snapshot" and exists(settings.feed_path(feed.id)):
        return "" if is_current(settings, feed, receipt.id) else "已被后来的整表取代"
    return ""


def _mark_won(settings: Settings, catalog: Catalog, feed: Feed, staged: Staged, receipt: Receipt) -> int:
    """Take out accepted rows that another delivery won; accepted rows that stand in the table are counted.

    ``known``: append, an earlier delivery has the key. ``later``: upsert, a later one has it. ``older``: what is there
    is newer by ``newest_by``.
    """
    path, key, con = settings.feed_path(feed.id), catalog.table_key(feed), staged.con
    if feed.load.mode == "snapshot" or not exists(path):
        return 0
    same = " AND ".join(f"t.{quote(k)} = s.{quote(k)}" for k in key)
    own = literal(receipt.id)
    won = [f"WHEN t._receipt < {own} THEN 'known'"] if feed.load.mode == "append" else []
    if feed.load.mode == "upsert" and feed.load.newest_by:
        newest = quote(feed.load.newest_by)
        won.append(f"WHEN s.{newest} < t.{newest} OR (s.{newest} IS NULL AND t.{newest} IS NOT NULL) THEN 'older'")
        won.append(f"WHEN t._receipt > {own} AND s.{newest} IS NOT DISTINCT FROM t.{newest} THEN 'later'")
    elif feed.load.mode == "upsert":
        won.append(f"WHEN t._receipt > {own} THEN 'later'")
    con.execute(
        f"INSERT INTO _losers SELECT r, n, p, why FROM (SELECT s.rowid AS r, s._row_number AS n, s._part AS p, "
        f"CASE {' '.join(won)} END AS why FROM staged s JOIN {scan_sql(con, path)} t ON {same} "
        f"WHERE s._state = 0 AND s.rowid NOT IN (SELECT r FROM _losers)) WHERE why IS NOT NULL"
    )
    staged.view()
    row = con.execute(f"SELECT count(*) FROM accepted s SEMI JOIN {scan_sql(con, path)} t ON {same}").fetchone()
    return int(row[0]) if row else 0


def _commit(
    settings: Settings,
    catalog: Catalog,
    feed: Feed,
    staged: Staged,
    receipt: Receipt,
    at: datetime,
    replacing: int,
    checkpoint: Checkpoint,
) -> int:
    """Quarantine, vault, feed table and history, each so that a repeat gives the same; rows that were removed."""
    replace_quarantine(settings, catalog, feed, receipt, staged, at)
    checkpoint("backfill.quarantined")
    path, key, name = settings.feed_path(feed.id), catalog.table_key(feed), f"backfill/{feed.id}"
    ensure_table(path, feed_schema(catalog, feed), partition_by=feed.load.partition_by)
    removed = _remove_refused(settings, catalog, feed, staged, receipt, name)
    checkpoint("backfill.removed")
    replay_vault(settings, catalog, feed, staged, at, app=name)
    checkpoint("backfill.vaulted")
    if staged.rows_accepted:
        out = output(settings, catalog, feed, staged)
        commit_once(
            path,
            out.rows,
            mode=out.mode if not replacing else "merge",
            app_id=name,
            version=(transaction_version(path, name) or 0) + 1,
            merge_key=key,
            newest_by=feed.load.newest_by,
            evolve=out.evolve,
        )
    checkpoint("backfill.committed")
    keep_history(settings, catalog, feed, at)
    return removed


def _remove_refused(
    settings: Settings, catalog: Catalog, feed: Feed, staged: Staged, receipt: Receipt, name: str
) -> int:
    """Take out this delivery's rows that the contract now rejects; those another delivery won are not this one's."""
    path, key = settings.feed_path(feed.id), catalog.table_key(feed)
    if feed.load.mode == "snapshot":
        _unseal_refused(settings, catalog, feed, staged, name)  # the table itself is replaced as a whole
        return 0
    names = ", ".join(quote(k) for k in key)
    same = " AND ".join(f"t.{quote(k)} = s.{quote(k)}" for k in key)
    gone = staged.con.execute(
        f"SELECT {names} FROM {scan_sql(staged.con, path)} t WHERE t._receipt = {literal(receipt.id)} "
        f"AND NOT EXISTS (SELECT 1 FROM staged s WHERE s._state = 0 AND {same})"
    ).to_arrow_table()
    if gone.num_rows:
        for table in (settings.vault_path(feed.id), path):
            if exists(table):
                version = (transaction_version(table, f"{name}/removed") or 0) + 1
                delete_once(table, gone, key=key, app_id=f"{name}/removed", version=version)
    return int(gone.num_rows)


def _unseal_refused(settings: Settings, catalog: Catalog, feed: Feed, staged: Staged, name: str) -> None:
    """Take sealed values of rows that a snapshot no longer has out of the vault."""
    path, key = settings.vault_path(feed.id), merge_key(catalog, feed)
    if not exists(path):
        return
    same = " AND ".join(f"a.{quote(k)} = v.{quote(k)}" for k in key)
    gone = staged.con.execute(
        f"SELECT {', '.join(map(quote, key))} FROM {scan_sql(staged.con, path)} v "
        f"WHERE NOT EXISTS (SELECT 1 FROM accepted a WHERE {same})"
    ).to_arrow_table()
    if gone.num_rows:
        version = (transaction_version(path, f"{name}/removed") or 0) + 1
        delete_once(path, gone, key=key, app_id=f"{name}/removed", version=version)

"""From a file to its feed table: collect, land, load, each callable alone, each safe to repeat.

A load writes in this order: stage (thrown away) → gate → plan → quarantine → vault → feed → platform tables
→ outcome. Every Delta commit carries the receipt's sequence, so a load that was killed anywhere and
is run again gives the same tables: what is committed is not committed twice, and what was planned
before the feed commit is what is reported after it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from catalog.errors import ContractError, InputError, LakehouseError, UnknownName
from catalog.model import Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion import landing
from ingestion.commit import (
    app_id,
    commit_feed,
    commit_platform,
    commit_quarantine,
    is_committed,
    mark_known_rows,
    withdraw_quarantine,
)
from ingestion.content import ContentCheck, check_content, report
from ingestion.deletes import remove_deleted
from ingestion.early_write import EarlyWrite
from ingestion.formats import detect_kind
from ingestion.history import keep_history
from ingestion.landing import Checkpoint, Receipt, no_checkpoint
from ingestion.results import LoadResult, describe
from ingestion.sources.pull import Pulled, pull
from ingestion.stage import Staged, recount_if_lost, stage
from ingestion.vaulting import commit_vault, withdraw_vault
from quality.rules import BatchStats, CompiledRule, compile_rules
from warehouse.tables import LOCK_SECONDS, table_lock
from warehouse.vault import require_migrated

Progress = Callable[[str], None]


def collect(settings: Settings, catalog: Catalog, feed_id: str) -> list[Path]:
    """Files that wait for a feed in the drop folder, oldest first; ``ingestion.sources.pull`` lands all others."""
    return landing.waiting(settings, catalog.feed(feed_id))


def land(
    settings: Settings,
    catalog: Catalog,
    feed_id: str,
    file: Path,
    *,
    now: datetime | None = None,
    checkpoint: Checkpoint = no_checkpoint,
    lock_timeout: float = LOCK_SECONDS,
) -> Receipt:
    """Keep one file's bytes in landing and give them a receipt; see `ingestion.landing.land_file`.

    Raises:
        InputError: the file cannot be taken. Busy: another load of this feed runs.
    """
    feed = catalog.feed(feed_id)
    with table_lock(settings, feed_id, timeout=lock_timeout):
        landing.clean_up(settings, feed_id)
        return landing.land_file(settings, feed, Path(file), now=now or datetime.now(UTC), checkpoint=checkpoint)


def load(
    settings: Settings,
    catalog: Catalog,
    feed_id: str,
    receipt: str | None = None,
    *,
    now: datetime | None = None,
    progress: Progress | None = None,
    checkpoint: Checkpoint = no_checkpoint,
    lock_timeout: float = LOCK_SECONDS,
) -> LoadResult:
    """Load a landed receipt, and before it every earlier one that still waits.

    Args:
        receipt: its id; the last that waits when None. One that was loaded gives its outcome again.

    Raises:
        UnknownName: no such receipt, or none waits. Busy: another load of this feed runs.
    """
    feed = catalog.feed(feed_id)
    with table_lock(settings, feed_id, timeout=lock_timeout):
        require_migrated(settings, catalog, feed)
        waiting = landing.pending(settings, feed_id)
        wanted = landing.read_receipt(settings, feed_id, receipt) if receipt else (waiting[-1] if waiting else None)
        if wanted is None:
            raise UnknownName(f"no receipt of {feed_id} waits to be loaded", hint="land a file first")
        result = None
        for each in waiting:
            if each.sequence <= wanted.sequence:
                result = _load(settings, catalog, feed, each, now, progress, checkpoint)
        if result is None or result.receipt != wanted.id:
            result = LoadResult.model_validate(landing.read_outcome(settings, wanted))
        return result


def ingest(
    settings: Settings,
    catalog: Catalog,
    feed_id: str,
    *,
    file: Path | None = None,
    now: datetime | None = None,
    progress: Progress | None = None,
    checkpoint: Checkpoint = no_checkpoint,
    lock_timeout: float = LOCK_SECONDS,
) -> list[LoadResult]:
    """Land and load what waits for a feed: receipts a crash left, then what its connector brings, or ``file``.

    A file that cannot be read gives a result with verdict ``stopped`` and its error; the others go on.

    Args:
        file: one file anywhere instead of the drop folder; it is copied and left where it is.
        now: landing and loading time, default the clock.
        progress: called with a line for people.

    Raises:
        UnknownName: no such feed. Busy: another load of this feed runs.
    """
    feed = catalog.feed(feed_id)
    pulled = Pulled()
    if file is None:
        pulled = pull(
            settings, catalog, feed_id, now=now, progress=progress, checkpoint=checkpoint, lock_timeout=lock_timeout
        )
    with table_lock(settings, feed_id, timeout=lock_timeout):
        require_migrated(settings, catalog, feed)
        landing.clean_up(settings, feed_id)
        results = [
            _load(settings, catalog, feed, receipt, now, progress, checkpoint)
            for receipt in landing.pending(settings, feed_id)
        ]
        files = [Path(file)] if file is not None else landing.waiting(settings, feed)
        for path in files:
            try:
                at = now or datetime.now(UTC)
                receipt = landing.land_file(settings, feed, path, now=at, checkpoint=checkpoint)
            except LakehouseError as e:
                results.append(_refused(feed, path, e))
                continue
            results.append(_load(settings, catalog, feed, receipt, now, progress, checkpoint))
    return results + [_refused(feed, Path(str(e.where.get("file", ""))), e) for e in pulled.refused]


def _refused(feed: Feed, path: Path, error: LakehouseError) -> LoadResult:
    return LoadResult(
        feed=feed.id, receipt="", file=path.name, verdict="stopped", message=str(error), error=error.as_dict()
    )


def _load(
    settings: Settings,
    catalog: Catalog,
    feed: Feed,
    receipt: Receipt,
    now: datetime | None,
    progress: Progress | None,
    checkpoint: Checkpoint,
) -> LoadResult:
    """Load one receipt under the feed's lock and leave its outcome."""
    say = progress or (lambda _: None)
    at = now or datetime.now(UTC)
    say(f"{feed.id}: {receipt.original_name} ({receipt.size:,} bytes) …")
    plan = landing.read_outcome(settings, receipt, landing.PLAN)
    if plan is not None and is_committed(settings, feed, receipt):
        result = LoadResult.model_validate(plan)
        at = datetime.fromisoformat(plan["loaded_at"])
        keep_history(settings, catalog, feed, receipt.landed_at)
        _finish(settings, feed, receipt, result, at, _read_validations(settings, receipt), checkpoint)
    elif receipt.duplicate_of:
        result = _duplicate(settings, feed, receipt)
        _finish(settings, feed, receipt, result, at, None, checkpoint)
    elif _is_empty(landing.landed_file(settings, receipt)):
        result = _described(LoadResult(feed=feed.id, receipt=receipt.id, file=receipt.original_name, verdict="empty"))
        _finish(settings, feed, receipt, result, at, None, checkpoint)
    else:
        withdraw_vault(settings, feed, receipt, app=app_id(feed.id), now=at)
        try:
            work = _remove if receipt.deletes else _stage_and_commit
            result = work(settings, catalog, feed, receipt, at, checkpoint)
        except (InputError, ContractError) as e:
            result = _unreadable(settings, feed, receipt, e)
            _finish(settings, feed, receipt, result, at, None, checkpoint)
    say(f"{feed.id}: {receipt.original_name}: {result.verdict}, {result.message}")
    return result


def _remove(
    settings: Settings, catalog: Catalog, feed: Feed, receipt: Receipt, at: datetime, checkpoint: Checkpoint
) -> LoadResult:
    """Take out the rows whose keys a delivery names."""

    def planned(result: LoadResult) -> None:
        _write_plan(settings, receipt, result, at, None)
        checkpoint("load.planned")

    result = remove_deleted(settings, catalog, feed, receipt, at, planned=planned)
    checkpoint("load.removed")
    keep_history(settings, catalog, feed, receipt.landed_at)
    _finish(settings, feed, receipt, result, at, None, checkpoint)
    return result


def _stage_and_commit(
    settings: Settings, catalog: Catalog, feed: Feed, receipt: Receipt, at: datetime, checkpoint: Checkpoint
) -> LoadResult:
    rules = compile_rules(catalog, feed, as_of=receipt.arrived_at)
    path = landing.landed_file(settings, receipt)
    with stage(settings, catalog, feed, path, receipt=receipt.id, loaded_at=at, rules=rules) as staged:
        checkpoint("load.staged")
        if not staged.rows_found:
            result = _result(receipt, staged, "empty")
            _finish(settings, feed, receipt, result, at, None, checkpoint)
            return result
        replacing = mark_known_rows(settings, catalog, feed, staged)
        recount_if_lost(staged)
        app = app_id(feed.id)
        with ExitStack() as commits:
            feed_commit = commits.enter_context(
                commit_feed(settings, catalog, feed, receipt, staged, replacing=replacing)
            )
            content = _checked_content(staged, at, feed_commit)
            vault_commit = commits.enter_context(
                commit_vault(settings, catalog, feed, receipt, staged, at, app=app, replacing=replacing)
            )
            verdict, message, validations = _gate(settings, catalog, feed, receipt, staged, rules, content, at)
            report(settings, receipt, content, at)
            checkpoint("load.gated")
            if verdict == "stopped":
                result = _stopped(receipt, staged, message)
            else:
                result = _result(receipt, staged, verdict)
                _write_plan(settings, receipt, result, at, validations)
                checkpoint("load.planned")
                commit_quarantine(settings, catalog, feed, receipt, staged, at)
                checkpoint("load.quarantined")
                vault_commit.finish()
                checkpoint("load.vaulted")
                feed_commit.finish()
                checkpoint("load.committed")
                if keep_history(settings, catalog, feed, receipt.landed_at):
                    checkpoint("load.versioned")
        _finish(settings, feed, receipt, result, at, validations, checkpoint)
        return result


def _checked_content(staged: Staged, at: datetime, feed_commit: EarlyWrite) -> ContentCheck:
    """The content check, beside which the accepted rows are already written; anew where it takes any of them out."""
    accepted = staged.rows_accepted
    content = check_content(staged, at, remember_raw=staged.remember_raw)
    recount_if_lost(staged)
    if staged.rows_accepted != accepted:
        feed_commit.again()
    return content


def _gate(
    settings: Settings,
    catalog: Catalog,
    feed: Feed,
    receipt: Receipt,
    staged: Staged,
    rules: tuple[CompiledRule, ...],
    content: ContentCheck,
    at: datetime,
) -> tuple[str, str, pa.Table | None]:
    """Verdict, reason when stopped, and the check results as a table."""
    if feed.load.mode == "snapshot" and not staged.rows_accepted and not content.reason:
        return "stopped", "整批没有一行通过，原有数据保持不变", None
    from quality.gate import run_gate

    batch = BatchStats(
        feed=feed.id,
        receipt=receipt.id,
        rows_found=staged.rows_found,
        rows_accepted=staged.rows_accepted,
        rows_quarantined=staged.rows_quarantined,
        rows_skipped=staged.rows_skipped,
        arrived_at=receipt.arrived_at,
        previous_rows=_previous_rows(settings, feed, receipt),
        row_failures={**staged.reasons, **staged.warned},
    )
    gate = run_gate(
        staged.con, "accepted", catalog=catalog, feed=feed, rules=rules, batch=batch,
        docs_dir=settings.home / "data_docs", now=at,
    )  # fmt: skip
    outcome = content.on(gate)
    verdict = outcome.verdict
    if verdict == "passed" and (staged.rows_quarantined or staged.warned):
        verdict = "warned"
    return verdict, outcome.reason, outcome.to_arrow()


def _previous_rows(settings: Settings, feed: Feed, receipt: Receipt) -> int | None:
    """Rows found in the last delivery before this one that was loaded."""
    for earlier in reversed(landing.receipts_of(settings, feed.id)):
        if earlier.sequence >= receipt.sequence or earlier.duplicate_of or earlier.deletes:
            continue
        outcome = landing.read_outcome(settings, earlier)
        if outcome and outcome["verdict"] in ("passed", "warned"):
            return int(outcome["rows_found"])
    return None


def _result(receipt: Receipt, staged: Staged, verdict: Any) -> LoadResult:
    return _described(
        LoadResult(
            feed=receipt.feed,
            receipt=receipt.id,
            file=receipt.original_name,
            rows_found=staged.rows_found,
            rows_loaded=staged.rows_accepted,
            rows_quarantined=staged.rows_quarantined,
            rows_skipped=staged.rows_skipped,
            verdict=verdict,
            reasons=staged.reasons,
            skipped=staged.skipped,
            warnings=staged.warned,
            about=staged.about,
        )
    )


def _stopped(receipt: Receipt, staged: Staged, message: str) -> LoadResult:
    """Nothing of the batch is visible; every row counts as skipped, the reasons stay for whoever repairs it."""
    found = staged.rows_found
    return _result(receipt, staged, "stopped").model_copy(
        update={
            "rows_loaded": 0,
            "rows_quarantined": 0,
            "rows_skipped": found,
            "skipped": {"stopped": found},
            "message": f"整批停下，未入库：{message}",
        }
    )


def _described(result: LoadResult) -> LoadResult:
    return result.model_copy(update={"message": describe(result)})


def _duplicate(settings: Settings, feed: Feed, receipt: Receipt) -> LoadResult:
    first = landing.read_receipt(settings, feed.id, receipt.duplicate_of or "")
    outcome = landing.read_outcome(settings, first) or {}
    found = int(outcome.get("rows_found", 0))
    return _described(
        LoadResult(
            feed=feed.id,
            receipt=receipt.id,
            file=receipt.original_name,
            rows_found=found,
            rows_skipped=found,
            skipped={"duplicate_delivery": found} if found else {},
            verdict="duplicate",
            about={"duplicate_of": first.id},
        )
    )


def _unreadable(settings: Settings, feed: Feed, receipt: Receipt, error: LakehouseError) -> LoadResult:
    path = landing.landed_file(settings, receipt)
    error.hint = error.hint.replace("feed drift FEED", f"feed drift {feed.id}")
    again = f"the bytes are kept; after the repair: lakehouse ingest {feed.id} --file {path}"
    return LoadResult(
        feed=feed.id,
        receipt=receipt.id,
        file=receipt.original_name,
        verdict="stopped",
        message=f"{error} → {again}",
        error=error.as_dict(),
    )


def _is_empty(path: Path) -> bool:
    try:
        return detect_kind(path) == "empty"
    except InputError:
        return False


def _write_plan(
    settings: Settings, receipt: Receipt, result: LoadResult, at: datetime, validations: pa.Table | None
) -> None:
    """What is about to be committed, so that a run after a crash can report it."""
    folder = landing.folder_of(settings, receipt)
    if validations is not None:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, validations.schema) as writer:
            writer.write_table(validations)
        landing.write_durably(folder / landing.VALIDATIONS, sink.getvalue().to_pybytes())
    landing.write_durably(folder / landing.PLAN, _outcome(result, at))


def _read_validations(settings: Settings, receipt: Receipt) -> pa.Table | None:
    path = landing.folder_of(settings, receipt) / landing.VALIDATIONS
    return pa.ipc.open_file(pa.BufferReader(path.read_bytes())).read_all() if path.exists() else None


def _finish(
    settings: Settings,
    feed: Feed,
    receipt: Receipt,
    result: LoadResult,
    at: datetime,
    validations: pa.Table | None,
    checkpoint: Checkpoint,
) -> None:
    """Log the load in the platform tables, then leave its outcome: only now it is done."""
    if result.verdict == "stopped":
        withdraw_quarantine(settings, feed, receipt)
    commit_platform(settings, receipt, result, at, validations)
    checkpoint("load.logged")
    folder = landing.folder_of(settings, receipt)
    landing.write_durably(folder / landing.OUTCOME, _outcome(result, at))
    (folder / landing.PLAN).unlink(missing_ok=True)
    (folder / landing.VALIDATIONS).unlink(missing_ok=True)
    checkpoint("load.done")


def _outcome(result: LoadResult, at: datetime) -> bytes:
    data = {**result.model_dump(mode="json"), "loaded_at": at.isoformat()}
    return json.dumps(data, ensure_ascii=False, indent=1).encode()

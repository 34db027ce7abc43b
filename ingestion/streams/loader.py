"""Turns sealed segments into micro-batches: stage, gate, quarantine, feed, and the hour's counts, each once.

The way of an ordinary delivery, with the segment's number as the version of its Delta commits. Killed anywhere and
started again it recognises what is done: what is committed is not committed twice, and what was planned
before the commit is what is counted after it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from catalog.errors import ContractError, DriftError, InputError
from catalog.model import Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion import landing
from ingestion.commit import commit_feed, commit_quarantine, mark_known_rows
from ingestion.content import check_content
from ingestion.formats import Wanted, open_file
from ingestion.formats.base import Opened
from ingestion.formats.ndjson import PROBE_LINES
from ingestion.landing import Checkpoint, no_checkpoint
from ingestion.results import LoadResult
from ingestion.stage import Staged, recount, stage
from ingestion.streams import hour as hours
from ingestion.streams.hour import Hour, check_row, stream_app
from ingestion.streams.message import ADDED
from ingestion.streams.spool import Segment, sealed
from quality.gate import run_gate
from quality.rules import BatchStats, CompiledRule, compile_rules
from quality.verdict import GateResult
from warehouse.delta import transaction_version
from warehouse.tables import LOCK_SECONDS, table_lock

ALL_LINES = 1 << 40


def spool_folder(settings: Settings, feed_id: str) -> Path:
    """Where the collector of a feed keeps its segments."""
    return settings.home / "connectors" / feed_id / "spool"


def check_contract(catalog: Catalog, feed: Feed) -> None:
    """Whether a stream can be loaded by this contract.

    Raises:
        ContractError: it has another load mode than append, direct identifiers, or does not know what is added.
    """
    if feed.load.mode != "append":
        raise ContractError("a stream needs load.mode: append", hint="its key tells messages apart", feed=feed.id)
    if catalog.vaulted(feed):
        raise ContractError(
            "a stream may not carry direct identifiers of persons", hint="take them as files, which pass the vault",
            feed=feed.id,
        )  # fmt: skip
    known = {name for spec in feed.fields.values() for name in spec.from_} | set(feed.ignore)
    if missing := [name for name in ADDED if name not in known]:
        raise ContractError(
            f"the collector adds {' and '.join(missing)} to every message",
            hint="take them as fields (from: received_at), or name them under ignore", feed=feed.id,
        )  # fmt: skip


def first_free(settings: Settings, feed_id: str) -> int:
    """The lowest number no segment of the feed has had, as the tables and receipts say. Hold the feed's lock."""
    paths = (settings.feed_path(feed_id), settings.quarantine_path(feed_id))
    done = [transaction_version(path, stream_app(feed_id)) or 0 for path in paths]
    last = hours.last_hour(settings, feed_id)
    return 1 + max([*done, last.progress.last if last else 0])


class Loader:
    """Loads the segments of one feed; one process at a time.

    Args:
        source: where the messages come from, for receipts.
        say: a line for people.

    Attributes:
        rows: counts since the start.
    """

    def __init__(
        self, settings: Settings, catalog: Catalog, feed_id: str, source: str, *, say: Callable[[str], None],
        checkpoint: Checkpoint = no_checkpoint, lock_timeout: float = LOCK_SECONDS,
    ) -> None:  # fmt: skip
        self._settings, self._catalog, self._feed = settings, catalog, by_message(catalog.feed(feed_id))
        check_contract(catalog, self._feed)
        self._source, self._say = source, say
        self._checkpoint, self._lock_timeout = checkpoint, lock_timeout
        self._folder = spool_folder(settings, feed_id)
        self._near = _instant(catalog, self._feed)
        self._hour: Hour | None = None
        self._looked = False
        self.rows = dict.fromkeys(("rows_found", "rows_loaded", "rows_quarantined", "rows_skipped"), 0)

    def run_once(self, now: datetime, *, hand_over: bool = False) -> int:
        """Load the segments that wait, and hand over an hour that is past; how many were loaded.

        Args:
            hand_over: the open hour, too, though it is not over.

        Raises:
            Busy: another process writes the feed's table.
        """
        done = 0
        for segment in sealed(self._folder):
            with table_lock(self._settings, self._feed.id, timeout=self._lock_timeout):
                self._load(segment, now if done == 0 else datetime.now(UTC))
            done += 1
        with table_lock(self._settings, self._feed.id, timeout=self._lock_timeout):
            hour = self._current()
            if hour and hour.progress.open and (hand_over or now >= hour.progress.hour + hours.HOUR * 1.02):
                self._close(hour, now)
        return done

    def _current(self) -> Hour | None:
        if not self._looked:
            landing.clean_up(self._settings, self._feed.id)
            self._hour, self._looked = hours.last_hour(self._settings, self._feed.id), True
        return self._hour

    def _close(self, hour: Hour, now: datetime) -> None:
        self._hour = hours.close(self._settings, self._feed, hour, now=now, checkpoint=self._checkpoint)
        self._say(f"{self._feed.id}: hour {hour.progress.hour:%Y-%m-%dT%H}Z handed over, {hour.result.message}")

    def _load(self, segment: Segment, now: datetime) -> None:
        settings, feed = self._settings, self._feed
        hour, wanted = self._current(), hours.hour_of(segment.started_at)
        if hour and segment.number <= hour.progress.last:
            if hour.progress.open:
                hours.keep_part(settings, hour, segment.path, segment.number)
            else:
                segment.path.unlink()
            return
        if hour and hour.progress.open and hour.progress.hour < wanted:
            self._close(hour, now)
            hour = None
        if hour is None or not hour.progress.open:
            hour = self._hour = hours.begin(settings, feed, self._source, wanted, now=now)
            self._checkpoint("stream.begun")
        loaded, checks = self._planned(hour, segment) or self._stage_and_commit(hour, segment, now)
        self._checkpoint("stream.committed")
        self._hour = hour = hours.add(settings, hour, segment.number, loaded, checks, now=now)
        (landing.folder_of(settings, hour.receipt) / landing.PLAN).unlink(missing_ok=True)
        self._checkpoint("stream.counted")
        hours.keep_part(settings, hour, segment.path, segment.number)
        self._checkpoint("stream.kept")
        for name in self.rows:
            self.rows[name] += getattr(loaded, name)

    def _planned(self, hour: Hour, segment: Segment) -> tuple[LoadResult, list[dict[str, Any]]] | None:
        """What an earlier attempt counted, if it was killed after its commit to the feed table."""
        done = transaction_version(self._settings.feed_path(self._feed.id), stream_app(self._feed.id))
        plan = landing.read_outcome(self._settings, hour.receipt, landing.PLAN)
        if plan is None or plan["segment"] != segment.number or done is None or done < segment.number:
            return None
        return LoadResult.model_validate(plan["result"]), plan["checks"]

    def _stage_and_commit(self, hour: Hour, segment: Segment, now: datetime) -> tuple[LoadResult, list[dict[str, Any]]]:
        settings, catalog, feed = self._settings, self._catalog, self._feed
        rules = compile_rules(catalog, feed, as_of=segment.started_at)
        try:
            with self._staged(hour, segment, now, rules) as staged:
                self._checkpoint("stream.staged")
                replacing = mark_known_rows(settings, catalog, feed, staged, near=self._near)
                content = check_content(staged, now, remember_raw=staged.remember_raw)
                recount(staged)
                gate = content.on(self._gate(hour, staged, rules, segment))
                checks = [check_row(c) for c in gate.results]
                result = _result(hour, staged, gate.verdict)
                if gate.verdict == "stopped":
                    self._say(f"{feed.id}: micro-batch {segment.number} stopped: {gate.reason}")
                    return result, checks
                slot = hour.slot(segment.number, staged.rows_found)
                self._plan(hour, segment, result, checks)
                self._checkpoint("stream.planned")
                commit_quarantine(settings, catalog, feed, hour.receipt, staged, now, slot)
                self._checkpoint("stream.quarantined")
                with commit_feed(
                    settings, catalog, feed, hour.receipt, staged, replacing=replacing, slot=slot
                ) as commit:
                    commit.finish()
                return result, checks
        except (InputError, ContractError) as e:
            found = sum(1 for line in segment.path.open("rb") if line.strip())
            self._say(f"{feed.id}: micro-batch {segment.number} cannot be read: {e}")
            return _none_of(hour, found), []

    def _staged(self, hour: Hour, segment: Segment, now: datetime, rules: Sequence[CompiledRule]) -> Staged:
        """The segment staged; where a name is met late, once more with all lines looked at for names first."""

        def attempt(probe_lines: int) -> Staged:
            source = _numbered(segment.path, self._feed, hour.result.rows_found, probe_lines)
            return stage(
                self._settings, self._catalog, self._feed, source, receipt=hour.receipt.id, loaded_at=now, rules=rules
            )

        try:
            return attempt(PROBE_LINES)
        except DriftError:
            return attempt(ALL_LINES)

    def _gate(self, hour: Hour, staged: Staged, rules: Sequence[CompiledRule], segment: Segment) -> GateResult:
        batch = BatchStats(
            feed=self._feed.id, receipt=hour.receipt.id, rows_found=staged.rows_found,
            rows_accepted=staged.rows_accepted, rows_quarantined=staged.rows_quarantined,
            rows_skipped=staged.rows_skipped, arrived_at=segment.started_at,
            row_failures={**staged.reasons, **staged.warned},
        )  # fmt: skip
        return run_gate(
            staged.con, "accepted", catalog=self._catalog, feed=self._feed, rules=rules, batch=batch,
            now=segment.started_at,
        )  # fmt: skip

    def _plan(self, hour: Hour, segment: Segment, result: LoadResult, checks: list[dict[str, Any]]) -> None:
        plan = {"segment": segment.number, "result": result.model_dump(mode="json"), "checks": checks}
        path = landing.folder_of(self._settings, hour.receipt) / landing.PLAN
        landing.write_durably(path, json.dumps(plan, ensure_ascii=False).encode())


def by_message(feed: Feed) -> Feed:
    """The contract as a stream takes it: what it freezes stops the message that has it, not all that came with it."""

    def softer(action: Any) -> Any:
        if isinstance(action, str):
            return "quarantine" if action == "freeze" else action
        return {kind: softer(one) for kind, one in action.items()}

    drift = {name: softer(getattr(feed.drift, name)) for name in ("columns", "types", "codes")}
    return feed.model_copy(update={"drift": feed.drift.model_copy(update=drift)})


def _numbered(path: Path, feed: Feed, before: int, probe_lines: int) -> Callable[[bool], Opened]:
    """Opens a segment whose records are numbered after the ``before`` of its hour."""

    def source(recover: bool) -> Opened:
        opened = open_file(
            path, feed.format, Wanted.of(feed), scratch=path.with_suffix(".scratch"), probe_lines=probe_lines
        )
        opened.batches = _shifted(opened.batches, before)
        return opened

    return source


def _shifted(batches: Iterator[pa.RecordBatch], before: int) -> Iterator[pa.RecordBatch]:
    import pyarrow.compute as pc

    for batch in batches:
        yield pa.RecordBatch.from_arrays([pc.add(batch.column(0), before), *batch.columns[1:]], schema=batch.schema)


def _result(hour: Hour, staged: Staged, verdict: str) -> LoadResult:
    if verdict == "stopped":
        return _none_of(hour, staged.rows_found)
    return LoadResult(
        feed=hour.receipt.feed,
        receipt=hour.receipt.id,
        rows_found=staged.rows_found,
        rows_loaded=staged.rows_accepted,
        rows_quarantined=staged.rows_quarantined,
        rows_skipped=staged.rows_skipped,
        verdict="warned" if staged.rows_quarantined or staged.warned or verdict == "warned" else "passed",
        reasons=staged.reasons,
        skipped=staged.skipped,
        warnings=staged.warned,
        about=staged.about,
    )


def _none_of(hour: Hour, found: int) -> LoadResult:
    """A micro-batch of which nothing is visible; its messages stay in the hour's file."""
    return LoadResult(
        feed=hour.receipt.feed, receipt=hour.receipt.id, rows_found=found, rows_skipped=found,
        skipped={"stopped": found} if found else {}, verdict="stopped",
    )  # fmt: skip


def _instant(catalog: Catalog, feed: Feed) -> str | None:
    """The first instant of the key: repeats of a message are looked for near it only."""
    types = {f.name: f.type for f in catalog.fields(feed)}
    return next((name for name in feed.load.key if types.get(name) == "timestamp"), None)

"""The delivery of an hour: micro-batches of one hour share a receipt, so that landing stays as small as the day.

The receipt's folder is made with the hour's first micro-batch. While the hour is open, ``parts/`` holds
the messages of each micro-batch (gzip) and ``outcome.json`` the counts so far; afterwards one file holds all
messages in order, the numbers of its records are the ``_row_number`` of the rows, and the load is logged.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from catalog.model import Feed
from catalog.settings import Settings
from ingestion import landing
from ingestion.commit import Slot, commit_platform
from ingestion.landing import Checkpoint, Receipt
from ingestion.results import LoadResult, describe
from quality.sql import literal
from quality.verdict import CheckResult, validations_schema
from warehouse.maintenance import join_files

PARTS, STREAM = "parts", "stream"
HOUR = timedelta(hours=1)


def stream_app(feed_id: str) -> str:
    """The application id of a stream's commits; its version is the number of the segment."""
    return f"stream/{feed_id}"


class Progress(BaseModel):
    """How far the hour has come; part of the receipt's ``outcome.json``.

    Attributes:
        hour: its start (UTC). segments: micro-batches loaded; last: the number of the newest.
        checks: results of the gate, summed over the micro-batches, by rule code.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hour: datetime
    open: bool = True
    segments: int = 0
    last: int = 0
    checks: dict[str, dict[str, Any]] = Field(default_factory=dict)


@dataclass(frozen=True)
class Hour:
    """An hour's receipt with its counts and progress."""

    receipt: Receipt
    result: LoadResult
    progress: Progress

    def slot(self, segment: int, rows: int) -> Slot:
        """What the commits of a micro-batch are known by; it brings ``rows`` records after those that are counted."""
        first = self.result.rows_found
        condition = f"receipt = {literal(self.receipt.id)} AND row_number > {first} AND row_number <= {first + rows}"
        return Slot(stream_app(self.receipt.feed), segment, condition)


def hour_of(moment: datetime) -> datetime:
    """The start of the hour ``moment`` is in."""
    return moment.replace(minute=0, second=0, microsecond=0)


def last_hour(settings: Settings, feed_id: str) -> Hour | None:
    """The newest hour of a feed, open or not. Hold the feed's lock."""
    for receipt in reversed(landing.receipts_of(settings, feed_id)):
        outcome = landing.read_outcome(settings, receipt) or {}
        if STREAM in outcome:
            progress = Progress.model_validate(outcome[STREAM])
            return Hour(receipt, LoadResult.model_validate(outcome), progress)
    return None


def begin(settings: Settings, feed: Feed, source: str, hour: datetime, *, now: datetime) -> Hour:
    """The receipt of an hour, with nothing in it yet; its folder appears whole. Hold the feed's lock."""
    name = f"{feed.object}-{hour:%Y%m%dT%H}.ndjson.gz"
    mark = hashlib.sha256(f"{feed.id} {hour.isoformat()}".encode()).hexdigest()
    receipt = landing.new_receipt(settings, feed, name, source, mark, arrived=hour, now=now)
    result = LoadResult(feed=feed.id, receipt=receipt.id, file=name, verdict="passed")
    made = Hour(receipt, result, Progress(hour=hour))
    final = landing.folder_of(settings, receipt)
    temp = final.with_name(f".tmp-{os.getpid()}-{os.urandom(4).hex()}")
    (temp / PARTS).mkdir(parents=True, mode=0o700)
    landing.write_durably(temp / landing.RECEIPT, receipt.model_dump_json(indent=1).encode())
    landing.write_durably(temp / landing.OUTCOME, _outcome(made, now))
    temp.rename(final)
    landing.sync_dir(final.parent)
    return made


def add(settings: Settings, hour: Hour, segment: int, loaded: LoadResult, checks: Sequence[Mapping[str, Any]],
        *, now: datetime) -> Hour:  # fmt: skip
    """The hour with a micro-batch's counts, durable: from here on it counts as loaded."""
    before, progress = hour.result, hour.progress
    worst = max(before.verdict, loaded.verdict if loaded.verdict != "stopped" else "warned", key=_RANK.index)
    result = before.model_copy(
        update={
            **{k: getattr(before, k) + getattr(loaded, k) for k in _COUNTS},
            **{k: _sum(getattr(before, k), getattr(loaded, k)) for k in ("reasons", "skipped", "warnings")},
            "verdict": worst,
            "about": {**before.about, **loaded.about},
        }
    )
    result = result.model_copy(update={"message": describe(result)})
    made = Hour(
        hour.receipt,
        result,
        progress.model_copy(
            update={"segments": progress.segments + 1, "last": segment, "checks": _checked(progress.checks, checks)}
        ),
    )
    _write(settings, made, now)
    return made


def keep_part(settings: Settings, hour: Hour, segment: Path, number: int) -> None:
    """Move a segment that is loaded into the hour's folder, compressed."""
    part = landing.folder_of(settings, hour.receipt) / PARTS / f"{number:012d}.gz"
    landing.write_durably(part, gzip.compress(segment.read_bytes(), compresslevel=1, mtime=0))
    segment.unlink()


def close(settings: Settings, feed: Feed, hour: Hour, *, now: datetime, checkpoint: Checkpoint) -> Hour:
    """Hand the hour over: one file of its messages, its load logged, the small files of its tables joined.

    Every step may be done twice. Hold the feed's lock.
    """
    folder = landing.folder_of(settings, hour.receipt)
    receipt = hour.receipt
    if (folder / PARTS).is_dir():
        digest, size = _join(folder / PARTS, folder / receipt.file, feed.id)
        receipt = receipt.model_copy(update={"sha256": digest, "size": size})
        landing.write_durably(folder / landing.RECEIPT, receipt.model_dump_json(indent=1).encode())
        checkpoint("hour.joined")
    done = Hour(receipt, hour.result, hour.progress.model_copy(update={"open": False}))
    checks = pa.Table.from_pylist(
        [{**c, "checked_at": now} for c in hour.progress.checks.values()], schema=validations_schema()
    )
    commit_platform(settings, receipt, done.result, now, checks, app=stream_app(feed.id))
    checkpoint("hour.logged")
    for path in (settings.feed_path(feed.id), settings.quarantine_path(feed.id)):
        join_files(path)
    checkpoint("hour.compacted")
    _write(settings, done, now)
    shutil.rmtree(folder / PARTS, ignore_errors=True)
    checkpoint("hour.closed")
    return done


_RANK = ("passed", "warned")
_COUNTS = ("rows_found", "rows_loaded", "rows_quarantined", "rows_skipped")


def _sum(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    return {k: a.get(k, 0) + b.get(k, 0) for k in {**a, **b}}


def check_row(result: CheckResult) -> dict[str, Any]:
    """A gate's result as it is kept in JSON."""
    return {k: v for k, v in result.__dict__.items() if k != "checked_at"}


def _checked(before: Mapping[str, dict[str, Any]], new: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Results of the micro-batches so far: counts summed, a failure stays one."""
    out = dict(before)
    for row in new:
        code = str(row["code"])
        old = out.get(code)
        if old is None:
            out[code] = dict(row)
            continue
        merged = dict(row) if old["success"] else dict(old)
        merged["success"] = bool(old["success"] and row["success"])
        for name in ("evaluated", "unexpected"):
            if old[name] is not None or row[name] is not None:
                merged[name] = (old[name] or 0) + (row[name] or 0)
        if merged["evaluated"]:
            merged["share"] = (merged["unexpected"] or 0) / merged["evaluated"]
        out[code] = merged
    return out


def _join(parts: Path, target: Path, feed_id: str) -> tuple[str, int]:
    """All parts as one gzip file of several members; its sha256 and size (bytes)."""
    temp = target.with_name(f".{target.name}.tmp")
    with temp.open("wb") as out:
        for part in sorted(parts.glob("*.gz")):
            with part.open("rb") as f:
                shutil.copyfileobj(f, out)
        out.flush()
        os.fsync(out.fileno())
    temp.chmod(0o600)
    with temp.open("rb") as f:
        digest = hashlib.file_digest(f, "sha256").hexdigest()
    temp.rename(target)
    landing.sync_dir(target.parent)
    return digest, target.stat().st_size


def _write(settings: Settings, hour: Hour, now: datetime) -> None:
    landing.write_durably(landing.folder_of(settings, hour.receipt) / landing.OUTCOME, _outcome(hour, now))


def _outcome(hour: Hour, now: datetime) -> bytes:
    data = {
        **hour.result.model_dump(mode="json"),
        "loaded_at": now.isoformat(),
        STREAM: hour.progress.model_dump(mode="json"),
    }
    return json.dumps(data, ensure_ascii=False).encode()

"""Deliveries are kept as they arrived before anything is read from them.

``<lake>/landing/<feed>/<receipt>/`` holds the bytes under their own name and ``receipt.json``,
written last: a folder appears by one rename, whole or not at all. The file in the drop folder is
removed only after that. A receipt's id sorts by time; its ``sequence`` rises by one with every
delivery of the feed and is the version of its commits.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from catalog.errors import InputError, UnknownName
from catalog.model import Feed
from catalog.settings import Settings

RECEIPT, OUTCOME, PLAN, VALIDATIONS = "receipt.json", "outcome.json", "plan.json", "validations.arrow"
_RESERVED = {RECEIPT, OUTCOME, PLAN, VALIDATIONS}
_ID = re.compile(r"^(\d{8}T\d{12}Z)-(\d{6,})-([0-9a-f]{12})$")
_UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart", "~")
CHUNK = 4 << 20

Checkpoint = Callable[[str], None]
"""Called with the name of each step; tests kill the process there."""


def no_checkpoint(name: str) -> None:
    """The checkpoint of production: nothing happens."""


class Receipt(BaseModel):
    """One delivery.

    Attributes:
        id: ``<UTC time>-<sequence>-<first 12 of the sha256>``.
        sequence: 1 for the feed's first delivery, rising by one.
        file: name of the bytes in the receipt's folder; empty for a duplicate, whose bytes are kept once.
        source: where it came from, below the drop folder when it was dropped.
        arrived_at: modification time of the file, when the department finished writing it (UTC).
        landed_at: when it was kept (UTC).
        duplicate_of: the receipt that brought the same bytes before.
        redactions: persons' records taken out of the kept bytes since: erasure, time, new sha256, size and how many
            records; ``sha256`` and ``size`` stay those of the bytes as they arrived.
        deletes: the file holds keys of rows that are gone at the source, not rows.
        expired_at: when the bytes were destroyed because their retention had ended.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    feed: str
    sequence: int
    file: str
    original_name: str
    source: str
    sha256: str
    size: int
    arrived_at: datetime
    landed_at: datetime
    format: dict[str, Any]
    duplicate_of: str | None = None
    redactions: tuple[dict[str, Any], ...] = ()
    deletes: bool = False
    expired_at: datetime | None = None


def waiting(settings: Settings, feed: Feed) -> list[Path]:
    """Files in the drop folder that the contract's glob names, oldest first.

    Half-written names (``.part``, ``~`` …) and hidden files are left alone; links are listed, for
    ``land`` to refuse them.
    """
    if not feed.source.is_dropped or not feed.source.path:
        return []
    found = []
    for path in settings.drop.glob(feed.source.path):
        if path.name.startswith(".") or path.name.lower().endswith(_UNFINISHED):
            continue
        info = path.lstat()
        if stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode):
            found.append((info.st_mtime_ns, str(path)))
    return [Path(p) for _, p in sorted(found)]


def land_file(
    settings: Settings,
    feed: Feed,
    path: Path,
    *,
    now: datetime,
    checkpoint: Checkpoint = no_checkpoint,
    source: str | None = None,
    repeatable: bool = False,
    deletes: bool = False,
) -> Receipt:
    """Keep the bytes of ``path`` and give them a receipt; a dropped file is then removed. Hold the feed's lock.

    Bytes that came before get a receipt that says so, unless that delivery was stopped: then they are
    a new attempt. A delivery that landed before a crash and was not loaded yet gets its receipt back.

    Args:
        source: where a connector took it from, without secrets; default the path.
        repeatable: the same bytes from another ``source`` are a delivery of their own (a change taken back).
        deletes: the file names rows by key that are gone at the source.

    Raises:
        InputError: not a regular file, a link, outside the drop folder by a link, or still being written.
    """
    folder = settings.landing / feed.id
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    dropped = _is_dropped(settings, path)
    temp = folder / f".tmp-{os.getpid()}-{os.urandom(4).hex()}"
    temp.mkdir(mode=0o700)
    try:
        name = safe_name(path.name)
        digest, info = _copy(path, temp / name, checkpoint)
        earlier = _receipts_of_bytes(settings, feed.id, digest)
        source = source or (str(path.relative_to(settings.drop)) if dropped else str(path))
        if repeatable:
            earlier = [r for r in earlier if r.source == source]
        arrived = datetime.fromtimestamp(info.st_mtime, UTC)
        receipt = _unloaded(settings, earlier)
        if receipt is None or receipt.source != source:
            duplicate = _duplicate_of(settings, earlier)
            receipt = _new_receipt(settings, feed, path, name, source, digest, info.st_size, arrived, now, duplicate)
            receipt = receipt.model_copy(update={"deletes": deletes})
            if duplicate:
                (temp / name).unlink()
            write_durably(temp / RECEIPT, receipt.model_dump_json(indent=1).encode())
            sync_dir(temp)
            checkpoint("land.receipt_written")
            temp.rename(folder / receipt.id)
            sync_dir(folder)
        checkpoint("land.kept")
        if dropped:
            path.unlink()
            checkpoint("land.drop_removed")
        return receipt
    finally:
        shutil.rmtree(temp, ignore_errors=True)


def clean_up(settings: Settings, feed_id: str) -> None:
    """Remove what a crash left: half landed folders, and dropped files that were kept already. Hold the feed's lock."""
    for leftover in (settings.landing / feed_id).glob(".tmp-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    for receipt in pending(settings, feed_id):
        dropped = settings.drop / receipt.source
        if Path(receipt.source).is_absolute() or dropped.is_symlink() or not dropped.is_file():
            continue
        if dropped.stat().st_size == receipt.size and _sha256(dropped) == receipt.sha256:
            dropped.unlink()


def receipts_of(settings: Settings, feed_id: str) -> list[Receipt]:
    """Every receipt of a feed, in the order of their sequence."""
    found = [read_receipt(settings, feed_id, name) for name in _ids(settings, feed_id)]
    return sorted(found, key=lambda r: r.sequence)


def read_receipt(settings: Settings, feed_id: str, receipt_id: str) -> Receipt:
    """One receipt.

    Raises:
        UnknownName: the feed has no such receipt.
    """
    path = settings.landing / feed_id / receipt_id / RECEIPT
    if not _ID.match(receipt_id) or not path.is_file():
        raise UnknownName(f"there is no receipt {receipt_id!r}", hint="see platform.loads", feed=feed_id)
    return Receipt.model_validate_json(path.read_bytes())


def pending(settings: Settings, feed_id: str) -> list[Receipt]:
    """Receipts that landed and were not loaded or stopped yet, in the order of their sequence."""
    root = settings.landing / feed_id
    names = [n for n in _ids(settings, feed_id) if not (root / n / OUTCOME).exists()]
    return sorted((read_receipt(settings, feed_id, n) for n in names), key=lambda r: r.sequence)


def folder_of(settings: Settings, receipt: Receipt) -> Path:
    """Where a receipt's bytes and papers lie."""
    return settings.landing / receipt.feed / receipt.id


def landed_file(settings: Settings, receipt: Receipt) -> Path:
    """The bytes of a receipt, or of the one it duplicates."""
    if receipt.duplicate_of:
        return landed_file(settings, read_receipt(settings, receipt.feed, receipt.duplicate_of))
    return folder_of(settings, receipt) / receipt.file


def is_loaded(settings: Settings, receipt: Receipt) -> bool:
    """Whether the receipt has an outcome (loaded, stopped, empty or duplicate)."""
    return (folder_of(settings, receipt) / OUTCOME).exists()


def read_outcome(settings: Settings, receipt: Receipt, name: str = OUTCOME) -> dict[str, Any] | None:
    """What became of a receipt, None while it is pending; with ``PLAN``, what a load was about to do."""
    path = folder_of(settings, receipt) / name
    if not path.exists():
        return None
    data: dict[str, Any] = json.loads(path.read_bytes())
    return data


def new_receipt(
    settings: Settings, feed: Feed, name: str, source: str, digest: str, *, arrived: datetime, now: datetime
) -> Receipt:
    """The receipt of a delivery whose bytes are still to come (a stream's); hold the feed's lock until it is kept."""
    return _new_receipt(settings, feed, Path(name), name, source, digest, 0, arrived, now, None)


def safe_name(name: str) -> str:
    """``name`` as a file name in landing: no separators, control characters or clash with the papers."""
    text = os.fsencode(name).decode("utf-8", "replace")
    text = "".join("_" if c in "/\\" or unicodedata.category(c)[0] == "C" else c for c in text).strip(" .") or "file"
    while len(text.encode()) > 200:
        stem, dot, ending = text.rpartition(".")
        text = f"{stem[:-1]}{dot}{ending}" if dot and len(ending) < 20 and stem else text[:-1]
    return f"_{text}" if text in _RESERVED else text


def write_durably(path: Path, data: bytes) -> None:
    """Write a file so that it is whole or absent after a crash, readable by its owner only."""
    temp = path.with_name(f".{path.name}.tmp")
    descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())
    temp.rename(path)
    sync_dir(path.parent)


def _ids(settings: Settings, feed_id: str) -> list[str]:
    root = settings.landing / feed_id
    return sorted(e.name for e in os.scandir(root) if _ID.match(e.name)) if root.is_dir() else []


def _is_dropped(settings: Settings, path: Path) -> bool:
    if not path.is_absolute() or not path.is_relative_to(settings.drop):
        return False
    if not path.resolve().is_relative_to(settings.drop.resolve()):
        raise InputError(
            "the file in the drop folder is a link that leads out of it", hint="drop the file itself", file=path.name
        )
    return True


def _copy(path: Path, target: Path, checkpoint: Checkpoint) -> tuple[str, os.stat_result]:
    """Copy durably while hashing; refuses links, what is no file, and a file that changes meanwhile."""
    try:
        source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError as e:
        raise InputError("the file does not exist", hint="check the path", file=path.name) from e
    except OSError as e:
        raise InputError("the file is a link or cannot be opened", hint="give the file itself", file=path.name) from e
    digest = hashlib.sha256()
    with os.fdopen(source, "rb") as f:
        before = os.fstat(f.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise InputError("this is not a regular file", hint="give a file, not a folder or device", file=path.name)
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            checkpoint("land.copying")
            while chunk := f.read(CHUNK):
                digest.update(chunk)
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        after = os.fstat(f.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise InputError("the file is still being written", hint="it will be taken by the next run", file=path.name)
    checkpoint("land.copied")
    return digest.hexdigest(), after


def _sha256(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _receipts_of_bytes(settings: Settings, feed_id: str, digest: str) -> list[Receipt]:
    """The receipts of these bytes, in order; a receipt's id tells which others need not be read."""
    names = [n for n in _ids(settings, feed_id) if n.endswith(f"-{digest[:12]}")]
    found = sorted((read_receipt(settings, feed_id, n) for n in names), key=lambda r: r.sequence)
    return [r for r in found if r.sha256 == digest]


def _unloaded(settings: Settings, earlier: list[Receipt]) -> Receipt | None:
    """The last delivery of these bytes that landed and was not loaded."""
    return next((r for r in reversed(earlier) if not r.duplicate_of and not is_loaded(settings, r)), None)


def _duplicate_of(settings: Settings, earlier: list[Receipt]) -> str | None:
    """The receipt that brought these bytes and was not stopped."""
    for receipt in earlier:
        if receipt.duplicate_of:
            continue
        outcome = read_outcome(settings, receipt)
        if outcome is None or outcome.get("verdict") != "stopped":
            return receipt.id
    return None


def _new_receipt(
    settings: Settings,
    feed: Feed,
    path: Path,
    name: str,
    source: str,
    digest: str,
    size: int,
    arrived: datetime,
    now: datetime,
    duplicate: str | None,
) -> Receipt:
    last = max((int(m.group(2)) for n in _ids(settings, feed.id) if (m := _ID.match(n))), default=0)
    at = now.astimezone(UTC)
    return Receipt(
        id=f"{at:%Y%m%dT%H%M%S%f}Z-{last + 1:06d}-{digest[:12]}",
        feed=feed.id,
        sequence=last + 1,
        file="" if duplicate else name,
        original_name=os.fsencode(path.name).decode("utf-8", "replace"),
        source=source,
        sha256=digest,
        size=size,
        arrived_at=arrived,
        landed_at=at,
        format=feed.format.model_dump(mode="json", include={"type", "encoding", "header_row", "crs"}),
        duplicate_of=duplicate,
    )


def sync_dir(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

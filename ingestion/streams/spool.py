"""Messages on disk before they are acknowledged: segments that are written, synced, sealed and handed to the loader.

The open segment is ``<number>-<UTC time>.part``; sealing renames it to ``.ndjson``. A line counts as kept when
`Spool.sync` has returned. What a crash left behind it is cut off at the next start: it was
not acknowledged, so the broker sends it again.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from catalog.errors import LakehouseError
from ingestion.landing import Checkpoint, no_checkpoint, sync_dir

_SEALED = re.compile(r"^(\d{12})-(\d{8}T\d{6}Z)\.ndjson$")
_OPEN = re.compile(r"^(\d{12})-(\d{8}T\d{6}Z)\.part$")


class SpoolFault(LakehouseError):
    """The spool cannot take more: the disk is full or broken."""

    code = "LH213"
    exit_code = 3


@dataclass(frozen=True, order=True)
class Segment:
    """A sealed segment: its number (rising by one), when its first message came (UTC), its file."""

    number: int
    started_at: datetime
    path: Path


def sealed(folder: Path) -> list[Segment]:
    """Segments that wait for the loader, in order."""
    found = []
    for entry in os.scandir(folder) if folder.is_dir() else ():
        if m := _SEALED.match(entry.name):
            found.append(Segment(int(m.group(1)), _moment(m.group(2)), Path(entry.path)))
    return sorted(found)


class Spool:
    """Writes segments; one process at a time.

    Args:
        folder: of this feed's segments; made when absent, mode 0700.
        first: number of the next segment; higher when the folder holds later ones.
        rows, seconds: a segment is sealed at so many lines, or when its first is so old.
        max_bytes: `full` says so from this size on.
        clock: seconds of 1970.

    Attributes:
        written: lines synced since the start.
    """

    def __init__(
        self, folder: Path, *, first: int, rows: int, seconds: float, max_bytes: int,
        clock: Callable[[], float] = time.time, checkpoint: Checkpoint = no_checkpoint,
    ) -> None:  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self._rows, self._seconds, self._max_bytes = rows, seconds, max_bytes
        self._clock, self._checkpoint = clock, checkpoint
        self._buffer: list[bytes] = []
        self._file: int | None = None
        self._path = folder / "none"
        self._size, self._lines, self._began = 0, 0, 0.0
        self.written = 0
        self._recover()
        self._next = max([first, *(s.number + 1 for s in sealed(folder))])

    @property
    def waiting(self) -> int:
        """Lines appended and not synced."""
        return len(self._buffer)

    def append(self, line: bytes) -> None:
        """Take a line into memory."""
        self._buffer.append(line)

    def forget(self) -> None:
        """Drop what was appended and not synced: it will be sent again."""
        self._buffer.clear()

    def sync(self) -> None:
        """Make every appended line durable.

        Raises:
            SpoolFault: the disk refused; nothing that was not synced before is kept.
        """
        if not self._buffer:
            return
        data = b"".join(self._buffer)
        lines = len(self._buffer)
        self._buffer.clear()
        try:
            if self._file is None:
                self._open()
            self._write(data)
            self._checkpoint("spool.written")
        except OSError as e:
            self._back()
            raise SpoolFault(
                f"the spool cannot be written: {e.strerror}", hint="free the disk; the broker keeps what was not taken",
                folder=self.folder,
            ) from e  # fmt: skip
        self._size += len(data)
        self._lines += lines
        self.written += lines

    def seal(self, *, now: bool = False) -> bool:
        """Hand the open segment to the loader when it is due, or ``now``; whether it was."""
        if self._file is None or not self._lines:
            return False
        if not (now or self._lines >= self._rows or self._clock() - self._began >= self._seconds):
            return False
        self._checkpoint("spool.sealing")
        os.close(self._file)
        self._file = None
        self._path.rename(self._path.with_suffix(".ndjson"))
        sync_dir(self.folder)
        self._checkpoint("spool.sealed")
        return True

    def full(self) -> bool:
        """Whether the loader lags so far behind that no more should be taken."""
        return sum(e.stat().st_size for e in os.scandir(self.folder)) >= self._max_bytes

    def close(self) -> None:
        """Seal what is synced; drop what is not."""
        self.forget()
        self.seal(now=True)
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> None:
        self._recover()
        self._began = self._clock()
        at = datetime.fromtimestamp(self._began, UTC)
        self._path = self.folder / f"{self._next:012d}-{at:%Y%m%dT%H%M%SZ}.part"
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._next += 1
        self._size = self._lines = 0
        sync_dir(self.folder)

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]
        os.fdatasync(self._file)

    def _back(self) -> None:
        """Leave the open segment as it was synced last; one that cannot even be cut is mended before the next opens."""
        if self._file is None:
            return
        try:
            os.ftruncate(self._file, self._size)
            os.fsync(self._file)
        except OSError:
            os.close(self._file)
            self._file = None

    def _recover(self) -> None:
        """Seal what an earlier collector left open, without a line that is not whole."""
        for entry in sorted(os.scandir(self.folder), key=lambda e: e.name):
            if not _OPEN.match(entry.name):
                continue
            path = Path(entry.path)
            if cut_tail(path):
                path.rename(path.with_suffix(".ndjson"))
            else:
                path.unlink()
        sync_dir(self.folder)


def cut_tail(path: Path) -> int:
    """Cut ``path`` after its last whole line; what is left (bytes)."""
    with path.open("rb+") as f:
        size = f.read().rfind(b"\n") + 1
        f.truncate(size)
        f.flush()
        os.fsync(f.fileno())
    return size


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

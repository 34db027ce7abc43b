"""What a feed's connector remembers, in ``<home>/connectors/<feed>/``: files it has taken, and its cursor.

A small SQLite database, so that one change is whole or absent after a crash and a listing of any
length is sorted and compared without being held in memory.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

_TABLES = """
CREATE TABLE IF NOT EXISTS seen (
  name TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, etag TEXT, sha256 TEXT, receipt TEXT, at TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS looked (
  name TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, etag TEXT, first_look REAL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cursor (one INTEGER PRIMARY KEY CHECK (one = 1), value TEXT);
CREATE TEMP TABLE listed (name TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, etag TEXT) WITHOUT ROWID;
CREATE INDEX temp.by_age ON listed (mtime_ns, name);
"""
_SAME = "a.name = b.name AND a.size = b.size AND a.mtime_ns = b.mtime_ns AND a.etag = b.etag"
_UNTAKEN = """
SELECT a.name, a.size, a.mtime_ns, a.etag, b.first_look
FROM listed a INDEXED BY by_age CROSS JOIN looked b ON a.name = b.name
WHERE (a.mtime_ns, a.name) > (?, ?) ORDER BY a.mtime_ns, a.name LIMIT ?
"""
PAGE = 200


@dataclass(frozen=True)
class RemoteFile:
    """A file at the source: what tells one version of it from another.

    Attributes:
        name: relative to the place of the contract, with ``/``.
        mtime_ns: time of change at the source (ns of 1970), 0 when it tells none.
        etag: the source's own mark of the content, empty when it has none.
    """

    name: str
    size: int
    mtime_ns: int
    etag: str = ""


class State:
    """The memory of one feed's connector; hold the pull's lock while it is open.

    Args:
        folder: of this feed; made when absent, mode 0700.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self._db = sqlite3.connect(folder / "state.sqlite", isolation_level=None)
        os.chmod(folder / "state.sqlite", 0o600)
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA cache_size = -2000")
        self._db.execute("PRAGMA temp_store = FILE")
        self._db.executescript(_TABLES)

    def __enter__(self) -> State:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def cursor(self) -> dict[str, Any]:
        """Where the last pull that landed came to; empty before the first."""
        row = self._db.execute("SELECT value FROM cursor").fetchone()
        return dict(json.loads(row[0])) if row else {}

    def advance(
        self, *, remote: RemoteFile | None, cursor: Mapping[str, Any] | None, sha256: str, receipt: str, at: datetime
    ) -> None:
        """Remember, in one step, a file as taken and the cursor as reached. Call it when the receipt is durable."""
        self._db.execute("BEGIN IMMEDIATE")
        if remote is not None:
            self._db.execute(
                "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?, ?, ?)",
                (remote.name, remote.size, remote.mtime_ns, remote.etag, sha256, receipt, at.isoformat()),
            )
            self._db.execute("DELETE FROM looked WHERE name = ?", (remote.name,))
        if cursor is not None:
            self._db.execute("INSERT OR REPLACE INTO cursor VALUES (1, ?)", (json.dumps(dict(cursor)),))
        self._db.execute("COMMIT")

    def rewind(self, cursor: Mapping[str, Any]) -> None:
        """Go back to an earlier cursor: the next pull asks for what came after it again."""
        self._db.execute("INSERT OR REPLACE INTO cursor VALUES (1, ?)", (json.dumps(dict(cursor)),))

    def seen(self, name: str) -> tuple[str, str] | None:
        """sha256 and receipt of the version of ``name`` that was taken last."""
        row = self._db.execute("SELECT sha256, receipt FROM seen WHERE name = ?", (name,)).fetchone()
        return (row[0], row[1]) if row else None

    def note_listing(self, files: Iterable[RemoteFile], now: datetime) -> int:
        """Take down a listing, and since when each new version has looked as it does; how many files it has."""
        db, count = self._db, 0
        db.execute("BEGIN IMMEDIATE")
        db.execute("DELETE FROM listed")
        for file in files:
            count += 1
            db.execute(
                "INSERT OR REPLACE INTO listed VALUES (?, ?, ?, ?)", (file.name, file.size, file.mtime_ns, file.etag)
            )
        db.execute(f"DELETE FROM looked AS b WHERE NOT EXISTS (SELECT 1 FROM listed a WHERE {_SAME})")  # noqa: S608
        db.execute(
            f"INSERT OR IGNORE INTO looked SELECT a.name, a.size, a.mtime_ns, a.etag, ? FROM listed a "  # noqa: S608
            f"WHERE NOT EXISTS (SELECT 1 FROM seen b WHERE {_SAME})",
            (now.timestamp(),),
        )
        db.execute("COMMIT")
        return count

    def untaken(self) -> Iterator[tuple[RemoteFile, float]]:
        """Versions listed and not taken, oldest first, each with the time (s of 1970) of the first look at it."""
        last: tuple[int, str] = (-(2**62), "")
        while True:
            rows = self._db.execute(_UNTAKEN, (*last, PAGE)).fetchall()
            for name, size, mtime_ns, etag, first_look in rows:
                yield RemoteFile(name, size, mtime_ns, etag), first_look
                last = (mtime_ns, name)
            if len(rows) < PAGE:
                return

    def is_listed(self, name: str) -> bool:
        """Whether the listing taken down last has ``name``."""
        return self._db.execute("SELECT 1 FROM listed WHERE name = ?", (name,)).fetchone() is not None


def state_folder(home: Path, feed_id: str) -> Path:
    """Where the connector of a feed keeps its state."""
    return home / "connectors" / feed_id

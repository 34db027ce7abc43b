"""One pull of records as one NDJSON file with a source of its own, so that a change taken back is still news."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ingestion.sources.base import Fetched, Pull


class Delivery:
    """The file of one pull.

    Args:
        place: where the records come from, without secrets.
        cursor: the state's; its ``pull`` counts the pulls that landed.

    Attributes:
        rows: records written so far.
        source: what the receipt names as its origin: the place and the pull's number.
    """

    def __init__(
        self, pull: Pull, place: str, cursor: Mapping[str, Any], *, ending: str = "ndjson", suffix: str = ""
    ) -> None:
        self._pull, self._cursor = pull, cursor
        self.number = int(cursor.get("pull", 0)) + 1
        stem = pull.feed.id.split("__")[-1]
        self.path = pull.into / f"{stem}-{pull.now:%Y%m%dT%H%M%SZ}-{self.number:06d}{suffix}.{ending}"
        self.source = f"{place}#{self.number}"
        self.rows = 0

    @contextmanager
    def writing(self) -> Iterator[Callable[[Any], None]]:
        """A function that writes one record; what was written is durable afterwards."""
        with self.path.open("w", encoding="utf-8") as out:
            yield self._writer(out)
            out.flush()
            os.fsync(out.fileno())

    def _writer(self, out: IO[str]) -> Callable[[Any], None]:
        def write(record: Any) -> None:
            out.write(json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=str))
            out.write("\n")
            self.rows += 1

        return write

    def fetched(
        self,
        cursor: Mapping[str, Any],
        *,
        always: bool,
        compare: bool = True,
        digest: str | None = None,
        deletes: bool = False,
        last: bool = True,
        kept: Mapping[str, Path] | None = None,
    ) -> Iterator[Fetched]:
        """The file to land, unless it brings nothing: no record, or what the pull before brought.

        Args:
            cursor: where this pull came to.
            always: an empty answer is landed, too: the source says that there is nothing.
            compare: the digest of the pull before is nothing new.
            digest: of what the file brings, default its bytes.
            last: the pull's last file, which moves the state.
        """
        digest = digest or _sha256(self.path)
        if (compare and digest == self._cursor.get("sha256")) or not (always or self.rows):
            self._pull.say(f"{self._pull.feed.id}: nothing new")
            return
        yield Fetched(
            self.path,
            self.source,
            cursor={"pull": self.number, "sha256": digest, **cursor} if last else None,
            kept=kept or {},
            repeatable=True,
            deletes=deletes,
            about={"rows": self.rows},
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()

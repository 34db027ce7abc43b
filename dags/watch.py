"""Notices deliveries: a trigger that fires when a settled file appears in a feed's drop folder.

It runs in Airflow's triggerer, one coroutine a feed, so that an empty drop folder costs no
task and leaves no run behind. Polling, not inotify: drop folders are often network mounts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

Signature = tuple[str, int, int]


class DropWatch(BaseEventTrigger):
    """Fires once for every change that adds or replaces a file.

    A file counts as settled when its size and time of change are the same in two polls, so
    that a copy still under way is not taken. After a restart all files that are still there
    are announced again; the receipt of known bytes makes that harmless.

    Args:
        drop: the drop folder, absolute.
        pattern: glob of the feed below it.
        seconds: between two polls.
    """

    def __init__(self, drop: str, pattern: str, seconds: float) -> None:
        super().__init__()
        self.drop, self.pattern, self.seconds = drop, pattern, seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "dags.watch.DropWatch", {"drop": self.drop, "pattern": self.pattern, "seconds": self.seconds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        announced: set[Signature] = set()
        before: set[Signature] = set()
        while True:
            now = await asyncio.to_thread(signatures, Path(self.drop), self.pattern)
            settled = now & before
            if settled - announced:
                yield TriggerEvent({"files": len(settled - announced)})
            announced = (announced & now) | settled
            before = now
            await asyncio.sleep(self.seconds)


def signatures(drop: Path, pattern: str) -> set[Signature]:
    """Name, size in bytes and time of change of every file that matches; files that vanish are left out."""
    found = set()
    for path in drop.glob(pattern):
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue
        found.add((str(path), stat.st_size, stat.st_mtime_ns))
    return found

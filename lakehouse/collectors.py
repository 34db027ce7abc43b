"""The collectors of all streams, as children of ``lakehouse up``: each with its log, started again when it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from catalog.registry import Catalog
from catalog.settings import Settings
from lakehouse.present import note

AGAIN_SECONDS = 30.0
STOP_SECONDS = 20.0
"""How long a collector may take to load what it has."""


class Collectors:
    """One process a feed with a stream; use as a context and call `tend` now and then.

    Args:
        logs: folder of their logs.
        clock: monotonic (s).
    """

    def __init__(
        self, settings: Settings, catalog: Catalog, logs: Path, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._logs, self._clock = settings, logs, clock
        self.feeds = sorted(f.id for f in catalog.feeds.values() if f.source.is_stream)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._again_at = dict.fromkeys(self.feeds, 0.0)

    def __enter__(self) -> Collectors:
        self.tend()
        for feed in self.feeds:
            note(f"collecting {feed}; log: {self._log(feed)}")
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running.values():
            if process.poll() is None:
                process.terminate()
        end = time.monotonic() + STOP_SECONDS
        for process in self._running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, end - time.monotonic()))
            if process.poll() is None:
                process.kill()  # what it has taken is on disk; its loader ends by itself

    def tend(self) -> None:
        """Start those that do not run; one that ended is left alone for a while first."""
        now = self._clock()
        for feed in self.feeds:
            process = self._running.get(feed)
            if process is not None and process.poll() is not None:
                note(f"the collector of {feed} ended with code {process.returncode}; log: {self._log(feed)}")
                del self._running[feed]
                self._again_at[feed] = now + AGAIN_SECONDS
            elif process is None and now >= self._again_at[feed]:
                self._running[feed] = self._start(feed)

    def _log(self, feed: str) -> Path:
        return self._logs / f"collect-{feed}.log"

    def _start(self, feed: str) -> subprocess.Popen[bytes]:
        with self._log(feed).open("a", encoding="utf-8") as stream:
            return subprocess.Popen(
                [sys.executable, "-m", "lakehouse.cli", "collect", feed],
                env={**os.environ, **self._settings.as_env()},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

"""The collector of a stream: this process takes messages from the broker, a child of it loads them.

Two processes, so that a slow load does not hold up the broker and a broken one does not stop the taking.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from catalog.errors import ContractError, LakehouseError
from catalog.model import Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion.connectors.mqtt import MqttParams
from ingestion.landing import Checkpoint, no_checkpoint
from ingestion.sources.registry import connector_of
from ingestion.sources.retry import pause_seconds
from ingestion.sources.secrets import read_secret
from ingestion.streams.loader import check_contract, first_free, spool_folder
from ingestion.streams.receiver import Access, Receiver
from ingestion.streams.spool import Spool
from warehouse.tables import table_lock

STOP_SECONDS = 600.0
"""How long the loader may take for what is on disk when the collector ends."""


class LoaderFailed(LakehouseError):
    """The loader ended by itself; what is in the spool is loaded when it runs again."""

    code = "LH214"


@dataclass
class Collected:
    """What a collector did.

    Attributes:
        received: messages that came; acknowledged: those the broker was told of, durable before.
        rows: found, loaded, quarantined and skipped by the loader.
        loader_failures: how often the loader ended by itself and was started again.
    """

    feed: str
    received: int = 0
    acknowledged: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    loader_failures: int = 0


def collect(
    settings: Settings,
    catalog: Catalog,
    feed_id: str,
    *,
    stop: threading.Event,
    say: Callable[[str], None],
    idle_seconds: float | None = None,
    env: Mapping[str, str] | None = None,
    checkpoint: Checkpoint = no_checkpoint,
) -> Collected:
    """Take the messages of a feed and load them, until ``stop`` is set or none came for ``idle_seconds``.

    Args:
        stop: set it to end; what was taken is loaded first.
        say: a line for people.
        env: where secrets named ``env:NAME`` are looked up, default the process's environment.

    Raises:
        ContractError: the feed is no stream. Busy: another collector of it runs.
        SourceError: the broker refuses us for good. An outage of broker or disk is waited out.
        LoaderFailed: the loader ended at the last; what it left waits for the next collector.
    """
    feed, params = stream_of(catalog, feed_id)
    folder = spool_folder(settings, feed_id)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    access = _access(settings, params, os.environ if env is None else env)
    with table_lock(settings, f"stream.{feed_id}", timeout=1):
        with table_lock(settings, feed_id):
            first = first_free(settings, feed_id)
        spool = Spool(
            folder, first=first, rows=params.batch_rows, seconds=params.batch_seconds,
            max_bytes=params.max_spool_mb << 20, checkpoint=checkpoint,
        )  # fmt: skip
        receiver = Receiver(params, access, spool, say=say, stop=stop)
        loader = _LoaderProcess(settings, feed_id, say)
        try:
            receiver.run(idle_seconds=idle_seconds)
        finally:
            spool.close()
            loader.finish()
    return Collected(feed.id, receiver.received, receiver.acknowledged, loader.rows, loader.failures)


def stream_of(catalog: Catalog, feed_id: str) -> tuple[Feed, MqttParams]:
    """The feed and its keys.

    Raises:
        ContractError: it is no stream, or its contract cannot be loaded from one.
    """
    feed = catalog.feed(feed_id)
    if not feed.source.is_stream:
        raise ContractError(f"{feed_id} is no stream", hint=f"lakehouse ingest {feed_id}", feed=feed_id)
    _, params = connector_of(catalog, feed)
    check_contract(catalog, feed)
    return feed, cast(MqttParams, params)


def _access(settings: Settings, params: MqttParams, env: Mapping[str, str]) -> Access:
    def key_file(reference: str | None) -> Any:
        return None if reference is None else settings.keys / reference.removeprefix("file:")

    password = None if params.secret is None else read_secret(settings.keys, params.secret, env)
    return Access(params.user, password, key_file(params.ca), key_file(params.certificate), key_file(params.key))


class _LoaderProcess:
    """The loader's process, started again whenever it ends by itself."""

    def __init__(self, settings: Settings, feed_id: str, say: Callable[[str], None]) -> None:
        self._settings, self._feed_id, self._say = settings, feed_id, say
        self._done: dict[str, int] = {}
        self._now: dict[str, int] = {}
        self.failures = 0
        self._finishing = threading.Event()
        self._process = self._start()
        self._thread = threading.Thread(target=self._watch, name=f"loader {feed_id}", daemon=True)
        self._thread.start()

    @property
    def rows(self) -> dict[str, int]:
        """Counts of all its lives."""
        return {k: self._done.get(k, 0) + self._now.get(k, 0) for k in {**self._done, **self._now}}

    def finish(self) -> None:
        """Let it load what is on disk and end.

        Raises:
            LoaderFailed: it did not end well.
        """
        self._finishing.set()
        self._close_input()
        self._thread.join(STOP_SECONDS)
        code = self._process.poll()
        if code is None:
            self._process.kill()
        if code != 0:
            raise LoaderFailed(
                f"the loader of {self._feed_id} ended with code {code}",
                hint="what is in the spool is loaded by the next collector; see its message above", feed=self._feed_id,
            )  # fmt: skip

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "ingestion.streams.loading", self._feed_id],
            env={**os.environ, **self._settings.as_env()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def _close_input(self) -> None:
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()

    def _watch(self) -> None:
        while True:
            assert self._process.stdout
            for line in self._process.stdout:
                told = json.loads(line)
                if "say" in told:
                    self._say(told["say"])
                self._now = told.get("rows", self._now)
            code = self._process.wait()
            if code == 0 or self._finishing.is_set():
                return
            self.failures += 1
            self._done, self._now = self.rows, {}
            self._say(f"{self._feed_id}: the loader ended with code {code}; starting it again")
            time.sleep(pause_seconds(self.failures))
            self._process = self._start()
            if self._finishing.is_set():
                self._close_input()

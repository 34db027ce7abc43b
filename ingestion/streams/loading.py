"""The loader as a process of its own: loads until its standard input ends and nothing waits any more.

``python -m ingestion.streams.loading FEED`` is started by `ingestion.streams.collect`, which holds the other end of
the input: when the collector ends, or is killed, what is on disk is still loaded and the hour handed over.
Each line of its output is JSON: ``say`` (a line for people) or ``rows`` (counts since the start).
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from catalog.errors import Busy
from catalog.registry import load_catalog
from catalog.settings import Settings
from ingestion.sources.registry import connector_of
from ingestion.streams.loader import Loader, spool_folder
from ingestion.streams.spool import sealed
from warehouse.tables import table_lock

POLL_SECONDS = 0.1
OTHER_SECONDS = 600.0
"""How long another loader of the feed, of a collector that was killed, may take to end."""


def main(feed_id: str) -> None:
    """Load the segments of a feed until told to stop; see the module."""
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    settings = Settings.from_env()
    catalog = load_catalog(settings.catalog_dir)
    connector, params = connector_of(catalog, catalog.feed(feed_id))
    stop = threading.Event()
    threading.Thread(target=_wait_for_end, args=(stop,), daemon=True).start()
    with table_lock(settings, f"stream.{feed_id}.loader", timeout=OTHER_SECONDS):
        loader = Loader(settings, catalog, feed_id, connector.place(params), say=lambda text: _tell(say=text))
        _run(loader, stop, lambda: bool(sealed(spool_folder(settings, feed_id))))
    _tell(rows=loader.rows)


def _run(loader: Loader, stop: threading.Event, more: Callable[[], bool]) -> None:
    while True:
        stopping = stop.is_set()
        try:
            if loader.run_once(datetime.now(UTC), hand_over=stopping):
                _tell(rows=loader.rows)
        except Busy as e:
            _tell(say=str(e))
        if stopping and not more():
            return
        stop.wait(POLL_SECONDS)


def _wait_for_end(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


def _tell(**what: Any) -> None:
    sys.stdout.write(json.dumps(what, ensure_ascii=False) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])

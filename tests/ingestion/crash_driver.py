"""Runs loads in forked children that are killed with SIGKILL, for test_crash.

Reads one JSON command a line and answers with the child's wait status. The parent imports
everything and never touches Delta itself: deltalake cannot be forked once it was used.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from catalog.registry import Catalog, load_catalog
from catalog.settings import Settings
from ingestion import commit, early_write, load, quarantine
from ingestion.landing import Checkpoint
from ingestion.streams.collect import stream_of
from ingestion.streams.loader import Loader, spool_folder
from ingestion.streams.receiver import Access, Receiver
from ingestion.streams.spool import Spool
from quality.verdict import GateResult


def open_gate(*args: Any) -> tuple[str, str, None]:
    """The gate takes seconds to import and is no step of the protocol."""
    return "passed", "", None


def run(command: dict[str, Any]) -> None:
    """In the child: load, and die at the wanted step."""
    if not command.get("real_gate"):
        load._gate = open_gate  # type: ignore[assignment]
    early_write.EARLY_ROWS = command.get("early_rows", early_write.EARLY_ROWS)
    settings = Settings(home=Path(command["home"]), lake=command["lake"])
    catalog = load_catalog(Path(command["catalog"]))
    left = command.get("occurrence", 1)

    def checkpoint(step: str) -> None:
        nonlocal left
        if step == command.get("at"):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    now = datetime.fromisoformat(command["now"])
    if command.get("op") == "stream_load":
        stream_load(settings, catalog, command["feed"], now, checkpoint)
        return
    if command.get("op") == "stream_take":
        stream_take(settings, catalog, command, checkpoint)
        return
    if command.get("op") == "replay":
        quarantine.replay(settings, catalog, command["feed"], now=now, checkpoint=checkpoint)
    else:
        load.ingest(settings, catalog, command["feed"], now=now, checkpoint=checkpoint)


def stream_load(settings: Settings, catalog: Catalog, feed_id: str, now: datetime, checkpoint: Checkpoint) -> None:
    """Load what is in the spool and hand the hour over."""
    Loader._gate = lambda self, hour, staged, rules, segment: GateResult("passed", (), "", 0)  # type: ignore[method-assign]
    Loader(settings, catalog, feed_id, "mqtt://test", say=lambda _: None, checkpoint=checkpoint).run_once(
        now, hand_over=True
    )


def stream_take(settings: Settings, catalog: Catalog, command: dict[str, Any], checkpoint: Checkpoint) -> None:
    """Take from the broker until it is quiet; with ``disk_bytes`` the disk is full at first."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    if "disk_bytes" in command:
        resource.setrlimit(resource.RLIMIT_FSIZE, (command["disk_bytes"], limits[1]))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def say(text: str) -> None:
        if "LH213" in text:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    _, params = stream_of(catalog, command["feed"])
    spool = Spool(
        spool_folder(settings, command["feed"]), first=command.get("first", 1), rows=50, seconds=0.1,
        max_bytes=1 << 30, checkpoint=checkpoint,
    )  # fmt: skip
    Receiver(params, Access(), spool, say=say, stop=threading.Event()).run(idle_seconds=command.get("idle", 0.5))
    spool.close()


def main() -> None:
    assert commit
    for line in sys.stdin:
        command = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                run(command)
            except BaseException:  # noqa: BLE001 - the parent is told by the exit code
                import traceback

                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        if "after_ms" in command:
            time.sleep(command["after_ms"] / 1000)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(
            json.dumps({"killed": os.WIFSIGNALED(status), "code": os.waitstatus_to_exitcode(status)}) + "\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()

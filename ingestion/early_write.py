"""A large feed commit begun while the gate is still asked: files are written, the commit waits for the verdict.

Delta shows nothing of a write before its commit. A refused write never commits, and its files go.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

import pyarrow as pa

from warehouse.delta import remove_orphans

EARLY_ROWS = 100_000
"""Rows from which writing beside the gate saves time; a smaller write waits for the verdict."""


WAITING = 2
"""Writes of a process that may wait for a verdict at once: a feed's and its vault's.

Each keeps one of deltalake's worker threads, of which `warehouse` asks for at least twice as many; with all of them
waiting no commit would ever end.
"""
_waits = threading.BoundedSemaphore(WAITING)


class Refused(Exception):
    """The gate stopped the batch: end the stream before the commit."""


Through = Callable[[pa.RecordBatchReader], pa.RecordBatchReader]
Write = Callable[[Through], bool]
"""Commits to Delta; must send the rows through the function it is given."""


class EarlyWrite:
    """Runs ``write`` on a thread of its own up to its commit; leave the context without ``finish`` to refuse it.

    Args:
        path: the table, where the files of a refused write are removed.
        write: the commit.
        early: False runs it in ``finish`` instead; so do more than ``WAITING`` at once.
    """

    def __init__(self, path: str, write: Write, *, early: bool) -> None:
        self._path, self._write = path, write
        self._decided, self._approved = threading.Event(), False
        self._failed: BaseException | None = None
        self._committed = False
        self._began = time.time()
        self._thread: threading.Thread | None = None
        enough = int(os.environ.get("TOKIO_WORKER_THREADS", 1)) >= 2 * WAITING
        if early and enough and _waits.acquire(blocking=False):
            self._thread = threading.Thread(target=self._run, name="early-write", daemon=True)
            self._thread.start()

    def finish(self) -> bool:
        """Let it commit; whether it did.

        Raises:
            Exception: whatever the write met.
        """
        self._approved = True
        self._decided.set()
        if self._thread is None:
            return self._write(lambda rows: rows)
        self._thread.join()
        if self._failed is not None:
            raise self._failed
        return self._committed

    def __enter__(self) -> EarlyWrite:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is None or self._approved:
            return
        self._decided.set()
        self._thread.join()
        remove_orphans(self._path, since=self._began)

    def _run(self) -> None:
        try:
            self._committed = self._write(self._held)
        except BaseException as e:  # noqa: BLE001 - raised again by finish
            self._failed = e
        finally:
            _waits.release()

    def _held(self, rows: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """The rows, whose end comes only with the verdict."""

        def batches() -> Iterator[pa.RecordBatch]:
            yield from rows
            self._decided.wait()
            if not self._approved:
                raise Refused

        return pa.RecordBatchReader.from_batches(rows.schema, batches())

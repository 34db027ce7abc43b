"""Batches made on a thread of their own, a few ahead of whoever takes them."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterable

import pyarrow as pa


class ReadAhead:
    """Iterates over batches that a thread of its own makes, a few ahead of the consumer.

    Attributes:
        failed: the reader's error, raised to the consumer as well.
    """

    def __init__(self, batches: Iterable[pa.RecordBatch], depth: int = 8) -> None:
        self._queue: queue.Queue[pa.RecordBatch | None] = queue.Queue(depth)
        self._stopped = threading.Event()
        self._batches = batches
        self.failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="read-ahead", daemon=True)
        self._thread.start()

    def __iter__(self) -> ReadAhead:
        return self

    def __next__(self) -> pa.RecordBatch:
        batch = self._queue.get()
        if batch is None:
            self._queue.put(None)
            if self.failed:
                raise self.failed
            raise StopIteration
        return batch

    def stop(self) -> None:
        """End the thread, whatever the consumer left."""
        self._stopped.set()
        while self._thread.is_alive():
            with contextlib.suppress(queue.Empty):
                self._queue.get(timeout=0.01)
        self._thread.join()

    def _run(self) -> None:
        try:
            for batch in self._batches:
                if self._stopped.is_set():
                    return
                self._queue.put(batch)
        except BaseException as e:  # noqa: BLE001 - handed to the consumer, who raises it
            self.failed = e
        finally:
            self._queue.put(None)

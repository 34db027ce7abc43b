"""Batches made on a thread of their own, a few ahead of whoever takes them."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator

import pyarrow as pa

ROW_GROUP = 122_880
"""Rows of a row group of DuckDB's tables. It copies what comes in smaller pieces twice, to keep their order: a table
made of pieces of this size takes half the processor time."""


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


def in_groups(
    batches: Iterable[pa.RecordBatch], *, rows: int = ROW_GROUP, most_bytes: int = 24 << 20
) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of exactly ``rows``, smaller ones at the end and where so many would be too large.

    For sources that are read faster than DuckDB takes them: it waits for the first batch, and no two of its threads
    share the last.

    Args:
        most_bytes: a batch is handed on that holds so much, though it has fewer rows.
    """
    waiting: list[pa.RecordBatch] = []
    count = size = 0
    for batch in batches:
        while batch.num_rows:
            part = batch.slice(0, rows - count)
            batch = batch.slice(part.num_rows)
            waiting.append(part)
            count, size = count + part.num_rows, size + part.nbytes
            if count == rows or size >= most_bytes:
                yield _together(waiting)
                count = size = 0
    if waiting:
        yield _together(waiting)


def _together(waiting: list[pa.RecordBatch]) -> pa.RecordBatch:
    """The batches as one; the list is empty afterwards, so that it keeps none of them."""
    made = waiting[0] if len(waiting) == 1 else pa.concat_batches(waiting)
    waiting.clear()
    return made

"""A large feed commit begun while the gate is still asked: files are written, the commit waits for the verdict.

Delta shows nothing of a write before its commit. A refused write never commits, and its files go.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import pyarrow as pa

from warehouse.ahead import Ahead, Refused, can_write_ahead, commit_ahead, write_ahead
from warehouse.delta import FileStyle, Mode, commit_once

EARLY_ROWS = 100_000
"""Rows from which writing beside the gate saves time; a smaller write waits for the verdict."""


@dataclass(frozen=True)
class Commit:
    """Rows and how they are committed; see `warehouse.delta.commit_once`, whose arguments ``more`` are."""

    rows: pa.RecordBatchReader
    mode: Mode
    app_id: str
    version: int
    style: FileStyle = field(default_factory=FileStyle)
    metadata: dict[str, str] | None = None
    evolve: bool = False
    more: dict[str, Any] = field(default_factory=dict)


class EarlyWrite:
    """Writes the files of a commit on a thread of its own; leave the context without ``finish`` to remove them.

    Args:
        path: the table, which exists.
        prepare: the commit, None when there is nothing to write; called once a start, on the thread that writes.
        early: False writes in ``finish``. So does a commit that must read the table, such as a merge.
    """

    def __init__(self, path: str, prepare: Callable[[], Commit | None], *, early: bool) -> None:
        self._path, self._prepare = path, prepare
        self._commit: Commit | None = None
        self._ahead: Ahead | None = None
        self._failed: BaseException | None = None
        self._refused = threading.Event()
        self._thread: threading.Thread | None = None
        if early and can_write_ahead(path):
            self._start()

    def again(self) -> None:
        """Write anew what has been begun: ``prepare`` would give other rows now."""
        if self._thread is None:
            return
        self._stop()
        self._commit, self._ahead, self._failed = None, None, None
        self._start()

    def finish(self) -> bool:
        """Commit; whether it did.

        Raises:
            Exception: whatever the write met.
        """
        if self._thread is None:
            self._commit = self._prepare()
        else:
            self._thread.join()
            if self._failed is not None:
                raise self._failed
        commit, ahead = self._commit, self._ahead
        if commit is None:
            return False
        if ahead is not None and commit.mode != "merge":
            self._ahead = None
            return commit_ahead(
                ahead, mode=commit.mode, app_id=commit.app_id, version=commit.version, metadata=commit.metadata
            )
        return commit_once(
            self._path,
            commit.rows,
            mode=commit.mode,
            app_id=commit.app_id,
            version=commit.version,
            style=commit.style,
            metadata=commit.metadata,
            evolve=commit.evolve,
            **commit.more,
        )

    def __enter__(self) -> EarlyWrite:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self) -> None:
        self._refused.clear()
        self._thread = threading.Thread(target=self._run, name="early-write", daemon=True)
        self._thread.start()

    def _stop(self) -> None:
        self._refused.set()
        if self._thread is not None:
            self._thread.join()
        if self._ahead is not None:
            self._ahead.discard()

    def _run(self) -> None:
        try:
            self._commit = commit = self._prepare()
            if commit is not None and commit.mode != "merge" and not commit.evolve:
                self._ahead = write_ahead(self._path, commit.rows, commit.style, refused=self._refused.is_set)
        except Refused:
            return
        except BaseException as e:  # noqa: BLE001 - raised again by finish
            self._failed = e

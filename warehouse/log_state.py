"""What is read from the log of a Delta table again and again in one build, read once for every state of the log."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

_LOG = "_delta_log"
_COMMITS = 20
"""So far back it is looked for a commit that changed rows."""


def version(path: str) -> int:
    """The version of the table at ``path``; -1 when there is none."""
    return _read(path, state(path))[0]


def commits(path: str) -> tuple[dict[str, Any], ...]:
    """Its last commits, the newest first; none when there is no table."""
    return _read(path, state(path))[1]


def state(path: str) -> tuple[int, int] | object:
    """Something that is another after every commit: a commit is a file of the log's folder."""
    if "://" in path:
        return object()  # never the same: it is read each time
    log = os.path.join(path, _LOG)
    try:
        return os.stat(log).st_mtime_ns, len(os.listdir(log))
    except FileNotFoundError:
        return 0, 0


@lru_cache(maxsize=64)
def _read(path: str, _state: object) -> tuple[int, tuple[dict[str, Any], ...]]:
    from deltalake import DeltaTable

    if not DeltaTable.is_deltatable(path):
        return -1, ()
    table = DeltaTable(path)
    return table.version(), tuple(table.history(_COMMITS))

"""What a build asks of the log of a Delta table again and again: its version, and what its last commits note.

A local table's commits lie by name, and each tells of itself in its ``commitInfo``: that is read here, and not the
whole log, which is as long as the table is old.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

_LOG = "_delta_log"
_COMMITS = 20
"""So far back it is looked for a commit that changed rows."""


def version(path: str) -> int:
    """The version of the table at ``path``; -1 when there is none."""
    newest = newest_commit(path)
    if newest is not None:
        return newest
    from deltalake import DeltaTable

    return int(DeltaTable(path).version()) if DeltaTable.is_deltatable(path) else -1


def newest_commit(path: str) -> int | None:
    """The number of the newest commit of a local table; None when it has none as a file of its own."""
    if "://" in path:
        return None
    try:
        names = os.listdir(os.path.join(path, _LOG))
    except FileNotFoundError:
        return None
    return max((int(n[:20]) for n in names if len(n) == 25 and n.endswith(".json") and n[:20].isdigit()), default=None)


def commits(path: str) -> Iterator[dict[str, Any]]:
    """Its last commits, the newest first, each when it is asked for; none when there is no table."""
    newest = newest_commit(path)
    if newest is None:
        yield from _history(path)
        return
    for number in range(newest, max(newest - _COMMITS, -1), -1):
        told = _info(os.path.join(path, _LOG, f"{number:020d}.json"))
        if told is None:  # cleaned away: a checkpoint has its rows, and nothing its note
            return
        yield told


def committed_by(path: str, app_id: str) -> int:
    """The highest version ``app_id`` has committed to it; 0 when none or no table."""
    return _committed(path, app_id, state(path))


def state(path: str) -> tuple[int, int] | object:
    """Something that is another after every commit: a commit is a file of the log's folder."""
    if "://" in path:
        return object()  # never the same: it is read each time
    log = os.path.join(path, _LOG)
    try:
        return os.stat(log).st_mtime_ns, len(os.listdir(log))
    except FileNotFoundError:
        return 0, 0


@lru_cache(maxsize=16)
def _committed(path: str, app_id: str, _state: object) -> int:
    from warehouse.delta import transaction_version

    return transaction_version(path, app_id) or 0


def _info(file: str) -> dict[str, Any] | None:
    """What a commit notes of itself: as a rule its first line, before those of its files, which may be long."""
    try:
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                if '"commitInfo"' in line:
                    action = json.loads(line)
                    if "commitInfo" in action:
                        return dict(action["commitInfo"])
            return {}
    except FileNotFoundError:
        return None


def _history(path: str) -> Iterator[dict[str, Any]]:
    from deltalake import DeltaTable

    if DeltaTable.is_deltatable(path):
        yield from DeltaTable(path).history(_COMMITS)

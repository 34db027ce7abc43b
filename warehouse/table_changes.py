"""What came and went in a local Delta table since one of its versions: read from the log's commits, whatever made them.

Only an unbroken line of commits tells. A table that was put back to an earlier version has rows again that no commit
brings, and one that was replaced has another log: of such a table nothing is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pyroaring import BitMap64

from warehouse.delta_log import deleted_rows
from warehouse.log_state import newest_commit

_PLAIN = frozenset({"WRITE", "DELETE", "UPDATE", "MERGE", "OPTIMIZE", "VACUUM START", "VACUUM END"})
"""Operations whose adds and removes are all that happens."""
_ABLING = frozenset({"ADD FEATURE", "SET TBLPROPERTIES"})
"""Operations that change what a table may hold, and neither rows nor columns."""


@dataclass(frozen=True)
class Standing:
    """A version of a table. ``mark``: of its commit, by which it is told from the same version of another table."""

    version: int
    mark: str


@dataclass(frozen=True)
class Gone:
    """Rows of a file that are no longer there. ``rows``: their numbers in it; None when it went as a whole."""

    file: Path
    rows: BitMap64 | None


@dataclass(frozen=True)
class Changes:
    """What happened since a version.

    Attributes:
        now: the version it is told up to.
        whole: nothing that was there is left.
        new: files that were not there; new_rows: in them, less those deleted since.
        gone: of files that were there.
        all_there: no row of the new files is deleted.
    """

    now: Standing
    whole: bool
    new: tuple[Path, ...]
    new_rows: int
    gone: tuple[Gone, ...]
    all_there: bool

    @property
    def none(self) -> bool:
        """Whether every row is as it was."""
        return not (self.whole or self.new or self.gone)


def standing(path: str) -> Standing | None:
    """The version of the table at ``path`` now; None when it is not there or not local."""
    version = newest_commit(path)
    return Standing(version, _mark(Path(path) / "_delta_log", version)) if version is not None else None


def changes_since(path: str, then: Standing) -> Changes | None:
    """What happened to the table at ``path`` since it was as ``then``; None when the log does not tell all of it."""
    now, log = standing(path), Path(path) / "_delta_log"
    first = log / f"{then.version:020d}.json"
    if now is None or now.version < then.version or not first.exists() or _mark(log, then.version) != then.mark:
        return None
    walked = _Walked()
    for number in range(then.version + 1, now.version + 1):
        file = log / f"{number:020d}.json"
        if not file.exists():
            return None
        actions = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
        if not walked.take(actions):
            return None
    return walked.changes(Path(path), now)


def _mark(log: Path, version: int) -> str:
    return sha256((log / f"{version:020d}.json").read_bytes()).hexdigest()[:32]


@dataclass
class _Walked:
    """Files by path. ``new``: rows, and those deleted. ``before``, ``after``: of files that were there, rows deleted
    first, and at last; None for a file that went."""

    whole: bool = False
    new: dict[str, tuple[int, BitMap64]] = field(default_factory=dict)
    before: dict[str, BitMap64] = field(default_factory=dict)
    after: dict[str, BitMap64 | None] = field(default_factory=dict)

    def take(self, actions: Iterable[Mapping[str, Any]]) -> bool:
        """One commit; False when it is not understood."""
        info: Mapping[str, Any] = {}
        adds: dict[str, Mapping[str, Any]] = {}
        removes: dict[str, Mapping[str, Any]] = {}
        other = False
        for action in actions:
            info = action.get("commitInfo", info)
            if "add" in action:
                adds[action["add"]["path"]] = action["add"]
            if "remove" in action:
                removes[action["remove"]["path"]] = action["remove"]
            other = other or "metaData" in action or "protocol" in action
        if info.get("operation") in _ABLING:
            return not adds and not removes
        overwritten = _overwrites(info)
        if info.get("operation") not in _PLAIN or (other and not overwritten):
            return False
        if any(add.get("partitionValues") for add in adds.values()):
            return False
        return self._files(adds, removes, overwritten)

    def _files(
        self, adds: Mapping[str, Mapping[str, Any]], removes: Mapping[str, Mapping[str, Any]], overwritten: bool
    ) -> bool:
        for path, removed in removes.items():
            gone = deleted_rows(removed)
            added = deleted_rows(adds[path]) if path in adds else None
            if gone is None or (path in adds and added is None):
                return False
            if path in self.new:
                rows, _ = self.new.pop(path)
                if added is not None:
                    self.new[path] = (rows, added)
            else:
                self.before.setdefault(path, gone)
                self.after[path] = added
        if overwritten:
            self.whole, self.new = True, {}
        for path, add in adds.items():
            deleted = deleted_rows(add)
            rows = json.loads(add.get("stats") or "{}").get("numRecords")
            if path not in removes:
                if rows is None or deleted is None or path in self.before:
                    return False
                self.new[path] = (int(rows), deleted)
        return True

    def changes(self, root: Path, now: Standing) -> Changes | None:
        """All commits together; None when rows came back."""
        gone = []
        for path, before in self.before.items():
            after = self.after[path]
            if after is not None and before - after:
                return None
            if after is None or after - before:
                gone.append(Gone(root / unquote(path), None if after is None else after - before))
        rows = sum(rows - len(deleted) for rows, deleted in self.new.values())
        new, all_there = tuple(root / unquote(p) for p in self.new), not any(d for _, d in self.new.values())
        return Changes(now, self.whole, new, rows, tuple(gone), all_there)


def _overwrites(info: Mapping[str, Any]) -> bool:
    told = info.get("operationParameters") or {}
    return info.get("operation") == "WRITE" and told.get("mode") == "Overwrite" and not told.get("predicate")

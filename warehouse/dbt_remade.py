"""Up to which run of linking a table of persons was made, read from its Delta log."""

from __future__ import annotations

import os
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

THROUGH, PROJECT_DIGEST = "made_through", "made_by"
"""Notes in a commit: the run of linking, and the digest of the dbt project that made the rows."""
_HOUSEKEEPING = frozenset({"OPTIMIZE", "VACUUM START", "VACUUM END"})
"""Commits that change no row."""
_PROJECT = Path(__file__).resolve().parent.parent / "dbt_project"
_FOLDERS = ("models", "macros", "seeds")


def made_through(path: str) -> int | None:
    """The run a table was made through; None when it is not there, was made by another state of the dbt project, or
    was last written by something else than a build (put back, a person erased): all of it is made anew then."""
    from deltalake import DeltaTable

    if not DeltaTable.is_deltatable(path):
        return None
    for commit in DeltaTable(path).history(20):
        if commit.get("operation") in _HOUSEKEEPING:
            continue
        note: dict[str, Any] = commit
        if note.get(PROJECT_DIGEST) != project_digest() or not str(note.get(THROUGH, "")).isdigit():
            return None
        return int(note[THROUGH]) or None
    return None


def project_digest() -> str:
    """A digest of models, macros and seeds: what they make may be different after any change of them."""
    files = sorted(f for folder in _FOLDERS for f in (_PROJECT / folder).rglob("*") if f.is_file())
    return _digest(tuple((str(f), os.stat(f).st_mtime_ns) for f in files))


@lru_cache(maxsize=4)
def _digest(files: tuple[tuple[str, int], ...]) -> str:
    digest = sha256()
    for name, _ in files:
        digest.update(Path(name).relative_to(_PROJECT).as_posix().encode() + b"\0" + Path(name).read_bytes())
    return digest.hexdigest()[:16]

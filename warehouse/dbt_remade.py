"""Up to which run of linking a table of persons was made, or with which knowledge a table of answers: read from its
Delta log."""

from __future__ import annotations

import os
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

THROUGH, PROJECT_DIGEST, KNOWLEDGE = "made_through", "made_by", "answered_by"
"""Notes in a commit: the run of linking, the digest of the dbt project that made the rows, and the digest of what was
asked (an address book, the names of organisations)."""
_HOUSEKEEPING = frozenset({"OPTIMIZE", "VACUUM START", "VACUUM END"})
"""Commits that change no row."""
_PROJECT = Path(__file__).resolve().parent.parent / "dbt_project"
_FOLDERS = ("models", "macros", "seeds")


def made_through(path: str) -> int | None:
    """The run a table was made through; None when it is not there, was made by another state of the dbt project, or
    was last written by something else than a build (put back, a person erased): all of it is made anew then."""
    through = str(_note(path).get(THROUGH, ""))
    return (int(through) or None) if through.isdigit() else None


def answered_by(path: str) -> str | None:
    """The digest of what was asked when the table was made; None in the cases of `made_through`."""
    return _note(path).get(KNOWLEDGE) or None


def _note(path: str) -> dict[str, Any]:
    """What the last commit that changed rows notes; nothing when this state of the project did not make it."""
    from deltalake import DeltaTable

    if not DeltaTable.is_deltatable(path):
        return {}
    for commit in DeltaTable(path).history(20):
        if commit.get("operation") in _HOUSEKEEPING:
            continue
        note: dict[str, Any] = commit
        return note if note.get(PROJECT_DIGEST) == project_digest() else {}
    return {}


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

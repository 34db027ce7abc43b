"""Up to which run of linking a table of persons was made, or with which knowledge a table of answers: read from its
Delta log."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from catalog.settings import Settings
from warehouse.linking.store import APP, IDENTITIES
from warehouse.log_state import commits, committed_by

THROUGH, PROJECT_DIGEST, KNOWLEDGE, FEEDS = "made_through", "made_by", "answered_by", "made_from"
"""Notes in a commit: the run of linking, the digest of the dbt project that made the rows, the digest of what was asked
(an address book, the names of organisations), and the versions of the tables it was made from."""
_HOUSEKEEPING = frozenset({"OPTIMIZE", "VACUUM START", "VACUUM END"})
"""Commits that change no row."""
_PROJECT = Path(__file__).resolve().parent.parent / "dbt_project"
_FOLDERS = ("models", "macros", "seeds")


def made_through(path: str) -> int | None:
    """The run a table was made through; None when it is not there, was made by another state of the dbt project, or
    was last written by something else than a build (put back, a person erased): all of it is made anew then."""
    through = str(note_of(path).get(THROUGH, ""))
    return (int(through) or None) if through.isdigit() else None


def answered_by(path: str) -> str | None:
    """The digest of what was asked when the table was made; None in the cases of `made_through`."""
    return note_of(path).get(KNOWLEDGE) or None


def person_runs(settings: Settings, path: str, read: str) -> str:
    """The runs of linking whose changes a table of persons lacks.

    Args:
        read: JSON of the paths of tables of persons it reads.

    Returns:
        JSON: ``since``, the run it was made through, NULL when all is to be made; and ``through``, the run up to which
        it can be made now: linking's newest, or less where a table it reads is behind.
    """
    newest = committed_by(settings.platform_path(IDENTITIES), APP)
    through = min([newest, *(made_through(p) or 0 for p in json.loads(read))])
    return json.dumps({"since": made_through(path), "through": through})


def note_of(path: str) -> dict[str, Any]:
    """What the last commit that changed rows notes; nothing when this state of the project did not make it."""
    for commit in commits(path):
        if commit.get("operation") in _HOUSEKEEPING:
            continue
        return commit if commit.get(PROJECT_DIGEST) == project_digest() else {}
    return {}


def project_digest() -> str:
    """A digest of models, macros and seeds: what they make may be different after any change of them."""
    found: list[os.DirEntry[str]] = []
    folders = [str(_PROJECT / folder) for folder in _FOLDERS]
    while folders:
        with os.scandir(folders.pop()) as entries:  # asked a hundred times in a build: pathlib takes five times as long
            for entry in entries:
                folders.append(entry.path) if entry.is_dir() else found.append(entry)
    return _digest(tuple(sorted((entry.path, entry.stat().st_mtime_ns) for entry in found)))


@lru_cache(maxsize=4)
def _digest(files: tuple[tuple[str, int], ...]) -> str:
    digest = sha256()
    for name, _ in files:
        digest.update(Path(name).relative_to(_PROJECT).as_posix().encode() + b"\0" + Path(name).read_bytes())
    return digest.hexdigest()[:16]

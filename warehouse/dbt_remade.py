"""Up to which run of linking a table of persons was made, or with which knowledge a table of answers: read from its
Delta log."""

# ruff: noqa: S608 - SQL is put together from SELECTs of `feed_changes` and a quoted name

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb  # DuckDB evaluates the annotations of functions it is given

from catalog.registry import Catalog
from catalog.settings import Settings
from warehouse.delta_log import files_at
from warehouse.duck import quote
from warehouse.feed_changes import changed_values
from warehouse.log_state import commits, version

THROUGH, PROJECT_DIGEST, KNOWLEDGE, FEEDS = "made_through", "made_by", "answered_by", "made_from"
"""Notes in a commit: the run of linking, the digest of the dbt project that made the rows, the digest of what was asked
(an address book, the names of organisations), and the versions of the feed tables it was made from."""
SCRATCH = "lakehouse_scratch"
"""Database in memory beside the build database: keys that changed are looked for once, and read from there."""
FEW = 50
"""Answers of one row in so many are asked for again in the time in which a table is read for those it has."""
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


def changed_in_feeds(
    settings: Settings,
    catalog: Catalog,
    cursor: Callable[[], duckdb.DuckDBPyConnection],
    path: str,
    asked: str,
    _build: str,
) -> str:
    """What changed in feeds since the table was made.

    Args:
        cursor: of the build database, with `SCRATCH` beside it.
        asked: JSON of feed to the column in it that has the table's keys.
        _build: of which this is asked; a table notes the versions that were looked at, so that one answer has to serve.

    Returns:
        JSON: ``changed``, a SELECT of the keys of rows that came, changed or went, NULL when all are to be made;
        ``few``, whether they are few beside the table; and ``made_from``, the versions of the feed tables up to which
        that was looked for.
    """
    now = {feed: version(settings.feed_path(feed)) for feed in json.loads(asked)}
    made_from = json.loads(note_of(path).get(FEEDS) or "{}")
    keys = f"{SCRATCH}.{quote('.'.join(Path(path).parts[-2:]))}"
    changed, few = None, False
    if made_from.keys() >= now.keys():
        with cursor() as con:
            found = [
                changed_values(con, settings, catalog, feed, column, (made_from[feed], now[feed]))
                for feed, column in json.loads(asked).items()
            ]
            if None not in found:
                values = " union all ".join(map(str, found))
                con.execute(f"create or replace table {keys} as select distinct k from ({values}) as changed(k)")
                counted: Any = con.execute(f"select count(*) from {keys}").fetchone()
                changed, few = f"select k from {keys}", FEW * counted[0] <= _rows(path)
    return json.dumps({"changed": changed, "few": few, "made_from": json.dumps(now)})


def _rows(path: str) -> int:
    """Rows of a local table; 0 when its log does not tell."""
    files = files_at(Path(path), version(path)) if "://" not in path else None
    return sum(f.rows - len(f.deleted) for f in files or ())


def note_of(path: str) -> dict[str, Any]:
    """What the last commit that changed rows notes; nothing when this state of the project did not make it."""
    for commit in commits(path):
        if commit.get("operation") in _HOUSEKEEPING:
            continue
        return commit if commit.get(PROJECT_DIGEST) == project_digest() else {}
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

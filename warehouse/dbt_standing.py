"""Tables that stay as they are when there is nothing else to say: made from the same versions of their inputs, or made
again and come to the same rows. Either way there is no commit, and what reads the table may stay as it is, too."""

# ruff: noqa: S608 - a table of the house
from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
from pydantic import BaseModel, ConfigDict

from warehouse.dbt_remade import KNOWLEDGE, PROJECT_DIGEST, note_of, project_digest
from warehouse.duck import literal, quote
from warehouse.log_state import version
from warehouse.schema import SYSTEM_COLUMNS

INPUTS, ROWS = "made_from_versions", "rows_digest"
"""Notes in a commit: the versions of the tables a model read, with the rows of those that are told by their content,
and its own rows, told by their number and their hashes."""


class Standing(BaseModel):
    """What a table was, or would be, made from and comes to.

    Attributes:
        inputs: JSON of the versions of the tables a model reads, taken before it reads them.
        knows: digest of what its functions know; empty when it asks none.
        rows: number and hashes of its rows, whatever their order; empty when they are not known.
    """

    model_config = ConfigDict(frozen=True)

    inputs: str
    knows: str = ""
    rows: str = ""

    @property
    def count(self) -> int:
        return int(self.rows.partition(":")[0] or 0)

    def reads_as(self, other: Standing) -> bool:
        """Whether it is made from the same versions and with the same knowledge."""
        return bool(self.inputs) and (self.inputs, self.knows) == (other.inputs, other.knows)

    def comes_to(self, other: Standing) -> bool:
        """Whether it has the same rows; a table of answers has to note what else is known, though."""
        return bool(self.rows) and (self.rows, self.knows) == (other.rows, other.knows)

    def note(self) -> dict[str, str]:
        """For the commit."""
        return {INPUTS: self.inputs, ROWS: self.rows, PROJECT_DIGEST: project_digest()}


def standing_of(path: str) -> Standing:
    """What the table was made from, as its last commit tells; it tells nothing when another state of the dbt project
    made it, or it was written by something else than a build (put back, a person erased)."""
    note = note_of(path)
    return Standing(inputs=note.get(INPUTS, ""), knows=note.get(KNOWLEDGE, ""), rows=note.get(ROWS, ""))


def standing_now(inputs: Sequence[str], knows: str | None) -> Standing:
    """What a table is made from that is made now.

    Args:
        inputs: paths of the tables it reads.
        knows: digest of what its functions know.
    """
    read = {_name(p): version(p) for p in sorted(inputs)}
    return Standing(inputs=json.dumps(read), knows=knows or "")


def by_content(
    con: duckdb.DuckDBPyConnection, standing: Standing, was: Standing | None, inputs: Sequence[str]
) -> Standing:
    """The same for a table that reads feeds, and nothing of what a load writes beside their rows (`SYSTEM_COLUMNS`): a
    feed is told by its rows then. Delivered again as it was, it has another version and is no change.

    Args:
        con: with the delta extension.
        was: what the table was made from; feeds of another version than that are read.
    """
    read, noted = json.loads(standing.inputs), json.loads((was and was.inputs) or "{}")
    for path in inputs:
        name = _name(path)
        if not name.startswith(_FEEDS) or read[name] < 0:
            continue
        before = noted.get(name)
        known = isinstance(before, list)
        if known and before[0] == read[name]:
            read[name] = before
        else:
            rows = _digest_of_rows(con, path, read[name])
            read[name] = before if known and before[1] == rows else [read[name], rows]
    return standing.model_copy(update={"inputs": json.dumps(read)})


_FEEDS = "feed/feed/"
_LOADED = frozenset(c.name for c in SYSTEM_COLUMNS)


def _name(path: str) -> str:
    return "/".join(Path(path).parts[-3:])


def _digest_of_rows(con: duckdb.DuckDBPyConnection, path: str, at: int) -> str:
    """Number and hashes of a feed's rows, whatever their order, without what loads have written."""
    table = f"delta_scan({literal(path)}, version => {at})"
    names = [c for c in con.sql(f"from {table}").columns if c not in _LOADED]
    return _rows(con, table, names)


def _rows(con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str]) -> str:
    names = ", ".join(map(quote, columns))
    sql = f"select count(*), coalesce(bit_xor(hash({names})), 0), coalesce(sum(hash({names})), 0) from {table}"
    found: Any = con.execute(sql).fetchone()
    return ":".join(map(str, found))


def with_rows(cur: duckdb.DuckDBPyConnection, standing: Standing, table: str, columns: Sequence[str]) -> Standing:
    """The same with the rows of a temporary table."""
    return standing.model_copy(update={"rows": _rows(cur, table, columns)})

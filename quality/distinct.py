"""Whether rows are all different, told by sorting their hashes: a quarter of the work of a table of their values.

Rows that are alike have the same hash, so a hash that stands alone says that its row does, too. Two rows of one hash
need not be alike: whoever is told of some looks at the values themselves.
"""

# ruff: noqa: S608 - names are quoted by whoever calls, and come from validated contracts
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import duckdb
    from numpy.typing import NDArray

PART_ROWS = 4_000_000
"""Hashes of so many rows are sorted at a time; they take 32 MB, and once more while they are fetched."""
MOST_ROWS = 4 * PART_ROWS
"""More rows would be read too often; they are left to DuckDB, which spills."""


def repeated_hashes(con: duckdb.DuckDBPyConnection, hashed: str, relation: str) -> NDArray[np.uint64] | None:
    """Hashes that more than one row has.

    Args:
        hashed: SQL expression over a row, of DuckDB's ``hash``; rows for which it is NULL do not count.
        relation: what to write after FROM, conditions included.

    Returns:
        Each of them once; None when there are more rows than `MOST_ROWS`.
    """
    counted = con.execute(f"SELECT count(*) FROM {relation}").fetchone()
    rows = int(counted[0]) if counted else 0
    if rows > MOST_ROWS:
        return None
    parts = max(1, -(-rows // PART_ROWS))
    return np.concatenate([_repeated(con, hashed, relation, part, parts) for part in range(parts)])


def _repeated(con: duckdb.DuckDBPyConnection, hashed: str, relation: str, part: int, parts: int) -> NDArray[np.uint64]:
    """Of the hashes that leave ``part`` when divided by ``parts``, those that more than one row has."""
    condition = "h IS NOT NULL" if parts == 1 else f"h % {parts} = {part}"
    some = f"SELECT h FROM (SELECT {hashed} AS h FROM {relation}) WHERE {condition}"
    found = np.asarray(con.execute(some).fetchnumpy()["h"])
    found.sort()
    return np.unique(found[1:][found[1:] == found[:-1]])

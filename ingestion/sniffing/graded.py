"""What the content scanner, which every delivery passes, says of a sample: no contract proposes a grade it refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ingestion.sniffing.model import Column
from quality.simplified import simplified

if TYPE_CHECKING:
    from quality.scanner import ColumnFinding

MAX_ROWS = 20_000
"""Records looked at, evenly over the sample: shares of a column show in these."""
MAX_COLUMNS = 50
"""Columns asked about at once: a statement's cost grows with their square."""


def graded(columns: Sequence[Column], records: Sequence[Sequence[str]]) -> Mapping[str, ColumnFinding]:
    """The gravest content above grade 1 of every text column, by the column's name."""
    import pyarrow as pa

    from quality.scanner import scan_table
    from warehouse import duck

    texts = [c for c in columns if c.type == "string" and c.filled]
    if not texts:
        return {}
    some = records[:: len(records) // MAX_ROWS + 1]
    cells = {f"c{i}": pa.array([_plain(row[c.position - 1]) for row in some], pa.string()) for i, c in enumerate(texts)}
    names = {f"c{i}": c.name for i, c in enumerate(texts)}
    heads = {place: simplified(name) for place, name in names.items()}
    order = list(names)
    worst: dict[str, ColumnFinding] = {}
    with duck.connect() as con:
        con.register("arrived", pa.table(cells))
        for some_columns in (order[i : i + MAX_COLUMNS] for i in range(0, len(order), MAX_COLUMNS)):
            for finding in scan_table(con, "arrived", headers=heads, columns=some_columns):
                if finding.grade > 1:
                    worst.setdefault(names[finding.column], finding)
    return worst


def _plain(cell: str) -> bytes:
    """UTF-8 of a cell; half a character, which JSON can write, becomes a question mark."""
    return cell.encode("utf-8", "replace")

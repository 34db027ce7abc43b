"""The content scanner asked about a file nobody has declared yet, or about a table of the lake."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from catalog.settings import Settings
from ingestion.sniffing.records import read_each
from ingestion.sniffing.rows import Raw

if TYPE_CHECKING:
    from quality.scanner import ColumnFinding

MAX_ROWS = 1_000_000


def scan_file(path: Path, *, max_rows: int = MAX_ROWS) -> tuple[list[ColumnFinding], int, bool]:
    """Findings in a file of any kind ``feed new`` reads, ragged records included, of every sheet and of every
    member of an archive.

    Returns:
        findings, records looked at, and whether these were all.

    Raises:
        InputError: the file is empty, broken, or of a kind without a reader.
    """
    import pyarrow as pa

    from quality.scanner import scan_table
    from warehouse import duck

    raws = read_each(Path(path), max_rows)
    con = duck.connect()
    found: list[ColumnFinding] = []
    try:
        for raw in raws:
            con.register("arrived", pa.table(_columns(raw)))
            found += scan_table(con, "arrived")
            con.unregister("arrived")
    finally:
        con.close()
    return found, sum(len(r.records) + len(r.ragged) for r in raws), all(r.complete for r in raws)


def _columns(raw: Raw) -> dict[str, list[str | None]]:
    """Cells by column; a ragged record's surplus stands in its last column, so that nothing goes unseen."""
    width = len(raw.names)
    rows = [*raw.records, *([*r[: width - 1], " ".join(r[width - 1 :])] for r in raw.ragged)]
    return {name: [row[i] if i < len(row) else None for row in rows] for i, name in enumerate(raw.names)}


def scan_lake_table(settings: Settings, sql_name: str) -> tuple[list[ColumnFinding], int]:
    """Findings in ``schema.table`` of the lake, and its rows.

    Raises:
        UnknownName: there is no such table.
    """
    from quality.scanner import scan_table
    from warehouse import duck
    from warehouse.tables import resolve

    table = resolve(settings, sql_name)
    con = duck.connect()
    try:
        duck.load_extension(con, "delta")
        con.execute(f"CREATE TABLE looked_at AS SELECT * FROM delta_scan({duck.literal(table.path)})")  # noqa: S608
        row = con.execute("SELECT count(*) FROM looked_at").fetchone()
        return scan_table(con, "looked_at"), int(row[0]) if row else 0
    finally:
        con.close()

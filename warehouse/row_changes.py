"""Changes rows of a Delta table in one commit that costs what they are many: rows that go are marked in deletion
vectors, rows that come are a new file.

deltalake writes every file anew that has a row changed; where the keys are pseudonyms, that is the whole table for any
change. A table that has had many changes is *worn* and not taken: written whole, it is as new.
"""

# ruff: noqa: S608 - SQL is put together here from the log's paths, escaped, and conditions of the house
from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from pyroaring import BitMap64

from catalog.errors import Busy, ContractError
from quality.sql import literal
from warehouse.delta import FileStyle, aside
from warehouse.delta_log import DataFile, commit, data_files, takes_vectors

if TYPE_CHECKING:
    import duckdb

MOST_FILES = 40
"""A table of more files is worn: each is opened by every reader."""
MOST_DELETED = 0.25
"""Share of rows deleted, from which on a table is worn: each is read and left out by every reader."""


@dataclass(frozen=True)
class Marked:
    """Rows of a table that are to go.

    Attributes:
        table: at the version they were looked for in. files: its files, each with all rows deleted when they are gone.
        rows: how many go.
    """

    table: DeltaTable
    files: tuple[tuple[DataFile, BitMap64], ...]
    rows: int


def mark_rows(con: duckdb.DuckDBPyConnection, table: DeltaTable, gone: str) -> Marked | None:
    """Look for the rows of ``table``, at its version, for which the condition ``gone`` holds.

    Args:
        con: the connection whose tables the condition may name.
        gone: SQL over columns of the table.

    Returns:
        None when the table has to be written whole: it is worn or would be, remote, partitioned or of an unknown form.
    """
    files = data_files(table)
    if files is None or len(files) >= MOST_FILES or not takes_vectors(table):
        return None
    marked = _marked(con, files, gone) if files else ()
    rows, deleted = sum(f.rows for f in files), sum(len(d) for _, d in marked)
    if deleted > rows * MOST_DELETED:
        return None
    return Marked(table, marked, deleted - sum(len(f.deleted) for f in files))


def change_rows(
    marked: Marked,
    rows: pa.RecordBatchReader | None,
    *,
    note: Mapping[str, str],
    transaction: tuple[str, int] | None = None,
    style: FileStyle | None = None,
) -> int:
    """Commit that the marked rows are gone and ``rows``, if any, have come; returns the version.

    Args:
        rows: of the table's columns. note: told by the table's history.
        transaction: application id and version that count as committed, as of `commit_once`.

    Raises:
        Busy: another process wrote the table since the rows were looked for. ContractError: other columns.
    """
    table = marked.table
    path = table.table_uri.removeprefix("file://")
    draft = aside(path, "rows")
    shutil.rmtree(draft, ignore_errors=True)
    moved: list[Path] = []
    try:
        adds = _drafted(draft, rows, table, style) if rows is not None else []
        for add in adds:
            moved.append(Path(path) / str(add["path"]))
            os.rename(draft / str(add["path"]), moved[-1])
        changed = [(f, d) for f, d in marked.files if len(d) > len(f.deleted)]
        return commit(
            table,
            files=changed,
            adds=adds,
            at=int(time.time() * 1000),
            operation="MERGE",
            note=note,
            transaction=transaction,
        )
    except Busy:  # nothing else: after the commit they are the table's
        for file in moved:
            file.unlink()
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _marked(
    con: duckdb.DuckDBPyConnection, files: tuple[DataFile, ...], gone: str
) -> tuple[tuple[DataFile, BitMap64], ...]:
    named = ", ".join(literal(str(f.path)) for f in files)
    found = con.execute(
        f"SELECT _file, list(file_row_number) AS numbers FROM read_parquet([{named}], filename = '_file', "
        f"file_row_number = true, union_by_name = true, hive_partitioning = false) WHERE {gone} GROUP BY _file"
    ).to_arrow_table()
    numbers = {
        str(file): found.column("numbers")[i].values.to_numpy()
        for i, file in enumerate(found.column("_file").to_pylist())
    }
    return tuple((f, f.deleted | BitMap64(numbers.get(str(f.path), ()))) for f in files)


def _drafted(
    draft: Path, rows: pa.RecordBatchReader, table: DeltaTable, style: FileStyle | None
) -> list[dict[str, object]]:
    """Files of ``rows`` in a table of their own, as deltalake writes them, and their actions."""
    draft.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_deltalake(str(draft), rows, mode="error", writer_properties=(style or FileStyle()).properties())
    made = DeltaTable(str(draft))
    here, there = ([(f.name, f.type) for f in t.schema().fields] for t in (made, table))
    if here != there:
        raise ContractError(
            f"the rows are not of the table's columns: {len(here)} and {len(there)}, or of other types",
            hint="write the table whole",
            table=table.table_uri.rstrip("/").rsplit("/", 1)[-1],
        )
    log = (draft / "_delta_log" / f"{0:020d}.json").read_text(encoding="utf-8").splitlines()
    actions = [json.loads(line) for line in log if line]
    return [a["add"] for a in actions if "add" in a and json.loads(a["add"]["stats"])["numRecords"]]

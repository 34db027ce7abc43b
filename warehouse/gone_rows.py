"""Values of rows of a table that are no longer there: their files still have them, until a vacuum takes those away."""

# ruff: noqa: S608 - SQL is put together here from paths of the log, escaped, and quoted names
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from warehouse.duck import literal, quote
from warehouse.table_changes import Changes, Gone

if TYPE_CHECKING:
    import duckdb


def tells_gone_rows(changes: Changes) -> bool:
    """Whether the rows that went are known one by one, and their files are there."""
    return not changes.whole and all(g.rows is not None and g.file.exists() for g in changes.gone)


def gone_values_sql(con: duckdb.DuckDBPyConnection, gone: Sequence[Gone], column: str, numbers: str) -> str:
    """A SELECT of ``v``, the values of ``column`` in rows that are gone.

    Args:
        gone: at least one file, its rows known.
        numbers: name of the table of their numbers, which is registered on ``con``.
    """
    import numpy as np
    import pyarrow as pa

    files, rows = [], []
    for i, file in enumerate(gone):
        files.append(
            f"SELECT file.{quote(column)} AS v FROM read_parquet({literal(str(file.file))}, file_row_number = true) "
            f"AS file SEMI JOIN (SELECT n FROM {numbers} WHERE i = {i}) AS gone ON file.file_row_number = gone.n"
        )
        numbered = np.array(file.rows, dtype=np.int64)
        rows.append(pa.table({"i": np.full(len(numbered), i), "n": numbered}))
    con.register(numbers, pa.concat_tables(rows))
    return " UNION ALL ".join(files)

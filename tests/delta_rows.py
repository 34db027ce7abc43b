"""The rows of a Delta table for tests, without deltalake's dataset: that one can abort or hold up its process."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from warehouse.delta_log import data_files


def rows_of(table: DeltaTable | str, columns: Sequence[str] | None = None) -> pa.Table:
    """All rows of a local table without partitions; ``columns``: only these."""
    found = table if isinstance(table, DeltaTable) else DeltaTable(table)
    schema = pa.schema(found.schema().to_arrow())
    wanted = schema if columns is None else pa.schema([schema.field(c) for c in columns])
    files, parts = data_files(found), []
    assert files is not None
    for file in files:
        rows = pq.ParquetFile(file.path).read(columns=wanted.names).select(wanted.names).cast(wanted)
        if file.deleted:
            rows = rows.filter(pa.array([i not in file.deleted for i in range(rows.num_rows)], pa.bool_()))
        parts.append(rows)
    return pa.concat_tables([wanted.empty_table(), *parts])

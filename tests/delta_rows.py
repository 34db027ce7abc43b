"""The rows of a Delta table for tests, without deltalake's dataset: that one can abort or hold up its process."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable


def rows_of(table: DeltaTable | str, columns: Sequence[str] | None = None) -> pa.Table:
    """All rows of a local table without partitions; ``columns``: only these."""
    found = table if isinstance(table, DeltaTable) else DeltaTable(table)
    schema = pa.schema(found.schema().to_arrow())
    wanted = schema if columns is None else pa.schema([schema.field(c) for c in columns])
    parts = [pq.ParquetFile(unquote(u.removeprefix("file://"))).read(columns=wanted.names) for u in found.file_uris()]
    return pa.concat_tables([wanted.empty_table(), *(p.select(wanted.names).cast(wanted) for p in parts)])

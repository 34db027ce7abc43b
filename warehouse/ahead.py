"""Files of a Delta table written ahead of their commit: nobody sees them before it, and without it they are removed.

Written by Arrow, not by deltalake: a stream of its writer that waits for somebody else's decision keeps one of its
worker threads, and with enough of them waiting no other commit of the process ever ends.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.transaction import AddAction

from warehouse.delta import FileStyle, exists
from warehouse.read_ahead import ReadAhead

GROUP_ROWS = 120_000
FILE_ROWS = 40 * GROUP_ROWS
SAMPLE_ROWS = 10_000
DISTINCT_SHARE = 0.8
"""Of so many values: no dictionary is made of a column that has more different ones."""
STATS_COLUMNS = 32
"""Delta's default of ``delta.dataSkippingNumIndexedCols``."""
STATS_TEXT = 32
"""Longer texts get no upper bound, and a lower bound of so many characters."""


class Refused(Exception):
    """The rows are not wanted after all: stop writing."""


@dataclass(frozen=True)
class Ahead:
    """Files that wait in a table's folder for their commit. ``rows``: in all of them."""

    path: str
    actions: tuple[AddAction, ...] = field(repr=False)
    rows: int

    def discard(self) -> None:
        """Remove them."""
        for action in self.actions:
            (Path(self.path) / action.path).unlink(missing_ok=True)


def can_write_ahead(path: str) -> bool:
    """Whether the table is a local one without partitions."""
    return "://" not in path and exists(path) and not DeltaTable(path).metadata().partition_columns


def write_ahead(
    path: str,
    rows: pa.RecordBatchReader,
    style: FileStyle,
    *,
    refused: Callable[[], bool] = lambda: False,
) -> Ahead:
    """Write ``rows``, of the columns of the table, into files of its folder.

    Args:
        refused: asked between batches.

    Raises:
        Refused: ``refused`` said so. pyarrow.ArrowInvalid: rows that do not fit the table's schema. In both cases, as
        in any other, no file is left.
    """
    schema = pa.schema(DeltaTable(path).schema().to_arrow())
    made: list[AddAction] = []
    total = 0
    try:
        with closing(_groups(rows, schema, refused)) as groups:
            group = next(groups, None)
            while group is not None:
                name = f"part-{len(made):05d}-{uuid4()}-c000.{'zstd.' if style.compressed else ''}parquet"
                count = 0
                with _removed_on_failure(Path(path) / name), _writer(Path(path) / name, group, style) as writer:
                    while group is not None and count < FILE_ROWS:
                        writer.write_table(group, row_group_size=GROUP_ROWS)
                        count += group.num_rows
                        group = None  # its memory is free before the next is gathered
                        group = next(groups, None)
                total += count
                made.append(_action(path, name, schema, style))
    except BaseException:
        Ahead(path, tuple(made), total).discard()
        raise
    return Ahead(path, tuple(made), total)


def commit_ahead(
    ahead: Ahead,
    *,
    mode: Literal["append", "overwrite"],
    app_id: str,
    version: int,
    metadata: dict[str, str] | None = None,
) -> bool:
    """Commit the files, unless this or a later version of ``app_id`` is already there: then they are removed.

    Args:
        mode: ``append`` adds their rows, ``overwrite`` puts them in the place of all others.

    Returns:
        Whether it committed; see `warehouse.delta.commit_once`.
    """
    table = DeltaTable(ahead.path)
    done = table.transaction_version(app_id)
    if done is not None and done >= version:
        ahead.discard()
        return False
    table.create_write_transaction(
        list(ahead.actions),
        mode,
        table.schema(),
        partition_by=[],
        commit_properties=CommitProperties(custom_metadata=metadata, app_transactions=[Transaction(app_id, version)]),
    )
    return True


@contextmanager
def _removed_on_failure(file: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def _writer(file: Path, first: pa.Table, style: FileStyle) -> pq.ParquetWriter:
    """The writer of a file whose first rows are known: they tell how its columns are best encoded."""
    rising = [n for n in first.schema.names if _rises(first[n])]
    plain = {*rising, *style.distinct, *(n for n in first.schema.names if _hardly_repeats(first[n]))}
    return pq.ParquetWriter(
        file,
        first.schema,
        compression="zstd" if style.compressed else "none",
        compression_level=1 if style.compressed else None,
        use_dictionary=[n for n in first.schema.names if n not in plain],
        column_encoding=dict.fromkeys(rising, "DELTA_BINARY_PACKED"),
        write_statistics=[n for n in first.schema.names if n not in style.opaque],
        version="2.6",
    )


def _rises(column: pa.ChunkedArray) -> bool:
    """Whether whole numbers, days or instants never fall: as differences they take a tenth of the room and half the
    time."""
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return False
    values = column.drop_null().cast(pa.int32() if pa.types.is_date(kind) else pa.int64()).to_numpy()
    return len(values) > 1 and bool((values[1:] >= values[:-1]).all())


def _hardly_repeats(column: pa.ChunkedArray) -> bool:
    """Whether a dictionary of the values would be as long as they are."""
    some = column.slice(0, SAMPLE_ROWS)
    if len(some) < SAMPLE_ROWS or pa.types.is_nested(some.type):
        return False
    return len(some.unique()) > DISTINCT_SHARE * SAMPLE_ROWS


def _groups(
    rows: pa.RecordBatchReader, schema: pa.Schema, refused: Callable[[], bool]
) -> Generator[pa.Table, None, None]:
    """The rows in the table's types, gathered to row groups; a thread makes rows while others are written."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    batches = ReadAhead(rows, depth=2)
    try:
        for batch in batches:
            if refused():
                raise Refused
            waiting.append(batch.select(schema.names).cast(schema))
            count += batch.num_rows
            if count >= GROUP_ROWS:
                group = pa.Table.from_batches(waiting, schema)
                waiting, count = [], 0
                yield group
                del group
        if count:
            yield pa.Table.from_batches(waiting, schema)
    finally:
        batches.stop()


def _action(path: str, name: str, schema: pa.Schema, style: FileStyle) -> AddAction:
    file = Path(path) / name
    return AddAction(
        path=name,
        size=file.stat().st_size,
        partition_values={},
        modification_time=int(time.time() * 1000),
        data_change=True,
        stats=json.dumps(_stats(pq.read_metadata(file), schema, style), ensure_ascii=False),
    )


def _stats(about: pq.FileMetaData, schema: pa.Schema, style: FileStyle) -> dict[str, Any]:
    """Rows, bounds and NULLs of a file as Delta's log notes them."""
    low: dict[str, Any] = {}
    high: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    shown = [n for n in schema.names[:STATS_COLUMNS] if n not in style.opaque]
    places = {about.schema.column(i).path: i for i in range(about.num_columns)}
    for name in shown:
        if name not in places:
            continue  # nested: its leaves have other names
        groups = [about.row_group(g).column(places[name]).statistics for g in range(about.num_row_groups)]
        if any(s is None or not s.has_null_count for s in groups):
            continue
        nulls[name] = sum(s.null_count for s in groups)
        bounded = [s for s in groups if s.has_min_max]
        if len(bounded) < sum(1 for s in groups if s.num_values):
            continue
        _note_bounds(name, [s.min for s in bounded], [s.max for s in bounded], low, high)
    return {"numRecords": about.num_rows, "minValues": low, "maxValues": high, "nullCount": nulls}


def _note_bounds(name: str, lows: list[Any], highs: list[Any], low: dict[str, Any], high: dict[str, Any]) -> None:
    if not lows:
        return
    least, most = _json(min(lows)), _json(max(highs))
    if least is None or most is None:
        return
    low[name] = least[:STATS_TEXT] if isinstance(least, str) and isinstance(lows[0], str) else least
    if not isinstance(highs[0], str) or len(most) <= STATS_TEXT:
        high[name] = most


def _json(value: Any) -> Any:
    """A bound as JSON; None for kinds that have none there."""
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, date):
        return value.isoformat()
    return None

"""The one place, with the dbt plugin, that commits to Delta.

A commit carries an application id and a version that only rises (for ingestion: the receipt's
sequence). Delta records the pair but does not refuse a repeat, so ``commit_once`` reads it first:
running the same load again changes nothing. Call it under ``warehouse.tables.table_lock``.
"""

from __future__ import annotations

import shutil
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote

import duckdb
import pyarrow as pa
from deltalake import ColumnProperties, CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import SchemaMismatchError

from catalog.errors import ContractError
from quality.sql import literal
from warehouse.duck import connect, load_extension

Data: TypeAlias = "pa.Table | pa.RecordBatchReader"
Mode = Literal["append", "overwrite", "merge"]
ROW_GROUP_ROWS = 1 << 19
"""Rows of a row group at most. DuckDB reads a row group with one thread, and the writer's default of a million leaves
most tables to one; a quarter of this makes writing ten million rows two fifths slower."""


def exists(path: str) -> bool:
    """Whether a Delta table lies at ``path``."""
    return DeltaTable.is_deltatable(path)


def transaction_version(path: str, app_id: str) -> int | None:
    """The highest version ``app_id`` has committed to the table, None when none or no table."""
    if not exists(path):
        return None
    return DeltaTable(path).transaction_version(app_id)


def row_count(path: str) -> int:
    """Rows of the table at ``path``, from its log."""
    table = DeltaTable(path)
    deleted = _deleted(table)
    if deleted is not None:
        return int(table.count()) - deleted
    with connect(memory="400MB") as con:
        counted: Any = con.execute(f"SELECT count(*) FROM {scan_sql(con, path)}").fetchone()  # noqa: S608 - ours
        return int(counted[0])


def marks_rows(path: str) -> bool:
    """Whether files of the table hold rows that a deletion vector takes away."""
    return _deleted(DeltaTable(path)) != 0


@dataclass(frozen=True)
class FileStyle:
    """How data files are written.

    Attributes:
        compressed: with ZSTD 1, which takes half the space of Snappy in the same time.
        distinct: columns whose values hardly repeat, such as pseudonyms: building dictionaries of them is wasted.
        opaque: columns of which bounds would say nothing, such as ciphertext.
    """

    compressed: bool = True
    distinct: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()

    def properties(self) -> WriterProperties:
        """The style for deltalake's writer."""
        columns = {n: ColumnProperties(dictionary_enabled=False) for n in self.distinct}
        columns |= {n: ColumnProperties(dictionary_enabled=False, statistics_enabled="NONE") for n in self.opaque}
        return WriterProperties(
            compression="ZSTD" if self.compressed else "UNCOMPRESSED",
            compression_level=1 if self.compressed else None,
            max_row_group_size=ROW_GROUP_ROWS,
            column_properties=columns or None,
        )


def commit_once(
    path: str,
    data: Data,
    *,
    mode: Mode,
    app_id: str,
    version: int,
    predicate: str | None = None,
    merge_key: Sequence[str] = (),
    newest_by: str | None = None,
    partition_by: Sequence[str] = (),
    evolve: bool = False,
    style: FileStyle | None = None,
    metadata: dict[str, str] | None = None,
) -> bool:
    """Commit ``data`` to the table at ``path`` unless this or a later version is already there.

    Args:
        path: folder or URL of the table; it is created, with the schema of ``data``, when absent.
        data: rows to write; a reader is streamed.
        mode: ``append`` adds, ``overwrite`` replaces all rows (or those matching ``predicate``),
            ``merge`` replaces by ``merge_key`` and adds rows whose key is new.
        app_id: who commits; versions are counted for each id.
        version: rises with every load of ``app_id``.
        predicate: for ``overwrite``, a SQL condition on validated column names and values.
        merge_key: columns that identify a row; not NULL in ``data``, unique in ``data``.
        newest_by: for ``merge``, a matching row is replaced only when its value here is not older.
        partition_by: columns to partition a new table by.
        evolve: columns of ``data`` that the table lacks are added.
        style: how files are written.
        metadata: written into the commit for people who read the history.

    Returns:
        True when committed, False when ``transaction_version`` was already at ``version`` or later.

    Raises:
        ContractError: the table has a column of ``data`` as a type that its values cannot become.
    """
    properties = CommitProperties(custom_metadata=metadata, app_transactions=[Transaction(app_id, version)])
    if not exists(path):
        _create(path, data, partition_by, properties)
        return True
    table = DeltaTable(path)
    done = table.transaction_version(app_id)
    if done is not None and done >= version:
        return False
    writer = (style or FileStyle()).properties()
    if mode == "merge":
        _merge(table, data, merge_key, newest_by, evolve, properties, writer)
    else:
        _write(table, data, mode, predicate, evolve, properties, writer)
    return True


def delete_once(path: str, keys: Data, *, key: Sequence[str], app_id: str, version: int) -> bool:
    """Remove the rows whose ``key`` columns are in ``keys``, unless this or a later version is already there.

    Returns:
        True when committed, False when ``transaction_version`` was already at ``version`` or later.
    """
    table = DeltaTable(path)
    done = table.transaction_version(app_id)
    if done is not None and done >= version:
        return False
    same = " AND ".join(f't."{k}" = s."{k}"' for k in key)
    properties = CommitProperties(app_transactions=[Transaction(app_id, version)])
    merge = table.merge(
        keys,
        predicate=same,
        source_alias="s",
        target_alias="t",
        writer_properties=_WRITER,
        commit_properties=properties,
    )
    merge.when_matched_delete().execute()
    return True


def append_rows(path: str, table: pa.Table) -> None:
    """Add log rows to a platform table, creating it when absent."""
    write_deltalake(path, table, mode="append", schema_mode="merge", writer_properties=_WRITER)


def ensure_table(path: str, schema: pa.Schema, *, partition_by: Sequence[str] = ()) -> bool:
    """Create an empty table when none lies at ``path``; True when it was created."""
    if exists(path):
        return False
    DeltaTable.create(path, schema, partition_by=list(partition_by) or None, mode="ignore")
    return True


def rewrite(path: str, rows: pa.RecordBatchReader, *, style: FileStyle | None = None) -> None:
    """Replace all rows of a table, of the same columns, and remove the files of before at once: no time travel.

    Call it as the table's only writer, when nobody reads.
    """
    write_deltalake(path, rows, mode="overwrite", writer_properties=(style or FileStyle()).properties())
    DeltaTable(path).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)


def replace_table(
    path: str,
    rows: pa.RecordBatchReader,
    *,
    style: FileStyle | None = None,
    partition_by: Sequence[str] = (),
    applied: Mapping[str, int] | None = None,
) -> None:
    """Put a new table, without any history, in the place of a local one; call it as its only writer.

    Args:
        applied: application ids and versions the new table counts as committed.
    """
    draft, old = aside(path, "new"), aside(path, "old")
    for folder in (draft, old):
        shutil.rmtree(folder, ignore_errors=True)
    done = [Transaction(name, version) for name, version in (applied or {}).items()]
    draft.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_deltalake(
        str(draft),
        rows,
        mode="error",
        partition_by=list(partition_by) or None,
        writer_properties=(style or FileStyle()).properties(),
        commit_properties=CommitProperties(app_transactions=done),
    )
    Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if Path(path).exists():
        Path(path).rename(old)
    draft.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def recover_table(path: str) -> None:
    """Put back what a killed `replace_table` had moved aside."""
    if "://" in path:
        return
    old = aside(path, "old")
    if old.exists() and not Path(path).exists():
        old.rename(path)


def aside(path: str, what: str) -> Path:
    """A folder of the same lake that is no table of it."""
    *_, layer, _schema, name = Path(path).parts
    return Path(path).parents[2] / ".replacing" / f"{layer}.{name}.{what}"


def scan_sql(
    con: duckdb.DuckDBPyConnection, path: str, *, minutes_of: str | None = None, minutes: Sequence[int] = ()
) -> str:
    """What to write after FROM, on ``con``, to read the table at ``path`` as it is now.

    A local table without partitions is read as the Parquet files its log names: loading the delta
    extension into a fresh connection costs half a second, because its signature is checked.

    Args:
        minutes_of: an instant; files are left out whose statistics say that no row's is in one of ``minutes``.
        minutes: minutes of 1970, rising.
    """
    table = DeltaTable(path)
    files = [uri.removeprefix("file://") for uri in table.file_uris()]
    if minutes_of is not None and "://" not in path and not table.metadata().partition_columns:
        files = _files_of(table, minutes_of, minutes) or files[:1]
    if files and "://" not in path and not table.metadata().partition_columns and _deleted(table) == 0:
        return f"read_parquet([{', '.join(literal(f) for f in files)}], union_by_name = true)"
    load_extension(con, "delta")
    return f"delta_scan({literal(path)})"


def _files_of(table: DeltaTable, column: str, minutes: Sequence[int]) -> list[str]:
    """Files of a local table that may hold a row whose ``column`` is in one of ``minutes``."""
    actions = pa.table(table.get_add_actions(flatten=True))
    found, names = [], actions.column_names
    nothing = [None] * actions.num_rows
    low = actions[f"min.{column}"].to_pylist() if f"min.{column}" in names else nothing
    high = actions[f"max.{column}"].to_pylist() if f"max.{column}" in names else nothing
    root = table.table_uri.removeprefix("file://").rstrip("/")
    for name, first, last in zip(actions["path"].to_pylist(), low, high, strict=True):
        if first is not None and last is not None:
            at = bisect_left(minutes, first.timestamp() // 60)
            if at == len(minutes) or minutes[at] > last.timestamp() // 60:
                continue
        found.append(f"{root}/{unquote(name)}")
    return found


def _deleted(table: DeltaTable) -> int | None:
    """Rows in files of the table that deletion vectors take away, which deltalake counts in; None when not known."""
    if "deletionVectors" not in (table.protocol().reader_features or []):
        return 0
    from warehouse.delta_log import data_files

    files = data_files(table)
    return None if files is None else sum(len(f.deleted) for f in files)


_WRITER = FileStyle().properties()


def _create(path: str, data: Data, partition_by: Sequence[str], properties: CommitProperties) -> None:
    write_deltalake(
        path,
        data,
        mode="error",
        partition_by=list(partition_by) or None,
        writer_properties=_WRITER,
        commit_properties=properties,
    )


def _write(
    table: DeltaTable,
    data: Data,
    mode: Any,
    predicate: str | None,
    evolve: bool,
    properties: CommitProperties,
    writer: WriterProperties,
) -> None:
    schema_mode: Any = "merge" if evolve else None
    if evolve and mode == "overwrite" and predicate is None:
        schema_mode = "overwrite"
    try:
        write_deltalake(
            table,
            data,
            mode=mode,
            predicate=predicate,
            schema_mode=schema_mode,
            writer_properties=writer,
            commit_properties=properties,
        )
    except SchemaMismatchError as e:
        raise ContractError(
            f"the table holds a column as another type: {e}",
            hint="keep the type the table was made with, or give the layout a contract (and a table) of its own",
            table=_name_of(table),
        ) from e


def _name_of(table: DeltaTable) -> str:
    """Its last folders, which tell the table and nothing of the machine."""
    return "/".join(table.table_uri.rstrip("/").split("/")[-3:])


def _merge(
    table: DeltaTable,
    data: Data,
    merge_key: Sequence[str],
    newest_by: str | None,
    evolve: bool,
    properties: CommitProperties,
    writer: WriterProperties,
) -> None:
    if not merge_key:
        raise ValueError("mode merge needs merge_key")
    there = {f.name for f in table.schema().fields}
    if missing := [k for k in merge_key if k not in there]:
        raise ContractError(
            f"the table was made with another key: it has no {', '.join(missing)}",
            hint="set load.key back; rows of another key are another feed: give that contract a name of its own",
            table=_name_of(table),
        )
    same = " AND ".join(f't."{k}" = s."{k}"' for k in merge_key)
    newer = f't."{newest_by}" IS NULL OR s."{newest_by}" >= t."{newest_by}"' if newest_by else None
    (
        table.merge(
            data,
            predicate=same,
            source_alias="s",
            target_alias="t",
            merge_schema=evolve,
            writer_properties=writer,
            commit_properties=properties,
        )
        .when_matched_update_all(predicate=newer)
        .when_not_matched_insert_all()
        .execute()
    )


def rows_of(path: str, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Rows of a statement over the Delta table at ``path``, called ``t``; none when there is no table."""
    if not exists(path):
        return []
    with connect(memory="400MB") as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"CREATE TEMP VIEW t AS SELECT * FROM {scan_sql(con, path)}")  # noqa: S608 - a path of ours
        return con.execute(sql, list(parameters)).to_arrow_table().to_pylist()

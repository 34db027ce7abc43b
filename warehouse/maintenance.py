"""Care of Delta tables: small files joined, unreferenced files removed after a stated retention.

Both keep every row; what is given up is time travel further back than the retention.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from catalog.errors import Busy
from catalog.settings import Settings
from warehouse.tables import TableRef, list_tables, table_lock

RETENTION_HOURS = 7 * 24
"""Files that no version of the last seven days refers to are removed; Delta's own default, so that
a long query started on an older version still finds its files."""

SMALL_FILES = 8
"""A table is compacted when it has more files than this; each load adds at least one."""

STREAM_LOG = ("delta.logRetentionDuration", "interval 7 days")
"""Versions of a stream's tables that can still be asked for; a micro-batch makes one."""

LOCK_SECONDS = 5.0
"""A table that is being written is left for the next day."""


@dataclass(frozen=True)
class TableCare:
    """What was done to one table.

    Attributes:
        table: ``schema.table``.
        files_before, files_after: data files of the current version.
        files_removed: unreferenced files deleted from storage.
        skipped: why nothing was done, empty when it was.
    """

    table: str
    files_before: int
    files_after: int
    files_removed: int
    skipped: str = ""


def maintain(
    settings: Settings,
    *,
    tables: Sequence[TableRef] | None = None,
    retention_hours: int = RETENTION_HOURS,
    on_table: Callable[[TableCare], None] | None = None,
) -> list[TableCare]:
    """Compact and vacuum every table of the lake, or ``tables``.

    Args:
        retention_hours: unreferenced files younger than this stay; at least 168 (seven days).
        on_table: called after each table.

    Raises:
        ValueError: the retention is below seven days.
    """
    if retention_hours < RETENTION_HOURS:
        raise ValueError(f"retention_hours must be at least {RETENTION_HOURS}, not {retention_hours}")
    done = []
    for ref in list_tables(settings) if tables is None else tables:
        care = _care(settings, ref, retention_hours)
        done.append(care)
        if on_table is not None:
            on_table(care)
    return done


def join_files(path: str) -> None:
    """Join the small files of a table that a stream writes, and keep its log short: a day of micro-batches is long.

    Call it as the table's only writer. Files joined stay until `maintain` removes them.
    """
    from deltalake import DeltaTable

    if not DeltaTable.is_deltatable(path):
        return
    table = DeltaTable(path)
    if STREAM_LOG[0] not in table.metadata().configuration:
        table.alter.set_table_properties(dict([STREAM_LOG]))
    if len(table.file_uris()) > SMALL_FILES:
        table.optimize.compact()


def lock_name(ref: TableRef) -> str:
    """The writer lock of a table: a feed, its quarantine and its vault share the feed's."""
    return ref.name if ref.layer in ("feed", "quarantine", "vault") else ref.sql_name


def _care(settings: Settings, ref: TableRef, retention_hours: int) -> TableCare:
    from deltalake import DeltaTable

    try:
        with table_lock(settings, lock_name(ref), timeout=LOCK_SECONDS):
            table = DeltaTable(ref.path)
            before = len(table.file_uris())
            if before > SMALL_FILES:
                table.optimize.compact()
            removed = table.vacuum(retention_hours=retention_hours, dry_run=False)
            after = len(table.file_uris())
    except Busy:
        return TableCare(ref.sql_name, 0, 0, 0, skipped="another process is writing it")
    return TableCare(ref.sql_name, before, after, len(removed))

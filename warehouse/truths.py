"""Deliveries compared with the truth, where somebody knows it: a sample checked by hand, or the demo's own ledger.

``platform.truths`` has one row a compared batch. Accuracy is scored from it alone; a batch nobody compared has no row.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import InputError
from catalog.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = "truths"
WRONG = ("quarantined", "warned")
"""Outcomes of a fault that says the record is not the truth; repeats and what the frame repairs are no untruth."""


def schema() -> pa.Schema:
    """Of ``platform.truths``; one row a batch."""
    import pyarrow as pa

    text, number = pa.string(), pa.int64()
    return pa.schema(
        [
            ("feed", text),
            ("receipt", text),
            ("rows_checked", number),
            ("rows_wrong", number),
            ("source", text),
            ("checked_at", pa.timestamp("us", "UTC")),
        ]
    )


def record_truths(settings: Settings, folder: Path, *, now: datetime) -> int:
    """Compare deliveries with a truth folder (``files.csv``, ``faults.csv``); batches compared before are left alone.

    Returns:
        Batches that were added.

    Raises:
        InputError: the folder has no such files, or they lack columns.
    """
    import pyarrow as pa

    from warehouse.delta import append_rows, rows_of
    from warehouse.tables import table_lock

    try:
        files = {(f["feed"], f["file"]): int(f["rows"]) for f in _read(folder / "files.csv") if not f["copy_of"]}
        wrong, repeats = defaultdict(set), defaultdict(set)
        for fault in _read(folder / "faults.csv"):
            where = (fault["feed"], fault["file"])
            if fault["expected"] in WRONG:
                wrong[where].add((fault["row"], fault["column"]))
            elif fault["expected"] == "skipped":
                repeats[where].add(fault["row"])
    except (OSError, KeyError, ValueError) as e:
        raise InputError(
            "the truth folder cannot be read",
            hint="it has files.csv (feed, file, rows, copy_of) and faults.csv (feed, file, row, column, expected)",
            file=str(folder),
        ) from e
    with table_lock(settings, f"platform.{TABLE}"):
        path = settings.platform_path(TABLE)
        done = {(r["feed"], r["receipt"]) for r in rows_of(path, "SELECT feed, receipt FROM t")}
        loads = rows_of(
            settings.platform_path("loads"),
            "SELECT feed, receipt, source FROM t WHERE verdict IN ('passed', 'warned', 'stopped')",
        )
        rows = [
            {
                "feed": load["feed"],
                "receipt": load["receipt"],
                "rows_checked": files[where] - len(repeats[where]),
                "rows_wrong": len(wrong[where]),
                "source": folder.name,
                "checked_at": now,
            }
            for load in loads
            if (where := (load["feed"], load["source"])) in files and (load["feed"], load["receipt"]) not in done
        ]
        if rows:
            append_rows(path, pa.Table.from_pylist(rows, schema=schema()))
    return len(rows)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))

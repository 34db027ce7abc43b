"""Readers of files: a wide XLSX against the fastest readers there are, and the memory of a large CSV.

``ours`` is the reader a load uses, its checks of the archive and all cells as text included, consumed batch by batch.
The yardsticks read the same sheet: calamine into lists, DuckDB's ``read_xlsx`` into Arrow. The CSV is loaded
with its whole contract (GB18030, types, checks, two Delta commits; what the vault adds is in bench_ingest).
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.bench_ingest import sample as register

COLUMNS = 20
MOST_MB = 1500
"""Peak memory of loading 2 GB of CSV."""
REGISTER_ROWS = 13_500_000
"""Rows of the register that make 2 GB."""


def workbook(rows: int) -> Path:
    """A workbook of ``rows`` × 20 mixed columns (text, identifiers, numbers, dates), made once."""
    import xlsxwriter

    folder = Path(os.environ.get("LAKEHOUSE_BENCH_DIR") or tempfile.gettempdir()) / "lakehouse_bench_formats"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"wide_{rows}.xlsx"
    if path.exists():
        return path
    dice = random.Random(1)
    half = path.with_suffix(".part")
    book = xlsxwriter.Workbook(half, {"constant_memory": True, "default_date_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet()
    for c in range(COLUMNS):
        sheet.write_string(0, c, f"列名{c}")
    for r in range(1, rows + 1):
        for c in range(COLUMNS):
            if c % 4 == 0:
                sheet.write_string(r, c, f"西城区第{dice.randrange(rows)}号单位")
            elif c % 4 == 1:
                sheet.write_string(r, c, f"9111010{dice.randrange(10**10):011d}")
            else:
                sheet.write_number(r, c, dice.randrange(10**6) / (100 if c % 4 == 2 else 1))
    book.close()
    half.rename(path)
    return path


def ours(rows: int) -> float:
    """Seconds of our reader over the whole sheet."""
    from catalog.model import Format
    from ingestion.formats import Wanted, open_file

    import_module("ingestion.formats.excel")  # outside the clock
    import_module("pandas")  # so is what pyarrow imports at its first array, once a process
    path = workbook(rows)
    names = {f"f{c}": (f"列名{c}",) for c in range(COLUMNS)}
    wanted = Wanted(names, {}, frozenset(), None, frozenset(), frozenset(), {n[0]: n[0] for n in names.values()})
    start = time.perf_counter()
    opened = open_file(path, Format(type="excel"), wanted)
    found = sum(batch.num_rows for batch in opened.batches)
    seconds = time.perf_counter() - start
    opened.close()
    if found != rows:
        raise RuntimeError(f"{found} rows read, {rows} wanted")
    return seconds


def calamine(rows: int) -> float:
    """Seconds of calamine's own loop over the sheet."""
    from python_calamine import CalamineWorkbook

    path = workbook(rows)
    start = time.perf_counter()
    sheet = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
    found = sum(1 for _ in sheet.iter_rows())
    seconds = time.perf_counter() - start
    if found != rows + 1:
        raise RuntimeError(f"{found} rows read, {rows + 1} wanted")
    return seconds


def duckdb_excel(rows: int) -> float:
    """Seconds of DuckDB's reader into Arrow, all cells as text."""
    from warehouse.duck import connect, load_extension

    path = workbook(rows)
    with connect() as con:
        load_extension(con, "excel")
        start = time.perf_counter()
        sql = f"SELECT * FROM read_xlsx('{path}', all_varchar = true, header = true)"
        found = con.execute(sql).to_arrow_table().num_rows
        seconds = time.perf_counter() - start
    if found != rows:
        raise RuntimeError(f"{found} rows read, {rows} wanted")
    return seconds


def whole_csv(rows: int) -> float:
    """Seconds of loading the register with its contract; the memory is what counts."""
    from bench.bench_ingest import unsealed as load

    register(rows)
    return float(load(rows))


def run(scale: float = 1.0) -> list[dict[str, Any]]:
    from bench.harness import compare

    rows = max(1_000, int(100_000 * scale))
    lines = max(10_000, int(REGISTER_ROWS * scale))
    workbook(rows)
    register(lines)
    size_gb = register(lines).stat().st_size / 1e9
    args = {"rows": rows}
    memory = compare(
        f"CSV {size_gb:.2f} GB: peak memory at most {MOST_MB} MB", ours="bench.bench_formats:whole_csv",
        args={"rows": lines}, rows=lines, runs=1,
    )  # fmt: skip
    return [
        compare(f"XLSX {rows:,} × {COLUMNS} / calamine", ours="bench.bench_formats:ours",
                yardstick="bench.bench_formats:calamine", args=args, rows=rows, target=2.0),
        compare(f"XLSX {rows:,} × {COLUMNS} / DuckDB read_xlsx", ours="bench.bench_formats:ours",
                yardstick="bench.bench_formats:duckdb_excel", args=args, rows=rows, target=2.0),
        {**memory, "ok": memory["peak_mb"] <= MOST_MB},
    ]  # fmt: skip

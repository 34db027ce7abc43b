"""The content scanner over twenty text columns: free text, addresses, names, numbers, and persons in them."""

from __future__ import annotations

import time
from typing import Any

from bench.harness import compare

COLUMNS = 20
_KINDS = (
    "'西城区第' || i || '号工单：反映楼道灯不亮，已联系物业'",
    "'北京市西城区某某胡同' || i % 500 || '号院' || i % 20 || '号楼' || i % 900 || '室'",
    "'北京' || chr(20000 + (i % 3000)::INTEGER) || '科技有限公司'",
    "(110102190000000000 + i)::VARCHAR",
    "'1' || (3000000000 + i * 7)::VARCHAR",
    "printf('%.2f', i * 0.37)",
    "strftime(DATE '2020-01-01' + (i % 2000)::INTEGER, '%Y-%m-%d')",
    "chr(20000 + (i % 900)::INTEGER) || '某某'",
    "md5(i::VARCHAR)",
    "CASE WHEN i % 3 = 0 THEN '是' ELSE '否' END",
)


def scan(rows: int) -> float:
    """Seconds of one scan of ``rows`` × 20 cells, the table made beforehand."""
    import duckdb

    from quality.scanner import scan_table

    with duckdb.connect() as con:
        columns = ", ".join(f"{_KINDS[n % len(_KINDS)]} AS c{n}" for n in range(COLUMNS))
        con.execute(f"CREATE TABLE cells AS SELECT {columns} FROM range({rows}) t(i)")
        start = time.perf_counter()
        found = scan_table(con, "cells")
        seconds = time.perf_counter() - start
    kinds = {f.kind for f in found}
    if not {"mobile", "address"} <= kinds:
        raise RuntimeError(f"the scanner found only {sorted(kinds)}")
    return seconds


def run(scale: float = 1.0) -> list[dict[str, Any]]:
    """The rows of the report."""
    rows = int(1_000_000 * scale)
    return [
        compare(
            f"scan {rows:,} rows × {COLUMNS} text cells",
            ours="bench.bench_scan:scan",
            args={"rows": rows},
            rows=rows,
            target=15.0 * scale,
        )
    ]

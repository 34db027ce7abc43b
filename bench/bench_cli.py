"""How long a person waits: wall time of the command line from key press to prompt, and of a release.

Absolute figures, imports and interpreter start included, because that is what is felt.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.harness import compare

REPEATS = 5


def run(scale: float = 1.0) -> list[dict[str, Any]]:
    """``--help``, SQL without and with a table, and a release, at ``scale`` times one million rows."""
    rows = max(10_000, int(1_000_000 * scale))
    side = "bench.bench_cli:"
    return [
        compare("lakehouse --help", ours=f"{side}help_text", target=0.3),
        compare("lakehouse sql 'select 1'", ours=f"{side}select_one", target=1.0),
        compare(f"sql: count over {rows:,} rows", ours=f"{side}count", args={"rows": rows}, rows=rows, target=2.0),
        compare(
            f"publish {rows:,} rows: CSV, Parquet, Delta", ours=f"{side}release", args={"rows": rows}, rows=rows, runs=1
        ),
    ]


def help_text() -> float:
    return _best(["--help"], {})


def select_one() -> float:
    with tempfile.TemporaryDirectory() as home:
        return _best(["sql", "select 1"], {"LAKEHOUSE_HOME": home})


def count(rows: int) -> float:
    with tempfile.TemporaryDirectory() as home:
        _make_table(Path(home), rows)
        sql = "select community_code, count(*) from population.people group by 1 order by 1"
        return _best(["sql", sql], {"LAKEHOUSE_HOME": home})


def release(rows: int) -> float:
    """One release in this process; the peak memory of the bench row is its own."""
    from catalog.model import Product
    from catalog.registry import load_catalog
    from catalog.settings import Settings
    from warehouse.publish import publish

    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home), lake=f"{home}/lake")
        _make_table(settings.home, rows)
        spec = {
            "id": "bench",
            "title": "bench",
            "owner": "statistics",
            "table": "population.people",
            "purpose": "bench",
            "legal_basis": "bench",
            "recipients": ["civil_affairs"],
            "columns": {
                "record_number": {"grade": 1},
                **{
                    c: {}
                    for c in ("legal_representative", "registration_date", "community_code", "remark", "arrears_cny")
                },
            },
            "order_by": ["record_number"],
            "formats": ["csv", "parquet", "delta"],
        }
        catalog = load_catalog(settings.catalog_dir).model_copy(
            update={"products": {"bench": Product.model_validate(spec)}}
        )
        start = time.perf_counter()
        made = publish(settings, catalog, "bench", now=datetime(2026, 11, 22, tzinfo=UTC))
        seconds = time.perf_counter() - start
        assert made[0].rows == rows
        return seconds


def _make_table(home: Path, rows: int) -> None:
    """The table in pieces, so that making it does not set the peak memory."""
    import pyarrow as pa
    from deltalake import write_deltalake

    step = 100_000
    first = date(1950, 1, 1)
    for start in range(0, rows, step):
        numbers = range(start, min(start + step, rows))
        table = pa.table(
            {
                "record_number": pa.array(numbers, pa.int64()),
                "legal_representative": [f"张某{n % 977}" for n in numbers],
                "registration_date": pa.array([first + timedelta(days=n % 25_000) for n in numbers]),
                "community_code": [f"110102{n % 260:06d}" for n in numbers],
                "remark": [f"第 {n} 行的说明文字" for n in numbers],
                "arrears_cny": [n / 7 for n in numbers],
            }
        )
        write_deltalake(f"{home}/lake/library/population/people", table, mode="append")


def _best(arguments: list[str], env: dict[str, str]) -> float:
    """The shortest of a few runs: the first one reads the disk."""
    command = [str(Path(sys.executable).with_name("lakehouse")), *arguments]
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        subprocess.run(command, env={**os.environ, **env}, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - start)
    return min(taken)

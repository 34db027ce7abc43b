"""A table of PostgreSQL into its Delta table, contract and all, against ADBC's bare read and a Delta write.

The server is a real PostgreSQL from PyPI on 127.0.0.1. ``ours`` is ``ingest`` of the feed: DuckDB's scanner, landing
(Parquet, synced, hashed), types and rules, gate, Delta. ``bare`` fetches the same rows with ADBC into Arrow and
writes them to Delta, unchecked.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.harness import compare

ROOT = Path(__file__).resolve().parent.parent
FEED = "bench__readings"
IMPORTED = (
    "great_expectations", "ingestion.connectors.postgresql", "ingestion.formats.parquet", "pyarrow.dataset",
    "pyarrow.pandas_compat", "quality.data_docs", "quality.gate", "quality.gx_dialect", "quality.gx_expectations",
)  # fmt: skip
"""What a load imports when it first needs it."""
CONTRACT = """
title: 基准
provider: hotline
catalogue: {code: "2/99-0001", sharing: unconditional, opening: unconditional, update: daily}
source: {connector: postgresql, host: 127.0.0.1, port: PORT, database: src, user: reader, secret: env:BENCH_DB,
  table: readings, tls: off}
format: {type: parquet}
load: {mode: upsert, key: [sensor_id, sequence_number], newest_by: updated_at}
fields:
  sensor_id: {from: id, required: true}
  sequence_number: {from: seq, required: true}
  observed_at: {from: at, required: true}
  rain_mm: {from: mm, required: true}
  battery_pct: {from: bat}
  sensor_name: {from: name}
  updated_at: {from: changed}
"""


@contextmanager
def server(rows: int) -> Iterator[Any]:
    """A PostgreSQL with the table ``readings`` of so many rows."""
    from tests.ingestion.database_servers import PostgreSQL

    made = PostgreSQL()
    try:
        made.execute(
            "create table readings (id varchar(20), seq bigint, at timestamptz, mm double precision, "
            "bat double precision, name varchar(40), changed timestamptz, primary key (id, seq))"
        )
        made.execute(
            "insert into readings select 'RG-' || n % 1000, n, timestamptz '2026-06-01' + n * interval '1 second', "
            "(n % 500) / 10.0, 50 + n % 50, '雨量站' || (n % 1000), timestamptz '2026-06-30' "
            f"from generate_series(1, {rows}) n"
        )
        made.execute("grant select on readings to reader")
        made.execute("analyze readings")
        yield made
    finally:
        made.close()


def ours(rows: int) -> float:
    """Seconds of ``ingest``; imports are excluded, as the yardstick's are."""
    for module in IMPORTED:
        import_module(module)
    from catalog.registry import load_catalog
    from catalog.settings import Settings
    from ingestion.load import ingest
    from quality.rules.registry import all_rules
    from tests.ingestion.database_servers import PASSWORD

    all_rules()
    home = Path(tempfile.mkdtemp(prefix="bench-sources-"))
    os.environ["BENCH_DB"] = PASSWORD
    try:
        with server(rows) as db:
            folder = home / "catalog"
            shutil.copytree(ROOT / "catalog", folder, ignore=shutil.ignore_patterns("feeds", "products", "*.py", "__*"))
            contract = folder / "feeds" / "bench" / "readings.yaml"
            contract.parent.mkdir(parents=True)
            contract.write_text(CONTRACT.replace("PORT", str(db.port)), encoding="utf-8")
            settings = Settings(home=home / "var", lake=str(home / "var" / "lake"), catalog_dir=folder)
            settings.make_dirs()
            catalog = load_catalog(folder)
            begun = time.perf_counter()
            (result,) = ingest(settings, catalog, FEED)
            seconds = time.perf_counter() - begun
            assert result.rows_loaded == rows, result
            return seconds
    finally:
        shutil.rmtree(home, ignore_errors=True)


def bare(rows: int) -> float:
    """Seconds of ADBC's fetch into Arrow and a Delta write."""
    from urllib.parse import quote

    import adbc_driver_postgresql.dbapi as adbc
    from deltalake import write_deltalake

    from tests.ingestion.database_servers import PASSWORD

    home = Path(tempfile.mkdtemp(prefix="bench-sources-"))
    try:
        with server(rows) as db:
            begun = time.perf_counter()
            uri = f"postgresql://reader:{quote(PASSWORD, safe='')}@127.0.0.1:{db.port}/src"
            with adbc.connect(uri) as con, con.cursor() as cursor:
                cursor.execute("select * from readings")
                table = cursor.fetch_arrow_table()
            write_deltalake(str(home / "table"), table)
            seconds = time.perf_counter() - begun
            assert table.num_rows == rows
            return seconds
    finally:
        shutil.rmtree(home, ignore_errors=True)


def run(scale: float = 1.0) -> list[dict[str, Any]]:
    """At scale 1 a million rows; half the bare speed is asked for."""
    rows = int(1_000_000 * scale)
    return [
        compare(
            f"PostgreSQL to Delta, {rows:,} rows, contract and gate against ADBC and a bare write", rows=rows,
            ours="bench.bench_sources:ours", yardstick="bench.bench_sources:bare", args={"rows": rows}, target=2.0,
        )
    ]  # fmt: skip

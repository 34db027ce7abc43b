"""What protection costs: the vault's ciphers, watermarks of copies, keyed pseudonyms with SM3, private counts."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from bench.harness import compare
from catalog.model import Carrier
from quality.cipher import DataKey, Sealer
from quality.private_counts import noisy_counts
from quality.pseudonym import PseudonymKey, pseudonym_sql
from quality.watermark import Candidate, WatermarkKey, detect, mark_sql, register, unregister

KEY = bytes(range(32))
CARRIERS = {"capital": Carrier(digits=2), "scope": Carrier(punctuation=True)}
TYPES = {"capital": "DOUBLE", "scope": "VARCHAR"}
ROWS = (
    "SELECT i AS number, round(i * 0.37 + 100, 2) AS capital, "
    "'技术开发（' || i || '）、销售(' || i % 7 || ');咨询' AS scope "
    "FROM range({rows}) t(i)"
)


def run(scale: float = 1.0) -> list[dict[str, Any]]:
    here = "bench.bench_protect"
    rows, values = int(1_000_000 * scale), int(10_000_000 * scale)
    return [
        compare("seal values, AES-256-GCM", ours=f"{here}:aes", args={"rows": rows}, rows=rows, target=2.0 * scale),
        compare("seal values, SM4-GCM", ours=f"{here}:sm4", args={"rows": rows}, rows=rows, target=10.0 * scale),
        compare("watermark two columns, Parquet to Parquet", ours=f"{here}:mark", args={"rows": rows}, rows=rows),
        compare("name the recipient of a Parquet copy among 20", ours=f"{here}:find", args={"rows": rows}, rows=rows),
        compare(
            "HMAC-SM3 pseudonyms", ours=f"{here}:sm3", args={"rows": values}, rows=values, target=30.0 * scale, runs=1
        ),
        compare("HMAC-SHA256 pseudonyms", ours=f"{here}:sha256", args={"rows": values}, rows=values, runs=1),
        compare("noise on counts (OpenDP)", ours=f"{here}:noise", args={"rows": rows // 10}, rows=rows // 10),
    ]


def aes(rows: int) -> float:
    return _seal(rows, "aes-256-gcm")


def sm4(rows: int) -> float:
    return _seal(rows, "sm4-gcm")


def _seal(rows: int, algorithm: Any) -> float:
    plain = f'{{"resident_id":"{"1" * 18}","person_name":"王小明","phone":"{"1" * 11}"}}'.encode()
    sealer = Sealer(DataKey("00" * 8, algorithm, KEY), "feed")
    start = time.perf_counter()
    for _ in range(0, rows, 20_000):
        sealer.seal([plain] * 20_000)
    return time.perf_counter() - start


def mark(rows: int) -> float:
    with TemporaryDirectory() as folder, duckdb.connect() as con:
        con.execute(f"COPY ({ROWS.format(rows=rows)}) TO '{folder}/rows.parquet'")
        register(con, WatermarkKey(KEY).of("enterprises", "health"))
        start = time.perf_counter()
        marked = mark_sql(f"'{folder}/rows.parquet'", CARRIERS, TYPES)
        con.execute(f"COPY ({marked}) TO '{folder}/copy.parquet'")
        return time.perf_counter() - start


def find(rows: int) -> float:
    key = WatermarkKey(KEY)
    names = {name: (name,) for name in CARRIERS}
    asked = [Candidate("enterprises", f"department-{i}", CARRIERS, names) for i in range(20)]
    with TemporaryDirectory() as folder, duckdb.connect() as con:
        con.execute(f"CREATE TABLE rows AS {ROWS.format(rows=rows)}")
        register(con, key.of("enterprises", "department-7"))
        con.execute(f"COPY ({mark_sql('rows', CARRIERS, TYPES)}) TO '{folder}/copy.parquet'")
        unregister(con)
        start = time.perf_counter()
        named = [m.recipient for m in detect(Path(folder) / "copy.parquet", asked, key) if m.is_named]
        seconds = time.perf_counter() - start
    if named != ["department-7"]:
        raise RuntimeError(f"the copy of department-7 named {named}")
    return seconds


def sm3(rows: int) -> float:
    return _pseudonyms(rows, "sm3")


def sha256(rows: int) -> float:
    return _pseudonyms(rows, "sha256")


def _pseudonyms(rows: int, algorithm: Any) -> float:
    with TemporaryDirectory() as folder, duckdb.connect() as con:
        PseudonymKey(KEY).register(con)
        con.execute(
            f"COPY (SELECT (110102194912310000 + i)::VARCHAR AS id FROM range({rows}) t(i)) TO '{folder}/ids.parquet'"
        )
        made = pseudonym_sql("id", "hash", algorithm=algorithm)
        start = time.perf_counter()
        con.execute(f"SELECT max({made}) FROM '{folder}/ids.parquet'").fetchone()
        return time.perf_counter() - start


def noise(rows: int) -> None:
    noisy_counts(list(range(rows)), 1.0)

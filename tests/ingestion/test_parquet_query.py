"""DuckDB reads a Parquet file itself where it reads what the reader's batches say, and nowhere else."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.model import Format
from ingestion.formats.base import BLANKS, batch_schema
from ingestion.formats.header import Wanted
from ingestion.formats.parquet import read

MOMENT = dt.datetime(2026, 7, 1, 23, 59, 59, 123000)
PARQUET = Format(type="parquet")
ANYTHING = Wanted({}, {}, frozenset(), None, frozenset(), frozenset(), {})


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def written(columns: dict[str, Any], name: str = "a.parquet", **options: Any) -> Path:
        path = tmp_path / name
        pq.write_table(pa.table(columns), path, **options)
        return path

    return written


def both(path: Path, keep: dict[int, pa.DataType]) -> tuple[list[Any], list[Any] | None]:
    """The records of the reader's batches, and of its query where it has one."""
    opened = read(path, PARQUET, ANYTHING)
    opened.keep.update(keep)
    query = opened.query()
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        stream = pa.RecordBatchReader.from_batches(batch_schema(len(opened.columns), keep), opened.batches)
        batches = con.from_arrow(stream).fetchall()
        itself = con.execute(f"{query} ORDER BY 1").fetchall() if query else None
    opened.close()
    return batches, itself


@pytest.mark.parametrize("dictionary", [True, False])
def test_it_reads_what_the_batches_say(write: Callable[..., Path], dictionary: bool) -> None:
    texts = ["雨", None, "", "a b", *(f"{b}x{b}y{b}" for b in BLANKS), BLANKS, f"é{BLANKS}", "‑x-", "\x00", "a]", "^a"]
    n = len(texts)
    nan, inf = float("nan"), float("inf")

    def filled(kind: pa.DataType, *values: Any) -> pa.Array:
        return pa.array([*values, *[None] * (n - len(values))], kind)

    path = write(
        {
            "text": pa.array(texts, pa.string()),
            "int8": filled(pa.int8(), -128, 127),
            "uint32": filled(pa.uint32(), 4_294_967_295),
            "int64": filled(pa.int64(), -(2**63), 2**63 - 1),
            "float": filled(pa.float32(), 0.1, nan, inf),
            "double": filled(pa.float64(), 0.1, nan, -inf, -0.0),
            "whole": filled(pa.int32(), 7),
            "decimal": filled(pa.decimal128(20, 3), decimal.Decimal("-12345678901234567.125")),
            "flag": filled(pa.bool_(), True, False),
            "day": filled(pa.date32(), dt.date(1, 1, 1), dt.date(9999, 12, 31)),
            "ms": filled(pa.timestamp("ms"), MOMENT),
            "us": filled(pa.timestamp("us"), MOMENT, dt.datetime(1, 1, 1)),
            "zone": filled(pa.timestamp("us", "Asia/Shanghai"), MOMENT),
        },
        row_group_size=4,
        use_dictionary=dictionary,
    )
    whole, naive = pa.int64(), pa.timestamp("us")
    kinds = [whole, whole, whole, pa.float64(), pa.float64(), pa.float64(), pa.decimal128(20, 3), pa.bool_(),
             pa.date32(), naive, naive, pa.timestamp("us", "UTC")]  # fmt: skip
    batches, itself = both(path, dict(enumerate(kinds, 1)))
    assert itself == batches
    assert [row[0] for row in batches] == list(range(1, n + 1))
    assert [row[1] for row in batches][4:7] == ["x y", "x\ty", "x\ry"]


@pytest.mark.parametrize(
    "columns",
    [
        {"a": pa.array([1], pa.int64())},
        {"a": pa.array([b"x"])},
        {"a": pa.array(["x"]).dictionary_encode()},
        {"a": pa.array(["x"]), "A": pa.array(["y"])},
        {"a": pa.array([[1]])},
    ],
    ids=["untyped", "bytes", "dictionary", "names that differ in case", "nested"],
)
def test_what_it_may_read_otherwise_is_left_to_the_batches(write: Callable[..., Path], columns: dict[str, Any]) -> None:
    batches, itself = both(write(columns), {})
    assert len(batches) == 1
    assert itself is None


def test_moments_of_other_units_and_patterns_are_left_to_the_batches(write: Callable[..., Path]) -> None:
    keep = {0: pa.timestamp("us")}
    exact = {"a": pa.array([1_600_000_000_000_000_999], pa.timestamp("ns"))}
    assert both(write(exact), keep)[1] is None
    assert both(write({"a": pa.array([MOMENT], pa.timestamp("us"))}, "old.parquet", version="1.0"), keep)[1] is not None
    old = {"a": pa.array([MOMENT], pa.timestamp("us"))}
    assert both(write(old, "int96.parquet", use_deprecated_int96_timestamps=True), keep)[1] is None
    text = {"a": pa.array(["x"])}
    write(text, "b1.parquet")
    assert both(write(text, "b[1].parquet"), {})[1] is None
    assert both(write(text, "day=1.parquet"), {})[1] == [(1, "x", None, None)]


@pytest.mark.slow
def test_a_file_that_it_cannot_read_is_loaded_all_the_same(
    build: Callable[[str], Any], contracts: dict[str, str]
) -> None:
    fields = "\n  sensor_id: {from: id}\n  rain_mm: {from: mm}\n"
    more = "format: {type: parquet}\nload: {mode: snapshot}\ndrift: {columns: evolve}\nfields:"
    house = build(contracts["head"] + more + fields)
    sink = pa.BufferOutputStream()
    table = {"id": ["RG-1", "RG-2"], "mm": [0.5, 301.0], "file_row_number": ["7", "8"]}
    pq.write_table(pa.table(table), sink)
    result = house.send(sink.getvalue().to_pybytes(), "a.parquet")
    assert (result.rows_loaded, result.rows_quarantined) == (1, 1), result
    assert house.rows("sensor_id, _row_number, x_file_row_number") == [("RG-1", 1, "7")]

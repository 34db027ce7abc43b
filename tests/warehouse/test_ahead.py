"""Files written ahead of their commit: the same table as deltalake's writer makes, and none without the commit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from warehouse import ahead
from warehouse.ahead import Refused, can_write_ahead, commit_ahead, write_ahead
from warehouse.delta import FileStyle, commit_once, ensure_table, transaction_version
from warehouse.duck import connect, load_extension

pytestmark = pytest.mark.slow

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("name", pa.string()),
        ("price", pa.decimal128(18, 2)),
        ("share", pa.float64()),
        ("is_open", pa.bool_()),
        ("day", pa.date32()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("shape", pa.binary()),
        ("empty", pa.string()),
    ]
)


def batch(start: int, rows: int) -> pa.RecordBatch:
    at = datetime(2026, 6, 1, 8, 0, 0, 123456, tzinfo=UTC)
    row = [
        {
            "id": start + i,
            "name": None if i == 0 else f"名{start + i}" + "长" * (40 if i == 1 else 0),
            "price": Decimal(i) / 4 - 3,
            "share": i / 3,
            "is_open": i % 2 == 0,
            "day": date(2020, 1, 1 + i % 28),
            "at": at,
            "shape": bytes([i % 250]),
            "empty": None,
        }
        for i in range(rows)
    ]
    return pa.RecordBatch.from_pylist(row, schema=SCHEMA)


def reader(*batches: pa.RecordBatch) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(SCHEMA, iter(batches))


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = str(tmp_path / "t")
    ensure_table(path, SCHEMA)
    return path


def content(path: str, where: str = "true") -> list[dict[str, Any]]:
    with connect(house_only=True) as con:
        load_extension(con, "delta")
        con.execute("SET TimeZone = 'UTC'")
        sql = f"SELECT * FROM delta_scan('{path}') WHERE {where} ORDER BY id"
        rows: list[dict[str, Any]] = con.execute(sql).to_arrow_table().to_pylist()
    return rows


def stats(path: str) -> dict[str, Any]:
    log = max((Path(path) / "_delta_log").glob("*.json")).read_text("utf-8")
    adds = [json.loads(line)["add"] for line in log.splitlines() if line.startswith('{"add"')]
    assert len(adds) == 1
    found: dict[str, Any] = json.loads(adds[0]["stats"])
    return found


def parquet(path: str) -> set[str]:
    return {p.name for p in Path(path).rglob("*.parquet")}


@pytest.mark.parametrize("style", [FileStyle(), FileStyle(compressed=False, distinct=("name",), opaque=("shape",))])
def test_the_table_is_the_one_deltalake_writes(tmp_path: Path, table: str, style: FileStyle) -> None:
    theirs = str(tmp_path / "theirs")
    ensure_table(theirs, SCHEMA)
    write_deltalake(theirs, pa.Table.from_batches([batch(0, 30)]), mode="append")
    made = write_ahead(table, reader(batch(0, 10), batch(10, 20)), style)
    assert content(table) == []
    assert commit_ahead(made, mode="append", app_id="a", version=1, metadata={"receipt": "r"})
    mine = {r["id"]: r for r in content(table)}
    assert len(mine) == 30
    assert mine[29]["price"] == Decimal(19) / 4 - 3
    assert DeltaTable(table).history(1)[0]["receipt"] == "r"
    assert transaction_version(table, "a") == 1
    ours = stats(table)
    assert ours["numRecords"] == 30
    assert ours["nullCount"]["empty"] == 30
    assert ours["nullCount"]["name"] == 2
    assert (ours["minValues"]["id"], ours["maxValues"]["id"]) == (0, 29)
    assert ours["minValues"]["at"] == "2026-06-01T08:00:00.123456Z"
    assert (ours["minValues"]["price"], ours["maxValues"]["price"]) == (-3, 1.75)
    assert (ours["minValues"]["day"], ours["maxValues"]["day"]) == ("2020-01-01", "2020-01-20")
    assert "name" not in ours["maxValues"] or len(ours["maxValues"]["name"]) <= ahead.STATS_TEXT
    yardstick = stats(theirs)
    assert ours["minValues"].keys() == yardstick["minValues"].keys()
    assert ours["minValues"]["share"] == yardstick["minValues"]["share"]


def test_readers_skip_by_the_bounds(table: str) -> None:
    """A filter finds each row though files are skipped by their bounds, whole and negative numbers included."""
    for start in (0, 1000):
        commit_ahead(
            write_ahead(table, reader(batch(start, 40)), FileStyle()), mode="append", app_id="a", version=start + 1
        )
    whole = content(table)
    at = "TIMESTAMPTZ '2026-06-01 08:00:00.123456+00'"
    for name, value in (("id", "1007"), ("price", "-2.75"), ("at", at), ("name", "'名1007'"), ("share", "0")):
        found = content(table, f'"{name}" = {value}')
        assert found
        assert found == [r for r in whole if r[name] == found[0][name]], name


def test_overwrite_replaces_all_rows(table: str) -> None:
    commit_ahead(write_ahead(table, reader(batch(0, 5)), FileStyle()), mode="append", app_id="a", version=1)
    commit_ahead(write_ahead(table, reader(batch(50, 2)), FileStyle()), mode="overwrite", app_id="a", version=2)
    assert [r["id"] for r in content(table)] == [50, 51]


def test_a_repeat_commits_nothing_and_leaves_no_file(table: str) -> None:
    commit_once(table, pa.Table.from_batches([batch(0, 5)]), mode="append", app_id="a", version=3)
    before = parquet(table)
    assert not commit_ahead(write_ahead(table, reader(batch(9, 5)), FileStyle()), mode="append", app_id="a", version=3)
    assert parquet(table) == before


def test_refused_between_batches(table: str) -> None:
    asked = iter([False, True])
    with pytest.raises(Refused):
        write_ahead(table, reader(batch(0, 5), batch(5, 5), batch(10, 5)), FileStyle(), refused=lambda: next(asked))
    assert parquet(table) == set()


def test_several_files_and_an_error_in_the_last_leave_none(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "GROUP_ROWS", 10)
    monkeypatch.setattr(ahead, "FILE_ROWS", 20)
    made = write_ahead(table, reader(*(batch(10 * i, 10) for i in range(5))), FileStyle())
    assert (len(made.actions), made.rows) == (3, 50)
    commit_ahead(made, mode="append", app_id="a", version=1)
    assert [r["id"] for r in content(table)] == list(range(50))
    before = parquet(table)

    def broken() -> Iterator[pa.RecordBatch]:
        yield from (batch(10 * i, 10) for i in range(5))
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        write_ahead(table, pa.RecordBatchReader.from_batches(SCHEMA, broken()), FileStyle())
    assert parquet(table) == before


def test_no_rows_make_no_file(table: str) -> None:
    made = write_ahead(table, reader(), FileStyle())
    assert made.actions == ()
    assert commit_ahead(made, mode="overwrite", app_id="a", version=1)
    assert transaction_version(table, "a") == 1


def test_where_it_cannot(tmp_path: Path, table: str) -> None:
    assert can_write_ahead(table)
    assert not can_write_ahead(str(tmp_path / "none"))
    assert not can_write_ahead("s3://bucket/t")
    ensure_table(str(tmp_path / "p"), SCHEMA, partition_by=["name"])
    assert not can_write_ahead(str(tmp_path / "p"))


def test_columns_are_encoded_as_their_first_rows_suggest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "SAMPLE_ROWS", 100)
    path = str(tmp_path / "t")
    ensure_table(path, SCHEMA)
    written = write_ahead(path, reader(batch(0, 300), batch(300, 300)), FileStyle())
    group = pq.read_metadata(Path(path) / written.actions[0].path).row_group(0)
    encodings = {group.column(i).path_in_schema: set(group.column(i).encodings) for i in range(group.num_columns)}
    assert {n for n, e in encodings.items() if "DELTA_BINARY_PACKED" in e} == {"id", "at"}
    assert {n for n, e in encodings.items() if "RLE_DICTIONARY" not in e} == {
        "id",
        "at",
        "name",
        "share",
        "price",
        "is_open",
        "shape",
    }
    made = pq.read_table(Path(path) / written.actions[0].path)
    assert made.column("id").to_pylist() == list(range(600))
    assert made.column("at").null_count == 0

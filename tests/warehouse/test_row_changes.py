"""Rows of a table change in one commit, and every reader of Delta sees the same rows."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from catalog.errors import Busy, ContractError
from warehouse.delta import commit_once, row_count, scan_sql, transaction_version
from warehouse.delta_log import SUMMED_UP_AFTER, data_files
from warehouse.duck import connect, load_extension
from warehouse.row_changes import MOST_DELETED, MOST_FILES, change_rows, mark_rows
from warehouse.table_changes import Standing, changes_since

ROWS = 3000


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(memory="1GB", house_only=True) as con:
        load_extension(con, "delta")
        yield con


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = str(tmp_path / "lake" / "library" / "population" / "sources")
    for start in range(0, ROWS, 1000):  # several files
        write_deltalake(path, _rows(range(start, start + 1000), "a"), mode="append")
    return path


def _rows(keys: range | list[int], value: str) -> pa.Table:
    return pa.table({"k": pa.array(keys, pa.int64()), "v": pa.array([value] * len(keys), pa.string())})


def _change(con: duckdb.DuckDBPyConnection, path: str, gone: str, rows: pa.Table | None, **more: object) -> int | None:
    marked = mark_rows(con, DeltaTable(path), gone)
    if marked is None:
        return None
    return change_rows(marked, rows.to_reader() if rows is not None else None, note={"why": "test"}, **more)  # type: ignore[arg-type]


def _read(con: duckdb.DuckDBPyConnection, path: str, version: int | None = None) -> dict[int, str]:
    """Rows as DuckDB reads them; a key that stands twice fails."""
    at = "" if version is None else f", version = {version}"
    found = con.execute(f"FROM delta_scan('{path}'{at})").fetchall()
    assert len(dict(found)) == len(found)
    return dict(found)


def test_many_changes_leave_what_a_table_of_python_would_hold(con: duckdb.DuckDBPyConnection, path: str) -> None:
    expected, chance, worn = dict.fromkeys(range(ROWS), "a"), random.Random(), 0
    for turn in range(12):
        keys = chance.sample(sorted(expected), 90)
        gone, changed, new = keys[:30], keys[30:], [ROWS + turn * 10 + i for i in range(10)]
        rows = _rows(changed + new, f"t{turn}")
        if _change(con, path, f"k IN ({', '.join(map(str, keys))})", rows) is None:
            worn += 1
            break
        expected = {k: v for k, v in expected.items() if k not in gone} | dict.fromkeys(changed + new, f"t{turn}")
        assert _read(con, path) == expected
        assert row_count(path) == len(expected)
    assert worn == 1, "a quarter is deleted before the last turn"


def test_old_versions_stay_readable_and_can_be_put_back(con: duckdb.DuckDBPyConnection, path: str) -> None:
    first = _read(con, path)
    version = _change(con, path, "k < 10", _rows([5], "b"))
    assert version is not None
    assert _change(con, path, "k = 5 OR k = 11", None) is not None
    assert _read(con, path, version) == {k: v for k, v in first.items() if k >= 10} | {5: "b"}
    DeltaTable(path).restore(version)
    assert _read(con, path) == _read(con, path, version)
    DeltaTable(path).restore(2)
    assert _read(con, path) == first
    assert row_count(path) == ROWS


def test_deltalake_sees_and_keeps_what_was_marked(con: duckdb.DuckDBPyConnection, path: str) -> None:
    _change(con, path, "k < 10", _rows([5], "b"))
    expected = {**dict.fromkeys(range(10, ROWS), "a"), 5: "b"}
    table = DeltaTable(path)
    table.merge(
        _rows([5, 7, 20], "c"), predicate="s.k = t.k", source_alias="s", target_alias="t"
    ).when_matched_update_all().when_not_matched_insert_all().execute()
    expected |= {5: "c", 7: "c", 20: "c"}
    assert _read(con, path) == expected
    DeltaTable(path).create_checkpoint()
    for file in Path(path, "_delta_log").glob("*.json"):
        if int(file.stem) < DeltaTable(path).version():
            file.unlink()
    assert row_count(path) == len(expected)
    assert _change(con, path, "k = 30", _rows([30], "d")) is not None, "what a checkpoint says is read as well"
    expected[30] = "d"
    for _ in range(2):
        DeltaTable(path).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
        assert _read(con, path) == expected
        DeltaTable(path).optimize.compact()
    assert row_count(path) == len(expected)


def test_a_table_without_vectors_is_read_as_its_files(con: duckdb.DuckDBPyConnection, path: str) -> None:
    assert scan_sql(con, path).startswith("read_parquet(")
    _change(con, path, "false", _rows([ROWS], "b"))
    assert scan_sql(con, path).startswith("read_parquet(")
    _change(con, path, "k = 1", None)
    assert scan_sql(con, path).startswith("delta_scan(")


def test_a_file_of_which_all_rows_go_is_removed(con: duckdb.DuckDBPyConnection, path: str) -> None:
    _change(con, path, "false", _rows([ROWS], "b"))
    files = len(DeltaTable(path).file_uris())
    _change(con, path, f"k = {ROWS}", None)
    assert len(DeltaTable(path).file_uris()) == files - 1
    assert _read(con, path) == dict.fromkeys(range(ROWS), "a")


def test_who_comes_second_changes_nothing(con: duckdb.DuckDBPyConnection, path: str) -> None:
    _change(con, path, "k = 1", None)
    marked = mark_rows(con, DeltaTable(path), "k = 2")
    assert marked is not None
    DeltaTable(path).delete("k = 3")
    before, files = _read(con, path), set(Path(path).rglob("*"))
    with pytest.raises(Busy, match="meanwhile"):
        change_rows(marked, _rows([2], "b").to_reader(), note={})
    assert _read(con, path) == before
    assert set(Path(path).rglob("*")) == files


def test_a_commit_counts_as_one_of_its_application(con: duckdb.DuckDBPyConnection, path: str) -> None:
    _change(con, path, "k = 1", _rows([1], "b"), transaction=("linking", 4))
    assert transaction_version(path, "linking") == 4
    assert not commit_once(path, _rows([9], "z"), mode="append", app_id="linking", version=4)
    assert DeltaTable(path).history(1)[0]["why"] == "test"


def test_worn_tables_are_not_taken(con: duckdb.DuckDBPyConnection, path: str) -> None:
    assert mark_rows(con, DeltaTable(path), f"k < {int(ROWS * MOST_DELETED) + 1}") is None
    for i in range(MOST_FILES):
        write_deltalake(path, _rows([ROWS + i], "a"), mode="append")
    assert mark_rows(con, DeltaTable(path), "k = 1") is None


def test_forms_only_other_writers_know_are_not_taken(con: duckdb.DuckDBPyConnection, path: str, tmp_path: Path) -> None:
    parts = str(tmp_path / "lake" / "library" / "population" / "parts")
    write_deltalake(parts, _rows([1, 2], "a"), partition_by=["v"])
    assert mark_rows(con, DeltaTable(parts), "k = 1") is None
    _change(con, path, "k = 1", None)
    log = max(Path(path, "_delta_log").glob("*.json"))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        if "add" in line and "deletionVector" in line["add"]:
            del line["add"]["stats"]
    log.write_text("\n".join(map(json.dumps, lines)) + "\n")
    assert data_files(DeltaTable(path)) is None
    assert row_count(path) == ROWS - 1
    assert mark_rows(con, DeltaTable(path), "k = 2") is None


def test_rows_of_other_columns_are_refused(con: duckdb.DuckDBPyConnection, path: str) -> None:
    before = _read(con, path)
    with pytest.raises(ContractError, match="columns"):
        _change(con, path, "k = 1", pa.table({"k": pa.array([1], pa.int32()), "v": ["b"]}))
    assert _read(con, path) == before


def test_a_log_is_summed_up_now_and_then_and_tells_the_same(con: duckdb.DuckDBPyConnection, path: str) -> None:
    log = Path(path, "_delta_log")
    expected = dict.fromkeys(range(ROWS), "a")
    for turn in range(SUMMED_UP_AFTER + 10):
        _change(con, path, f"k = {turn}", _rows([turn], f"t{turn}"))
        expected[turn] = f"t{turn}"
    summed = sorted(int(f.name[:20]) for f in log.glob("*.checkpoint.parquet"))
    assert summed, "one version of ten is"
    assert min(summed) >= SUMMED_UP_AFTER
    then = Standing(min(summed) - 1, sha256((log / f"{min(summed) - 1:020d}.json").read_bytes()).hexdigest()[:32])
    told = changes_since(path, then)
    assert told is not None
    assert told.new_rows == DeltaTable(path).version() - then.version, "what happened before and after it"
    for file in log.glob("*.json"):
        if int(file.stem) < max(summed):
            file.unlink()
    assert _read(con, path) == expected
    assert row_count(path) == ROWS


def test_a_commit_stands_without_its_checkpoint(
    con: duckdb.DuckDBPyConnection, path: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_: DeltaTable) -> None:
        raise DeltaError("no space left")

    monkeypatch.setattr(DeltaTable, "create_checkpoint", full)
    for turn in range(SUMMED_UP_AFTER + 10):
        _change(con, path, f"k = {turn}", None)
    assert len(_read(con, path)) == ROWS - SUMMED_UP_AFTER - 10
    assert "no checkpoint of library/population/sources was written" in caplog.text

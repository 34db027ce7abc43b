"""Commits happen once, in the stated mode."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from catalog.errors import Busy, ContractError, UnknownName
from catalog.settings import Settings
from warehouse.delta import append_rows, commit_once, ensure_table, exists, transaction_version
from warehouse.tables import list_tables, resolve, table_lock


def rows(**columns: list) -> pa.Table:
    return pa.table(columns)


def read(path: str) -> list[dict]:
    import duckdb

    files = [f.removeprefix("file://") for f in DeltaTable(path).file_uris()]
    if not files:
        return []
    con = duckdb.connect()
    names = [f.name for f in DeltaTable(path).schema().fields]
    sql = "select * from read_parquet(?, union_by_name=true, hive_partitioning=true) order by all"
    return [{n: r[n] for n in names} for r in con.execute(sql, [files]).to_arrow_table().to_pylist()]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "lake" / "feed" / "feed" / "a__b")


def test_first_commit_creates_the_table(path: str) -> None:
    assert not exists(path)
    assert transaction_version(path, "x") is None
    assert commit_once(path, rows(k=[1], v=["a"]), mode="append", app_id="x", version=3)
    assert transaction_version(path, "x") == 3
    assert read(path) == [{"k": 1, "v": "a"}]


@pytest.mark.parametrize("mode", ["append", "overwrite", "merge"])
def test_the_same_version_twice_changes_nothing(path: str, mode: str) -> None:
    commit_once(path, rows(k=[1], v=["a"]), mode="append", app_id="x", version=1)
    assert commit_once(path, rows(k=[2], v=["b"]), mode=mode, app_id="x", version=2, merge_key=["k"])
    before = DeltaTable(path).version()
    assert not commit_once(path, rows(k=[2], v=["b"]), mode=mode, app_id="x", version=2, merge_key=["k"])
    assert not commit_once(path, rows(k=[9], v=["z"]), mode=mode, app_id="x", version=1, merge_key=["k"])
    assert DeltaTable(path).version() == before


def test_a_key_the_table_was_not_made_with_is_told(path: str) -> None:
    commit_once(path, pa.table({"k": [1]}), mode="append", app_id="a", version=1)
    with pytest.raises(ContractError, match="another key: it has no other") as caught:
        commit_once(
            path,
            pa.table({"k": [1], "other": [2]}),
            mode="merge",
            app_id="a",
            version=2,
            merge_key=("other",),
            evolve=True,
        )
    assert "set load.key back" in caught.value.hint


def test_merge_replaces_by_key_and_keeps_newer_rows(path: str) -> None:
    t = [datetime(2024, 1, d, tzinfo=UTC) for d in (1, 2, 3)]
    commit_once(path, rows(k=[1, 2], v=["a", "b"], at=[t[1], t[1]]), mode="append", app_id="x", version=1)
    new = rows(k=[1, 2, 3], v=["older", "newer", "new"], at=[t[0], t[2], t[0]])
    commit_once(path, new, mode="merge", app_id="x", version=2, merge_key=["k"], newest_by="at")
    assert [r["v"] for r in read(path)] == ["a", "newer", "new"]


def test_overwrite_with_predicate_replaces_only_matching_rows(path: str) -> None:
    commit_once(path, rows(r=["a", "b"], v=[1, 2]), mode="append", app_id="x", version=1)
    commit_once(path, rows(r=["a"], v=[9]), mode="overwrite", app_id="x", version=2, predicate="r = 'a'")
    assert read(path) == [{"r": "a", "v": 9}, {"r": "b", "v": 2}]


@pytest.mark.parametrize("mode", ["append", "overwrite", "merge"])
def test_evolve_adds_columns(path: str, mode: str) -> None:
    commit_once(path, rows(k=[1], v=["a"]), mode="append", app_id="x", version=1)
    commit_once(path, rows(k=[2], v=["b"], w=["new"]), mode=mode, app_id="x", version=2, merge_key=["k"], evolve=True)
    assert {"k": 2, "v": "b", "w": "new"} in read(path)


def test_partitions_and_streams(path: str) -> None:
    table = rows(d=["x", "y"], v=[1, 2])
    commit_once(path, table.to_reader(), mode="append", app_id="x", version=1, partition_by=["d"])
    assert DeltaTable(path).metadata().partition_columns == ["d"]
    assert len(read(path)) == 2


def test_append_rows_creates_and_adds(path: str) -> None:
    append_rows(path, rows(a=[1]))
    append_rows(path, rows(a=[2], b=["later column"]))
    assert [r["a"] for r in read(path)] == [1, 2]


def test_ensure_table_is_idempotent(path: str) -> None:
    schema = pa.schema([("k", pa.int64()), ("at", pa.timestamp("us", tz="UTC"))])
    assert ensure_table(path, schema)
    assert not ensure_table(path, schema)
    assert read(path) == []


def test_tables_are_listed_and_resolved(settings: Settings) -> None:
    assert list_tables(settings) == []
    append_rows(settings.feed_path("tax__arrears"), rows(a=[1]))
    append_rows(settings.platform_path("loads"), rows(a=[1]))
    assert [t.sql_name for t in list_tables(settings)] == ["feed.tax__arrears", "platform.loads"]
    assert resolve(settings, "platform.loads").path == settings.platform_path("loads")
    with pytest.raises(UnknownName, match=r"feed\.tax__arrears"):
        resolve(settings, "feed.tax__arrear")


def test_remote_walk_agrees_with_the_local_one(settings: Settings) -> None:
    append_rows(settings.feed_path("tax__arrears"), rows(a=[1]))
    remote = Settings(home=settings.home, lake=f"file://{settings.lake}")
    assert [t.sql_name for t in list_tables(remote)] == ["feed.tax__arrears"]


def test_a_second_writer_is_told_busy(settings: Settings) -> None:
    script = (
        "import sys; from pathlib import Path; from catalog.settings import Settings\n"
        "from warehouse.tables import table_lock\n"
        f"s = Settings(home=Path({str(settings.home)!r}), lake={settings.lake!r})\n"
        "with table_lock(s, 'a'):\n print('held', flush=True); sys.stdin.read()\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.readline() == b"held\n"
    with pytest.raises(Busy), table_lock(settings, "a", timeout=0.1):
        pass
    child.kill()
    child.wait()
    with table_lock(settings, "a", timeout=5):
        pass

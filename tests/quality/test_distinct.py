"""Hashes tell which rows cannot be alike; what they cannot tell is left to the values."""

from __future__ import annotations

import duckdb
import pytest

from quality import distinct
from quality.distinct import repeated_hashes


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("create table rows as select i, i // 3 as third, nullif(i % 2, 0) as odd from range(300000) t(i)")
    return con


def test_hashes_of_several_rows_are_found_once_each(con: duckdb.DuckDBPyConnection) -> None:
    found = repeated_hashes(con, "hash(third)", "rows WHERE i < 7")
    assert found is not None
    asked = con.execute("select distinct hash(third) from rows where third < 2").fetchall()
    assert sorted(int(h) for h in found) == sorted(h for (h,) in asked)


@pytest.mark.parametrize(
    ("hashed", "repeated"), [("hash(i)", 0), ("hash(i, third)", 0), ("hash(third)", 100_000), ("hash(odd)", 2)]
)
def test_as_many_repeat_as_in_a_table_of_them(con: duckdb.DuckDBPyConnection, hashed: str, repeated: int) -> None:
    found = repeated_hashes(con, hashed, "rows")
    assert found is not None
    assert len(found) == repeated


@pytest.mark.parametrize("hashed", ["hash(i)", "hash(third)", "hash(odd)"])
def test_part_by_part_the_same_are_found(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, hashed: str
) -> None:
    monkeypatch.setattr(distinct, "PART_ROWS", 70_000)
    found = repeated_hashes(con, f"CASE WHEN odd IS NOT NULL OR i % 2 = 0 THEN {hashed} END", "rows WHERE odd = 1")
    assert found is not None
    assert len(found) == len(set(found.tolist()))
    alike = con.execute(
        f"select count(*) from (select 1 from rows where odd = 1 group by {hashed} having count(*) > 1)"
    )
    assert (len(found),) == alike.fetchone()


def test_rows_without_a_hash_do_not_count(con: duckdb.DuckDBPyConnection) -> None:
    found = repeated_hashes(con, "CASE WHEN odd IS NOT NULL THEN hash(i) END", "rows")
    assert found is not None
    assert not len(found)
    found = repeated_hashes(con, "hash(i)", "rows WHERE false")
    assert found is not None
    assert not len(found)


def test_too_many_rows_are_left_to_duckdb(con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "MOST_ROWS", 10)
    assert repeated_hashes(con, "hash(i)", "rows") is None

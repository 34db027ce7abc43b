"""A table stays as it is when it is made from the same, or comes to the same; anything else makes it anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from warehouse.dbt_store import StoreRequest, StoreResult, store
from warehouse.duck import connect, load_extension


class House:
    """A table of the house that reads one other."""

    def __init__(self, folder: Path, con: duckdb.DuckDBPyConnection) -> None:
        self.read, self.made = str(folder / "lake" / "feed" / "feed" / "a"), str(folder / "lake" / "lib" / "b")
        self.con, self.asked = con, 0
        con.create_function("noted", self._noted, ["VARCHAR"], "VARCHAR", side_effects=True)

    def _noted(self, value: str) -> str:
        self.asked += 1
        return value

    def put(self, *values: str) -> None:
        rows = pa.table({"v": list(values), "_loaded_at": [datetime.now(UTC)] * len(values)})
        write_deltalake(self.read, rows, mode="overwrite")

    def build(self, *, full: bool = False, knows: str | None = None, by_content: bool = False) -> StoreResult:
        self.asked = 0
        return store(
            self.con,
            StoreRequest(
                model="m", invocation_id="i", path=self.made, strategy="overwrite", at=datetime.now(UTC),
                sql=f"select noted(v) as v from delta_scan('{self.read}')", inputs=(self.read,), full_refresh=full,
                answered_by=knows, by_content=by_content,
            ),
        )  # fmt: skip

    @property
    def rows(self) -> list[str]:
        return [r[0] for r in self.con.execute(f"select v from delta_scan('{self.made}') order by v").fetchall()]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with connect() as con:
        load_extension(con, "delta")
        yield House(tmp_path, con)


def test_what_reads_the_same_is_not_asked(house: House) -> None:
    house.put("x", "y")
    first = house.build()
    assert (first.rows, house.asked) == (2, 2)
    again = house.build()
    assert (again, house.asked) == (first, 0)
    assert house.build(full=True).version == first.version + 1
    assert house.asked == 2


def test_what_comes_to_the_same_is_not_written(house: House) -> None:
    house.put("x", "y", "y")
    first = house.build()
    house.put("y", "x", "y")
    assert house.build() == first
    assert house.asked == 3
    house.put("y", "x", "x")  # as many rows, of the same values
    assert house.build().version == first.version + 1
    assert house.rows == ["x", "x", "y"]
    house.put()
    assert house.build().rows == 0
    assert house.rows == []


def test_another_commit_or_other_knowledge_makes_it_anew(house: House) -> None:
    house.put("x", "y")
    first = house.build(knows="k1")
    assert house.build(knows="k1") == first
    assert house.build(knows="k2").version == first.version + 1  # the same rows, but what was asked has to be noted
    assert house.build(knows="k2").version == first.version + 1
    DeltaTable(house.made).delete("v = 'x'")
    assert house.build(knows="k2").version == first.version + 3
    assert house.rows == ["x", "y"]


def test_another_project_makes_it_anew(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.put("x")
    first = house.build()
    monkeypatch.setattr("warehouse.dbt_remade.project_digest", lambda: "another")
    monkeypatch.setattr("warehouse.dbt_standing.project_digest", lambda: "another")
    assert house.build().version == first.version + 1
    assert house.build().version == first.version + 1


def test_a_feed_told_by_its_content_is_no_change_when_it_is_delivered_again(house: House) -> None:
    house.put("x", "y")
    first = house.build(by_content=True)
    house.put("y", "x")
    assert (house.build(by_content=True), house.asked) == (first, 0)
    assert (house.build(by_content=True), house.asked) == (first, 0)  # of the version that was read, not of the noted
    house.put("y", "y")
    assert house.build(by_content=True).version == first.version + 1
    assert house.rows == ["y", "y"]
    house.put("y", "z")
    assert house.build(by_content=True, knows="k").version == first.version + 2
    house.put("z", "y")
    assert house.build(by_content=False, knows="k").rows == 2  # asked by versions, it is looked at
    assert house.asked == 2

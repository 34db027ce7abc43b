"""What changed in a feed table between two versions: found by the stamps of loads, or by what both versions say."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from catalog.registry import Catalog
from catalog.settings import Settings
from warehouse.delta import commit_once, delete_once
from warehouse.duck import connect, load_extension
from warehouse.feed_changes import changed_values
from warehouse.schema import feed_schema

FEED, COLUMN = "market_supervision__enterprises", "entity_name"
AT = datetime(2026, 6, 30, tzinfo=UTC)
Firms = dict[str, str]


class Register:
    """A feed table and what it said at each version, by credit code."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self.path, self._schema = settings.feed_path(FEED), feed_schema(catalog, FEED)
        self._settings, self._catalog, self._loads = settings, catalog, 0
        self.said: dict[int, Firms] = {}

    def load(self, firms: Firms, mode: Any = "merge") -> int:
        self._loads += 1
        stamps = {"_receipt": f"r{self._loads}", "_loaded_at": AT + timedelta(days=self._loads)}
        rows = [{"uscc": u, "entity_name": n} | stamps for u, n in firms.items()]
        table = pa.Table.from_pylist(rows, schema=self._schema)
        commit_once(self.path, table, mode=mode, app_id="loads", version=self._loads, merge_key=["uscc"])
        return self._noted(({} if mode == "overwrite" else self.now) | firms)

    def remove(self, *codes: str) -> int:
        self._loads += 1
        delete_once(self.path, pa.table({"uscc": list(codes)}), key=["uscc"], app_id="loads", version=self._loads)
        return self._noted({u: n for u, n in self.now.items() if u not in codes})

    @property
    def now(self) -> Firms:
        return self.said[max(self.said)] if self.said else {}

    def _noted(self, firms: Firms) -> int:
        version = DeltaTable(self.path).version()
        self.said[version] = firms
        return version

    def changed(self, since: int, column: str = COLUMN) -> set[str | None] | None:
        with connect() as con:
            load_extension(con, "delta")
            sql = changed_values(con, self._settings, self._catalog, FEED, column, (since, max(self.said)))
            return {row[0] for row in con.execute(sql).fetchall()} if sql is not None else None

    def differing(self, since: int) -> set[str]:
        """Names in rows of either version that the other has not."""
        was, now = Counter(self.said[since].items()), Counter(self.now.items())
        return {name for (_, name) in [*(was - now), *(now - was)]}


@pytest.fixture
def register(settings: Settings, catalog: Catalog) -> Register:
    made = Register(settings, catalog)
    made.load({"a": "甲", "b": "乙", "c": "丙"})
    return made


def test_an_upsert_tells_what_it_brought_and_what_was_there_before(register: Register) -> None:
    first = max(register.said)
    assert register.changed(first) == set()
    register.load({"b": "丁", "d": "戊"})
    assert register.changed(first) == {"乙", "丁", "戊"}
    assert register.changed(first, "uscc") == {"b", "d"}


def test_rows_taken_away_and_tables_delivered_whole_are_compared(register: Register) -> None:
    first = max(register.said)
    register.remove("a")
    assert register.changed(first) == {"甲"}
    second = max(register.said)
    register.load({"b": "乙", "c": "庚"}, "overwrite")
    assert register.changed(second) == {"丙", "庚"}  # 乙 is as it was, though it was delivered again
    assert register.changed(first) == {"甲", "丙", "庚"}


def test_a_row_whose_stamps_stay_the_same_is_found_by_what_it_says(register: Register) -> None:
    first = max(register.said)
    DeltaTable(register.path).update({"entity_name": "'辛'"}, predicate="uscc = 'c'")
    register._noted(register.now | {"c": "辛"})
    assert register.changed(first) == {"丙", "辛"}


def test_a_version_that_is_gone_tells_nothing(register: Register) -> None:
    first = max(register.said)
    register.load({"a": "壬"})
    DeltaTable(register.path).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert register.changed(first) is None
    assert register.changed(max(register.said)) == set()
    assert register.changed(-1) is None


def test_any_loads_in_any_order_leave_out_nothing(register: Register) -> None:
    seed = datetime.now(UTC).microsecond
    draw = random.Random(seed)
    for _ in range(12):
        firms = {draw.choice("abcdefgh"): draw.choice("甲乙丙丁戊己庚") for _ in range(draw.randint(1, 4))}
        if draw.random() < 0.2:
            register.remove(*firms)
        else:
            register.load(firms, draw.choice(["merge", "merge", "merge", "overwrite"]))
    for since in register.said:
        found = register.changed(since)
        assert found is not None
        assert found >= register.differing(since), f"seed {seed}, since {since}"

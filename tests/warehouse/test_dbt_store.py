"""What the dbt plugin commits to Delta, strategy by strategy."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from catalog.errors import Busy
from warehouse.dbt_store import StoreRequest, StoreResult, store
from warehouse.dbt_types import DeltaTypeError, StoreError
from warehouse.duck import load_extension

DAY1, DAY2, DAY3 = (datetime(2026, 1, d, tzinfo=UTC) for d in (1, 2, 3))


class Table:
    """A model's table, written by SQL."""

    def __init__(self, con: duckdb.DuckDBPyConnection, path: Path) -> None:
        self.con, self.path = con, str(path)

    def store(self, sql: str, strategy: str = "overwrite", **more: Any) -> StoreResult:
        request = {"model": "m", "invocation_id": "i", "path": self.path, "sql": sql, "strategy": strategy, "at": DAY1}
        return store(self.con, StoreRequest.model_validate({**request, **more}))

    def rows(self, columns: str = "*") -> list[tuple[Any, ...]]:
        return self.con.execute(f"select {columns} from delta_scan('{self.path}') order by all").fetchall()

    def types(self) -> dict[str, str]:
        relation = self.con.sql(f"from delta_scan('{self.path}')")
        return dict(zip(relation.columns, map(str, relation.types), strict=True))

    @property
    def version(self) -> int:
        return DeltaTable(self.path).version()


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        load_extension(con, "delta")
        load_extension(con, "spatial")
        con.execute("set global TimeZone = 'UTC'")
        yield con


@pytest.fixture
def table(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> Table:
    return Table(con, tmp_path / "lake" / "mart" / "s" / "t")


def values(*rows: tuple[Any, ...], columns: str = "k, v") -> str:
    """A SELECT of constant rows; of no row, with the types of two texts, when there are none."""
    names = [c.strip() for c in columns.split(",")]
    if not rows:
        return "select " + ", ".join(f"'' as {n}" for n in names) + " where false"
    return f"select * from (values {', '.join(map(repr, rows))}) as t({columns})".replace("None", "null")


def test_overwrite_replaces_rows_columns_and_partitions(table: Table) -> None:
    assert table.store("select 1 as a, 'x' as b").rows == 1
    assert table.store("select 2.5 as c, 'y' as b from range(3)", partition_by=["b"]).rows == 3
    assert list(table.types()) == ["c", "b"]
    assert DeltaTable(table.path).metadata().partition_columns == ["b"]
    assert table.store("select 1 as a, 'x' as b").version == 2
    assert DeltaTable(table.path).metadata().partition_columns == []


def test_unions_and_outer_joins_are_read_as_a_table(con: duckdb.DuckDBPyConnection, table: Table) -> None:
    """What several pipelines feed may wait for ever when read as it comes; all else streams."""
    from warehouse.duck import streamable

    con.execute("create or replace table many as select range as k, 'x' as v from range(3000)")
    union = (
        "select k, v from many where k % 2 = 0 union all select m.k, n.v from many as m inner join many as n using (k)"
    )
    outer = "select k, m.v from many as m full outer join (from range(9) as t (k)) as r using (k)"
    assert streamable(con, "select k, v from many where k > 5") == "select k, v from many where k > 5"
    for sql, rows in ((union, 4500), (outer, 3000)):
        assert streamable(con, sql) != sql
        assert table.store(sql).rows == rows
        assert len(table.rows()) == rows


def test_no_rows_make_a_typed_table_and_empty_an_old_one(table: Table) -> None:
    sql = "select cast(1 as bigint) as a, cast(1.5 as decimal(9, 3)) as b, null as c where false"
    assert table.store(sql) == StoreResult(rows=0, version=0)
    assert table.types() == {"a": "BIGINT", "b": "DECIMAL(9,3)", "c": "INTEGER"}
    table.store("select 1 as a")
    table.store("select 1 as a where false")
    assert table.rows() == []


def test_the_commit_says_which_model_and_run_made_it(table: Table) -> None:
    table.store("select 1 as a")
    last = DeltaTable(table.path).history(1)[0]
    assert (last["model"], last["invocation_id"], last["strategy"]) == ("m", "i", "overwrite")


def test_append_adds(table: Table) -> None:
    table.store(values((1, "a")), "append")
    table.store(values((1, "a"), (2, "b")), "append")
    assert table.rows() == [(1, "a"), (1, "a"), (2, "b")]


def test_merge_replaces_by_key_and_adds_the_rest(table: Table) -> None:
    table.store(values((1, "a"), (2, "b")), "merge", unique_key=["k"])
    assert table.store(values((2, "c"), (3, "d")), "merge", unique_key=["k"]).rows == 2
    assert table.rows() == [(1, "a"), (2, "c"), (3, "d")]
    table.store(values((9, "z")), "merge", unique_key=["k"], full_refresh=True)
    assert table.rows() == [(9, "z")]


def test_merge_by_several_columns_and_with_a_predicate(table: Table) -> None:
    key = {"unique_key": ["k", "p"], "partition_by": ["p"]}
    table.store(values((1, "a", "x"), (1, "b", "x"), columns="k, p, v"), "merge", **key)
    only_a = ["DBT_INTERNAL_DEST.p = 'a'"]
    table.store(values((1, "a", "y"), columns="k, p, v"), "merge", predicates=only_a, **key)
    assert table.rows("k, p, v") == [(1, "a", "y"), (1, "b", "x")]


def test_a_merge_of_nothing_commits_nothing(table: Table) -> None:
    table.store(values((1, "a")), "merge", unique_key=["k"])
    assert table.store("select 1 as k, 'a' as v where false", "merge", unique_key=["k"]).version == 0


@pytest.mark.parametrize(("rows", "message"), [([(1, "a"), (1, "b")], "several rows"), ([(None, "a")], "no value")])
def test_a_merge_with_a_bad_key_is_refused(table: Table, rows: list[tuple[Any, ...]], message: str) -> None:
    table.store(values((1, "a")), "merge", unique_key=["k"])
    with pytest.raises(StoreError, match=message):
        table.store(f"select cast(k as integer) as k, v from ({values(*rows)})", "merge", unique_key=["k"])
    assert table.version == 0


def remade(changed: str) -> dict[str, Any]:
    """The config of a table remade for the keys of ``changed``, a SELECT."""
    return {"remade": {"key": "k", "changed_sql": changed, "through": 7, "table_key": ["k", "v"]}}


def test_keys_that_changed_are_remade_and_the_others_stay(table: Table) -> None:
    table.store(values((1, "a"), (1, "b"), (2, "a"), (3, "a")), **remade(""))
    done = table.store(values((1, "c"), (4, "a")), **remade("select unnest([1, 3, 4])"))  # 3 is of nobody now
    assert done == StoreResult(rows=2, version=1)
    assert table.rows() == [(1, "c"), (2, "a"), (4, "a")]
    last = DeltaTable(table.path).history(1)[0]
    assert (last["strategy"], last["made_through"]) == ("remade", "7")


def test_few_keys_of_many_are_changed_in_place(table: Table) -> None:
    """No file is written again: the rows that go are marked, those that come are a file of their own."""
    table.store("select i::integer as k, 'a' as v from range(1000) t(i)", **remade(""))
    before = set(DeltaTable(table.path).file_uris())
    done = table.store(values((1, "c"), (1000, "a")), **remade("select unnest([1, 2, 1000])"))
    assert done.rows == 2
    assert table.rows()[:3] == [(0, "a"), (1, "c"), (3, "a")]
    assert len(table.rows()) == 1000
    after = DeltaTable(table.path)
    assert before < set(after.file_uris())
    assert len(after.file_uris()) == 2
    last = after.history(1)[0]
    assert (last["strategy"], last["made_through"], last["version"]) == ("remade", "7", done.version)


def test_a_commit_of_somebody_else_while_few_keys_change_is_not_undone(table: Table) -> None:
    table.store("select i::integer as k, 'a' as v from range(1000) t(i)", **remade(""))

    def erase(key: int) -> int:
        DeltaTable(table.path).delete("k = 3")
        return key

    table.con.create_function("lakehouse_test_erase", erase, ["bigint"], "bigint", side_effects=True)
    try:
        with pytest.raises((Busy, CommitFailedError)):
            table.store("select lakehouse_test_erase(1)::integer as k, 'b' as v", **remade("select 1"))
    finally:
        table.con.remove_function("lakehouse_test_erase")
    assert table.rows()[:4] == [(0, "a"), (1, "a"), (2, "a"), (4, "a")]


def test_nothing_to_remake_commits_nothing(table: Table) -> None:
    table.store(values((1, "a"), (2, "a")), **remade(""))
    nothing = values((1, "a")) + " where false"
    assert table.store(nothing, **remade("select 3")) == StoreResult(rows=0, version=0)
    assert table.store(nothing, **remade("select 1")) == StoreResult(rows=0, version=1)
    assert table.rows() == [(2, "a")]


def test_rows_of_a_key_that_stays_are_refused(table: Table) -> None:
    """They would stand there twice."""
    table.store(values((1, "a"), (2, "a")), **remade(""))
    with pytest.raises(StoreError, match="has not changed"):
        table.store(values((1, "b"), (2, "a")), **remade("select 1"))
    assert table.rows() == [(1, "a"), (2, "a")]


def test_keys_are_remade_as_the_contract_says(table: Table) -> None:
    contract = [["v", "varchar"], ["k", "integer"]]
    table.store(values((1, "a"), (2, "a")), contract=contract, **remade(""))
    assert table.rows() == [("a", 1), ("a", 2)]
    with pytest.raises(StoreError, match="k: INTEGER by contract, SMALLINT by query"):
        table.store("select 1::smallint as k, 'b' as v", contract=contract, **remade("select 1"))
    table.store(values((1, "b")), contract=contract, **remade("select 1"))
    assert table.rows() == [("a", 2), ("b", 1)]


def test_a_commit_of_somebody_else_while_keys_are_remade_is_not_undone(table: Table) -> None:
    table.store(values((1, "a"), (2, "a"), (3, "a")), **remade(""))

    def erase(key: int) -> int:
        DeltaTable(table.path).delete("k = 3")
        return key

    table.con.create_function("lakehouse_test_erase", erase, ["bigint"], "bigint", side_effects=True)
    try:
        with pytest.raises(CommitFailedError):
            table.store("select lakehouse_test_erase(1)::integer as k, 'b' as v", **remade("select 1"))
    finally:
        table.con.remove_function("lakehouse_test_erase")
    assert table.rows() == [(1, "a"), (2, "a")]


def test_partitions_that_get_rows_are_replaced_as_a_whole(table: Table) -> None:
    by = {"strategy": "replace_partitions", "partition_by": ["month", "part"]}
    rows = "select i as v, date '2026-01-01' + to_months(i) as month_at, i from range(3) t(i)"
    sql = f"select v, cast(month_at as date) as month, {{part}} as part from ({rows})"
    table.store(sql.format(part="'it''s'"), **by)
    table.store(sql.format(part="cast(null as varchar)"), **by)
    assert len(table.rows()) == 6
    table.store("select 10 as v, date '2026-02-01' as month, 'it''s' as part", **by)
    table.store("select 11 as v, date '2026-02-01' as month, cast(null as varchar) as part", **by)
    assert table.rows("v") == [(0,), (0,), (2,), (2,), (10,), (11,)]
    assert table.store("select 1 as v, date '2026-01-01' as month, 'a' as part where false", **by).rows == 0


def test_partitions_of_a_table_are_fixed_until_a_full_refresh(table: Table) -> None:
    table.store(values((1, "a")), "replace_partitions", partition_by=["k"])
    with pytest.raises(StoreError, match="full-refresh"):
        table.store(values((1, "a")), "replace_partitions", partition_by=["v"])
    with pytest.raises(StoreError, match="partition_by"):
        table.store(values((1, "a")), "replace_partitions")
    table.store(values((1, "a")), "replace_partitions", partition_by=["v"], full_refresh=True)


@pytest.mark.parametrize("strategy", ["merge", "append"])
@pytest.mark.slow
def test_columns_come_and_go_by_policy(table: Table, strategy: str) -> None:
    key = {"unique_key": ["k"]} if strategy == "merge" else {}
    table.store("select 1 as k, 'a' as v", strategy, **key)
    with pytest.raises(StoreError, match=r"\+w INTEGER"):
        table.store("select 2 as k, 'b' as v, 7 as w", strategy, on_schema_change="fail", **key)
    with pytest.raises(StoreError, match="-v VARCHAR"):
        table.store("select 2 as k", strategy, on_schema_change="fail", **key)
    table.store("select 2 as k, 'b' as v, 7 as w", strategy, **key)
    assert list(table.types()) == ["k", "v"]
    table.store("select 3 as k, 'c' as v, 7 as w", strategy, on_schema_change="append_new_columns", **key)
    table.store("select 4 as k", strategy, **key)
    assert table.rows() == [(1, "a", None), (2, "b", None), (3, "c", 7), (4, None, None)]


def test_a_new_column_without_rows_is_added_all_the_same(table: Table) -> None:
    table.store("select 1 as k", "append")
    table.store("select 1 as k, 'x' as w where false", "append", on_schema_change="append_new_columns")
    assert table.types() == {"k": "INTEGER", "w": "VARCHAR"}


def test_narrower_types_fit_and_wider_ones_do_not(table: Table) -> None:
    table.store("select cast(1 as bigint) as k", "append")
    table.store("select cast(2 as smallint) as k", "append")
    assert table.rows() == [(1,), (2,)]
    with pytest.raises(StoreError, match="VARCHAR, the table holds BIGINT"):
        table.store("select 'x' as k", "append")


def test_types_delta_lacks_are_cast_as_documented(table: Table) -> None:
    table.store(
        """
        select cast(200 as utinyint) as a, cast(1 as uinteger) as b, 18446744073709551615::ubigint as c,
            sum(i) as d, timestamp '2026-01-01 08:00:00' as e, cast('x' as enum('x', 'y')) as f,
            st_point(116.3, 39.9) as g, cast('{}' as json) as h, [1, 2]::integer[2] as i,
            {'n': cast(1 as utinyint), 'o p': [uuid()]} as j, map {'k': 1} as k
        from range(3) t(i)
        """
    )
    assert table.types() == {
        "a": "SMALLINT",
        "b": "BIGINT",
        "c": "DECIMAL(20,0)",
        "d": "BIGINT",
        "e": "TIMESTAMP WITH TIME ZONE",
        "f": "VARCHAR",
        "g": "BLOB",
        "h": "VARCHAR",
        "i": "INTEGER[]",
        "j": 'STRUCT(n SMALLINT, "o p" VARCHAR[])',
        "k": "MAP(VARCHAR, INTEGER)",
    }
    a, _, c, _, e, *_ = table.rows()[0]
    assert (a, c, e) == (200, Decimal("18446744073709551615"), datetime(2026, 1, 1, 8, tzinfo=UTC))
    point = table.con.execute(f"select st_astext(st_geomfromwkb(g)) from delta_scan('{table.path}')").fetchone()
    assert point == ("POINT (116.3 39.9)",)


@pytest.mark.parametrize(
    "expression",
    [
        "time '10:00'",
        "interval 1 day",
        "cast('101' as bit)",
        "cast(1 as uhugeint)",
        "[time '10:00']",
        "{'a': time '1:00'}",
    ],
)
def test_types_that_cannot_be_held_are_refused(table: Table, expression: str) -> None:
    with pytest.raises(DeltaTypeError) as caught:
        table.store(f"select {expression} as c")
    assert caught.value.where == {"model": "m", "column": "c"}


@pytest.mark.parametrize(("sql", "message"), [('select 1 as "a b"', "' '"), ('select 1 as "a", 2 as "A"', "one name")])
def test_names_that_cannot_be_held_are_refused(table: Table, sql: str, message: str) -> None:
    with pytest.raises(DeltaTypeError, match=message):
        table.store(sql)


def test_not_null_is_kept(table: Table) -> None:
    table.store("select 1 as a", not_null=["a"])
    with pytest.raises(StoreError, match="not_null"):
        table.store("select case when i < 150000 then i end as a from range(200000) t(i)", not_null=["a"])
    assert table.rows() == [(1,)]


def test_an_error_in_the_middle_of_the_rows_leaves_the_table(table: Table) -> None:
    table.store("select 1 as a")
    with pytest.raises(Exception, match="Could not convert"):
        table.store("select cast(case when i = 299999 then 'x' else '1' end as integer) as a from range(300000) t(i)")
    assert table.rows() == [(1,)]


def test_names_in_the_config_must_be_columns(table: Table) -> None:
    with pytest.raises(StoreError, match="unique_key names q"):
        table.store("select 1 as a", "merge", unique_key=["q"])
    with pytest.raises(StoreError, match="needs a unique_key"):
        table.store("select 1 as a", "merge")


class TestHistory:
    """Slowly changing rows with ``valid_from`` and ``valid_to``."""

    def keep(self, table: Table, at: datetime, *rows: tuple[Any, ...], **more: Any) -> StoreResult:
        return table.store(values(*rows), "history", unique_key=["k"], at=at, **more)

    def test_changes_close_a_version_and_open_the_next(self, table: Table) -> None:
        self.keep(table, DAY1, (1, "a"), (2, "b"))
        assert self.keep(table, DAY2, (1, "a"), (2, "c"), (3, "d")).rows == 3
        assert table.rows() == [
            (1, "a", DAY1, None),
            (2, "b", DAY1, DAY2),
            (2, "c", DAY2, None),
            (3, "d", DAY2, None),
        ]

    def test_the_same_again_changes_nothing(self, table: Table) -> None:
        self.keep(table, DAY1, (1, "a"))
        self.keep(table, DAY2, (1, "b"))
        assert self.keep(table, DAY2, (1, "b")).rows == 0
        assert self.keep(table, DAY3, (1, "b")).rows == 0
        assert table.version == 1

    def test_a_corrected_run_of_the_same_instant_replaces_its_version(self, table: Table) -> None:
        self.keep(table, DAY1, (1, "a"))
        self.keep(table, DAY2, (1, "wrong"))
        self.keep(table, DAY2, (1, "right"))
        assert table.rows() == [(1, "a", DAY1, DAY2), (1, "right", DAY2, None)]

    def test_null_is_a_value_that_can_change(self, table: Table) -> None:
        self.keep(table, DAY1, (1, None), (2, "b"))
        self.keep(table, DAY2, (1, "a"), (2, None))
        assert [r[:2] for r in table.rows() if r[3] is None] == [(1, "a"), (2, None)]
        assert len(table.rows()) == 4

    def test_only_watched_columns_count(self, table: Table) -> None:
        self.keep(table, DAY1, (1, "a"), check_cols=["k"])
        assert self.keep(table, DAY2, (1, "b"), check_cols=["k"]).rows == 0

    def test_rows_that_vanish_are_kept_or_closed(self, table: Table) -> None:
        self.keep(table, DAY1, (1, "a"), (2, "b"))
        assert self.keep(table, DAY2, (1, "a")).rows == 0
        self.keep(table, DAY2, (1, "a"), hard_deletes="invalidate")
        assert table.rows() == [(1, "a", DAY1, None), (2, "b", DAY1, DAY2)]
        self.keep(table, DAY3, (1, "a"), (2, "b"), hard_deletes="invalidate")
        assert table.rows()[-1] == (2, "b", DAY3, None)

    def test_a_new_column_joins_the_history(self, table: Table) -> None:
        self.keep(table, DAY1, (1, "a"))
        sql = values((1, "a", "n"), columns="k, v, w")
        more = {"unique_key": ["k"], "at": DAY2, "on_schema_change": "append_new_columns"}
        table.store(sql, "history", **more)
        assert table.rows("valid_from, valid_to, k, v, w") == [(DAY1, DAY2, 1, "a", None), (DAY2, None, 1, "a", "n")]

    def test_time_does_not_go_back(self, table: Table) -> None:
        self.keep(table, DAY2, (1, "a"))
        with pytest.raises(StoreError, match="later history_at"):
            self.keep(table, DAY1, (1, "b"))

    def test_a_table_of_another_strategy_is_refused(self, table: Table) -> None:
        table.store(values((1, "a")))
        with pytest.raises(StoreError, match="another strategy"):
            self.keep(table, DAY2, (1, "b"))
        with pytest.raises(StoreError, match="makes valid_from itself"):
            table.store("select 1 as k, now() as valid_from", "history", unique_key=["k"])


def test_four_threads_write_four_tables(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    tables = [Table(con, tmp_path / str(n)) for n in range(4)]
    faults: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for _ in range(3):
                tables[n].store(f"select i as k, {n} as v from range(20000) t(i)", "merge", unique_key=["k"])
        except BaseException as e:  # noqa: BLE001 - carried to the main thread
            faults.append(e)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert [t.rows("count(*), max(v)") for t in tables] == [[(20000, n)] for n in range(4)]


BROKEN_OFF = """
import sys, time
from datetime import UTC, datetime
import duckdb, pyarrow as pa
from duckdb.func import PythonUDFType
from warehouse.dbt_store import StoreRequest, store
from warehouse.dbt_types import StoreError

def slow(column):
    time.sleep(0.01)
    return column.cast(pa.string())

con = duckdb.connect(config={"threads": 4})
con.create_function("slow", slow, ["BIGINT"], "VARCHAR", type=PythonUDFType.ARROW)
given = {"model": "m", "invocation_id": "i", "path": sys.argv[1], "strategy": "overwrite", "at": datetime.now(UTC)}
sql = "select slow(i) as s, case when i < 100 then i end as n from range(3000000) t(i)"
try:
    store(con, StoreRequest(sql=sql, not_null=("n",), **given))
except StoreError:
    print("refused")
"""


@pytest.mark.slow
def test_a_model_with_a_function_of_ours_that_breaks_off_neither_hangs_nor_crashes(root: Path, tmp_path: Path) -> None:
    """DuckDB's threads are in the function when the result is given up; they must have left it before we go on."""
    done = subprocess.run(
        [sys.executable, "-c", BROKEN_OFF, str(tmp_path / "t")], cwd=root, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout.strip()) == (0, "refused"), done.stderr[-500:]

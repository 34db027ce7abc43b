"""What looks like an identifier is believed by the company it keeps: that changes with rows that come, and that go."""

from __future__ import annotations

import random
from typing import Any

import duckdb
import pytest

from quality.content import identifiers_sql, may_identify_sql
from quality.gx_context import Answer
from quality.identifiers import is_resident_id
from quality.new_rows import Part, ask_new_rows
from quality.table_gate import TableSuite
from quality.table_rules import TableContext, TableRuleUse, compile_table_rule
from quality.table_rules.base import TableColumn

COLUMNS = {n: TableColumn(n, n) for n in ("a", "b")}
ID, PERMIT = "11010519491231002X", "110102201903150012"
LATE_ID = next(n for n in (f"11010220190315001{c}" for c in "0123456789X") if is_resident_id(n))
TEXTS = (ID, LATE_ID, PERMIT, "13801234567", "20000000001", f"see {ID} there", f"{ID}F0", "8613912345678", "月坛", None)


def suite() -> TableSuite:
    rules = compile_table_rule(TableRuleUse(rule="no_identifiers"), TableContext("s.t", "library", "t", COLUMNS))
    return TableSuite("s.t", "library:s.t", "t", tuple(rules))


def rows(chance: random.Random, number: int, plain: float) -> list[tuple[Any, ...]]:
    def text() -> Any:
        return "12" if chance.random() < plain else chance.choice(TEXTS)

    return [(text(), text()) for _ in range(number)]


def hits(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    return {f"{c} {kind}": n for c, kind, n, _ in con.execute(identifiers_sql("t", list(COLUMNS))).fetchall() if n}


def doubtful(con: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    found = con.execute(identifiers_sql("t", list(COLUMNS))).fetchall()
    return tuple(sorted({c for c, _, _, seen in found if seen}))


@pytest.mark.parametrize("plain", [0.99, 0.9, 0.5])
def test_identifiers_are_found_as_in_all_rows(plain: float) -> None:
    chance, con = random.Random(), duckdb.connect()
    new = con.cursor()
    con.execute("CREATE TABLE t (a VARCHAR, b VARCHAR)")
    for _ in range(25):
        con.execute("DELETE FROM t")
        con.executemany("INSERT INTO t VALUES (?, ?)", rows(chance, 12, plain))
        if hits(con):
            continue  # what failed is asked of all rows next time
        before = {"no_identifiers": Answer(True, 12, 0, None, 0.0, {}, doubtful(con))}
        con.execute("DELETE FROM t WHERE rowid % 3 = ?", [chance.randrange(4)])
        came = rows(chance, 2, plain)
        new.execute("CREATE OR REPLACE TEMP TABLE t (a VARCHAR, b VARCHAR)")
        new.executemany("INSERT INTO temp.t VALUES (?, ?)", came)
        con.executemany("INSERT INTO t VALUES (?, ?)", came)
        count = con.execute("SELECT count(*) FROM t").fetchall()[0][0]
        found = ask_new_rows(suite(), Part(con, lambda _: None, new, lambda _: False, count, 2), before)
        if hits(con):
            assert found is None
        else:
            assert found == {"no_identifiers": Answer(True, count, 0, None, 0.0, {}, doubtful(con))}


def test_no_value_counts_that_may_not_identify() -> None:
    con = duckdb.connect()
    for text in TEXTS:
        con.execute("CREATE OR REPLACE TABLE t AS SELECT ?::VARCHAR AS a, NULL::VARCHAR AS b", [text])
        (may,) = con.execute(f"SELECT count_if({may_identify_sql('a')}) FROM t").fetchall()[0]
        assert may or not doubtful(con), text

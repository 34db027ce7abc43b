"""No two rows have the same key."""

from __future__ import annotations

from quality.sql import quote
from quality.table_rules.base import (
    RuleParams,
    TableCheck,
    TableColumn,
    TableContext,
    TableExample,
    TableFixture,
    TableRule,
    expectation,
)


def checks(context: TableContext, params: RuleParams) -> list[TableCheck]:
    if not context.key:
        return []
    columns = tuple(context.column(name) for name in context.key)
    table, names = quote(context.relation), ", ".join(c.sql for c in columns)
    given = " AND ".join(f"{c.sql} IS NOT NULL" for c in columns)
    # only where a hash repeats the keys themselves are counted; hashes are grouped first, in a small part of the memory
    repeated = f"SELECT hash({names}) AS h FROM {table} WHERE {given} GROUP BY h HAVING count(*) > 1"  # noqa: S608
    statement = (
        f"SELECT coalesce(sum(n), 0)::BIGINT FROM (SELECT count(*) AS n FROM {table} "  # noqa: S608 - quoted names
        f"WHERE {given} AND hash({names}) IN ({repeated}) GROUP BY {names} HAVING count(*) > 1)"
    )
    found = expectation(
        "expect_key_to_be_unique",
        statement=statement,
        relation=table,
        hashed=f"CASE WHEN {given} THEN hash({names}) END",
    )
    label = "、".join(c.label for c in columns)
    return [TableCheck("key_unique", columns, f"主键（{label}）重复", found, asked="key")]


RULE = TableRule(
    name="key_unique",
    title="主键唯一",
    dimension="uniqueness",
    severity="stop",
    party="platform",
    implied=True,
    checks=checks,
    examples=(
        TableExample(
            columns=(TableColumn("code", "代码"), TableColumn("month", "月份")),
            key=("code", "month"),
            fixtures=(
                TableFixture((("a", "1"), ("a", "2"), ("b", "1")), (), "no pair stands twice"),
                TableFixture((("a", "1"), ("a", "1"), ("b", "1")), ("key_unique",), "a pair stands twice"),
                TableFixture((("a", None), ("a", None)), (), "an empty key is another rule's business"),
                TableFixture((), (), "no rows"),
            ),
        ),
    ),
)

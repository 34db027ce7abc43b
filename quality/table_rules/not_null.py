"""A column that must have a value has one in every row."""

from __future__ import annotations

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


class Params(RuleParams):
    column: str


def checks(context: TableContext, params: Params) -> list[TableCheck]:
    c = context.column(params.column)
    found = expectation("expect_values_to_be_given", aggregate=f"count_if({c.sql} IS NULL)", column=c.name)
    return [TableCheck(f"{c.name}.not_null", (c,), f"{c.label}：应有值而为空", found, asked="rows")]


RULE = TableRule(
    name="not_null",
    title="必填",
    dimension="completeness",
    severity="stop",
    party="platform",
    implied=True,
    params=Params,
    checks=checks,
    examples=(
        TableExample(
            columns=(TableColumn("kind", "类别"),),
            params={"column": "kind"},
            fixtures=(
                TableFixture((("a",), ("b",)), (), "all are given"),
                TableFixture((("a",), (None,)), ("kind.not_null",), "one is empty"),
            ),
        ),
    ),
)

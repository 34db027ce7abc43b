"""No part of the key is empty."""

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


def checks(context: TableContext, params: RuleParams) -> list[TableCheck]:
    columns = [context.column(name) for name in context.key]
    return [
        TableCheck(
            f"{c.name}.key_not_null",
            (c,),
            f"{c.label}：主键项为空",
            expectation("expect_values_to_be_given", aggregate=f"count_if({c.sql} IS NULL)", column=c.name),
            asked="rows",
        )
        for c in columns
    ]


RULE = TableRule(
    name="key_not_null",
    title="主键完整",
    dimension="completeness",
    severity="stop",
    party="platform",
    implied=True,
    checks=checks,
    examples=(
        TableExample(
            columns=(TableColumn("code", "代码"), TableColumn("month", "月份")),
            key=("code", "month"),
            fixtures=(
                TableFixture((("a", "1"), ("b", "1")), (), "all are given"),
                TableFixture((("a", None), ("b", "1")), ("month.key_not_null",), "one part is empty"),
            ),
        ),
    ),
)

"""Rows that a model has flagged (out of range, flat line, spike): they stay, and are counted."""

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
    """``column``: a boolean; true is a breach."""

    column: str


def checks(context: TableContext, params: Params) -> list[TableCheck]:
    c = context.column(params.column)
    found = expectation("expect_flag_not_to_be_raised", aggregate=f"count_if({c.sql})", column=c.name)
    return [TableCheck(f"{c.name}.flag_raised", (c,), f"{c.label}：有记录被标记", found, asked="rows")]


RULE = TableRule(
    name="flag_raised",
    title="标记",
    dimension="accuracy",
    severity="warn",
    party="source",
    params=Params,
    checks=checks,
    examples=(
        TableExample(
            columns=(TableColumn("is_spike", "突跳", type="boolean"),),
            params={"column": "is_spike"},
            fixtures=(
                TableFixture(((False,), (None,)), (), "nothing is flagged"),
                TableFixture(((False,), (True,)), ("is_spike.flag_raised",), "one is"),
                TableFixture((), (), "no rows, no flags"),
            ),
        ),
    ),
)

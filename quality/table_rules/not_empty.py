"""There are rows."""

from __future__ import annotations

from pydantic import Field

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
    rows: int = Field(default=1, ge=1)


def checks(context: TableContext, params: Params) -> list[TableCheck]:
    found = expectation("expect_table_row_count_to_be_between", min_value=params.rows)
    return [TableCheck("not_empty", (), f"少于 {params.rows} 行", found)]


RULE = TableRule(
    name="not_empty",
    title="不为空",
    dimension="completeness",
    severity="stop",
    party="platform",
    at=("library", "mart", "release"),
    params=Params,
    checks=checks,
    examples=(
        TableExample(
            columns=(TableColumn("code", "代码"),),
            fixtures=(
                TableFixture((("a",),), (), "a row"),
                TableFixture((), ("not_empty",), "none"),
            ),
        ),
    ),
)

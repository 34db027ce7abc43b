"""What leaves has the columns the product declares, no more and no fewer."""

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
    columns: tuple[str, ...]


def checks(context: TableContext, params: Params) -> list[TableCheck]:
    found = expectation("expect_table_columns_to_match_set", column_set=list(params.columns), exact_match=True)
    return [TableCheck("columns_declared", (), "列与成果声明的不一致", found)]


RULE = TableRule(
    name="columns_declared",
    title="列与声明一致",
    dimension="consistency",
    severity="stop",
    party="platform",
    at=("release",),
    implied=True,
    params=Params,
    checks=checks,
    examples=(
        TableExample(
            columns=(TableColumn("code", "代码"), TableColumn("name", "名称")),
            checkpoint="release",
            params={"columns": ["name", "code"]},
            fixtures=(TableFixture((("a", "b"),), (), "the same columns"),),
        ),
        TableExample(
            columns=(TableColumn("code", "代码"), TableColumn("name", "名称")),
            checkpoint="release",
            params={"columns": ["code"]},
            fixtures=(TableFixture((("a", "b"),), ("columns_declared",), "one too many"),),
        ),
    ),
)

"""Values are codes of a list: those written in the model, or of a seed of the dbt project."""

from __future__ import annotations

from pydantic import Field

from quality.sql import not_among
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
    """``name``: of the list, shown to people; ``values``: its codes."""

    column: str
    values: tuple[str, ...] = Field(min_length=1)
    name: str = ""


def checks(context: TableContext, params: Params) -> list[TableCheck]:
    c = context.column(params.column)
    failing = f"count_if({not_among(f'{c.sql}::VARCHAR', params.values)})"
    name = f" {params.name} " if params.name else ""
    found = expectation("expect_values_to_be_in_code_list", aggregate=failing, column=c.name)
    return [TableCheck(f"{c.name}.code_list", (c,), f"{c.label}：不在代码表{name}内", found, asked="rows")]


RULE = TableRule(
    name="code_list",
    title="代码表",
    dimension="validity",
    severity="stop",
    party="platform",
    implied=True,
    params=Params,
    checks=checks,
    examples=(
        TableExample(
            columns=(TableColumn("sex_code", "性别"),),
            params={"column": "sex_code", "values": ["1", "2"]},
            fixtures=(
                TableFixture((("1",), ("2",), (None,)), (), "codes, and nothing"),
                TableFixture((("1",), ("男",)), ("sex_code.code_list",), "a name is no code"),
                TableFixture((), (), "no rows"),
            ),
        ),
    ),
)

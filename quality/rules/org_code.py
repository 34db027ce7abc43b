"""Organisation code, GB 11714: eight characters and a check character."""

from __future__ import annotations

from quality.identifiers import is_org_code_sql
from quality.rules.base import (
    Check,
    Column,
    Example,
    Fixture,
    RowRule,
    RuleContext,
    RuleParams,
    not_null_and,
    sql_expectation,
)


def checks(context: RuleContext, params: RuleParams) -> list[Check]:
    column = context.own()
    failing = not_null_and(column, f"NOT {is_org_code_sql(column.sql)}")
    message = f"{column.label}：不是有效的组织机构代码（GB 11714）"
    return [Check("org_code", (column,), failing, message, sql_expectation(failing))]


RULE = RowRule(
    name="org_code",
    title="组织机构代码",
    dimension="validity",
    types=("string",),
    checks=checks,
    examples=(
        Example(
            columns=(Column("org_code", "组织机构代码", "string"),),
            field="org_code",
            fixtures=(
                Fixture({"org_code": "M000100Y4"}, (), "inside the worked example of GB 32100"),
                Fixture({"org_code": "M000100Y-4"}, (), "with the hyphen"),
                Fixture({"org_code": None}, (), "no value"),
                Fixture({"org_code": "M000100Y5"}, ("org_code",), "wrong check character"),
                Fixture({"org_code": "M000100Y"}, ("org_code",), "eight characters"),
            ),
        ),
    ),
)

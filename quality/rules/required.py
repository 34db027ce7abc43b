"""A value that must be there is missing."""

from __future__ import annotations

from quality.rules.base import (
    ALL_TYPES,
    Check,
    Column,
    Example,
    Fixture,
    RowRule,
    RuleContext,
    RuleParams,
    expectation,
)


def checks(context: RuleContext, params: RuleParams) -> list[Check]:
    column = context.own()
    what = "主键项不能为空" if column.name in context.key else "必填项为空"
    return [
        Check(
            "required",
            (column,),
            f"({column.sql} IS NULL)",
            f"{column.label}：{what}",
            expectation("expect_column_values_to_not_be_null", column=column.name),
        )
    ]


RULE = RowRule(
    name="required",
    title="必填",
    dimension="completeness",
    types=ALL_TYPES,
    checks=checks,
    examples=(
        Example(
            columns=(Column("person_name", "姓名", "string"),),
            field="person_name",
            fixtures=(
                Fixture({"person_name": "张三"}, (), "a value"),
                Fixture({"person_name": None}, ("required",), "no value"),
            ),
        ),
    ),
)

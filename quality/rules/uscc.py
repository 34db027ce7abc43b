"""Unified social credit code, GB 32100-2015: form and check character."""

from __future__ import annotations

from quality.identifiers import uscc_checksum_sql, uscc_format_sql
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
    form = not_null_and(column, f"NOT {uscc_format_sql(column.sql)}")
    check = f"(NOT {uscc_checksum_sql(column.sql)})"
    return [
        Check(
            "format",
            (column,),
            form,
            f"{column.label}：不是 18 位统一社会信用代码（长度或字符不符）",
            sql_expectation(form),
        ),
        Check("checksum", (column,), check, f"{column.label}：校验码不符（GB 32100-2015）", sql_expectation(check)),
    ]


RULE = RowRule(
    name="uscc",
    title="统一社会信用代码",
    dimension="validity",
    types=("string",),
    checks=checks,
    examples=(
        Example(
            columns=(Column("uscc", "统一社会信用代码", "string"),),
            field="uscc",
            fixtures=(
                Fixture({"uscc": "91350100M000100Y43"}, (), "worked example of GB 32100"),
                Fixture({"uscc": None}, (), "no value"),
                Fixture({"uscc": "91350100M000100Y44"}, ("checksum",), "wrong check character"),
                Fixture({"uscc": "91350100I000100Y43"}, ("format",), "I is not in the alphabet"),
                Fixture({"uscc": "110000001234567"}, ("format",), "a 15-digit registration number"),
            ),
        ),
    ),
)

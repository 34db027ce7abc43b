"""A code that is not in its code list. Codes of all times count: what was valid once may stand in a register."""

from __future__ import annotations

from typing import Any

from quality.rules.base import (
    Check,
    Column,
    Example,
    Fixture,
    RowRule,
    RuleContext,
    RuleParams,
    RuleRefused,
    expectation,
)
from quality.sql import not_among

LONG_LIST = 20
"""Codes from which looking up pays: 263 communities take a sixteenth of the time."""


def checks(context: RuleContext, params: RuleParams) -> list[Check]:
    column = context.own()
    if not column.codes:
        raise RuleRefused(f"field {column.name!r} has no code list, or an empty one", "set codes: on its data element")
    failing = (
        f"(coalesce({not_among(column.sql, column.codes)}, false)"
        f" OR ({column.sql} IS NULL AND {column.raw} IS NOT NULL))"
    )
    return [
        Check(
            "code_list",
            (column,),
            failing,
            f"{column.label}：不在代码表中",
            _expectation(column, failing),
        )
    ]


def _expectation(column: Column, failing: str) -> dict[str, Any]:
    """Great Expectations compares with each code in turn; a long list is looked up by DuckDB."""
    if len(column.codes) > LONG_LIST:
        return expectation("expect_no_row_to_break_rule", failing_sql=not_among(column.sql, column.codes))
    return expectation("expect_column_values_to_be_in_set", column=column.name, value_set=list(column.codes))


RULE = RowRule(
    name="code_list",
    title="代码表",
    dimension="validity",
    types=("string",),
    checks=checks,
    examples=(
        Example(
            columns=(Column("sex_code", "性别", "string", codes=("0", "1", "2", "9")),),
            field="sex_code",
            fixtures=(
                Fixture({"sex_code": "1", "sex_code__raw": "男"}, (), "a code of the list"),
                Fixture({"sex_code": None, "sex_code__raw": None}, (), "no value is not a wrong code"),
                Fixture({"sex_code": "3", "sex_code__raw": "3"}, ("code_list",), "not in the list"),
                Fixture({"sex_code": "先生", "sex_code__raw": "先生"}, ("code_list",), "a word that maps to no code"),
            ),
        ),
    ),
)

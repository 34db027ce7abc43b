"""A text that does not have the form its element prescribes."""

from __future__ import annotations

import re

from pydantic import field_validator

from quality.rules.base import Check, Column, Example, Fixture, RowRule, RuleContext, RuleParams, expectation
from quality.sql import literal


class Params(RuleParams):
    pattern: str
    message: str = ""

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as e:
            raise ValueError(f"not a regular expression: {e}") from e
        if re.search(r"\(\?(?:=|!|<[=!])|\\[1-9]", value):
            raise ValueError("look-around and back-references cannot be expressed in RE2")
        return value


def checks(context: RuleContext, params: Params) -> list[Check]:
    column = context.own()
    whole = f"^(?:{params.pattern.removeprefix('^').removesuffix('$')})$"
    return [
        Check(
            "pattern",
            (column,),
            f"coalesce(NOT regexp_matches({column.sql}, {literal(whole)}), false)",
            f"{column.label}：{params.message or '格式不符'}",
            expectation("expect_column_values_to_match_regex", column=column.name, regex=whole),
        )
    ]


RULE = RowRule(
    name="pattern",
    title="格式",
    dimension="validity",
    types=("string",),
    params=Params,
    checks=checks,
    examples=(
        Example(
            columns=(Column("period_month", "月份", "string"),),
            field="period_month",
            params={"pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"},
            fixtures=(
                Fixture({"period_month": "2025-04"}, (), "year and month"),
                Fixture({"period_month": None}, (), "no value has no form"),
                Fixture({"period_month": "2025-13"}, ("pattern",), "there is no month 13"),
                Fixture({"period_month": "2025-04-01"}, ("pattern",), "the whole value must match"),
            ),
        ),
    ),
)

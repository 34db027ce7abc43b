"""A long number a spreadsheet turned into 9.11E+17: it cannot be recovered and must not be joined on."""

from __future__ import annotations

from quality.rules.base import Check, Column, Example, Fixture, RowRule, RuleContext, RuleParams, expectation
from quality.sql import literal

_FORM = r"^[0-9](\.[0-9]+)?[Ee]\+?[0-9]{1,2}$"


def checks(context: RuleContext, params: RuleParams) -> list[Check]:
    column = context.own()
    return [
        Check(
            "not_scientific",
            (column,),
            f"coalesce(regexp_matches({column.sql}, {literal(_FORM)}), false)",
            f"{column.label}：已被电子表格改成科学计数法，原号码无法还原，请按文本重新导出",
            expectation("expect_column_values_to_not_match_regex", column=column.name, regex=_FORM),
        )
    ]


RULE = RowRule(
    name="not_scientific",
    title="不是科学计数法",
    dimension="accuracy",
    types=("string",),
    checks=checks,
    examples=(
        Example(
            columns=(Column("uscc", "统一社会信用代码", "string"),),
            field="uscc",
            fixtures=(
                Fixture({"uscc": "91350100M000100Y43"}, (), "a code"),
                Fixture({"uscc": "91110102E12345678X"}, (), "a code with E inside"),
                Fixture({"uscc": None}, (), "no value"),
                Fixture({"uscc": "9.11E+17"}, ("not_scientific",), "as met in real files"),
                Fixture({"uscc": "9.1110102e17"}, ("not_scientific",), "other spelling"),
            ),
        ),
    ),
)

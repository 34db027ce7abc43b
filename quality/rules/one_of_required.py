"""At least one of several fields must have a value."""

from __future__ import annotations

from pydantic import Field

from quality.rules.base import Check, Column, Example, Fixture, RowRule, RuleContext, RuleParams, sql_expectation


class Params(RuleParams):
    columns: tuple[str, ...] = Field(min_length=2)


def checks(context: RuleContext, params: Params) -> list[Check]:
    columns = tuple(context.column(name) for name in params.columns)
    failing = "(" + " AND ".join(f"{c.sql} IS NULL" for c in columns) + ")"
    message = f"{'、'.join(c.label for c in columns)}：至少填一项"
    return [Check("one_of_required", columns, failing, message, sql_expectation(failing))]


RULE = RowRule(
    name="one_of_required",
    title="至少填一项",
    dimension="completeness",
    params=Params,
    checks=checks,
    examples=(
        Example(
            columns=(Column("phone", "联系电话", "string"), Column("residence_address", "现住址", "string")),
            params={"columns": ["phone", "residence_address"]},
            fixtures=(
                Fixture({"phone": "13801234567", "residence_address": None}, (), "one is enough"),
                Fixture({"phone": None, "residence_address": None}, ("one_of_required",), "none"),
            ),
        ),
    ),
)

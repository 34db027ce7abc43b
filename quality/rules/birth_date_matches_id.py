"""The date of birth differs from the one inside the resident identity number."""

from __future__ import annotations

from datetime import date

from quality.identifiers import resident_birth_date_sql
from quality.rules.base import Check, Column, Example, Fixture, RowRule, RuleContext, RuleParams, sql_expectation


class Params(RuleParams):
    id: str = "resident_id"
    birth_date: str = "birth_date"


def checks(context: RuleContext, params: Params) -> list[Check]:
    number, born = context.column(params.id, "string"), context.column(params.birth_date, "date")
    failing = f"coalesce({resident_birth_date_sql(number.sql)} <> {born.sql}, false)"
    message = f"{born.label}：与{number.label}中的出生日期不一致"
    return [Check("matches_id", (born, number), failing, message, sql_expectation(failing))]


RULE = RowRule(
    name="birth_date_matches_id",
    title="出生日期与身份号码一致",
    dimension="consistency",
    params=Params,
    checks=checks,
    examples=(
        Example(
            columns=(
                Column("resident_id", "公民身份号码", "string", grade=3),
                Column("birth_date", "出生日期", "date", grade=3, duckdb_type="DATE"),
            ),
            fixtures=(
                Fixture({"resident_id": "11010519491231002X", "birth_date": date(1949, 12, 31)}, (), "agree"),
                Fixture({"resident_id": "110105491231002", "birth_date": date(1949, 12, 31)}, (), "15 digits agree"),
                Fixture({"resident_id": "11010519491231002X", "birth_date": None}, (), "nothing to compare"),
                Fixture({"resident_id": "坏号码", "birth_date": date(1949, 12, 31)}, (), "another rule's business"),
                Fixture(
                    {"resident_id": "11010519491231002X", "birth_date": date(1949, 12, 30)},
                    ("matches_id",),
                    "one day apart",
                ),
            ),
        ),
    ),
)

"""The sex code differs from the parity of the 17th digit of the resident identity number."""

from __future__ import annotations

from quality.identifiers import resident_sex_code_sql
from quality.rules.base import Check, Column, Example, Fixture, RowRule, RuleContext, RuleParams, sql_expectation


class Params(RuleParams):
    id: str = "resident_id"
    sex: str = "sex_code"


def checks(context: RuleContext, params: Params) -> list[Check]:
    number, sex = context.column(params.id, "string"), context.column(params.sex, "string")
    told = resident_sex_code_sql(number.sql)
    # 0 unknown and 9 not stated (GB/T 2261.1) contradict nothing
    failing = f"coalesce({sex.sql} IN ('1', '2') AND {told} <> {sex.sql}, false)"
    message = f"{sex.label}：与{number.label}中的性别位不一致"
    return [Check("matches_id", (sex, number), failing, message, sql_expectation(failing))]


RULE = RowRule(
    name="sex_matches_id",
    title="性别与身份号码一致",
    dimension="consistency",
    params=Params,
    checks=checks,
    examples=(
        Example(
            columns=(
                Column("resident_id", "公民身份号码", "string", grade=3),
                Column("sex_code", "性别", "string", codes=("0", "1", "2", "9")),
            ),
            fixtures=(
                Fixture({"resident_id": "11010519491231002X", "sex_code": "2"}, (), "even is female"),
                Fixture({"resident_id": "440524188001010014", "sex_code": "1"}, (), "odd is male"),
                Fixture({"resident_id": "11010519491231002X", "sex_code": "0"}, (), "unknown contradicts nothing"),
                Fixture({"resident_id": "11010519491231002X", "sex_code": None}, (), "nothing to compare"),
                Fixture({"resident_id": "11010519491231002X", "sex_code": "1"}, ("matches_id",), "even but male"),
            ),
        ),
    ),
)

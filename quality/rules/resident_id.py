"""Resident identity number, GB 11643-1999: form (length, province, date) and check character."""

from __future__ import annotations

from quality.identifiers import resident_id_checksum_sql, resident_id_format_sql
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


class Params(RuleParams):
    """``allow_15``: the 15-digit form of 1989, which has no check character, is accepted."""

    allow_15: bool = True


def checks(context: RuleContext, params: Params) -> list[Check]:
    column = context.own()
    form = not_null_and(column, f"NOT {resident_id_format_sql(column.sql, allow_15=params.allow_15)}")
    check = f"(NOT {resident_id_checksum_sql(column.sql)})"
    lengths = "18 位或 15 位" if params.allow_15 else "18 位"
    return [
        Check(
            "format",
            (column,),
            form,
            f"{column.label}：不是{lengths}公民身份号码（长度、字符、地区或日期不符）",
            sql_expectation(form),
        ),
        Check("checksum", (column,), check, f"{column.label}：校验码不符（GB 11643-1999）", sql_expectation(check)),
    ]


_ID = Column("resident_id", "公民身份号码", "string", grade=3)
RULE = RowRule(
    name="resident_id",
    title="公民身份号码",
    dimension="validity",
    types=("string",),
    params=Params,
    checks=checks,
    examples=(
        Example(
            columns=(_ID,),
            field="resident_id",
            fixtures=(
                Fixture({"resident_id": "11010519491231002X"}, (), "worked example of GB 11643"),
                Fixture({"resident_id": "110105491231002"}, (), "15 digits of 1989"),
                Fixture({"resident_id": None}, (), "no value"),
                Fixture({"resident_id": "110105194912310021"}, ("checksum",), "wrong check character"),
                Fixture({"resident_id": "11010519491331002X"}, ("format", "checksum"), "month 13"),
                Fixture({"resident_id": "1101051949123100"}, ("format",), "16 digits"),
                Fixture({"resident_id": "9.11E+17"}, ("format",), "destroyed by a spreadsheet"),
            ),
        ),
        Example(
            columns=(_ID,),
            field="resident_id",
            params={"allow_15": False},
            fixtures=(
                Fixture({"resident_id": "11010519491231002x"}, (), "small x is the same number"),
                Fixture({"resident_id": "110105491231002"}, ("format",), "15 digits are not accepted here"),
            ),
        ),
    ),
)

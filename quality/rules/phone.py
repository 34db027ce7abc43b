"""A telephone number in any of the usual ways of writing it."""

from __future__ import annotations

from quality.identifiers.contact import PhoneKind, is_phone_sql
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
    """``kinds``: mobile, beijing_fixed, other_fixed, service (12345, 400 …)."""

    kinds: tuple[PhoneKind, ...] = ("mobile", "beijing_fixed", "other_fixed")


def checks(context: RuleContext, params: Params) -> list[Check]:
    column = context.own()
    failing = not_null_and(column, f"NOT {is_phone_sql(column.sql, params.kinds)}")
    return [Check("phone", (column,), failing, f"{column.label}：不是电话号码", sql_expectation(failing))]


_PHONE = Column("phone", "联系电话", "string", grade=3)
RULE = RowRule(
    name="phone",
    title="电话号码",
    dimension="validity",
    types=("string",),
    params=Params,
    checks=checks,
    examples=(
        Example(
            columns=(_PHONE,),
            field="phone",
            fixtures=(
                Fixture({"phone": "13801234567"}, (), "mobile"),
                Fixture({"phone": "010-83123456"}, (), "Beijing fixed line"),
                Fixture({"phone": None}, (), "no value"),
                Fixture({"phone": "1380123456"}, ("phone",), "ten digits"),
                Fixture({"phone": "12345"}, ("phone",), "a service number is nobody's telephone"),
            ),
        ),
        Example(
            columns=(_PHONE,),
            field="phone",
            params={"kinds": ["mobile"]},
            fixtures=(
                Fixture({"phone": "13801234567"}, (), "mobile"),
                Fixture({"phone": "010-83123456"}, ("phone",), "only mobiles are asked for"),
            ),
        ),
    ),
)

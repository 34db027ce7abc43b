"""A date that stands for "unknown" or "for ever": day 0 of spreadsheets and databases, 2099-12-31 …"""

from __future__ import annotations

from datetime import date

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
from quality.sql import literals


class Params(RuleParams):
    days: tuple[date, ...] = (
        date(1, 1, 1),
        date(1899, 12, 30),
        date(1899, 12, 31),
        date(1900, 1, 1),
        date(2099, 12, 31),
        date(9999, 12, 31),
    )


def checks(context: RuleContext, params: Params) -> list[Check]:
    column = context.own()
    day = column.sql if column.type == "date" else f"(timezone('Asia/Shanghai', {column.sql}))::DATE"
    failing = not_null_and(column, f"{day} IN {literals(params.days)}")
    message = f"{column.label}：是占位日期（如 1899-12-30、2099-12-31），不是真实日期"
    return [Check("not_sentinel_date", (column,), failing, message, sql_expectation(failing))]


RULE = RowRule(
    name="not_sentinel_date",
    title="不是占位日期",
    dimension="accuracy",
    types=("date", "timestamp"),
    params=Params,
    checks=checks,
    examples=(
        Example(
            columns=(Column("decision_date", "决定日期", "date", duckdb_type="DATE"),),
            field="decision_date",
            fixtures=(
                Fixture({"decision_date": date(2020, 5, 1)}, (), "a real day"),
                Fixture({"decision_date": None}, (), "no value"),
                Fixture({"decision_date": date(1899, 12, 30)}, ("not_sentinel_date",), "day 0 of a spreadsheet"),
                Fixture({"decision_date": date(2099, 12, 31)}, ("not_sentinel_date",), "for ever"),
            ),
        ),
    ),
)

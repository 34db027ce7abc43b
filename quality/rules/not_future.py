"""A date or instant after the batch arrived."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import Field

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
from quality.sql import literal


class Params(RuleParams):
    """``tolerance_hours``: how far a department's clock may run ahead (instants only)."""

    tolerance_hours: float = Field(default=1, ge=0)


def checks(context: RuleContext, params: Params) -> list[Check]:
    column = context.own()
    now = context.as_of
    if column.type == "date":
        # the day in Beijing, wherever the machine stands
        limit = literal(now.astimezone(ZoneInfo("Asia/Shanghai")).date()) if now else "current_date"
    else:
        ahead = timedelta(hours=params.tolerance_hours)
        limit = literal(now + ahead) if now else f"(now() + INTERVAL {int(ahead.total_seconds())} SECOND)"
    failing = not_null_and(column, f"{column.sql} > {limit}")
    return [Check("not_future", (column,), failing, f"{column.label}：晚于数据到达时间", sql_expectation(failing))]


RULE = RowRule(
    name="not_future",
    title="不晚于今天",
    dimension="accuracy",
    types=("date", "timestamp"),
    params=Params,
    checks=checks,
    examples=(
        Example(
            columns=(Column("birth_date", "出生日期", "date", duckdb_type="DATE"),),
            field="birth_date",
            as_of=datetime(2026, 1, 1, 17, tzinfo=UTC),
            fixtures=(
                Fixture({"birth_date": date(2026, 1, 2)}, (), "in Beijing it is 2 January already"),
                Fixture({"birth_date": None}, (), "no value"),
                Fixture({"birth_date": date(2026, 1, 3)}, ("not_future",), "tomorrow"),
                Fixture({"birth_date": date(2099, 12, 31)}, ("not_future",), "a sentinel"),
            ),
        ),
        Example(
            columns=(Column("observed_at", "观测时间", "timestamp", duckdb_type="TIMESTAMP WITH TIME ZONE"),),
            field="observed_at",
            as_of=datetime(2026, 1, 1, 0, tzinfo=UTC),
            fixtures=(
                Fixture({"observed_at": "2026-01-01 08:59:00+08"}, (), "within the tolerance of an hour"),
                Fixture({"observed_at": "2026-01-01 09:01:00+08"}, ("not_future",), "beyond it"),
            ),
        ),
    ),
)

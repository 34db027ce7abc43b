"""A number, date or instant outside its bounds (inclusive)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import model_validator

from quality.rules.base import (
    Check,
    Column,
    Example,
    Fixture,
    RowRule,
    RuleContext,
    RuleParams,
    as_bound,
    expectation,
    not_null_and,
    sql_expectation,
)
from quality.sql import literal


class Params(RuleParams):
    min: float | int | str | None = None
    max: float | int | str | None = None

    @model_validator(mode="after")
    def _one(self) -> Params:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        return self


def checks(context: RuleContext, params: Params) -> list[Check]:
    column = context.own()
    low = None if params.min is None else as_bound(column, params.min)
    high = None if params.max is None else as_bound(column, params.max)
    outside = []
    if low is not None:
        outside.append(f"{column.sql} < {literal(_from(column, low))}")
    if high is not None:
        # the bound of an instant is a day: the whole of it is inside
        if isinstance(high, date) and column.type == "timestamp":
            outside.append(f"{column.sql} >= {literal(_from(column, high + timedelta(days=1)))}")
        else:
            outside.append(f"{column.sql} > {literal(high)}")
    failing = not_null_and(column, f"({' OR '.join(outside)})")
    words = "、".join(
        w for w in (f"小于 {low}" if low is not None else "", f"大于 {high}" if high is not None else "") if w
    )
    said: dict[str, Any] = sql_expectation(failing)
    if not isinstance(low, date) and not isinstance(high, date):
        said = expectation("expect_column_values_to_be_between", column=column.name, min_value=low, max_value=high)
    return [Check("range", (column,), failing, f"{column.label}：超出取值范围（{words}）", said)]


def _from(column: Column, bound: float | int | date) -> float | int | date:
    """The instant a day begins in Beijing, when the column holds instants."""
    if isinstance(bound, date) and column.type == "timestamp":
        return datetime.combine(bound, time(), ZoneInfo("Asia/Shanghai"))
    return bound


_NUMBER = Column("pm25_ugm3", "细颗粒物", "double", duckdb_type="DOUBLE")
_DATE = Column("birth_date", "出生日期", "date", duckdb_type="DATE")
_INSTANT = Column("called_at", "来电时间", "timestamp", duckdb_type="TIMESTAMP WITH TIME ZONE")
RULE = RowRule(
    name="range",
    title="取值范围",
    dimension="validity",
    types=("integer", "decimal", "double", "date", "timestamp"),
    params=Params,
    checks=checks,
    examples=(
        Example(
            columns=(_NUMBER,),
            field="pm25_ugm3",
            params={"min": 0, "max": 2000},
            fixtures=(
                Fixture({"pm25_ugm3": 0.0}, (), "bounds are inside"),
                Fixture({"pm25_ugm3": 2000.0}, (), "bounds are inside"),
                Fixture({"pm25_ugm3": None}, (), "no value has no range"),
                Fixture({"pm25_ugm3": -0.1}, ("range",), "a concentration is not negative"),
                Fixture({"pm25_ugm3": 2000.1}, ("range",), "above the instrument's range"),
            ),
        ),
        Example(
            columns=(_DATE,),
            field="birth_date",
            params={"min": "1900-01-01"},
            fixtures=(
                Fixture({"birth_date": date(1900, 1, 1)}, (), "bounds are inside"),
                Fixture({"birth_date": date(1899, 12, 30)}, ("range",), "day 0 of a spreadsheet"),
            ),
        ),
        Example(
            columns=(_INSTANT,),
            field="called_at",
            params={"max": "2026-01-01"},
            fixtures=(
                Fixture({"called_at": "2026-01-01 23:59:59+08"}, (), "the whole last day is inside"),
                Fixture({"called_at": "2026-01-02 00:00:01+08"}, ("range",), "the day after is not"),
            ),
        ),
    ),
)

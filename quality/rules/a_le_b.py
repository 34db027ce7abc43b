"""One column must not exceed another: contacted before called, PM2.5 above PM10."""

from __future__ import annotations

from quality.rules.base import (
    Check,
    Column,
    Example,
    Fixture,
    RowRule,
    RuleContext,
    RuleParams,
    RuleRefused,
    expectation,
)

_ORDERED = ("integer", "decimal", "double", "date", "timestamp")
_NUMBERS = {"integer", "decimal", "double"}


class Params(RuleParams):
    """``a`` and ``b``: fields; ``strict``: equal is a breach too."""

    a: str
    b: str
    strict: bool = False


def checks(context: RuleContext, params: Params) -> list[Check]:
    a, b = context.column(params.a, *_ORDERED), context.column(params.b, *_ORDERED)  # type: ignore[arg-type]
    if a.type != b.type and not {a.type, b.type} <= _NUMBERS:
        raise RuleRefused(f"{a.name} is {a.type} and {b.name} is {b.type}", "compare fields of one type")
    numbers = a.type in _NUMBERS
    word = "小于" if numbers else "早于"
    equal = ("或等于" if numbers else "或同于") if params.strict else ""
    sign = ">=" if params.strict else ">"
    return [
        Check(
            f"{b.name}.not_below_{a.name}",
            (b, a),
            f"coalesce({a.sql} {sign} {b.sql}, false)",
            f"{b.label}：{word}{equal}{a.label}",
            expectation(
                "expect_column_pair_values_a_to_be_greater_than_b",
                column_A=b.name,
                column_B=a.name,
                or_equal=not params.strict,
                ignore_row_if="either_value_is_missing",
            ),
        )
    ]


_INSTANT = "TIMESTAMP WITH TIME ZONE"
RULE = RowRule(
    name="a_le_b",
    title="先后大小",
    dimension="consistency",
    params=Params,
    checks=checks,
    examples=(
        Example(
            columns=(
                Column("called_at", "来电时间", "timestamp", duckdb_type=_INSTANT),
                Column("closed_at", "办结时间", "timestamp", duckdb_type=_INSTANT),
            ),
            params={"a": "called_at", "b": "closed_at"},
            fixtures=(
                Fixture({"called_at": "2026-01-01 08:00:00+08", "closed_at": "2026-01-01 09:00:00+08"}, (), "in order"),
                Fixture({"called_at": "2026-01-01 08:00:00+08", "closed_at": "2026-01-01 08:00:00+08"}, (), "equal"),
                Fixture({"called_at": "2026-01-01 08:00:00+08", "closed_at": None}, (), "not closed yet"),
                Fixture(
                    {"called_at": "2026-01-01 08:00:00+08", "closed_at": "2026-01-01 07:59:59+08"},
                    ("not_below_called_at",),
                    "closed before the call",
                ),
            ),
        ),
        Example(
            columns=(
                Column("pm25_ugm3", "细颗粒物", "double", duckdb_type="DOUBLE"),
                Column("pm10_ugm3", "可吸入颗粒物", "double", duckdb_type="DOUBLE"),
            ),
            params={"a": "pm25_ugm3", "b": "pm10_ugm3", "strict": True},
            fixtures=(
                Fixture({"pm25_ugm3": 10.0, "pm10_ugm3": 20.0}, (), "a part is smaller than the whole"),
                Fixture({"pm25_ugm3": 20.0, "pm10_ugm3": 20.0}, ("not_below_pm25_ugm3",), "equal breaks strict"),
                Fixture({"pm25_ugm3": 30.0, "pm10_ugm3": 20.0}, ("not_below_pm25_ugm3",), "greater"),
            ),
        ),
    ),
)

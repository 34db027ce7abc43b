"""A delivered value that cannot be read as its type: text in a number, 31 February, NaN."""

from __future__ import annotations

from quality.rules.base import (
    ALL_TYPES,
    Check,
    Column,
    Example,
    Fixture,
    RowRule,
    RuleContext,
    RuleParams,
    sql_expectation,
)

_NAMES = {
    "integer": "整数",
    "decimal": "数值",
    "double": "数值",
    "boolean": "是/否",
    "date": "日期",
    "timestamp": "日期时间",
    "geometry": "坐标或几何图形",
    "string": "文本",
}


def checks(context: RuleContext, params: RuleParams) -> list[Check]:
    column = context.own()
    failing = f"({column.raw} IS NOT NULL AND {column.sql} IS NULL)"
    typed = f"coalesce(typeof({column.sql}) <> '{column.duckdb_type}', false)"
    if column.type == "double":
        # DuckDB reads "nan" and "inf" as doubles; no measurement is either
        failing = f"({failing} OR coalesce(NOT isfinite({column.sql}), false))"
        typed = f"({typed} OR coalesce(NOT isfinite({column.sql}), false))"
    message = f"{column.label}：无法读作{_NAMES[column.type]}"
    return [Check("type", (column,), failing, message, sql_expectation(typed))]


_NUMBER = Column("rain_mm", "降水量", "double", duckdb_type="DOUBLE")
RULE = RowRule(
    name="type",
    title="数据类型",
    dimension="validity",
    types=ALL_TYPES,
    checks=checks,
    examples=(
        Example(
            columns=(_NUMBER,),
            field="rain_mm",
            fixtures=(
                Fixture({"rain_mm": 1.5, "rain_mm__raw": "1.5"}, (), "a number"),
                Fixture({"rain_mm": None, "rain_mm__raw": None}, (), "no value is not a wrong type"),
                Fixture({"rain_mm": None, "rain_mm__raw": "约三毫米"}, ("type",), "words are no number"),
                Fixture({"rain_mm": float("nan"), "rain_mm__raw": "NaN"}, ("type",), "NaN reads as a double"),
            ),
        ),
    ),
)

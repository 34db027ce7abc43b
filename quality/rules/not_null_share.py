"""Most rows of a delivery have a value: a column that came empty is noticed although single gaps are fine."""

from __future__ import annotations

from pydantic import Field

from quality.rules.base import BatchFixture, BatchRule, BatchStats, Finding, Measure, RuleContext, RuleParams


class Params(RuleParams):
    field: str
    min_pct: float = Field(gt=0, le=100)


def measure(context: RuleContext, params: Params) -> Measure:
    column = context.column(params.field)
    return Measure(
        code=f"{column.name}.not_null_share",
        columns=(column,),
        sql=f"100.0 * count({column.sql}) / nullif(count(*), 0)",
        expectation={
            "type": "expect_column_values_to_not_be_null",
            "kwargs": {"column": column.name, "mostly": params.min_pct / 100},
        },
        message=f"{column.label}：有值的行不足 {params.min_pct:g}%",
    )


def judge(params: Params, stats: BatchStats, observed: float | None) -> Finding:
    if observed is None:
        return Finding(True, None, params.min_pct, None, "没有数据行")
    message = f"有值 {observed:.1f}%，下限 {params.min_pct:g}%"
    return Finding(observed >= params.min_pct, observed, params.min_pct, None, message)


RULE = BatchRule(
    name="not_null_share",
    title="填写率",
    dimension="completeness",
    params=Params,
    measure=measure,
    judge=judge,
    example={"field": "phone", "min_pct": 80},
    fixtures=(
        BatchFixture({}, 80.0, False, "exactly enough"),
        BatchFixture({}, 79.9, True, "too few"),
        BatchFixture({}, None, False, "no rows"),
    ),
)

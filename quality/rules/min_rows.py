"""A delivery has at least so many records."""

from __future__ import annotations

from pydantic import Field

from quality.rules.base import BatchFixture, BatchRule, BatchStats, Finding, Measure, RuleContext, RuleParams


class Params(RuleParams):
    rows: int = Field(ge=1)


def measure(context: RuleContext, params: Params) -> Measure:
    return Measure(code="min_rows", message=f"记录数少于 {params.rows}")


def judge(params: Params, stats: BatchStats, observed: float | None) -> Finding:
    good = stats.rows_found >= params.rows
    return Finding(good, stats.rows_found, params.rows, None, f"收到 {stats.rows_found} 行，至少 {params.rows} 行")


RULE = BatchRule(
    name="min_rows",
    title="最少记录数",
    dimension="completeness",
    params=Params,
    measure=measure,
    judge=judge,
    example={"rows": 15},
    fixtures=(
        BatchFixture({"rows_found": 15}, None, False, "exactly enough"),
        BatchFixture({"rows_found": 14}, None, True, "one too few"),
    ),
)

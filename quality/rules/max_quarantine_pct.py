"""So many rows fail that the delivery as a whole cannot be trusted."""

from __future__ import annotations

from pydantic import Field

from quality.rules.base import BatchFixture, BatchRule, BatchStats, Finding, Measure, RuleContext, RuleParams


class Params(RuleParams):
    max_pct: float = Field(ge=0, le=100)


def measure(context: RuleContext, params: Params) -> Measure:
    return Measure(code="max_quarantine_pct", message=f"隔离行超过 {params.max_pct:g}%")


def judge(params: Params, stats: BatchStats, observed: float | None) -> Finding:
    share = 100.0 * stats.rows_quarantined / stats.rows_found if stats.rows_found else 0.0
    message = f"隔离 {stats.rows_quarantined} 行，占 {share:.1f}%，上限 {params.max_pct:g}%"
    return Finding(share <= params.max_pct, share, None, params.max_pct, message)


RULE = BatchRule(
    name="max_quarantine_pct",
    title="隔离比例",
    dimension="validity",
    params=Params,
    measure=measure,
    judge=judge,
    example={"max_pct": 30},
    fixtures=(
        BatchFixture({"rows_found": 10, "rows_quarantined": 3}, None, False, "exactly at the bound"),
        BatchFixture({"rows_found": 10, "rows_quarantined": 4}, None, True, "above it"),
        BatchFixture({"rows_found": 0}, None, False, "no rows, no share"),
    ),
)

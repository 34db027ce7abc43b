"""Values of several columns together stand once in a delivery."""

from __future__ import annotations

from pydantic import Field

from quality.rules.base import BatchFixture, BatchRule, BatchStats, Finding, Measure, RuleContext, RuleParams


class Params(RuleParams):
    columns: tuple[str, ...] = Field(min_length=1)
    max_repeated: int = Field(default=0, ge=0)


def measure(context: RuleContext, params: Params) -> Measure:
    columns = tuple(context.column(name) for name in params.columns)
    names = ", ".join(c.sql for c in columns)
    distinct = f"count(DISTINCT {names})" if len(columns) == 1 else f"count(DISTINCT ({names}))"
    given = " AND ".join(f"{c.sql} IS NOT NULL" for c in columns)
    return Measure(
        code=f"{'_'.join(params.columns)}.unique",
        columns=columns,
        sql=f"count(*) FILTER (WHERE {given}) - {distinct} FILTER (WHERE {given})",
        hashed=f"CASE WHEN {given} THEN hash({names}) END",
        message=f"{'、'.join(c.label for c in columns)}：有重复",
    )


def judge(params: Params, stats: BatchStats, observed: float | None) -> Finding:
    repeated = observed or 0
    limit = params.max_repeated
    return Finding(repeated <= limit, repeated, None, limit, f"重复 {repeated:.0f} 行，允许 {limit} 行")


RULE = BatchRule(
    name="unique",
    title="唯一",
    dimension="uniqueness",
    params=Params,
    measure=measure,
    judge=judge,
    example={"columns": ["order_id"]},
    fixtures=(
        BatchFixture({}, 0, False, "every value once"),
        BatchFixture({}, 3, True, "three repeated"),
    ),
)

"""The newest value of a date or instant is too old for a delivery that has just arrived."""

from __future__ import annotations

from pydantic import Field

from quality.rules.base import BatchFixture, BatchRule, BatchStats, Finding, Measure, RuleContext, RuleParams


class Params(RuleParams):
    field: str
    max_age_hours: float = Field(gt=0)


def measure(context: RuleContext, params: Params) -> Measure:
    column = context.column(params.field, "date", "timestamp")
    newest = f"max({column.sql})"
    if column.type == "date":
        # a day is over at midnight in Beijing
        newest = f"timezone('Asia/Shanghai', ({newest} + INTERVAL 1 DAY)::TIMESTAMP)"
    return Measure(
        code=f"{column.name}.freshness",
        columns=(column,),
        sql=f"epoch({newest})",
        message=f"{column.label}：最新的一条早于到达时间 {params.max_age_hours:g} 小时以上",
    )


def judge(params: Params, stats: BatchStats, observed: float | None) -> Finding:
    """``observed``: newest instant, seconds since 1970-01-01 UTC."""
    limit = params.max_age_hours
    if observed is None:
        return Finding(stats.rows_accepted == 0, None, None, limit, "没有可用的时间")
    age = max(0.0, (stats.arrived_at.timestamp() - observed) / 3600)
    return Finding(age <= limit, age, None, limit, f"最新数据距到达 {age:.1f} 小时，上限 {limit:g} 小时")


_ARRIVED = 1_767_225_600  # 2026-01-01T00:00:00Z, the arrival in fixtures
RULE = BatchRule(
    name="freshness",
    title="时效",
    dimension="timeliness",
    params=Params,
    measure=measure,
    judge=judge,
    example={"field": "called_at", "max_age_hours": 24},
    fixtures=(
        BatchFixture({"rows_accepted": 1}, _ARRIVED - 24 * 3600, False, "exactly a day"),
        BatchFixture({"rows_accepted": 1}, _ARRIVED - 25 * 3600, True, "an hour too old"),
        BatchFixture({"rows_accepted": 1}, None, True, "no instant at all"),
        BatchFixture({"rows_accepted": 0}, None, False, "no rows, no age"),
    ),
)

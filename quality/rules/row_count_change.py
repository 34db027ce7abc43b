"""The delivery is much smaller (or larger) than the one before: half a register was sent."""

from __future__ import annotations

from pydantic import Field, model_validator

from quality.rules.base import BatchFixture, BatchRule, BatchStats, Finding, Measure, RuleContext, RuleParams


class Params(RuleParams):
    """Percent of the previous delivery's rows; the first delivery has nothing to be compared with."""

    max_drop_pct: float | None = Field(default=None, ge=0, le=100)
    max_rise_pct: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _one(self) -> Params:
        if self.max_drop_pct is None and self.max_rise_pct is None:
            raise ValueError("give max_drop_pct, max_rise_pct or both")
        return self


def measure(context: RuleContext, params: Params) -> Measure:
    return Measure(code="row_count_change", message="记录数与上一批相比变化过大")


def judge(params: Params, stats: BatchStats, observed: float | None) -> Finding:
    low = None if params.max_drop_pct is None else -params.max_drop_pct
    high = params.max_rise_pct
    if not stats.previous_rows:
        return Finding(True, None, low, high, f"首批，共 {stats.rows_found} 行，无可比较")
    change = 100.0 * (stats.rows_found - stats.previous_rows) / stats.previous_rows
    good = (low is None or change >= low) and (high is None or change <= high)
    message = f"上批 {stats.previous_rows} 行，本批 {stats.rows_found} 行，变化 {change:+.1f}%"
    return Finding(good, change, low, high, message)


RULE = BatchRule(
    name="row_count_change",
    title="记录数变化",
    dimension="completeness",
    params=Params,
    measure=measure,
    judge=judge,
    example={"max_drop_pct": 20},
    fixtures=(
        BatchFixture({"rows_found": 80, "previous_rows": 100}, None, False, "exactly at the bound"),
        BatchFixture({"rows_found": 79, "previous_rows": 100}, None, True, "one more missing"),
        BatchFixture({"rows_found": 5, "previous_rows": None}, None, False, "first delivery"),
        BatchFixture({"rows_found": 500, "previous_rows": 100}, None, False, "growth is not bounded here"),
    ),
)

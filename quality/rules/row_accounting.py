"""Every record found is accepted, quarantined or skipped: nothing vanishes and nothing appears."""

from __future__ import annotations

from quality.rules.base import BatchFixture, BatchRule, BatchStats, Finding, Measure, RuleContext, RuleParams


def measure(context: RuleContext, params: RuleParams) -> Measure:
    return Measure(code="row_accounting", sql="count(*)", message="行数不平：收到 ≠ 入库 + 隔离 + 跳过")


def judge(params: RuleParams, stats: BatchStats, observed: float | None) -> Finding:
    lost = stats.rows_found - stats.rows_accepted - stats.rows_quarantined - stats.rows_skipped
    differ = 0.0 if observed is None else observed - stats.rows_accepted
    message = (
        f"收到 {stats.rows_found} = 入库 {stats.rows_accepted} + 隔离 {stats.rows_quarantined}"
        f" + 跳过 {stats.rows_skipped}，差 {lost}；表中多出 {differ:.0f}"
    )
    return Finding(lost == 0 and differ == 0, abs(lost) + abs(differ), None, 0, message)


RULE = BatchRule(
    name="row_accounting",
    title="行数平衡",
    dimension="completeness",
    party="platform",
    measure=measure,
    judge=judge,
    fixtures=(
        BatchFixture(
            {"rows_found": 10, "rows_accepted": 7, "rows_quarantined": 2, "rows_skipped": 1}, 7, False, "adds up"
        ),
        BatchFixture(
            {"rows_found": 10, "rows_accepted": 7, "rows_quarantined": 2, "rows_skipped": 0}, 7, True, "one lost"
        ),
        BatchFixture({"rows_found": 10, "rows_accepted": 10}, 9, True, "the table lacks an accepted row"),
    ),
)

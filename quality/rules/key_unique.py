"""After deduplication no two accepted rows carry one key: a breach is the platform's fault, never the source's."""

from __future__ import annotations

from quality.rules.base import (
    BatchFixture,
    BatchRule,
    BatchStats,
    Finding,
    Measure,
    RuleContext,
    RuleParams,
    RuleRefused,
)


def measure(context: RuleContext, params: RuleParams) -> Measure:
    if not context.key:
        raise RuleRefused("this feed has no load key", "set load.key, or use the rule unique with columns")
    columns = tuple(context.column(name) for name in context.key)
    names = ", ".join(c.sql for c in columns)
    distinct = f"count(DISTINCT {names})" if len(columns) == 1 else f"count(DISTINCT ({names}))"
    given = " OR ".join(f"{c.sql} IS NOT NULL" for c in columns)
    return Measure(
        code="key_unique",
        columns=columns,
        sql=f"count(*) FILTER (WHERE {given}) - {distinct} FILTER (WHERE {given})",
        hashed=f"CASE WHEN {given} THEN hash({names}) END",
        message=f"主键（{'、'.join(c.label for c in columns)}）在去重后仍有重复",
    )


def judge(params: RuleParams, stats: BatchStats, observed: float | None) -> Finding:
    repeated = observed or 0
    return Finding(repeated == 0, repeated, None, 0, f"去重后仍重复 {repeated:.0f} 行")


RULE = BatchRule(
    name="key_unique",
    title="主键唯一",
    dimension="uniqueness",
    party="platform",
    measure=measure,
    judge=judge,
    fixtures=(
        BatchFixture({}, 0, False, "every key once"),
        BatchFixture({}, 1, True, "one key twice"),
    ),
)

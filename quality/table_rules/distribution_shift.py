"""The distribution of a column over its categories does not shift against earlier builds.

Population stability index: below 0.1 as before, from 0.25 on a marked change (a rule of thumb of credit scoring).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from quality.sql import quote
from quality.table_rules.base import (
    RuleParams,
    TableCheck,
    TableColumn,
    TableContext,
    TableExample,
    TableFixture,
    TableRule,
    expectation,
)

MOST = 300
"""Categories that are told apart; a column with more is no code."""


class Params(RuleParams):
    """``method``: ``psi`` or ``tv`` (total variation, 0-1); ``limit``: from it on; below ``min_rows`` none is asked."""

    column: str
    method: Literal["psi", "tv"] = "psi"
    limit: float = Field(default=0.25, gt=0)
    min_rows: int = Field(default=100, ge=1)


def checks(context: TableContext, params: Params) -> list[TableCheck]:
    c = context.column(params.column)
    # categories are kept hashed, whether one is another is all that is asked of them: each once, not in every row
    values = f"SELECT {c.sql} AS v, count(*) AS n FROM {quote(context.relation)} GROUP BY {c.sql}"  # noqa: S608 - quoted names
    statement = (
        f"SELECT left(md5(coalesce(v::VARCHAR, '')), 8) AS category, sum(n)::BIGINT AS n FROM ({values}) "  # noqa: S608
        f"GROUP BY category ORDER BY n DESC, category LIMIT {MOST}"
    )
    found = expectation(
        "expect_distribution_not_to_shift",
        statement=statement,
        column=c.name,
        **{k: getattr(params, k) for k in ("method", "limit", "min_rows")},
    )
    message = f"{c.label}：分布与以往相比明显变化（{params.method.upper()} 不小于 {params.limit:g}）"
    return [TableCheck(f"{c.name}.distribution_shift", (c,), message, found, evidence="history", asked="table")]


_HALVES = {"0cc175b9": 0.5, "92eb5ffe": 0.5}  # md5 of a and of b
_A, _B = ("a",), ("b",)
RULE = TableRule(
    name="distribution_shift",
    title="分布变化",
    dimension="accuracy",
    severity="warn",
    party="source",
    implied=True,
    params=Params,
    checks=checks,
    examples=(
        TableExample(
            columns=(TableColumn("sex_code", "性别"),),
            params={"column": "sex_code", "min_rows": 4},
            fixtures=(
                TableFixture((_A, _A, _A, _A), (), "the first build"),
                TableFixture((_A, _A, _B, _B), (), "as before", evidence={"history": [_HALVES]}),
                TableFixture(
                    (_A, _A, _A, _A), ("sex_code.distribution_shift",), "b is gone", evidence={"history": [_HALVES]}
                ),
                TableFixture((_A, _A), (), "too few rows", evidence={"history": [_HALVES]}),
            ),
        ),
        TableExample(
            columns=(TableColumn("sex_code", "性别"),),
            params={"column": "sex_code", "method": "tv", "limit": 0.3, "min_rows": 1},
            fixtures=(
                TableFixture((_A, _A, _A, _B), (), "a quarter has moved", evidence={"history": [_HALVES]}),
                TableFixture((_A,), ("sex_code.distribution_shift",), "a half has", evidence={"history": [_HALVES]}),
            ),
        ),
    ),
)

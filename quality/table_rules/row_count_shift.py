"""A table does not have far more or fewer rows than its earlier builds."""

from __future__ import annotations

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


class Params(RuleParams):
    """``max_change_pct`` against the median of earlier builds; ``max_z`` standard deviations, with five or more."""

    max_change_pct: float = Field(default=50.0, gt=0)
    max_z: float | None = Field(default=None, gt=0)


def checks(context: TableContext, params: Params) -> list[TableCheck]:
    statement = f"SELECT count(*) FROM {quote(context.relation)}"  # noqa: S608 - quoted name
    found = expectation(
        "expect_number_not_to_shift",
        statement=statement,
        max_change_pct=params.max_change_pct,
        max_z=params.max_z,
    )
    message = f"行数与以往相比变化超过 {params.max_change_pct:g}%"
    return [TableCheck("row_count_shift", (), message, found, evidence="history", asked="count")]


RULE = TableRule(
    name="row_count_shift",
    title="行数变化",
    dimension="completeness",
    severity="warn",
    party="source",
    implied=True,
    at=("library", "mart", "release"),
    params=Params,
    checks=checks,
    examples=(
        TableExample(
            columns=(TableColumn("code", "代码"),),
            fixtures=(
                TableFixture((("a",),), (), "the first build"),
                TableFixture((("a",), ("b",)), (), "as before", evidence={"history": [2.0, 3.0]}),
                TableFixture((("a",),), ("row_count_shift",), "a tenth is left", evidence={"history": [10.0]}),
                TableFixture((), ("row_count_shift",), "all is gone", evidence={"history": [10.0]}),
            ),
        ),
        TableExample(
            columns=(TableColumn("code", "代码"),),
            params={"max_change_pct": 1000, "max_z": 3},
            fixtures=(
                TableFixture(
                    (("a",),) * 12, ("row_count_shift",), "twelve, where ten is usual", evidence={"history": [10.0] * 5}
                ),
                TableFixture((("a",),) * 12, (), "four builds are too few", evidence={"history": [10.0] * 4}),
            ),
        ),
    ),
)

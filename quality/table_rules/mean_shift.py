"""The mean of a number does not stray from its earlier builds."""

from __future__ import annotations

from pydantic import Field, model_validator

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

    column: str
    max_change_pct: float | None = Field(default=None, gt=0)
    max_z: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one(self) -> Params:
        if self.max_change_pct is None and self.max_z is None:
            raise ValueError("give max_change_pct or max_z")
        return self


def checks(context: TableContext, params: Params) -> list[TableCheck]:
    c = context.column(params.column)
    statement = f"SELECT avg({c.sql}::DOUBLE) FROM {quote(context.relation)}"  # noqa: S608 - quoted names
    limits = {"max_change_pct": params.max_change_pct, "max_z": params.max_z}
    found = expectation("expect_number_not_to_shift", statement=statement, column=c.name, **limits)
    code = f"{c.name}.mean_shift"
    return [TableCheck(code, (c,), f"{c.label}：均值与以往相比明显变化", found, evidence="history", asked="table")]


RULE = TableRule(
    name="mean_shift",
    title="均值变化",
    dimension="accuracy",
    severity="warn",
    party="source",
    params=Params,
    checks=checks,
    examples=(
        TableExample(
            columns=(TableColumn("score", "得分", type="double"),),
            params={"column": "score", "max_change_pct": 10},
            fixtures=(
                TableFixture(((80.0,), (90.0,)), (), "the first build"),
                TableFixture(((80.0,), (90.0,)), (), "near enough", evidence={"history": [84.0, 85.0]}),
                TableFixture(((80.0,), (90.0,)), ("score.mean_shift",), "far off", evidence={"history": [50.0]}),
                TableFixture((), (), "no rows, no mean", evidence={"history": [50.0]}),
            ),
        ),
    ),
)

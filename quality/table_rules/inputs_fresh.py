"""What a table is made of is not older than the contracts of its feeds allow."""

from __future__ import annotations

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


def checks(context: TableContext, params: RuleParams) -> list[TableCheck]:
    if not context.inputs:
        return []
    message = "所依据的资源已逾期"
    found = expectation("expect_inputs_to_be_fresh")
    return [TableCheck("inputs_fresh", (), message, found, evidence="inputs", asked="inputs")]


RULE = TableRule(
    name="inputs_fresh",
    title="来源时效",
    dimension="timeliness",
    severity="warn",
    party="source",
    implied=True,
    checks=checks,
    examples=(
        TableExample(
            columns=(TableColumn("code", "代码"),),
            inputs=("water__rain_gauges",),
            fixtures=(
                TableFixture((("a",),), (), "none is late", evidence={"observed": 0}),
                TableFixture((("a",),), (), "never arrived, never late: nobody has measured"),
                TableFixture(
                    (("a",),),
                    ("inputs_fresh",),
                    "one is late",
                    evidence={"observed": 1, "detail": {"water__rain_gauges": 50.0}},
                ),
            ),
        ),
    ),
)

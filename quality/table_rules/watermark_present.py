"""A file copy that needs a watermark carries that of its recipient: it was read back and named them alone."""

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
    found = expectation("expect_watermark_to_be_present")
    return [TableCheck("watermark_present", (), "副本中读不出接收方的水印", found, evidence="watermark")]


RULE = TableRule(
    name="watermark_present",
    title="水印在",
    dimension="validity",
    severity="stop",
    party="platform",
    at=("release",),
    checks=checks,
    examples=(
        TableExample(
            columns=(TableColumn("hours", "时长", type="double"),),
            checkpoint="release",
            fixtures=(
                TableFixture(((1.5,),), (), "read back", evidence={"observed": 1}),
                TableFixture(((1.5,),), ("watermark_present",), "not found", evidence={"observed": 0}),
                TableFixture(((1.5,),), ("watermark_present",), "nobody has looked"),
            ),
        ),
    ),
)

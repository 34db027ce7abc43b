"""The very bytes that leave hold nothing of a higher grade than their columns: the whole file was scanned."""

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
    # of any type: in a file all are texts
    columns = tuple(context.columns.values())
    found = expectation(
        "expect_no_content_above_grade",
        relation=context.relation,
        columns=[c.name for c in columns],
        sample=0,
        # what is no personal data (grade 1 and 2 content) is held to its grade by lineage, not by looks
        grades={c.name: max(c.grade, 2) for c in columns},
    )
    return [TableCheck("content_scanned", columns, "列中含有高于其级别的内容", found, evidence="content")]


RULE = TableRule(
    name="content_scanned",
    title="离开的字节不含敏感内容",
    dimension="validity",
    severity="stop",
    party="platform",
    at=("release",),
    implied=True,
    checks=checks,
    examples=(
        TableExample(
            columns=(TableColumn("remark", "备注", grade=1),),
            checkpoint="release",
            fixtures=(
                TableFixture((("月坛南街",),), (), "nothing personal"),
                TableFixture((("11010519491231002X",),), ("content_scanned",), "a resident ID"),
            ),
        ),
    ),
)

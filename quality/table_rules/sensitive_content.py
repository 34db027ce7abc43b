"""The content of a column is not of a higher grade than the column: the scanner's view of a sample."""

from __future__ import annotations

from pydantic import Field

from quality.content import IDENTIFIERS
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
    """``sample``: rows that are looked at, 0 for all."""

    sample: int = Field(default=1000, ge=0)


def checks(context: TableContext, params: Params) -> list[TableCheck]:
    columns = tuple(c for c in context.texts if c.grade < 3)
    if not columns:
        return []
    asked = {
        "relation": context.relation,
        "columns": [c.name for c in columns],
        "sample": params.sample,
        "grades": {c.name: c.grade for c in columns},
    }
    name = "expect_no_content_above_grade"
    proven = expectation(name, **asked, kinds=list(IDENTIFIERS))
    likely = expectation(name, **asked, but=list(IDENTIFIERS))
    graver, lighter = "抽样扫描：列中含有高于其级别的号码", "抽样扫描：列中像是含有高于其级别的内容"
    return [
        TableCheck("content.identifiers", columns, graver, proven, severity="stop", asked="sample"),
        TableCheck("content.likely", columns, lighter, likely, severity="warn", asked="sample"),
    ]


_CARD = "6222021234567890128"
RULE = TableRule(
    name="sensitive_content",
    title="内容不高于级别",
    dimension="validity",
    severity="stop",
    party="platform",
    implied=True,
    params=Params,
    checks=checks,
    examples=(
        TableExample(
            columns=(
                TableColumn("bank_account", "账号", grade=1),
                TableColumn("applicant_person_name", "姓名", grade=2),
            ),
            fixtures=(
                TableFixture(((None, None), ("甲", None)), (), "nothing to be found"),
                TableFixture(((_CARD, None),), ("content.identifiers",), "a bank card in a column of grade 1"),
                TableFixture(((None, "张三"), (None, "李四光")), ("content.likely",), "names in a column of grade 2"),
            ),
        ),
    ),
)

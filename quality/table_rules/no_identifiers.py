"""No resident ID and no mobile number stands in a column graded below them: every value of every text column."""

from __future__ import annotations

from quality.content import identifiers_sql
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

PERSONAL_GRADE = 3


def checks(context: TableContext, params: RuleParams) -> list[TableCheck]:
    columns = tuple(c for c in context.texts if c.grade < PERSONAL_GRADE)
    if not columns:
        return []
    statement = identifiers_sql(context.relation, [c.name for c in columns])
    found = expectation("expect_no_identifier_in_columns", statement=statement)
    return [
        TableCheck(
            "no_identifiers", columns, "列的级别低于三级，内容却含身份号码或手机号码", found, asked="identifiers"
        )
    ]


_NOTE = (TableColumn("note", "备注", grade=1), TableColumn("caller", "来电", grade=3))
RULE = TableRule(
    name="no_identifiers",
    title="低级别列不含身份号码",
    dimension="validity",
    severity="stop",
    party="platform",
    implied=True,
    checks=checks,
    examples=(
        TableExample(
            columns=_NOTE,
            fixtures=(
                TableFixture((("月坛南街12号", "11010519491231002X"),), (), "an ID of grade 3 where it belongs"),
                TableFixture((("见11010519491231002X一案", None),), ("no_identifiers",), "one ID inside a text"),
                TableFixture((("11010519491231002XF0", None),), ("no_identifiers",), "an ID inside a tax number"),
                TableFixture((("110102201903150012", None),), (), "a permit number fails the check"),
                TableFixture((("13801234567", None),) * 3, ("no_identifiers",), "mobile numbers"),
                TableFixture((("13801234567", None), *((f"{n}", None) for n in range(20000000000, 20000000009))), (),
                             "one of ten serial numbers looks like a mobile number"),
                TableFixture(((None, None),), (), "nothing"),
            ),
        ),
        TableExample(
            columns=(TableColumn("caller", "来电", grade=3),),
            fixtures=(TableFixture((("11010519491231002X",),), (), "no column of a low grade: nothing is asked"),),
        ),
    ),
)  # fmt: skip

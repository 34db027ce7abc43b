"""Every value of a masked column can have come out of its mask: a raw value among them is seen."""

from __future__ import annotations

from quality.masks.registry import get_mask
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


def checks(context: TableContext, params: RuleParams) -> list[TableCheck]:
    out = []
    for name, (mask_name, mask_params) in context.masks.items():
        c, mask = context.column(name), get_mask(mask_name)
        failing = f"count_if(NOT {mask.holds_sql(c.sql, mask_params)})"
        statement = f"SELECT {failing} FROM {quote(context.relation)}"  # noqa: S608 - quoted name
        found = expectation("expect_mask_to_be_applied", statement=statement, column=c.name)
        out.append(TableCheck(f"{c.name}.mask_applied", (c,), f"{c.label}：有值未经“{mask.title}”脱敏", found))
    return out


_COLUMNS = (TableColumn("person_name", "姓名", grade=2), TableColumn("phone", "电话", grade=2))
RULE = TableRule(
    name="mask_applied",
    title="脱敏已执行",
    dimension="validity",
    severity="stop",
    party="platform",
    at=("release",),
    implied=True,
    checks=checks,
    examples=(
        TableExample(
            columns=_COLUMNS,
            checkpoint="release",
            masks={"person_name": ("partial_name", {}), "phone": ("hash", {})},
            fixtures=(
                TableFixture((("张*", "ab" * 32), (None, None)), (), "both are masked"),
                TableFixture((("张三", "ab" * 32),), ("person_name.mask_applied",), "a name as it is"),
                TableFixture((("张*", "13801234567"),), ("phone.mask_applied",), "a number as it is"),
            ),
        ),
    ),
)

"""Every reference leads somewhere: the values of a column exist as keys of another table (referential integrity)."""

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
    relation_of,
)


class Params(RuleParams):
    """``to``: ``schema.table`` of a library or mart; ``field``: its column, by default of the same name."""

    column: str
    to: str = Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")
    field: str = ""


def checks(context: TableContext, params: Params) -> list[TableCheck]:
    c = context.column(params.column)
    name = params.field or c.name
    own, other, field = quote(context.relation), quote(relation_of(params.to)), quote(name)
    statement = (
        f"SELECT count(*) FROM {own} AS own ANTI JOIN {other} AS other ON own.{c.sql} = other.{field} "  # noqa: S608
        f"WHERE own.{c.sql} IS NOT NULL"
    )
    found = expectation("expect_references_to_exist", statement=statement, column=c.name)
    message = f"{c.label}：在 {params.to} 中找不到对应记录"
    return [TableCheck(f"{c.name}.reference", (c,), message, found, needs=(params.to,), asked="reference", field=name)]


RULE = TableRule(
    name="reference",
    title="引用完整",
    dimension="consistency",
    severity="stop",
    party="platform",
    implied=True,
    params=Params,
    checks=checks,
    examples=(
        TableExample(
            columns=(TableColumn("household_key", "户主键"),),
            params={"column": "household_key", "to": "population.households"},
            fixtures=(
                TableFixture(
                    (("h1",), ("h2",), (None,)),
                    (),
                    "all are there, and nothing refers to nothing",
                    others={"population.households": ("household_key", ("h1", "h2"))},
                ),
                TableFixture(
                    (("h1",), ("h3",)),
                    ("household_key.reference",),
                    "one is missing",
                    others={"population.households": ("household_key", ("h1", None))},
                ),
            ),
        ),
    ),
)

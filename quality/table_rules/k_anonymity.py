"""Nobody can be told apart from fewer than k persons by columns that identify in combination (k-anonymity)."""

from __future__ import annotations

from pydantic import Field

from catalog.model import Anonymity
from quality.anonymity import groups_sql
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
    """``quasi``: columns that identify in combination; ``count``: column with the persons of a row."""

    quasi: tuple[str, ...] = Field(min_length=1)
    k: int = Field(ge=2)
    count: str | None = None


def checks(context: TableContext, params: Params) -> list[TableCheck]:
    columns = tuple(context.column(name) for name in params.quasi)
    if params.count:
        context.column(params.count)
    spec = Anonymity(quasi=params.quasi, k=params.k, count=params.count)
    found = expectation("expect_groups_to_have_k_persons", statement=groups_sql(quote(context.relation), spec))
    label = "、".join(c.label for c in columns)
    return [TableCheck("k_anonymity", columns, f"按{label}划分，有的组不足 {params.k} 人（k-匿名）", found)]


RULE = TableRule(
    name="k_anonymity",
    title="k-匿名",
    dimension="validity",
    severity="stop",
    party="platform",
    at=("library", "mart", "release"),
    params=Params,
    checks=checks,
    examples=(
        TableExample(
            columns=(TableColumn("street", "街道"), TableColumn("birth_date", "出生日期"), TableColumn("sex", "性别")),
            params={"quasi": ["street", "birth_date", "sex"], "k": 2},
            fixtures=(
                TableFixture((("s", "1990", "1"),) * 2, (), "two alike"),
                TableFixture(
                    (("s", "1990", "1"), ("s", "1990", "2")), ("k_anonymity",), "street, birth date and sex name one"
                ),
                TableFixture((), (), "nobody"),
            ),
        ),
        TableExample(
            columns=(TableColumn("street", "街道"), TableColumn("n", "人数", type="integer")),
            params={"quasi": ["street"], "k": 5, "count": "n"},
            fixtures=(
                TableFixture((("s", 5), ("t", None)), (), "five; an empty count holds nobody"),
                TableFixture((("s", 4), ("t", 9)), ("k_anonymity",), "four"),
            ),
        ),
    ),
)

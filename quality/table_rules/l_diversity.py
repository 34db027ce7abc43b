"""No group betrays the sensitive value of its members: it has at least l of them (l-diversity)."""

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
    """``quasi``: columns that identify in combination; ``sensitive``: the column that must not be read off."""

    quasi: tuple[str, ...] = Field(min_length=1)
    sensitive: str
    l: int = Field(ge=2)  # noqa: E741 - its name in the literature
    count: str | None = None


def checks(context: TableContext, params: Params) -> list[TableCheck]:
    columns = tuple(context.column(name) for name in (*params.quasi, params.sensitive))
    spec = Anonymity(quasi=params.quasi, k=2, count=params.count, sensitive=params.sensitive, l=params.l)
    found = expectation("expect_groups_to_have_l_values", statement=groups_sql(quote(context.relation), spec))
    message = f"有的组中{columns[-1].label}不足 {params.l} 种取值，可被推知（l-多样性）"
    return [TableCheck("l_diversity", columns, message, found)]


RULE = TableRule(
    name="l_diversity",
    title="l-多样性",
    dimension="validity",
    severity="stop",
    party="platform",
    at=("library", "mart", "release"),
    params=Params,
    checks=checks,
    examples=(
        TableExample(
            columns=(TableColumn("street", "街道"), TableColumn("illness", "病种")),
            params={"quasi": ["street"], "sensitive": "illness", "l": 2},
            fixtures=(
                TableFixture((("s", "a"), ("s", "b")), (), "two values"),
                TableFixture((("s", "a"), ("s", "a")), ("l_diversity",), "whoever lives there has it"),
                TableFixture((("s", "a"), ("s", None)), (), "an empty value is one"),
            ),
        ),
    ),
)

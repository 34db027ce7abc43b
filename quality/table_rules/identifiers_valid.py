"""Identifiers have their form and pass their check character."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from quality.identifiers import is_org_code_sql, is_phone_sql, is_resident_id_sql, is_uscc_sql
from quality.table_rules.base import (
    Asked,
    RuleParams,
    TableCheck,
    TableColumn,
    TableContext,
    TableExample,
    TableFixture,
    TableRule,
    expectation,
)

_KINDS: dict[str, tuple[str, Callable[[str], str]]] = {
    "uscc": ("统一社会信用代码", is_uscc_sql),
    "org_code": ("组织机构代码", is_org_code_sql),
    "resident_id": ("公民身份号码", is_resident_id_sql),
    "phone": ("电话号码", is_phone_sql),
}


class Params(RuleParams):
    """``max_pct``: share of values that may be wrong, for registers with a known past."""

    column: str
    kind: Literal["uscc", "org_code", "resident_id", "phone"]
    max_pct: float = 0.0


def checks(context: TableContext, params: Params) -> list[TableCheck]:
    c = context.column(params.column)
    title, valid = _KINDS[params.kind]
    failing = f"count_if({c.sql} IS NOT NULL AND NOT {valid(c.sql)})"
    allowed = ""
    if params.max_pct:
        failing = f"CASE WHEN 100.0 * {failing} > {params.max_pct!r} * count({c.sql}) THEN {failing} ELSE 0 END"
        allowed = f"的超过 {params.max_pct:g}%"
    found = expectation("expect_identifiers_to_be_valid", aggregate=failing, column=c.name)
    message = f"{c.label}：不是有效的{title}{allowed}"
    asked: Asked = "whole" if params.max_pct else "rows"  # a share is one of all rows
    return [TableCheck(f"{c.name}.identifiers_valid", (c,), message, found, asked=asked)]


RULE = TableRule(
    name="identifiers_valid",
    title="标识号码有效",
    dimension="validity",
    severity="warn",
    party="source",
    params=Params,
    checks=checks,
    examples=(
        TableExample(
            columns=(TableColumn("uscc", "统一社会信用代码"),),
            params={"column": "uscc", "kind": "uscc"},
            fixtures=(
                TableFixture((("91350100M000100Y43",), (None,)), (), "a valid code, and nothing"),
                TableFixture((("91350100M000100Y44",),), ("uscc.identifiers_valid",), "its check is wrong"),
            ),
        ),
        TableExample(
            columns=(TableColumn("uscc", "统一社会信用代码"),),
            params={"column": "uscc", "kind": "uscc", "max_pct": 60},
            fixtures=(
                TableFixture((("91350100M000100Y43",), ("91350100M000100Y44",)), (), "half may be wrong"),
                TableFixture((("91350100M000100Y44",),), ("uscc.identifiers_valid",), "but not all"),
            ),
        ),
    ),
)

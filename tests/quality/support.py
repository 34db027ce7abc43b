"""Helpers shared by the tests of rules and gate."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb

from catalog.model import RuleUse
from quality.rules import BatchStats, CompiledRule, RowRule, all_rules, compile_use
from quality.rules.base import Example, RuleContext

ARRIVED = datetime(2026, 1, 1, tzinfo=UTC)


def row_examples() -> Iterator[tuple[str, RowRule, Example]]:
    for name, rule in all_rules().items():
        if isinstance(rule, RowRule):
            for i, example in enumerate(rule.examples):
                yield f"{name}-{i}", rule, example


def compile_example(rule: RowRule, example: Example) -> list[CompiledRule]:
    context = RuleContext(columns={c.name: c for c in example.columns}, as_of=example.as_of)
    field = context.columns[example.field] if example.field else None
    return compile_use(RuleUse(rule=rule.name, params=example.params), context, field)


def stage(con: duckdb.DuckDBPyConnection, table: str, example: Example) -> None:
    """The example's fixtures as a staged table: every column typed and raw, `_row_number` from 1."""
    columns = ", ".join(f'"{c.name}" {c.duckdb_type}, "{c.name}__raw" VARCHAR' for c in example.columns)
    con.execute(f'create table "{table}" (_row_number bigint, {columns})')
    for n, fixture in enumerate(example.fixtures, start=1):
        values: list[Any] = [n]
        for column in example.columns:
            value = fixture.row.get(column.name)
            values += [value, fixture.row.get(f"{column.name}__raw", None if value is None else str(value))]
        con.execute(f'insert into "{table}" values ({", ".join("?" * len(values))})', values)


def stats(**changes: Any) -> BatchStats:
    base: dict[str, Any] = {
        "feed": "water__rain_gauges",
        "receipt": "r1",
        "rows_found": 0,
        "rows_accepted": 0,
        "rows_quarantined": 0,
        "rows_skipped": 0,
        "arrived_at": ARRIVED,
    }
    return BatchStats(**{**base, **changes})

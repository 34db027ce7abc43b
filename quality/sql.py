"""Names and literals in SQL text. Values of data never come here: only what a validated contract says."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime


def quote(identifier: str) -> str:
    """``identifier`` as a quoted SQL name."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(value: str | int | float | date | datetime) -> str:
    """A constant of a contract as DuckDB SQL."""
    if isinstance(value, datetime):
        return f"TIMESTAMPTZ '{value.isoformat()}'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "'" + str(value).replace("'", "''") + "'"
    return repr(value)


def literals(values: Iterable[str | int | float | date | datetime]) -> str:
    """``(a, b, c)`` for an IN."""
    return "(" + ", ".join(literal(v) for v in values) + ")"

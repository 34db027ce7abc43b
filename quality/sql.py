"""Names and literals in SQL text. Values of data never come here: only what a validated contract says."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

_SHORT = 16
"""A list of codes up to this length is compared faster than it is looked up."""


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


def not_among(expr: str, codes: Iterable[str]) -> str:
    """SQL: whether the text ``expr`` is none of ``codes``; not true where there is no value.

    DuckDB compares a value with an IN list one by one; a long list is looked up as the dictionary of an ENUM.
    """
    codes = list(dict.fromkeys(codes))
    if len(codes) <= _SHORT:
        return f"{expr} NOT IN {literals(codes)}"
    return f"({expr} IS NOT NULL AND TRY_CAST({expr} AS ENUM {literals(codes)}) IS NULL)"

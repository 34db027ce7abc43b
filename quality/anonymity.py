"""k-anonymity and l-diversity of the rows that leave (Sweeney 2002; Machanavajjhala et al. 2007).

Rows with equal quasi-identifiers form a group; an empty value is a value. Nobody may be told apart from fewer than
``k`` persons, nor a sensitive value be read off a group that has fewer than ``l`` of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from catalog.model import Anonymity
from quality.sql import quote

if TYPE_CHECKING:
    import duckdb


class GroupFinding(NamedTuple):
    """What the groups of a relation are like.

    Attributes:
        smallest: persons of the smallest group, None when there is nobody.
        below_k, below_l: groups with fewer persons, or fewer sensitive values, than asked.
    """

    groups: int
    smallest: int | None
    below_k: int
    below_l: int

    @property
    def ok(self) -> bool:
        return not (self.below_k or self.below_l)


def examine(con: duckdb.DuckDBPyConnection, relation: str, spec: Anonymity) -> GroupFinding:
    """The groups of ``relation`` against ``spec``; a group whose count is empty or nought holds nobody."""
    row = con.execute(groups_sql(relation, spec)).fetchone()
    assert row is not None
    return GroupFinding(*row)


def groups_sql(relation: str, spec: Anonymity) -> str:
    """The statement whose one row is a `GroupFinding`."""
    return (
        f"SELECT count(*), min(persons), count(*) FILTER (persons < {spec.k}), count(*) FILTER (variety < {spec.l}) "  # noqa: S608
        f"FROM (SELECT {_persons(spec)} AS persons, {_variety(spec)} AS variety FROM {relation} "
        f"GROUP BY {_quasi(spec)}) WHERE persons > 0"
    )


def suppress_condition(spec: Anonymity) -> str:
    """A QUALIFY condition that keeps the rows of large and varied enough groups only."""
    over = f"OVER (PARTITION BY {_quasi(spec)})"
    conditions = [f"coalesce({_persons(spec)} {over}, 0) NOT BETWEEN 1 AND {spec.k - 1}"]
    if spec.sensitive:
        conditions.append(f"{_variety(spec)} {over} >= {spec.l}")
    return " AND ".join(conditions)


def _quasi(spec: Anonymity) -> str:
    return ", ".join(quote(name) for name in spec.quasi)


def _persons(spec: Anonymity) -> str:
    return f"sum({quote(spec.count)})" if spec.count else "count(*)"


def _variety(spec: Anonymity) -> str:
    """Distinct sensitive values; an empty one is one of them."""
    if not spec.sensitive:
        return str(spec.l)
    return f"count(DISTINCT coalesce({quote(spec.sensitive)}::VARCHAR, chr(0) || 'empty'))"

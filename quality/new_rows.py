"""Asks the suite of a table that was asked before about what is new in it.

What was found of rows that are still there holds: a rule about single rows is asked of new rows, the key and references
of new rows against all, and of rows that went no more than whether something led to them. A rule that measures all rows
measures them. Only what passes is told here: whatever is found, and whatever was found before, is a question for Great
Expectations, of all rows.
"""

# ruff: noqa: S608 - SQL is put together from names, quoted, and expressions of compiled rules
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quality import table_judges as judges
from quality.content import identifiers_sql, may_identify_sql, scan_sample
from quality.distinct import repeated_hashes
from quality.gx_context import Answer
from quality.sql import quote
from quality.table_judges import Judged
from quality.table_rules.base import CompiledTableRule

if TYPE_CHECKING:
    import duckdb

    from quality.table_gate import TableSuite

MOST_CHANGED = 0.1
"""Share of rows that came since a sample was drawn of all rows, from which on it is drawn of all rows again."""


@dataclass(frozen=True)
class Part:
    """What is to be asked.

    Attributes:
        con: has all rows of tables as views of its main schema, under their relations' names, once they are asked for.
        all_of: asks for all rows of tables (``schema.table``).
        new: a connection of the same database on which the table's own relation is its new rows; ``con`` itself when
            all rows are new. None: no row is new.
        have_key: whether a row that is not new has the key (columns) of a new one.
        rows: how many there are; since: how many came since the sample was last drawn of all.
        lost: rule code of a reference to SQL of the values of its ``field`` that may be gone from the table it leads to
            (a SELECT of one column, ``v``); a rule that is not among them has lost none.
        known: rule code of a reference to a table with values (``v``) that are there for certain; it is added to.
        unchanged: no row came and none went.
    """

    con: duckdb.DuckDBPyConnection
    all_of: Callable[[Iterable[str]], None]
    new: duckdb.DuckDBPyConnection | None
    have_key: Callable[[Sequence[str]], bool]
    rows: int
    since: int
    lost: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict)
    unchanged: bool = False

    @property
    def whole(self) -> bool:
        """Whether all rows are new."""
        return self.new is self.con


def sample_is_whole(part: Part) -> bool:
    """Whether the sample is drawn of all rows, not of the new ones."""
    return part.whole or part.since > part.rows * MOST_CHANGED


class Found(Exception):
    """Something was found, or cannot be asked so."""


def ask_new_rows(suite: TableSuite, part: Part, earlier: Mapping[str, Answer]) -> dict[str, Answer] | None:
    """The answers of all rows, by rule code.

    Args:
        earlier: answers to the same suite, of the rows that are not new.

    Returns:
        None when something was found: then all rows are to be asked.
    """
    answers = {}
    if part.whole:
        part.all_of((suite.subject,))
    try:
        counted = _counted(suite, part)
        for rule in suite.rules:
            before = earlier.get(rule.code)
            if before is None or before.exception is not None:
                raise Found
            if rule.asked not in _MEASURED and (not before.success or before.unexpected):
                raise Found
            judged, doubtful = _ASKERS[rule.asked](_Asked(rule, suite, part, counted, before))
            if rule.asked not in _MEASURED and not judged.success:
                raise Found
            answers[rule.code] = Answer(
                judged.success,
                part.rows,
                judged.failing,
                None,
                None if judged.observed is None else float(judged.observed),
                dict(judged.details),
                doubtful,
            )
    except Found:
        return None
    return answers


@dataclass(frozen=True)
class _Asked:
    rule: CompiledTableRule
    suite: TableSuite
    part: Part
    counted: Mapping[str, int]
    before: Answer

    @property
    def kwargs(self) -> dict[str, Any]:
        from quality.table_gate import state

        given: dict[str, Any] = state(self.rule, self.suite).expectation["kwargs"]
        return given


_Answered = tuple[Judged, tuple[str, ...]]


def _counted(suite: TableSuite, part: Part) -> dict[str, int]:
    """Failing rows by rule code, and values that may be identifiers by column: one pass over the new rows."""
    asked = {r.code: r.expectation["kwargs"]["aggregate"] for r in suite.rules if r.asked == "rows"}
    for rule in suite.rules:
        if rule.asked == "identifiers":
            asked |= {_may(c): f"count_if({may_identify_sql(quote(c))})" for c in rule.columns}
    if part.new is None or not asked:
        return dict.fromkeys(asked, 0)
    names = ", ".join(f"{sql} AS c{i}" for i, sql in enumerate(asked.values()))
    found = part.new.execute(f"SELECT {names} FROM {quote(suite.relation)}").fetchone() or ()
    return {code: int(n or 0) for code, n in zip(asked, found, strict=True)}


def _may(column: str) -> str:
    return f"may identify: {column}"


def _rows(asked: _Asked) -> _Answered:
    return judges.none_fails(asked.counted[asked.rule.code]), ()


def _key(asked: _Asked) -> _Answered:
    """New keys are different from each other, and each stands in the table once."""
    part, relation = asked.part, quote(asked.suite.relation)
    if part.new is None:
        return judges.none_fails(0), ()
    repeated = repeated_hashes(part.new, asked.kwargs["hashed"], relation)
    if repeated is None or len(repeated):
        raise Found
    if not part.whole and part.have_key(asked.rule.columns):
        raise Found
    return judges.none_fails(0), ()


def _reference(asked: _Asked) -> _Answered:
    part, rule = asked.part, asked.rule
    # where a table leads to itself, its name would mean the new rows in which it is looked for
    if part.whole or asked.suite.subject in rule.needs:
        part.all_of((asked.suite.subject, *rule.needs))
        _nothing(part.con, asked.kwargs["statement"])
    elif part.new is not None:
        _lead_somewhere(asked, part.new)
    if not part.whole and rule.code in part.lost:
        (column,) = map(quote, rule.columns)
        part.all_of((asked.suite.subject, *rule.needs))
        child, lost = quote(asked.suite.relation), part.lost[rule.code]
        _nothing(part.con, f"SELECT count(*) FROM {child} AS own SEMI JOIN ({lost}) AS lost ON own.{column} = lost.v")
    return judges.none_fails(0), ()


def _lead_somewhere(asked: _Asked, new: duckdb.DuckDBPyConnection) -> None:
    """Rows of a day lead to few others, mostly the same in all its tables: those that are known to be there are left
    out, and what is found is known to the next."""
    (column,), known = map(quote, asked.rule.columns), quote(asked.part.known[asked.rule.code])
    own = f"SELECT DISTINCT {column} AS v FROM {quote(asked.suite.relation)} WHERE {column} IS NOT NULL"
    left = f"SELECT v FROM ({own}) AS own ANTI JOIN {known} AS there USING (v)"
    if _one(new, f"SELECT count(*) FROM ({left})")[0]:
        asked.part.all_of(asked.rule.needs)
        _nothing(new, asked.kwargs["statement"])
        new.execute(f"INSERT INTO {known} {left}")


def _nothing(con: duckdb.DuckDBPyConnection, statement: str) -> None:
    if _one(con, statement)[0]:
        raise Found


def _identifiers(asked: _Asked) -> _Answered:
    """Columns in which something looks like an identifier are looked at in all rows: the company it keeps decides."""
    before = () if asked.part.whole else asked.before.doubtful
    columns = [c for c in asked.rule.columns if asked.counted[_may(c)] or c in before]
    if not columns:
        return judges.nothing_found({}), ()
    asked.part.all_of((asked.suite.subject,))
    found = asked.part.con.execute(identifiers_sql(asked.suite.relation, columns)).fetchall()
    judged = judges.nothing_found({f"{c} {kind}": int(hits) for c, kind, hits, _ in found if hits})
    return judged, tuple(sorted({c for c, _, _, seen in found if seen}))


def _sample(asked: _Asked) -> _Answered:
    """Both rules of a suite look at the same sample: it is drawn for the first."""
    part, kwargs = asked.part, asked.kwargs
    con = part.new
    if sample_is_whole(part):
        part.all_of((asked.suite.subject,))
        con = part.con
    if con is not None and asked.rule.code == next(r.code for r in asked.suite.rules if r.asked == "sample"):
        above = scan_sample(con, kwargs["relation"], kwargs["columns"], kwargs["sample"], kwargs["grades"])
        if above:
            raise Found
    return judges.nothing_found({}), ()


def _table(asked: _Asked) -> _Answered:
    kwargs = {k: v for k, v in asked.kwargs.items() if k not in ("column", "statement")}
    part, shares = asked.part, asked.rule.rule == "distribution_shift"
    if part.unchanged:
        before = asked.before
        if shares:
            return judges.distribution(before.details, part.rows, **kwargs), ()
        return judges.number(before.observed, **kwargs), ()
    part.all_of((asked.suite.subject,))
    found = part.con.execute(asked.kwargs["statement"]).fetchall()
    if shares:
        return judges.distribution(judges.shares_of(found, part.rows), part.rows, **kwargs), ()
    return judges.number(found[0][0], **kwargs), ()


def _count(asked: _Asked) -> _Answered:
    given = {k: v for k, v in asked.kwargs.items() if k != "statement"}
    return judges.number(asked.part.rows, **given), ()


def _inputs(asked: _Asked) -> _Answered:
    return judges.inputs_fresh(asked.kwargs.get("observed"), asked.kwargs.get("detail") or {}), ()


def _whole(asked: _Asked) -> _Answered:
    raise Found


_MEASURED = frozenset({"table", "count", "inputs"})
"""What is measured of the table as it is now, whatever it was before."""
_ASKERS: dict[str, Callable[[_Asked], _Answered]] = {
    "rows": _rows,
    "key": _key,
    "reference": _reference,
    "identifiers": _identifiers,
    "sample": _sample,
    "table": _table,
    "count": _count,
    "inputs": _inputs,
    "whole": _whole,
}


def _one(con: duckdb.DuckDBPyConnection, statement: str) -> Sequence[Any]:
    return con.execute(statement).fetchone() or ()

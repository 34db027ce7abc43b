"""Personal content in the columns of a table: identifiers in every row, all kinds in a sample."""

# ruff: noqa: S608 - every name is quoted, every constant is of this file
from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quality.identifiers import is_resident_id, is_resident_id_sql, is_uscc, resident_id_format_sql
from quality.identifiers.resident import FORM_18
from quality.scanner_kinds import hints, personal
from quality.sql import literal, quote

if TYPE_CHECKING:
    import duckdb

IDENTIFIERS = ("resident_id", "resident_id_15", "mobile", "bank_card")
"""Kinds that a check character or a form proves; the others are told by likeness."""
_BEFORE, _AFTER = "(?:^|[^0-9A-Za-z])", "(?:[^0-9A-Za-z]|$)"
_ID = f"{_BEFORE}[A-Za-z]{{0,4}}([0-9]{{17}}[0-9Xx])[0-9A-Za-z]{{0,2}}{_AFTER}"
_ELEVEN = f"{_BEFORE}(?:86)?([0-9]{{11}}){_AFTER}"
_EITHER = f"{_BEFORE}(?:[A-Za-z]{{0,4}}[0-9]{{17}}[0-9Xx][0-9A-Za-z]{{0,2}}|(?:86)?[0-9]{{11}}){_AFTER}"
_MOBILE = "1[3-9][0-9]{9}"
_MAY = f"{_BEFORE}(?:[A-Za-z]{{0,4}}(?:{FORM_18})[0-9A-Za-z]{{0,2}}|(?:86)?{_MOBILE}){_AFTER}"
_TOKEN = re.compile("[0-9A-Za-z]{11,}")
_APART = re.compile(r"[0-9][ \-\xa0\u200b\u2013\u2014\u3000\uff0d][0-9]|[０-９]")
"""Digits that may belong together although something stands between them."""
_RECENT = "2008"
_FEW = 3


def identifiers_sql(relation: str, columns: Sequence[str]) -> str:
    """A statement that looks at every value: column, kind, cells that hold it, and cells that look like it, of columns
    with such numbers.

    Numbers are identifiers when most of those with the right form pass the check, as in `quality.scanner`: permit
    numbers have the form too, and one in eleven of them passes. A value is looked at once however often it stands, and
    what the check takes to write down is planned once, not once a column.
    """
    names, table = f"[{', '.join(map(literal, columns))}]", quote(relation)
    # shorter values hold neither: most columns are codes
    values = " UNION ALL ".join(
        f"SELECT {i} AS i, {v} AS v, count(*) AS n FROM {table} WHERE strlen({v}) >= 11 GROUP BY {v}"
        for i, v in enumerate(map(quote, columns), 1)
    )
    form, valid = resident_id_format_sql("id", allow_15=False), is_resident_id_sql("id", allow_15=False)
    believed = f"ids * 2 >= forms AND (old > 0 OR ids >= {_FEW})"
    called = f"mobiles >= {_FEW} AND mobiles * 2 >= elevens"

    def cells(condition: str) -> str:
        return f"coalesce(sum(n) FILTER (WHERE {condition}), 0)::BIGINT"

    return f"""
        WITH numbers AS (SELECT i, n, regexp_extract(v, '{_ID}', 1) AS id, regexp_extract(v, '{_ELEVEN}', 1) AS eleven
                         FROM ({values}) WHERE regexp_matches(v, '{_EITHER}')),
        counted AS (SELECT i, {cells(valid)} AS ids, {cells(form)} AS forms,
                        {cells(f"{valid} AND substr(id, 7, 4) < '{_RECENT}'")} AS old,
                        {cells(f"regexp_full_match(eleven, '{_MOBILE}')")} AS mobiles,
                        {cells("eleven <> ''")} AS elevens
                    FROM numbers GROUP BY i)
        SELECT {names}[i], unnest(['resident_id', 'mobile']),
            unnest([CASE WHEN {believed} THEN ids ELSE 0 END, CASE WHEN {called} THEN mobiles ELSE 0 END]),
            unnest([ids, mobiles])
        FROM counted ORDER BY i"""


def may_identify_sql(column: str) -> str:
    """Whether a value may count in `identifiers_sql`: where this holds of none, its columns have nothing to tell.

    Args:
        column: quoted.
    """
    return f"(strlen({column}) >= 11 AND regexp_matches({column}, '{_MAY}'))"


def scan_sample(
    con: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str], sample: int, grades: Mapping[str, int]
) -> list[list[Any]]:
    """``[column, kind, hits, grade]`` of what the scanner finds above ``grades`` in ``sample`` rows (0: all)."""
    from quality.scanner import scan_table

    if not columns:
        return []
    view = f"_sample_{secrets.token_hex(4)}"
    chosen = f" USING SAMPLE reservoir({int(sample)} ROWS) REPEATABLE (1)" if sample else ""
    names = ", ".join(map(quote, columns))
    # the scanner looks several times: a sample is drawn once, a whole table stays where it is
    kind = "TABLE" if sample else "VIEW"
    con.execute(f"CREATE TEMP {kind} {quote(view)} AS SELECT {names} FROM {quote(relation)}{chosen}")
    try:
        looked_at = _suspects(con, view, columns) if sample else list(columns)
        found = scan_table(con, view, columns=looked_at, above=grades) if looked_at else []
        return [[f.column, f.kind, f.hits, f.grade] for f in found if f.grade > grades[f.column]]
    finally:
        con.execute(f"DROP {kind} {quote(view)}")


def _suspects(con: duckdb.DuckDBPyConnection, view: str, columns: Sequence[str]) -> list[str]:
    """Columns in which the scanner could find something of a grade above 1: most hold codes, and planning what it asks
    of a column takes longer than this."""
    asked = [c for c in columns if not hints(c)]
    counts = [f"count_if({_personal(quote(c))})" for c in asked]
    row = con.execute(f"SELECT {', '.join(counts)} FROM {quote(view)}").fetchone() if counts else ()
    found = dict(zip(asked, row or (), strict=True))
    return [c for c in columns if c not in found or (found[c] and not _are_codes(con, view, c))]


def _personal(column: str) -> str:
    return f"regexp_matches({column}, {literal(personal())})"


def _are_codes(con: duckdb.DuckDBPyConnection, view: str, column: str) -> bool:
    """Whether what could be something personal are credit codes: 18 digits that begin as bank cards do, as a rule."""
    cells = con.execute(
        f"SELECT DISTINCT {quote(column)} FROM {quote(view)} WHERE {_personal(quote(column))}"
    ).fetchall()
    if any(_APART.search(cell) for (cell,) in cells):
        return False
    left = [_TOKEN.sub(lambda t: " " if _is_code(t[0].upper()) else t[0], cell) for (cell,) in cells]
    row = con.execute(f"SELECT count_if({_personal('v')}) FROM (SELECT unnest(?::VARCHAR[]) AS v)", [left]).fetchone()
    return row is not None and not row[0]


def _is_code(token: str) -> bool:
    return is_uscc(token) and not is_resident_id(token)

"""Personal content in the columns of a table: identifiers in every row, all kinds in a sample."""

# ruff: noqa: S608 - every name is quoted, every constant is of this file
from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from quality.identifiers import is_resident_id_sql, resident_id_format_sql
from quality.sql import literal, quote

if TYPE_CHECKING:
    import duckdb

IDENTIFIERS = ("resident_id", "resident_id_15", "mobile", "bank_card")
"""Kinds that a check character or a form proves; the others are told by likeness."""
_ID = "(?:^|[^0-9A-Za-z])[A-Za-z]{0,4}([0-9]{17}[0-9Xx])[0-9A-Za-z]{0,2}(?:[^0-9A-Za-z]|$)"
_ELEVEN = "(?:^|[^0-9A-Za-z])(?:86)?([0-9]{11})(?:[^0-9A-Za-z]|$)"
_MOBILE = "1[3-9][0-9]{9}"
_RECENT = "2008"
_FEW = 3


def identifiers_sql(relation: str, columns: Sequence[str]) -> str:
    """A statement that looks at every value: column, kind, and cells that hold it.

    Numbers are identifiers when most of those with the right form pass the check, as in `quality.scanner`: permit
    numbers have the form too, and one in eleven of them passes.
    """
    parts, names, kinds, hits = [], [], [], []
    for i, column in enumerate(columns):
        v = quote(column)
        # shorter values hold neither: most columns are codes
        parts += [
            f"CASE WHEN strlen({v}) >= 17 THEN regexp_extract({v}, '{_ID}', 1) ELSE '' END AS i{i}",
            f"CASE WHEN strlen({v}) >= 11 THEN regexp_extract({v}, '{_ELEVEN}', 1) ELSE '' END AS m{i}",
        ]
        form, valid = resident_id_format_sql(f"i{i}", allow_15=False), is_resident_id_sql(f"i{i}", allow_15=False)
        old = f"count_if({valid} AND substr(i{i}, 7, 4) < '{_RECENT}')"
        ids = f"count_if({valid})"
        believed = f"{ids} * 2 >= count_if({form}) AND ({old} > 0 OR {ids} >= {_FEW})"
        mobiles, eleven = f"count_if(regexp_full_match(m{i}, '{_MOBILE}'))", f"count_if(m{i} <> '')"
        names += [column, column]
        kinds += ["resident_id", "mobile"]
        hits.append(f"CASE WHEN {believed} THEN {ids} ELSE 0 END")
        hits.append(f"CASE WHEN {mobiles} >= {_FEW} AND {mobiles} * 2 >= {eleven} THEN {mobiles} ELSE 0 END")
    return (
        f"SELECT unnest([{', '.join(map(literal, names))}]), unnest([{', '.join(map(literal, kinds))}]), "
        f"unnest([{', '.join(hits)}]) FROM (SELECT {', '.join(parts)} FROM {quote(relation)})"
    )


def scan_sample(con: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str], sample: int) -> list[list[Any]]:
    """``[column, kind, hits, grade]`` of what the scanner finds in at most ``sample`` rows (0: all)."""
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
        return [[f.column, f.kind, f.hits, f.grade] for f in scan_table(con, view)]
    finally:
        con.execute(f"DROP {kind} {quote(view)}")

"""Which pairs are worth comparing: those that share a key, and of which one at least is not sure of its number."""

# ruff: noqa: S608 - SQL is put together here from constants and numbers
from __future__ import annotations

from typing import TYPE_CHECKING

from quality.sql import literal
from warehouse.linking.identity import IDENTIFIED
from warehouse.linking.records import digest_sql

if TYPE_CHECKING:
    import duckdb

NODES = "nodes"
PAIRS = "pairs"

KEYS: dict[str, tuple[str, ...]] = {
    "number": ("number",),
    "birth_surname": ("birth", "surname"),
    "birth_last": ("birth", "last"),
    "name_year": ("name", "born_year"),
    "letters_year": ("letters", "born_year"),
    "sound_day": ("sound", "birth_day"),
    "name_address": ("name", "address"),
    "name_door": ("name", "door"),
    "name_place": ("name", "community"),
    "name_phone": ("surname", "phone"),
    "phone_sex": ("phone", "sex", "born_year"),
    "address_year": ("address", "born_year"),
    "without_1": ("without_1", "address"),
    "without_2": ("without_2", "address"),
    "without_3": ("without_3", "address"),
    "number_head": ("substr(number, 1, 14)", "surname"),
    "number_tail": ("substr(number, 9, 10)",),
}
"""Blocking keys: a pair is compared when all columns of one of them are there and the same."""

COMPARED = "name, sex, birth, birth_day, born_year, phone, address, door, community, number, own_id"
NAME_FEATURES = "sound, shape, letters, surname, given, last, nick, without_1, without_2, without_3, without_4"


def blocks_sql() -> str:
    """SQL: the blocking keys of a record as keyed digests, blanks between them; two records that share a key share one.

    One parameter a key: the salt.
    """
    found = (
        f"CASE WHEN {' AND '.join(f'{c} IS NOT NULL' for c in columns)}"
        f" THEN {digest_sql((literal(name), *columns))} END"
        for name, columns in KEYS.items()
    )
    return f"concat_ws(' ', {', '.join(found)})"


def each_block_sql(blocks: str) -> str:
    """SQL: a row for each digest of `blocks_sql`."""
    return f"unnest(string_split({blocks}, ' '))"


def make_nodes(con: duckdb.DuckDBPyConnection) -> int:
    """Make `NODES`: what is compared. Records of one number that say the same are one node; returns nodes.

    ``grp`` is equal for all nodes of one number, and otherwise a node's own.
    """
    con.execute(
        f"""
        CREATE OR REPLACE TABLE {NODES} AS
        SELECT min(record) AS node, {COMPARED}, bool_and(is_hard) AS is_hard, NOT bool_and(is_hard) AS is_weak,
            {", ".join(f"any_value({f}) AS {f}" for f in NAME_FEATURES.split(", "))},
            coalesce(own_id, CAST(min(record) AS VARCHAR)) AS grp
        FROM {IDENTIFIED}
        GROUP BY {COMPARED}, CASE WHEN own_id IS NULL THEN record END
        """
    )
    row = con.execute(f"SELECT count(*) FROM {NODES}").fetchone()
    return int(row[0]) if row else 0


def make_pairs(con: duckdb.DuckDBPyConnection, *, max_block: int) -> int:
    """Make `PAIRS` (``join_key_l`` below ``join_key_r``, as Splink wants them); returns how many.

    Args:
        max_block: a key value that more nodes share tells nothing and is left out.
    """
    con.execute("CREATE OR REPLACE TEMP TABLE found (l BIGINT, r BIGINT)")
    for columns in KEYS.values():
        there = " AND ".join(f"{c} IS NOT NULL" for c in columns)
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE keyed AS
            SELECT hash({", ".join(columns)}) AS k, node, grp, is_weak FROM {NODES} WHERE {there}
            """
        )
        con.execute(
            """
            CREATE OR REPLACE TEMP TABLE small AS
            SELECT k FROM keyed GROUP BY k HAVING count(*) BETWEEN 2 AND ? AND bool_or(is_weak)
            """,
            [max_block],
        )
        con.execute(
            """
            INSERT INTO found
            SELECT least(w.node, o.node), greatest(w.node, o.node)
            FROM (SELECT * FROM keyed SEMI JOIN small USING (k) WHERE is_weak) AS w
            INNER JOIN (SELECT * FROM keyed SEMI JOIN small USING (k)) AS o ON w.k = o.k
            WHERE w.grp <> o.grp AND (NOT o.is_weak OR w.node < o.node)
            """
        )
    con.execute(
        f"CREATE OR REPLACE TABLE {PAIRS} AS"
        " SELECT '0' AS match_key, l AS join_key_l, r AS join_key_r FROM (SELECT DISTINCT l, r FROM found)"
    )
    for name in ("found", "keyed", "small"):
        con.execute(f"DROP TABLE {name}")
    row = con.execute(f"SELECT count(*) FROM {PAIRS}").fetchone()
    return int(row[0]) if row else 0

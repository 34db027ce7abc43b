"""What the links and persons of the last run say, as whole numbers in memory: who a change may concern is asked of it.

The tables have a digest of 63 bits beside, or in place of, every pseudonym: to read those of millions of records takes
a quarter of the time that pseudonyms take. Two records may share a digest once in a million lakes: then one more person
is looked at.
"""

# ruff: noqa: S608 - SQL is put together here from constants and quoted names
from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.linking import Linking
from catalog.settings import Settings
from quality.sql import literal
from warehouse.linking.store import IDENTITIES, LINKS, view

if TYPE_CHECKING:
    import duckdb

PARTS = "index_parts"
PERSONS = "index_persons"


def part_sql(feed: str, key: str, role: str) -> str:
    """SQL: the digest of a person of a record."""
    return digest_of(f"hash({record_sql(feed, key)}, {role})")


def record_sql(feed: str, key: str) -> str:
    """SQL: the digest of a record."""
    return f"hash({feed}, {key})"


def digest_sql(expr: str) -> str:
    """SQL: the digest of a pseudonym; NULL of none."""
    return f"CASE WHEN {expr} IS NOT NULL THEN {digest_of(f'hash({expr})')} END"


def digest_of(hashed: str) -> str:
    """SQL: a hash of DuckDB's as a number that Delta can keep. Another version of DuckDB may hash otherwise."""
    return f"CAST({hashed} >> 1 AS BIGINT)"


def feeds_sql(linking: Linking) -> str:
    """What to write after FROM for the registers: f (register, feed)."""
    rows = ", ".join(f"({i}, {literal(f)})" for i, f in enumerate(linking.registers))
    return f"(VALUES {rows}) AS f (register, feed)"


def roles_sql(linking: Linking) -> str:
    """What to write after FROM for the persons that a record of each register has: r (feed, role)."""
    rows = ", ".join(f"({literal(f)}, {literal(p.role)})" for f, persons in linking.registers.items() for p in persons)
    return f"(VALUES {rows}) AS r (feed, role)"


def index_parts(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make `PARTS` of the links as they stand, once a run; and ``linked``, a view of these.

    One row a person of a record: ``part``, ``person``, ``name``, ``number`` and ``register`` as digests, and
    ``has_own_id``.
    """
    if con.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [PARTS]).fetchone():
        return
    view(con, settings, LINKS, "linked")
    con.execute(
        f"""
        CREATE TABLE {PARTS} AS
        SELECT part, person, name, number, hash(feed) AS register, has_own_id FROM linked
        """
    )


def index_persons(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make `PERSONS`, one row a person (``person``, ``number`` as digests, ``birth_date``, ``sex_code``,
    ``is_identified``); and ``identities``, a view of the table."""
    view(con, settings, IDENTITIES, "identities")
    con.execute(
        f"""
        CREATE OR REPLACE TABLE {PERSONS} AS
        SELECT person, number, birth_date, sex_code, is_identified FROM identities
        """
    )

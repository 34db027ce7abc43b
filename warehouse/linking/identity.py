"""The deterministic part: records that carry one valid resident ID are one person, when they can be.

A valid number is not always the right one. Records whose name and birth both speak against it keep no share in it and
are compared like those that have none; a number that people of many unlike names carry is evidence of nobody.
"""

# ruff: noqa: S608 - SQL is put together here from constants and numbers
from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.linking import Linking
from warehouse.linking.records import RECORDS

if TYPE_CHECKING:
    import duckdb

IDENTIFIED = "identified"

ALIKE = """(
    {a}.name = {b}.name or {a}.sound = {b}.sound or {a}.letters = {b}.letters or {a}.without_1 = {b}.without_1
    or {a}.without_2 = {b}.without_2 or {a}.without_3 = {b}.without_3 or {a}.without_4 = {b}.without_4
    or ({a}.surname = {b}.surname and {a}.last = {b}.last) or {a}.nick = {b}.last or {b}.nick = {a}.last
)"""
"""Two names that may be one: the same characters, sound, or all but one character; a short form; a nickname."""


def alike(a: str, b: str) -> str:
    """SQL: whether the names of two rows with name features may be one; never NULL."""
    return f"coalesce({ALIKE.format(a=a, b=b)}, false)"


def identify(con: duckdb.DuckDBPyConnection, linking: Linking) -> None:
    """Make `IDENTIFIED`: every record of `RECORDS` with what its number is worth.

    Columns added: ``own_id``, the valid number of its person (NULL: none is believed); ``is_hard``, that nothing
    speaks against it; ``number`` is kept only where it may still point to somebody.
    """
    _find_holders(con, linking)
    con.execute(
        f"""
        CREATE OR REPLACE TABLE {IDENTIFIED} AS
        WITH judged AS (
            SELECT r.*, s.valid_id IS NOT NULL AS is_shared, {alike("r", "h")} AS is_named,
                coalesce(r.birth = r.birth_of_id, false) AS is_born,
                r.birth IS NOT NULL AND r.birth <> r.birth_of_id AS is_not_born
            FROM {RECORDS} AS r
            LEFT JOIN id_holder AS h ON r.valid_id = h.valid_id
            LEFT JOIN id_shared AS s ON r.valid_id = s.valid_id
        ),
        believed AS (
            SELECT *, CASE
                WHEN valid_id IS NULL THEN NULL
                WHEN is_shared THEN CASE WHEN is_named AND is_born THEN valid_id END
                WHEN is_named OR is_born THEN valid_id
            END AS own_id
            FROM judged
        )
        SELECT * EXCLUDE (is_shared, is_named, is_born, is_not_born)
            REPLACE (CASE WHEN valid_id IS NULL OR own_id IS NOT NULL THEN number END AS number),
            own_id IS NOT NULL AND (
                bool_or(own_id IS NOT NULL AND NOT is_old AND NOT is_not_born) OVER same
                OR (count(own_id) OVER same > 1 AND min(register) OVER same <> max(register) OVER same)
            ) AS is_hard
        FROM believed
        WINDOW same AS (PARTITION BY coalesce(own_id, CAST(record AS VARCHAR)))
        """
    )
    for name in ("id_names", "id_holder", "id_shared"):
        con.execute(f"DROP TABLE {name}")
    con.execute(f"DROP TABLE {RECORDS}")


def _find_holders(con: duckdb.DuckDBPyConnection, linking: Linking) -> None:
    """``id_names``: the names that stand with each number; ``id_holder``: the one it belongs to; ``id_shared``: numbers
    of too many names unlike that one."""
    features = "name, sound, letters, surname, last, nick, without_1, without_2, without_3, without_4"
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE id_names AS
        SELECT valid_id, {features}, count(*) AS mentions, min(register) AS best,
            coalesce(bool_or(birth = birth_of_id), false) AS is_born
        FROM {RECORDS} WHERE valid_id IS NOT NULL AND name IS NOT NULL GROUP BY ALL
        """
    )
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE id_holder AS
        SELECT * FROM id_names
        QUALIFY row_number() OVER (PARTITION BY valid_id ORDER BY is_born DESC, mentions DESC, best, name) = 1
        """
    )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE id_shared AS
        SELECT n.valid_id FROM id_names AS n INNER JOIN id_holder AS h ON n.valid_id = h.valid_id
        WHERE NOT {alike("n", "h")} GROUP BY n.valid_id HAVING count(*) > {linking.max_persons_per_id}
        """
    )

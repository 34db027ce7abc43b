"""Writes what a run found: the rows that are not as they were, the links last, so that a run that died is done again
and comes to the same."""

# ruff: noqa: S608 - SQL is put together here from constants
from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deltalake import DeltaTable

from catalog.settings import Settings
from quality.pseudonym import PseudonymKey
from warehouse.delta import row_count, transaction_version
from warehouse.linking import store
from warehouse.linking.blocking import KEYS, blocks_sql
from warehouse.linking.changes import CHANGED
from warehouse.linking.identity import IDENTIFIED
from warehouse.linking.index import digest_sql, part_sql
from warehouse.linking.keys import KEYED, PRIOR, REDIRECTS
from warehouse.linking.records import salt_of
from warehouse.linking.scope import RESTATED, STOOD
from warehouse.row_changes import change_rows, mark_rows

if TYPE_CHECKING:
    import duckdb


def write_linked(
    con: duckdb.DuckDBPyConnection, settings: Settings, key: PseudonymKey, *, run: int, now: datetime, full: bool
) -> dict[str, int]:
    """Write links, identities, redirects and reviews of `KEYED`, `RESTATED`, `REDIRECTS` and ``new_reviews``.

    Args:
        full: `KEYED` has all records, and `PRIOR` had.

    Returns:
        ``records`` and ``persons`` there are now; persons ``merged`` and ``split``.
    """
    for table in (store.IDENTITIES, store.REDIRECTS):
        store.view(con, settings, table, f"old_{table}")
    _believe(con)
    _block(con, key)
    _make_identities(con, run, full=full)
    _make_redirects(con, now)
    store.replace(con, settings, store.REDIRECTS, "SELECT * FROM all_redirects", run)
    store.replace(con, settings, store.REVIEWS, "SELECT * FROM new_reviews", run)
    columns = ", ".join(store.schemas()[store.LINKS].names)
    linked = f"""
        SELECT {columns} FROM (
            SELECT k.*, {part_sql("feed", "record_key", "role")} AS part, {digest_sql("person_key")} AS person,
                {digest_sql("name_key")} AS name, {digest_sql("number_key")} AS number, b.blocks
            FROM {KEYED} AS k LEFT JOIN blocked AS b USING (record)
        )
    """
    persons = "SELECT * FROM new_identities"
    if full:
        count = store.replace(con, settings, store.IDENTITIES, persons, run)
        records = store.replace(con, settings, store.LINKS, linked, run)
    else:
        stood = "SELECT * FROM stood_identities"
        count = _change(con, settings, store.IDENTITIES, persons, stood, key="person", run=run)
        linked = f"{linked} UNION ALL SELECT {columns} FROM {RESTATED}"
        stood = f"SELECT {columns} FROM {STOOD}"
        records = _change(con, settings, store.LINKS, linked, stood, key="part", run=run)
    counted = dict(con.execute(f"SELECT reason, count(*) FROM {REDIRECTS} GROUP BY reason").fetchall())
    return {
        "records": records,
        "persons": count,
        "merged": int(counted.get("merged", 0)),
        "split": int(counted.get("split", 0)),
    }


def _believe(con: duckdb.DuckDBPyConnection) -> None:
    """``own``: of every person in `KEYED` the resident ID that is believed, and what that number tells."""
    con.execute(
        f"""
        CREATE OR REPLACE TABLE own AS
        WITH told AS (
            SELECT person_key, own_id, number_key AS resident_key, count(*) AS mentions,
                bool_or(is_hard) AS is_sure, any_value(birth_of_id) AS birth_date, any_value(sex_of_id) AS sex_code
            FROM {KEYED} WHERE own_id IS NOT NULL GROUP BY person_key, own_id, number_key
        )
        SELECT * FROM told
        QUALIFY row_number() OVER (PARTITION BY person_key ORDER BY is_sure DESC, mentions DESC, own_id) = 1
        """
    )


def _block(con: duckdb.DuckDBPyConnection, key: PseudonymKey) -> None:
    """``blocked``: the blocking keys of records whose person has no sure ID: a record that comes may be of them."""
    con.execute(
        f"""
        CREATE OR REPLACE TABLE blocked AS
        SELECT record, {blocks_sql()} AS blocks FROM {IDENTIFIED} WHERE record IN (
            SELECT k.record FROM {KEYED} AS k LEFT JOIN own AS o USING (person_key) WHERE NOT coalesce(o.is_sure, false)
        )
        """,
        [salt_of(key)] * len(KEYS),
    )


def _make_identities(con: duckdb.DuckDBPyConnection, run: int, *, full: bool) -> None:
    """``new_identities``: one row a person whose records were looked at or say something new, with the pseudonym of its
    number and what that number tells; ``stood_identities``: how these, and those that are gone, stood."""
    keys = " UNION ".join(f"SELECT {digest_sql('person_key')} FROM {t}" for t in (KEYED, PRIOR, RESTATED))
    within = "" if full else f" WHERE person IN ({keys})"
    con.execute(f"CREATE OR REPLACE TEMP TABLE stood_identities AS SELECT * FROM old_{store.IDENTITIES}{within}")
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE new_identities AS
        WITH made AS (
            SELECT k.person_key, o.resident_key, CAST(o.birth_date AS DATE) AS birth_date, o.sex_code,
                count(*) AS records, coalesce(o.is_sure, false) AS is_identified
            FROM {KEYED} AS k LEFT JOIN own AS o USING (person_key)
            GROUP BY k.person_key, o.resident_key, o.birth_date, o.sex_code, o.is_sure
        ),
        touched AS ({_touched_sql()})
        SELECT m.*, CASE
            WHEN t.person_key IS NULL AND (m.resident_key, m.birth_date, m.sex_code, m.records, m.is_identified)
                IS NOT DISTINCT FROM (b.resident_key, b.birth_date, b.sex_code, b.records, b.is_identified)
                THEN coalesce(b.changed_run, {run})
            ELSE {run}
        END AS changed_run, {digest_sql("m.person_key")} AS person, {digest_sql("m.resident_key")} AS number
        FROM made AS m LEFT JOIN touched AS t USING (person_key) LEFT JOIN stood_identities AS b USING (person_key)
        UNION ALL
        SELECT * REPLACE ({run} AS changed_run) FROM stood_identities
        WHERE person_key IN (SELECT person_key FROM {RESTATED})
            AND person_key NOT IN (SELECT person_key FROM {PRIOR} UNION SELECT person_key FROM {KEYED})
        """
    )


def _touched_sql() -> str:
    """SQL: persons of whom a record was delivered again, came, went, or is linked otherwise than before."""
    said = "feed, record_key, role, person_key, method, weight, has_own_id"
    return f"""
        SELECT person_key FROM {KEYED} SEMI JOIN {CHANGED} USING (feed, record_key)
        UNION SELECT person_key FROM (SELECT {said} FROM {KEYED} EXCEPT SELECT {said} FROM {PRIOR})
        UNION SELECT person_key FROM (SELECT {said} FROM {PRIOR} EXCEPT SELECT {said} FROM {KEYED})
    """


def _make_redirects(con: duckdb.DuckDBPyConnection, now: datetime) -> None:
    """``all_redirects``: those of before, led on to whom their persons were merged with, and the new ones."""
    at = f"CAST('{now.astimezone(UTC).isoformat()}' AS TIMESTAMP WITH TIME ZONE)"
    con.execute(
        f"""
        CREATE OR REPLACE TABLE all_redirects AS
        WITH living AS (SELECT DISTINCT person_key FROM {KEYED}),
        known AS (
            SELECT from_key, to_key, current_key, reason, changed_at FROM old_{store.REDIRECTS}
            UNION ALL SELECT from_key, to_key, to_key, reason, {at} FROM {REDIRECTS}
        )
        SELECT b.from_key, b.to_key, coalesce(n.to_key, b.current_key) AS current_key, b.reason, b.changed_at
        FROM known AS b LEFT JOIN {REDIRECTS} AS n ON b.current_key = n.from_key AND n.reason = 'merged'
        WHERE b.reason = 'split' OR b.from_key NOT IN (SELECT person_key FROM living)
        QUALIFY row_number() OVER (PARTITION BY b.from_key, b.to_key, b.reason ORDER BY b.changed_at) = 1
        """
    )


def _change(
    con: duckdb.DuckDBPyConnection, settings: Settings, table: str, new: str, stood: str, *, key: str, run: int
) -> int:
    """Write the rows of ``new`` in place of those of ``stood``, once a run; returns how many the table has now.

    Args:
        new, stood: SQL of rows of the table, as they are to be and as they are; what is in both stays where it is.
        key: the column that tells a row.
    """
    con.execute(f"CREATE OR REPLACE TEMP TABLE coming AS ({new}) EXCEPT ({stood})")
    con.execute(f"CREATE OR REPLACE TEMP TABLE going AS SELECT {key} AS key FROM (({stood}) EXCEPT ({new}))")
    path, gone = settings.platform_path(table), f"{key} IN (SELECT key FROM going)"
    done = transaction_version(path, store.APP)
    if done is not None and done >= run:
        return row_count(path)
    if marked := mark_rows(con, DeltaTable(path), gone):
        rows = store.cast_rows(con.execute("SELECT * FROM coming").to_arrow_reader(100_000), table)
        style = store.STYLES.get(table)
        change_rows(marked, rows, note={"linking": table}, transaction=(store.APP, run), style=style)
        return row_count(path)
    store.view(con, settings, table, "standing")
    whole = f"SELECT * FROM coming UNION ALL SELECT * FROM standing WHERE NOT ({gone})"
    return store.replace(con, settings, table, whole, run)

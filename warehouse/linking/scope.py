"""What changed since the last run, and which records it may concern: found by keys and plain columns, vault closed."""

# ruff: noqa: S608 - names come from validated contracts and are quoted, paths are literals
from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from catalog.linking import Linking
from catalog.registry import Catalog
from catalog.settings import Settings
from quality.sql import literal, quote
from warehouse.delta import exists, scan_sql
from warehouse.linking.store import DECISIONS, IDENTITIES, LINKS, view

if TYPE_CHECKING:
    import duckdb

CHANGED = "changed_records"
SCOPE = "scope_records"


@dataclass
class Changes:
    """What the registers hold now, against the last run.

    Attributes:
        rows: records of each register; ``watermarks``: the newest ``_loaded_at`` of each, ISO.
        changed: records that came, were delivered again, or went.
        share: of ``changed`` among all.
    """

    rows: dict[str, int] = field(default_factory=dict)
    watermarks: dict[str, str] = field(default_factory=dict)
    changed: int = 0
    share: float = 1.0


def find_changes(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    catalog: Catalog,
    linking: Linking,
    last: dict[str, Any] | None,
) -> Changes:
    """Count the registers and fill `CHANGED` (register, feed, record_key) with what is not as the last run left it."""
    marks = json.loads(last["watermarks"]) if last else {}
    view(con, settings, LINKS, "linked")
    con.execute(f"CREATE OR REPLACE TABLE {CHANGED} (register SMALLINT, feed VARCHAR, record_key VARCHAR)")
    out = Changes()
    for number, feed_id in enumerate(linking.registers):
        if not exists(settings.feed_path(feed_id)):
            continue
        key = quote(catalog.table_key(feed_id)[0])
        table = scan_sql(con, settings.feed_path(feed_id))
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE now_there AS SELECT CAST({key} AS VARCHAR) AS record_key, _loaded_at"
            f" FROM {table} WHERE {key} IS NOT NULL"
        )
        row: Any = con.execute("SELECT count(*), CAST(max(_loaded_at) AS VARCHAR) FROM now_there").fetchone()
        out.rows[feed_id], out.watermarks[feed_id] = int(row[0]), str(row[1] or "")
        since = marks.get(feed_id) or "1970-01-01"
        con.execute(
            f"""
            INSERT INTO {CHANGED}
            SELECT {number}, {literal(feed_id)}, record_key FROM now_there
            WHERE _loaded_at > CAST({literal(since)} AS TIMESTAMP WITH TIME ZONE)
            UNION
            SELECT {number}, {literal(feed_id)}, record_key FROM linked
            WHERE feed = {literal(feed_id)} AND record_key NOT IN (SELECT record_key FROM now_there)
            """
        )
    counted: Any = con.execute(f"SELECT count(*) FROM {CHANGED}").fetchone()
    out.changed = int(counted[0])
    out.share = out.changed / max(1, sum(out.rows.values()))
    return out


def make_scope(
    con: duckdb.DuckDBPyConnection, settings: Settings, catalog: Catalog, linking: Linking, changes: Changes
) -> None:
    """Fill `SCOPE` (register, feed, record_key): the changed records and all records of the persons they may concern.

    These are the persons they belonged to, those of the resident IDs they carry, those nobody knows an ID of, those
    somebody decided about, and for changed records without a known ID those of the same birth and sex.
    """
    view(con, settings, IDENTITIES, "identities")
    view(con, settings, DECISIONS, "decided")
    con.execute("CREATE OR REPLACE TEMP TABLE concerned (person_key VARCHAR)")
    con.execute(
        f"INSERT INTO concerned SELECT l.person_key FROM linked AS l SEMI JOIN {CHANGED} USING (feed, record_key)"
    )
    con.execute("INSERT INTO concerned SELECT person_key FROM identities WHERE NOT is_identified")
    con.execute(
        """
        INSERT INTO concerned SELECT l.person_key FROM linked AS l INNER JOIN decided AS d
            ON (d.feed_a = l.feed AND d.key_a = l.record_key) OR (d.feed_b = l.feed AND d.key_b = l.record_key)
        """
    )
    con.execute("CREATE OR REPLACE TEMP TABLE unknown (birth DATE, sex VARCHAR)")
    for number, feed_id in enumerate(linking.registers):
        if changes.rows.get(feed_id):
            _take_numbers(con, settings, catalog, linking, number, feed_id)
    for feed_id in linking.registers:
        if changes.rows.get(feed_id):
            _take_births(con, settings, catalog, linking, feed_id)
    registers = ", ".join(f"({i}, {literal(f)})" for i, f in enumerate(linking.registers))
    con.execute(
        f"""
        CREATE OR REPLACE TABLE {SCOPE} AS
        SELECT register, feed, record_key FROM {CHANGED}
        UNION
        SELECT r.register, l.feed, l.record_key
        FROM linked AS l INNER JOIN (VALUES {registers}) AS r (register, feed) USING (feed)
        WHERE l.person_key IN (SELECT person_key FROM concerned)
        """
    )


def _take_numbers(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    catalog: Catalog,
    linking: Linking,
    number: int,
    feed_id: str,
) -> None:
    """Persons of the numbers that changed records carry; what carries none goes to ``unknown`` with birth and sex."""
    fields = {f.name: f for f in catalog.fields(feed_id)}
    key = quote(catalog.table_key(feed_id)[0])
    table = scan_sql(con, settings.feed_path(feed_id))
    changed = f"{table} AS f SEMI JOIN (SELECT * FROM {CHANGED} WHERE register = {number}) AS c"
    changed += f" ON CAST(f.{key} AS VARCHAR) = c.record_key"
    for columns in linking.registers[feed_id]:
        pseudonym = fields[columns.resident_id].element.pseudonym if columns.resident_id else None
        stated = f"f.{quote(pseudonym)}" if pseudonym else "NULL"
        con.execute(
            f"INSERT INTO concerned SELECT i.person_key FROM identities AS i"
            f" WHERE i.resident_key IN (SELECT {stated} FROM {changed})"
        )
        if columns.birth_date:
            sex = literal(columns.sex_is) if columns.sex_is else f"f.{quote(columns.sex)}" if columns.sex else "NULL"
            con.execute(
                f"""
                INSERT INTO unknown SELECT DISTINCT f.{quote(columns.birth_date)}, {sex} FROM {changed}
                WHERE f.{quote(columns.birth_date)} IS NOT NULL AND {sex} IS NOT NULL
                    AND ({stated} IS NULL OR {stated} NOT IN (
                        SELECT resident_key FROM identities WHERE resident_key IS NOT NULL AND is_identified))
                """
            )


def _take_births(
    con: duckdb.DuckDBPyConnection, settings: Settings, catalog: Catalog, linking: Linking, feed_id: str
) -> None:
    """Persons of records of the birth and sex of an ``unknown`` one."""
    key = quote(catalog.table_key(feed_id)[0])
    table = scan_sql(con, settings.feed_path(feed_id))
    for columns in linking.registers[feed_id]:
        if columns.birth_date and columns.sex:
            con.execute(
                f"""
                INSERT INTO concerned
                SELECT l.person_key FROM linked AS l INNER JOIN {table} AS f
                    ON l.feed = {literal(feed_id)} AND l.record_key = CAST(f.{key} AS VARCHAR)
                SEMI JOIN unknown AS u ON f.{quote(columns.birth_date)} = u.birth AND f.{quote(columns.sex)} = u.sex
                """
            )

"""What changed since the last run, and which records it may concern: no record is opened but those that changed."""

# ruff: noqa: S608 - names come from validated contracts and are quoted, paths are literals
from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from catalog.linking import Linking
from catalog.registry import Catalog
from catalog.settings import Settings
from quality.pseudonym import PseudonymKey
from quality.sql import literal, quote
from warehouse.access import Principal
from warehouse.delta import exists, scan_sql
from warehouse.linking.frequencies import hashed
from warehouse.linking.records import RAW, RECORDS, load_records, shape_records
from warehouse.linking.store import DECISIONS, IDENTITIES, LINKS, REVIEWS, view

if TYPE_CHECKING:
    import duckdb

CHANGED = "changed_records"
SCOPE = "scope_records"
RARE_NAME = 40
"""Records of one name, up to which all of them may be of one person, whatever they say of the birth."""


@dataclass
class Changes:
    """What the registers hold now, against the last run.

    Attributes:
        rows: records of each register; ``watermarks``: the newest ``_loaded_at`` of each, ISO.
        changed: records that came, were delivered again (and say something new, once that is known), or went.
        share: of ``changed`` among all.
    """

    rows: dict[str, int] = field(default_factory=dict)
    watermarks: dict[str, str] = field(default_factory=dict)
    changed: int = 0
    share: float = 1.0

    def count(self, con: duckdb.DuckDBPyConnection) -> None:
        """Count `CHANGED` as it stands now."""
        counted: Any = con.execute(f"SELECT count(*) FROM {CHANGED}").fetchone()
        self.changed = int(counted[0])
        self.share = self.changed / max(1, sum(self.rows.values()))


def find_changes(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    catalog: Catalog,
    linking: Linking,
    last: dict[str, Any] | None,
) -> Changes:
    """Count the registers and fill `CHANGED` (register, feed, record_key) with what is not as the last run left it."""
    marks, before = (json.loads(last[c]) if last else {} for c in ("watermarks", "registers"))
    view(con, settings, LINKS, "linked")
    con.execute(f"CREATE OR REPLACE TABLE {CHANGED} (register SMALLINT, feed VARCHAR, record_key VARCHAR)")
    out, tables = Changes(), {}
    for number, feed_id in enumerate(linking.registers):
        if not exists(settings.feed_path(feed_id)):
            continue
        key, table = quote(catalog.table_key(feed_id)[0]), scan_sql(con, settings.feed_path(feed_id))
        tables[feed_id] = f"SELECT CAST({key} AS VARCHAR) AS record_key FROM {table} WHERE {key} IS NOT NULL"
        row: Any = con.execute(f"SELECT count({key}), CAST(max(_loaded_at) AS VARCHAR) FROM {table}").fetchone()
        out.rows[feed_id], out.watermarks[feed_id] = int(row[0]), str(row[1] or "")
        since = marks.get(feed_id) or "1970-01-01"
        con.execute(
            f"""
            INSERT INTO {CHANGED} SELECT {number}, {literal(feed_id)}, record_key
            FROM ({tables[feed_id]} AND _loaded_at > CAST({literal(since)} AS TIMESTAMP WITH TIME ZONE))
            """
        )
    new = f"SELECT feed, count(*) FROM {CHANGED} ANTI JOIN linked USING (feed, record_key) GROUP BY feed"
    came = dict(con.execute(new).fetchall())
    for number, feed_id in enumerate(linking.registers):
        # every record of before is looked for only where the count says that one went
        if feed_id in tables and out.rows[feed_id] != before.get(feed_id, 0) + came.get(feed_id, 0):
            con.execute(
                f"""
                INSERT INTO {CHANGED} SELECT DISTINCT {number}, {literal(feed_id)}, record_key FROM linked
                WHERE feed = {literal(feed_id)} AND record_key NOT IN ({tables[feed_id]})
                """
            )
    out.count(con)
    return out


def leave_out_said_before(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    catalog: Catalog,
    linking: Linking,
    changes: Changes,
    *,
    principal: Principal,
    key: PseudonymKey,
    now: datetime,
) -> None:
    """Open the changed records into `RAW`; take out of both `CHANGED` and `RAW` those that say what they said before.

    A department that delivers its whole register every day changes a few of its records, not all of them.
    """
    load_records(con, settings, catalog, linking, principal=principal, key=key, now=now, only=CHANGED)
    feeds = _feeds(linking)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE news AS
        WITH now_said AS (
            SELECT f.feed, r.record_key, r.role, r.content FROM {RAW} AS r INNER JOIN {feeds} USING (register)
        ),
        said_before AS (SELECT feed, record_key, role, content FROM linked SEMI JOIN {CHANGED} USING (feed, record_key))
        SELECT DISTINCT register, feed, record_key
        FROM now_said FULL OUTER JOIN said_before AS b USING (feed, record_key, role) INNER JOIN {feeds} USING (feed)
        WHERE now_said.content IS DISTINCT FROM b.content
        """
    )
    con.execute(f"CREATE OR REPLACE TABLE {CHANGED} AS SELECT register, feed, record_key FROM news")
    con.execute(f"DELETE FROM {RAW} WHERE (register, record_key) NOT IN (SELECT (register, record_key) FROM {CHANGED})")
    changes.count(con)


def _feeds(linking: Linking) -> str:
    """What to write after FROM for the registers: f (register, feed)."""
    return (
        f"(VALUES {', '.join(f'({i}, {literal(f)})' for i, f in enumerate(linking.registers))}) AS f (register, feed)"
    )


def make_scope(
    con: duckdb.DuckDBPyConnection, settings: Settings, linking: Linking, *, key: PseudonymKey, now: datetime
) -> None:
    """Fill `SCOPE` (register, feed, record_key): the changed records and all records of the persons they may concern.

    The changed records stand in `RAW`, as `leave_out_said_before` opened them.
    These are the persons they belonged to, those of the resident IDs they carry, those nobody knows an ID of, those
    somebody decided about or has to. A changed record whose number and name do not say together who it is may be of
    anybody of that birth and sex, and of anybody of that name and about that age. Who was linked by a name that has
    become more or less common is looked at again. Whoever stands in a number with one
    of these persons comes along: what a number is worth is told by all records that state it.
    """
    view(con, settings, IDENTITIES, "identities")
    view(con, settings, DECISIONS, "decided")
    view(con, settings, REVIEWS, "waiting")
    shape_records(con, now=now)
    _say_numbers_and_names(con, key)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE concerned AS
        SELECT person_key FROM linked SEMI JOIN (
            SELECT feed, record_key FROM {CHANGED}
            UNION SELECT feed_a, key_a FROM decided UNION SELECT feed_b, key_b FROM decided
            UNION SELECT feed_a, key_a FROM waiting UNION SELECT feed_b, key_b FROM waiting
        ) AS r USING (feed, record_key)
        UNION
        SELECT person_key FROM identities
        WHERE NOT is_identified OR resident_key IN (SELECT resident_key FROM said WHERE resident_key IS NOT NULL)
        """
    )
    _add_likely(con)
    _add_renamed(con)
    _add_sharers(con)
    con.execute(
        f"""
        CREATE OR REPLACE TABLE {SCOPE} AS
        SELECT register, feed, record_key FROM {CHANGED}
        UNION
        SELECT f.register, l.feed, l.record_key
        FROM linked AS l INNER JOIN {_feeds(linking)} USING (feed)
        WHERE l.person_key IN (SELECT person_key FROM concerned)
        """
    )


def _say_numbers_and_names(con: duckdb.DuckDBPyConnection, key: PseudonymKey) -> None:
    """``said``: of every changed record its number and name as pseudonyms, and birth, year of birth and sex."""
    numbers = hashed(con, key, f"SELECT DISTINCT valid_id FROM {RECORDS} WHERE valid_id IS NOT NULL")
    names = hashed(con, key, f"SELECT DISTINCT 'name ' || name FROM {RECORDS} WHERE name IS NOT NULL")
    con.register("said_numbers", numbers)
    con.register("said_names", names)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE said AS
        SELECT i.pseudonym AS resident_key, n.pseudonym AS name_key, TRY_CAST(r.birth AS DATE) AS birth, r.born_year,
            r.sex
        FROM {RECORDS} AS r LEFT JOIN said_numbers AS i ON r.valid_id = i.said
        LEFT JOIN said_names AS n ON 'name ' || r.name = n.said
        """
    )
    con.unregister("said_numbers")
    con.unregister("said_names")
    con.execute(f"DROP TABLE {RECORDS}")


def _add_likely(con: duckdb.DuckDBPyConnection) -> None:
    """Add to ``concerned`` who may be meant by a changed record that its number and name do not tell of."""
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE unsure AS
        WITH known AS (
            SELECT DISTINCT i.resident_key, l.name_key FROM identities AS i INNER JOIN linked AS l USING (person_key)
            WHERE i.is_identified AND i.resident_key IN (SELECT resident_key FROM said WHERE resident_key IS NOT NULL)
        )
        SELECT DISTINCT name_key, birth, born_year, sex FROM said ANTI JOIN known USING (resident_key, name_key)
        """
    )
    con.execute(
        f"""
        INSERT INTO concerned
        SELECT i.person_key FROM identities AS i INNER JOIN unsure AS u ON i.birth_date = u.birth AND i.sex_code = u.sex
        UNION
        SELECT l.person_key FROM linked AS l
        INNER JOIN unsure AS u USING (name_key) INNER JOIN identities AS i USING (person_key)
        WHERE abs(year(i.birth_date) - u.born_year) <= 1 OR u.born_year IS NULL OR l.name_key IN (
            SELECT name_key FROM linked WHERE name_key IS NOT NULL GROUP BY name_key HAVING count(*) <= {RARE_NAME}
        )
        """
    )


def _add_renamed(con: duckdb.DuckDBPyConnection) -> None:
    """Add to ``concerned`` who holds a record without a number of a rare name that more or fewer records bear now."""
    con.execute(
        f"""
        INSERT INTO concerned
        WITH borne AS (
            SELECT name_key, -1 AS records FROM linked SEMI JOIN {CHANGED} USING (feed, record_key)
            UNION ALL SELECT name_key, 1 FROM said
        ),
        moved AS (SELECT name_key FROM borne GROUP BY name_key HAVING sum(records) <> 0)
        SELECT person_key FROM linked SEMI JOIN moved USING (name_key)
        QUALIFY count(*) OVER (PARTITION BY name_key) <= {RARE_NAME} AND NOT has_own_id
        """
    )


def _add_sharers(con: duckdb.DuckDBPyConnection) -> None:
    """Add to ``concerned``, step by step, who shares a number with one of them or with a changed record.

    A record may state a number and belong to another person than the number does; looked at without that person's
    records, nothing would speak against it.
    """
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE sharers AS
        WITH disputed AS (
            SELECT number_key FROM linked WHERE number_key IS NOT NULL
            GROUP BY number_key HAVING min(person_key) <> max(person_key)
            UNION SELECT resident_key FROM said WHERE resident_key IS NOT NULL
        )
        SELECT DISTINCT number_key, person_key FROM linked SEMI JOIN disputed USING (number_key)
        """
    )
    con.execute(
        """
        INSERT INTO concerned
        SELECT person_key FROM sharers WHERE number_key IN (SELECT resident_key FROM said)
        """
    )
    added = 1
    while added:
        row = con.execute(
            """
            INSERT INTO concerned
            SELECT DISTINCT o.person_key FROM concerned AS c
            INNER JOIN sharers AS s USING (person_key) INNER JOIN sharers AS o ON s.number_key = o.number_key
            WHERE o.person_key NOT IN (SELECT person_key FROM concerned)
            """
        ).fetchone()
        added = int(row[0]) if row else 0

"""What changed since the last run: what came, went, and says something new; what says what it said is left out."""

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
from warehouse.linking.index import PARTS, feeds_sql, index_parts, part_sql, record_sql, roles_sql
from warehouse.linking.records import RAW, load_records, loaded_since_sql, shape_records

if TYPE_CHECKING:
    import duckdb

CHANGED = "changed_records"
NEWS = "news"


@dataclass
class Changes:
    """What the registers hold now, against the last run.

    Attributes:
        rows: records of each register; ``watermarks``: the newest ``_loaded_at`` of each, ISO.
        since: ``watermarks`` of the last run, of the registers of which something came since.
        tables: what to read each register from, as it was when the changes were looked for.
        changed: records that came, were delivered again (and say something new, once that is known), or went.
        share: of ``changed`` among all.
    """

    rows: dict[str, int] = field(default_factory=dict)
    watermarks: dict[str, str] = field(default_factory=dict)
    since: dict[str, str] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)
    changed: int = 0
    share: float = 1.0

    def count(self, con: duckdb.DuckDBPyConnection) -> None:
        """Count `CHANGED` as it stands now."""
        self.changed = _count(con, f"SELECT count(*) FROM {CHANGED}")
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
    con.execute(f"CREATE OR REPLACE TABLE {CHANGED} (register SMALLINT, feed VARCHAR, record_key VARCHAR)")
    out, keys = Changes(), {}
    for number, feed_id in enumerate(linking.registers):
        if not exists(settings.feed_path(feed_id)):
            continue
        key, table = quote(catalog.table_key(feed_id)[0]), scan_sql(con, settings.feed_path(feed_id))
        out.tables[feed_id] = table
        keys[feed_id] = f"SELECT CAST({key} AS VARCHAR) AS record_key FROM {table} WHERE {key} IS NOT NULL"
        row: Any = con.execute(f"SELECT count({key}), CAST(max(_loaded_at) AS VARCHAR) FROM {table}").fetchone()
        out.rows[feed_id], out.watermarks[feed_id] = int(row[0]), str(row[1] or "")
        since = marks.get(feed_id) or "1970-01-01"
        came = con.execute(
            f"""
            INSERT INTO {CHANGED} SELECT {number}, {literal(feed_id)}, record_key
            FROM ({keys[feed_id]} AND {loaded_since_sql(since)})
            """
        ).fetchone()
        if came and came[0]:
            out.since[feed_id] = since
    if last is not None and (out.since or out.rows != before):
        _find_gone(con, settings, linking, out, keys, before)
    out.count(con)
    return out


def _find_gone(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    linking: Linking,
    out: Changes,
    keys: dict[str, str],
    before: dict[str, int],
) -> None:
    """Add to `CHANGED` the records that the registers do not have any more; makes the index of links."""
    index_parts(con, settings)
    _part_changed(con, linking)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE known AS SELECT record FROM changed_parts"
        f" WHERE part IN (SELECT part FROM {PARTS} SEMI JOIN changed_parts USING (part))"
    )
    record = record_sql("feed", "record_key")
    new = f"SELECT feed, count(*) FROM {CHANGED} WHERE {record} NOT IN (SELECT record FROM known) GROUP BY feed"
    came = dict(con.execute(new).fetchall())
    for number, feed_id in enumerate(linking.registers):
        # every record of before is looked for only where the count says that one went
        if feed_id in keys and out.rows[feed_id] != before.get(feed_id, 0) + came.get(feed_id, 0):
            con.execute(
                f"""
                INSERT INTO {CHANGED} SELECT DISTINCT {number}, {literal(feed_id)}, record_key FROM linked
                WHERE feed = {literal(feed_id)} AND record_key NOT IN ({keys[feed_id]})
                """
            )


def _part_changed(con: duckdb.DuckDBPyConnection, linking: Linking) -> None:
    """``changed_parts``: the digest of every person (``part``) that a record in `CHANGED` (``record``) can have."""
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE changed_parts AS
        SELECT DISTINCT {record_sql("feed", "c.record_key")} AS record,
            {part_sql("feed", "c.record_key", "r.role")} AS part
        FROM {CHANGED} AS c INNER JOIN {roles_sql(linking)} USING (feed)
        """
    )


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
    """Open the changed records; take out of `CHANGED` those that say what they said before.

    A department that delivers its whole register every day changes a few of its records, not all of them. ``said`` gets
    those that say something new, shaped, and ``unsaid`` those that do not, as they were opened. `NEWS` gets one row a
    person of a record that says something new (``part``, and ``person`` and ``name`` of before): ``is_news`` when it is
    something that persons are linked by, ``is_weighed`` when it is more than the community.
    """
    index_parts(con, settings)
    load_records(
        con, settings, catalog, linking,
        principal=principal, key=key, now=now, tables=changes.tables, since=changes.since,
    )  # fmt: skip
    _set_aside_unsaid(con, linking)
    shape_records(con, now=now, key=key, into="said", numbered=False)
    _find_news(con, linking)
    con.execute(
        f"CREATE OR REPLACE TABLE {CHANGED} AS SELECT * FROM {CHANGED}"
        f" WHERE {record_sql('feed', 'record_key')} IN (SELECT record FROM {NEWS})"
    )
    changes.count(con)


def _set_aside_unsaid(con: duckdb.DuckDBPyConnection, linking: Linking) -> None:
    """Move from `RAW` to ``unsaid`` what says what it said before; ``before``: how all records of `CHANGED` stood."""
    part = part_sql("f.feed", "r.record_key", "r.role")
    _part_changed(con, linking)
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE before AS
        SELECT part, c.record, l.person, l.name, l.content, l.evidence, l.place
        FROM linked AS l INNER JOIN changed_parts AS c USING (part)
        """
    )
    con.execute(
        f"""
        CREATE OR REPLACE TABLE unsaid AS
        SELECT r.*, {part} AS part FROM {RAW} AS r INNER JOIN {feeds_sql(linking)} USING (register)
        INNER JOIN before AS b ON {part} = b.part WHERE r.content = b.content
        """
    )
    con.execute(
        f"DELETE FROM {RAW} WHERE (register, record_key, role) IN (SELECT (register, record_key, role) FROM unsaid)"
    )


def _find_news(con: duckdb.DuckDBPyConnection, linking: Linking) -> None:
    """Make `NEWS` of ``said`` and ``before``."""
    part = part_sql("f.feed", "r.record_key", "r.role")
    con.execute(
        f"""
        CREATE OR REPLACE TABLE {NEWS} AS
        WITH now_said AS (
            SELECT {part} AS part, {record_sql("f.feed", "r.record_key")} AS record, r.evidence, r.place
            FROM said AS r INNER JOIN {feeds_sql(linking)} USING (register)
        ),
        not_now AS (SELECT * FROM before WHERE part NOT IN (SELECT part FROM unsaid))
        SELECT coalesce(s.part, b.part) AS part, coalesce(b.record, s.record) AS record, b.person, b.name,
            s.part IS NULL OR b.part IS NULL OR s.evidence IS DISTINCT FROM b.evidence AS is_weighed,
            is_weighed OR s.place IS DISTINCT FROM b.place AS is_news
        FROM now_said AS s FULL OUTER JOIN not_now AS b USING (part)
        """
    )
    con.execute(
        f"CREATE OR REPLACE TABLE said AS SELECT s.*, {part_sql('f.feed', 's.record_key', 's.role')} AS part"
        f" FROM said AS s INNER JOIN {feeds_sql(linking)} USING (register)"
    )


def _count(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = con.execute(sql).fetchone()
    return int(row[0]) if row else 0

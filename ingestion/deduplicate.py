"""One row a key within a delivery: which of several rows stays, and what becomes of the others."""

# ruff: noqa: S608 - every name and constant here comes from a validated contract and is quoted
from __future__ import annotations

import duckdb
import pyarrow as pa

from catalog.model import Feed
from ingestion.stage_sql import ACCEPTED, Plan
from quality.distinct import repeated_hashes
from quality.sql import quote


def deduplicate(con: duckdb.DuckDBPyConnection, feed: Feed, plan: Plan) -> None:
    """Make ``_losers(r, _row_number, _part, why)``: accepted rows of ``staged`` that give way to another of their key.

    The newest by ``newest_by`` stays, of equals the last in the file (the first for append). Another
    row with the same content is a ``duplicate``, an older one is ``superseded`` (both skipped); one that
    differs and is not older is a ``key_conflict`` and goes to quarantine. Without a key every row stays.
    """
    con.execute("CREATE OR REPLACE TABLE _losers (r BIGINT, _row_number BIGINT, _part BIGINT, why VARCHAR)")
    if not plan.key:
        return
    keys = ", ".join(quote(k) for k in plan.key)
    if not _may_repeat(con, keys):
        return
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE _repeated AS SELECT {keys} FROM staged WHERE _state = {ACCEPTED} "
        f"AND hash({keys}) IN (SELECT h FROM _alike) GROUP BY {keys} HAVING count(*) > 1"
    )
    direction = "ASC" if feed.load.mode == "append" else "DESC"
    newest = quote(feed.load.newest_by) if feed.load.newest_by else None
    order = f"s.{newest} DESC NULLS LAST, " if newest else ""
    by = ", ".join("s." + quote(k) for k in plan.key)
    window = f"(PARTITION BY {by} ORDER BY {order}_row_number {direction}, _part)"
    content = ", ".join("s." + quote(f.name) for f in plan.fields)
    same = " AND ".join(f"s.{quote(k)} IS NOT DISTINCT FROM d.{quote(k)}" for k in plan.key)
    older = (
        f"WHEN s.{newest} IS NULL OR s.{newest} < first_value(s.{newest}) OVER w THEN 'superseded'" if newest else ""
    )
    con.execute(
        f"INSERT INTO _losers SELECT r, _row_number, _part, why FROM (SELECT s.rowid AS r, _row_number, _part, "
        f"row_number() OVER w AS place, CASE "
        f"WHEN row({content}) IS NOT DISTINCT FROM first_value(row({content})) OVER w THEN 'duplicate' {older} "
        f"ELSE 'key_conflict' END AS why "
        f"FROM staged s JOIN _repeated d ON {same} WHERE s._state = {ACCEPTED} WINDOW w AS {window}) WHERE place > 1"
    )


def _may_repeat(con: duckdb.DuckDBPyConnection, keys: str) -> bool:
    """Make ``_alike(h)``, hashes of keys that several accepted rows of ``staged`` have; whether there are any.

    Hashes first: grouping ten million keys themselves would spill to disk.
    """
    hashed, accepted = f"hash({keys})", f"staged WHERE _state = {ACCEPTED}"
    found = repeated_hashes(con, hashed, accepted)
    if found is None:
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE _alike AS SELECT {hashed} AS h FROM {accepted} "
            f"GROUP BY h HAVING count(*) > 1"
        )
        return con.execute("SELECT 1 FROM _alike LIMIT 1").fetchone() is not None
    con.register("_hashes", pa.table({"h": found}))
    con.execute("CREATE OR REPLACE TEMP TABLE _alike AS SELECT h FROM _hashes")
    con.unregister("_hashes")
    return len(found) > 0

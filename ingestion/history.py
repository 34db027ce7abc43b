# ruff: noqa: S608 - every name and constant here comes from a validated contract and is quoted
"""The history of a feed table: ``history.<feed>``, every version of a row with the time it was held for true.

After a load the open versions are compared with the feed table: a row that is new opens a version, one that differs
closes the old and opens another, one that is gone, or marked as gone, closes. The comparison makes a repeat after a
crash change nothing. Direct identifiers are no column of it, as they are none of the feed table;
`warehouse.erase_tables` takes a person out of it as of any other table.
"""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from catalog.model import Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from quality.sql import literal, quote
from warehouse.delta import commit_once, ensure_table, exists, scan_sql, transaction_version
from warehouse.duck import connect
from warehouse.schema import DELETED_AT, VALID_FROM, VALID_TO, feed_columns, history_schema

OPEN = f"{VALID_TO} IS NULL"


def keep_history(settings: Settings, catalog: Catalog, feed: Feed, at: datetime) -> int:
    """Bring the history of a feed up to its table as it is now; nothing for a feed whose contract keeps none.

    Hold the feed's lock.

    Args:
        at: since when the present rows are known (UTC). A version never begins before the one it follows, so a clock
            that went back loses none.

    Returns:
        Versions opened or closed.
    """
    path = settings.feed_path(feed.id)
    if not feed.load.history or not exists(path):
        return 0
    target = settings.history_path(feed.id)
    schema = history_schema(catalog, feed)
    ensure_table(target, schema)
    with connect(memory="900MB") as con:
        con.execute("SET TimeZone = 'UTC'")
        rows = _changes(con, catalog, feed, path, target, at)
        if not rows.num_rows:
            return 0
        name = f"history/{feed.id}"
        commit_once(
            target,
            rows.cast(schema),
            mode="merge",
            app_id=name,
            version=(transaction_version(target, name) or 0) + 1,
            merge_key=(*catalog.table_key(feed), VALID_FROM),
            evolve={f.name for f in DeltaTable(target).schema().fields} != set(schema.names),
        )
    return rows.num_rows


def _changes(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, feed: Feed, path: str, target: str, at: datetime
) -> pa.Table:
    """Versions to close and to open, in the columns of the history."""
    columns = [c.name for c in feed_columns(catalog, feed)]
    content = [c.name for c in feed_columns(catalog, feed) if c.origin != "system"]
    _view(
        con,
        "_now",
        path,
        catalog,
        feed,
        (),
        where=f" WHERE {DELETED_AT} IS NULL" if feed.load.deletes == "mark" else "",
    )
    _view(con, "_open", target, catalog, feed, (VALID_FROM, VALID_TO))
    same = " AND ".join(f"n.{quote(k)} = o.{quote(k)}" for k in catalog.table_key(feed))
    differs = " OR ".join(f"n.{quote(c)} IS DISTINCT FROM o.{quote(c)}" for c in content)
    when = f"TIMESTAMPTZ {literal(at.astimezone(UTC).isoformat())}"
    later = f"greatest({when}, o.{VALID_FROM} + INTERVAL 1 MICROSECOND)"
    old, new = (", ".join(f"{alias}.{quote(c)} AS {quote(c)}" for c in columns) for alias in ("o", "n"))
    none = "NULL::TIMESTAMPTZ"
    ended = f"(SELECT max({VALID_TO}) FROM _all a WHERE {same.replace('o.', 'a.')})"
    return con.execute(
        f"SELECT {old}, o.{VALID_FROM} AS {VALID_FROM}, {later} AS {VALID_TO} FROM _open o LEFT JOIN _now n ON {same} "
        f"WHERE o.{OPEN} AND (n._receipt IS NULL OR {differs}) "
        f"UNION ALL BY NAME SELECT {new}, {later} AS {VALID_FROM}, {none} AS {VALID_TO} "
        f"FROM _open o JOIN _now n ON {same} WHERE o.{OPEN} AND ({differs}) "
        f"UNION ALL BY NAME SELECT {new}, greatest({when}, coalesce({ended}, {when})) AS {VALID_FROM}, "
        f"{none} AS {VALID_TO} FROM _now n WHERE NOT EXISTS (SELECT 1 FROM _open o WHERE o.{OPEN} AND {same})"
    ).to_arrow_table()


def _view(
    con: duckdb.DuckDBPyConnection,
    name: str,
    path: str,
    catalog: Catalog,
    feed: Feed,
    more: tuple[str, ...],
    *,
    where: str = "",
) -> None:
    """The contract's columns of a table; one that the table lacks yet reads as NULL."""
    there = {f.name for f in DeltaTable(path).schema().fields}
    pieces = [
        quote(c.name) if c.name in there else f"CAST(NULL AS {c.duckdb}) AS {quote(c.name)}"
        for c in feed_columns(catalog, feed)
    ]
    read = f"SELECT {', '.join([*pieces, *more])} FROM {scan_sql(con, path)}"
    con.execute(f"CREATE TEMP VIEW {name} AS SELECT * FROM ({read}){where}")
    if more:
        con.execute(f"CREATE TEMP VIEW _all AS SELECT * FROM {name}")

"""From compared pairs to persons of records, and to the pairs somebody has to look at."""

# ruff: noqa: S608 - SQL is put together here from constants and quoted paths
from __future__ import annotations

import json
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from catalog.linking import Linking
from catalog.settings import Settings
from warehouse.linking import store
from warehouse.linking.blocking import COMPARED
from warehouse.linking.clusters import Clusters, Pair, Verdict, cluster
from warehouse.linking.frequencies import NUMBERS, SHARES
from warehouse.linking.identity import IDENTIFIED
from warehouse.linking.index import feeds_sql, part_sql
from warehouse.linking.keys import CLUSTERED
from warehouse.linking.scope import SCOPE
from warehouse.linking.scoring import SCORED, level_names

if TYPE_CHECKING:
    import duckdb

REF = ("feed", "record_key", "role")


def join_records(con: duckdb.DuckDBPyConnection, settings: Settings, linking: Linking, now: datetime) -> int:
    """Make `CLUSTERED` and ``new_reviews`` of what was scored; returns pairs that wait for a decision.

    Pairs of before between records that were not looked at now go on waiting.
    """
    _number_records(con, linking)
    decisions = _decisions(con, settings)
    groups, numbers, hard = _involved(con)
    pairs = [Pair(*row) for row in con.execute(f"SELECT l, r, weight, levels FROM {SCORED}").fetchall()]
    made = cluster(groups, numbers, hard, pairs, linking.thresholds, decisions)
    _write_clusters(con, made, groups)
    return _write_reviews(con, settings, made, now)


def _number_records(con: duckdb.DuckDBPyConnection, linking: Linking) -> None:
    """``numbered``: every record with its feed, its node, and the first node of its resident ID."""
    con.execute(
        f"""
        CREATE OR REPLACE TABLE numbered AS
        SELECT i.record, f.feed, i.record_key, i.role, i.content, i.evidence, i.place, i.own_id, i.is_hard,
            i.birth_of_id, i.sex_of_id, n.name_key, k.number_key,
            min(i.record) OVER (
                PARTITION BY {", ".join(f"i.{c}" for c in COMPARED.split(", "))},
                CASE WHEN i.own_id IS NULL THEN i.record END
            ) AS node,
            min(i.record) OVER (PARTITION BY coalesce(i.own_id, CAST(i.record AS VARCHAR))) AS stem
        FROM {IDENTIFIED} AS i INNER JOIN {feeds_sql(linking)} USING (register)
        LEFT JOIN {SHARES} AS n ON i.name = n.name LEFT JOIN {NUMBERS} AS k USING (valid_id)
        """
    )


def _decisions(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[tuple[int, int, Verdict]]:
    """What was decided, as nodes, the newest last; decisions on records that are gone have no effect."""
    store.view(con, settings, store.DECISIONS, "decisions")
    rows = con.execute(
        """
        SELECT a.node, b.node, d.verdict FROM decisions AS d
        INNER JOIN numbered AS a ON d.feed_a = a.feed AND d.key_a = a.record_key AND d.role_a = a.role
        INNER JOIN numbered AS b ON d.feed_b = b.feed AND d.key_b = b.record_key AND d.role_b = b.role
        ORDER BY d.decided_at
        """
    ).fetchall()
    return [(int(a), int(b), v) for a, b, v in rows]


def _involved(con: duckdb.DuckDBPyConnection) -> tuple[dict[int, int], dict[int, str], set[int]]:
    """The nodes that stand in a pair or a decision: node to stem, stem to number, and the sure stems."""
    rows: list[Any] = con.execute(
        f"""
        WITH named AS (
            SELECT l AS node FROM {SCORED} UNION SELECT r FROM {SCORED}
            UNION SELECT n.node FROM numbered AS n INNER JOIN decisions AS d
                ON (d.feed_a = n.feed AND d.key_a = n.record_key) OR (d.feed_b = n.feed AND d.key_b = n.record_key)
        )
        SELECT DISTINCT n.node, n.stem, n.own_id, n.is_hard FROM numbered AS n SEMI JOIN named USING (node)
        """
    ).fetchall()
    groups = {stem: stem for _, stem, _, _ in rows} | {node: stem for node, stem, _, _ in rows}
    numbers = {stem: number for _, stem, number, _ in rows if number}
    return groups, numbers, {stem for _, stem, _, is_hard in rows if is_hard}


def _write_clusters(con: duckdb.DuckDBPyConnection, made: Clusters, groups: dict[int, int]) -> None:
    import pyarrow as pa

    stems = sorted(set(groups.values()))
    roots = [made.find(s) for s in stems]
    con.register("roots", pa.table({"stem": pa.array(stems, pa.int64()), "root": pa.array(roots, pa.int64())}))
    con.execute(
        f"""
        CREATE OR REPLACE TABLE {CLUSTERED} AS
        WITH rooted AS (
            SELECT n.*, coalesce(r.root, n.stem) AS cluster FROM numbered AS n LEFT JOIN roots AS r USING (stem)
        ),
        weighed AS (
            SELECT node, max(weight) AS weight FROM (
                SELECT s.l AS node, s.weight, a.cluster AS one, b.cluster AS two FROM {SCORED} AS s
                INNER JOIN (SELECT DISTINCT node, cluster FROM rooted) AS a ON s.l = a.node
                INNER JOIN (SELECT DISTINCT node, cluster FROM rooted) AS b ON s.r = b.node
                UNION ALL
                SELECT s.r, s.weight, a.cluster, b.cluster FROM {SCORED} AS s
                INNER JOIN (SELECT DISTINCT node, cluster FROM rooted) AS a ON s.l = a.node
                INNER JOIN (SELECT DISTINCT node, cluster FROM rooted) AS b ON s.r = b.node
            ) WHERE one = two GROUP BY node
        )
        SELECT r.record, r.feed, r.record_key, r.role, r.content, r.evidence, r.place, r.cluster, r.own_id, r.is_hard,
            r.birth_of_id, r.sex_of_id, r.name_key, r.number_key,
            r.own_id IS NOT NULL AS has_own_id,
            CASE WHEN r.own_id IS NULL THEN w.weight END AS weight,
            CASE
                WHEN count(*) OVER (PARTITION BY r.cluster) = 1 THEN 'alone'
                WHEN r.own_id IS NOT NULL AND count(*) OVER (PARTITION BY r.cluster, r.own_id) > 1 THEN 'id'
                WHEN w.weight IS NOT NULL THEN 'similar'
                ELSE 'joined'
            END AS method
        FROM rooted AS r LEFT JOIN weighed AS w USING (node)
        """
    )
    con.unregister("roots")


def _write_reviews(con: duckdb.DuckDBPyConnection, settings: Settings, made: Clusters, now: datetime) -> int:
    """``new_reviews``: one row a pair that waits, with what agrees and no value of either record."""
    import pyarrow as pa

    wanted = sorted({n for p in made.review for n in (p.l, p.r)})
    con.register("wanted_nodes", pa.table({"record": pa.array(wanted, pa.int64())}))
    refs = {
        r: (f, k, role)
        for r, f, k, role in con.execute(
            "SELECT record, feed, record_key, role FROM numbered SEMI JOIN wanted_nodes USING (record)"
        ).fetchall()
    }
    con.unregister("wanted_nodes")
    rows = []
    for pair in made.review:
        one, two = sorted((refs[pair.l], refs[pair.r]))
        said = json.dumps(level_names(pair.levels))
        rows.append((review_id(one, two), *one, *two, pair.weight, said, now))
    schema = store.schemas()[store.REVIEWS]
    columns: list[Any] = list(zip(*rows, strict=True)) if rows else [[] for _ in schema]
    made_now = pa.table([pa.array(list(c), f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)
    con.register("reviews_now", made_now)
    store.view(con, settings, store.REVIEWS, "old_reviews")
    scoped = "true"
    if con.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [SCOPE]).fetchone():
        a, b = (part_sql(f"feed_{side}", f"key_{side}", f"role_{side}") for side in "ab")
        scoped = f"{a} IN (SELECT part FROM {SCOPE}) OR {b} IN (SELECT part FROM {SCOPE})"
    con.execute(
        f"""
        CREATE OR REPLACE TABLE new_reviews AS
        SELECT n.* REPLACE (coalesce(o.found_at, n.found_at) AS found_at)
        FROM reviews_now AS n LEFT JOIN (SELECT review, found_at FROM old_reviews) AS o USING (review)
        UNION ALL
        SELECT * FROM old_reviews WHERE NOT ({scoped})
        """
    )
    con.unregister("reviews_now")
    row = con.execute("SELECT count(*) FROM new_reviews").fetchone()
    return int(row[0]) if row else 0


def review_id(a: tuple[str, ...], b: tuple[str, ...]) -> str:
    """A short name of a pair of records, the same from run to run; it tells nothing of them."""
    return sha256("\0".join((*a, *b)).encode()).hexdigest()[:12]

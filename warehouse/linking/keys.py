"""Keys of persons that stay: a person keeps the key most of the records had before; what is lost is redirected.

A new key is a keyed digest of the resident ID, or of the first record where no ID is believed, so that a library built
from nothing comes to the same keys.
"""

# ruff: noqa: S608 - SQL is put together here from constants
from __future__ import annotations

from typing import TYPE_CHECKING

from quality.pseudonym import PseudonymKey
from warehouse.linking.index import digest_sql

if TYPE_CHECKING:
    import duckdb

CLUSTERED = "clustered"
PRIOR = "prior"
KEYED = "keyed_records"
REDIRECTS = "new_redirects"
DRIFT = 0.05
"""Bits by which a weight may differ from the one of before and stand for it: one more record anywhere makes every name
a little rarer, and would change every person who was linked by a name."""


def give_keys(con: duckdb.DuckDBPyConnection, key: PseudonymKey, *, living: str | None) -> None:
    """Make `KEYED` (every record with its ``person_key``) and `REDIRECTS` of keys that were lost or parted.

    Args:
        living: a table with the digests (``person``) of the keys of all persons, where `PRIOR` has not all of them.

    Reads `CLUSTERED` (record, feed, record_key, role, cluster, own_id …) and `PRIOR` (feed, record_key, role,
    person_key, weight: the records that are looked at, as they stood).
    """
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE votes AS
        SELECT c.cluster, p.person_key, count(*) AS records
        FROM {CLUSTERED} AS c INNER JOIN {PRIOR} AS p USING (feed, record_key, role)
        GROUP BY c.cluster, p.person_key
        """
    )
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE kept AS
        WITH heirs AS (
            SELECT * FROM votes
            QUALIFY row_number() OVER (PARTITION BY person_key ORDER BY records DESC, cluster) = 1
        )
        SELECT cluster, person_key FROM heirs
        QUALIFY row_number() OVER (PARTITION BY cluster ORDER BY records DESC, person_key) = 1
        """
    )
    _new_keys(con, key, living)
    con.execute(
        f"""
        CREATE OR REPLACE TABLE {KEYED} AS
        SELECT c.* REPLACE (CASE WHEN abs(c.weight - p.weight) < {DRIFT} THEN p.weight ELSE c.weight END AS weight),
            coalesce(k.person_key, n.person_key) AS person_key
        FROM {CLUSTERED} AS c LEFT JOIN kept AS k USING (cluster) LEFT JOIN made_keys AS n USING (cluster)
        LEFT JOIN {PRIOR} AS p
            ON c.feed = p.feed AND c.record_key = p.record_key AND c.role = p.role AND p.weight IS NOT NULL
        """
    )
    con.execute(
        f"""
        CREATE OR REPLACE TABLE {REDIRECTS} AS
        WITH moved AS (
            SELECT p.person_key AS from_key, k.person_key AS to_key, count(k.person_key) AS records
            FROM {PRIOR} AS p LEFT JOIN {KEYED} AS k USING (feed, record_key, role)
            GROUP BY p.person_key, k.person_key
        ),
        living AS (SELECT DISTINCT person_key FROM {KEYED}),
        fresh AS (SELECT person_key FROM made_keys)
        SELECT from_key, to_key, CASE WHEN to_key IS NULL THEN 'gone' ELSE 'merged' END AS reason
        FROM moved WHERE from_key NOT IN (SELECT person_key FROM living)
        QUALIFY row_number() OVER (PARTITION BY from_key ORDER BY to_key IS NULL, records DESC, to_key) = 1
        UNION ALL
        SELECT from_key, to_key, 'split'
        FROM moved WHERE to_key IN (SELECT person_key FROM fresh) AND from_key IN (SELECT person_key FROM living)
        """
    )
    for name in ("votes", "kept", "made_keys"):
        con.execute(f"DROP TABLE {name}")


def _new_keys(con: duckdb.DuckDBPyConnection, key: PseudonymKey, living: str | None) -> None:
    """``made_keys``: keys of clusters that inherit none; a key that lives already is not given again."""
    import pyarrow as pa

    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE nameless AS
        SELECT cluster, coalesce(min(own_id), min(feed || '/' || record_key || '/' || role)) AS said
        FROM {CLUSTERED} WHERE cluster NOT IN (SELECT cluster FROM kept) GROUP BY cluster
        """
    )
    taken = {k for (k,) in con.execute(f"SELECT DISTINCT person_key FROM {PRIOR}").fetchall()}
    table = con.execute("SELECT cluster, said FROM nameless ORDER BY cluster").to_arrow_table()
    made = key.column(pa.array([f"person {s}" for s in table.column("said").to_pylist()], pa.string())).to_pylist()
    taken |= _living(con, made, living)
    keys = []
    for plain, said in zip(made, table.column("said").to_pylist(), strict=True):
        turn, one = 0, plain
        while one in taken:
            turn += 1
            one = key.pseudonym(f"person {said} {turn}")
            taken |= _living(con, [one], living)
        taken.add(one)
        keys.append(one)
    con.register(
        "keys_given", pa.table({"cluster": table.column("cluster"), "person_key": pa.array(keys, pa.string())})
    )
    con.execute("CREATE OR REPLACE TEMP TABLE made_keys AS SELECT * FROM keys_given")
    con.unregister("keys_given")
    con.execute("DROP TABLE nameless")


def _living(con: duckdb.DuckDBPyConnection, keys: list[str], living: str | None) -> set[str]:
    """Those of ``keys`` that are a person's."""
    import pyarrow as pa

    if living is None:
        return set()
    con.register("keys_asked", pa.table({"person_key": pa.array(keys, pa.string())}))
    sql = f"SELECT person_key FROM keys_asked WHERE {digest_sql('person_key')} IN (SELECT person FROM {living})"
    found = {k for (k,) in con.execute(sql).fetchall()}
    con.unregister("keys_asked")
    return found

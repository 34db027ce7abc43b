"""How common each name is among all records: a common name is weak evidence, a rare one strong.

A run that looks at what a day has changed does not open all names; those it leaves closed it counts by the pseudonyms
that stand beside their links.
"""

# ruff: noqa: S608 - SQL is put together here from constants
from __future__ import annotations

from typing import TYPE_CHECKING

from quality.pseudonym import PseudonymKey
from warehouse.linking.identity import IDENTIFIED
from warehouse.linking.index import digest_sql

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SHARES = "name_shares"
NUMBERS = "number_keys"


def hashed(con: duckdb.DuckDBPyConnection, key: PseudonymKey, sql: str) -> pa.Table:
    """The texts of a query of one column (``said``) with their ``pseudonym``."""
    import pyarrow as pa

    said = con.execute(sql).to_arrow_table().column(0).cast(pa.string()).combine_chunks()
    return pa.table({"said": said, "pseudonym": key.column(said)})


def key_numbers(con: duckdb.DuckDBPyConnection, key: PseudonymKey) -> None:
    """Make `NUMBERS`: every valid resident ID in `IDENTIFIED`, believed or not, with ``number_key``, its pseudonym."""
    con.register("numbers", hashed(con, key, f"SELECT DISTINCT valid_id FROM {IDENTIFIED} WHERE valid_id IS NOT NULL"))
    con.execute(f"CREATE OR REPLACE TABLE {NUMBERS} AS SELECT said AS valid_id, pseudonym AS number_key FROM numbers")
    con.unregister("numbers")


def share_names(con: duckdb.DuckDBPyConnection, key: PseudonymKey, *, closed: str | None) -> None:
    """Make `SHARES`: every name in `IDENTIFIED` with ``name_key``, its pseudonym, and ``tf_name``, its share of all
    that are named.

    Args:
        closed: SQL of ``name``, the digest of ``name_key``, of the records this run has not opened.
    """
    con.register(
        "names_said", hashed(con, key, f"SELECT DISTINCT 'name ' || name FROM {IDENTIFIED} WHERE name IS NOT NULL")
    )
    con.execute(f"CREATE OR REPLACE TEMP TABLE named AS SELECT *, {digest_sql('pseudonym')} AS digest FROM names_said")
    con.unregister("names_said")
    opened = f"SELECT 'name ' || name AS said, count(*) AS records FROM {IDENTIFIED} WHERE name IS NOT NULL GROUP BY 1"
    closed = closed or "SELECT CAST(NULL AS BIGINT) AS name WHERE false"
    con.execute(
        f"""
        CREATE OR REPLACE TABLE {SHARES} AS
        WITH opened AS ({opened}),
        closed AS ({closed}),
        others AS (
            SELECT name, count(*) AS records FROM closed WHERE name IN (SELECT digest FROM named) GROUP BY name
        ),
        everybody AS (
            SELECT (SELECT coalesce(sum(records), 0) FROM opened) + (SELECT count(name) FROM closed) AS n
        )
        SELECT substr(said, 6) AS name, s.pseudonym AS name_key,
            (o.records + coalesce(c.records, 0)) / greatest(everybody.n, 1) AS tf_name
        FROM named AS s INNER JOIN opened AS o USING (said) LEFT JOIN others AS c ON s.digest = c.name
        CROSS JOIN everybody
        """
    )
    con.execute("DROP TABLE named")

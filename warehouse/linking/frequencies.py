"""How common each name is among all records: a common name is weak evidence, a rare one strong.

A run that looks at what a day has changed opens too few names to tell; it counts the pseudonyms that stand beside the
links of before.
"""

# ruff: noqa: S608 - SQL is put together here from constants
from __future__ import annotations

from typing import TYPE_CHECKING

from quality.pseudonym import PseudonymKey
from warehouse.linking.identity import IDENTIFIED

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SHARES = "name_shares"


def hashed(con: duckdb.DuckDBPyConnection, key: PseudonymKey, sql: str) -> pa.Table:
    """The texts of a query of one column (``said``) with their ``pseudonym``."""
    import pyarrow as pa

    said = con.execute(sql).to_arrow_table().column(0).cast(pa.string()).combine_chunks()
    return pa.table({"said": said, "pseudonym": key.column(said)})


def share_names(con: duckdb.DuckDBPyConnection, key: PseudonymKey, *, before: str | None) -> None:
    """Make `SHARES`: every name in `IDENTIFIED` with ``name_key``, its pseudonym, and ``tf_name``, its share of all
    that are named.

    Args:
        before: table of the links of before, for a run that has not opened all records.
    """
    con.register(
        "names_said", hashed(con, key, f"SELECT DISTINCT 'name ' || name FROM {IDENTIFIED} WHERE name IS NOT NULL")
    )
    counts = f"SELECT 'name ' || name AS said, count(*) AS records FROM {IDENTIFIED} WHERE name IS NOT NULL GROUP BY 1"
    if before is not None:
        counts = (
            "SELECT n.said, greatest(count(b.name_key), 1) AS records"
            f" FROM names_said AS n LEFT JOIN {before} AS b ON n.pseudonym = b.name_key GROUP BY n.said"
        )
    everybody = (
        f"(SELECT count(name) FROM {IDENTIFIED})" if before is None else f"(SELECT count(name_key) FROM {before})"
    )
    con.execute(
        f"""
        CREATE OR REPLACE TABLE {SHARES} AS
        SELECT substr(n.said, 6) AS name, n.pseudonym AS name_key, c.records / greatest({everybody}, 1) AS tf_name
        FROM names_said AS n INNER JOIN ({counts}) AS c USING (said)
        """
    )
    con.unregister("names_said")

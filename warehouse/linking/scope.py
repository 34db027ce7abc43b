"""Which records a change may concern: no others are opened."""

# ruff: noqa: S608 - names come from validated contracts and are quoted, paths are literals
from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from catalog.linking import Linking
from catalog.registry import Catalog
from catalog.settings import Settings
from quality.pseudonym import PseudonymKey
from warehouse.access import Principal
from warehouse.linking.blocking import KEYS, blocks_sql, each_block_sql
from warehouse.linking.changes import NEWS
from warehouse.linking.frequencies import hashed
from warehouse.linking.index import (
    PARTS,
    PERSONS,
    digest_sql,
    feeds_sql,
    index_persons,
    part_sql,
)
from warehouse.linking.keys import PRIOR
from warehouse.linking.records import (
    RAW,
    load_records,
    number_records,
    salt_of,
    shape_records,
)
from warehouse.linking.store import DECISIONS, REVIEWS, view

if TYPE_CHECKING:
    import duckdb

SCOPE = "scope_parts"
STOOD = "stood"
RESTATED = "restated"
RARE_NAME = 40
"""Records of one name, up to which all of them may be of one person, whatever they say of the birth."""


def make_scope(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    catalog: Catalog,
    linking: Linking,
    *,
    tables: dict[str, str],
    since: datetime,
    principal: Principal,
    key: PseudonymKey,
    now: datetime,
) -> int:
    """Make `RECORDS` of the news and of all records of the persons they may concern; returns how many.

    `SCOPE` says which these are (``part``), `PRIOR` how they stood; `RESTATED` has the links of records that say
    something new and stay where they are, and `STOOD` has both as they stood.

    Args:
        tables: what to read each register from.
        since: when the last run began; what was decided after it is news too.
    """
    index_persons(con, settings)
    _find_concerned(con, settings, key=key, since=since)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE wanted AS
        SELECT part, true AS is_concerned FROM {PARTS} SEMI JOIN concerned USING (person)
        UNION ALL SELECT part, false FROM {NEWS} WHERE NOT is_news AND person NOT IN (SELECT person FROM concerned)
        """
    )
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {STOOD} AS SELECT l.*, w.is_concerned FROM linked AS l"
        " INNER JOIN wanted AS w ON l.part = w.part"
    )
    con.execute(f"CREATE OR REPLACE TABLE {PRIOR} AS SELECT * FROM {STOOD} WHERE is_concerned")
    con.execute(
        f"""
        CREATE OR REPLACE TABLE {RESTATED} AS
        SELECT s.* REPLACE (n.content AS content, n.evidence AS evidence, n.place AS place)
        FROM {STOOD} AS s INNER JOIN said AS n USING (part)
        WHERE NOT s.is_concerned
        """
    )
    con.execute(
        f"CREATE OR REPLACE TABLE {SCOPE} AS SELECT part FROM {PRIOR} UNION SELECT part FROM {NEWS} WHERE is_news"
    )
    opened = _open_scope(con, settings, catalog, linking, tables=tables, principal=principal, key=key, now=now)
    for name in ("wanted", "said", "unsaid", "before"):
        con.execute(f"DROP TABLE {name}")
    return opened


def _open_scope(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    catalog: Catalog,
    linking: Linking,
    *,
    tables: dict[str, str],
    principal: Principal,
    key: PseudonymKey,
    now: datetime,
) -> int:
    """Make `RECORDS` of what is in `SCOPE`, opening what was not opened to look whether it says something new."""
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE unopened AS
        SELECT f.register, p.record_key, p.role, p.content
        FROM {PRIOR} AS p INNER JOIN {feeds_sql(linking)} USING (feed)
        WHERE p.part NOT IN (SELECT part FROM said UNION ALL SELECT part FROM unsaid)
        """
    )
    load_records(
        con, settings, catalog, linking, principal=principal, key=key, now=now, tables=tables, only="unopened"
    )  # fmt: skip
    con.execute(
        f"""
        CREATE OR REPLACE TABLE {RAW} AS
        SELECT r.* REPLACE (u.content AS content)
        FROM {RAW} AS r INNER JOIN unopened AS u USING (register, record_key, role)
        UNION ALL SELECT * EXCLUDE (part) FROM unsaid WHERE part IN (SELECT part FROM {SCOPE})
        """
    )
    shape_records(con, now=now, key=key, into="shaped", numbered=False)
    opened = number_records(
        con,
        f"""
        SELECT * EXCLUDE (part) FROM said WHERE part IN (SELECT part FROM {SCOPE})
        UNION ALL BY NAME SELECT * FROM shaped
        """,
    )
    con.execute("DROP TABLE shaped")
    con.execute("DROP TABLE unopened")
    return opened


def _find_concerned(con: duckdb.DuckDBPyConnection, settings: Settings, *, key: PseudonymKey, since: datetime) -> None:
    """``concerned``: the persons (digests) whose records have to be looked at again.

    These are the persons the news belonged to, those of the resident IDs they carry, those somebody decided about
    since, and those nobody knows an ID of that share a blocking key with one of the news. A record whose number and
    name do not say together who it is may be of anybody of that birth and sex, and of anybody of that name and about
    that age. Who was linked by a name that has become more or less common is looked at again. Whoever stands in a
    number with one of these persons comes along: what a number is worth is told by all records that state it; and so
    does whom one of them waits to be decided with, or was.
    """
    _say_numbers_and_names(con, key)
    _pair_decided(con, settings, since)
    _find_met(con, key)
    _settle(con)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE concerned AS
        SELECT person FROM {NEWS} WHERE is_news AND person IS NOT NULL
        UNION SELECT person FROM {PERSONS} WHERE number IN (SELECT number FROM told WHERE number IS NOT NULL)
        UNION SELECT person FROM {PARTS} WHERE number IN (SELECT number FROM told WHERE number IS NOT NULL)
        UNION SELECT unnest([a, b]) FROM decided_pairs WHERE is_new
        UNION SELECT person FROM met
        """
    )
    _add_likely(con)
    _add_renamed(con)
    _add_sharers(con)


def _say_numbers_and_names(con: duckdb.DuckDBPyConnection, key: PseudonymKey) -> None:
    """``told``: of every record that is news (``part``) its number and name as digests, birth, year of birth and sex;
    ``is_sure``: its number is one of today and tells its birth."""
    news = f"said WHERE part IN (SELECT part FROM {NEWS} WHERE is_news)"
    numbers = hashed(con, key, f"SELECT DISTINCT valid_id FROM {news} AND valid_id IS NOT NULL")
    names = hashed(con, key, f"SELECT DISTINCT 'name ' || name FROM {news} AND name IS NOT NULL")
    con.register("said_numbers", numbers)
    con.register("said_names", names)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE told AS
        SELECT r.part, {digest_sql("i.pseudonym")} AS number, {digest_sql("n.pseudonym")} AS name,
            TRY_CAST(r.birth AS DATE) AS birth, r.born_year, r.sex,
            coalesce(NOT r.is_old AND r.birth = r.birth_of_id, false) AS is_sure
        FROM (SELECT * FROM {news}) AS r LEFT JOIN said_numbers AS i ON r.valid_id = i.said
        LEFT JOIN said_names AS n ON 'name ' || r.name = n.said
        """
    )
    con.unregister("said_numbers")
    con.unregister("said_names")


def _pair_decided(con: duckdb.DuckDBPyConnection, settings: Settings, since: datetime) -> None:
    """``decided_pairs``: two persons (``a``, ``b``) of whom a pair of records was decided (``is_new``: not known to the
    last run) or waits to be."""
    view(con, settings, DECISIONS, "decided")
    view(con, settings, REVIEWS, "waiting")
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE decided_pairs AS
        WITH pairs AS (
            SELECT {part_sql("feed_a", "key_a", "role_a")} AS a, {part_sql("feed_b", "key_b", "role_b")} AS b,
                decided_at > CAST(? AS TIMESTAMP WITH TIME ZONE) AS is_new
            FROM decided
            UNION ALL
            SELECT {part_sql("feed_a", "key_a", "role_a")}, {part_sql("feed_b", "key_b", "role_b")}, false FROM waiting
        ),
        held AS (
            SELECT part, person FROM {PARTS} WHERE part IN (SELECT a FROM pairs UNION SELECT b FROM pairs)
        )
        SELECT a.person AS a, b.person AS b, p.is_new
        FROM pairs AS p INNER JOIN held AS a ON p.a = a.part INNER JOIN held AS b ON p.b = b.part
        """,
        [since.isoformat()],
    )


def _find_met(con: duckdb.DuckDBPyConnection, key: PseudonymKey) -> None:
    """``met``: those without a believed ID that would be compared with one of the news, and with which (``part``)."""
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE met AS
        WITH news AS (
            SELECT part, {each_block_sql(blocks_sql())} AS block FROM said
            WHERE part IN (SELECT part FROM {NEWS} WHERE is_news)
        ),
        held AS (
            SELECT person, {each_block_sql("blocks")} AS block FROM linked WHERE blocks IS NOT NULL
        )
        SELECT DISTINCT part, person FROM held INNER JOIN news USING (block)
        """,
        [salt_of(key)] * len(KEYS),
    )


def _settle(con: duckdb.DuckDBPyConnection) -> None:
    """Take out of the news, and of ``told``, what leaves everybody where they are.

    A record that states the number and name it did is of the person it was of, when all records of that person, and no
    others, state that number, and all by that name: whatever else it says, the number is believed, as long as this
    record or a second register speaks for it. What it says of home and telephone is evidence for those who are not sure
    of their number; when it meets none of them, nor stands in a pair to be decided, nothing follows. Where no more than
    the community is another, the person may have other records too, but for those it finds by the community.
    """
    _find_own_records(con)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE settled AS
        WITH records AS (
            SELECT part, register, CASE
                WHEN is_weighed THEN is_unsure OR NOT is_named_so
                ELSE is_unsure AND is_named_so AND other IN (SELECT part FROM found_by_place)
            END AS is_odd
            FROM own_records
            UNION ALL
            SELECT o.part, p.register, true FROM stated_again AS o INNER JOIN {PARTS} AS p ON o.number = p.number
            WHERE p.person <> o.person
        ),
        plain AS (
            SELECT part, count(DISTINCT register) AS registers FROM records GROUP BY part HAVING NOT bool_or(is_odd)
        )
        SELECT part FROM stated_again INNER JOIN plain USING (part)
        WHERE (is_sure OR registers > 1) AND part NOT IN (SELECT part FROM met)
            AND person NOT IN (SELECT unnest([a, b]) FROM decided_pairs)
        """
    )
    con.execute(f"UPDATE {NEWS} SET is_news = false, is_weighed = false WHERE part IN (SELECT part FROM settled)")
    con.execute("DELETE FROM told WHERE part IN (SELECT part FROM settled)")


def _find_own_records(con: duckdb.DuckDBPyConnection) -> None:
    """``stated_again``: news of persons of a believed number, with that number and the name of before;
    ``own_records``: with each (``part``) all records of the person (``other``), ``is_unsure`` of the number or
    ``is_named_so``; ``found_by_place``: those of them that one of the news finds, or found, by its name and community.
    """
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE stated_again AS
        SELECT n.part, n.person, n.is_weighed, t.number, t.name, t.is_sure
        FROM {NEWS} AS n INNER JOIN told AS t USING (part) INNER JOIN {PERSONS} AS i ON n.person = i.person
        WHERE n.is_news AND i.is_identified AND t.number = i.number AND t.name = n.name
        """
    )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE own_records AS
        SELECT o.part, o.is_weighed, p.part AS other, p.register,
            NOT p.has_own_id OR p.number IS DISTINCT FROM o.number AS is_unsure,
            p.name IS NOT DISTINCT FROM o.name AS is_named_so
        FROM stated_again AS o INNER JOIN {PARTS} AS p ON o.person = p.person
        """
    )
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE found_by_place AS
        WITH asked AS (
            SELECT o.other, s.place AS now_there, b.place AS was_there
            FROM own_records AS o INNER JOIN said AS s USING (part) INNER JOIN before AS b USING (part)
            WHERE NOT o.is_weighed AND o.is_unsure AND o.is_named_so
        )
        SELECT l.part FROM linked AS l INNER JOIN asked AS a ON l.part = a.other
        WHERE l.place IN (a.now_there, a.was_there)
        """
    )


def _add_likely(con: duckdb.DuckDBPyConnection) -> None:
    """Add to ``concerned`` who may be meant by a changed record that its number and name do not tell of: those of the
    birth and sex, and those of the name, who alone are found by a community."""
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE unsure AS
        WITH owners AS (
            SELECT person, number AS own FROM {PERSONS}
            WHERE is_identified AND number IN (SELECT number FROM told WHERE number IS NOT NULL)
        ),
        known AS (SELECT DISTINCT o.own AS number, p.name FROM owners AS o INNER JOIN {PARTS} AS p USING (person))
        SELECT DISTINCT t.name, t.birth, t.born_year, t.sex, n.is_weighed
        FROM (SELECT * FROM told ANTI JOIN known USING (number, name)) AS t INNER JOIN {NEWS} AS n USING (part)
        """
    )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE namesakes AS
        SELECT person, name FROM {PARTS} WHERE name IN (SELECT name FROM unsure WHERE name IS NOT NULL)
        """
    )
    con.execute(
        f"""
        INSERT INTO concerned
        SELECT i.person FROM {PERSONS} AS i INNER JOIN unsure AS u ON i.birth_date = u.birth AND i.sex_code = u.sex
        WHERE u.is_weighed
        UNION
        SELECT l.person FROM namesakes AS l
        INNER JOIN unsure AS u USING (name) INNER JOIN {PERSONS} AS i USING (person)
        WHERE abs(year(i.birth_date) - u.born_year) <= 1 OR u.born_year IS NULL OR l.name IN (
            SELECT name FROM namesakes GROUP BY name HAVING count(*) <= {RARE_NAME}
        )
        """
    )


def _add_renamed(con: duckdb.DuckDBPyConnection) -> None:
    """Add to ``concerned`` who holds a record without a number of a rare name that more or fewer records bear now."""
    con.execute(
        f"""
        INSERT INTO concerned
        WITH borne AS (
            SELECT name, -1 AS records FROM {NEWS} WHERE is_news AND name IS NOT NULL
            UNION ALL SELECT name, 1 FROM told WHERE name IS NOT NULL
        ),
        moved AS (SELECT name FROM borne GROUP BY name HAVING sum(records) <> 0),
        bearers AS (
            SELECT person, has_own_id, count(*) OVER (PARTITION BY name) AS records
            FROM {PARTS} WHERE name IN (SELECT name FROM moved)
        )
        SELECT person FROM bearers WHERE records <= {RARE_NAME} AND NOT has_own_id
        """
    )


def _add_sharers(con: duckdb.DuckDBPyConnection) -> None:
    """Add to ``concerned``, step by step, who shares a number or a pair that was or is to be decided with one of them.

    A record may state a number and belong to another person than the number does; looked at without that person's
    records, nothing would speak against it.
    """
    con.execute("CREATE OR REPLACE TEMP TABLE latest AS SELECT DISTINCT person FROM concerned")
    con.execute("CREATE OR REPLACE TEMP TABLE concerned AS SELECT person FROM latest")
    while _count(con, "SELECT count(*) FROM latest"):
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE latest AS
            WITH stated AS (
                SELECT DISTINCT number FROM {PARTS} SEMI JOIN latest USING (person) WHERE number IS NOT NULL
            ),
            sharers AS (
                SELECT person FROM {PARTS} WHERE number IN (SELECT number FROM stated)
                UNION SELECT p.b FROM decided_pairs AS p INNER JOIN latest AS c ON p.a = c.person
                UNION SELECT p.a FROM decided_pairs AS p INNER JOIN latest AS c ON p.b = c.person
            )
            SELECT DISTINCT person FROM sharers ANTI JOIN concerned USING (person)
            """
        )
        con.execute("INSERT INTO concerned SELECT person FROM latest")


def _count(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = con.execute(sql).fetchone()
    return int(row[0]) if row else 0

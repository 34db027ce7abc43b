"""Reads the registers: every person of every record, with direct identifiers, in one DuckDB table of one shape."""

# ruff: noqa: S608 - names come from validated contracts and are quoted, values are parameters
from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from catalog.linking import Linking, PersonColumns
from catalog.model import Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from quality.identifiers import (
    is_phone_sql,
    is_resident_id_sql,
    resident_birth_date_sql,
    resident_sex_code_sql,
    upgrade_resident_id_sql,
)
from quality.person_names import NameFeatures, features, normalise_name
from quality.pseudonym import PseudonymKey
from quality.sql import literal, quote
from warehouse.access import Principal
from warehouse.duck import connect, load_extension

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

PURPOSE = "人口库比对：判定各登记中的同一人"
MEMORY = "5GB"
RAW = "raw_records"
RECORDS = "records"
NAMES = "names"
_RAW_COLUMNS = (
    "register SMALLINT, record_key VARCHAR, role VARCHAR, name VARCHAR, id VARCHAR, sex VARCHAR, birth DATE,"
    " birth_year INTEGER, phone VARCHAR, address VARCHAR, community VARCHAR, content BIGINT"
)
EVIDENCE = ("name", "sex", "birth", "born_year", "phone", "address", "door", "number", "valid_id", "is_old")
"""Columns of `RECORDS` that are weighed, beside the register: all else follows from these, but the community, by which
namesakes are found."""
_NUMBERED = "row_number() OVER (ORDER BY register, record_key, role) AS record"
_DISTRICT = "^(北京市?)?(市辖区)?((西城|宣武)区)?([^区街道]{2,5}街道)?"


@contextmanager
def work_database(settings: Settings, *, memory: str = MEMORY) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB in memory for clear identifiers; what it spills is encrypted under a key that dies with it."""
    spill = settings.build / "linking"
    shutil.rmtree(spill, ignore_errors=True)
    spill.mkdir(parents=True, mode=0o700)
    con = connect(memory=memory, spill=spill, house_only=True)
    try:
        load_extension(con, "httpfs")  # for its OpenSSL: DuckDB's own crypto can only decrypt
        con.execute("SET temp_file_encryption = true")
        con.execute("SET GLOBAL TimeZone = 'UTC'")
        con.execute("SET preserve_insertion_order = false")
        yield con
    finally:
        con.close()
        shutil.rmtree(spill, ignore_errors=True)


def salt_of(key: PseudonymKey) -> str:
    """What every digest begins with; it reaches DuckDB as a parameter alone."""
    return key.pseudonym(PURPOSE)


def load_records(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    catalog: Catalog,
    linking: Linking,
    *,
    principal: Principal,
    key: PseudonymKey,
    now: datetime,
    tables: Mapping[str, str],
    since: Mapping[str, str] | None = None,
    only: str | None = None,
) -> None:
    """Fill `RAW` with every person of every record of the registers that have a table.

    ``content`` is a keyed digest of all that a record says: it tells a record that says something new from one that was
    delivered again.

    Args:
        key: makes the digests.
        tables: feed id to what to read it from, of the registers that have a table.
        since: feed id to an instant (ISO); only records loaded after it are opened, and no register that is not named.
        only: a table of ``con`` with ``register`` and ``record_key``; nothing else is opened, and ``content``, which
            whoever asks knows, stays empty.
    """
    con.execute(f"CREATE OR REPLACE TABLE {RAW} ({_RAW_COLUMNS})")
    asked = None if only is None else {r for (r,) in con.execute(f"SELECT DISTINCT register FROM {only}").fetchall()}
    for number, (feed_id, persons) in enumerate(linking.registers.items()):
        if feed_id not in tables or (since is not None and feed_id not in since):
            continue
        if asked is not None and number not in asked:
            continue
        feed, table = catalog.feed(feed_id), tables[feed_id]
        places = None
        if since is not None or only is not None:
            if since is not None:
                rows = f"SELECT * FROM {table} WHERE {loaded_since_sql(since[feed_id])}"
            else:
                keys = f"SELECT record_key FROM {only} WHERE register = {number}"
                rows = _of_keys(catalog, feed, persons, table, keys)
            con.execute(f"CREATE OR REPLACE TABLE chosen AS {rows}")
            table = "chosen"
            places = con.execute("SELECT _receipt, _row_number FROM chosen").to_arrow_table()
            if not places.num_rows:
                continue
        direct = _open(con, settings, catalog, feed, persons, principal, now, places)
        content = "CAST(NULL AS BIGINT)" if only is not None else _content_sql(con, table, direct)
        for columns in persons:
            _insert(con, catalog, feed, number, columns, table, direct, content, salt_of(key))
        con.execute("DROP TABLE opened")
    con.execute("DROP TABLE IF EXISTS chosen")


def loaded_since_sql(instant: str) -> str:
    """SQL: the rows of a feed loaded after an instant (ISO)."""
    return f"_loaded_at > CAST({literal(instant)} AS TIMESTAMP WITH TIME ZONE)"


def _of_keys(catalog: Catalog, feed: Feed, persons: Sequence[PersonColumns], table: str, keys: str) -> str:
    """SQL: what is linked by, and the places in the vault, of the records of a feed that have one of the keys."""
    key = catalog.table_key(feed)[0]
    said = {f for p in persons for f in p.fields if f != p.updated} - {f.name for f in catalog.vaulted(feed)} - {key}
    names = ", ".join(map(quote, (key, "_receipt", "_row_number", *sorted(said))))
    return f"SELECT {names} FROM {table} AS f SEMI JOIN ({keys}) AS o ON CAST(f.{quote(key)} AS VARCHAR) = o.record_key"


def _open(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    catalog: Catalog,
    feed: Feed,
    persons: Sequence[PersonColumns],
    principal: Principal,
    now: datetime,
    places: pa.Table | None,
) -> set[str]:
    """Open the direct identifiers of a register into the table ``opened``; returns their names."""
    from warehouse.vault import open_rows

    held = {f.name for f in catalog.vaulted(feed)}
    direct = sorted({f for p in persons for f in p.fields} & held)
    rows = open_rows(
        settings, catalog, feed.id, direct,
        principal=principal, purpose=PURPOSE, now=now, keys=places, beside=("_receipt", "_row_number"),
        con=con.cursor(),
    )  # fmt: skip
    con.register("opening", rows)
    con.execute("CREATE OR REPLACE TABLE opened AS SELECT * FROM opening")
    con.unregister("opening")
    return set(direct)


def _insert(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    feed: Feed,
    number: int,
    columns: PersonColumns,
    table: str,
    direct: set[str],
    content: str,
    salt: str,
) -> None:
    def text(name: str | None, kind: str = "VARCHAR") -> str:
        if name is None:
            return f"CAST(NULL AS {kind})"
        return f"TRY_CAST({'o' if name in direct else 'f'}.{quote(name)} AS {kind})"

    sex = literal(columns.sex_is) if columns.sex_is else text(columns.sex)
    key = quote(catalog.table_key(feed)[0])
    birth = text(columns.birth_date, "DATE")
    year = text(columns.birth_year, "INTEGER") if columns.birth_year else f"CAST(year({birth}) AS INTEGER)"
    place = text(columns.community) if columns.community else text(columns.community_name)
    con.execute(
        f"""
        INSERT INTO {RAW}
        SELECT {number}, CAST(f.{key} AS VARCHAR), {literal(columns.role)}, {text(columns.name)},
            {text(columns.resident_id)}, {sex}, {birth}, {year}, {text(columns.phone)}, {text(columns.address)},
            {place}, {content}
        FROM {table} AS f INNER JOIN opened AS o USING (_receipt, _row_number)
        WHERE f.{key} IS NOT NULL AND {text(columns.name)} IS NOT NULL
        """,
        [salt] if "?" in content else [],
    )


def _content_sql(con: duckdb.DuckDBPyConnection, table: str, direct: set[str]) -> str:
    """A digest of all columns but the system's."""
    there = con.execute(f"SELECT * FROM {table} LIMIT 0").description or []
    names = [f"f.{quote(c)}" for c, *_ in sorted(there) if not c.startswith("_")] + [
        f"o.{quote(c)}" for c in sorted(direct)
    ]
    return digest_sql(names)


def digest_sql(names: Iterable[str]) -> str:
    """64 bits of a digest of columns, under a salt that is a parameter."""
    said = ", ".join(f"coalesce(CAST({n} AS VARCHAR), chr(30))" for n in names)
    return f"CAST(CAST(md5_number_lower(concat_ws(chr(31), ?, {said})) AS HUGEINT) - {1 << 63} AS BIGINT)"


def shape_records(
    con: duckdb.DuckDBPyConnection, *, now: datetime, key: PseudonymKey, into: str = RECORDS, numbered: bool = True
) -> int:
    """Make ``into`` and `NAMES` of `RAW`: what is compared, and nothing that cannot be true; returns records.

    A birth in the future or before 1850, a name of no person, a text that is no phone: none of them is evidence.
    ``evidence`` and ``place`` are keyed digests of all that persons are linked by, the second of the community: who
    says of it what they said before is linked as they were.

    Args:
        numbered: with ``record``, a number that rises in the order of the registers; without, see `number_records`.
    """
    names = [n for (n,) in con.execute(f"SELECT DISTINCT name FROM {RAW}").fetchall()]
    _fill_names(con, names)
    today = f"DATE {literal(now.date().isoformat())}"
    number = "upper(replace(translate(trim(id), '０１２３４５６７８９Ｘｘ', '0123456789XX'), ' ', ''))"
    order = f"{_NUMBERED}, " if numbered else ""
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE places AS SELECT community, {digest_sql(['community'])} AS place"
        f" FROM (SELECT DISTINCT community FROM {RAW} WHERE community IS NOT NULL)",
        [salt_of(key)],
    )
    con.execute(
        f"""
        CREATE OR REPLACE TABLE {into} AS
        WITH given AS (
            SELECT {order}r.*,
                nullif({number}, '') AS number,
                CASE WHEN birth BETWEEN DATE '1850-01-01' AND {today} THEN birth END AS born,
                CASE WHEN birth_year BETWEEN 1850 AND year({today}) THEN birth_year END AS born_year
            FROM {RAW} AS r
        ),
        valid AS (
            SELECT *, CASE WHEN {is_resident_id_sql("number")} THEN {upgrade_resident_id_sql("number")} END AS valid_id
            FROM given
        ),
        shaped AS (
            SELECT {"v.record, " if numbered else ""}v.register, v.record_key, v.role, v.content,
                n.name, {", ".join(f"n.{c}" for c in NameFeatures._fields[1:])},
                CASE WHEN v.sex IN ('1', '2') THEN v.sex END AS sex,
                CAST(v.born AS VARCHAR) AS birth, substr(CAST(v.born AS VARCHAR), 6) AS birth_day, v.born_year,
                CASE WHEN {is_phone_sql("v.phone")} THEN v.phone END AS phone,
                {_address_sql("v.address")} AS address, {_door_sql("v.address")} AS door, v.community, p.place,
                CASE WHEN regexp_full_match(v.number, '[0-9]{{5,17}}[0-9X]')
                    THEN {upgrade_resident_id_sql("v.number")} END AS number,
                v.valid_id, coalesce(length(v.number) = 15, false) AS is_old,
                CAST({resident_birth_date_sql("v.valid_id")} AS VARCHAR) AS birth_of_id,
                {resident_sex_code_sql("v.valid_id")} AS sex_of_id
            FROM valid AS v LEFT JOIN {NAMES} AS n ON v.name = n.given_name LEFT JOIN places AS p USING (community)
        )
        SELECT *, {digest_sql(EVIDENCE)} AS evidence FROM shaped
        """,
        [salt_of(key)],
    )
    con.execute(f"DROP TABLE {RAW}")
    return _count(con, f"SELECT count(*) FROM {into}")


def number_records(con: duckdb.DuckDBPyConnection, shaped: str) -> int:
    """Make `RECORDS` of rows that `shape_records` made without numbers; returns how many.

    Args:
        shaped: SQL of these rows.
    """
    con.execute(f"CREATE OR REPLACE TABLE {RECORDS} AS SELECT {_NUMBERED}, r.* FROM ({shaped}) AS r")
    return _count(con, f"SELECT count(*) FROM {RECORDS}")


def _fill_names(con: duckdb.DuckDBPyConnection, names: Sequence[str]) -> None:
    import pyarrow as pa

    plain = [normalise_name(n) for n in names]
    found = features(sorted({n for n in plain if n}))
    columns = zip(*found, strict=True) if found else [[]] * len(NameFeatures._fields)
    made = [pa.array([v or None for v in column], pa.string()) for column in columns]
    given = [pa.array(list(names), pa.string()), pa.array(plain, pa.string())]
    con.register("found_names", pa.table(made, names=list(NameFeatures._fields)))
    con.register("given_names", pa.table(given, names=["given_name", "plain"]))
    con.execute(
        f"CREATE OR REPLACE TABLE {NAMES} AS SELECT g.given_name, f.* FROM given_names AS g"
        " INNER JOIN found_names AS f ON g.plain = f.name"
    )
    con.unregister("found_names")
    con.unregister("given_names")


def _plain_address(expr: str) -> str:
    half = f"translate({expr}, '０１２３４５６７８９－（）', '0123456789-()')"
    bare = f"regexp_replace({half}, '[\\s]|\\(.*?\\)', '', 'g')"
    return f"regexp_replace({bare}, '{_DISTRICT}', '')"


def _address_sql(expr: str) -> str:
    """Lane and every number of an address: 安德路12号院3号楼201室 and 安德路12院3-201 give the same."""
    plain = _plain_address(expr)
    lane = f"regexp_extract({plain}, '^[^0-9]+')"
    numbers = f"array_to_string(regexp_extract_all({plain}, '[0-9]+'), '-')"
    return f"CASE WHEN length({lane}) >= 2 AND {numbers} <> '' THEN {lane} || ':' || {numbers} END"


def _door_sql(expr: str) -> str:
    """Lane and first number of an address."""
    plain = _plain_address(expr)
    return f"nullif(regexp_extract({plain}, '^[^0-9]{{2,}}[0-9]+'), '')"


def _count(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    row: Any = con.execute(sql).fetchone()
    return int(row[0])

"""Tables of a database: everything, what a cursor column says is new, or what a comparison says has changed.

DuckDB's scanners stream the table into the file to land, in the order it comes; a digest of its rows, whatever their
order, tells whether a pull brings what the one before brought. ``compare`` keeps a digest of every row by key, so that
changed rows are landed alone and rows that are gone are known: a delivery of their keys, where the contract marks or
removes them.
"""

# ruff: noqa: S608 - names are quoted, values are literals of checked cursors
from __future__ import annotations

import hashlib
import json
import shutil
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import BeforeValidator, Field, model_validator

from catalog.errors import SourceError, SourceUnavailable
from ingestion import landing
from ingestion.sources.base import Fetched, Params, Pull
from ingestion.sources.moments import Moment, parse_moment
from ingestion.sources.records import Delivery
from ingestion.sources.secrets import KeyFileName, SecretName, private_file
from quality.sql import literal, quote
from warehouse.duck import connect

if TYPE_CHECKING:
    import duckdb

NAME_PATTERN = r"^[^\x00-\x1f\"'`\\;]{1,128}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Tls = Annotated[
    Literal["verify", "require", "off"], BeforeValidator(lambda v: {True: "verify", False: "off"}.get(v, v))
]
SMALL = 10
"""Vanished rows that are never too many."""


class DatabaseParams(Params):
    """Attributes:
    table: ``schema.table`` or ``table``.
    columns: those to take, default all.
    mode: ``full`` takes all rows every time; ``incremental`` those with ``cursor`` at or after the last pull's,
        less ``overlap_seconds`` (numbers: so much lower); ``compare`` reads all rows and lands those that changed.
    start: where an incremental feed begins; none takes all rows first.
    max_delete_pct: of the rows known to ``compare``; when more are gone, the pull is refused.
    tls: ``verify`` (certificate and host name), ``require`` (encrypted, not verified), ``off``.
    ca: file below keys/ with the authority to trust. timeout_seconds: of the whole query.
    """

    host: str = Field(pattern=r"^[A-Za-z0-9.:_-]+$")
    port: int = Field(ge=1, le=65535)
    database: Name
    user: Name
    secret: SecretName
    table: Name
    columns: tuple[Name, ...] = ()
    mode: Literal["full", "incremental", "compare"] = "full"
    cursor: Name | None = None
    overlap_seconds: float = Field(default=0, ge=0)
    start: str | None = None
    max_delete_pct: float = Field(default=20, ge=0, le=100)
    tls: Tls = "verify"
    ca: KeyFileName | None = None
    connect_timeout_seconds: int = Field(default=15, ge=1, le=120)
    timeout_seconds: float = Field(default=3600, gt=0, le=86_400)

    @model_validator(mode="after")
    def _cursor(self) -> DatabaseParams:
        if (self.mode == "incremental") != (self.cursor is not None):
            raise ValueError("cursor belongs to mode: incremental, which needs it")
        return self


class Dialect(Protocol):
    """What differs between databases.

    Attributes:
        query_function: DuckDB's function that sends a query.
        scans_tables: DuckDB reads a table in pieces, several at a time, of one snapshot.
    """

    name: str
    query_function: str
    scans_tables: bool

    def attach(self, con: duckdb.DuckDBPyConnection, params: Any, pull: Pull) -> None:
        """Make the database ``src`` of ``con``; no password in SQL that can be shown."""
        ...

    def quote(self, name: str) -> str: ...

    def split(self, params: Any) -> tuple[str, str]:
        """Schema and table."""
        ...

    def lossless(self, name: str, kind: str, precision: int | None) -> str:
        """The quoted column, as text where its type would lose digits or meaning on the way."""
        ...

    def moment(self, moment: Moment) -> str:
        """A cursor as the database compares it."""
        ...


def authority_file(params: DatabaseParams, pull: Pull) -> Path:
    """The authorities a server's certificate must come from: the contract's, else those of this machine.

    Raises:
        SourceError: there are none, so nothing could be verified.
    """
    named = pull.key_file(params.ca)
    if named is not None:
        return private_file(named)
    found = ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"
    if not Path(found).is_file():
        raise SourceError(
            "this machine has no file of trusted authorities", hint="name the provider's in source.ca", host=params.host
        )
    return Path(found)


def fetch_table(dialect: Dialect, params: DatabaseParams, pull: Pull, place: str) -> Iterator[Fetched]:
    """One pull of a table; see the module."""
    cursor = pull.state.cursor()
    for old in pull.state.folder.glob("keys-*.parquet"):
        if old.name != cursor.get("keys"):
            old.unlink()
    with connect(memory="600MB", threads=2, spill=pull.into, house_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        with _in_our_words(dialect, params, con):
            dialect.attach(con, params, pull)
            columns = _columns(con, dialect, params)
            key = _key(pull, list(columns))
            if params.mode == "incremental":
                sql = _select(dialect, params, columns, key, cursor)
                sql = f"SELECT * FROM {dialect.query_function}('src', {literal(sql)})"
            else:
                sql = _all_rows(con, dialect, params, columns)
            pulled = None
            if params.mode != "compare" and pull.feed.format.type == "parquet":
                pulled = _delivery(con, sql, pull, place, cursor)
            file = pulled.path if pulled else pull.into / "table.parquet"
            if pulled is None:
                con.execute(_copy(sql, file))
        rows = f"read_parquet({literal(str(file))})"
        if params.mode == "compare":
            yield from _compared(con, rows, key, params, pull, place, cursor)
            return
        reached = _reached(con, params, rows, cursor, pull)
        digest = _digest(con, rows)
        delivery = pulled or _delivery(con, f"SELECT * FROM {rows}", pull, place, cursor)
        _take_back(con, pull, delivery, digest)
        pull.say(f"{pull.feed.id}: {delivery.rows:,} rows read")
        new = {"since": reached} if reached else {}
        yield from delivery.fetched(new, always=params.mode == "full", digest=digest)


def _digest(con: duckdb.DuckDBPyConnection, rows: str) -> str:
    """What tells whether two pulls brought the same rows in the same columns, in whatever order.

    Sorting a million rows so that their bytes would tell it costs five times as much.
    """
    columns = con.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()
    names = ", ".join(quote(c[0]) for c in columns)
    sums = con.execute(
        f"SELECT count(*), sum(h)::VARCHAR, bit_xor(h)::VARCHAR FROM (SELECT hash({names}) AS h FROM {rows})"
    ).fetchone()
    return hashlib.sha256(json.dumps([[c[:2] for c in columns], sums]).encode()).hexdigest()


def _take_back(con: duckdb.DuckDBPyConnection, pull: Pull, delivery: Delivery, digest: str) -> None:
    """Give a delivery the bytes that a pull landed before it was killed, where its rows are the same in another order.

    Landing then knows them again.
    """
    if delivery.path.suffix != ".parquet":
        return
    for receipt in landing.pending(pull.settings, pull.feed.id):
        file = landing.landed_file(pull.settings, receipt)
        if receipt.source == delivery.source and _digest(con, f"read_parquet({literal(str(file))})") == digest:
            shutil.copyfile(file, delivery.path)


def _columns(con: duckdb.DuckDBPyConnection, dialect: Dialect, params: DatabaseParams) -> dict[str, str]:
    """Column to the expression that reads it, in the table's order."""
    schema, table = dialect.split(params)
    sql = (
        "SELECT column_name AS c, data_type AS t, numeric_precision AS p FROM information_schema.columns "
        f"WHERE table_schema = {literal(schema)} AND table_name = {literal(table)} ORDER BY ordinal_position"
    )
    found = con.execute(f"SELECT * FROM {dialect.query_function}('src', {literal(sql)})").fetchall()
    there = {str(c): dialect.lossless(str(c), str(t).lower(), p) for c, t, p in found}
    if not there:
        raise SourceError(
            f"there is no table {params.table} that {params.user} may read",
            hint="check source.table, and that the user may select from it",
            host=params.host,
        )
    missing = [c for c in (*params.columns, *([params.cursor] if params.cursor else [])) if c not in there]
    if missing:
        raise SourceError(
            f"the table has no column {', '.join(missing)} (there: {', '.join(list(there)[:20])})",
            hint="correct source.columns or source.cursor",
            table=params.table,
        )
    wanted = {*params.columns, params.cursor} if params.columns else set(there)
    return {c: e for c, e in there.items() if c in wanted}


def _all_rows(con: duckdb.DuckDBPyConnection, dialect: Dialect, params: DatabaseParams, columns: dict[str, str]) -> str:
    """The query of all rows: of the table itself, in pieces side by side of one snapshot, where DuckDB can scan it."""
    schema, table = dialect.split(params)
    as_they_are = all(e == dialect.quote(c) for c, e in columns.items())
    if dialect.scans_tables and as_they_are and _is_plain(con, dialect.query_function, schema, table, columns):
        return f"SELECT {', '.join(quote(c) for c in columns)} FROM src.{quote(schema)}.{quote(table)}"
    sql = _select(dialect, params, columns, [], {})
    return f"SELECT * FROM {dialect.query_function}('src', {literal(sql)})"


def _is_plain(con: duckdb.DuckDBPyConnection, function: str, schema: str, table: str, columns: dict[str, str]) -> bool:
    """Whether names that differ in case only, which DuckDB cannot tell apart, do not stand here."""
    sql = (
        f"SELECT count(*) AS n FROM information_schema.tables WHERE lower(table_schema) = {literal(schema.lower())} "
        f"AND lower(table_name) = {literal(table.lower())}"
    )
    found = con.execute(f"SELECT n FROM {function}('src', {literal(sql)})").fetchone()
    return found is not None and found[0] == 1 and len({c.lower() for c in columns}) == len(columns)


def _key(pull: Pull, columns: list[str]) -> list[str]:
    """The source columns of the contract's key, those that are there."""
    specs = [pull.feed.fields[k] for k in pull.feed.load.key]
    return [next((c for c in columns if c in spec.from_), "") for spec in specs if spec.from_]


def _select(
    dialect: Dialect, params: DatabaseParams, columns: dict[str, str], key: list[str], cursor: dict[str, Any]
) -> str:
    schema, table = dialect.split(params)
    picked = ", ".join(f"{e} AS {dialect.quote(c)}" for c, e in columns.items())
    sql = f"SELECT {picked} FROM {dialect.quote(schema)}.{dialect.quote(table)}"
    start = cursor.get("since") or params.start
    if params.cursor and start is not None:
        since = parse_moment(start)
        since = since.minus(timedelta(seconds=params.overlap_seconds)) if "since" in cursor else since
        sql += f" WHERE {dialect.quote(params.cursor)} >= {dialect.moment(since)}"
    order = [*([params.cursor] if params.cursor else []), *(key if all(key) else [])]
    if order and params.mode != "compare":
        sql += " ORDER BY " + ", ".join(dialect.quote(c) for c in dict.fromkeys(order))
    return sql


def _reached(
    con: duckdb.DuckDBPyConnection, params: DatabaseParams, rows: str, cursor: dict[str, Any], pull: Pull
) -> str | None:
    """The cursor after this pull: the highest value that is not ahead of now by over a day, never back."""
    if params.cursor is None:
        return None
    column = quote(params.cursor)
    kind = con.execute(f"SELECT typeof({column}) FROM {rows} LIMIT 1").fetchone()
    if kind is None:
        return cursor.get("since")
    if kind[0].startswith(("DECIMAL", "DOUBLE", "FLOAT")) or kind[0].endswith("INT") or kind[0] == "INTEGER":
        found = con.execute(f"SELECT max({column})::VARCHAR FROM {rows}").fetchone()
    else:
        latest = (pull.now + timedelta(days=1, hours=8)).isoformat()
        found = con.execute(
            f"SELECT arg_max(c, m) FROM (SELECT {column}::VARCHAR AS c, try_cast(c AS TIMESTAMPTZ) AS m "
            f"FROM {rows}) WHERE m <= TIMESTAMPTZ {literal(latest)}"
        ).fetchone()
    value = found[0] if found else None
    if value is None:
        return cursor.get("since")
    moment = parse_moment(value)
    before = parse_moment(cursor["since"]) if cursor.get("since") else None
    return before.text if before and before.kind == moment.kind and before.value > moment.value else moment.text


def _compared(
    con: duckdb.DuckDBPyConnection, rows: str, key: list[str], params: DatabaseParams, pull: Pull, place: str,
    cursor: dict[str, Any],
) -> Iterator[Fetched]:  # fmt: skip
    """Rows that are new or changed since the last comparison, then the keys of those that are gone."""
    if not key or not all(key):
        raise SourceError(
            "the table lacks a column of the contract's key, or the contract has none",
            hint="mode compare needs load.key with fields that come from one column each",
            feed=pull.feed.id,
        )
    keys = ", ".join(quote(k) for k in key)
    con.execute(f"CREATE TABLE now AS SELECT {keys}, md5(to_json(r)::VARCHAR) AS _digest FROM {rows} r")
    bad = con.execute(f"SELECT count(*) FROM (SELECT {keys} FROM now GROUP BY {keys} HAVING count(*) > 1)").fetchone()
    if bad and bad[0]:
        raise SourceError(
            f"{bad[0]} keys stand for several rows", hint="the contract's key is not a key of the table",
            feed=pull.feed.id, table=params.table,
        )  # fmt: skip
    before = pull.state.folder / cursor["keys"] if cursor.get("keys") else None
    if before is not None and before.exists():
        con.execute(f"CREATE TABLE before AS SELECT * FROM read_parquet({literal(str(before))})")
    else:
        con.execute("CREATE TABLE before AS SELECT * FROM now LIMIT 0")
    same = " AND ".join(f"b.{quote(k)} IS NOT DISTINCT FROM n.{quote(k)}" for k in key)
    gone_sql = f"SELECT {', '.join('b.' + quote(k) for k in key)} FROM before b ANTI JOIN now n ON {same}"
    gone, known = con.execute(
        f"SELECT (SELECT count(*) FROM ({gone_sql})), (SELECT count(*) FROM before)"
    ).fetchone() or (0, 0)
    if gone > max(SMALL, known * params.max_delete_pct / 100):
        raise SourceError(
            f"{gone} of {known} rows are gone at the source, more than {params.max_delete_pct:g} %",
            hint="ask the department; if that is right, raise source.max_delete_pct for one pull",
            feed=pull.feed.id, table=params.table,
        )  # fmt: skip
    remembered = pull.into / f"keys-{int(cursor.get('pull', 0)) + 1:06d}.parquet"
    con.execute(_copy("SELECT * FROM now", remembered))
    changed = f"SELECT n.* FROM {rows} n ANTI JOIN before b ON {same} AND b._digest = md5(to_json(n)::VARCHAR)"
    delivery = _delivery(con, changed, pull, place, cursor)
    removes = bool(gone) and pull.feed.load.deletes != "keep"
    note = "" if removes or not gone else " (kept here: the contract has no load.deletes: mark or remove)"
    pull.say(f"{pull.feed.id}: {delivery.rows:,} rows new or changed, {gone:,} gone{note}")
    new: dict[str, Any] = {"keys": remembered.name}
    if not delivery.rows and not gone:
        return
    if delivery.rows or not removes:
        last = not removes
        yield from delivery.fetched(
            new, always=True, compare=False, last=last, kept={remembered.name: remembered} if last else {}
        )
    if removes:
        deleted = _delivery(con, gone_sql, pull, place, cursor, suffix="-deletes")
        yield from deleted.fetched(new, always=True, compare=False, deletes=True, kept={remembered.name: remembered})


def _delivery(
    con: duckdb.DuckDBPyConnection, sql: str, pull: Pull, place: str, cursor: dict[str, Any], *, suffix: str = ""
) -> Delivery:
    """The rows of ``sql`` as the file to land, in the format of the contract."""
    ending = pull.feed.format.type
    delivery = Delivery(pull, place + suffix, cursor, ending=ending, suffix=suffix)
    row = con.execute(_copy(sql, delivery.path, "json" if ending == "ndjson" else ending)).fetchone()
    delivery.rows = int(row[0]) if row else 0
    return delivery


def _copy(sql: str, target: Path, form: str = "parquet") -> str:
    options = f"FORMAT {form}"
    if form == "parquet":  # version 2's encodings of differences: smaller than version 1's, and cheaper to read
        options += ", PARQUET_VERSION v2, COMPRESSION zstd, COMPRESSION_LEVEL 1"
    return f"COPY ({sql}) TO {literal(str(target))} ({options})"


@contextmanager
def _in_our_words(dialect: Dialect, params: DatabaseParams, con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Bounds the time of what runs inside; a driver's text may hold values of rows, so none of it is passed on."""
    import duckdb

    timer = threading.Timer(params.timeout_seconds, con.interrupt)
    timer.start()
    try:
        yield
    except duckdb.InterruptException:
        raise SourceUnavailable(
            f"the query took more than {params.timeout_seconds:g} s",
            hint="raise source.timeout_seconds, or use mode: incremental", host=params.host, table=params.table,
        ) from None  # fmt: skip
    except duckdb.Error as e:
        raise _fault(dialect, params, str(e).lower()) from None
    finally:
        timer.cancel()


def _fault(dialect: Dialect, params: DatabaseParams, text: str) -> SourceError:
    where = {"host": params.host, "port": params.port, "database": params.database}
    said = [
        (("password authentication failed", "access denied for user", "no password supplied", "no pg_hba.conf entry"),
         "the database refused the credentials", f"check source.user and {params.secret}"),
        (("certificate", "ssl is required", "does not support ssl", "ssl error", "tls"),
         "the connection is not encrypted as the contract asks",
         "give source.ca, or let the provider set up TLS; tls: off only inside a closed network"),
        (("permission denied", "command denied"), "the user may not read the table", "ask the provider for select"),
        (("does not exist", "unknown database", "doesn't exist"),
         "there is no such database or table", "check source.database and source.table"),
    ]  # fmt: skip
    for words, message, hint in said:
        if any(w in text for w in words):
            return SourceError(message, hint=hint, **where)
    reasons = ("connection refused", "could not translate host name", "timeout", "timed out", "server closed", "lost")
    reason = next((r for r in reasons if r in text), "the connection failed")
    return SourceUnavailable(
        f"the {dialect.name} server cannot be reached: {reason}",
        hint="the next pull asks again; check host, port and network when it lasts",
        **where,
    )

"""One read-only SQL statement over the Delta tables of the lake, in a locked-down DuckDB.

The views it holds show values of grade 3 and 4 masked (``warehouse.masking``); in clear only under a grant, signed by
the person it is for (``warehouse.grants``). Three walls, each enough by itself for what it covers: the statement's own
syntax tree is checked against allow-lists (``sqlguard``); the engine holds views of the tables named and of nothing
else; and it is locked with file access limited to those tables' folders, before the statement runs. Imports are kept
small: the command line starts, answers ``select 1`` and ends well under a second.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from catalog.errors import LakehouseError, QueryRefused
from catalog.settings import Settings
from warehouse import access, duck, sqlguard

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from catalog.registry import Catalog
    from warehouse.grants import ClearDecision, ClearRequest
    from warehouse.masking import ColumnView
    from warehouse.tables import TableRef

TIMEOUT_S = 300.0
MEMORY = "2GB"
SPILL = "20GB"
CHUNK = 2048


class QueryFailed(LakehouseError):
    """A statement that was allowed could not be run."""

    code = "LH501"
    exit_code = 6


class QueryStopped(QueryRefused):
    """A statement took more time or memory than one statement may."""

    code = "LH502"


@dataclass(frozen=True)
class Column:
    """A column of a result: its name and DuckDB type."""

    name: str
    type: str

    @property
    def is_geometry(self) -> bool:
        """A GEOMETRY, or WKB by house naming: a binary column called ``geom…``."""
        return self.type.startswith("GEOMETRY") or (self.type == "BLOB" and self.name.lower().startswith("geom"))


class SqlResult:
    """The rows of one statement, read as they are asked for; close it, or use ``with``.

    Attributes:
        columns: names and types.
        tables: lake tables that were read, as ``schema.table``.
        masked: columns of those tables that were not given in clear, as ``schema.table.column``.
        truncated: True once ``limit`` rows were given and there were more.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        tables: tuple[str, ...],
        *,
        limit: int | None,
        watch: _Watch,
        lake: str,
        masked: tuple[str, ...] = (),
    ) -> None:
        self._con, self._limit, self._watch, self._lake = con, limit, watch, lake
        self.tables, self.masked = tables, masked
        self.truncated = False
        self.columns = tuple(Column(d[0], str(d[1])) for d in con.description or [])

    def __enter__(self) -> SqlResult:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the clock and free the engine."""
        self._watch.cancel()
        self._con.close()

    def chunks(self) -> Iterator[list[tuple[Any, ...]]]:
        """Rows as Python values, some thousands at a time; needs no Arrow."""
        left = self._limit
        while True:
            with _explained(self._watch, self._lake):
                rows = self._con.fetchmany(CHUNK)
            if left is not None and len(rows) > left:
                self.truncated, rows = True, rows[:left]
            if not rows:
                return
            yield rows
            if left is not None:
                left -= len(rows)

    def rows(self) -> list[tuple[Any, ...]]:
        """All rows at once."""
        return [row for chunk in self.chunks() for row in chunk]

    def reader(self, batch_rows: int = 65_536) -> pa.RecordBatchReader:
        """All rows as a stream of Arrow batches, cut at the limit."""
        import pyarrow as pa

        with _explained(self._watch, self._lake):
            source = self._con.to_arrow_reader(batch_rows)

        def batches() -> Iterator[pa.RecordBatch]:
            left = self._limit
            while True:
                with _explained(self._watch, self._lake):
                    batch = next(source, None)
                if batch is None:
                    return
                if left is not None and batch.num_rows > left:
                    self.truncated, batch = True, batch.slice(0, left)
                if batch.num_rows:
                    yield batch
                if self.truncated:
                    return
                if left is not None:
                    left -= batch.num_rows

        return pa.RecordBatchReader.from_batches(source.schema, batches())


def run_sql(
    settings: Settings,
    sql: str,
    *,
    limit: int | None = None,
    principal: access.Principal | None = None,
    purpose: str = "sql",
    clear: ClearRequest | None = None,
    catalog: Catalog | None = None,
    timeout_s: float = TIMEOUT_S,
    memory: str = MEMORY,
    now: datetime | None = None,
    as_of: datetime | None = None,
) -> SqlResult:
    """Run one read-only statement over tables addressed as ``schema.table``.

    Args:
        limit: most rows handed out; ``SqlResult.truncated`` tells when there were more.
        principal: who asks, default the account of this process.
        purpose: what for; kept with the access decision.
        clear: who wants granted values in clear; every table of the statement must be granted to them.
        catalog: default that of ``settings``, read when a table is named.
        as_of: the tables as they stood at this instant; within the retention of old versions.
        timeout_s: seconds from the start of the statement to its last row.
        memory: limit of the engine, DuckDB notation.

    Raises:
        QueryRefused: the statement asks for more than rows of existing tables.
        AccessDenied: the access decision was no.
        ApprovalRefused: ``clear`` is not signed by an enrolled person.
        QueryStopped: time or memory ran out.
        QueryFailed: the engine could not run it (unknown column, conversion …).
    """
    con = duck.connect(memory=memory)
    try:
        statement = sqlguard.check(con, sql)
        names = tuple(f"{schema}.{table}" for schema, table in statement.tables)
        seen: list[_Seen] = []
        if names or statement.lists_tables:
            asked = _Asked(settings, statement, purpose, clear, catalog, now or datetime.now(UTC), as_of)
            seen = _decided(con, asked, access.decide(principal or access.local_operator(), names, purpose, now=now))
        if statement.lists_tables:
            sql = _table_list(con, settings)
        _prepare(con, settings, statement, seen)
        watch = _Watch(con, timeout_s)
        with _explained(watch, settings.lake):
            con.execute(duck.streamable(con, sql))
        masked = tuple(f"{s.ref.sql_name}.{v.name}" for s in seen for v in s.columns if v.is_masked)
        return SqlResult(con, names, limit=limit, watch=watch, lake=settings.lake, masked=masked)
    except BaseException:
        con.close()
        raise


@dataclass(frozen=True)
class _Asked:
    """One request, as the access decision needs it."""

    settings: Settings
    statement: sqlguard.Statement
    purpose: str
    clear: ClearRequest | None
    catalog: Catalog | None
    now: datetime
    as_of: datetime | None = None


@dataclass(frozen=True)
class _Seen:
    """A table, the relation it is read from, and how its columns are seen."""

    ref: TableRef
    relation: str
    columns: tuple[ColumnView, ...]


def _decided(con: duckdb.DuckDBPyConnection, asked: _Asked, decision: access.Decision) -> list[_Seen]:
    """The tables as they may be seen; the decision is recorded before a row is read, whatever it is."""
    from catalog.model import NAME
    from warehouse.grants import statement_hash

    digest = statement_hash(asked.statement.sql)
    detail: dict[str, Any] = {"statement_sha256": digest}
    seen: list[_Seen] = []
    given: ClearDecision | None = None
    try:
        if decision.allowed and asked.statement.tables:
            seen, given = _look(con, asked, digest)
            detail["masked"] = [f"{s.ref.sql_name}.{v.name}" for s in seen for v in s.columns if v.is_masked]
    except access.AccessDenied as e:
        decision = _no(decision, str(e.where.get("reason", "")))
        raise
    except LakehouseError as e:
        if asked.clear is not None and e.exit_code != QueryRefused.exit_code:
            decision = _no(decision, "the request is not signed by an enrolled person")
        raise
    finally:
        if asked.clear is not None:
            detail["person"] = asked.clear.person if NAME.match(asked.clear.person) else "(no identifier)"
        if given is not None and asked.clear is not None:
            names = sorted(f"{table}.{c}" for table, columns in given.columns.items() for c in columns)
            detail |= {"clear": names, "grants": list(given.grants), "signature": given.signature}
            decision = decision.model_copy(update={"purpose": asked.clear.purpose.strip()})
        access.record(asked.settings, decision, **detail)
    decision.require()
    return seen


def _no(decision: access.Decision, reason: str) -> access.Decision:
    return decision.model_copy(update={"allowed": False, "refused": decision.tables, "reason": reason})


def _look(con: duckdb.DuckDBPyConnection, asked: _Asked, digest: str) -> tuple[list[_Seen], ClearDecision | None]:
    """How each table of the statement is seen, granted columns in clear."""
    from catalog.registry import load_catalog
    from warehouse.masking import column_views

    settings = asked.settings
    refs = _resolve(settings, asked.statement.tables)
    catalog = asked.catalog or load_catalog(settings.catalog_dir)
    duck.load_extension(con, "delta")
    salt = secrets.token_hex(16)
    relations = [_relation(ref, asked.as_of) for ref in refs]
    schemas = [_columns(con, relation, settings) for relation in relations]
    seen = [
        _Seen(ref, relation, column_views(catalog, ref, columns, salt=salt))
        for ref, relation, columns in zip(refs, relations, schemas, strict=True)
    ]
    if asked.clear is None:
        return seen, None
    from warehouse.grants import decide_clear

    tables = [(s.ref, [v.name for v in s.columns], [v.grade for v in s.columns]) for s in seen]
    given = decide_clear(settings, catalog, asked.clear, tables, digest, now=asked.now)
    clear = [given.columns[ref.sql_name] for ref in refs]
    return [
        _Seen(ref, relation, column_views(catalog, ref, columns, salt=salt, clear=names))
        for ref, relation, columns, names in zip(refs, relations, schemas, clear, strict=True)
    ], given


def _relation(ref: TableRef, as_of: datetime | None) -> str:
    """What to read a table from: as it is, or as it stood at an instant."""
    if as_of is None:
        return f"delta_scan({duck.literal(ref.path)})"
    from warehouse.time_travel import version_at

    return f"delta_scan({duck.literal(ref.path)}, version = {version_at(ref, as_of)})"


def _columns(con: duckdb.DuckDBPyConnection, relation: str, settings: Settings) -> list[tuple[str, str]]:
    with _explained(None, settings.lake):
        found = con.execute(f"SELECT * FROM {relation} LIMIT 0").description  # noqa: S608
    return [(str(d[0]), str(d[1])) for d in found or []]


def _prepare(
    con: duckdb.DuckDBPyConnection, settings: Settings, statement: sqlguard.Statement, seen: list[_Seen]
) -> None:
    """Views of the tables as they may be seen, then the lock."""
    if seen:
        spill = settings.build / "spill"
        spill.mkdir(parents=True, exist_ok=True, mode=0o700)
        con.execute(f"SET temp_directory = {duck.literal(str(spill))}")
        con.execute(f"SET max_temp_directory_size = {duck.literal(SPILL)}")
    if statement.spatial:
        duck.load_extension(con, "spatial")
    if statement.addresses:
        from warehouse.addresses.functions import register_for_readers

        # one thread: a result dropped half read holds Python's lock while others wait for it in our function
        con.execute("SET threads = 1")
        register_for_readers(con, settings)
    for table in seen:
        from warehouse.masking import select_sql

        ref = table.ref
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {duck.quote(ref.schema)}")
        select = select_sql(table.columns, table.relation)
        with _explained(None, settings.lake):
            con.execute(f"CREATE VIEW {duck.quote(ref.schema)}.{duck.quote(ref.name)} AS {select}")
    folders = ", ".join(duck.literal(s.ref.path.rstrip("/") + "/") for s in seen)
    con.execute(f"SET allowed_directories = [{folders}]")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


def _resolve(settings: Settings, wanted: tuple[tuple[str, str], ...]) -> list[TableRef]:
    from warehouse.tables import readable_tables

    known = {(t.schema.lower(), t.name.lower()): t for t in readable_tables(settings)}
    found = []
    for schema, table in wanted:
        if (schema, table) not in known:
            from difflib import get_close_matches

            name = f"{schema}.{table}"
            near = get_close_matches(name, [t.sql_name for t in known.values()], n=3, cutoff=0.5)
            hint = f"did you mean {', '.join(near)}?" if near else "`lakehouse sql 'show tables'` lists what there is"
            raise QueryRefused(f"there is no table {name!r}", hint=hint, table=name)
        if known[schema, table].layer in access.NEVER:
            raise access.AccessDenied(f"nobody may read {schema}.{table}", reason="the vault is read by no statement")
        found.append(known[schema, table])
    return found


def _table_list(con: duckdb.DuckDBPyConnection, settings: Settings) -> str:
    """Fill a private table with what SHOW TABLES answers; returns the statement that reads it."""
    from warehouse.tables import readable_tables

    rows = [", ".join(duck.literal(x) for x in (t.layer, t.sql_name)) for t in readable_tables(settings)]
    con.execute('CREATE TABLE lake_tables (layer VARCHAR, "table" VARCHAR)')
    if rows:
        values = ", ".join(f"({row})" for row in rows)
        con.execute(f"INSERT INTO lake_tables VALUES {values}")  # noqa: S608 - literals made above
    return 'SELECT "table", layer FROM lake_tables ORDER BY layer, "table"'


class _Watch:
    """Interrupts a connection when its time is over."""

    def __init__(self, con: duckdb.DuckDBPyConnection, seconds: float) -> None:
        self.seconds, self.over = seconds, False
        self._con = con
        self._timer = threading.Timer(seconds, self._stop)
        self._timer.daemon = True
        self._timer.start()

    def _stop(self) -> None:
        self.over = True
        self._con.interrupt()

    def cancel(self) -> None:
        self._timer.cancel()


class _explained:
    """Turns the engine's errors into ours, without values of rows and without paths of the lake."""

    def __init__(self, watch: _Watch | None, lake: str) -> None:
        self._watch, self._lake = watch, lake

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None or isinstance(error, LakehouseError | StopIteration):
            return
        if self._watch is not None:
            self._watch.cancel()
        import duckdb

        over = self._watch is not None and self._watch.over
        if over and (isinstance(error, duckdb.Error) or "Interrupted" in str(error)):
            seconds = self._watch.seconds if self._watch else 0
            raise QueryStopped(
                f"the statement ran longer than {seconds:g} s and was stopped", hint="filter rows, or raise the timeout"
            ) from None
        if isinstance(error, duckdb.OutOfMemoryException):
            raise QueryStopped("the statement needs more memory than one may use", hint="filter or aggregate") from None
        if isinstance(error, duckdb.PermissionException):
            raise QueryRefused("files and settings are out of reach", hint="name tables as schema.table") from None
        if isinstance(error, duckdb.Error):
            raise QueryFailed(_clean(error, self._lake), hint="check columns and types with DESCRIBE") from None


def _clean(error: Exception, lake: str) -> str:
    """The engine's message; one raised while reading rows keeps no quoted value."""
    import duckdb

    text = str(error).split("\n\nLINE ")[0].replace(lake, "<lake>").strip()
    compile_time = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.SyntaxException)
    if not isinstance(error, compile_time):
        text = re.sub(r"'(?:[^']|'')*'|\"[^\"]*\"|\d{6,}", "…", text.splitlines()[0])
    return text

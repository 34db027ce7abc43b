"""The one place where Great Expectations meets DuckDB.

Great Expectations 1.24 keeps private lists of SQL dialects and chooses regular expressions, temporary tables and
quoting by them; DuckDB is in none. DuckDB speaks PostgreSQL's dialect for all that expectations ask, so this SQLAlchemy
dialect calls itself ``postgresql`` and answers the few questions PostgreSQL's own would put to ``pg_catalog``.
It serves one connection that is already open in this process; it never connects anywhere.

One difference is known and does no harm: ``~`` matches the whole value in DuckDB, and every pattern a rule compiles is
anchored at both ends.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import types
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.engine import URL, default

from quality.sql import quote

if TYPE_CHECKING:
    import duckdb

_TYPES: dict[str, type[types.TypeEngine[Any]]] = {
    "VARCHAR": types.VARCHAR,
    "BIGINT": types.BIGINT,
    "INTEGER": types.INTEGER,
    "DOUBLE": types.DOUBLE,
    "BOOLEAN": types.BOOLEAN,
    "DATE": types.DATE,
    "BLOB": types.LargeBinary,
    "TIMESTAMP": types.TIMESTAMP,
    "TIMESTAMP WITH TIME ZONE": types.TIMESTAMP,
}


class DuckDBDialect(PGDialect):
    """PostgreSQL's SQL over DuckDB's Python connection."""

    name = "postgresql"
    driver = "duckdb"
    supports_statement_cache = True
    default_paramstyle = "qmark"
    supports_sane_rowcount = False
    supports_server_side_cursors = False

    @classmethod
    def import_dbapi(cls) -> Any:
        import duckdb

        return duckdb

    def create_connect_args(self, url: URL) -> tuple[list[Any], dict[str, Any]]:
        return [url.database], {}

    def connect(self, *cargs: Any, **cparams: Any) -> Any:
        return _Borrowed(_lent[cargs[0]])

    def initialize(self, connection: Any) -> None:
        default.DefaultDialect.initialize(self, connection)

    def _get_server_version_info(self, connection: Any) -> tuple[int, ...]:
        return (16, 0)

    def _get_default_schema_name(self, connection: Any) -> str:
        return "main"

    def get_default_isolation_level(self, dbapi_conn: Any) -> Any:
        return "SERIALIZABLE"

    def on_connect(self) -> None:
        return None

    # every statement of a suite reads; there is nothing to commit or to roll back
    def do_begin(self, dbapi_connection: Any) -> None: ...

    def do_commit(self, dbapi_connection: Any) -> None: ...

    def do_rollback(self, dbapi_connection: Any) -> None: ...

    def do_ping(self, dbapi_connection: Any) -> bool:
        return True

    def get_schema_names(self, connection: Any, **kw: Any) -> list[str]:
        return ["main"]

    def get_table_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        rows = connection.exec_driver_sql("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main'")
        return [row[0] for row in rows]

    def get_view_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        rows = connection.exec_driver_sql("SELECT view_name FROM duckdb_views() WHERE schema_name = 'main'")
        return [row[0] for row in rows]

    def has_table(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> bool:
        return table_name in (*self.get_table_names(connection), *self.get_view_names(connection))

    def get_columns(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> Any:
        rows = connection.exec_driver_sql(f"DESCRIBE {quote(table_name)}").fetchall()
        return [
            {
                "name": name,
                "type": _TYPES.get(kind, types.NUMERIC if kind.startswith("DECIMAL") else types.VARCHAR)(),
                "nullable": nullable == "YES",
                "default": None,
            }
            for name, kind, nullable, *_ in rows
        ]


class _Borrowed:
    """A DBAPI connection that outlives its users: closing it leaves the caller's connection open."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con

    def cursor(self) -> Any:
        return self._con.cursor()

    def close(self) -> None: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...


_lent: dict[str, duckdb.DuckDBPyConnection] = {}


def lent_to(engine: Any) -> duckdb.DuckDBPyConnection:
    """A cursor of the connection that ``engine``, made by Great Expectations, was lent."""
    return _lent[engine.url.database].cursor()


@contextmanager
def lend(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """A connection URL that means ``con``, an open DuckDB connection of this process, for as long as the block lasts.

    Great Expectations takes URLs only, builds its engines from them itself, and compares them to reuse an engine.
    """
    from sqlalchemy.dialects import registry

    registry.register("postgresql.duckdb", "quality.gx_dialect", "DuckDBDialect")
    handle = secrets.token_hex(8)
    _lent[handle] = con
    try:
        yield f"postgresql+duckdb:///{handle}"
    finally:
        del _lent[handle]

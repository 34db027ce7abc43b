"""``mysql``: a table or view of a MySQL or MariaDB database, streamed by DuckDB's mysql scanner.

Keys as of ``postgresql``; ``table`` is of ``database``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import TYPE_CHECKING

from pydantic import Field

from ingestion.sources.base import Fetched, Pull
from ingestion.sources.database import DatabaseParams, authority_file, fetch_table
from ingestion.sources.moments import Moment
from quality.sql import literal
from warehouse.duck import load_extension

if TYPE_CHECKING:
    import duckdb

PLAIN = frozenset(
    {"tinyint", "smallint", "mediumint", "int", "bigint", "float", "double", "char", "varchar", "tinytext", "text",
     "mediumtext", "longtext", "year", "enum", "set"}
)  # fmt: skip
BYTES = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
DIGITS = 38


class MysqlParams(DatabaseParams):
    port: int = Field(default=3306, ge=1, le=65535)


class Mysql:
    name = "mysql"
    params = MysqlParams
    formats: tuple[str, ...] = ("ndjson", "parquet")
    query_function = "mysql_query"
    scans_tables = False

    def place(self, params: MysqlParams) -> str:
        return f"mysql://{params.host}:{params.port}/{params.database}/{params.table}"

    def fetch(self, params: MysqlParams, pull: Pull) -> Iterator[Fetched]:
        yield from fetch_table(self, params, pull, self.place(params))

    def attach(self, con: duckdb.DuckDBPyConnection, params: MysqlParams, pull: Pull) -> None:
        """The password is a DuckDB secret of this connection alone: messages of the driver do not have it."""
        import duckdb

        load_extension(con, "mysql_scanner")
        for setting in ("mysql_tinyint1_as_boolean", "mysql_bit1_as_boolean"):
            con.execute(f"SET {setting} = false")
        con.execute("SET mysql_session_time_zone = '+00:00'")
        con.execute(f"SET mysql_query_timeout_max_ms = {int(params.timeout_seconds * 1000)}")
        modes = {"verify": "verify_identity", "require": "required", "off": "disabled"}
        words = f"ssl_mode={modes[params.tls]}"
        if params.tls == "verify":
            # the driver verifies nothing at all unless it is given an authority
            words += f' ssl_ca="{authority_file(params, pull)}"'
        parts = {
            "HOST": params.host, "USER": params.user, "DATABASE": params.database,
            "PASSWORD": pull.secret(params.secret) or "",
        }  # fmt: skip
        said = ", ".join(f"{k} {literal(v)}" for k, v in parts.items())
        try:
            con.execute(f"CREATE TEMPORARY SECRET src_secret (TYPE mysql, PORT {params.port}, {said})")
        except duckdb.Error:
            # not chained: the statement holds the password
            raise duckdb.IOException("the connection failed") from None
        con.execute(f"ATTACH {literal(words)} AS src (TYPE mysql, SECRET src_secret, READ_ONLY)")

    def quote(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def split(self, params: MysqlParams) -> tuple[str, str]:
        schema, dot, table = params.table.partition(".")
        return (schema, table) if dot else (params.database, schema)

    def lossless(self, name: str, kind: str, precision: int | None) -> str:
        column = self.quote(name)
        if kind in PLAIN or (kind == "decimal" and precision is not None and int(precision) <= DIGITS):
            return column
        if kind in BYTES:
            return f"HEX({column})"
        if kind == "bit":
            return f"({column} + 0)"
        text = f"CAST({column} AS CHAR)"
        return f"CONCAT({text}, '+00:00')" if kind == "timestamp" else text

    def moment(self, moment: Moment) -> str:
        if moment.kind == "moment":
            return literal(moment.value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"))
        return moment.text if moment.kind == "number" else literal(moment.text)


CONNECTOR = Mysql()

"""``postgresql``: a table or view of a PostgreSQL database, streamed by DuckDB's postgres scanner.

.. code-block:: yaml

    source:
      connector: postgresql
      host: db.example.gov.cn
      database: permits
      user: xicheng_reader
      secret: env:PERMITS_PASSWORD
      table: public.permits
      mode: incremental
      cursor: updated_at
      overlap_seconds: 3600
    format: {type: parquet}
"""

from __future__ import annotations

import os
from collections.abc import Iterator
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
    {"smallint", "integer", "bigint", "real", "double precision", "boolean", "date", "text", "character varying",
     "character", "timestamp without time zone", "timestamp with time zone"}
)  # fmt: skip
DIGITS = 38


class PostgresqlParams(DatabaseParams):
    port: int = Field(default=5432, ge=1, le=65535)


class Postgresql:
    name = "postgresql"
    params = PostgresqlParams
    formats: tuple[str, ...] = ("ndjson", "parquet")
    query_function = "postgres_query"
    scans_tables = True

    def place(self, params: PostgresqlParams) -> str:
        return f"postgresql://{params.host}:{params.port}/{params.database}/{params.table}"

    def fetch(self, params: PostgresqlParams, pull: Pull) -> Iterator[Fetched]:
        yield from fetch_table(self, params, pull, self.place(params))

    def attach(self, con: duckdb.DuckDBPyConnection, params: PostgresqlParams, pull: Pull) -> None:
        """The password goes to libpq in a file of its own, so that it stands in no statement or message."""
        load_extension(con, "postgres_scanner")
        passfile = pull.into / "pgpass"
        entry = (pull.secret(params.secret) or "").replace("\\", "\\\\").replace(":", "\\:")
        with os.fdopen(os.open(passfile, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(f"*:*:*:*:{entry}\n")
        modes = {"verify": "verify-full", "require": "require", "off": "disable"}
        parts = {
            "host": params.host, "port": params.port, "dbname": params.database, "user": params.user,
            "passfile": passfile, "sslmode": modes[params.tls], "connect_timeout": params.connect_timeout_seconds,
            "application_name": "xicheng-lakehouse", "keepalives_idle": 30, "tcp_user_timeout": 60_000,
        }  # fmt: skip
        if params.tls == "verify":
            parts["sslrootcert"] = authority_file(params, pull)
        words = " ".join(f"{k}='{str(v).replace(chr(92), chr(92) * 2)}'" for k, v in parts.items())
        con.execute(f"ATTACH {literal(words)} AS src (TYPE postgres, READ_ONLY)")

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def split(self, params: PostgresqlParams) -> tuple[str, str]:
        schema, dot, table = params.table.partition(".")
        return (schema, table) if dot else ("public", schema)

    def lossless(self, name: str, kind: str, precision: int | None) -> str:
        column = self.quote(name)
        if kind in PLAIN or (kind == "numeric" and precision is not None and int(precision) <= DIGITS):
            return column
        return f"encode({column}, 'hex')" if kind == "bytea" else f"{column}::text"

    def moment(self, moment: Moment) -> str:
        return moment.text if moment.kind == "number" else literal(moment.text)


CONNECTOR = Postgresql()

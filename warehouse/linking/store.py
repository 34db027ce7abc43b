"""What linking leaves in the lake, and how it is read again: ``platform.person_*``; keys and counts, no identifier.

person_links       one row a person of a record: which person it is, how that was found, and as numbers (see `index`)
                   the record and role, the person, the pseudonyms of the name and of the valid resident ID it states,
                   believed or not, and keyed digests: of all the record says, of what is weighed in linking, of the
                   community, and, where no ID of the person is believed, of its blocking keys
person_identities  one row a person: the pseudonym of the believed resident ID, the birth and sex it tells, the run
                   in which something of the person changed last, and as numbers the person and the ID
person_redirects   keys that were merged, split or are gone
person_reviews     pairs a person has to decide
person_decisions   what was decided
person_runs        runs, with the model they used
"""

# ruff: noqa: S608 - paths are quoted by scan_sql, names are constants
from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from catalog.settings import Settings
from warehouse.delta import FileStyle, append_rows, commit_once, exists, row_count, scan_sql, transaction_version

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

LINKS, IDENTITIES, REDIRECTS = "person_links", "person_identities", "person_redirects"
REVIEWS, DECISIONS, RUNS = "person_reviews", "person_decisions", "person_runs"
MODELLED = (LINKS, IDENTITIES, REDIRECTS)
"""Those that models read."""
APP = "linking.persons"
STYLES = {
    LINKS: FileStyle(distinct=("record_key", "person_key", "part", "person", "number", "content", "evidence", "place")),
    IDENTITIES: FileStyle(distinct=("person_key", "resident_key", "person", "number")),
}


def schemas() -> dict[str, pa.Schema]:
    """Table name to Arrow schema."""
    import pyarrow as pa

    text, whole, real, flag = pa.string(), pa.int64(), pa.float64(), pa.bool_()
    at = pa.timestamp("us", tz="UTC")
    ref = [("feed_a", text), ("key_a", text), ("role_a", text), ("feed_b", text), ("key_b", text), ("role_b", text)]
    persons = [("resident_key", text), ("birth_date", pa.date32()), ("sex_code", text), ("records", whole)]
    decided = [("verdict", text), ("decided_by", text), ("reason", text), ("decided_at", at)]
    counts = [(n, whole) for n in ("records", "records_compared", "persons", "pairs", "reviews")]
    texts = [(n, text) for n in ("registers", "watermarks", "digest", "model")]
    said = [(n, whole) for n in ("part", "person", "name", "number", "content", "evidence", "place")]
    said += [("blocks", text)]
    link = [("person_key", text), ("method", text), ("weight", real), ("has_own_id", flag), *said]
    redirect = [(n, text) for n in ("from_key", "to_key", "current_key", "reason")]
    columns = {
        LINKS: [("feed", text), ("record_key", text), ("role", text), *link],
        IDENTITIES: [
            ("person_key", text),
            *persons,
            ("is_identified", flag),
            ("changed_run", whole),
            ("person", whole),
            ("number", whole),
        ],
        REDIRECTS: [*redirect, ("changed_at", at)],
        REVIEWS: [("review", text), *ref, ("weight", real), ("agreement", text), ("found_at", at)],
        DECISIONS: [("review", text), *ref, *decided],
        RUNS: [("run", whole), ("mode", text), ("started_at", at), ("seconds", real), *counts, *texts],
    }
    return {name: pa.schema(fields) for name, fields in columns.items()}


def view(con: duckdb.DuckDBPyConnection, settings: Settings, table: str, name: str) -> None:
    """A view ``name`` on ``con`` of a linking table, empty where there is none yet."""
    path, schema = settings.platform_path(table), schemas()[table]
    if exists(path):
        scan = scan_sql(con, path)
        there = con.execute(f"SELECT * FROM {scan} LIMIT 0").to_arrow_table().column_names
        # a table of before this version lacks columns, which the full run that follows writes
        columns = ", ".join(c if c in there else f"NULL AS {c}" for c in schema.names)
        con.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT {columns} FROM {scan}")
        return
    con.register(f"{name}_empty", schema.empty_table())
    con.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT * FROM {name}_empty")


def replace(con: duckdb.DuckDBPyConnection, settings: Settings, table: str, sql: str, run: int) -> int:
    """Write the rows of ``sql`` in place of those of a linking table, once a run; returns how many there are now."""
    path = settings.platform_path(table)
    rows = cast_rows(con.execute(sql).to_arrow_reader(100_000), table)
    commit_once(path, rows, mode="overwrite", evolve=True, app_id=APP, version=run, style=STYLES.get(table))
    return row_count(path)


def cast_rows(reader: pa.RecordBatchReader, table: str) -> pa.RecordBatchReader:
    """Rows with the columns of a linking table, in its types."""
    import pyarrow as pa

    schema = schemas()[table]
    return pa.RecordBatchReader.from_batches(schema, (_cast(batch, schema) for batch in reader))


def _cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    columns = [batch.column(f.name).cast(f.type) for f in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def next_run(settings: Settings) -> int:
    """The number of the run that starts now."""
    return (transaction_version(settings.platform_path(LINKS), APP) or 0) + 1


def append(settings: Settings, table: str, rows: list[dict[str, Any]]) -> None:
    """Add rows to a linking table that only grows."""
    import pyarrow as pa

    if rows:
        append_rows(settings.platform_path(table), pa.Table.from_pylist(rows, schema=schemas()[table]))


def read(settings: Settings, table: str, where: str = "") -> list[dict[str, Any]]:
    """All rows of a linking table, oldest first where it only grows."""
    from warehouse.duck import connect

    with connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        view(con, settings, table, "t")
        return con.execute(f"SELECT * FROM t {where}").to_arrow_table().to_pylist()


def last_run(settings: Settings) -> dict[str, Any] | None:
    """The newest run whose links were written, None before the first."""
    done = transaction_version(settings.platform_path(LINKS), APP)
    runs = [r for r in read(settings, RUNS) if done is not None and r["run"] == done]
    return max(runs, key=_started) if runs else None


def _started(run: dict[str, Any]) -> datetime:
    started: datetime = run["started_at"]
    return started

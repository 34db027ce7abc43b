"""One person taken out of Delta tables: rows, cells, old versions and the logs that tell of them.

Rows about the person (pseudonym or ID in a column of that name, or a quarantined or sealed row of the person's record)
go; in other columns the value is blanked and the row stays. A touched table is written anew without a predicate in
its log, its old files are vacuumed with no retention, and its log is cut back to a checkpoint: time travel before the
erasure is given up on purpose.
"""

# ruff: noqa: S608 - names come from table schemas and are quoted, values are parameters
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from catalog.errors import UnknownName
from catalog.settings import Settings
from warehouse import duck
from warehouse.delta import FileStyle, exists, marks_rows, scan_sql
from warehouse.erase_links import PLACE, Linked, LinkedFeed, own_rows, pair_rows, register_linked, role_columns
from warehouse.erase_person import MARK, Person, holds
from warehouse.tables import TableRef, table_lock

KEY_COLUMN = "resident_key"
ID_COLUMN = "resident_id"
PERSON_COLUMN = "person_key"
"""The key linking gives a person: the population library knows people by it, with or without a number."""
PERSON_REFERENCES = ("head_key",)
PERSON_KEYS = (PERSON_COLUMN, "from_key", "to_key", "current_key")
"""The last three: of keys that were merged, split or are gone."""
LOCK_SECONDS = 120.0
Records = dict[str, list[int]]
"""Receipt to record numbers of the person's records in that delivery."""


@dataclass(frozen=True)
class TableErasure:
    """What was found in, and taken out of, one table."""

    table: str
    layer: str
    rows_before: int
    rows_removed: int
    cells_blanked: int
    versions_purged: int
    files_vacuumed: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def person_keys(settings: Settings, person: Person) -> tuple[str, ...]:
    """The keys linking gave the person; read them before anything is erased."""
    path = settings.platform_path("person_identities")
    if not exists(path):
        return ()
    with duck.connect() as con:
        sql = f"SELECT DISTINCT {PERSON_COLUMN} FROM {scan_sql(con, path)} WHERE ? IN ({KEY_COLUMN}, {PERSON_COLUMN})"
        return tuple(sorted(key for (key,) in con.execute(sql, [person.key]).fetchall()))


def numbered_key(settings: Settings, person_key: str) -> str | None:
    """The pseudonym of the number that a person of linking has; None where no register knows one.

    Raises:
        UnknownName: linking knows no such person.
    """
    path = settings.platform_path("person_identities")
    found = None
    if exists(path):
        with duck.connect() as con:
            sql = f"SELECT {KEY_COLUMN} FROM {scan_sql(con, path)} WHERE {PERSON_COLUMN} = ?"
            found = con.execute(sql, [person_key]).fetchone()
    if found is None:
        raise UnknownName("linking knows no such person", hint="person_key of population.residents")
    return None if found[0] is None else str(found[0])


def erase_table(
    settings: Settings,
    ref: TableRef,
    person: Person,
    records: Records,
    *,
    people: Sequence[str] = (),
    linked: Linked | None = None,
    dry_run: bool = False,
) -> TableErasure | None:
    """Take the person out of one local table; None when no file of it holds a trace.

    Args:
        records: the person's records by receipt, for tables whose values are sealed.
        people: of `person_keys`.
        linked: of `linked_records`.

    Raises:
        Busy: the table is being written.
    """
    lock = ref.name if ref.layer in ("feed", "quarantine", "vault") else ref.sql_name
    with table_lock(settings, lock, timeout=LOCK_SECONDS):
        rows, removed, blanked = _rewrite(ref, person, records, people, linked or {}, dry_run=dry_run)
        old = dry_run or not (removed or blanked or _has_trace(ref, person))
        versions, files = (0, 0) if old else purge(ref)
    if not (removed or blanked or versions):
        return None
    return TableErasure(ref.sql_name, ref.layer, rows, removed, blanked, versions, files)


def _rewrite(
    ref: TableRef, person: Person, records: Records, people: Sequence[str], linked: Linked, *, dry_run: bool
) -> tuple[int, int, int]:
    """Rows before, rows removed and cells blanked of the present version."""
    import pyarrow as pa
    from deltalake import DeltaTable, write_deltalake

    table = DeltaTable(ref.path)
    schema = pa.schema(table.schema().to_arrow())
    con = duck.connect()
    try:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("SET preserve_insertion_order = true")
        con.execute(f"CREATE TEMP VIEW t AS SELECT * FROM {scan_sql(con, ref.path)}")
        con.register("_records", _records_table(records))
        con.register("_people", pa.table({"key": pa.array(people, pa.string())}))
        feed = linked.get(ref.name) if ref.layer == "feed" else None
        register_linked(con, linked, feed)
        about = _about(ref, schema, person, feed)
        told = role_columns(feed, schema.names) if feed else {}
        values = {f"p{i}": text for i, text in enumerate(person.texts)}
        texts = [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
        here = {c: " OR ".join(f"contains({duck.quote(c)}, $p{i})" for i in range(len(person.texts))) for c in texts}
        for c in set(PERSON_REFERENCES) & set(here):
            here[c] += f" OR {duck.quote(c)} IN (SELECT key FROM _people)"
        told = {c: f"({sql} AND {duck.quote(c)} IS NOT NULL)" for c, sql in told.items()}
        blank = [" OR ".join(f for f in (here.get(c), told.get(c)) if f) for c in {**here, **told}]
        cells = " + ".join(f"count_if(NOT ({about}) AND ({sql}))" for sql in blank) or "0"
        counted = con.execute(f"SELECT count(*), count_if({about}), {cells} FROM t", values).fetchone() or (0, 0, 0)
        rows, removed, blanked = (int(n or 0) for n in counted)
        if dry_run or not (removed or blanked):
            return rows, removed, blanked
        out = [_blanked(f.name, person, f.name in here, told.get(f.name)) for f in schema]
        kept = con.execute(f"SELECT {', '.join(out)} FROM t WHERE NOT ({about})", values).to_arrow_table()
        write_deltalake(table, kept.cast(schema), mode="overwrite")
        return rows, removed, blanked
    finally:
        con.close()


def _records_table(records: Records) -> Any:
    import pyarrow as pa

    pairs = [(receipt, number) for receipt, numbers in records.items() for number in numbers]
    return pa.table({"receipt": pa.array([p[0] for p in pairs], pa.string()),
                     "number": pa.array([p[1] for p in pairs], pa.int64())})  # fmt: skip


def _about(ref: TableRef, schema: Any, person: Person, feed: LinkedFeed | None) -> str:
    """Condition: the row is about the person; never NULL."""
    names, parts = set(schema.names), []
    if KEY_COLUMN in names:
        parts.append(f"{KEY_COLUMN} = $p0")
    if ID_COLUMN in names:
        parts += [f"trim({ID_COLUMN}) = $p{i}" for i in range(1, len(person.texts))]
    parts += [f"{c} IN (SELECT key FROM _people)" for c in PERSON_KEYS if c in names]
    parts += pair_rows(names) if ref.layer == "platform" else []
    if feed is not None:
        parts.append(own_rows(feed))
    if ref.layer == "quarantine" and "raw" in names:
        parts += [f"contains(raw, $p{i})" for i in range(1, len(person.texts))]
    if ref.layer in PLACE and names >= set(PLACE[ref.layer]):
        receipt, number = PLACE[ref.layer]
        parts.append(f"EXISTS (SELECT 1 FROM _records r WHERE r.receipt = t.{receipt} AND r.number = t.{number})")
    # every parameter is used, so that one list serves every table
    unused = " OR ".join(f"$p{i} IS NULL" for i in range(len(person.texts)))
    return f"coalesce({' OR '.join([*parts, unused])}, false)"


def _blanked(column: str, person: Person, is_text: bool, told: str | None) -> str:
    """The column without the person: NULL where it is of the person alone, a mark inside other text."""
    v = duck.quote(column)
    inner = v
    alone = [told] if told else []
    if is_text:
        for i in range(len(person.texts)):
            inner = f"replace({inner}, $p{i}, '{MARK}')"
        alone.append(f"{v} = $p0")
    if column in PERSON_REFERENCES:
        alone.append(f"{v} IN (SELECT key FROM _people)")
    return f"CASE WHEN {' OR '.join(alone)} THEN NULL ELSE {inner} END AS {v}" if alone else v


def _files(ref: TableRef) -> Iterable[Path]:
    return (p for p in Path(ref.path).rglob("*") if p.is_file())


def _has_trace(ref: TableRef, person: Person) -> bool:
    return any(holds(p, person) for p in _files(ref))


def purge(ref: TableRef) -> tuple[int, int]:
    """Remove all files but the present version's, and cut the log back to a checkpoint: versions gone, files gone.

    A table of which rows are only marked as deleted is written whole first: they would stay in its files.
    """
    from deltalake import DeltaTable

    if marks_rows(ref.path):
        _write_whole(ref)
    table = DeltaTable(ref.path)
    gone = table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
    table = DeltaTable(ref.path)
    table.create_checkpoint()
    newest, log, versions = table.version(), Path(ref.path) / "_delta_log", 0
    for file in sorted(log.iterdir()):
        number = file.name.split(".")[0].lstrip("_")
        if number.isdigit() and int(number) < newest:
            versions += file.suffix == ".json"
            file.unlink()
    return versions, len(gone)


def _write_whole(ref: TableRef) -> None:
    import pyarrow as pa
    from deltalake import DeltaTable, write_deltalake

    table = DeltaTable(ref.path)
    schema = pa.schema(table.schema().to_arrow())
    with duck.connect(house_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        rows = con.execute(f"SELECT * FROM {scan_sql(con, ref.path)}").to_arrow_reader(100_000)
        cast = pa.RecordBatchReader.from_batches(schema, (batch.cast(schema) for batch in rows))
        write_deltalake(table, cast, mode="overwrite", writer_properties=FileStyle().properties())

"""Writes what a dbt model selects into its Delta table, in one commit.

Rows stream from DuckDB through Arrow into the writer; only the increments of an incremental model
are held in a temporary table first, because they are looked at twice (keys, partitions).

Strategies:
    ``overwrite``: the table becomes what the query returns (``materialized: table``, ``--full-refresh``).
    ``append``: rows are added.
    ``merge``: rows replace those of the same ``unique_key``, the others are added.
    ``replace_partitions``: every partition the query returns rows for is replaced as a whole.
    ``history``: a change of ``check_cols`` closes the current row of the key and opens a new one.

A table with `Remade` is changed for the keys that changed only (`warehouse.row_changes`).
"""

# ruff: noqa: S608 - SQL is put together here from quoted identifiers, escaped literals and dbt's own SELECT
from __future__ import annotations

from datetime import date, datetime
from itertools import chain, groupby
from typing import Any, Literal

import duckdb
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from pydantic import BaseModel, ConfigDict

from warehouse.dbt_history import VALID_FROM, VALID_TO, check_history, first_version, next_version
from warehouse.dbt_remade import FEEDS, KNOWLEDGE, PROJECT_DIGEST, THROUGH, project_digest
from warehouse.dbt_standing import Standing, by_content, standing_now, standing_of, with_rows
from warehouse.dbt_types import Column, StoreError, contracted, delta_columns
from warehouse.delta import FileStyle
from warehouse.duck import literal, quote
from warehouse.log_state import version
from warehouse.row_changes import change_rows, mark_rows
from warehouse.row_stream import Rows

MERGE_ROWS_IN_MEMORY = 1_000_000
"""Up to so many rows a merge holds its source in memory: only then does it skip files without its keys."""
STAGE, CHANGED = "lakehouse_increment", "lakehouse_changed"
SOURCE, TARGET = "DBT_INTERNAL_SOURCE", "DBT_INTERNAL_DEST"
"""Aliases of a merge, those dbt's ``incremental_predicates`` use everywhere."""

_WRITER = FileStyle().properties()

Strategy = Literal["overwrite", "append", "merge", "replace_partitions", "history"]


class Remade(BaseModel):
    """A table that is remade for what changed only.

    Attributes:
        key: column by which rows belong together; the query returns all rows of the keys that are remade.
        changed_sql: a SELECT of the keys that are made anew or are of nobody any more; empty when all are made.
        table_key: columns that identify a row.
        through: the run of linking up to which the table is made now, noted in the commit.
        made_from: JSON of the versions of feed tables it is made from, noted in the commit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    changed_sql: str
    table_key: tuple[str, ...]
    through: int | None = None
    made_from: str | None = None


class StoreRequest(BaseModel):
    """What the materialization asks the plugin to write.

    Attributes:
        sql: the model's compiled SELECT; ``header``: statements to run before it.
        contract: columns in the order the table has them, with their declared types; empty where none is enforced.
        unique_key: columns that identify a row (``merge``, ``history``).
        partition_by: partition columns; they are fixed when the table is created.
        on_schema_change: ``ignore`` keeps the table's columns, ``append_new_columns`` adds new ones, ``fail`` stops.
        not_null: columns whose contract says not_null or primary_key.
        predicates: further conditions of a merge, over ``DBT_INTERNAL_DEST`` and ``DBT_INTERNAL_SOURCE``.
        check_cols: columns whose change makes a new version (``history``); empty means all but the key.
        at: instant from which new versions hold (``history``).
        hard_deletes: ``ignore`` or ``invalidate`` rows that are no longer returned (``history``).
        answered_by: digest of what the query's functions know, noted in the commit.
        inputs: paths of the tables the query reads, where the table may stay as it is (`warehouse.dbt_standing`).
        by_content: feeds among them are told by their rows, not by their versions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    invocation_id: str
    path: str
    sql: str
    header: str = ""
    contract: tuple[tuple[str, str], ...] = ()
    strategy: Strategy
    unique_key: tuple[str, ...] = ()
    partition_by: tuple[str, ...] = ()
    on_schema_change: Literal["ignore", "append_new_columns", "fail"] = "ignore"
    not_null: tuple[str, ...] = ()
    predicates: tuple[str, ...] = ()
    check_cols: tuple[str, ...] = ()
    at: datetime
    hard_deletes: Literal["ignore", "invalidate"] = "ignore"
    full_refresh: bool = False
    remade: Remade | None = None
    answered_by: str | None = None
    inputs: tuple[str, ...] | None = None
    by_content: bool = False


class StoreResult(BaseModel):
    """Rows written by the commit (of a merge: rows offered to it) and the table's version after it.

    Attributes:
        marked: rows of its files are marked as deleted; False where that was not looked for.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    version: int
    marked: bool = False


def store(con: duckdb.DuckDBPyConnection, request: StoreRequest) -> StoreResult:
    """Run the model's query on a cursor of ``con`` and commit its rows to the Delta table.

    Raises:
        DeltaTypeError: a column's type has no place in Delta.
        StoreError: columns against the contract, schema changed against the policy, empty or repeated key, broken
            not_null, history going back.
        duckdb.Error: the query itself fails.
    """
    cur = con.cursor()
    try:
        if request.header.strip():
            cur.execute(request.header)
        exists = DeltaTable.is_deltatable(request.path)
        was = standing_of(request.path) if request.inputs is not None and exists and not request.full_refresh else None
        now = _standing(cur, request, was)
        if now and was and was.reads_as(now):
            return StoreResult(rows=was.count, version=version(request.path))
        if exists and request.remade and request.remade.changed_sql and not request.full_refresh:
            return _remake(cur, request, request.remade)
        # Described on its own: as a subquery DuckDB would silently rename a repeated column.
        columns = contracted(cur.sql(request.sql), request.contract, model=request.model)
        _check_request(request, columns)
        query = f"select {_list(columns)} from (\n{request.sql}\n)"
        if request.strategy == "overwrite" or request.full_refresh or not exists:
            if request.strategy == "history":
                query = first_version(query, request.at)
            if now is not None:
                cur.execute(f"create or replace temporary table {STAGE} as {query}")
                now, query = with_rows(cur, now, STAGE, [c.name for c in columns]), f"from {STAGE}"
                if was and was.comes_to(now):
                    return StoreResult(rows=now.count, version=version(request.path))
            return _overwrite(cur, request, query, now.note() if now else {})
        return _increment(cur, request, columns, query)
    finally:
        cur.close()


def _standing(cur: duckdb.DuckDBPyConnection, request: StoreRequest, was: Standing | None) -> Standing | None:
    """What the table is made from, before that is read; None for one that every build writes."""
    if request.inputs is None:
        return None
    now = standing_now(request.inputs, request.answered_by)
    return by_content(cur, now, was, request.inputs) if request.by_content else now


def _overwrite(cur: duckdb.DuckDBPyConnection, request: StoreRequest, query: str, note: dict[str, str]) -> StoreResult:
    with Rows(cur, query, request) as rows:
        write_deltalake(
            request.path,
            rows.reader,
            mode="overwrite",
            schema_mode="overwrite",
            partition_by=list(request.partition_by),  # None would keep the old partitions
            writer_properties=_WRITER,
            commit_properties=CommitProperties(custom_metadata=_note(request) | note),
        )
    return StoreResult(rows=rows.count, version=DeltaTable(request.path).version())


def _remake(cur: duckdb.DuckDBPyConnection, request: StoreRequest, remade: Remade) -> StoreResult:
    """Put the rows the query gives of the remade keys in place of those the table has of them.

    They are marked as deleted where the table takes it, and left out of a table written whole where not. A merge takes
    longer for the same files: the keys are pseudonyms, and every file has some that changed.
    """
    table = DeltaTable(request.path)  # of now: a commit that comes between is a conflict, never undone
    target = delta_columns(cur.sql(f"from delta_scan({literal(request.path)})"), model=request.model)
    keyed = request.model_copy(update={"unique_key": remade.table_key, "on_schema_change": "fail"})
    # run first and described then: a column that stands twice has another name, which the table does not have
    cur.execute(f"create or replace temporary table {STAGE} as from (\n{request.sql}\n)")
    columns = contracted(cur.sql(f"from {STAGE}"), request.contract, model=request.model)
    _check_request(keyed, columns)
    written = _match(cur, keyed, columns, target)
    if any(c.expression != quote(c.name) for c in (*columns, *written)):
        cast = f"select {_list(written)} from (select {_list(columns)} from {STAGE})"
        cur.execute(f"create or replace temporary table {STAGE} as {cast}")
    _check_keys(cur, keyed)
    changed = _changed_keys(cur, request.invocation_id, remade.changed_sql)
    cur.register(CHANGED, changed)
    gone = f"{quote(remade.key)} in (from {CHANGED})"
    if _scalar(cur, f"select count(*) from {STAGE} where ({gone}) is not true"):
        raise StoreError(
            f"the query returns rows of a {remade.key} that has not changed",
            hint="filter it by of_changed_rows or of_changed_records",
            model=request.model,
        )
    rows = int(_scalar(cur, f"select count(*) from {STAGE}"))
    marked = mark_rows(cur, table, gone)
    there = f"from delta_scan({literal(request.path)}) where"
    if not rows and not (marked.rows if marked else _scalar(cur, f"select exists (select 1 {there} {gone})")):
        return StoreResult(rows=0, version=table.version())
    names = ", ".join(quote(c.name) for c in written)
    with Rows(cur, f"select {names} from {STAGE}", request) as new:
        if marked is not None:
            done = change_rows(marked, new.reader, note=_note(request, "remade"), style=FileStyle())
            return StoreResult(rows=rows, version=done, marked=True)
        with cur.cursor() as beside:  # without the stage
            beside.register(CHANGED, changed)
            with Rows(beside, f"select {names} {there} ({gone}) is not true", request) as old:
                both = pa.RecordBatchReader.from_batches(new.reader.schema, chain(new.reader, old.reader))
                _rewrite(table, both, _commit(request, "remade"))
    return StoreResult(rows=rows, version=DeltaTable(request.path).version())


def _rewrite(table: DeltaTable, rows: Any, commit: CommitProperties) -> None:
    write_deltalake(table, rows, mode="overwrite", writer_properties=_WRITER, commit_properties=commit)


def _changed_keys(cur: duckdb.DuckDBPyConnection, build: str, changed_sql: str) -> pa.Table:
    """The keys that are remade; asked once a build, as most tables of persons are remade for the same."""
    found = _keys.get((build, changed_sql))
    if found is None:
        found = cur.execute(f"select distinct k from ({changed_sql}) t(k)").to_arrow_table()
        for other in [k for k in _keys if k[0] != build]:
            _keys.pop(other, None)
        _keys[build, changed_sql] = found
    return found


_keys: dict[tuple[str, str], pa.Table] = {}


def _increment(
    cur: duckdb.DuckDBPyConnection, request: StoreRequest, columns: tuple[Column, ...], query: str
) -> StoreResult:
    target = delta_columns(cur.sql(f"from delta_scan({literal(request.path)})"), model=request.model)
    table = DeltaTable(request.path)
    _check_partitions(request, table)
    if request.strategy == "history":
        check_history(cur, request.path, request.at, target, model=request.model)
        target = tuple(c for c in target if c.name not in (VALID_FROM, VALID_TO))
    written = _match(cur, request, columns, target)
    cur.execute(f"create or replace temporary table {STAGE} as select {_list(written)} from (\n{query}\n)")
    stage, predicate = STAGE, None
    if request.strategy in ("merge", "history"):
        _check_keys(cur, request)
    if request.strategy == "history":
        stage = f"{STAGE}_versions"
        sql = next_version(
            path=request.path,
            stage=STAGE,
            columns=[c.name for c in written],
            old_columns={c.name for c in target},
            unique_key=request.unique_key,
            check_cols=request.check_cols,
            at=request.at,
            hard_deletes=request.hard_deletes,
        )
        cur.execute(f"create or replace temporary table {stage} as {sql}")
    if request.strategy == "replace_partitions":
        predicate = _partitions(cur, table.metadata().partition_columns)
    rows = _scalar(cur, f"select count(*) from {stage}")
    if rows or len({c.name for c in written} - {c.name for c in target}):
        with Rows(cur, f"from {stage}", request) as stream:
            _commit_increment(request, table, stream.reader, predicate, rows)
    return StoreResult(rows=rows, version=DeltaTable(request.path).version())


def _commit_increment(request: StoreRequest, table: DeltaTable, reader: Any, predicate: str | None, rows: int) -> None:
    evolve = request.on_schema_change == "append_new_columns"
    if request.strategy in ("merge", "history"):
        key = (*request.unique_key, VALID_FROM) if request.strategy == "history" else request.unique_key
        same = [f"{TARGET}.{quote(k)} = {SOURCE}.{quote(k)}" for k in key]
        merge = table.merge(
            reader,
            predicate=" and ".join([*same, *(f"({p})" for p in request.predicates)]),
            source_alias=SOURCE,
            target_alias=TARGET,
            merge_schema=evolve,
            streamed_exec=rows > MERGE_ROWS_IN_MEMORY,
            writer_properties=_WRITER,
            commit_properties=_commit(request),
        )
        merge.when_matched_update_all().when_not_matched_insert_all().execute()
        return
    write_deltalake(
        table,
        reader,
        mode="overwrite" if predicate else "append",  # type: ignore[call-overload]
        predicate=predicate,
        schema_mode="merge" if evolve else None,
        writer_properties=_WRITER,
        commit_properties=_commit(request),
    )


def _match(
    cur: duckdb.DuckDBPyConnection, request: StoreRequest, columns: tuple[Column, ...], target: tuple[Column, ...]
) -> tuple[Column, ...]:
    """The columns to write, after the policy for a query whose columns are not the table's."""
    have, want = {c.name: c for c in columns}, {c.name: c for c in target}
    new = [c for c in columns if c.name not in want]
    missing = [c for c in target if c.name not in have]
    if request.on_schema_change == "fail" and (new or missing):
        diff = [f"+{c.name} {c.type}" for c in new] + [f"-{c.name} {c.type}" for c in missing]
        raise StoreError(
            f"the query's columns are not the table's: {', '.join(diff)}",
            hint="build it with --full-refresh, or set on_schema_change: append_new_columns",
            model=request.model,
        )
    written = []
    for column in target:
        if column.name not in have:
            if request.strategy in ("append", "replace_partitions"):
                written.append(Column(column.name, column.type, f"cast(null as {column.type})"))
            continue
        source = have[column.name].type
        expression = quote(column.name)
        if source != column.type:
            sql = f"select can_cast_implicitly(cast(null as {source}), cast(null as {column.type}))"
            if not _scalar(cur, sql):
                raise StoreError(
                    f"the query gives {source}, the table holds {column.type}",
                    hint="cast it in the model, or build it with --full-refresh",
                    model=request.model,
                    column=column.name,
                )
            expression = f"cast({expression} as {column.type})"
        written.append(Column(column.name, column.type, expression))
    if request.on_schema_change == "append_new_columns":
        written += [Column(c.name, c.type, quote(c.name)) for c in new]
    return tuple(written)


def _check_request(request: StoreRequest, columns: tuple[Column, ...]) -> None:
    names = {c.name for c in columns}
    if request.strategy in ("merge", "history") and not request.unique_key:
        raise StoreError(f"strategy {request.strategy} needs a unique_key", hint="set unique_key", model=request.model)
    if request.strategy == "replace_partitions" and not request.partition_by:
        raise StoreError("strategy replace_partitions needs partition_by", hint="set it", model=request.model)
    wanted = {
        "unique_key": request.unique_key,
        "partition_by": request.partition_by,
        "check_cols": request.check_cols,
        "not_null": request.not_null,
    }
    for config, given in wanted.items():
        if unknown := [n for n in given if n not in names]:
            raise StoreError(
                f"{config} names {', '.join(unknown)}, which the query does not return",
                hint=f"it returns {', '.join(sorted(names))}",
                model=request.model,
            )
    if request.strategy == "history" and (taken := names & {VALID_FROM, VALID_TO}):
        raise StoreError(
            f"strategy history makes {', '.join(sorted(taken))} itself",
            hint="rename that column in the query",
            model=request.model,
        )


def _check_partitions(request: StoreRequest, table: DeltaTable) -> None:
    there = tuple(table.metadata().partition_columns)
    if request.partition_by != there:
        raise StoreError(
            f"the table is partitioned by ({', '.join(there)}), the model by ({', '.join(request.partition_by)})",
            hint="build it with --full-refresh",
            model=request.model,
        )


def _check_keys(cur: duckdb.DuckDBPyConnection, request: StoreRequest) -> None:
    """A merge with an empty or repeated key would add rows twice or fail half way: refuse it first."""
    keys = ", ".join(quote(k) for k in request.unique_key)
    empty = _scalar(cur, f"select count(*) from {STAGE} where " + _any_null(request.unique_key))
    if empty:
        raise StoreError(
            f"{empty} rows have no value in unique_key ({', '.join(request.unique_key)})",
            hint="leave such rows out of the model, or choose another key",
            model=request.model,
        )
    repeated = _scalar(cur, f"select count(*) from (select 1 from {STAGE} group by {keys} having count(*) > 1)")
    if repeated:
        raise StoreError(
            f"{repeated} values of unique_key ({', '.join(request.unique_key)}) stand in several rows",
            hint="deduplicate in the model, or choose a finer key",
            model=request.model,
        )


def _any_null(columns: tuple[str, ...]) -> str:
    return " or ".join(f"{quote(c)} is null" for c in columns)


def _partitions(cur: duckdb.DuckDBPyConnection, columns: list[str]) -> str:
    """A condition that is true for exactly the partitions that have rows in the stage."""
    names = ", ".join(quote(c) for c in columns)
    found = cur.execute(f"select distinct {names} from {STAGE} order by all").fetchall()
    last = columns[-1]
    conditions = []
    for head, group in groupby(found, key=lambda row: row[:-1]):
        parts = [_equals(c, v) for c, v in zip(columns[:-1], head, strict=True)]
        values = [row[-1] for row in group]
        known = [_value(v, last) for v in values if v is not None]
        tail = [f"{quote(last)} in ({', '.join(known)})"] if known else []
        tail += [f"{quote(last)} is null"] if None in values else []
        conditions.append(" and ".join([*parts, f"({' or '.join(tail)})"]))
    return " or ".join(f"({c})" for c in conditions)


def _equals(column: str, value: Any) -> str:
    return f"{quote(column)} is null" if value is None else f"{quote(column)} = {_value(value, column)}"


def _value(value: Any, column: str) -> str:
    """A partition's value as a literal of the writer's SQL."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return f"date '{value.isoformat()}'"
    raise StoreError(
        f"a partition column may be text, integer, boolean or date, not {type(value).__name__}",
        hint="partition by a month or day column",
        column=column,
    )


def _commit(request: StoreRequest, strategy: str = "") -> CommitProperties:
    return CommitProperties(custom_metadata=_note(request, strategy))


def _note(request: StoreRequest, strategy: str = "") -> dict[str, str]:
    """What the table's history tells of this commit."""
    note = {
        "model": request.model,
        "invocation_id": request.invocation_id,
        "strategy": strategy or ("overwrite" if request.full_refresh else request.strategy),
    }
    if request.remade:
        noted = {THROUGH: request.remade.through, FEEDS: request.remade.made_from}
        note |= {PROJECT_DIGEST: project_digest()} | {k: str(v) for k, v in noted.items() if v is not None}
    if request.answered_by:
        note |= {KNOWLEDGE: request.answered_by, PROJECT_DIGEST: project_digest()}
    return note


def _list(columns: tuple[Column, ...]) -> str:
    return ", ".join(f"{c.expression} as {quote(c.name)}" for c in columns)


def _scalar(cur: duckdb.DuckDBPyConnection, sql: str) -> Any:
    row = cur.execute(sql).fetchone()
    return row[0] if row else None

# ruff: noqa: S608 - every name and constant here comes from a validated contract and is quoted
"""The Delta commits of one load: quarantine, feed table, platform tables, each once a receipt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from catalog.errors import ContractError
from catalog.model import Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion import early_write
from ingestion.early_write import Commit, EarlyWrite
from ingestion.formats.base import PROBLEM_ZH, RAGGED, REPAIRED
from ingestion.landing import Receipt, read_receipt
from ingestion.results import LoadResult, loads_row
from ingestion.stage import QUARANTINES, Staged
from ingestion.stage_sql import QUARANTINED, WORD_BITS, Check, words
from quality.cipher import Sealer
from quality.sql import literal, quote
from warehouse.delta import FileStyle, commit_once, ensure_table, exists, scan_sql, transaction_version
from warehouse.schema import feed_columns, feed_schema
from warehouse.tables import table_lock
from warehouse.vault import SEALED_GRADE, sealer

APP = "ingest"
CONTENT_ZH = "内容的级别高于该字段的申报级别"
BATCH_ROWS = 20_000

QUARANTINE_SCHEMA = pa.schema(
    [
        ("receipt", pa.string()),
        ("row_number", pa.int64()),
        ("part", pa.int64()),
        ("rules", pa.list_(pa.string())),
        ("reasons", pa.string()),
        ("parties", pa.list_(pa.string())),
        ("raw", pa.string()),
        ("quarantined_at", pa.timestamp("us", tz="UTC")),
        ("status", pa.string()),
        ("closed_at", pa.timestamp("us", tz="UTC")),
        ("closed_by", pa.string()),
    ]
)
"""``quarantine.<feed>``: one row a rejected record. ``part`` counts the values of an unpivoted record,
0 otherwise; ``raw`` is JSON of source column to text, or ``_fields``/``_line`` where columns could not
be told, sealed where the feed is of grade 3 or above; ``status`` is ``open``, ``loaded`` (by a replay or a
correction, as ``closed_by`` says), ``resent`` (a later delivery brought it anew), ``withdrawn`` (the department says it
was never valid) or ``skipped``."""


def app_id(feed_id: str) -> str:
    """The application id of a feed's loads; its version is the receipt's sequence."""
    return f"{APP}/{feed_id}"


@dataclass(frozen=True)
class Slot:
    """What the commits of one load are known by.

    Attributes:
        app, version: application id and version of its Delta transactions.
        rejected: SQL condition that its rows in quarantine meet.
    """

    app: str
    version: int
    rejected: str


def slot_of(receipt: Receipt) -> Slot:
    """The slot of a delivery that is loaded whole."""
    return Slot(app_id(receipt.feed), receipt.sequence, f"receipt = {literal(receipt.id)}")


def is_committed(settings: Settings, feed: Feed, receipt: Receipt) -> bool:
    """Whether the feed table already carries this receipt's commit."""
    done = transaction_version(settings.feed_path(feed.id), app_id(feed.id))
    return done is not None and done >= receipt.sequence


def is_current(settings: Settings, feed: Feed, receipt_id: str) -> bool:
    """Whether the feed table's last load was of this receipt."""
    receipt = read_receipt(settings, feed.id, receipt_id)
    return transaction_version(settings.feed_path(feed.id), app_id(feed.id)) == receipt.sequence


@dataclass(frozen=True)
class Output:
    """The accepted rows as the feed table takes them: a stream, how it is written, whether columns are new."""

    rows: pa.RecordBatchReader
    mode: Literal["append", "overwrite"]
    evolve: bool


def mark_known_rows(
    settings: Settings, catalog: Catalog, feed: Feed, staged: Staged, *, near: str | None = None
) -> int:
    """Take out accepted rows that the feed table makes needless, and count those that will replace one.

    Append: rows whose key is there (``known``). Upsert with ``newest_by``: rows older than what is
    there (``older``).

    Returns:
        Accepted rows whose key is in the table and that will replace its row.
    """
    path = settings.feed_path(feed.id)
    if feed.load.mode == "snapshot" or not exists(path):
        return 0
    _require_columns(path, feed, catalog.table_key(feed))
    con, keys = staged.con, [quote(k) for k in catalog.table_key(feed)]
    newest = quote(feed.load.newest_by) if feed.load.newest_by else None
    wanted = ", ".join([*keys, *([newest] if newest and feed.load.newest_by not in feed.load.key else [])])
    same = " AND ".join(f"t.{k} = s.{k}" for k in keys)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE _there AS SELECT {wanted} FROM {_near(con, path, near)} t "
        f"WHERE EXISTS (SELECT 1 FROM accepted s WHERE {same})"
    )
    why, condition = "known", "true"
    if feed.load.mode == "upsert":
        why, condition = "older", f"s.{newest} < t.{newest} OR (s.{newest} IS NULL AND t.{newest} IS NOT NULL)"
    if feed.load.mode == "append" or newest:
        con.execute(
            f"INSERT INTO _losers SELECT s.rowid, s._row_number, s._part, '{why}' FROM staged s "
            f"JOIN _there t ON {same} "
            f"WHERE s._state = 0 AND s.rowid NOT IN (SELECT r FROM _losers) AND ({condition})"
        )
    staged.view()
    row = con.execute(f"SELECT count(*) FROM accepted s SEMI JOIN _there t ON {same}").fetchone()
    return int(row[0]) if row else 0


def _require_columns(path: str, feed: Feed, key: Sequence[str]) -> None:
    """Stop where the contract's key names a column that the table does not have: its rows cannot be found by it."""
    lacking = {*key, *filter(None, [feed.load.newest_by])} - {f.name for f in DeltaTable(path).schema().fields}
    if lacking:
        raise ContractError(
            f"the feed table has no column {', '.join(sorted(lacking))}, which the contract's key or newest_by names",
            hint="keep the key the table was made with, or give the new layout a contract (and a table) of its own",
            feed=feed.id,
        )


def _near(con: duckdb.DuckDBPyConnection, path: str, column: str | None) -> str:
    """What to read of the table: all of it, or the files that hold an instant within a minute of an accepted one."""
    if column is None:
        return scan_sql(con, path)
    minutes = con.execute(
        f"SELECT DISTINCT epoch({quote(column)})::BIGINT // 60 AS m FROM accepted WHERE {quote(column)} IS NOT NULL "
        f"ORDER BY m"
    ).fetchall()
    return scan_sql(con, path, minutes_of=column, minutes=[int(m) for (m,) in minutes])


def commit_quarantine(
    settings: Settings,
    catalog: Catalog,
    feed: Feed,
    receipt: Receipt,
    staged: Staged,
    at: datetime,
    slot: Slot | None = None,
) -> None:
    """Commit the rejected rows with their rules, reasons and raw values; a repeat replaces the rows of its slot.

    Raw values of a feed of grade 3 or above are sealed before they reach Delta.
    """
    path, slot = settings.quarantine_path(feed.id), slot or slot_of(receipt)
    if not staged.rows_quarantined:
        withdraw_quarantine(settings, feed, receipt, slot)
        return
    rows = staged.con.execute(quarantine_sql(staged, receipt.id, at)).to_arrow_reader(BATCH_ROWS)
    if catalog.grade(feed) >= SEALED_GRADE:
        rows = _with_sealed_raw(rows, sealer(settings, feed.id, now=at, quarantine=True))
    done = transaction_version(path, slot.app)
    if done is not None and done >= slot.version:
        # a crash came after this commit and before the feed's: the contract may have changed since
        commit_once(
            path, rows, mode="overwrite", predicate=slot.rejected,
            app_id=f"{slot.app}/again", version=int(at.timestamp() * 1_000_000),
        )  # fmt: skip
        return
    commit_once(path, rows, mode="append", app_id=slot.app, version=slot.version)


def replace_quarantine(
    settings: Settings, catalog: Catalog, feed: Feed, receipt: Receipt, staged: Staged, at: datetime
) -> None:
    """Put the rows a delivery loses today in the place of the open ones it has; closed ones stay as they are."""
    path, name, con = settings.quarantine_path(feed.id), f"backfill/{feed.id}", staged.con
    there = exists(path)
    if not there and not staged.rows_quarantined:
        return
    new = quarantine_sql(staged, receipt.id, at)
    schema = ", ".join(quote(n) for n in QUARANTINE_SCHEMA.names)
    if there:
        closed = f"SELECT * FROM {scan_sql(con, path)} WHERE receipt = {literal(receipt.id)} AND status <> 'open'"
        same = "c.row_number = n.row_number AND c.part = n.part"
        new = f"SELECT * FROM ({new}) n WHERE NOT EXISTS (SELECT 1 FROM ({closed}) c WHERE {same})"
    rows = con.execute(f"SELECT {schema} FROM ({new})").to_arrow_reader(BATCH_ROWS)
    if catalog.grade(feed) >= SEALED_GRADE:
        rows = _with_sealed_raw(rows, sealer(settings, feed.id, now=at, quarantine=True))
    made = rows.read_all()
    if there:
        made = pa.concat_tables([made, con.execute(closed).to_arrow_table().cast(made.schema)])
    commit_once(
        path, made, mode="overwrite", predicate=f"receipt = {literal(receipt.id)}", app_id=name,
        version=(transaction_version(path, name) or 0) + 1,
    )  # fmt: skip


def _with_sealed_raw(rows: pa.RecordBatchReader, seal: Sealer) -> pa.RecordBatchReader:
    place = rows.schema.names.index("raw")

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in rows:
            columns = list(batch.columns)
            columns[place] = pa.array(seal.seal_text(columns[place].to_pylist()), pa.string())
            yield pa.RecordBatch.from_arrays(columns, schema=rows.schema)

    return pa.RecordBatchReader.from_batches(rows.schema, batches())


def withdraw_quarantine(settings: Settings, feed: Feed, receipt: Receipt, slot: Slot | None = None) -> None:
    """Remove the rows that an attempt killed before its feed commit left in quarantine."""
    path, slot = settings.quarantine_path(feed.id), slot or slot_of(receipt)
    done = transaction_version(path, slot.app)
    if done is not None and done >= slot.version:
        DeltaTable(path).delete(slot.rejected)


def quarantine_sql(staged: Staged, receipt: str, at: datetime) -> str:
    """SELECT of the rejected rows in the order of QUARANTINE_SCHEMA; makes the tables it reads."""
    con, plan = staged.con, staged.plan
    lists = _named_lists(plan.rejects)
    broken = f"[{', '.join(f's._reject{i}' for i in range(words(len(plan.rejects))))}]"
    hit = f"(list_extract({broken}, (i // {WORD_BITS} + 1)::INTEGER) >> (i % {WORD_BITS})::INTEGER) & 1 = 1"
    hits = f"list_filter(range(0, {len(plan.rejects)}), lambda i: {hit})"
    problem = f"CASE s._problem WHEN '{REPAIRED}' THEN '{RAGGED}' ELSE s._problem END"
    own = f"CASE WHEN l.why IS NOT NULL THEN [l.why] WHEN s._problem IS NOT NULL THEN [{problem}] ELSE [] END"
    in_words = " ".join(f"WHEN '{code}' THEN {literal(text)}" for code, text in PROBLEM_ZH.items())
    con.execute("CREATE TABLE IF NOT EXISTS _conflict_raw (_row_number BIGINT, _part BIGINT, raw VARCHAR)")

    def picked(kind: str, among: str = "hits") -> str:
        return f"list_transform({among}, lambda i: list_extract({lists[kind]}, (i + 1)::INTEGER))"

    in_words += f" ELSE {literal(CONTENT_ZH)}"
    told = picked("message_zh", _told(plan.rejects))
    reasons = f"list_concat(list_transform(own, lambda o: CASE o {in_words} END), {told})"
    return (
        f"SELECT {literal(receipt)} AS receipt, _row_number AS row_number, _part::BIGINT AS part, "
        f"list_concat(own, {picked('code')}) AS rules, array_to_string({reasons}, '；') AS reasons, "
        f"list_concat(list_transform(own, lambda o: 'source'), {picked('party')}) AS parties, "
        f"raw, TIMESTAMPTZ {literal(at.isoformat())} AS quarantined_at, 'open' AS status, "
        f"NULL::TIMESTAMPTZ AS closed_at, NULL::VARCHAR AS closed_by "
        f"FROM (SELECT s._row_number, s._part, coalesce(s._raw, c.raw) AS raw, {own} AS own, {hits} AS hits "
        f"FROM staged s LEFT JOIN (SELECT r, why FROM _losers WHERE {QUARANTINES}) l ON l.r = s.rowid "
        f"LEFT JOIN _conflict_raw c ON l.r IS NOT NULL AND c._row_number = s._row_number AND c._part = s._part "
        f"WHERE s._state = {QUARANTINED} OR l.r IS NOT NULL)"
    )


def _told(checks: Sequence[Check]) -> str:
    """SQL of the hits that are told: a value that cannot be read is not told to be missing as well."""
    place = {c.code: i for i, c in enumerate(checks)}
    unread = [
        [place[k] for k in (f"{field}.type", f"{field}.code_list") if k in place] if rule == "required" else []
        for field, _, rule in (c.code.rpartition(".") for c in checks)
    ]
    if not any(unread):
        return "hits"
    return f"list_filter(hits, lambda i: NOT list_has_any(hits, list_extract({unread}::BIGINT[][], (i + 1)::INTEGER)))"


def _named_lists(checks: Sequence[Check]) -> dict[str, str]:
    """SQL lists of the checks' codes, messages and parties, in the order of their bits."""
    return {
        name: f"[{', '.join(literal(getattr(c, name)) for c in checks)}]" for name in ("code", "message_zh", "party")
    }


def commit_feed(
    settings: Settings,
    catalog: Catalog,
    feed: Feed,
    receipt: Receipt,
    staged: Staged,
    *,
    replacing: int,
    slot: Slot | None = None,
) -> EarlyWrite:
    """The commit of the accepted rows to the feed table in the contract's mode, to be finished after the gate.

    The table exists afterwards.
    """
    path, known = settings.feed_path(feed.id), slot or slot_of(receipt)
    ensure_table(path, feed_schema(catalog, feed), partition_by=feed.load.partition_by)

    def prepare() -> Commit | None:
        if not staged.rows_accepted:
            return None
        out = output(settings, catalog, feed, staged)
        return Commit(
            out.rows,
            mode="merge" if feed.load.mode == "upsert" and replacing else out.mode,
            app_id=known.app,
            version=known.version,
            style=FileStyle(distinct=_distinct(catalog, feed)),
            metadata={"receipt": receipt.id, "rows": str(staged.rows_accepted)},
            evolve=out.evolve,
            more={"merge_key": catalog.table_key(feed), "newest_by": feed.load.newest_by},
        )

    return EarlyWrite(path, prepare, early=staged.rows_accepted >= early_write.EARLY_ROWS)


def _distinct(catalog: Catalog, feed: Feed) -> tuple[str, ...]:
    """Columns with another value in nearly every row: a key of one column, and pseudonyms."""
    made = [c.name for c in feed_columns(catalog, feed) if c.origin == "pseudonym"]
    key = catalog.table_key(feed)
    return tuple(dict.fromkeys([*made, *(key if len(key) == 1 else ())]))


def output(settings: Settings, catalog: Catalog, feed: Feed, staged: Staged) -> Output:
    """The rows to write, in the columns of the feed table, which exists; direct identifiers are none of them."""
    con = staged.con.cursor()
    names = [*(c.name for c in feed_columns(catalog, feed)), *staged.plan.kept]
    pieces = [quote(n) for n in names]
    schema = pa.schema(DeltaTable(settings.feed_path(feed.id)).schema().to_arrow())
    evolve = set(names) != set(schema.names)
    if feed.load.mode != "snapshot":
        empty = con.from_arrow(schema.empty_table())
        types = dict(zip(empty.columns, map(str, empty.types), strict=True))
        pieces += [f"CAST(NULL AS {types[n]}) AS {quote(n)}" for n in schema.names if n not in names]
    rows = con.execute(f"SELECT {', '.join(pieces)} FROM accepted").to_arrow_reader(BATCH_ROWS)
    return Output(rows, "overwrite" if feed.load.mode == "snapshot" else "append", evolve)


def commit_platform(
    settings: Settings,
    receipt: Receipt,
    result: LoadResult,
    at: datetime,
    validations: pa.Table | None,
    app: str | None = None,
) -> None:
    """Write the load's row and its check results to the platform tables, once."""
    name = app or app_id(receipt.feed)
    tables = {"loads": loads_row(receipt, result, at)}
    if validations is not None and validations.num_rows:
        tables["validations"] = validations
    for table, rows in tables.items():
        with table_lock(settings, f"platform.{table}"):
            commit_once(
                settings.platform_path(table), rows, mode="append", app_id=name, version=receipt.sequence, evolve=True
            )

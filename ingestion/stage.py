"""One DuckDB pass over a delivery: type, code, check, and set each row apart as accepted, quarantined or skipped.

The result is a table ``staged`` in a database of its own that is thrown away after the load:
typed columns, pseudonyms, a bit mask of the rules each row breaks, and the raw values of rows that
do. ``accepted`` is a view of the rows to load, with the system columns of the feed table.
"""

# ruff: noqa: S608 - every name and constant here comes from a validated contract and is quoted
from __future__ import annotations

import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import duckdb
import pyarrow as pa

from catalog.errors import DriftError, InputError
from catalog.model import Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion.deduplicate import deduplicate
from ingestion.formats import Wanted, open_file
from ingestion.formats.base import RAGGED, REPAIRED, Opened
from ingestion.formats.csv import BrokenQuotes
from ingestion.formats.header import drift_error, match_columns, normalise
from ingestion.pseudonyms import add_hashes, key_of
from ingestion.stage_sql import ACCEPTED, QUARANTINED, WORD_BITS, Plan, words
from quality.coordinates import point_wkb, to_cgcs2000
from quality.rules import CompiledRule
from quality.sql import literal, quote
from warehouse.duck import VERIFIED_ONCE, load_extension
from warehouse.read_ahead import ReadAhead
from warehouse.schema import DELETED_AT, feed_columns

MEMORY_LIMIT = "450MB"
WIDE_COLUMN_MB, WIDE_JOIN_MB, WIDE_LIMIT_MB = 0.8, 0.16, 4000
"""DuckDB holds a vector of every column at each step of a check, in each thread, however few the rows: so much a
column, and a fifth of it more for every code list that is joined. Records that need more than the limit are refused."""
LARGE_SPILL_BYTES, LARGE_SPILL_MEMORY = 200_000_000, "360MB"
"""When so much has spilled, a fifth less memory costs no time: what is scanned in turn is read back either way."""
CONTENT_RULE = "content_grade"
QUARANTINES = f"(why = 'key_conflict' OR ends_with(why, '.{CONTENT_RULE}'))"
"""Condition on ``_losers``: the row goes to quarantine instead of being skipped."""


@dataclass
class Staged:
    """A staged delivery.

    Attributes:
        con: connection to the stage database; closed by ``close``.
        spill: folder for what does not fit in memory.
        rows_found: records in the file (values, where wide columns were unpivoted).
        rows_skipped: duplicates, superseded rows, footers and blank rows.
        rows_lost: rows in ``_losers`` when they were counted last.
        skipped: why rows were skipped, with counts.
        reasons: rule code to rejected rows.
        warned: rule code to rows that break a rule which only warns or stops.
        about: what the reader found out.
    """

    con: duckdb.DuckDBPyConnection
    spill: Path
    feed: Feed
    plan: Plan
    about: dict[str, Any]
    receipt: str
    loaded_at: datetime
    rows_found: int = 0
    rows_accepted: int = 0
    rows_quarantined: int = 0
    rows_skipped: int = 0
    rows_lost: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    warned: dict[str, int] = field(default_factory=dict)
    remember_raw: Callable[[], None] | None = None
    """Reads the delivery once more to keep the raw values of the rows in ``_losers``."""

    def view(self) -> None:
        """Make ``accepted`` (again, after rows were put among the losers): typed rows to load, with system columns."""
        plan = self.plan
        made = plan.pseudonyms.values()
        names = [quote(n) for n in (*(f.name for f in plan.fields), *made, *plan.kept)]
        at = self.loaded_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")
        marked = f", NULL::TIMESTAMPTZ AS {DELETED_AT}" if self.feed.load.deletes == "mark" else ""
        lost = self.con.execute("SELECT 1 FROM _losers LIMIT 1").fetchone()
        but = " AND rowid NOT IN (SELECT r FROM _losers)" if lost else ""
        self.con.execute(
            f"CREATE OR REPLACE VIEW accepted AS SELECT {', '.join(names)}, {literal(self.receipt)} AS _receipt, "
            f"_row_number, TIMESTAMPTZ {literal(at)} AS _loaded_at{marked} FROM staged WHERE _state = {ACCEPTED}{but}"
        )

    def close(self) -> None:
        """Throw the stage away."""
        self.con.close()
        shutil.rmtree(self.spill, ignore_errors=True)

    def __enter__(self) -> Staged:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


OpenSource = Callable[[bool], Opened]
"""Opens the source again from its start; True asks for the way that survives broken quotes."""


def stage(
    settings: Settings,
    catalog: Catalog,
    feed: Feed,
    source: Path | OpenSource,
    *,
    receipt: str,
    loaded_at: datetime,
    rules: Sequence[CompiledRule],
) -> Staged:
    """Read a delivery as its contract says and set its rows apart.

    Args:
        source: the landed file, or a function that opens records from elsewhere (replay).
        receipt: the delivery's receipt; becomes ``_receipt``.
        loaded_at: becomes ``_loaded_at`` (UTC).
        rules: the feed's compiled rules; row rules that reject set rows apart here, others are counted.

    Raises:
        InputError, DriftError: the file cannot be read as the contract says. Nothing is changed.
    """
    wanted = Wanted.of(feed)
    open_source = source if callable(source) else _opener(source, feed, wanted, _scratch(settings, receipt))
    recover = False
    while True:
        opened = open_source(recover)
        try:
            again = partial(open_source, recover)
            return _stage(settings, catalog, feed, opened, wanted, again, receipt, loaded_at, rules)
        except BrokenQuotes:
            if recover:
                raise
            recover = True
        finally:
            opened.close()


def _opener(path: Path, feed: Feed, wanted: Wanted, scratch: Path) -> OpenSource:
    shutil.rmtree(scratch, ignore_errors=True)  # what a crash left there

    def open_source(recover: bool) -> Opened:
        options = {"recover": True} if recover else {}
        return open_file(path, feed.format, wanted, scratch=scratch, **options)

    return open_source


def _scratch(settings: Settings, receipt: str) -> Path:
    """Where a receipt's archive is unpacked; outside the stage's own folder, which is made anew meanwhile."""
    return settings.build / "unpacked" / receipt


def _stage(
    settings: Settings,
    catalog: Catalog,
    feed: Feed,
    opened: Opened,
    wanted: Wanted,
    reopen: Callable[[], Opened],
    receipt: str,
    loaded_at: datetime,
    rules: Sequence[CompiledRule],
) -> Staged:
    freeze = feed.drift.columns == "freeze"
    by_row = feed.drift.columns == "quarantine"
    unknown = match_columns(opened.columns, wanted, freeze=freeze)
    extra = _extra_names(opened.columns, unknown, {*feed.fields, *(c.name for c in feed_columns(catalog, feed))})
    plan = Plan(catalog, feed, opened.columns, extra, rules, opened.types)
    con, spill = open_stage(settings, receipt, plan.extensions)
    wide = _give_wide_room(con, len(opened.columns), len(plan.maps))
    if plan.hashed_late:
        key_of(settings, catalog).register(con)
    about = {**opened.about, "columns": list(opened.columns)}
    if extra:
        about["unknown_columns"] = list(extra)
    staged = Staged(con, spill, feed, plan, about, receipt, loaded_at)
    try:
        if not _created_by_query(con, opened, plan):
            with _registered(con, opened, plan, settings, catalog):
                plan.create(con)
        if not wide:
            make_room(con)
        about |= opened.about  # what only the last record told
        late = sorted(n for n in opened.late_columns if normalise(n) not in wanted.names() | wanted.ignore)
        if late and (freeze or by_row):  # a name met late stands in no column of its rows, so none can be set apart
            raise drift_error([], late)
        deduplicate(con, feed, plan)
        if con.execute("SELECT 1 FROM _losers WHERE why = 'key_conflict' LIMIT 1").fetchone():
            _remember_conflicts(con, plan, reopen, settings, catalog)
        staged.remember_raw = partial(_remember_conflicts, con, plan, reopen, settings, catalog)
        staged.view()
        recount(staged)
        _refuse_frozen(staged, rules)
    except BaseException:
        staged.close()
        raise
    return staged


def _refuse_frozen(staged: Staged, rules: Sequence[CompiledRule]) -> None:
    """Stop at values whose type or code the contract freezes."""
    broken = [r for r in rules if r.frozen and staged.reasons.get(r.code)]
    if broken:
        told = "; ".join(f"{r.code}: {staged.reasons[r.code]} rows" for r in broken[:10])
        raise DriftError(
            f"values differ from what the contract freezes ({told})",
            hint=f"lakehouse feed drift {staged.feed.id} tells what came; mend formats:, parse: or codes:, "
            "or set drift.types or drift.codes to another action",
            feed=staged.feed.id,
        )


def _created_by_query(con: duckdb.DuckDBPyConnection, opened: Opened, plan: Plan) -> bool:
    """Make ``staged`` of a file that DuckDB reads itself; whether that went well.

    Where it did not, the reader's own batches tell what is wrong with the file, or that nothing is.
    """
    opened.keep.update(plan.kept_types)
    query = None if plan.hashed else opened.query()
    if query is None:
        return False
    try:
        with _in_threads(con):
            con.execute(f"CREATE TEMP VIEW _stream AS {query}")
            plan.create(con)
    except duckdb.Error:
        return False
    finally:
        con.execute("DROP VIEW IF EXISTS _stream")
    return True


@contextmanager
def _in_threads(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    con.execute(f"SET threads = {_threads()}")
    try:
        yield
    finally:
        con.execute("RESET threads")


@contextmanager
def _registered(
    con: duckdb.DuckDBPyConnection, opened: Opened, plan: Plan, settings: Settings, catalog: Catalog
) -> Iterator[None]:
    """Register a source's batches as ``_stream``; the reader's own error comes out, not DuckDB's text of it.

    The reader parses ahead on a thread of its own while DuckDB checks.
    """
    opened.keep.update(plan.kept_types)
    batches = opened.batches
    if plan.hashed:
        key = key_of(settings, catalog)
        batches = add_hashes(batches, [(place, plan.pseudonyms[f]) for f, place in plan.hashed.items()], key)
    ahead = ReadAhead(batches)
    con.register("_stream", pa.RecordBatchReader.from_batches(plan.arrow_schema, ahead))
    try:
        with _in_threads(con):
            yield
    except (duckdb.Error, pa.ArrowException) as e:
        if ahead.failed:
            raise ahead.failed from None
        if isinstance(e, duckdb.OutOfMemoryException):
            raise InputError(
                f"records of {len(opened.columns)} columns need more memory than a load may take",
                hint="ask for fewer columns, or for the file in parts",
            ) from e
        raise
    finally:
        con.unregister("_stream")
        ahead.stop()


def _remember_conflicts(
    con: duckdb.DuckDBPyConnection, plan: Plan, reopen: Callable[[], Opened], settings: Settings, catalog: Catalog
) -> None:
    """Rows in conflict passed their checks, so their raw values were not kept: read them once more."""
    opened = reopen()
    try:
        with _registered(con, opened, plan, settings, catalog):
            con.execute(f"CREATE OR REPLACE TEMP VIEW _conflicts AS SELECT * FROM _losers WHERE {QUARANTINES}")
            con.execute(f"CREATE OR REPLACE TABLE _conflict_raw AS {plan.raw_of(con, '_conflicts')}", plan.parameters)
    finally:
        opened.close()


def open_stage(
    settings: Settings, receipt: str, extensions: Sequence[str] = ()
) -> tuple[duckdb.DuckDBPyConnection, Path]:
    """A fresh stage database for a receipt, with the extensions its rules need, and the folder it spills to.

    It lives in memory up to a limit and beyond that in the folder: a quarter faster than a file. What lies there is
    encrypted under a key that dies with the process, for the stage holds clear values.
    """
    spill = settings.build / "stage" / receipt
    shutil.rmtree(spill, ignore_errors=True)
    spill.mkdir(parents=True, mode=0o700)
    con = duckdb.connect(":memory:", config=VERIFIED_ONCE)
    con.execute("SET autoinstall_known_extensions = false")
    # DuckDB takes a stream for one row and would gather all of it as the build side of a code list's join; of each IN
    # of five values it would make a join, which takes 8 MB
    con.execute("SET disabled_optimizers = 'build_side_probe_side,join_order,in_clause'")
    con.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
    load_extension(con, "httpfs")  # for its OpenSSL: DuckDB's own crypto can only decrypt
    con.execute("SET temp_file_encryption = true")
    con.execute(f"SET temp_directory = {literal(str(spill))}")
    con.execute("SET GLOBAL TimeZone = 'UTC'")  # for its cursors too
    for name in extensions:
        load_extension(con, name)
    cast(Any, con).create_function("lh_point_wkb", _point_wkb, ["DOUBLE", "DOUBLE", "VARCHAR"], "BLOB", type="arrow")
    return con, spill


def _give_wide_room(con: duckdb.DuckDBPyConnection, columns: int, code_lists: int) -> bool:
    """Let a stage of wide records take what their vectors take, where that is more than a load's limit."""
    needed = round(columns * (WIDE_COLUMN_MB + WIDE_JOIN_MB * code_lists) * _threads())
    wide = needed > int(MEMORY_LIMIT.removesuffix("MB"))
    if wide:
        con.execute(f"SET memory_limit = '{min(needed, WIDE_LIMIT_MB)}MB'")
    return wide


def _threads() -> int:
    return max(1, min(os.cpu_count() or 2, 4))


def make_room(con: duckdb.DuckDBPyConnection) -> None:
    """Leave memory to the writers of a delivery so large that most of it has spilled."""
    if _one(con, "SELECT coalesce(sum(size), 0) FROM duckdb_temporary_files()") > LARGE_SPILL_BYTES:
        con.execute(f"SET memory_limit = '{LARGE_SPILL_MEMORY}'")


def _point_wkb(x: pa.Array, y: pa.Array, crs: pa.Array) -> pa.Array:
    if not len(x):
        return pa.array([], pa.binary())
    lon, lat = to_cgcs2000(x.to_numpy(zero_copy_only=False), y.to_numpy(zero_copy_only=False), crs[0].as_py())
    packed = pa.py_buffer(point_wkb(lon, lat).tobytes())
    return pa.Array.from_buffers(pa.binary(21), len(lon), [None, packed]).cast(pa.binary())


def _extra_names(columns: Sequence[str], unknown: Sequence[int], taken: set[str]) -> dict[str, str]:
    """Names of evolved columns: ``x_`` and the header, with everything but letters and digits as ``_``."""
    out: dict[str, str] = {}
    for i in unknown:
        text = unicodedata.normalize("NFKC", columns[i]).strip().lower()
        name = "x_" + (re.sub(r"\W+", "_", text).strip("_") or f"column_{i + 1}")
        while name in taken or name in out.values():
            name += "_"
        out[columns[i]] = name
    return out


def recount(staged: Staged) -> None:
    """Count the rows again after some were taken out of ``accepted``."""
    con, plan = staged.con, staged.plan
    staged.rows_lost = _one(con, "SELECT count(*) FROM _losers")
    staged.rows_found = _one(con, "SELECT count(*) FROM staged")
    staged.rows_accepted = _one(con, "SELECT count(*) FROM accepted")
    skipped = con.execute("SELECT _skip, count(*) FROM staged WHERE _skip IS NOT NULL GROUP BY 1").fetchall()
    losers = con.execute(f"SELECT why, count(*) FROM _losers WHERE NOT {QUARANTINES} GROUP BY 1").fetchall()
    staged.skipped = dict([*skipped, *losers])
    staged.rows_skipped = sum(staged.skipped.values())
    staged.rows_quarantined = staged.rows_found - staged.rows_accepted - staged.rows_skipped
    for checks, name, out in ((plan.rejects, "_reject", staged.reasons), (plan.others, "_other", staged.warned)):
        if not checks:
            continue
        sums = ", ".join(f"sum(({name}{i // WORD_BITS} >> {i % WORD_BITS}) & 1)" for i in range(len(checks)))
        touched = " OR ".join(f"{name}{i} <> 0" for i in range(words(len(checks))))
        row = con.execute(f"SELECT {sums} FROM staged WHERE {touched}").fetchone() or ()
        out.update({c.code: int(n) for c, n in zip(checks, row, strict=True) if n})
    problems = con.execute(
        f"SELECT CASE _problem WHEN '{REPAIRED}' THEN '{RAGGED}' ELSE _problem END, count(*) FROM staged "
        f"WHERE _problem IS NOT NULL AND _state = {QUARANTINED} GROUP BY 1"
    ).fetchall()
    staged.reasons.update(dict(problems))
    staged.reasons.update(
        dict(con.execute(f"SELECT why, count(*) FROM _losers WHERE {QUARANTINES} GROUP BY 1").fetchall())
    )


def recount_if_lost(staged: Staged) -> None:
    """Count the rows again where some have been put among the losers since."""
    if _one(staged.con, "SELECT count(*) FROM _losers") != staged.rows_lost:
        recount(staged)


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = con.execute(sql).fetchone()
    return int(row[0]) if row else 0

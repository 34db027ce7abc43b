"""Links the records of all registers to persons: in full, or only what a day has changed and who it may concern."""

# ruff: noqa: S608 - SQL is put together here from constants and quoted paths
from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from catalog.errors import GateStopped
from catalog.linking import LINKING_FILE, Linking, load_linking
from catalog.registry import Catalog
from catalog.settings import Settings
from quality.pseudonym import PseudonymKey, load_key
from warehouse.access import local_operator
from warehouse.linking import store
from warehouse.linking.blocking import make_nodes, make_pairs
from warehouse.linking.changes import Changes, find_changes, leave_out_said_before
from warehouse.linking.frequencies import key_numbers, share_names
from warehouse.linking.identity import IDENTIFIED, identify
from warehouse.linking.index import PARTS, PERSONS
from warehouse.linking.join import join_records
from warehouse.linking.keys import PRIOR, give_keys
from warehouse.linking.records import load_records, shape_records, work_database
from warehouse.linking.scope import RESTATED, SCOPE, make_scope
from warehouse.linking.scoring import Model, default_model, learn, score
from warehouse.linking.write import write_linked
from warehouse.tables import table_lock

if TYPE_CHECKING:
    import duckdb

FULL_SHARE = 0.3
"""When more of the records than this were delivered again, linking all of them is cheaper."""
SMALL_REGISTER = 100
"""A register of fewer records may lose any number of them."""
FEWEST = 1000
"""Persons a record may be of, at least: a register of three still tells of a district."""
LEARN_FROM = 500
"""Persons of a sure number below which the model's defaults are better than what few pairs show."""
Progress = Callable[[str], None]


class RegisterShrank(GateStopped):
    """A register lost more of its records than is believable: persons are not deleted because a file was empty."""

    code = "LH330"


class LinkResult(BaseModel):
    """What a run did.

    Attributes:
        mode: ``full``, ``changes``, or ``unchanged`` when no register had changed.
        records: persons of records in all registers; ``compared``: those looked at in this run.
        persons: how many persons all records are of. ``pairs``: pairs compared. ``reviews``: open ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: int
    mode: Literal["full", "changes", "unchanged"]
    records: int
    compared: int
    persons: int
    pairs: int
    merged: int
    split: int
    reviews: int
    seconds: float


def link_persons(
    settings: Settings,
    catalog: Catalog,
    *,
    now: datetime,
    full: bool = False,
    accept_drop: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> LinkResult:
    """Say which records are one person, and write it to the platform's linking tables.

    Args:
        now: time of the run (UTC).
        full: compare everything anew and learn the model again; keys of persons stay all the same.
        accept_drop: registers (feed ids) that may have lost their records.

    Raises:
        RegisterShrank: a register lost more than ``max_drop_pct`` of its records; nothing was changed.
        Busy: another process links. AccessDenied: the vault may not be opened.
    """
    started, note = time.monotonic(), progress or (lambda _: None)
    linking = load_linking(catalog)
    with table_lock(settings, "platform.person_links"), work_database(settings) as con:
        last = store.last_run(settings)
        digest = _digest(catalog)
        full = full or last is None or last["digest"] != digest
        _take_threads(con, full)
        changes = find_changes(con, settings, catalog, linking, last)
        _hold_to_size(linking, changes, last, accept_drop)
        decided = last is not None and _decided_since(settings, last)
        if not full and (changes.changed or decided):
            note("looking which records say something new")
            leave_out_said_before(
                con, settings, catalog, linking, changes,
                principal=local_operator(), key=load_key(settings.keys), now=now,
            )  # fmt: skip
        full = full or changes.share > FULL_SHARE
        if not full and last is not None and not changes.changed and not decided:
            return _unchanged(settings, last, changes, digest, now, started)
        _take_threads(con, full)
        run = _Run(settings, catalog, linking, con, changes.tables, store.next_run(settings), now, note)
        counts = run.link(full=full, last=last)
        result = LinkResult(
            run=run.number, mode="full" if full else "changes", seconds=round(time.monotonic() - started, 2), **counts
        )
        _log(settings, result, run.model, changes, digest, now)
    return result


def is_due_in_full(settings: Settings, catalog: Catalog) -> bool:
    """Whether the next run compares all records, because none was compared yet or they are compared otherwise now."""
    last = store.last_run(settings)
    return last is None or last["digest"] != _digest(catalog)


class _Run:
    """One run over ``con``."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        linking: Linking,
        con: duckdb.DuckDBPyConnection,
        tables: dict[str, str],
        number: int,
        now: datetime,
        note: Progress,
    ) -> None:
        self._settings, self._catalog, self._linking = settings, catalog, linking
        self._con, self._tables, self.number, self._now, self._note = con, tables, number, now, note
        self.model: Model = default_model()

    def link(self, *, full: bool, last: dict[str, Any] | None) -> dict[str, int]:
        """Read, compare, join, give keys, write; in full, or as the changes since the ``last`` run ask for."""
        con, settings, linking, key = self._con, self._settings, self._linking, load_key(self._settings.keys)
        compared = self._read_all(key) if full or last is None else self._read_scope(key, last)
        identify(con, linking)
        make_nodes(con)
        key_numbers(con, key)
        share_names(con, key, closed=None if full else f"SELECT name FROM {PARTS} ANTI JOIN {SCOPE} USING (part)")
        persons = self._persons(full)
        if full or last is None:
            self.model = learn(con) if persons >= LEARN_FROM else default_model()
        else:
            self.model = _model_of(last)
        self._note("comparing records")
        pairs = make_pairs(con, max_block=linking.max_block)
        score(con, self.model, persons=persons, least=linking.thresholds.review)
        self._note("joining records to persons")
        reviews = join_records(con, settings, linking, self._now)
        give_keys(con, key, living=None if full else PERSONS)
        self._note("writing")
        written = write_linked(con, settings, key, run=self.number, now=self._now, full=full)
        return {"compared": compared, "pairs": pairs, "reviews": reviews, **written}

    def _read_all(self, key: PseudonymKey) -> int:
        """`RECORDS` of all registers, and how all of them stood."""
        con, settings = self._con, self._settings
        self._note("opening registers")
        load_records(
            con, settings, self._catalog, self._linking,
            principal=local_operator(), key=key, now=self._now, tables=self._tables,
        )  # fmt: skip
        compared = shape_records(con, now=self._now, key=key)
        store.view(con, settings, store.LINKS, "linked")
        con.execute(f"CREATE OR REPLACE TABLE {PRIOR} AS SELECT * FROM linked")
        con.execute(f"CREATE OR REPLACE TABLE {RESTATED} AS SELECT * FROM linked LIMIT 0")
        return compared

    def _read_scope(self, key: PseudonymKey, last: dict[str, Any]) -> int:
        """`RECORDS` of what changed and of whom it may concern, and how these stood."""
        self._note("looking for whom the changes may concern")
        return make_scope(
            self._con, self._settings, self._catalog, self._linking,
            tables=self._tables, since=last["started_at"], principal=local_operator(), key=key, now=self._now,
        )  # fmt: skip

    def _persons(self, full: bool) -> int:
        """About how many persons there are: numbers nothing speaks against, the persons of before among them."""
        sure = _count(self._con, f"SELECT count(DISTINCT own_id) FROM {IDENTIFIED} WHERE is_hard")
        before = 0 if full else _count(self._con, f"SELECT count(*) FROM {PERSONS} WHERE is_identified")
        return max(sure, before, FEWEST)


def _take_threads(con: duckdb.DuckDBPyConnection, full: bool) -> None:
    """One thread for a day, which asks hundreds of small questions: two take a quarter more processor time to answer
    them, about as long by the clock, and the second is wanted by who builds meanwhile."""
    con.execute("RESET threads" if full else "SET threads = 1")


def _hold_to_size(linking: Linking, changes: Changes, last: dict[str, Any] | None, accepted: tuple[str, ...]) -> None:
    """Raise RegisterShrank when a register has lost too many of its records since the last run."""
    before = json.loads(last["registers"]) if last else {}
    for feed_id, rows in changes.rows.items():
        had = int(before.get(feed_id, 0))
        if had >= SMALL_REGISTER and rows < had * (1 - linking.max_drop_pct / 100) and feed_id not in accepted:
            raise RegisterShrank(
                f"{feed_id} had {had} records and has {rows} now",
                hint=f"correct the delivery, or run: lakehouse link run --accept-drop {feed_id}",
                feed=feed_id,
            )


def _decided_since(settings: Settings, last: dict[str, Any]) -> bool:
    return any(d["decided_at"] > last["started_at"] for d in store.read(settings, store.DECISIONS))


def _digest(catalog: Catalog) -> str:
    """Of everything that says how records are compared: a change of it makes the next run a full one."""
    here = Path(__file__).parent
    files = [
        catalog.root / LINKING_FILE,
        *(here / f"{n}.py" for n in ("records", "identity", "blocking", "frequencies", "scoring", "store", "index")),
    ]
    engine = version("duckdb").encode()  # its hashes stand in the tables
    return sha256(b"\0".join((engine, *(f.read_bytes() for f in files)))).hexdigest()[:16]


def _model_of(last: dict[str, Any]) -> Model:
    return {c: {n: (float(m), float(u)) for n, (m, u) in x.items()} for c, x in json.loads(last["model"]).items()}


def _unchanged(
    settings: Settings, last: dict[str, Any], changes: Changes, digest: str, now: datetime, started: float
) -> LinkResult:
    """The last run stands; how far the registers were looked at is noted, where they were delivered again."""
    result = LinkResult(
        run=last["run"], mode="unchanged", records=last["records"], compared=0, persons=last["persons"], pairs=0,
        merged=0, split=0, reviews=last["reviews"], seconds=round(time.monotonic() - started, 2),
    )  # fmt: skip
    if (changes.watermarks, changes.rows) != (json.loads(last["watermarks"]), json.loads(last["registers"])):
        _log(settings, result, json.loads(last["model"]), changes, digest, now)
    return result


def _log(settings: Settings, result: LinkResult, model: Model, changes: Changes, digest: str, now: datetime) -> None:
    row = {
        "run": result.run, "mode": result.mode, "started_at": now, "seconds": result.seconds,
        "records": result.records, "records_compared": result.compared, "persons": result.persons,
        "pairs": result.pairs, "reviews": result.reviews, "registers": json.dumps(changes.rows),
        "watermarks": json.dumps(changes.watermarks), "digest": digest, "model": json.dumps(model),
    }  # fmt: skip
    store.append(settings, store.RUNS, [row])


def _count(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = con.execute(sql).fetchone()
    return int(row[0]) if row else 0

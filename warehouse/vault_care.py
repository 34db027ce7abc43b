"""Care of the vault: what is in it, new keys, re-encryption, crypto-erase, and moving a lake of before into it."""

# ruff: noqa: S608 - names come from validated contracts and are quoted
from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from pydantic import BaseModel, ConfigDict

from catalog.errors import UnknownName
from catalog.model import Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from quality.cipher import TEXT_MARK
from quality.data_keys import MASTER, DataKeys, describe
from quality.keys import FileKeyProvider, KeyFault, provider_of
from quality.pseudonym import load_key, pseudonym_sql
from quality.sql import literal, quote
from warehouse import vault
from warehouse.access import local_operator
from warehouse.audit import AuditLog
from warehouse.delta import exists, recover_table, replace_table, rewrite, row_count, scan_sql, transaction_version
from warehouse.duck import connect
from warehouse.schema import SEALED, feed_columns, vault_schema
from warehouse.tables import table_lock

Change: TypeAlias = "Callable[[pa.Array], pa.Array]"


class VaultState(BaseModel):
    """One feed's vault.

    Attributes:
        rows: of the vault table.
        key_id: of the data key that seals new values; ``keys`` counts it and older ones still kept.
        age_days: of that key.
        state: ``ok``, ``empty`` (nothing sealed yet), ``erased``, ``clear`` (direct identifiers stand in the feed
            table: migrate), or ``fault`` (the key does not open; ``detail`` says why).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    feed: str
    columns: tuple[str, ...]
    rows: int
    state: str
    key_id: str
    algorithm: str
    keys: int
    created_at: datetime | None
    age_days: int | None
    master: str
    detail: str = ""


def status(settings: Settings, catalog: Catalog, *, now: datetime) -> list[VaultState]:
    """The vault of every feed that has direct identifiers, or raw values sealed in quarantine. Opens nothing."""
    keys = vault.data_keys(settings, now=now)
    return [
        _state(settings, catalog, feed, keys, now)
        for feed in catalog.feeds.values()
        if catalog.vaulted(feed) or catalog.grade(feed) >= vault.SEALED_GRADE
    ]


def _state(settings: Settings, catalog: Catalog, feed: Feed, keys: DataKeys, now: datetime) -> VaultState:
    path = settings.vault_path(feed.id)
    rows = row_count(path) if exists(path) else 0
    shown: dict[str, Any] = {"key_id": "", "algorithm": "", "created_at": None, "master": "", "keys": 0, "erased": 0}
    state, detail = "empty", ""
    try:
        line = keys.line(feed.id)
        if line is None and rows:
            raise KeyFault("the data key is missing", hint="restore it from its backup")
        if line is not None:
            shown = describe(line)
            state = "ok" if line.keys else "erased"
            for kept in line.keys:
                keys.find(feed.id, kept.id)
    except KeyFault as e:
        state, detail = "fault", e.message
    if found := vault.clear_columns(settings, catalog, feed):
        state, detail = "clear", f"in clear: {', '.join(found)}; run: lakehouse vault migrate"
    created = shown["created_at"]
    return VaultState(
        feed=feed.id,
        columns=tuple(f.name for f in catalog.vaulted(feed)),
        rows=rows,
        age_days=(now - created).days if isinstance(created, datetime) else None,
        state=state,
        detail=detail,
        **{k: v for k, v in shown.items() if k != "erased"},
    )


# --- rotation ---------------------------------------------------------------------------------------------------


def rotate(
    settings: Settings,
    catalog: Catalog,
    feed_id: str | None = None,
    *,
    now: datetime,
    master: bool = False,
    reencrypt: bool = False,
) -> list[VaultState]:
    """New data keys for new values, of one feed or of all that have one; old values stay readable under old keys.

    Args:
        master: make a new master key first and wrap every data key of the house under it.
        reencrypt: seal old values anew too, destroy the old data keys, and vacuum the old files.

    Raises:
        UnknownName: the feed has no data key. KeyFault: a key is missing; nothing is changed then.
    """
    keys = vault.data_keys(settings, now=now)
    held = [r for r in keys.resources() if (line := keys.line(r)) and line.keys]
    if feed_id is not None and feed_id not in held:
        raise UnknownName(f"{feed_id} has no data key", hint=f"these have one: {', '.join(held) or 'none'}")
    if master:
        _rotate_master(settings, keys, held)
    if feed_id is not None or not master or reencrypt:
        for resource in [feed_id] if feed_id else held:
            with table_lock(settings, resource):
                keys.rotate(resource, algorithm=settings.vault_cipher, now=now)
                if reencrypt:
                    _reencrypt(settings, resource, keys, now)
    wanted = {feed_id} if feed_id and not master else set(held)
    return [s for s in status(settings, catalog, now=now) if s.feed in wanted]


def _rotate_master(settings: Settings, keys: DataKeys, held: list[str]) -> None:
    provider = provider_of(settings.key_provider, settings.keys)
    for resource in held:  # prove that all can be opened before a new master is made
        line = keys.line(resource)
        for kept in line.keys if line else ():
            keys.find(resource, kept.id)
    if isinstance(provider, FileKeyProvider):
        provider.rotate(MASTER)
    for resource in held:  # elsewhere the keeper of the master makes its new version; here data keys are wrapped anew
        with table_lock(settings, resource):
            keys.rewrap(resource)


def _reencrypt(settings: Settings, feed_id: str, keys: DataKeys, now: datetime) -> None:
    """Seal everything of a feed under its newest key; the older keys die only after the last commit."""
    rows = 0
    path = settings.vault_path(feed_id)
    if exists(path):
        unseal, seal = vault.opener(settings, feed_id), vault.sealer(settings, feed_id, now=now)
        rows = row_count(path)
        with connect() as con:
            change = lambda c: pa.array(seal.seal(unseal.open(c.to_pylist())), pa.binary())  # noqa: E731
            sealed = _changed(con, path, SEALED, change)
            rewrite(path, sealed, style=vault.file_style(sealed.schema))
    _reseal_quarantine(settings, feed_id, now)
    newest = keys.current(feed_id, algorithm=settings.vault_cipher, now=now, create=False)
    keys.retire(feed_id, now=now)
    _note(settings, "vault.reencrypted", {"feed": feed_id, "key_id": newest.id, "rows": rows}, now)


def _reseal_quarantine(settings: Settings, feed_id: str, now: datetime) -> None:
    path = settings.quarantine_path(feed_id)
    if exists(path):
        with connect() as con:
            rewrite(path, _changed(con, path, "raw", _resealing(settings, feed_id, now)))


def _resealing(settings: Settings, feed_id: str, now: datetime) -> Change:
    unseal = vault.opener(settings, feed_id, quarantine=True)
    seal = vault.sealer(settings, feed_id, now=now, quarantine=True)
    return lambda column: pa.array(seal.seal_text(unseal.open_text(column.to_pylist())), pa.string())


def _changed(con: duckdb.DuckDBPyConnection, path: str, column: str, change: Change) -> pa.RecordBatchReader:
    """Every row of a table with one column changed, streamed."""
    schema = pa.schema(DeltaTable(path).schema().to_arrow())
    place = schema.names.index(column)
    con.execute("SET TimeZone = 'UTC'")
    names = ", ".join(map(quote, schema.names))
    source = con.execute(f"SELECT {names} FROM {scan_sql(con, path)}").to_arrow_reader(vault.BATCH_ROWS)

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in source:
            columns = list(batch.columns)
            columns[place] = change(columns[place])
            casts = [c.cast(f.type) for c, f in zip(columns, schema, strict=True)]
            yield pa.RecordBatch.from_arrays(casts, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


# --- erasing ----------------------------------------------------------------------------------------------------


def erase(settings: Settings, catalog: Catalog, feed_id: str, *, now: datetime) -> VaultState:
    """Destroy every data key of a feed: its vault, and the raw values in its quarantine, can never be read again.

    The rows stay, unreadable, and say so; rows of the feed table stay as they are. New deliveries get a new key.

    Raises:
        UnknownName: the feed has no data key.
    """
    keys = vault.data_keys(settings, now=now)
    with table_lock(settings, feed_id):
        line = keys.line(feed_id)
        if line is None or not line.keys:
            raise UnknownName(f"{feed_id} has no data key", hint="`lakehouse vault status` shows which feeds have one")
        path, quarantine = settings.vault_path(feed_id), settings.quarantine_path(feed_id)
        rows = row_count(path) if exists(path) else 0
        gone = keys.erase(feed_id, now=now)
        if exists(quarantine):  # what can never be replayed is no raw value any more
            DeltaTable(quarantine).update(predicate=f"raw LIKE {literal(TEXT_MARK + '%')}", updates={"raw": "NULL"})
    _note(settings, "vault.erased", {"feed": feed_id, "rows": rows, "keys": gone}, now)
    return _state(settings, catalog, catalog.feed(feed_id), keys, now)


# --- lakes of before the vault ----------------------------------------------------------------------------------


def migrate(settings: Settings, catalog: Catalog, *, now: datetime) -> list[VaultState]:
    """Move direct identifiers that stand in feed tables in clear into the vault, and seal quarantined raw values.

    The tables are written anew without their history: older versions, and the statistics of their log, hold clear
    values. Killed anywhere, it is run again. Returns the feeds that were moved.

    Raises:
        VaultFault: the lake is in an object store; there old versions cannot be removed at once: load it anew.
    """
    moved = []
    for feed in catalog.feeds.values():
        with table_lock(settings, feed.id):
            recover_table(settings.feed_path(feed.id))
            found = vault.clear_columns(settings, catalog, feed)
            if found:
                _move(settings, catalog, feed, found, now)
                moved.append(feed.id)
            if catalog.grade(feed) >= vault.SEALED_GRADE:
                _seal_quarantine(settings, feed.id, now)
    return [s for s in status(settings, catalog, now=now) if s.feed in moved]


def _move(settings: Settings, catalog: Catalog, feed: Feed, found: list[str], now: datetime) -> None:
    """The vault first, then history and feed table without their direct identifiers."""
    path, sealed_path, schema = settings.feed_path(feed.id), settings.vault_path(feed.id), vault_schema(catalog, feed)
    _local(path)
    seal = vault.sealer(settings, feed.id, now=now)
    applied = _applied(path, feed.id)
    with connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        load_key(settings.keys, create=not exists(sealed_path)).register(con)
        _gather(con, settings, catalog, feed, found)
        rows = con.execute(vault.vault_select(catalog, feed, "whole")).to_arrow_reader(vault.BATCH_ROWS)
        sealed = vault.sealed_rows(rows, schema, seal)
        replace_table(sealed_path, sealed, style=vault.file_style(schema), applied=applied)
        for table_path in (settings.history_path(feed.id), path):
            if exists(table_path):
                _without(con, table_path, catalog, feed, found, applied)
    detail = {"feed": feed.id, "columns": found, "rows": row_count(path)}
    _note(settings, "vault.migrated", detail, now)


def _gather(con: duckdb.DuckDBPyConnection, settings: Settings, catalog: Catalog, feed: Feed, found: list[str]) -> None:
    """Table ``whole``: the feed's rows with every direct identifier, those of before from the vault, and pseudonyms."""
    absent = [f.name for f in catalog.vaulted(feed) if f.name not in found]
    path, sealed_path = settings.feed_path(feed.id), settings.vault_path(feed.id)
    texts = {n: pa.string() for n in ("_receipt", *absent)}
    held = pa.schema([("_row_number", pa.int64()), *texts.items()])
    con.register("none_held", held.empty_table())
    con.execute("CREATE TABLE held AS SELECT * FROM none_held")
    if absent and exists(sealed_path):
        unseal = vault.opener(settings, feed.id)
        sql = f"SELECT _receipt, _row_number, {quote(SEALED)} AS sealed FROM {scan_sql(con, sealed_path)}"
        for batch in con.cursor().execute(sql).to_arrow_reader(vault.BATCH_ROWS):
            opened = [json.loads(t) if t else {} for t in unseal.open(batch.column("sealed").to_pylist())]
            columns = {n: pa.array([o.get(n) for o in opened], pa.string()) for n in absent}
            columns |= {n: batch.column(n) for n in ("_receipt", "_row_number")}
            con.register("opened", pa.table([columns[n] for n in held.names], schema=held))
            con.execute("INSERT INTO held SELECT * FROM opened")
    there = {f.name for f in DeltaTable(path).schema().fields}
    made = _pseudonyms(catalog, feed, found, there)
    old = "".join(f", h.{quote(n)}" for n in absent)
    con.execute(
        f"CREATE TABLE whole AS SELECT f.*{made}{old} FROM {scan_sql(con, path)} AS f"
        " LEFT JOIN held AS h USING (_receipt, _row_number)"
    )


def _pseudonyms(catalog: Catalog, feed: Feed, found: list[str], there: set[str]) -> str:
    """Expressions of the pseudonyms a table lacks, of the clear values it has."""
    keyed = {f.name: f.element.pseudonym for f in catalog.vaulted(feed)}
    return "".join(
        f", {pseudonym_sql(quote(n), p)} AS {quote(p)}"
        for n in found
        if (p := keyed[n]) and p not in there and n in there
    )


def _without(
    con: duckdb.DuckDBPyConnection, path: str, catalog: Catalog, feed: Feed, found: list[str], applied: dict[str, int]
) -> None:
    """Write a table anew with pseudonyms in place of its direct identifiers."""
    table = DeltaTable(path)
    there = [f.name for f in table.schema().fields]
    names = ", ".join(quote(n) for n in there if n not in found)
    # made in full before it is written: a stream of our function must not be left half read
    con.execute(
        f"CREATE OR REPLACE TABLE cleared AS SELECT {names}{_pseudonyms(catalog, feed, found, set(there))}"
        f" FROM {scan_sql(con, path)}"
    )
    order = [c.name for c in feed_columns(catalog, feed) if c.name not in found]
    known = [n for n, *_ in con.execute("DESCRIBE cleared").fetchall()]
    columns = ", ".join(quote(n) for n in [*(n for n in order if n in known), *(n for n in known if n not in order)])
    rows = con.execute(f"SELECT {columns} FROM cleared").to_arrow_reader(vault.BATCH_ROWS)
    replace_table(path, rows, partition_by=table.metadata().partition_columns, applied=applied)


def _applied(path: str, feed_id: str) -> dict[str, int]:
    """What loads and replays have committed, so that the new table refuses it too."""
    names = (f"ingest/{feed_id}", f"ingest/{feed_id}/again", f"replay/{feed_id}")
    found = {name: transaction_version(path, name) for name in names}
    return {name: version for name, version in found.items() if version is not None}


def _seal_quarantine(settings: Settings, feed_id: str, now: datetime) -> None:
    path = settings.quarantine_path(feed_id)
    if not exists(path):
        return
    with connect() as con:
        clear = f"raw IS NOT NULL AND NOT starts_with(raw, {literal(TEXT_MARK)})"
        if con.execute(f"SELECT 1 FROM {scan_sql(con, path)} WHERE {clear} LIMIT 1").fetchone() is None:
            return
        _local(path)
        again = _resealing(settings, feed_id, now)
        replace_table(path, _changed(con, path, "raw", again), applied=_applied(path, feed_id))


def _local(path: str) -> None:
    if "://" in path:
        raise vault.VaultFault(
            "tables in an object store cannot be moved into the vault: old versions would keep clear values",
            hint="load the landed deliveries into an empty lake: lakehouse ingest FEED --file <landing>/FEED/…",
            table=path.rsplit("/", 1)[-1],
        )


def _note(settings: Settings, event: str, detail: dict[str, object], now: datetime) -> None:
    AuditLog(settings, actor=local_operator().id).append(event, detail, at=now)

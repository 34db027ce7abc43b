"""The vault: the direct identifiers of every row, sealed, beside a feed table that carries pseudonyms only.

``<lake>/vault/vault/<feed>`` has one row a row of the feed table: its key as it stands there, and one sealed value
that holds all direct identifiers of the row as JSON. No query, model or product reads it; this module alone opens it,
for a named principal and purpose, and every opening is an event of the audit log.
"""

# ruff: noqa: S608 - names come from validated contracts and are quoted, values are parameters
from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from catalog.errors import LakehouseError, UnknownName
from catalog.model import Feed, ResolvedField
from catalog.registry import Catalog
from catalog.settings import Settings
from quality.cipher import TEXT_MARK, Opener, Sealer
from quality.data_keys import DataKeys
from quality.keys import provider_of
from quality.sql import literal, quote
from warehouse.access import Principal, decide, event_of, local_operator, record
from warehouse.schema import SEALED, arrow_type, vault_schema

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from warehouse.delta import FileStyle

FOLDER = "vault"
"""Data keys stand in ``<home>/keys/vault/<feed>.json``."""
PLAIN = "plain"
"""Name of the column that `plain_sql` gives, before it is sealed."""
SEALED_GRADE = 3
"""Raw values of feeds of this grade or above are sealed in quarantine."""
BATCH_ROWS = 20_000


class VaultFault(LakehouseError):
    """The vault cannot do what is asked: a lake of before, a column it does not hold, a purpose that is missing."""

    code = "LH312"


# --- keys -------------------------------------------------------------------------------------------------------


def data_keys(settings: Settings, *, now: datetime | None = None) -> DataKeys:
    """The data keys of this lakehouse; every change of them is an event of the audit log.

    Args:
        now: time of the events, default the clock.
    """

    def note(what: str, resource: str, key_id: str) -> None:
        from warehouse.audit import AuditLog

        log = AuditLog(settings, actor=local_operator().id)
        log.append(f"key.{what}", {"key": f"vault/{resource}", "key_id": key_id}, at=now or datetime.now(UTC))

    return DataKeys(settings.keys / FOLDER, provider_of(settings.key_provider, settings.keys), on_change=note)


def sealer(settings: Settings, feed_id: str, *, now: datetime, quarantine: bool = False) -> Sealer:
    """Seals values of a feed for its vault, or for its quarantine; makes the data key on first use.

    Call it under the feed's lock.

    Raises:
        KeyFault: the key is missing while sealed values exist, or its master key is.
    """
    keys = data_keys(settings, now=now)
    create = keys.line(feed_id) is not None or not _holds_sealed(settings, feed_id)
    key = keys.current(feed_id, algorithm=settings.vault_cipher, now=now, create=create)
    return Sealer(key, context(feed_id, quarantine=quarantine))


def opener(settings: Settings, feed_id: str, *, quarantine: bool = False) -> Opener:
    """Opens what `sealer` sealed, under whichever of the feed's data keys."""
    keys = data_keys(settings)
    return Opener(lambda key_id: keys.find(feed_id, key_id), context(feed_id, quarantine=quarantine))


def context(feed_id: str, *, quarantine: bool = False) -> str:
    """What a sealed value is bound to: it opens nowhere else."""
    return f"{feed_id}/quarantine" if quarantine else feed_id


def _holds_sealed(settings: Settings, feed_id: str) -> bool:
    from warehouse.delta import exists, row_count, scan_sql
    from warehouse.duck import connect

    vault, quarantine = settings.vault_path(feed_id), settings.quarantine_path(feed_id)
    if exists(vault) and row_count(vault):
        return True
    if not exists(quarantine):
        return False
    with connect() as con:
        sql = f"SELECT 1 FROM {scan_sql(con, quarantine)} WHERE starts_with(raw, {literal(TEXT_MARK)}) LIMIT 1"
        return con.execute(sql).fetchone() is not None


# --- writing ----------------------------------------------------------------------------------------------------


def plain_sql(fields: Sequence[ResolvedField]) -> str:
    """DuckDB expression of the JSON text that is sealed: every direct identifier as text; NULL when none is given."""
    texts = ", ".join(f"{literal(f.name)}: CAST({quote(f.name)} AS VARCHAR)" for f in fields)
    empty = " AND ".join(f"{quote(f.name)} IS NULL" for f in fields)
    return f"CASE WHEN {empty} THEN NULL ELSE CAST(to_json({{{texts}}}) AS VARCHAR) END AS {quote(PLAIN)}"


def vault_select(catalog: Catalog, feed: Feed, source: str) -> str:
    """SELECT from ``source`` (a feed's typed rows with pseudonyms and system columns) for `sealed_rows`."""
    names = [quote(n) if n != SEALED else plain_sql(catalog.vaulted(feed)) for n in vault_schema(catalog, feed).names]
    return f"SELECT {', '.join(names)} FROM {source}"


def sealed_rows(rows: pa.RecordBatchReader, schema: pa.Schema, seal: Sealer) -> pa.RecordBatchReader:
    """The rows of `vault_select` as the vault keeps them, batch by batch."""
    import pyarrow as pa

    place = schema.names.index(SEALED)

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in rows:
            columns = list(batch.columns)
            plain = columns[place].cast(pa.binary()).to_pylist()
            columns[place] = pa.array(seal.seal(plain), pa.binary())
            columns = [c.cast(f.type) for c, f in zip(columns, schema, strict=True)]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def file_style(schema: pa.Schema) -> FileStyle:
    """How vault files are written: ciphertext and pseudonyms neither compress nor repeat."""
    from warehouse.delta import FileStyle

    distinct = tuple(n for n in schema.names if not n.startswith("_") and n != SEALED)
    return FileStyle(compressed=False, distinct=distinct, opaque=(SEALED,))


def merge_key(catalog: Catalog, feed: Feed) -> tuple[str, ...]:
    """The columns that tell the rows of a vault table apart."""
    return catalog.table_key(feed) or ("_receipt", "_row_number")


# --- reading ----------------------------------------------------------------------------------------------------


def open_rows(
    settings: Settings,
    catalog: Catalog,
    feed_id: str,
    columns: Sequence[str],
    *,
    principal: Principal,
    purpose: str,
    now: datetime | None = None,
    keys: pa.Table | None = None,
    beside: Sequence[str] | None = None,
    con: duckdb.DuckDBPyConnection | None = None,
) -> pa.RecordBatchReader:
    """A feed's direct identifiers in clear, streamed: for linking persons inside the house, never for handing out.

    Args:
        columns: direct identifiers to open, names of the contract's fields.
        principal: who reads; the access decision and its purpose are kept before the first row is opened.
        keys: the rows to open, by columns that the vault has too and that tell its rows apart (the table's key, or
            ``_receipt`` and ``_row_number``); None opens all.
        beside: the vault's other columns that are wanted; None gives all.
        con: a cursor of the caller's to read by, closed at the end; None opens a connection.

    Returns:
        The vault's other columns (key, pseudonyms, ``_receipt``, ``_row_number``, ``_loaded_at``), then ``columns`` in
        the types of the contract. One row a row of the feed table. A value that does not open raises KeyFault out of
        the stream (KeyErased where its key was destroyed).

    Raises:
        AccessDenied: the principal may not. UnknownName: the vault holds no such column.
        VaultFault: no purpose, or the feed table is of before the vault.
    """
    import pyarrow as pa

    from warehouse.audit import AuditLog
    from warehouse.delta import ensure_table, row_count
    from warehouse.duck import connect

    at = now or datetime.now(UTC)
    feed = catalog.feed(feed_id)
    fields = _wanted(catalog, feed, columns)
    needs_purpose(purpose)
    require_migrated(settings, catalog, feed)
    decision = decide(principal, [f"vault.{feed_id}"], purpose, now=at, linking=True)
    if not decision.allowed:
        record(settings, decision, columns=list(columns))
        decision.require()
    path, schema = settings.vault_path(feed_id), vault_schema(catalog, feed)
    ensure_table(path, schema)
    rows = row_count(path) if keys is None else keys.num_rows
    detail = {"feed": feed_id, "purpose": purpose, "columns": list(columns), "rows": rows}
    events = [event_of(decision, columns=list(columns)), ("vault.opened", detail)]
    AuditLog(settings, actor=principal.id).append_all(events, at=at)
    kept = [n for n in schema.names if n != SEALED and (beside is None or n in beside)]
    opened = (pa.field(f.name, arrow_type(f.type, f.precision, f.scale)) for f in fields)
    made = pa.schema([*(schema.field(n) for n in kept), *opened])
    con = con or connect()
    sql = _sealed_sql(con, path, kept, keys)
    return pa.RecordBatchReader.from_batches(made, _opened(con, sql, made, fields, opener(settings, feed_id)))


def _sealed_sql(con: duckdb.DuckDBPyConnection, path: str, kept: Sequence[str], keys: pa.Table | None) -> str:
    """A SELECT, for ``con``, of ``kept`` and what is sealed, of the rows of ``keys`` or of all."""
    from warehouse.delta import scan_sql

    con.execute("SET TimeZone = 'UTC'")
    sql = f"SELECT {', '.join(map(quote, [*kept, SEALED]))} FROM {scan_sql(con, path)}"
    if keys is not None:
        con.register("wanted_keys", keys)
        sql += f" SEMI JOIN wanted_keys USING ({', '.join(map(quote, keys.column_names))})"
    return sql


def _opened(
    con: duckdb.DuckDBPyConnection, sql: str, schema: pa.Schema, fields: Sequence[ResolvedField], unseal: Opener
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    with con:
        for batch in con.execute(sql).to_arrow_reader(BATCH_ROWS):
            *kept, sealed = batch.columns
            opened = _values(unseal.open(sealed.to_pylist()), [f.name for f in fields])
            columns = [c.cast(field.type) for c, field in zip([*kept, *opened], schema, strict=True)]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _values(texts: Sequence[bytes | None], names: Sequence[str]) -> list[pa.Array]:
    """The values of these names in the JSON that was sealed, as texts."""
    import pyarrow as pa
    from pyarrow import json as arrow_json

    if not texts:
        return [pa.array([], pa.string()) for _ in names]
    said = b"\n".join(b"{}" if t is None else t for t in texts)
    table = arrow_json.read_json(
        pa.BufferReader(said),
        # a block of all: an object may be longer than the blocks it takes otherwise
        read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(said) + 1),
        parse_options=arrow_json.ParseOptions(
            explicit_schema=pa.schema([(n, pa.string()) for n in names]), unexpected_field_behavior="ignore"
        ),
    )
    if table.num_rows != len(texts):
        raise VaultFault(
            "what was sealed is not one JSON object a row", hint="restore the vault's table from its backup"
        )
    return [table.column(n).combine_chunks() for n in names]


def find_rows(
    settings: Settings, catalog: Catalog, feed: Feed, where: Mapping[str, str], *, limit: int
) -> list[dict[str, Any]]:
    """The rows of a vault whose key columns have these values, opened; at most ``limit``.

    Decides and records nothing: callers do. See `warehouse.vault_reveal`.
    """
    from warehouse.delta import exists, scan_sql
    from warehouse.duck import connect

    path = settings.vault_path(feed.id)
    if not exists(path):
        return []
    with connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        same = " AND ".join(f"CAST({quote(c)} AS VARCHAR) = ?" for c in where)
        sql = f"SELECT * FROM {scan_sql(con, path)} WHERE {same} ORDER BY _receipt, _row_number LIMIT {int(limit)}"
        rows = con.execute(sql, list(where.values())).to_arrow_table().to_pylist()
    texts = opener(settings, feed.id).open([row.pop(SEALED) for row in rows])
    names = [f.name for f in catalog.vaulted(feed)]
    for row, text in zip(rows, texts, strict=True):
        values = {} if text is None else json.loads(text)
        row.update({n: values.get(n) for n in names})
    return rows


def needs_purpose(purpose: str) -> None:
    """Refuse to open anything for nothing.

    Raises:
        VaultFault: the purpose is empty or says nothing.
    """
    if len(purpose.strip()) < 4:
        raise VaultFault("the vault opens for a stated purpose only", hint="say what for, in at least four characters")


def _wanted(catalog: Catalog, feed: Feed, columns: Sequence[str]) -> list[ResolvedField]:
    held = {f.name: f for f in catalog.vaulted(feed)}
    for name in columns:
        if name not in held:
            there = f"it holds {', '.join(held)}" if held else f"{feed.id} has no direct identifiers"
            raise UnknownName(f"the vault of {feed.id} holds no {name!r}", hint=there, feed=feed.id)
    return [held[n] for n in columns]


# --- lakes of before the vault ----------------------------------------------------------------------------------


def clear_columns(settings: Settings, catalog: Catalog, feed: Feed | str) -> list[str]:
    """Direct identifiers that stand in a feed table in clear, as lakes of before the vault have them."""
    from deltalake import DeltaTable

    from warehouse.delta import exists

    feed = catalog.feed(feed) if isinstance(feed, str) else feed
    held = [f.name for f in catalog.vaulted(feed)]
    path = settings.feed_path(feed.id)
    if not held or not exists(path):
        return []
    there = {f.name for f in DeltaTable(path).schema().fields}
    return [n for n in held if n in there]


def require_migrated(settings: Settings, catalog: Catalog, feed: Feed) -> None:
    """Stop before a table of before the vault is mixed with one of after.

    Raises:
        VaultFault: the feed table holds direct identifiers in clear.
    """
    if found := clear_columns(settings, catalog, feed):
        raise VaultFault(
            f"feed.{feed.id} holds direct identifiers in clear: {', '.join(found)}",
            hint="it was loaded before there was a vault; run: lakehouse vault migrate",
            feed=feed.id,
        )

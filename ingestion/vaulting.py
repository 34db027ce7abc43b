"""The vault's side of a load: direct identifiers sealed and committed just before the feed's rows, or taken back."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
from deltalake import DeltaTable

from catalog.model import Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion import early_write
from ingestion.early_write import Commit, EarlyWrite
from ingestion.landing import Receipt
from ingestion.stage import Staged
from quality.cipher import Sealer
from quality.sql import literal
from warehouse import vault
from warehouse.delta import Mode, commit_once, ensure_table, transaction_version
from warehouse.schema import vault_schema

RESTORABLE_HOURS = 6 * 24
"""Files an older version refers to are kept for seven days (`warehouse.maintenance`)."""


def commit_vault(
    settings: Settings,
    catalog: Catalog,
    feed: Feed,
    receipt: Receipt,
    staged: Staged,
    at: datetime,
    *,
    app: str,
    replacing: int,
) -> EarlyWrite:
    """The commit of the accepted rows' direct identifiers, to be finished after the gate and before the feed's own."""
    path, schema = settings.vault_path(feed.id), vault_schema(catalog, feed)
    wanted = catalog.vaulted(feed) and staged.rows_accepted
    seal: Sealer | None = None
    if wanted:
        ensure_table(path, schema)
        seal = vault.sealer(settings, feed.id, now=at)  # here, where no thread makes the resource's first key beside it

    def prepare() -> Commit | None:
        if seal is None:
            return None
        done = transaction_version(path, app)
        again = done is not None and done >= receipt.sequence  # what `withdraw_vault` took back is committed once more
        mode: Mode = "overwrite" if feed.load.mode == "snapshot" else "append"
        return Commit(
            _rows(catalog, feed, staged, schema, seal),
            mode="merge" if feed.load.mode == "upsert" and (replacing or again) else mode,
            app_id=f"{app}/again" if again else app,
            version=int(at.timestamp() * 1_000_000) if again else receipt.sequence,
            style=vault.file_style(schema),
            metadata={"receipt": receipt.id},
            more={"merge_key": vault.merge_key(catalog, feed)},
        )

    return EarlyWrite(path, prepare, early=bool(wanted) and staged.rows_accepted >= early_write.EARLY_ROWS)


def replay_vault(settings: Settings, catalog: Catalog, feed: Feed, staged: Staged, at: datetime, *, app: str) -> None:
    """Commit the direct identifiers of replayed rows; done twice it leaves the same rows."""
    if not catalog.vaulted(feed) or not staged.rows_accepted:
        return
    path, schema = settings.vault_path(feed.id), vault_schema(catalog, feed)
    ensure_table(path, schema)
    seal = vault.sealer(settings, feed.id, now=at)
    commit_once(
        path,
        _rows(catalog, feed, staged, schema, seal),
        mode="merge",
        app_id=app,
        version=(transaction_version(path, app) or 0) + 1,
        merge_key=vault.merge_key(catalog, feed),
        style=vault.file_style(schema),
    )


def withdraw_vault(settings: Settings, feed: Feed, receipt: Receipt, *, app: str, now: datetime) -> None:
    """Take back what an attempt killed between the vault's commit and the feed's left in the vault."""
    path = settings.vault_path(feed.id)
    done = transaction_version(path, app)
    if done is None or done < receipt.sequence:
        return
    table = DeltaTable(path)
    if feed.load.mode == "append":
        table.delete(f"_receipt = {literal(receipt.id)}")
        return
    newest = table.history(1)[0]
    age_hours = (now - datetime.fromtimestamp(newest["timestamp"] / 1000, UTC)).total_seconds() / 3600
    if newest.get("receipt") == receipt.id and age_hours < RESTORABLE_HOURS:
        table.restore(table.version() - 1)


def _rows(catalog: Catalog, feed: Feed, staged: Staged, schema: pa.Schema, seal: Sealer) -> pa.RecordBatchReader:
    rows = staged.con.cursor().execute(vault.vault_select(catalog, feed, "accepted"))
    return vault.sealed_rows(rows.to_arrow_reader(vault.BATCH_ROWS), schema, seal)

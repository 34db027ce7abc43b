"""What is past its retention: bytes in landing, rows in quarantine, old versions of both tables.

A receipt stays when its bytes go, so that the same delivery is still recognised. Every run leaves a list of the files
that went, and an event a feed in the audit log.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from catalog.model import Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion import landing
from warehouse.erase_tables import purge
from warehouse.tables import TableRef, list_tables, table_lock

HISTORY_HOURS = 7 * 24
"""Old versions younger than this may be read by a long query; retentions are longer."""


@dataclass(frozen=True)
class Expired:
    """What is past its retention in one feed.

    Attributes:
        keep_days: of the contract, or of its grade. cutoff: what is older goes.
        landing: receipts whose bytes go; quarantine_rows: rejected rows that go; files: data files removed by vacuum.
    """

    feed: str
    keep_days: int
    basis: str
    cutoff: datetime
    landing: tuple[str, ...]
    quarantine_rows: int
    files: tuple[str, ...] = ()


def expire(settings: Settings, catalog: Catalog, *, now: datetime, dry_run: bool = False) -> list[Expired]:
    """Destroy what is past its retention, feed by feed; with ``dry_run`` only say it.

    Raises:
        Busy: a feed is being loaded.
    """
    tables = {(t.schema, t.name): t for t in list_tables(settings)}
    done = []
    for feed in catalog.feeds.values():
        with table_lock(settings, feed.id):
            found = _expire(settings, catalog, feed, tables, now, dry_run=dry_run)
        if found.landing or found.quarantine_rows or found.files:
            done.append(found)
    if done and not dry_run:
        _report(settings, done, now)
    return done


def _expire(
    settings: Settings,
    catalog: Catalog,
    feed: Feed,
    tables: dict[tuple[str, str], TableRef],
    now: datetime,
    *,
    dry_run: bool,
) -> Expired:
    days, basis = catalog.retention(feed)
    cutoff = now.astimezone(UTC) - timedelta(days=days)
    receipts = [
        r
        for r in landing.receipts_of(settings, feed.id)
        if r.landed_at < cutoff and landing.is_loaded(settings, r) and not r.duplicate_of and not r.expired_at
    ]
    if not dry_run:
        for receipt in receipts:
            landing.landed_file(settings, receipt).unlink(missing_ok=True)
            noted = receipt.model_copy(update={"expired_at": now})
            path = landing.folder_of(settings, receipt) / landing.RECEIPT
            landing.write_durably(path, noted.model_dump_json(indent=1).encode())
    rows, files = 0, list[str]()
    if ref := tables.get(("quarantine", feed.id)):
        rows = _old_rows(ref, cutoff, dry_run=dry_run)
    if ref := tables.get(("feed", feed.id)):
        files = _old_files(ref, days, dry_run=dry_run)
    if ref := tables.get(("history", feed.id)):
        _old_versions(ref, cutoff, dry_run=dry_run)
    return Expired(feed.id, days, basis, cutoff, tuple(r.id for r in receipts), rows, tuple(files))


def _old_rows(ref: TableRef, cutoff: datetime, *, dry_run: bool) -> int:
    """Rejected rows from before the cutoff, removed with every version that held them."""
    from deltalake import DeltaTable

    from warehouse import duck
    from warehouse.delta import scan_sql

    con = duck.connect()
    try:
        count = f"SELECT count(*) FROM {scan_sql(con, ref.path)} WHERE quarantined_at < $1"  # noqa: S608
        row = con.execute(count, [cutoff]).fetchone()
    finally:
        con.close()
    rows = int(row[0]) if row else 0
    if rows and not dry_run:
        DeltaTable(ref.path).delete(f"quarantined_at < arrow_cast('{cutoff:%Y-%m-%dT%H:%M:%S.%f}Z', "
                                    "'Timestamp(Microsecond, Some(\"UTC\"))')")  # fmt: skip
        purge(ref)
    return rows


def _old_versions(ref: TableRef, cutoff: datetime, *, dry_run: bool) -> None:
    """Versions of rows that ended before the cutoff, removed with the files that held them."""
    from deltalake import DeltaTable

    if not dry_run:
        DeltaTable(ref.path).delete(f"valid_to < arrow_cast('{cutoff:%Y-%m-%dT%H:%M:%S.%f}Z', "
                                    "'Timestamp(Microsecond, Some(\"UTC\"))')")  # fmt: skip
        purge(ref)


def _old_files(ref: TableRef, days: int, *, dry_run: bool) -> list[str]:
    """Data files that only versions older than the retention refer to."""
    from deltalake import DeltaTable

    hours = max(days * 24, HISTORY_HOURS)
    return list(DeltaTable(ref.path).vacuum(retention_hours=hours, dry_run=dry_run))


def _report(settings: Settings, done: list[Expired], now: datetime) -> Path:
    from warehouse.audit import AuditLog

    file = settings.home / "reports" / "destroy" / f"expired-{now:%Y%m%dT%H%M%SZ}.json"
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    listed = [asdict(e) for e in done]
    landing.write_durably(file, json.dumps(listed, ensure_ascii=False, indent=1, default=str).encode())
    details = [
        {
            "feed": e.feed,
            "keep_days": e.keep_days,
            "landing_files": len(e.landing),
            "quarantine_rows": e.quarantine_rows,
            "table_files": len(e.files),
        }
        for e in done
    ]
    AuditLog(settings, actor="retention").append_all([("retention.applied", d) for d in details], at=now)
    return file

"""Which department's data is late: what arrived when, against each contract's SLA."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from catalog.model import Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from warehouse import duck
from warehouse.delta import exists, row_count, scan_sql

if TYPE_CHECKING:
    import duckdb

BEIJING = ZoneInfo("Asia/Shanghai")
ARRIVED = ("passed", "warned")
"""Verdicts of a delivery whose rows are visible; a duplicate or empty file is no new delivery."""

State = Literal["ok", "late", "never", "stopped"]


class FeedStatus(BaseModel):
    """One feed against its SLA.

    Attributes:
        last_arrival: when the newest delivery that became visible was landed (UTC).
        age_hours: hours since then.
        rows: rows of the feed table now.
        last_verdict: of the newest delivery, visible or not.
        quarantined_open: rejected records that nobody has closed or replayed.
        state: ``stopped``: the newest delivery was stopped by its gate; ``never``: nothing visible has arrived;
            ``late``: older than ``max_age_hours``, or missing at ``arrive_by``.
        reason: why it is not ok, in Chinese.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    feed: str
    title: str
    provider: str
    state: State
    last_arrival: datetime | None = None
    age_hours: float | None = None
    max_age_hours: float
    arrive_by: str | None = None
    rows: int = 0
    last_verdict: str = ""
    quarantined_open: int = 0
    reason: str = ""


class _Load(BaseModel):
    """The newest delivery of a feed, and the newest visible one."""

    verdict: str
    landed_at: datetime | None


def status(settings: Settings, catalog: Catalog, now: datetime) -> list[FeedStatus]:
    """Every feed of the catalog against its SLA, in the catalog's order; a lake without loads has only ``never``.

    Args:
        now: time to judge by (aware).
    """
    from warehouse.tables import readable_tables

    paths = {t.sql_name: t.path for t in readable_tables(settings)}
    con = duck.connect()
    try:
        con.execute("SET TimeZone = 'UTC'")
        loads = _loads(con, paths.get("platform.loads"))
        return [
            _judge(
                feed,
                catalog,
                loads.get(feed.id),
                now,
                rows=row_count(path) if (path := paths.get(f"feed.{feed.id}")) else 0,
                quarantined=_open(con, paths.get(f"quarantine.{feed.id}")),
            )
            for feed in catalog.feeds.values()
        ]
    finally:
        con.close()


def late_feeds(settings: Settings, catalog: Catalog, now: datetime) -> dict[str, float]:
    """The feeds whose `status` is late, with the hours since their last arrival; no table but that of loads is read."""
    path = settings.platform_path("loads")
    with duck.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        loads = _loads(con, path if exists(path) else None)
    judged = [_judge(f, catalog, loads.get(f.id), now, rows=0, quarantined=0) for f in catalog.feeds.values()]
    return {s.feed: s.age_hours or 0.0 for s in judged if s.state == "late"}


def due_since(feed: Feed, now: datetime) -> datetime | None:
    """The time since which a delivery must have arrived, for feeds with ``arrive_by``; None for others.

    A daily delivery due at 06:00 must, from 06:00 on, have come within the 24 hours before.
    """
    if feed.sla.arrive_by is None or feed.catalogue.update not in ("realtime", "hourly", "daily"):
        return None
    local = now.astimezone(BEIJING)
    due = datetime.combine(local.date(), time.fromisoformat(feed.sla.arrive_by), BEIJING)
    if due > local:
        due -= timedelta(days=1)
    return (due - timedelta(days=1)).astimezone(UTC)


def _judge(
    feed: Feed, catalog: Catalog, load: _Load | None, now: datetime, *, rows: int, quarantined: int
) -> FeedStatus:
    arrival = load.landed_at if load else None
    age = (now - arrival).total_seconds() / 3600 if arrival else None
    since = due_since(feed, now)
    state: State = "ok"
    reason = ""
    if load and load.verdict == "stopped":
        state, reason = "stopped", "最近一批未通过质量门，未入库"
    elif arrival is None:
        state, reason = "never", "从未到达"
    elif age is not None and age > feed.sla.max_age_hours:
        state, reason = "late", f"已 {age:.0f} 小时未更新，约定不超过 {feed.sla.max_age_hours:g} 小时"
    elif since is not None and arrival <= since:
        state, reason = "late", f"今日应于 {feed.sla.arrive_by} 前到达"
    return FeedStatus(
        feed=feed.id,
        title=feed.title,
        provider=catalog.departments[feed.provider].name,
        state=state,
        last_arrival=arrival,
        age_hours=round(age, 1) if age is not None else None,
        max_age_hours=feed.sla.max_age_hours,
        arrive_by=feed.sla.arrive_by,
        rows=rows,
        last_verdict=load.verdict if load else "",
        quarantined_open=quarantined,
        reason=reason,
    )


def _loads(con: duckdb.DuckDBPyConnection, path: str | None) -> dict[str, _Load]:
    if path is None:
        return {}
    visible = ", ".join(duck.literal(v) for v in ARRIVED)
    rows = con.execute(
        "SELECT feed, arg_max(verdict, sequence) FILTER (verdict NOT IN ('duplicate', 'empty')), "  # noqa: S608
        f"max(landed_at) FILTER (verdict IN ({visible})) "
        f"FROM {scan_sql(con, path)} GROUP BY feed"
    ).fetchall()
    return {feed: _Load(verdict=verdict or "", landed_at=at) for feed, verdict, at in rows}


def _open(con: duckdb.DuckDBPyConnection, path: str | None) -> int:
    if path is None:
        return 0
    row = con.execute(f"SELECT count(*) FROM {scan_sql(con, path)} WHERE status = 'open'").fetchone()  # noqa: S608
    return int(row[0]) if row else 0

"""Who is late, judged by a clock that is passed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from catalog.registry import Catalog
from catalog.settings import Settings
from warehouse.status import FeedStatus, due_since, status

FEED = "public_security__household"
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)  # 10:00 in Beijing


def one(settings: Settings, catalog: Catalog, now: datetime = NOW) -> FeedStatus:
    return next(s for s in status(settings, catalog, now) if s.feed == FEED)


def load(settings: Settings, *loads: tuple[datetime, str]) -> None:
    rows = [{"feed": FEED, "sequence": i, "verdict": v, "landed_at": at} for i, (at, v) in enumerate(loads)]
    schema = pa.schema(
        [
            ("feed", pa.string()),
            ("sequence", pa.int64()),
            ("verdict", pa.string()),
            ("landed_at", pa.timestamp("us", "UTC")),
        ]
    )
    write_deltalake(settings.platform_path("loads"), pa.Table.from_pylist(rows, schema=schema), mode="append")


def test_an_empty_lake_has_every_feed_once(settings: Settings, catalog: Catalog) -> None:
    found = status(settings, catalog, NOW)
    assert [s.feed for s in found] == list(catalog.feeds)
    assert {s.state for s in found} == {"never"}
    assert all(s.reason for s in found)


def test_a_delivery_on_time_is_ok(settings: Settings, catalog: Catalog) -> None:
    load(settings, (NOW - timedelta(hours=5), "warned"))
    write_deltalake(settings.feed_path(FEED), pa.table({"x": [1, 2, 3]}))
    write_deltalake(settings.quarantine_path(FEED), pa.table({"status": ["open", "closed"]}))
    found = one(settings, catalog)
    assert (found.state, found.rows, found.quarantined_open, found.last_verdict) == ("ok", 3, 1, "warned")
    assert found.last_arrival == NOW - timedelta(hours=5)
    assert found.age_hours == 5
    assert found.provider == "北京市公安局西城分局"


def test_older_than_agreed_is_late(settings: Settings, catalog: Catalog) -> None:
    limit = catalog.feeds[FEED].sla.max_age_hours
    load(settings, (NOW - timedelta(hours=limit + 1), "passed"))
    found = one(settings, catalog)
    assert found.state == "late"
    assert f"{limit:g} 小时" in found.reason


def test_a_stopped_delivery_shows_though_an_older_one_is_visible(settings: Settings, catalog: Catalog) -> None:
    load(settings, (NOW - timedelta(hours=20), "passed"), (NOW - timedelta(hours=1), "stopped"))
    found = one(settings, catalog)
    assert (found.state, found.last_verdict) == ("stopped", "stopped")
    assert found.last_arrival == NOW - timedelta(hours=20)


def test_the_same_file_again_is_no_delivery(settings: Settings, catalog: Catalog) -> None:
    load(settings, (NOW - timedelta(hours=900), "passed"), (NOW - timedelta(hours=1), "duplicate"))
    found = one(settings, catalog)
    assert (found.state, found.last_verdict) == ("late", "passed")


@pytest.mark.parametrize(
    ("now", "arrived", "state"),
    [
        # Due at 06:00 in Beijing (22:00 UTC of the day before).
        ("2026-11-21T21:59", "2026-11-20T22:30", "ok"),
        ("2026-11-21T22:01", "2026-11-20T22:30", "ok"),
        ("2026-11-21T22:01", "2026-11-20T21:30", "late"),
        ("2026-11-21T21:59", "2026-11-20T21:30", "ok"),
    ],
)
def test_a_daily_delivery_is_due_at_its_hour(
    settings: Settings, catalog: Catalog, now: str, arrived: str, state: str
) -> None:
    feed = catalog.feeds[FEED]
    sla = feed.sla.model_copy(update={"arrive_by": "06:00", "max_age_hours": 36})
    daily = feed.catalogue.model_copy(update={"update": "daily"})
    changed = feed.model_copy(update={"sla": sla, "catalogue": daily})
    catalog = catalog.model_copy(update={"feeds": {FEED: changed}})
    load(settings, (datetime.fromisoformat(f"{arrived}+00:00"), "passed"))
    assert one(settings, catalog, datetime.fromisoformat(f"{now}+00:00")).state == state


def test_a_yearly_feed_has_no_hour(catalog: Catalog) -> None:
    feed = catalog.feeds[FEED]
    yearly = feed.catalogue.model_copy(update={"update": "yearly"})
    assert due_since(feed.model_copy(update={"catalogue": yearly}), NOW) is None

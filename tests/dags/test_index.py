"""The compiled index: deterministic, not stale, and says of each feed what its contract says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catalog.registry import Catalog
from catalog.settings import Settings
from dags import index


def test_the_index_in_the_tree_is_not_stale(catalog: Catalog) -> None:
    found = index.PACKAGED.read_text(encoding="utf-8")
    assert found == index.compile_index(catalog), "run `lakehouse catalog compile`"


def test_same_catalog_same_text(catalog: Catalog) -> None:
    backwards = catalog.model_copy(update={"feeds": dict(reversed(catalog.feeds.items()))})
    assert index.compile_index(backwards) == index.compile_index(catalog)


def test_header_says_generated(catalog: Catalog) -> None:
    assert next(iter(json.loads(index.compile_index(catalog)))) == "generated"


def test_each_feed_carries_its_contract(catalog: Catalog) -> None:
    entries = {e["id"]: e for e in json.loads(index.compile_index(catalog))["feeds"]}
    assert set(entries) == set(catalog.feeds)
    assert entries
    for feed_id, feed in catalog.feeds.items():
        entry = entries[feed_id]
        assert entry["owner"] == catalog.departments[feed.provider].name
        assert entry["retries"] == feed.sla.retries
        assert entry["timeout_minutes"] == feed.sla.timeout_minutes
        assert entry["max_age_hours"] == feed.sla.max_age_hours
        assert entry["asset"] == f"lake://feed/{feed_id}"


@pytest.mark.parametrize(
    ("update", "arrive_by", "expected"),
    [
        ("daily", "06:30", "30 6 * * *"),
        ("daily", None, "0 6 * * *"),
        ("hourly", "00:10", "10 * * * *"),
        ("weekly", "07:00", "0 7 * * 1"),
        ("monthly", "09:05", "5 9 1 * *"),
        ("quarterly", None, "0 6 1 1,4,7,10 *"),
        ("yearly", None, "0 6 1 1 *"),
        ("realtime", None, "*/5 * * * *"),
        ("irregular", "06:00", None),
    ],
)
def test_due_time_from_update_cycle_and_sla(update: str, arrive_by: str | None, expected: str | None) -> None:
    assert index.cron(update, arrive_by) == expected


def test_a_lakehouse_with_its_own_catalog_uses_its_own_index(settings: Settings, catalog: Catalog) -> None:
    env = {"LAKEHOUSE_HOME": str(settings.home)}
    assert index.load_index(env) == json.loads(index.PACKAGED.read_text(encoding="utf-8"))
    few = catalog.model_copy(update={"feeds": {"tax__arrears": catalog.feeds["tax__arrears"]}})
    path = index.write_index(settings, few)
    assert [f["id"] for f in index.load_index(env)["feeds"]] == ["tax__arrears"]
    before = path.stat().st_mtime_ns
    assert index.write_index(settings, few) == path
    assert path.stat().st_mtime_ns == before, "an unchanged index is not written again"


def test_no_packaged_path_in_the_index(catalog: Catalog, root: Path) -> None:
    assert str(root) not in index.compile_index(catalog)

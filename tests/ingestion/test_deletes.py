"""A delivery of keys takes rows out of the feed table and its vault, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ingestion import landing
from ingestion.load import load
from ingestion.results import LoadResult
from tests.ingestion.conftest import NOW, scan
from tests.ingestion.source_support import Killed, kill_at

pytestmark = pytest.mark.slow

Build = Callable[[str], Any]


def send_keys(house: Any, text: str, **options: Any) -> LoadResult:
    feed = house.catalog.feed(house.feed_id)
    path = house.settings.home / "gone.csv"
    path.write_text(text, encoding="utf-8")
    landing.land_file(house.settings, feed, path, now=NOW, source="test#1", repeatable=True, deletes=True)
    return load(house.settings, house.catalog, house.feed_id, now=NOW, **options)


def test_rows_leave_by_key_and_the_rest_is_told(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"].replace("append", "upsert"))
    house.send("编号,雨量\nA,1\nB,2\nC,3\n")
    result = send_keys(house, "编号\nB\nX\n")
    assert (result.rows_found, result.rows_loaded, result.skipped) == (2, 1, {"not_there": 1})
    assert house.rows("sensor_id") == [("A",), ("C",)]
    house.send("编号,雨量\nB,5\n", "b.csv")
    assert house.rows("sensor_id") == [("A",), ("B",), ("C",)]


def test_a_person_leaves_the_vault_too(people: Any) -> None:
    people.send(people.people(1, 2))
    vault = people.settings.vault_path(people.feed_id)
    assert len(scan(vault)) == 2
    assert send_keys(people, f"身份证号\n{people.resident_id(1)}\n").rows_loaded == 1
    assert len(people.rows()) == len(scan(vault)) == 1


@pytest.mark.parametrize("step", ["load.planned", "load.removed", "load.logged"])
def test_killed_and_repeated(build: Build, contracts: dict[str, str], step: str) -> None:
    house = build(contracts["readings"].replace("append", "upsert"))
    house.send("编号,雨量\nA,1\nB,2\n")
    with pytest.raises(Killed):
        send_keys(house, "编号\nB\n", checkpoint=kill_at(step))
    (result,) = house.ingest_all()
    assert (result.rows_loaded, house.rows("sensor_id")) == (1, [("A",)])
    assert len(house.platform("loads", "receipt")) == 2


def test_a_file_of_keys_that_cannot_be_read_is_stopped(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"].replace("append", "upsert"))
    house.send("编号,雨量\nA,1\n")
    assert send_keys(house, "number\nA\n").verdict == "stopped"
    assert house.rows("sensor_id") == [("A",)]


def test_rows_that_are_gone_are_marked_and_come_again(build: Build, contracts: dict[str, str]) -> None:
    marking = contracts["readings"].replace("append, key: [sensor_id]", "upsert, key: [sensor_id], deletes: mark")
    house = build(marking)
    house.send("编号,雨量\nA,1\nB,2\nC,3\n")
    result = send_keys(house, "编号\nB\nX\n")
    assert (result.rows_found, result.rows_loaded, result.skipped) == (2, 1, {"not_there": 1})
    marked = "sensor_id, rain_mm, _deleted_at = TIMESTAMPTZ '2026-08-01 04:00:00Z' AS gone"
    assert house.rows(marked) == [("A", 1, None), ("B", 2, True), ("C", 3, None)]
    house.send("编号,雨量\nB,2\n", "b.csv")
    assert house.rows(marked) == [("A", 1, None), ("B", 2, None), ("C", 3, None)]


def test_a_contract_that_begins_to_mark_finds_rows_without_the_column(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"].replace("append", "upsert"))
    house.send("编号,雨量\nA,1\nB,2\n")
    feed = house.catalog.feed(house.feed_id)
    marking = feed.model_copy(update={"load": feed.load.model_copy(update={"deletes": "mark"})})
    house.catalog = house.catalog.model_copy(update={"feeds": {**house.catalog.feeds, feed.id: marking}})
    with pytest.raises(Killed):
        send_keys(house, "编号\nB\n", checkpoint=kill_at("load.removed"))
    (result,) = house.ingest_all()
    assert result.rows_loaded == 1
    assert house.rows("sensor_id, _deleted_at IS NULL AS there") == [("A", True), ("B", False)]

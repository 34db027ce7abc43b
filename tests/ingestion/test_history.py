"""Versions with valid_from and valid_to, tables as they stood at a day, and past deliveries once more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from catalog.errors import ContractError, InputError, QueryRefused
from ingestion.backfill import backfill
from tests.ingestion.conftest import NOW

pytestmark = pytest.mark.slow

Build = Callable[[str], Any]
DAY = timedelta(days=1)
HEADER = "编号,雨量,联系人\n"


@pytest.fixture
def kept(build: Build, contracts: dict[str, str]) -> Callable[..., Any]:
    """A house whose readings keep history and have a direct identifier."""

    def make(mode: str = "upsert", history: str = "true", **changes: str) -> Any:
        text = contracts["readings"].replace(
            "append, key: [sensor_id]", f"{mode}, key: [sensor_id], history: {history}"
        )
        text += "  person_name: {from: 联系人}\n"
        for old, new in changes.items():
            text = text.replace(*new.split(" => ")) if old else text
        return build(text)

    return make


def versions(house: Any) -> list[tuple[Any, ...]]:
    from tests.ingestion.conftest import scan

    day = "(extract(epoch FROM {} - TIMESTAMPTZ '2026-08-01 04:00:00Z') / 86400)::integer"
    columns = f"sensor_id, rain_mm, {day.format('valid_from')} AS f, {day.format('valid_to')} AS t"
    return scan(house.settings.history_path(house.feed_id), columns)


@pytest.mark.parametrize("mode", ["upsert", "snapshot"])
def test_every_version_of_a_row_is_kept_with_its_time(kept: Any, mode: str) -> None:
    house = kept(mode)
    house.send(HEADER + "A,1,甲\nB,2,乙\n", "1.csv")
    house.send(HEADER + "A,1,甲\nB,3,乙\nC,5,丙\n", "2.csv", now=NOW + DAY)
    house.send(HEADER + "A,1,甲\nB,4,乙\n", "3.csv", now=NOW + 2 * DAY)
    last = 2 if mode == "snapshot" else None
    assert versions(house) == [("A", 1, 0, None), ("B", 2, 0, 1), ("B", 3, 1, 2), ("B", 4, 2, None), ("C", 5, 1, last)]
    house.send(HEADER + "A,1,甲\nB,4,乙\nC,6,丙\n", "4.csv", now=NOW + 3 * DAY)
    assert ("C", 6, 3, None) in versions(house)
    assert len(versions(house)) == 6


def test_a_history_holds_no_direct_identifier(kept: Any) -> None:
    from deltalake import DeltaTable

    house = kept()
    house.send(HEADER + "A,1,甲\n")
    names = {f.name for f in DeltaTable(house.settings.history_path(house.feed_id)).schema().fields}
    assert "person_name" not in names
    assert {"valid_from", "valid_to", "rain_mm"} <= names


def test_a_clock_that_goes_back_loses_no_version(kept: Any) -> None:
    house = kept()
    house.send(HEADER + "A,1,甲\n", "1.csv")
    house.send(HEADER + "A,2,甲\n", "2.csv", now=NOW - timedelta(hours=1))
    assert [v[:2] for v in versions(house)] == [("A", 1), ("A", 2)]
    assert sum(v[3] is None for v in versions(house)) == 1


def test_a_history_needs_a_key_and_rows_that_change(kept: Any) -> None:
    with pytest.raises(ContractError, match="history"):
        kept("append")


def test_an_erased_person_leaves_the_history_too(build: Build, contracts: dict[str, str]) -> None:
    from tests.ingestion.conftest import PEOPLE_HEADER, person, resident_id
    from warehouse.erase_person import Person
    from warehouse.tables import list_tables

    house = build(contracts["people"].replace("newest_by: updated_at}", "newest_by: updated_at, history: true}"))
    house.send("\n".join([PEOPLE_HEADER, person(1), person(2)]) + "\n", "1.csv")
    house.send("\n".join([PEOPLE_HEADER, person(1, 性别="女", 更新时间="2026-07-09 08:00:00")]) + "\n", "2.csv")
    (ref,) = [t for t in list_tables(house.settings) if t.schema == "history"]
    from quality.pseudonym import load_key
    from tests.ingestion.conftest import scan
    from warehouse.erase_tables import erase_table

    assert len(scan(ref.path)) == 3
    key = load_key(house.settings.keys, create=False).resident_key(resident_id(1))
    done = erase_table(house.settings, ref, Person(key, (key, resident_id(1))), {})
    assert done is not None
    assert (done.rows_removed, len(scan(ref.path))) == (2, 1)


def test_sql_as_of_a_day_and_beyond_what_is_kept(kept: Any) -> None:
    from warehouse.query import run_sql

    house = kept()
    before = datetime.now(UTC)
    house.send(HEADER + "A,1,甲\n", "1.csv")
    between = datetime.now(UTC)
    house.send(HEADER + "A,2,甲\nB,1,乙\n", "2.csv")

    def asked(as_of: datetime | None) -> list[tuple[Any, ...]]:
        sql = f"select sensor_id, rain_mm from feed.{house.feed_id} order by 1"
        with run_sql(house.settings, sql, catalog=house.catalog, as_of=as_of) as result:
            return result.rows()

    assert asked(None) == [("A", 2), ("B", 1)]
    assert asked(between) == [("A", 1)]
    with pytest.raises(QueryRefused, match="it is known since"):
        asked(before - DAY)
    from deltalake import DeltaTable

    table = DeltaTable(house.settings.feed_path(house.feed_id))
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    with pytest.raises(QueryRefused, match="were removed"):
        asked(between)
    assert asked(None) == [("A", 2), ("B", 1)]


def again(house: Any, first: date = date.min, last: date = date.max) -> list[Any]:
    return backfill(house.settings, house.catalog, house.feed_id, first, last, now=NOW + 9 * DAY)


def test_a_backfill_reads_kept_deliveries_as_the_contract_says_now(kept: Any) -> None:
    """Row B of the first delivery is rejected now, C of it was mended, A was won by a later delivery."""
    house = kept()
    house.send(HEADER + "A,1,甲\nB,2,乙\nC,坏,丙\n", "1.csv")
    house.send(HEADER + "A,9,甲\n", "2.csv", now=NOW + DAY)
    house = kept(
        mend="required: true}\n  person_name => null_values: ['坏']}\n  person_name",
        other="sensor_id: {from: 编号, required: true} => sensor_id: {from: 编号, required: true, null_values: [B]}",
    )
    first, second = again(house, date(2000, 1, 1))
    assert (first.rows_found, first.rows_loaded, first.rows_quarantined, first.rows_removed) == (3, 1, 1, 1)
    assert first.skipped == {"later": 1}
    assert (second.rows_loaded, second.rows_removed) == (1, 0)
    assert house.opened("sensor_id, rain_mm, person_name") == [("A", 9.0, "甲"), ("C", None, "丙")]
    assert house.rows("row_number, status", "quarantine") == [(2, "open")]
    once = (house.rows("* EXCLUDE _loaded_at"), house.rows("* EXCLUDE (quarantined_at, raw)", "quarantine"))
    again(house, date(2000, 1, 1))
    assert (house.rows("* EXCLUDE _loaded_at"), house.rows("* EXCLUDE (quarantined_at, raw)", "quarantine")) == once


def test_a_backfill_takes_only_its_days_and_the_present_snapshot(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"].replace("append, key: [sensor_id]", "snapshot"))
    house.send("编号,雨量\nA,1\n", "1.csv")
    house.send("编号,雨量\nB,1\n", "2.csv", now=NOW + DAY)
    first, second = again(house, date(2000, 1, 1))
    assert (first.rows_loaded, first.note) == (0, "已被后来的整表取代")
    assert second.rows_loaded == 1
    assert [r[0] for r in house.rows("sensor_id")] == ["B"]
    assert again(house, date(2000, 1, 1), date(2000, 1, 2)) == []
    with pytest.raises(InputError, match="after"):
        again(house, date(2001, 1, 1), date(2000, 1, 1))


def test_a_backfilled_snapshot_leaves_nothing_sealed_of_rows_it_lost(kept: Any) -> None:
    from tests.ingestion.conftest import scan

    house = kept("snapshot")
    house.send(HEADER + "A,1,甲\nB,2,乙\n", "1.csv")
    assert len(scan(house.settings.vault_path(house.feed_id), "_row_number")) == 2
    house = kept(
        "snapshot",
        other="sensor_id: {from: 编号, required: true} => sensor_id: {from: 编号, required: true, null_values: [B]}",
    )
    (done,) = again(house, date(2000, 1, 1))
    assert (done.rows_loaded, done.rows_quarantined) == (1, 1)
    assert scan(house.settings.vault_path(house.feed_id), "_row_number") == [(1,)]
    assert house.opened("sensor_id, person_name") == [("A", "甲")]


def test_a_source_is_asked_again_from_a_day(build: Build, contracts: dict[str, str]) -> None:
    from ingestion.backfill import rewind
    from ingestion.sources.state import State, state_folder

    text = contracts["readings"].replace(
        "{connector: files, path: t/f/*}", "{connector: folder, folder: /srv/out, pattern: '*.csv'}"
    )
    house = build(text)
    feed = house.catalog.feed(house.feed_id)
    for cursor, back in (
        ("2026-07-05T00:00:00Z", "2026-07-01T00:00:00+08:00"),
        ("2026-07-05 10:00:00", "2026-07-01 00:00:00"),
        ("2026-07-05", "2026-07-01"),
    ):
        with State(state_folder(house.settings.home, feed.id)) as state:
            state.rewind({"since": cursor, "pull": 3})
        assert rewind(house.settings, feed, date(2026, 7, 1))
        assert not rewind(house.settings, feed, date(2026, 7, 2))
        with State(state_folder(house.settings.home, feed.id)) as state:
            assert state.cursor() == {"since": back, "pull": 3}
    with pytest.raises(ContractError, match="dropped"):
        rewind(house.settings, build(contracts["readings"]).catalog.feed(house.feed_id), date(2026, 7, 1))


def test_a_row_marked_as_gone_ends_its_version(kept: Callable[..., Any]) -> None:
    from tests.ingestion.test_deletes import send_keys

    house = kept(marks="history: true => history: true, deletes: mark")
    house.send(HEADER + "A,1,王一\nB,2,王二\n")
    assert send_keys(house, "编号\nB\n").rows_loaded == 1
    assert [(v[0], v[3] is None) for v in versions(house)] == [("A", True), ("B", False)]
    house.send(HEADER + "B,2,王二\n", "b.csv")
    assert [(v[0], v[3] is None) for v in versions(house)] == [("A", True), ("B", False), ("B", True)]


def test_the_history_is_a_source_of_dbt(kept: Callable[..., Any]) -> None:
    import duckdb
    import yaml

    from quality.dbt_compile import sources_yaml
    from warehouse.dbt_views import register_views
    from warehouse.duck import load_extension
    from warehouse.grade_check import feed_relations

    house = kept()
    feed, history = yaml.safe_load(sources_yaml(house.catalog))["sources"]
    assert (history["name"], [t["name"] for t in history["tables"]]) == ("history", [house.feed_id])
    columns = [c["name"] for c in history["tables"][0]["columns"]]
    assert columns == [*(c["name"] for c in feed["tables"][0]["columns"]), "valid_from", "valid_to"]
    assert set(columns) == set(feed_relations(house.catalog)[f"history.{house.feed_id}"].columns)
    with duckdb.connect() as con:
        load_extension(con, "delta")
        read = f"SELECT {', '.join(columns)} FROM history.{house.feed_id}"
        register_views(con, house.settings, house.catalog)
        assert con.execute(read).fetchall() == []
        house.send(HEADER + "A,1,王一\n")
        register_views(con, house.settings, house.catalog)
        assert len(con.execute(read).fetchall()) == 1

"""The address library of a lake: loaded, asked in SQL, and taught by confirmations."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from catalog.errors import UnknownName
from catalog.settings import Settings
from quality.addresses.book import Alias, make_book
from quality.addresses.match import Matcher
from warehouse import dbt_knowledge
from warehouse.addresses.confirm import confirm
from warehouse.addresses.library import STANDARDS, load_book, load_matcher, newest_book, versions
from warehouse.dbt_knowledge import ADDRESSES, knowledge
from warehouse.query import QueryRefused, run_sql

NOW = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture
def lake(settings: Settings) -> Settings:
    row = {
        "address_code": "110102010X1",
        "standard_address": "北京市西城区德胜街道白云胡同12号院",
        "street_code": "110102010",
        "community_code": None,
        "lane_name": "白云胡同",
        "house_number": "12号院",
        "compound_name": None,
        "longitude_cgcs2000": 116.37,
        "latitude_cgcs2000": 39.95,
        "located_street_code": "110102010",
    }
    schema = pa.schema([(k, pa.float64() if isinstance(v, float) else pa.string()) for k, v in row.items()])
    write_deltalake(settings.table_path(*STANDARDS), pa.Table.from_pylist([row], schema=schema))
    return settings


def test_an_empty_lake_says_what_to_load(settings: Settings) -> None:
    with pytest.raises(UnknownName, match="empty"):
        load_matcher(settings)
    assert versions(settings) == (-1, -1, -1, -1)


def test_models_that_ask_at_once_are_told_the_same(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {f"t{n}": settings.table_path("library", "spatiotemporal", f"t{n}") for n in range(8)}
    for name, path in tables.items():
        write_deltalake(path, pa.table({"name": [name]}))
    all_there = threading.Barrier(len(tables) * 2)

    def digest(path: str, _columns: str) -> str:
        all_there.wait(30)
        return path[-2:]

    monkeypatch.setattr(dbt_knowledge, "_rows_digest", digest)
    with ThreadPoolExecutor(len(tables) * 2) as pool:
        asked = [pool.submit(dbt_knowledge._content, settings.build, p, "name", 0) for p in [*tables.values()] * 2]
    assert [a.result() for a in asked] == [*tables] * 2
    kept = json.loads((settings.build / "knowledge.json").read_text(encoding="utf-8"))
    assert {k.rsplit("/", 1)[-1]: v["rows"] for k, v in kept.items()} == {t: t for t in tables}


def test_the_book_is_read_from_the_tables(lake: Settings) -> None:
    found = load_matcher(lake).match("西城区白云胡同12号院3单元502室")
    assert (found.address_id, found.street_code, found.longitude) == ("110102010X1", "110102010", 116.37)
    assert len(load_book(lake).communities) == 263


def test_knowledge_is_the_rows_of_the_book_not_their_version(lake: Settings) -> None:
    before = knowledge(lake, ADDRESSES)
    path = lake.table_path(*STANDARDS)
    row = DeltaTable(path).to_pyarrow_table()
    write_deltalake(path, row, mode="overwrite")
    assert knowledge(lake, ADDRESSES) == before
    DeltaTable(path).update({"house_number": "'14号院'"})
    assert knowledge(lake, ADDRESSES) != before
    with pytest.raises(UnknownName):
        knowledge(lake, "weather")


def test_the_book_is_read_once_until_a_table_changes(lake: Settings) -> None:
    book = newest_book(lake)
    assert newest_book(lake) is book
    DeltaTable(lake.table_path(*STANDARDS)).update({"house_number": "'14号院'"})
    assert [s.house_number for s in newest_book(lake).standards] == ["14号院"]


@pytest.mark.slow
def test_readers_ask_in_sql_and_the_decision_names_the_table(lake: Settings) -> None:
    ask = "select address_match('白云胡同12号')->>'address_id', address_at(116.37, 39.95)->>'standard_address'"
    with run_sql(lake, ask) as result:
        assert result.tables == ("spatiotemporal.addresses",)
        assert result.rows() == [("110102010X1", "北京市西城区德胜街道白云胡同12号院")]
    with run_sql(lake, "select address_match(null) is not null, address_at(0, 0) is null") as result:
        assert result.rows() == [(True, True)]
    with pytest.raises(QueryRefused):
        run_sql(lake, "select lakehouse_address_match('a', 'b', 'c')")


def test_a_confirmation_keeps_the_building_and_never_the_room(lake: Settings) -> None:
    kept = confirm(lake, "老邮局后院3号楼2单元501室", "110102010X1", by="li", now=NOW)
    assert (kept.alias_name, kept.number, kept.building) == ("老邮局后院", None, "3")
    assert "501" not in kept.model_dump_json()
    alias = Alias(kept.alias_name, kept.number_stem, kept.number, kept.building, kept.address_code)
    taught = Matcher(make_book(load_book(lake).standards, (), (), [alias]))
    assert taught.match("老邮局后院3号楼").address_id == "110102010X1"
    with pytest.raises(UnknownName, match="standard address"):
        confirm(lake, "老邮局后院", "nowhere", by="li", now=NOW)
    with pytest.raises(UnknownName, match="names no lane"):
        confirm(lake, "12号", "110102010X1", by="li", now=NOW)

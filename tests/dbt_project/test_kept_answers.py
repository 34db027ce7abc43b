"""A table of answers asks for what is new, and comes to what asking for everything comes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from catalog.settings import Settings
from quality.addresses.match import Matcher
from warehouse.addresses.library import STANDARDS
from warehouse.dbt_knowledge import ADDRESSES, knowledge
from warehouse.dbt_remade import answered_by
from warehouse.entities.matcher import EntityMatcher

pytestmark = pytest.mark.slow
NOW = datetime(2026, 6, 30, tzinfo=UTC)
HOUSEHOLD = "public_security__household"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """What matchers are asked, as it happens."""
    found: list[str | None] = []
    for matcher, method in ((Matcher, "match_many"), (EntityMatcher, "match")):
        original = getattr(matcher, method)

        def counted(self: Any, texts: list[str | None], *more: Any, original: Any = original) -> Any:
            found.extend(texts)
            return original(self, texts, *more)

        monkeypatch.setattr(matcher, method, counted)
    return found


def book(settings: Settings, numbers: range) -> None:
    """Doors of one lane, as the address library holds them."""
    rows = [
        {"address_code": f"110102010X{n}", "standard_address": f"北京市西城区德胜街道白云胡同{n}号", "lane_name": "白云胡同",
         "house_number": f"{n}号", "street_code": "110102010", "longitude_cgcs2000": 116.37, "latitude_cgcs2000": 39.95}
        for n in numbers
    ]  # fmt: skip
    schema = pa.schema([(k, pa.float64() if isinstance(v, float) else pa.string()) for k, v in rows[0].items()])
    for empty in ("community_code", "compound_name", "located_street_code"):
        schema = schema.append(pa.field(empty, pa.string()))
    table = pa.Table.from_pylist(rows, schema=schema)
    write_deltalake(settings.table_path(*STANDARDS), table, mode="overwrite")


ANSWERED = ("population.resident_addresses", "legal_entity.names", "legal_entity.name_links")


@dataclass
class Day:
    """What departments deliver, and what a build makes of it."""

    settings: Settings
    fill: Callable[..., None]
    read: Callable[[str], list[tuple[Any, ...]]]
    asked: list[str | None]

    def deliver(self, numbers: dict[str, int], listed: list[str], crowd: int = 0, again: str = "") -> None:
        numbers = numbers | {f"of many {i}": 1 for i in range(crowd)}
        rows = [
            {"resident_key": k, "registered_address": f"西城区白云胡同{n}号", "community_code": "110102010003",
             "birth_date": date(1990, 1, 1), "updated_at": NOW + timedelta(days=k == again)}
            for k, n in numbers.items()
        ]  # fmt: skip
        self.fill(HOUSEHOLD, rows)
        listed_on = date(2020, 1, 1)
        self.fill("market_supervision__abnormal_list", [{"entity_name": n, "listed_date": listed_on} for n in listed])

    def registered(self, *firms: str) -> None:
        codes = ("91110102101379136C", "91110106102167290A")
        rows = [{"uscc": u, "entity_name": n} for u, n in zip(codes, firms, strict=False)]
        self.fill("market_supervision__enterprises", rows)

    def made(self) -> dict[str, list[tuple[Any, ...]]]:
        from warehouse.dbt_build import build

        self.asked.clear()
        select = [t.replace(".", "__") for t in ("legal_entity.record_codes", *ANSWERED)]
        build(self.settings, select=select, exclude=["test_type:data"]).raise_for_failure()
        return {t: sorted(self.read(f"select * from {t}"), key=repr) for t in ANSWERED}


@pytest.fixture
def day_of(
    settings: Settings,
    fill: Callable[..., None],
    read: Callable[[str], list[tuple[Any, ...]]],
    asked: list[str | None],
) -> Day:
    return Day(settings, fill, read, asked)


def test_a_day_asks_for_what_is_new(settings: Settings, asked: list[str | None], day_of: Day) -> None:
    firm, other, stranger = "北京甲乙丙商贸有限公司", "北京天地玄黄科技有限公司", "北京宇宙洪荒文化有限公司"
    book(settings, range(1, 9))
    day_of.registered(firm)
    day_of.deliver({"a": 1, "b": 2, "c": 3, "d": 99}, [firm, other])
    first = day_of.made()
    assert len(asked) == 4 + 2
    assert sum(row[5] is not None for row in first["population.resident_addresses"]) == 3
    day_of.deliver(
        {"a": 1, "b": 4, "d": 99, "e": 1}, [other, stranger]
    )  # b moved, c is gone, e has come to where a lives
    day = day_of.made()
    assert sorted(asked, key=str) == sorted(["西城区白云胡同1号", "西城区白云胡同4号", stranger])
    path = settings.table_path("library", "population", "resident_addresses")
    assert DeltaTable(path).history(1)[0]["strategy"] == "remade"
    assert answered_by(path) == knowledge(settings, ADDRESSES)
    version = DeltaTable(path).version()
    assert day == day_of.made()  # nothing came
    assert not asked
    assert DeltaTable(path).version() == version
    DeltaTable(path).delete("resident_key = 'a'")  # somebody else's commits: all is asked anew
    DeltaTable(settings.table_path("library", "legal_entity", "name_links")).delete()
    assert answered_by(path) is None
    assert day == day_of.made()
    assert len(asked) == 3 + 2
    book(settings, range(1, 120))  # what is known of addresses and of names has changed
    day_of.registered(firm, other)
    day_of.deliver({"a": 1, "b": 4, "d": 99, "e": 1}, [other, stranger], crowd=200)
    later = day_of.made()
    assert len(later["population.resident_addresses"]) == 204
    assert all(row[5] for row in later["population.resident_addresses"])
    assert {row[0]: row[1] for row in later["legal_entity.name_links"]} == {other: "91110106102167290A", stranger: None}
    assert len(asked) == 3 + 2
    day_of.deliver({"a": 1, "b": 4, "d": 99, "e": 1}, [other, stranger], crowd=200, again="b")
    assert later == day_of.made()
    assert asked == ["西城区白云胡同4号"]  # it says the same: of so many, one is sooner asked again than looked up
    assert DeltaTable(path).history(1)[0]["strategy"] == "remade"

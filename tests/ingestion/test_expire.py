"""What is past its retention goes, what is not stays, and a delivery is still recognised when its bytes are gone."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from catalog.errors import ContractError
from ingestion import landing
from ingestion.expire import expire
from tests.ingestion.conftest import NOW, PEOPLE, House, person, resident_id
from warehouse.audit_verify import verify

YEAR = timedelta(days=366)


@pytest.mark.slow
def test_old_deliveries_and_quarantined_rows_go_and_are_listed(build: Callable[[str], House]) -> None:
    house = build(PEOPLE)
    wrong = person(3, 性别="X")
    old = house.people(1, 2) + wrong + "\n"
    house.send(old, "old.csv")
    later = NOW + YEAR
    house.send(house.people(4) + person(5, 性别="X") + "\n", "new.csv", now=later)
    at = later + timedelta(days=1)
    said = expire(house.settings, house.catalog, now=at, dry_run=True)
    (found,) = expire(house.settings, house.catalog, now=at)
    assert said[0].landing == found.landing
    assert (found.keep_days, len(found.landing), found.quarantine_rows) == (365, 1, 1)
    first, second = landing.receipts_of(house.settings, house.feed_id)
    assert not landing.landed_file(house.settings, first).exists()
    assert landing.landed_file(house.settings, second).exists()
    assert house.rows("row_number", "quarantine") == [(2,)]
    assert len(house.rows()) == 3, "the register itself stays"
    assert not [p for p in house.settings.home.rglob("*.parquet") if resident_id(3).encode() in p.read_bytes()]
    assert house.send(old, "old.csv", now=at).verdict == "duplicate"
    assert expire(house.settings, house.catalog, now=at) == []
    (report,) = (house.settings.home / "reports" / "destroy").glob("expired-*.json")
    assert json.loads(report.read_text(encoding="utf-8"))[0]["landing"] == [first.id]
    assert verify(house.settings.home / "audit", None) == ([], 2), "the vault's key was made, and this"


def test_a_contract_may_keep_longer_but_must_say_why(build: Callable[[str], House]) -> None:
    house = build(PEOPLE + "retention: {keep_days: 3650, basis: 档案法}\n")
    house.send(house.people(1))
    assert house.catalog.retention(house.catalog.feed(house.feed_id)) == (3650, "档案法")
    assert expire(house.settings, house.catalog, now=NOW + YEAR) == []
    with pytest.raises(ContractError):
        build(PEOPLE + "retention: {keep_days: 3650}\n")

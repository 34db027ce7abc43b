"""A day remakes the persons that changed, and comes to what making everything anew comes to."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from catalog.settings import Settings
from warehouse.dbt_remade import made_through
from warehouse.linking import store

pytestmark = pytest.mark.slow
NOW = datetime(2026, 6, 30, tzinfo=UTC)
HEALTH, DEATHS, CHANGES = "health__records", "civil_affairs__deaths", "public_security__household_changes"
KEYS = {HEALTH: "health_record_number", DEATHS: "death_certificate_number", CHANGES: "household_change_id"}
TABLES = ("sources", "residents", "residents_history", "conflicts", "memberships", "residence_spells")
Rows = dict[str, list[dict[str, Any]]]


def district(draw: random.Random) -> tuple[Rows, dict[tuple[str, str], str]]:
    """Records of forty persons in three registers, and whose each is."""
    rows: Rows = {HEALTH: [], DEATHS: [], CHANGES: []}
    links = {}
    for i in range(40):
        person = f"p{i:02}"
        born = {
            "birth_date": date(1950, 1, 1) + timedelta(days=300 * i),
            "sex_code": draw.choice("12"),
            "updated_at": NOW,
        }
        rows[HEALTH].append({"health_record_number": f"h{i}", "community_code": "110102001004",
                             "health_record_status_code": "1"} | born)  # fmt: skip
        links[HEALTH, f"h{i}"] = person
        rows[CHANGES].append({"household_change_id": f"c{i}", "household_change_code": draw.choice("124"),
                              "household_key": f"k{i // 3}",
                              "change_date": date(2020, 1, 1) + timedelta(days=9 * i)} | born)  # fmt: skip
        links[CHANGES, f"c{i}"] = person
        if i % 5 == 0:
            rows[DEATHS].append({"death_certificate_number": f"d{i}", "death_date": date(2025, 5, 5)} | born)
            links[DEATHS, f"d{i}"] = person
    return rows, links


def a_day(draw: random.Random, rows: Rows, links: dict[tuple[str, str], str]) -> set[str]:
    """Records said otherwise, gone, and given to another person; returns the persons it concerns."""
    touched = set()
    for feed, key in ((HEALTH, "h"), (CHANGES, "c")):
        for i in draw.sample(range(40), 4):
            row = next((r for r in rows[feed] if r[KEYS[feed]] == f"{key}{i}"), None)
            if row is not None:
                row["sex_code"] = "2" if row["sex_code"] == "1" else "1"
                touched.add(links[feed, f"{key}{i}"])
    gone = draw.choice(rows[DEATHS])
    rows[DEATHS].remove(gone)
    touched.add(links.pop((DEATHS, gone["death_certificate_number"])))
    for record in draw.sample(sorted(links), 3):  # some persons are merged by this, or are gone
        other = draw.choice(sorted(set(links.values()) | {"p90"}))
        touched |= {links[record], other}
        links[record] = other
    lost = f"p{draw.randrange(40):02}"  # a person all of whose records are another's now
    for record, person in links.items():
        if person == lost:
            links[record] = "p91"
    return touched | {lost, "p91"}


def written(settings: Settings, links: dict[tuple[str, str], str], runs: dict[str, int]) -> None:
    """What linking leaves, of these links."""
    persons = sorted(set(links.values()))
    lost = [{"from_key": p, "reason": "gone", "changed_at": NOW} for p in sorted(set(runs) - set(persons))]
    tables = {
        store.REDIRECTS: lost,
        store.LINKS: [
            {"feed": f, "record_key": k, "role": "self", "person_key": p, "method": "id", "has_own_id": True}
            for (f, k), p in links.items()
        ],
        store.IDENTITIES: [{"person_key": p, "is_identified": False, "changed_run": runs.get(p, 1)} for p in persons],
    }
    for name, made in tables.items():
        table = pa.Table.from_pylist(made, schema=store.schemas()[name])
        write_deltalake(settings.platform_path(name), table, mode="overwrite")


def test_days_come_to_what_everything_anew_comes_to(
    settings: Settings, fill: Callable[..., None], read: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    from warehouse.dbt_build import build

    seed = datetime.now(UTC).microsecond
    draw = random.Random(seed)
    rows, links = district(draw)
    runs: dict[str, int] = {}
    select = [f"population__{t}" for t in TABLES]

    def made(first: str = "") -> dict[str, list[tuple[Any, ...]]]:
        for feed in rows:
            fill(feed, rows[feed])
        written(settings, links, runs)
        if first:
            build(settings, select=[first], exclude=["test_type:data"]).raise_for_failure()
        build(settings, select=select, exclude=["test_type:data"]).raise_for_failure()
        return {t: sorted(read(f"select * from population.{t}"), key=repr) for t in TABLES}

    made()
    paths = {t: settings.table_path("library", "population", t) for t in TABLES}
    assert {made_through(p) for p in paths.values()} == {1}
    runs |= dict.fromkeys(a_day(draw, rows, links), 2)
    by_day = made(first="population__residents")  # before what it reads: it waits for that
    assert {made_through(p) for p in paths.values()} == {2}
    assert {DeltaTable(p).history(1)[0]["strategy"] for p in paths.values()} == {"remade"}
    DeltaTable(paths["residents"]).delete("person_key = 'p91'")  # somebody else's commit: the next build makes all anew
    assert made_through(paths["residents"]) is None
    for path in paths.values():
        shutil.rmtree(path)
    assert by_day == made(), f"seed {seed}"

"""A day remakes the persons that changed, and comes to what making everything anew comes to."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from catalog.settings import Settings
from warehouse import grade_check
from warehouse.dbt_remade import made_through
from warehouse.linking import store

pytestmark = pytest.mark.slow
NOW = datetime(2026, 6, 30, tzinfo=UTC)
HEALTH, DEATHS, CHANGES = "health__records", "civil_affairs__deaths", "public_security__household_changes"
HOUSEHOLD = "public_security__household"
KEYS = {HEALTH: "health_record_number", DEATHS: "death_certificate_number", CHANGES: "household_change_id",
        HOUSEHOLD: "resident_key"}  # fmt: skip
OF_PERSONS = ("sources", "residents", "residents_history", "conflicts", "memberships", "residence_spells")
TABLES = (*OF_PERSONS, "households", "community_counts")
PERSONS, DAYS = 240, 2
COMMUNITIES = ("110102001004", "110102001007")
Rows = dict[str, list[dict[str, Any]]]


def district(draw: random.Random) -> tuple[Rows, dict[tuple[str, str], str]]:
    """Records of persons in four registers, three to a household, and whose each is."""
    rows: Rows = {HEALTH: [], DEATHS: [], CHANGES: [], HOUSEHOLD: []}
    links = {}
    for i in range(PERSONS):
        person = f"p{i:03}"
        born = {
            "birth_date": date(1950, 1, 1) + timedelta(days=100 * i),
            "sex_code": draw.choice("12"),
            "updated_at": NOW - timedelta(days=i),
        }
        rows[HEALTH].append({"health_record_number": f"h{i}", "community_code": "110102001004",
                             "health_record_status_code": "1"} | born)  # fmt: skip
        links[HEALTH, f"h{i}"] = person
        if i % 4:
            rows[HOUSEHOLD].append({"resident_key": f"r{i}", "household_key": f"k{i // 3}",
                                    "family_relation_code": draw.choice("011"),
                                    "community_code": draw.choice(COMMUNITIES)} | born)  # fmt: skip
            links[HOUSEHOLD, f"r{i}"] = person
        if i % 6 == 0:
            rows[CHANGES].append({"household_change_id": f"c{i}", "household_change_code": draw.choice("124"),
                                  "household_key": f"k{i // 3}",
                                  "change_date": date(2020, 1, 1) + timedelta(days=9 * i)} | born)  # fmt: skip
            links[CHANGES, f"c{i}"] = person
        if i % 10 == 0:
            rows[DEATHS].append({"death_certificate_number": f"d{i}", "death_date": date(2025, 5, 5)} | born)
            links[DEATHS, f"d{i}"] = person
    return rows, links


def a_day(draw: random.Random, rows: Rows, links: dict[tuple[str, str], str]) -> set[str]:
    """Records said otherwise, gone, and given to another person; returns the persons it concerns."""
    touched = households_change(draw, rows[HOUSEHOLD], links)
    for feed in (HEALTH, CHANGES):
        for row in draw.sample(rows[feed], 4):
            row["sex_code"] = "2" if row["sex_code"] == "1" else "1"
            touched.add(links[feed, row[KEYS[feed]]])
    gone = draw.choice(rows[DEATHS])
    rows[DEATHS].remove(gone)
    touched.add(links.pop((DEATHS, gone["death_certificate_number"])))
    for record in draw.sample(sorted(links), 3):  # some persons are merged by this, or are gone
        other = draw.choice(sorted(set(links.values()) | {"p900"}))
        touched |= {links[record], other}
        links[record] = other
    lost = draw.choice(sorted(set(links.values())))  # a person all of whose records are another's now
    for record, person in links.items():
        if person == lost:
            links[record] = "p901"
    return touched | {lost, "p901"}


def households_change(draw: random.Random, rows: list[dict[str, Any]], links: dict[tuple[str, str], str]) -> set[str]:
    """Households lose members and gain some, get another head, come and go; returns the persons it concerns."""
    one, other, third = draw.sample(sorted({r["household_key"] for r in rows}), 3)
    said = [r for r in rows if r["household_key"] == one]  # nobody is left in it
    for row in said:
        row["household_key"] = other
    said += draw.sample([r for r in rows if r["household_key"] == third], 1)
    said[-1]["family_relation_code"] = "1" if said[-1]["family_relation_code"] == "0" else "0"
    moved, left = draw.sample([r for r in rows if r not in said], 2)
    moved["household_key"], moved["community_code"] = f"new {moved['household_key']}", draw.choice(COMMUNITIES)
    rows.remove(left)
    person = links.pop((HOUSEHOLD, left["resident_key"]))
    return {person} | {links[HOUSEHOLD, r["resident_key"]] for r in (*said, moved)}


def written(settings: Settings, links: dict[tuple[str, str], str], runs: dict[str, int]) -> None:
    """What linking leaves, of these links, after the newest of ``runs``."""
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
    done = CommitProperties(app_transactions=[Transaction(store.APP, max(runs.values(), default=1))])
    for name, made in tables.items():
        table = pa.Table.from_pylist(made, schema=store.schemas()[name])
        write_deltalake(settings.platform_path(name), table, mode="overwrite", commit_properties=done)


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
    through = [paths[t] for t in OF_PERSONS]
    assert {made_through(p) for p in through} == {1}
    for run in range(2, 2 + DAYS):
        runs |= dict.fromkeys(a_day(draw, rows, links), run)
        grade_check._passed.clear()  # as on another day: grades are traced when the tables are there
        (settings.build / "graded.json").unlink()
        by_day = made(first="population__residents")  # before what it reads: it waits for that
        assert {made_through(p) for p in through} == {run}
        assert {DeltaTable(paths[t]).history(1)[0]["strategy"] for t in (*OF_PERSONS, "households")} == {"remade"}
    DeltaTable(paths["residents"]).delete(
        "person_key = 'p901'"
    )  # somebody else's commit: the next build makes all anew
    assert made_through(paths["residents"]) is None
    for path in paths.values():
        shutil.rmtree(path)
    assert by_day == made(), f"seed {seed}"

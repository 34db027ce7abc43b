"""The registers of persons at any seed: who is who, what is untrue where, and what a day brings."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from demo import misspell
from demo.faults import Truth
from demo.places import Places
from demo.population_office import REGISTERS, PopulationOffice
from demo.truth import TruthFolder
from demo.world import make_world
from demo.writers import Drop
from quality.identifiers import upgrade_resident_id

AS_OF, DAYS, RESIDENTS = date(2026, 6, 30), 3, 9000
SEED = random.SystemRandom().randrange(1_000_000)
"""Another district each time; it stands in the message of a failing test."""


@dataclass(frozen=True)
class Persons:
    """The registers of persons of one small district, and the truth about them."""

    drop: Path
    people: dict[int, dict[str, Any]]
    records: dict[str, list[dict[str, Any]]]

    def health(self) -> list[tuple[dict[str, str], dict[str, Any]]]:
        """Each delivered health record beside its truth, oldest file first."""
        out = []
        truth = {(r["file"], r["row"]): r for r in self.records["health__records"]}
        for path in sorted((self.drop / "health/records").glob("*.ndjson")):
            for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                out.append((json.loads(line), truth[str(path.relative_to(self.drop)), n]))
        return out


def _make(folder: Path, faults: float) -> Persons:
    world = make_world(seed=SEED, as_of=AS_OF, residents=RESIDENTS, faults=faults)
    with TruthFolder(folder / "truth") as truth:
        places = Places(world)
        with PopulationOffice(world, Drop(folder / "drop"), Truth(rate=faults), truth, DAYS) as office:
            for community in world.communities:
                office.take(places.doors(community))
    people = {p["person"]: p for p in pq.read_table(folder / "truth/people.parquet").to_pylist()}
    records = {f.stem: pq.read_table(f).to_pylist() for f in sorted((folder / "truth/records").glob("*.parquet"))}
    return Persons(folder / "drop", people, records)


@pytest.fixture(scope="module")
def persons(tmp_path_factory: pytest.TempPathFactory) -> Persons:
    return _make(tmp_path_factory.mktemp("persons"), 0.02)


@pytest.fixture(scope="module")
def untidy(tmp_path_factory: pytest.TempPathFactory) -> Persons:
    return _make(tmp_path_factory.mktemp("untidy"), 0.10)


pytestmark = pytest.mark.slow


def test_everybody_is_known_once_and_the_former_besides(persons: Persons) -> None:
    status = Counter(p["status"] for p in persons.people.values())
    assert status["settled"] + status["floating"] == RESIDENTS, SEED
    assert 0.03 < (status["dead"] + status["left"]) / RESIDENTS < 0.08
    assert len({p["resident_id"] for p in persons.people.values()}) == len(persons.people)
    assert all((p["ended_date"] is None) == (p["status"] in ("settled", "floating")) for p in persons.people.values())
    for p in persons.people.values():
        assert p["birth_date"] <= p["entered_date"] <= (p["ended_date"] or AS_OF), SEED
        if p["spouse_person"]:
            other = persons.people[p["spouse_person"]]
            assert (other["spouse_person"], other["wed_date"]) == (p["person"], p["wed_date"])


def test_every_register_covers_a_part_of_them(persons: Persons) -> None:
    assert set(persons.records) == {r.feed for r in REGISTERS}
    covered = {f: {r["person"] for r in rows} for f, rows in persons.records.items()}
    for feed, who in covered.items():
        assert who - {0} <= set(persons.people), feed
    assert 0.6 < len(covered["health__records"]) / RESIDENTS < 0.95
    assert 0.55 < len(covered["social_security__insured"]) / RESIDENTS < 0.95
    assert len(covered["disabled_federation__certificates"]) < 0.06 * RESIDENTS
    none = [r["id_form"] == "none" for r in persons.records["housing__occupants"]]
    assert 0.25 < sum(none) / len(none) < 0.55


def test_a_record_without_a_fault_tells_the_truth(persons: Persons) -> None:
    latest: dict[str, tuple[dict[str, str], dict[str, Any]]] = {}
    for row, truth in persons.health():
        latest[row["jkdabh"]] = (row, truth)
    checked = 0
    for row, truth in latest.values():
        p = persons.people[truth["person"]]
        if truth["fault"]:
            continue
        checked += 1
        assert row["xm"] == p["person_name"], SEED
        assert row["csrq"] == f"{p['birth_date']:%Y%m%d}"
        assert row["xbdm"] == p["sex_code"]
        if truth["id_form"] in ("valid", "fifteen"):
            assert upgrade_resident_id(row["sfzjhm"]) == p["resident_id"]
            assert len(row["sfzjhm"]) == (15 if truth["id_form"] == "fifteen" else 18)
        if p["status"] in ("settled", "floating"):
            assert (row["xzz"], row["brdh"]) == (p["residence_address"], p["phone"]), SEED
        assert (row["dazt"] == "死亡") == (p["status"] == "dead")
    assert checked > 0.85 * len(latest)


def test_a_record_with_a_fault_does_not(untidy: Persons) -> None:
    """What is told to be wrong is wrong in the delivered record itself."""
    seen: Counter[str] = Counter()
    for row, truth in untidy.health():
        p, fault = untidy.people[truth["person"]], truth["fault"]
        number = row["sfzjhm"]
        whole = len(number) == 18 and misspell.checks(number)
        wrong = {
            "name_by_sound": row["xm"] != p["person_name"] and len(row["xm"]) == len(p["person_name"]),
            "name_by_shape": row["xm"] != p["person_name"] and len(row["xm"]) == len(p["person_name"]),
            "name_swapped": sorted(row["xm"]) == sorted(p["person_name"]) and row["xm"] != p["person_name"],
            "name_familiar": row["xm"] != p["person_name"],
            "id_missing": number == "",
            "id_wrong": number not in ("", p["resident_id"]) and not whole,
            "id_of_other": number != p["resident_id"] and whole,
            "sex_wrong": row["xbdm"] != p["sex_code"],
            "birth_wrong": row["csrq"] != f"{p['birth_date']:%Y%m%d}",
            "address_stale": p["moved_date"] is not None and row["xgsj"] < f"{p['moved_date']} 24",
            "phone_stale": row["brdh"] != p["phone"],
            "dead_listed": p["status"] == "dead" and row["dazt"] == "在管",
            "left_listed": p["status"] == "left" and row["dazt"] == "在管",
        }
        if fault in wrong:
            seen[fault] += 1
            assert wrong[fault], (fault, SEED)
    assert len(seen) == 13, seen


def test_faults_grow_with_the_rate(persons: Persons, untidy: Persons) -> None:
    def share(of: Persons, feed: str) -> float:
        rows = of.records[feed]
        return sum(bool(r["fault"]) for r in rows) / len(rows)

    for feed in ("health__records", "social_security__insured", "housing__occupants", "public_security__household"):
        few, many = share(persons, feed), share(untidy, feed)
        assert 0.015 < few < 0.07, (feed, SEED)
        assert 2.5 * few < many < 7 * few, (feed, SEED)


def test_each_day_has_its_changes(persons: Persons) -> None:
    first = AS_OF - timedelta(days=DAYS)
    names = [f"household_{first + timedelta(days=n):%Y%m%d}.csv" for n in range(DAYS + 1)]
    seen: dict[str, str] = {}
    for n, name in enumerate(names):
        day = first + timedelta(days=n)
        with (persons.drop / "public_security/household" / name).open(encoding="gb18030", newline="") as f:
            rows = [r for r in list(csv.reader(f))[1:] if len(r) == 13 and len(r[0]) == 18]
        if n:
            assert 0.004 < len(rows) / RESIDENTS < 0.03, SEED
            assert {r[12][:10] for r in rows} == {day.isoformat()}
            assert any(r[0] in seen for r in rows)
            assert any(r[0] not in seen for r in rows)
        for r in rows:
            assert seen.get(r[0], "") <= r[12] < f"{day + timedelta(days=1)}"
            seen[r[0]] = r[12]


def test_deaths_stand_in_both_registers_of_events(persons: Persons) -> None:
    changed = {r["person"] for r in persons.records["public_security__household_changes"]}
    dead = {p for p, v in persons.people.items() if v["status"] == "dead"}
    assert len(dead & changed) > 0.9 * len(dead)
    deaths = {r["person"] for r in persons.records["civil_affairs__deaths"]}
    assert deaths <= dead
    assert len(deaths) > 0.9 * len(dead)


def test_marriages_name_both_and_divorces_a_stranger(persons: Persons) -> None:
    pairs: dict[str, dict[str, int]] = defaultdict(dict)
    for r in persons.records["civil_affairs__marriages"]:
        pairs[r["record"]][r["role"]] = r["person"]
    strangers = 0
    for pair in pairs.values():
        assert set(pair) == {"husband", "wife"}
        husband, wife = pair["husband"], pair["wife"]
        if husband and wife:
            assert persons.people[husband]["spouse_person"] == wife
            assert (persons.people[husband]["sex_code"], persons.people[wife]["sex_code"]) == ("1", "2")
        else:
            strangers += 1
    assert 0 < strangers < 0.5 * len(pairs)


def test_misspellings_keep_their_kind() -> None:
    from pypinyin import lazy_pinyin

    rng = np.random.default_rng()
    for name in ("王建国", "李秀英", "张伟", "欧阳明", "刘梓涵"):
        by_ear = {misspell.by_sound(name, rng) for _ in range(30)} - {name}
        assert by_ear
        heard = [sorted(lazy_pinyin(n)) for n in by_ear]
        assert sum(h == sorted(lazy_pinyin(name)) for h in heard) >= 0.8 * len(heard)  # some characters sound two ways
        assert all(sum(a != b for a, b in zip(n, name, strict=True)) == 1 for n in by_ear)
        assert {misspell.by_shape(name, rng) for _ in range(30)} - {name}
    assert misspell.swapped("欧阳明", rng) == "明欧阳"
    assert misspell.fifteen("11010519491231002X") == "110105491231002"
    assert not any(misspell.checks(misspell.wrong_digit("11010519491231002X", rng)) for _ in range(200))
    for day in ("1950-03-07", "2024-02-29", "1999-12-31"):
        assert all(misspell.wrong_day(np.datetime64(day), rng) < np.datetime64(day) + 365 for _ in range(40))

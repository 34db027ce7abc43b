"""A day's change looks at whom it may concern, and at nobody else; what it leaves is what all anew comes to."""

from __future__ import annotations

from collections.abc import Callable, Container
from datetime import date, timedelta
from typing import Any

import pytest

from catalog.settings import Settings
from warehouse.duck import connect
from warehouse.linking import run as linking_run
from warehouse.linking import store
from warehouse.linking import write as linking_write
from warehouse.linking.blocking import KEYS, blocks_sql

from .conftest import HEALTH, HOUSING, INSURED, MARRIAGES, NOW, Register, health, identities, insured, people

pytestmark = pytest.mark.slow

Links = Callable[[], dict[tuple[str, str, str], str]]
LATER = NOW + timedelta(days=1)


def in_two_registers(register: Register, *, unnumbered: Container[int] = ()) -> tuple[list[Any], list[Any]]:
    """Three hundred people, and their rows of the first of two registers; the second has no number of some."""
    base = people(300)
    register(HEALTH, rows := [health(f"h{i}", **p) for i, p in enumerate(base)])
    register(INSURED, [insured(f"s{i}", **p | ({"resident_id": None} if i in unnumbered else {}))
                       for i, p in enumerate(base)])  # fmt: skip
    return base, rows


@pytest.mark.parametrize("rule", KEYS)
def test_two_records_share_the_blocks_of_the_keys_they_share(rule: str) -> None:
    """By every rule: two records that have its columns in common, and nothing else, meet by it and its like alone."""
    columns = sorted({c.removeprefix("substr(").split(",")[0] for key in KEYS.values() for c in key})
    alike = {c.removeprefix("substr(").split(",")[0] for c in KEYS[rule]}
    with connect() as con:
        rows = [tuple(c * 9 if c in alike else side * 20 + c for c in columns) for side in "ab"]
        con.execute(f"CREATE TABLE t ({', '.join(f'{c} VARCHAR' for c in columns)})")
        con.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(columns))})", rows)
        sql = f"SELECT string_split({blocks_sql()}, ' ') FROM t"
        one, two = (set(blocks) for (blocks,) in con.execute(sql, ["salt"] * len(KEYS)).fetchall())
        other = con.execute(sql, ["another"] * len(KEYS)).fetchone()
    shared = [r for r, key in KEYS.items() if {c.removeprefix("substr(").split(",")[0] for c in key} <= alike]
    assert rule in shared
    assert (len(one), len(one & two)) == (len(KEYS), len(shared))
    assert other
    assert not one & set(other[0]), "nobody makes them who does not have the key"


def test_what_persons_are_not_linked_by_opens_nobody_else(
    register: Register,
    link: Any,
    links: Links,
    settings: Settings,
) -> None:
    _, rows = in_two_registers(register, unnumbered=range(5, 300, 50))
    link()
    before, said = store.read(settings, store.LINKS, "ORDER BY ALL"), identities(settings)
    for i in (5, 6):
        rows[i] |= {"health_record_status_code": "9", "_loaded_at": LATER}
    register(HEALTH, rows)
    done = link(1)
    assert (done.mode, done.compared, done.records) == ("changes", 0, 600)
    after = store.read(settings, store.LINKS, "ORDER BY ALL")
    assert {b["record_key"] for a, b in zip(before, after, strict=True) if a != b} == {"h5", "h6"}
    assert [a | {"content": 0} for a in before] == [b | {"content": 0} for b in after]
    assert identities(settings) == said
    changed = {r["person_key"] for r in store.read(settings, store.IDENTITIES) if r["changed_run"] == done.run}
    assert changed == {links()[HEALTH, f"h{i}", "self"] for i in (5, 6)}


def test_who_moves_and_is_known_by_a_number_opens_nobody_else(
    register: Register, link: Any, links: Links, settings: Settings
) -> None:
    """Not so where the number is one register's alone and does not tell the birth, or another person states it."""
    base = people(300)
    rows = [health(f"h{i}", **p) for i, p in enumerate(base)]
    register(HEALTH, rows)
    others = [insured(f"s{i}", **p) for i, p in enumerate(base[:200])]
    others[9] |= {"person_name": "司马相如", "birth_date": date(1931, 1, 1), "resident_id": base[8]["resident_id"]}
    others[7] |= {"resident_id": None}
    register(INSURED, others)
    link()
    before, said = links(), identities(settings)
    moved = {"residence_address": "天桥南大街7号院2号楼3室", "community_code": "110102001004"}
    for day, numbers, seen in ((1, (5, 250), 0), (2, (7, 8, 251), 6)):
        for i in numbers:
            rows[i] |= moved | {"phone": f"1370000{i:04d}", "_loaded_at": NOW + timedelta(days=day)}
        rows[251] |= {"birth_date": base[251]["birth_date"] + timedelta(days=day - 1)}
        register(HEALTH, rows)
        done = link(day)
        assert (done.mode, done.compared) == ("changes", seen)
    stepwise, now = links(), identities(settings)
    assert stepwise == before
    assert {p for p in said if said[p] != now[p]} == {before[HEALTH, "h251", "self"]}
    link(9, full=True)
    assert (links(), identities(settings)) == (stepwise, now)


def test_who_changes_the_community_opens_whom_it_finds_by_it(
    register: Register, link: Any, links: Links, settings: Settings
) -> None:
    """A person has a record without a number too: it matters where the community it says is the old or the new one."""
    old, new = "110102001004", "110102001007"
    base = people(300)
    rows = [health(f"h{i}", community_code=old, **p) for i, p in enumerate(base)]
    register(HEALTH, rows)
    said: list[dict[str, Any]] = [
        {k: p[k] for k in ("person_name", "phone", "residence_address")} | {"birth_year": p["birth_date"].year}
        for p in base[:4]
    ]
    said[3] = {"person_name": base[3]["person_name"]}
    there = ("110102001001", old, new, old)
    register(HOUSING, [{"occupancy_number": f"o{i}", "updated_at": NOW, "community_name": place} | one
                       for i, (one, place) in enumerate(zip(said, there, strict=True))])  # fmt: skip
    link()
    before = links()
    assert [before[HOUSING, f"o{i}", "self"] == before[HEALTH, f"h{i}", "self"] for i in range(3)] == [True] * 3
    for day, seen in enumerate((0, 2, 2, None)):
        rows[day] |= {"community_code": new, "_loaded_at": NOW + timedelta(days=day + 1)}
        register(HEALTH, rows)
        done = link(day + 1)
        assert done.mode == "changes"
        assert seen in (done.compared, None)
    stepwise, told = links(), identities(settings)
    link(9, full=True)
    assert (links(), identities(settings)) == (stepwise, told)


def test_one_without_a_number_is_looked_at_when_a_change_may_be_theirs(
    register: Register,
    link: Any,
    links: Links,
    settings: Settings,
) -> None:
    """The household moves to where somebody nobody knows an ID of lives, with the same birth; others stay unseen."""
    base = people(300)
    register(HEALTH, rows := [health(f"h{i}", **p) for i, p in enumerate(base)])
    moved = {"residence_address": "天桥南大街7号院2号楼3室", "phone": "13912345678", "resident_id": None}
    lone = [insured(f"s{i}", **(p | {"residence_address": f"白纸坊街{i}号院1号楼1室", "phone": None, "resident_id": None,
            "birth_date": date(1931, 1, 1) + timedelta(days=i), "person_name": "司徒" + "甲乙丙丁戊己庚辛壬癸"[i % 10]}))
            for i, p in enumerate(base[:40])]  # fmt: skip
    known = base[77] | {"person_name": base[77]["person_name"][:2], "birth_date": base[77]["birth_date"]}
    register(INSURED, [*lone, insured("s77", **known | moved | {"birth_date": date(1999, 9, 9)})])
    link()
    assert links()[INSURED, "s77", "self"] != links()[HEALTH, "h77", "self"]
    rows[77] |= {k: moved[k] for k in ("residence_address", "phone")} | {"birth_date": date(1999, 9, 9)}
    rows[77] |= {"_loaded_at": LATER}
    register(HEALTH, rows)
    done = link(1)
    assert done.mode == "changes"
    assert links()[INSURED, "s77", "self"] == links()[HEALTH, "h77", "self"]
    assert done.compared < 10, "the forty that have nothing in common with it are not opened"


def test_who_stands_in_a_record_with_another_keeps_all_their_records(
    register: Register,
    link: Any,
    links: Links,
    settings: Settings,
) -> None:
    base, rows = in_two_registers(register)
    wife = base[10] | {"sex_code": "2"}
    row = {
        "marriage_number": "m1",
        "husband_name": base[9]["person_name"],
        "husband_resident_id": base[9]["resident_id"],
    }
    row |= {"wife_name": wife["person_name"], "wife_birth_date": wife["birth_date"], "updated_at": NOW}
    register(MARRIAGES, [row | {"wife_phone": wife["phone"], "residence_address": wife["residence_address"]}])
    link()
    before, said = links(), identities(settings)
    rows[9] |= {"residence_address": "天桥南大街7号院2号楼3室", "_loaded_at": LATER}
    register(HEALTH, rows)
    assert link(1).mode == "changes"
    assert links() == before
    assert identities(settings) == said
    assert said[before[HEALTH, "h10", "self"]][3] in (2, 3)


def test_a_run_that_died_is_done_again_and_comes_to_the_same(
    register: Register,
    link: Any,
    links: Links,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed before the links are written: identities stand already, the links do not."""
    base, rows = in_two_registers(register)
    link()
    before = links()
    rows[3] |= {"resident_id": None, "phone": None, "residence_address": None, "_loaded_at": LATER}
    rows[4] |= {"resident_id": base[5]["resident_id"], "_loaded_at": LATER}
    rows[8] |= {"community_code": "110102001004", "_loaded_at": LATER}
    del rows[20]
    register(HEALTH, rows)
    change = linking_write._change

    def dies(con: Any, settings: Any, table: str, *args: Any, **more: Any) -> int:
        if table == store.LINKS:
            raise KeyboardInterrupt
        return change(con, settings, table, *args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(linking_write, "_change", dies)
        with pytest.raises(KeyboardInterrupt):
            link(1)
    assert links() == before
    assert link(1).mode == "changes"
    stepwise, said = links(), identities(settings)
    assert len(stepwise) == 599
    last = store.last_run(settings)
    assert last is not None
    monkeypatch.setattr(linking_run, "learn", lambda _: linking_run._model_of(last))
    link(2, full=True)
    assert links() == stepwise
    assert identities(settings) == said

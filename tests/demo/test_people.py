"""Residents: valid numbers, families whose ages and sexes fit, codes the contracts know."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import date, timedelta

from catalog.registry import Catalog
from tests.demo.conftest import District

AS_OF = date(2026, 6, 30)
BASE = "public_security/household/household_20260629.csv"


def _valid(number: str) -> bool:
    """GB 11643 once more, written as the standard's sum: S = Σ aᵢ·2^(18-i) ≡ 1 (mod 11)."""
    values = [10 if c == "X" else int(c) for c in number]
    return sum(v * pow(2, 17 - i, 11) for i, v in enumerate(values)) % 11 == 1


def test_resident_ids_are_valid_and_tell_birth_and_sex(district: District) -> None:
    for p in district.table("residents.csv"):
        number = p["resident_id"]
        assert re.fullmatch(r"[1-6]\d{16}[\dX]", number)
        assert _valid(number)
        assert number[6:14] == p["birth_date"].replace("-", "")
        assert int(number[16]) % 2 == int(p["sex_code"]) % 2


def test_the_check_itself_knows_the_standards_examples() -> None:
    assert _valid("11010519491231002X")
    assert _valid("440524188001010014")
    assert not _valid("110105194912310021")


def test_old_xuanwu_numbers_end_in_2010(district: District) -> None:
    old = [p for p in district.table("residents.csv") if p["resident_id"].startswith("110104")]
    assert old
    assert max(p["birth_date"] for p in old) < "2010-07-01"
    assert {int(p["street_code"][-3:]) >= 13 for p in old} == {True}


def test_people_come_from_many_places(district: District) -> None:
    provinces = {p["resident_id"][:2] for p in district.table("residents.csv")}
    assert len(provinces) > 15


def test_households_hold_together(district: District) -> None:
    header = _header(district)
    rows = [dict(zip(header, r, strict=True)) for r in _clean(district)]
    homes: dict[str, list[dict[str, str]]] = defaultdict(list)
    for r in rows:
        homes[r["户号"]].append(r)
    pairs = 0
    for members in homes.values():
        head = [m for m in members if m["与户主关系"] == "户主"]
        assert len(head) <= 1
        spouse = [m for m in members if m["与户主关系"] in ("夫", "妻", "配偶")]
        if head and spouse:
            pairs += 1
            assert head[0]["性别"] != spouse[0]["性别"]
        if head:
            born = _born(head[0])
            for child in (m for m in members if m["与户主关系"] in ("子", "女")):
                assert _born(child) - born > timedelta(days=17 * 365)
                assert child["婚姻状况"] == "未婚"
            for parent in (m for m in members if m["与户主关系"] in ("父亲", "母亲")):
                assert born - _born(parent) > timedelta(days=15 * 365)
    assert pairs > 100


def test_the_district_is_old_as_a_city_centre_is(district: District) -> None:
    ages = sorted((AS_OF - date.fromisoformat(p["birth_date"])).days / 365.25 for p in district.table("residents.csv"))
    assert ages[0] >= 0
    assert ages[-1] < 105
    share_old = sum(a >= 60 for a in ages) / len(ages)
    share_young = sum(a < 15 for a in ages) / len(ages)
    assert 0.15 < share_old < 0.38
    assert 0.07 < share_young < 0.20


def test_codes_of_clean_rows_are_known_to_the_contract(district: District, catalog: Catalog) -> None:
    rows = _clean(district)
    header = _header(district)
    for field in catalog.fields("public_security__household"):
        if not field.code_list:
            continue
        values = catalog.code_list(field.code_list)
        known = {*field.spec.codes, *values.by_name(), *values.codes, ""}
        place = header.index(field.spec.from_[0])
        assert {r[place] for r in rows} <= known, field.name


def test_the_increment_holds_newer_rows_of_known_people_and_newcomers(district: District) -> None:
    base = {r[0]: r for r in district.rows(BASE, "gb18030")[1:]}
    path = BASE.replace("0629", "0630")
    bad = district.faulty(path)
    rows = [r for i, r in enumerate(district.rows(path, "gb18030")[1:], start=1) if i not in bad]
    known = [r for r in rows if r[0] in base]
    assert known
    assert len(known) < len(rows)
    assert all(r[12] > base[r[0]][12] for r in known)


def test_final_table_counts_people_once(district: District) -> None:
    totals = district.summary.feeds["public_security__household"]
    settled = sum(p["status"] == "settled" for p in district.table("residents.csv"))
    assert settled * 0.96 < totals.table_rows < settled


def _header(district: District) -> list[str]:
    return district.rows(BASE, "gb18030")[0]


def _clean(district: District) -> list[list[str]]:
    bad = district.faulty(BASE)
    return [r for i, r in enumerate(district.rows(BASE, "gb18030")[1:], start=1) if i not in bad]


def _born(row: dict[str, str]) -> date:
    return date.fromisoformat(row["出生日期"].replace("/", "-"))

"""Residents in households: who lives where, with ages, sexes, kinship and papers that fit.

Made community by community (``Population.community``), so that 1.1 million people stream
through in the memory of one community.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo.identifiers import SequenceNumbers, landline_numbers, mobile_numbers, resident_ids
from demo.names import given_names, surnames
from demo.places import Doors, rooms
from demo.world import DATA, Community, World

Array = NDArray[Any]

HEAD, SPOUSE, CHILD, PARENT = 0, 1, 2, 3
FLOATING_SHARE = 0.12
GONE_SHARE = 0.055
"""Former residents for each present one: who died or left within the years the registers look back."""
GONE_DEAD = 0.6

# weight, members, two ranges of the head's age with the share of the first
HOUSEHOLDS: tuple[tuple[float, tuple[int, ...], float, tuple[int, int], tuple[int, int]], ...] = (
    (0.26, (HEAD,), 0.40, (22, 45), (55, 93)),
    (0.24, (HEAD, SPOUSE), 0.30, (25, 45), (53, 88)),
    (0.25, (HEAD, SPOUSE, CHILD), 0.75, (28, 50), (50, 62)),
    (0.05, (HEAD, SPOUSE, CHILD, CHILD), 0.95, (31, 47), (47, 52)),
    (0.07, (HEAD, CHILD), 0.60, (30, 52), (55, 80)),
    (0.08, (HEAD, SPOUSE, CHILD, PARENT), 0.90, (31, 55), (55, 62)),
    (0.02, (HEAD, SPOUSE, CHILD, PARENT, PARENT), 0.95, (30, 45), (45, 55)),
    (0.03, (HEAD, PARENT), 0.50, (28, 45), (45, 65)),
)
FLOATING_HOUSEHOLDS: tuple[tuple[float, tuple[int, ...], float, tuple[int, int], tuple[int, int]], ...] = (
    (0.62, (HEAD,), 0.80, (18, 40), (40, 62)),
    (0.25, (HEAD, SPOUSE), 0.75, (23, 42), (42, 62)),
    (0.13, (HEAD, SPOUSE, CHILD), 0.90, (27, 42), (42, 50)),
)
MEMBERS = 5

# upper age of the band, then shares of 研究生 大学本科 大学专科 中专 高中 初中 小学
EDUCATION = (
    (35, (0.17, 0.52, 0.18, 0.05, 0.05, 0.03, 0.00)),
    (60, (0.10, 0.38, 0.22, 0.08, 0.12, 0.09, 0.01)),
    (130, (0.03, 0.19, 0.15, 0.09, 0.22, 0.24, 0.08)),
)
EDUCATION_NAMES = np.array(["研究生教育", "大学本科", "大专", "中专", "高中", "初中", "小学"])
ETHNIC = (("汉族", 0.945), ("满族", 0.024), ("回族", 0.018), ("蒙古族", 0.005), ("朝鲜族", 0.003), ("土家族", 0.002),
          ("壮族", 0.001), ("苗族", 0.001), ("维吾尔族", 0.001))  # fmt: skip


@dataclass(frozen=True)
class People:
    """Residents of one community; arrays of equal length, row grain: one person.

    ``person`` numbers the people of the district from 1, ``household`` its households.
    ``door`` points into the community's doors. Text columns read as the register writes them.
    ``gone`` tells those who do not live here any more, ``dead`` or ``left``: they are numbered from the
    district's residents on. ``spouse`` and ``guardian`` are places in these arrays, -1 for none.
    """

    community: Community
    person: Array
    household: Array
    role: Array
    male: Array
    birth: Array
    age: Array
    name: Array
    resident_id: Array
    ethnic: Array
    relation: Array
    education: Array
    marital: Array
    phone: Array
    door: Array
    address: Array
    floating: Array
    origin: Array
    gone: Array
    spouse: Array
    guardian: Array

    def __len__(self) -> int:
        return len(self.person)

    @property
    def here(self) -> Array:
        """Who lives in the district on its last day."""
        return self.gone == ""


@lru_cache(maxsize=1)
def areas() -> tuple[Array, Array, Array]:
    """Codes, places and cumulative weights of first registration outside the district."""
    import csv

    with (DATA / "areas.csv").open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    weight = np.array([float(r["weight"]) for r in rows])
    return np.array([int(r["code"]) for r in rows]), np.array([r["place"] for r in rows]), weight / weight.sum()


class Population:
    """Makes the residents of one community after another and numbers them through."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sequence = SequenceNumbers()
        self.people = 0
        self.former = 0
        self.households = 0

    def community(self, doors: Doors) -> People:
        """The people behind ``doors``: exactly ``community.residents`` who live there, and who did before them."""
        community = doors.community
        rng = self._world.rng("people", community.index)
        # rounded over all communities so far: a small district has visitors too
        before, after = self.people, self.people + community.residents
        floaters = round(after * FLOATING_SHARE) - round(before * FLOATING_SHARE)
        former = round(after * GONE_SHARE) - round(before * GONE_SHARE)
        settled = _households(rng, HOUSEHOLDS, community.residents - floaters + former)
        visiting = _households(rng, FLOATING_HOUSEHOLDS, floaters)
        household = np.concatenate([settled[0], visiting[0] + (settled[0].max(initial=-1) + 1)])
        role, head_age = (np.concatenate([a, b]) for a, b in zip(settled[1:], visiting[1:], strict=True))
        floating = np.arange(len(role)) >= len(settled[0])
        return self._fill(rng, doors, household, role, head_age, floating, former)

    def _fill(
        self, rng: np.random.Generator, doors: Doors, household: Array, role: Array, head_age: Array, floating: Array,
        former: int,
    ) -> People:  # fmt: skip
        world, n = self._world, len(role)
        homes = int(household.max(initial=-1)) + 1
        second = np.concatenate([[False], (role[1:] == role[:-1]) & (household[1:] == household[:-1])])
        age = _ages(rng, role, head_age)
        male = _sexes(rng, household, role, second, homes, age)
        birth = np.datetime64(world.as_of) - (age * 365.2425).astype(int)
        year = birth.astype("datetime64[Y]").astype(int) + 1970
        name = np.strings.add(_family_names(rng, household, role, male, homes), given_names(rng, male, year))
        area, place = _areas(rng, doors.community, household, birth, age, floating, homes)
        ids = resident_ids(area, birth, self._sequence.take(area, birth.astype(int), male))
        door = rng.integers(0, len(doors.lane), homes)
        room = rooms(rng, doors.flats[door])
        base = np.array([doors.short(i) for i in range(len(doors.lane))])
        address = np.strings.add(base[door], room)[household]
        gone = _gone(rng, age, floating, former)
        here = gone == ""
        person = np.where(here, self.people + np.cumsum(here), world.residents + self.former + np.cumsum(~here))
        spouse = _spouses(household, role, second, homes)
        widowed = (spouse >= 0) & (gone[spouse] == "dead")
        marital = _marital(rng, role, age, np.bincount(household, minlength=homes)[household], second, household)
        made = People(
            community=doors.community,
            person=person,
            household=self.households + 1 + household,
            role=role,
            male=male,
            birth=birth,
            age=age,
            name=name,
            resident_id=ids,
            ethnic=_ethnic(rng, doors.community, household, homes),
            relation=_relations(rng, role, male),
            education=_education(rng, age),
            marital=np.where(widowed, "丧偶", marital),
            phone=_phones(rng, age),
            door=door[household],
            address=address,
            floating=floating,
            origin=place,
            gone=gone,
            spouse=spouse,
            guardian=_guardians(rng, household, role, homes),
        )
        self.people += n - former
        self.former += former
        self.households += homes
        return made


def _households(rng: np.random.Generator, kinds: Any, people: int) -> tuple[Array, Array, Array]:
    """Household number, role and head's age of each of ``people`` members."""
    if people == 0:
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0)
    weight = np.array([k[0] for k in kinds])
    kind = rng.choice(len(kinds), people, p=weight / weight.sum())
    table = np.full((len(kinds), MEMBERS), -1)
    for i, k in enumerate(kinds):
        table[i, : len(k[1])] = k[1]
    first = rng.random(people) < np.array([k[2] for k in kinds])[kind]
    low = np.where(first, np.array([k[3][0] for k in kinds])[kind], np.array([k[4][0] for k in kinds])[kind])
    high = np.where(first, np.array([k[3][1] for k in kinds])[kind], np.array([k[4][1] for k in kinds])[kind])
    head_age = low + (high - low) * rng.beta(1.6, 1.7, people)
    roles = table[kind]
    keep = roles >= 0
    household = np.repeat(np.arange(people), keep.sum(axis=1))[:people]
    return household, roles[keep][:people], head_age[household]


def _ages(rng: np.random.Generator, role: Array, head: Array) -> Array:
    n = len(role)
    gap = rng.normal(28.5, 3.8, n).clip(20, 44)
    young = head - np.minimum(gap, np.maximum(head - rng.random(n) * 4, 19.5))
    age = np.select(
        [role == SPOUSE, role == CHILD, role == PARENT],
        [(head + rng.normal(-1.2, 2.6, n)).clip(20.5, 97), young.clip(0.01, 60), (head + gap).clip(48, 99)],
        head,
    )
    return age


def _sexes(rng: np.random.Generator, household: Array, role: Array, second: Array, homes: int, age: Array) -> Array:
    n = len(role)
    old = np.zeros(homes, bool)
    old[household[(role == HEAD) & (age > 60)]] = True
    couple = np.bincount(household[role == SPOUSE], minlength=homes) > 0
    head = rng.random(homes) < np.where(couple, 0.68, np.where(old, 0.40, 0.50))
    parent = rng.random(homes) < 0.32
    child = rng.random(n) < 0.52
    male = np.select(
        [role == HEAD, role == SPOUSE, role == PARENT],
        [head[household], ~head[household], np.where(second, ~parent[household], parent[household])],
        child,
    )
    return male.astype(bool)


def _family_names(rng: np.random.Generator, household: Array, role: Array, male: Array, homes: int) -> Array:
    family = surnames(rng, homes)
    own = surnames(rng, len(role))
    heads_own = family.copy()
    woman_head = (role == HEAD) & ~male
    heads_own[household[woman_head]] = own[woman_head]
    name = np.where((role == CHILD) | (male & (role != PARENT)), family[household], own)
    return np.where(male & (role == PARENT), heads_own[household], name)


def _gone(rng: np.random.Generator, age: Array, floating: Array, former: int) -> Array:
    """``dead`` for some, the older the likelier; ``left`` for others below 70; "" for all the rest."""
    gone = np.full(len(age), "", dtype="U4")
    weight = np.where(floating, 0.0, np.exp((age - 60) * 0.085))
    dead = min(round(former * GONE_DEAD), int((weight > 0).sum()))
    if dead:
        gone[rng.choice(len(age), dead, replace=False, p=weight / weight.sum())] = "dead"
    rest = np.flatnonzero((gone == "") & ~floating)
    young = rest[age[rest] < 70]
    rest = young if len(young) >= former - dead else rest
    gone[rng.choice(rest, former - dead, replace=False)] = "left"
    return gone


def _spouses(household: Array, role: Array, second: Array, homes: int) -> Array:
    """Place of each person's husband or wife in the same household, -1 for none."""
    places = np.arange(len(role))
    out = np.full(len(role), -1)
    for one, other in (((role == HEAD), (role == SPOUSE)), ((role == PARENT) & ~second, (role == PARENT) & second)):
        at = np.full(homes, -1)
        at[household[other]] = places[other]
        mine = places[one]
        partner = at[household[mine]]
        mine, partner = mine[partner >= 0], partner[partner >= 0]
        out[mine], out[partner] = partner, mine
    return out


def _guardians(rng: np.random.Generator, household: Array, role: Array, homes: int) -> Array:
    """Place of a child's mother or father, -1 for who is no child of the house."""
    places = np.arange(len(role))
    head, spouse = np.full(homes, -1), np.full(homes, -1)
    head[household[role == HEAD]] = places[role == HEAD]
    spouse[household[role == SPOUSE]] = places[role == SPOUSE]
    parent = np.where((spouse[household] >= 0) & (rng.random(len(role)) < 0.5), spouse[household], head[household])
    return np.where(role == CHILD, parent, -1)


def _areas(
    rng: np.random.Generator,
    community: Community,
    household: Array,
    birth: Array,
    age: Array,
    floating: Array,
    homes: int,
) -> tuple[Array, Array]:
    """Area code of first registration, and its place; the old 宣武区 before 2010-07 in the south."""
    codes, places, weight = areas()
    n = len(age)
    pick = rng.choice(len(codes), homes, p=weight)[household]
    away = np.where(codes // 10_000 == 11, 0.0, weight)
    pick = np.where(floating, rng.choice(len(codes), homes, p=away / away.sum())[household], pick)
    south = int(community.street.code[-3:]) >= 13
    home = np.where(birth < np.datetime64("2010-07-01"), 110104 if south else 110102, 110102)
    local = ~floating & (rng.random(n) < np.where(age < 25, 0.88, np.where(age < 60, 0.52, 0.60)))
    return np.where(local, home, codes[pick]), np.where(local, "北京市西城区", places[pick])


def _ethnic(rng: np.random.Generator, community: Community, household: Array, homes: int) -> Array:
    names = np.array([n for n, _ in ETHNIC])
    share = np.array([s for _, s in ETHNIC])
    if community.street.code == "110102018":  # 牛街: a Hui neighbourhood
        share = share + np.where(names == "回族", 0.18, 0.0)
    of_home = rng.choice(len(names), homes, p=share / share.sum())
    own = np.where(rng.random(len(household)) < 0.93, of_home[household], 0)
    return names[own]


def _relations(rng: np.random.Generator, role: Array, male: Array) -> Array:
    plain = rng.random(len(role)) < 0.1
    return np.select(
        [role == HEAD, (role == SPOUSE) & plain, role == SPOUSE, role == CHILD],
        ["户主", "配偶", np.where(male, "夫", "妻"), np.where(male, "子", "女")],
        np.where(male, "父亲", "母亲"),
    )


def _education(rng: np.random.Generator, age: Array) -> Array:
    out = np.full(len(age), "", dtype="U5")
    draw = rng.random(len(age))
    low = 22.0
    for high, shares in EDUCATION:
        band = (age >= low) & (age < high)
        level = np.searchsorted(np.cumsum(shares), draw[band], side="right").clip(0, 6)
        out[band] = EDUCATION_NAMES[level]
        low = high
    for since, text in ((6, "小学"), (12, "初中"), (15, "高中"), (18, "大学本科")):
        out[(age >= since) & (age < 22)] = text
    return out


def _marital(rng: np.random.Generator, role: Array, age: Array, size: Array, second: Array, household: Array) -> Array:
    n = len(role)
    draw = rng.random(n)
    married = np.select([draw < 0.72, draw < 0.92, draw < 0.96], ["已婚", "初婚", "再婚"], "已婚有配偶")
    couple = np.bincount(household[role == SPOUSE], minlength=household.max(initial=0) + 1)[household] > 0
    both = np.bincount(household[second & (role == PARENT)], minlength=household.max(initial=0) + 1)[household] > 0
    alone = np.select(
        [age < 35, age < 60],
        [np.where(draw < 0.85, "未婚", "离婚"), np.select([draw < 0.4, draw < 0.9], ["未婚", "离婚"], "丧偶")],
        np.select([draw < 0.06, draw < 0.28], ["未婚", "离婚"], "丧偶"),
    )
    parent_alone = np.where((size > 1) & (draw < 0.8), "离婚", "丧偶")
    is_pair = ((role <= SPOUSE) & couple) | ((role == PARENT) & both)
    return np.select(
        [is_pair, role == CHILD, role == PARENT, (role == HEAD) & (size > 1)],
        [married, "未婚", "丧偶", np.where(age < 28, "未婚", parent_alone)],
        alone,
    )


def _phones(rng: np.random.Generator, age: Array) -> Array:
    n = len(age)
    mobile, fixed, draw = mobile_numbers(rng, n), landline_numbers(rng, n), rng.random(n)
    return np.select(
        [age < 13, draw < 0.06, (age > 60) & (draw < 0.32)],
        [np.full(n, ""), np.full(n, ""), fixed],
        mobile,
    )

"""What happens to entities: former names, branches, closing down, owners; and organisations that are no enterprises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from demo.entities import Contact, Entity, Renaming
from demo.identifiers import credit_code, organisation_codes, registration_number
from demo.world import World, word_list

BRANCH_SHARE, RENAMED_SHARE, CLOSED_SHARE = 0.06, 0.08, 0.05
ORGANISATIONS_SHARE = 0.045
_FIRST_ORGANISATION = 40_000_000


def lived(world: World, entities: Sequence[Entity]) -> list[Entity]:
    """The entities with branches among them, former names, old registration numbers, and some closed."""
    rng = world.rng("entity_lives")
    data, extra = word_list("trades.yaml"), word_list("organisations.yaml")
    n = len(entities)
    branch, renamed, closed = (rng.random(n) < s for s in (BRANCH_SHARE, RENAMED_SHARE, CLOSED_SHARE))
    taken = {e.name for e in entities}
    made: list[Entity] = []
    for i, entity in enumerate(entities):
        parent = made[int(rng.integers(len(made)))] if branch[i] and made else None
        if parent is not None and _may_have_branches(parent):
            place = extra["branch_places"][int(rng.integers(len(extra["branch_places"])))]
            name = f"{parent.name}{place}分公司"
            if name not in taken:
                taken.add(name)
                since = max(parent.registered, entity.registered)
                entity = replace(
                    entity, name=name, kind="分公司", capital="N/A", registered=since, parent=parent.number
                )
        elif renamed[i] and "分公司" not in entity.name:
            entity = replace(entity, former=_former(world, rng, entity, data, taken))
        if entity.registered < "2015-10-01":
            entity = replace(entity, registration=registration_number("110102", entity.number + world.seed * 100_000))
        if closed[i]:
            entity = replace(entity, closed=_closed(world, rng, entity))
        made.append(entity)
    return made


def _may_have_branches(entity: Entity) -> bool:
    return entity.name.endswith("公司") and not entity.parent and not entity.former and "分公司" not in entity.name


def _former(world: World, rng: np.random.Generator, entity: Entity, data: Any, taken: set[str]) -> tuple[Renaming, ...]:
    """One or two names of before, each with the day it ended; another own word, or the same with another trade."""
    days = _between(rng, entity.registered, str(np.datetime64(world.as_of) - 30), 1 + int(rng.random() < 0.2))
    out = []
    for day in days:
        while True:
            brand = "".join(data["brand_chars"][int(k)] for k in rng.integers(0, len(data["brand_chars"]), 3))
            trade = data["trades"][int(rng.integers(len(data["trades"])))]["words"][0]
            name = f"北京{brand}{trade}{'有限公司' if rng.random() < 0.8 else '有限责任公司'}"
            if name not in taken:
                break
        taken.add(name)
        out.append(Renaming(name=name, until=day))
    return tuple(out)


def _between(rng: np.random.Generator, first: str, last: str, count: int) -> list[str]:
    """``count`` days in order, all after ``first``; none when there is no room."""
    span = int((np.datetime64(last) - np.datetime64(first)).astype(int))
    if span <= count + 1:
        return []
    days = np.sort(rng.choice(np.arange(1, span), count, replace=False))
    return [str(np.datetime64(first) + int(d)) for d in days]


def _closed(world: World, rng: np.random.Generator, entity: Entity) -> tuple[str, str]:
    """``8`` revoked or ``9`` deregistered, and the day; nothing for one that has just begun."""
    first = entity.former[-1].until if entity.former else entity.registered
    days = _between(rng, first, str(np.datetime64(world.as_of) - 2), 1)
    return ("8" if rng.random() < 0.3 else "9", days[0]) if days else ("", "")


def make_organisations(world: World, people: Sequence[Contact], first: int) -> list[Entity]:
    """Social organisations and public institutions; numbers go on from ``first``."""
    rng = world.rng("organisations")
    data = word_list("organisations.yaml")
    chars = word_list("trades.yaml")["brand_chars"]
    n = max(60, round(world.entities * ORGANISATIONS_SHARE))
    codes = organisation_codes(_FIRST_ORGANISATION + np.arange(n) + 1_000 * world.seed, np.zeros(n, bool))
    social = np.arange(n) < n * 2 // 3
    taken: set[str] = set()
    out = []
    for i in range(n):
        kinds = data["social" if social[i] else "institutions"]
        weight = np.array([float(k["weight"]) for k in kinds])
        kind = kinds[int(rng.choice(len(kinds), p=weight / weight.sum()))]
        owner, home = people[int(rng.integers(len(people)))], people[int(rng.integers(len(people)))]
        name = _organisation_name(world, rng, kind, chars, taken)
        days = int(45 * 365 * (1 - rng.beta(1.4, 2.0)))
        out.append(
            Entity(
                number=first + i,
                name=name,
                uscc=credit_code(kind.get("prefix", "12"), "110102", codes[i]),
                organisation=codes[i],
                registered=str(np.datetime64("1981-01-05") + days),
                kind=kind.get("type", "事业单位"),
                industry=kind["industry"],
                capital=str(int(rng.choice([3, 5, 10, 30, 50, 100, 200]))),
                scope=kind.get("sponsor", "北京市西城区民政局"),
                address=home.address,
                street=home.street,
                owner=owner,
                form="social_organisation" if social[i] else "institution",
            )
        )
    return out


def _organisation_name(world: World, rng: np.random.Generator, kind: Any, chars: str, taken: set[str]) -> str:
    topics = kind.get("topics", [""])
    while True:
        pattern = kind["names"][int(rng.integers(len(kind["names"])))]
        street = world.streets[int(rng.integers(len(world.streets)))].name.removesuffix("街道")
        brand = "".join(chars[int(k)] for k in rng.integers(0, len(chars), 2 + int(rng.random() < 0.3)))
        name = str(
            pattern.format(
                topic=topics[int(rng.integers(len(topics)))],
                street=street,
                brand=brand,
                number=int(rng.integers(1, 300)),
            )
        )
        if name in taken and "{brand}" not in pattern:
            name += f"第{'二三四五六七八九'[int(rng.integers(8))]}分部"
        if name not in taken:
            taken.add(name)
            return name


Holding = tuple[Entity, "Contact | Entity", float]
"""A company, one of its shareholders, and the share in per cent."""


def holdings(world: World, entities: Sequence[Entity], people: Sequence[Contact]) -> list[Holding]:
    """Who owns which company: people, other companies, and a few rings of companies that own each other."""
    rng = world.rng("shareholders")
    companies = [e for e in entities if not e.parent and e.name.endswith("公司") and "分公司" not in e.name]
    out: list[Holding] = []
    rings = {}
    for start in range(0, len(companies) - 4, max(60, len(companies) // 12)):
        size = 2 + int(rng.integers(3))
        for k in range(size):
            rings[start + k] = companies[start + (k + 1) % size]
    for i, company in enumerate(companies):
        count = 1 + int(rng.integers(3))
        cuts = np.sort(rng.integers(5, 96, count - 1)) if count > 1 else np.zeros(0, int)
        shares = np.diff(np.concatenate([[0], cuts, [100]]))
        owners: list[Contact | Entity] = [rings[i]] if i in rings else []
        owners.append(company.owner)
        while len(owners) < count:
            owners.append(_owner(rng, company, companies, people))
        seen: set[str] = set()
        for owner, share in zip(owners, shares.tolist(), strict=False):
            key = owner.resident_id if isinstance(owner, Contact) else owner.uscc
            if share > 0 and key not in seen:
                seen.add(key)
                out.append((company, owner, float(share)))
    return out


def _owner(rng: np.random.Generator, company: Entity, companies: Sequence[Entity], people: Sequence[Contact]) -> Any:
    """A person, or in one case of four another company."""
    other = companies[int(rng.integers(len(companies)))]
    return other if rng.random() < 0.25 and other is not company else people[int(rng.integers(len(people)))]

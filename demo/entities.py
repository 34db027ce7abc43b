"""Legal entities of the district and the registry that lists them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from demo.faults import DUPLICATE, RAGGED_LONG, Fault, Row, put, rewrite
from demo.identifiers import break_check, credit_code, organisation_codes
from demo.world import World, word_list

ENTERPRISE_HEADER: tuple[str, ...] = (
    "企业名称",
    "统一社会信用代码",
    "注册日期",
    "企业类型",
    "法人代表",
    "注册资金",
    "经营范围",
    "所在省份",
    "地区",
    "注册地址",
)


@dataclass(frozen=True)
class Contact:
    """A resident as other registers know them: legal representative, owner, caller.

    ``person`` is the number in ``truth/residents.csv``.
    """

    person: int
    name: str
    resident_id: str
    phone: str
    address: str
    street: str
    community: str


@dataclass(frozen=True)
class Renaming:
    """A name an entity had, and the day from which it has another."""

    name: str
    until: str


@dataclass(frozen=True)
class Entity:
    """A registered organisation. ``number`` counts from 1; ``organisation`` has nine characters.

    ``form``: ``enterprise``, ``social_organisation`` or ``institution``; ``registration``: the 15-digit number of
    before the credit codes; ``former``: names of before, oldest first; ``parent``: number of the entity it is a branch
    of, 0 for none; ``closed``: code of the change (8 revoked, 9 deregistered) and its day.
    """

    number: int
    name: str
    uscc: str
    organisation: str
    registered: str
    kind: str
    industry: str
    capital: str
    scope: str
    address: str
    street: str
    owner: Contact
    form: str = "enterprise"
    registration: str = ""
    former: tuple[Renaming, ...] = ()
    parent: int = 0
    closed: tuple[str, str] = ("", "")

    def name_on(self, day: str) -> str:
        """What the entity was called on a day (ISO date)."""
        return next((f.name for f in self.former if day < f.until), self.name)


def make_entities(world: World, people: Sequence[Contact]) -> list[Entity]:
    """The district's entities, owned by and housed among ``people``."""
    rng = world.rng("entities")
    n = world.entities
    data = word_list("trades.yaml")
    trades, forms = data["trades"], data["forms"]
    trade = _draw(rng, trades, n)
    form = _draw(rng, forms, n)
    days = (45 * 365 * (1 - rng.beta(1.1, 2.4, n))).astype(int)
    registered = np.datetime64("1981-01-05") + days
    new_style = registered >= np.datetime64("2015-10-01")
    organisations = organisation_codes(np.arange(n) + 1_000 * world.seed, new_style)
    own_area = rng.random(n) < 0.86
    owners = rng.integers(0, len(people), n)
    homes = rng.integers(0, len(people), n)
    taken: set[str] = set()
    out = []
    for i in range(n):
        one_trade, one_form = trades[trade[i]], forms[form[i]]
        area = "110102" if own_area[i] else "110000"
        home = people[homes[i]]
        out.append(
            Entity(
                number=i + 1,
                name=_name(rng, data["brand_chars"], one_trade, one_form["name"], taken),
                uscc=credit_code("91", area, organisations[i]),
                organisation=organisations[i],
                registered=str(registered[i]),
                kind=one_form["type"] if rng.random() < 0.55 else "N/A",
                industry=one_trade["industry"],
                capital=_capital(rng, data["capital_forms"]),
                scope=_scope(rng, one_trade["scope"]),
                address=home.address,
                street=home.street,
                owner=people[owners[i]],
            )
        )
    return out


def _draw(rng: np.random.Generator, choices: Any, count: int) -> Any:
    weight = np.array([float(c["weight"]) for c in choices])
    return rng.choice(len(choices), count, p=weight / weight.sum())


def _name(rng: np.random.Generator, chars: str, trade: Any, form: str, taken: set[str]) -> str:
    """A name no other entity has; brackets half or full width, as registers mix them."""
    while True:
        length = 2 if rng.random() < 0.6 else 3
        brand = "".join(chars[int(k)] for k in rng.integers(0, len(chars), length))
        word = trade["words"][int(rng.integers(len(trade["words"])))]
        draw = rng.random()
        if "北京" in form:
            name = f"{brand}{word}{form}"
        elif draw < 0.72:
            name = f"北京{brand}{word}{form}"
        elif draw < 0.82:
            name = f"北京市{brand}{word}{form}"
        else:
            name = f"{brand}（北京）{word}{form}" if draw < 0.95 else f"{brand}(北京){word}{form}"
        if name not in taken:
            taken.add(name)
            return name


def _capital(rng: np.random.Generator, forms: Any) -> str:
    text = forms[int(_draw(rng, forms, 1)[0])]["text"]
    steps = np.array([3, 10, 30, 50, 100, 100, 200, 300, 500, 500, 1000, 1000, 2000, 3000, 5000, 10000, 50000])
    return str(text.format(n=int(rng.choice(steps))))


def _scope(rng: np.random.Generator, phrases: list[str]) -> str:
    count = int(rng.integers(1, len(phrases) + 1))
    text = "；".join(phrases[int(k)] for k in rng.permutation(len(phrases))[:count])
    return text + (
        "。（依法须经批准的项目，经相关部门批准后依批准的内容开展经营活动。）" if rng.random() < 0.4 else "。"
    )


def enterprise_faults(people: Sequence[Contact]) -> tuple[Fault, ...]:
    """Faults of the registry; a personal ID in the code column comes from ``people``."""

    def personal(row: Row, at: dict[str, int], rng: np.random.Generator) -> Row:
        number = people[int(rng.integers(len(people)))].resident_id
        while credit_code(number[:2], number[2:8], number[8:17]) == number:  # one in 31 passes as a credit code
            number = people[int(rng.integers(len(people)))].resident_id
        row[at["统一社会信用代码"]] = number
        return row

    return (
        rewrite("bad_checksum_uscc", "统一社会信用代码", break_check),
        rewrite("scientific_uscc", "统一社会信用代码", lambda _: "9.11E+17"),
        Fault("personal_id_as_uscc", "统一社会信用代码", "quarantined", personal),
        put("missing_required", "企业名称", ""),
        put("impossible_date", "注册日期", "30/12/1899"),
        put("future_date", "注册日期", "2099-12-31"),
        DUPLICATE,
        RAGGED_LONG,
        put("na_token", "注册地址", "N/A", "loaded"),
    )


def enterprise_row(entity: Entity) -> Row:
    return [
        entity.name,
        entity.uscc,
        entity.registered,
        entity.kind,
        entity.owner.name,
        entity.capital,
        entity.scope,
        "北京",
        "西城",
        entity.address,
    ]


def enterprise_changes(world: World, rows: list[Row], touched: set[int]) -> list[Row]:
    """About three entities in a hundred with a new name, capital or legal representative."""
    rng = world.rng("enterprise_changes")
    out = []
    for i in np.flatnonzero(rng.random(len(rows)) < 0.03).tolist():
        if i in touched:
            continue
        row = list(rows[i])
        kind = int(rng.integers(3))
        if kind == 0:
            row[0] = row[0].replace("有限责任公司", "有限公司").replace("北京市", "北京").replace("(北京)", "（北京）")
        elif kind == 1:
            row[5] = f"{int(rng.integers(2, 80)) * 50}(万元人民币)"
        else:
            row[4] = rows[int(rng.integers(len(rows)))][4]
        out.append(row)
    return out

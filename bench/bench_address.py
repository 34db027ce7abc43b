"""Addresses matched against a generated district: a million writings, one in ten disturbed, exact and false answers.

The book holds the doors of a district of the scale's size; each writing is a door's standard address, with or without
street, unit and room. Disturbed ones have a slip in the name, a character lost, full-width digits, the old district's
name, a lane without 胡同, words in brackets. The yardstick column stays empty: the target is in seconds.
"""

from __future__ import annotations

import random
from datetime import date
from typing import TYPE_CHECKING, Any

from bench.harness import compare

if TYPE_CHECKING:
    from quality.addresses.book import Standard
    from quality.addresses.match import Matcher

ADDRESSES = 1_000_000
RESIDENTS = 1_100_000
TARGET_S = 60.0
NOISE = 0.10
FLATS = ("", "", "3单元502室", "2门301号", "5单元1201室", "1单元101室")


def run(scale: float = 1.0) -> list[dict[str, Any]]:
    """A million addresses at ``scale`` 1 against a district of 1.1 million people."""
    rows = max(2000, int(ADDRESSES * scale))
    residents = max(2000, int(RESIDENTS * scale))
    args = {"rows": rows, "residents": residents}
    label = f"match {rows / 1e6:g} M addresses"
    row = compare(
        label, ours="bench.bench_address:match_all", args=args, rows=rows, target=TARGET_S * max(scale, 0.05), runs=3
    )
    exact, false = quality(min(rows, 50_000), residents)
    row["name"] = f"{label}; of those {exact:.1%} exact, {false:.2%} false"
    row["ok"] = bool(row["ok"]) and exact >= 0.98 and false <= 0.005
    return [row]


def match_all(rows: int, residents: int) -> float:
    """Seconds to match ``rows`` writings; making the book and the writings is not counted."""
    import time

    matcher, standards = district(residents)
    texts = [text for text, _ in writings(standards, rows, seed=1)]
    start = time.perf_counter()
    matcher.match_many(texts)
    return time.perf_counter() - start


def quality(rows: int, residents: int) -> tuple[float, float]:
    """Shares of writings answered with their own address, and with another."""
    matcher, standards = district(residents)
    asked = writings(standards, rows, seed=2)
    found = matcher.match_many([text for text, _ in asked])
    answers = [(m.address_id, s.address_id) for m, (_, s) in zip(found, asked, strict=True)]
    exact = sum(a == b for a, b in answers)
    return exact / rows, sum(bool(a) and a != b for a, b in answers) / rows


def district(residents: int) -> tuple[Matcher, list[Standard]]:
    """A matcher over the doors of a generated district, and the doors."""
    from demo.places import Places
    from demo.world import make_world
    from quality.addresses.book import Community, Standard, make_book
    from quality.addresses.match import Matcher

    world = make_world(seed=1, as_of=date(2026, 6, 30), residents=residents, faults=0.0)
    places, standards, communities = Places(world), [], []
    for c in world.communities:
        communities.append(Community(c.code, c.name, c.street.code, c.street.name.removesuffix("街道")))
        doors = places.doors(c)
        for i in range(len(doors.lane)):
            standards.append(
                Standard(
                    f"{c.street.code}{len(standards):07d}",
                    doors.standard(i),
                    doors.lane[i],
                    doors.number[i],
                    street_code=c.street.code,
                    community_code=c.code,
                    longitude=float(doors.lon[i]),
                    latitude=float(doors.lat[i]),
                )
            )
    return Matcher(make_book(standards, (), communities)), standards


def writings(standards: list[Standard], rows: int, *, seed: int) -> list[tuple[str, Standard]]:
    """Standard addresses as people write them, ``NOISE`` of them disturbed, with the door each means."""
    rng = random.Random(seed)
    out = []
    for _ in range(rows):
        s = standards[rng.randrange(len(standards))]
        text = s.standard_address
        if rng.random() < NOISE:
            text = disturb(text, s.name, rng)
        out.append((text + rng.choice(FLATS), s))
    return out


def disturb(text: str, name: str, rng: random.Random) -> str:
    """``text`` with one of eight faults."""
    at = rng.randrange(max(1, len(name) - 1))
    faults = (
        lambda: text.replace(name, name[:at] + rng.choice("柏樟枫泰霖琨") + name[at + 1 :]) if len(name) > 2 else text,
        lambda: text.replace(name, name[:at] + name[at + 1 :]) if len(name) > 2 else text,
        lambda: text.replace("北京市西城区", ""),
        lambda: text.translate(str.maketrans("0123456789", "０１２３４５６７８９")).replace("号", " 号 "),
        lambda: text.replace("胡同", "").replace("街道", "街道办事处"),
        lambda: text.replace("北京市西城区", "北京市宣武区"),
        lambda: text + "（平房）",
        lambda: text.replace("号院", "号").replace("北京市", "北京"),
    )
    return rng.choice(faults)()

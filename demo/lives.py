"""What happened to people in the last years: births, arrivals, moves, new telephones, weddings, deaths, departures.

Registers are pictures of these lives at the time a record was last touched: a record older than a move shows
the address of before. What is true on the last day stands in ``truth/people.parquet``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo.identifiers import mobile_numbers
from demo.people import PARENT, People
from demo.world import World

Array = NDArray[Any]

YEARS = 6
"""How far back deaths, departures and changes of household are told."""
ELSEWHERE = 0.12
"""Settled households that live in another home than where they are registered (人户分离)."""
MOVED, REPHONED = 0.22, 0.30
"""Households that moved within the district, people with another telephone, in these years."""
ARRIVED = 0.18
DAILY_MOVES, DAILY_PHONES = 0.0008, 0.003
NEVER = np.datetime64("NaT", "D")


@dataclass(frozen=True)
class Lives:
    """The lives of ``people``; arrays of equal length, row grain: one person.

    Dates are ``datetime64[D]``, NaT for what did not happen. ``home`` and ``before`` are addresses of residence now
    and before ``moved``; ``home_at`` and ``before_at`` the communities they lie in, places in ``world.communities``.
    ``registered_at``: the community of the household register. ``apart``: registered elsewhere than where they
    live, so a move changes the residence alone.
    """

    people: People
    registered_at: Array
    entered: Array
    ended: Array
    moved: Array
    home: Array
    home_at: Array
    before: Array
    before_at: Array
    apart: Array
    rephoned: Array
    phone_before: Array
    wed: Array

    def residence(self, who: Array, at: Array) -> tuple[Array, Array]:
        """Address and community in which the people at ``who`` lived at the times ``at``."""
        old = at < self.moved[who]  # NaT compares false
        return np.where(old, self.before[who], self.home[who]), np.where(old, self.before_at[who], self.home_at[who])

    def registered(self, who: Array, at: Array) -> tuple[Array, Array]:
        """Address and community in which they were registered."""
        old = (at < self.moved[who]) & ~self.apart[who]
        return (
            np.where(old, self.before[who], self.people.address[who]),
            np.where(old, self.before_at[who], self.registered_at[who]),
        )

    def phone(self, who: Array, at: Array) -> Array:
        return np.where(at < self.rephoned[who], self.phone_before[who], self.people.phone[who])


def together(parts: list[Lives]) -> Lives:
    """The lives of several communities as one; ``people.community`` is the first of them."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(len(p.people) for p in parts[:-1])])
    joined: dict[str, Any] = {"community": parts[0].people.community}
    for f in fields(People):
        if f.name in ("spouse", "guardian"):
            places = [getattr(p.people, f.name) for p in parts]
            joined[f.name] = np.concatenate(
                [np.where(at >= 0, at + start, -1) for at, start in zip(places, starts, strict=True)]
            )
        elif f.name != "community":
            joined[f.name] = np.concatenate([getattr(p.people, f.name) for p in parts])
    own = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Lives) if f.name != "people"}
    return Lives(people=People(**joined), **own)


class Biographer:
    """Tells the lives of one community after another; remembers some homes of earlier ones for moves between them.

    Args:
        days: days up to the last one that daily deliveries tell of; more happens in them, so that there is news.
    """

    def __init__(self, world: World, days: int) -> None:
        self._world, self._days = world, days
        self._homes: Array = np.zeros(0, dtype="U60")
        self._at: Array = np.zeros(0, dtype=int)

    def tell(self, people: People) -> Lives:
        world, n = self._world, len(people)
        rng = world.rng("lives", people.community.index)
        today = np.datetime64(world.as_of, "D")
        _, homes = np.unique(people.household, return_inverse=True)
        count = int(homes.max(initial=-1)) + 1
        self._keep(rng, people)
        entered = self._entered(rng, people, homes, count, today)
        ended = _ended(rng, people, entered, today)
        apart_home = (rng.random(count) < ELSEWHERE)[homes] & ~people.floating
        elsewhere = rng.integers(0, len(self._homes), count)[homes]
        before = rng.integers(0, len(self._homes), count)[homes]
        moved = self._dates(rng, count, MOVED, DAILY_MOVES, today)[homes]
        moved = np.where((moved > entered + 30) & ~(moved >= ended), moved, NEVER)
        rephoned = self._dates(rng, n, REPHONED, DAILY_PHONES, today)
        has_phone = (people.phone != "") & (rephoned > people.birth + 366 * 14) & ~(rephoned >= ended)
        here = people.community.index
        return Lives(
            people=people,
            registered_at=np.full(n, here),
            entered=entered,
            ended=ended,
            moved=moved,
            home=np.where(apart_home, self._homes[elsewhere], people.address),
            home_at=np.where(apart_home, self._at[elsewhere], here),
            before=self._homes[before],
            before_at=self._at[before],
            apart=apart_home,
            rephoned=np.where(has_phone, rephoned, NEVER),
            phone_before=np.where(people.phone == "", "", mobile_numbers(rng, n)),
            wed=_weddings(rng, people, today),
        )

    def _keep(self, rng: np.random.Generator, people: People) -> None:
        """Homes to move from or to: this community's, and some of every earlier one."""
        some = rng.integers(0, len(people), min(len(people), 60))
        self._homes = np.concatenate([self._homes, people.address[some].astype("U60")])[-4000:]
        self._at = np.concatenate([self._at, np.full(len(some), people.community.index)])[-4000:]

    def _entered(self, rng: np.random.Generator, people: People, homes: Array, count: int, today: Any) -> Array:
        """Since when somebody lives in the district: birth for most, the arrival of the household for others."""
        new = rng.random(count) < ARRIVED
        arrival = today - rng.integers(40, 365 * YEARS, count)
        visiting = today - rng.integers(40, 3000, count)
        came = np.where(new, arrival, np.datetime64("1900-01-01"))[homes]
        came = np.where(people.floating, visiting[homes], came)
        return np.maximum(came, people.birth)

    def _dates(self, rng: np.random.Generator, count: int, share: float, daily: float, today: Any) -> Array:
        """A date within the last years for a share of ``count``; in the days of news, more of them."""
        old = np.where(
            rng.random(count) < share, today - self._days - rng.integers(1, 365 * YEARS, count), NEVER
        )  # fmt: skip
        news = rng.random(count) < min(0.5, daily * self._days)
        return np.where(news, today - rng.integers(0, max(self._days, 1), count), old)


def _ended(rng: np.random.Generator, people: People, entered: Array, today: Any) -> Array:
    """Date of death or departure of those who are gone."""
    span = np.minimum((today - entered).astype(int), 365 * YEARS).clip(1)
    return np.where(people.here, NEVER, today - (rng.random(len(people)) * span).astype(int))


def _weddings(rng: np.random.Generator, people: People, today: Any) -> Array:
    """Wedding date of couples, the same for both; long ago for parents of the head."""
    n = len(people)
    paired = people.spouse >= 0
    other = np.where(paired, people.spouse, np.arange(n))
    younger = np.maximum(people.birth, people.birth[other])
    age = (20.5 + rng.gamma(4.0, 1.7, n))[np.minimum(np.arange(n), other)]
    wed = younger + (age * 365.25).astype(int)
    wed = np.where(wed > today - 1, NEVER, wed)
    return np.where(paired & (people.role != PARENT), wed, NEVER)

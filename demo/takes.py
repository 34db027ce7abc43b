"""Who stands in a register, since when, and what the clerk got wrong: the records of one community.

A record is made at ``first`` and touched ``again`` at most once in the days that daily deliveries tell of. What
changed in a life before a record was last touched is in it; a stale record was not touched since.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo import misspell
from demo.lives import Lives
from demo.world import World

Array = NDArray[Any]

WEIGHTS = {
    "name_by_sound": 0.18,
    "name_by_shape": 0.14,
    "name_swapped": 0.05,
    "name_familiar": 0.07,
    "id_missing": 0.10,
    "id_wrong": 0.12,
    "id_of_other": 0.02,
    "birth_wrong": 0.08,
    "sex_wrong": 0.05,
    "duplicate": 0.03,
}
"""Soft faults: the record loads, and says something untrue of a person. Shares of a register's soft faults."""
STALE = {"address_stale": 2.0, "phone_stale": 1.0}
"""Times the fault rate: share of the records of those who moved or changed telephones that stayed as they
were."""
LISTED_ON = 10.0
"""Times the fault rate: share of the dead and departed that a register still holds as if nothing had happened."""
TOUCHED, NEW = 0.006, 0.003
"""Records touched without a change of life, and persons new to a register, a day."""
LOOK_BACK = 3000
NEVER = np.datetime64("NaT", "s")
DAY = np.timedelta64(86_400, "s")


@dataclass(frozen=True)
class Habits:
    """How a register is kept.

    Attributes:
        cover: share of each person's chance to be in it (array over the people).
        kinds: soft faults that can happen; ``rate``: times the district's fault rate.
        without_id, fifteen: shares of records without a resident ID, and of those born before 2000 with the old one.
        closes: records of the dead and departed are closed; otherwise they are taken out.
        listed_on: times the fault rate, the share of them that is neither.
    """

    cover: Array
    kinds: tuple[str, ...] = (*WEIGHTS, *STALE)
    rate: float = 1.0
    without_id: Array | float = 0.0
    fifteen: float = 0.0
    closes: bool = False
    listed_on: float = LISTED_ON


@dataclass(frozen=True)
class Take:
    """Records of one register; arrays of equal length, row grain: one record.

    Attributes:
        who: places in the people of the community.
        fault: soft fault, "" for none; id_form: ``valid``, ``fifteen``, ``none``, ``wrong``, ``other``.
        first: time of the base record, NaT when it comes with a daily delivery only.
        again: time of the daily record, NaT for none; day: 1.. of that delivery, 0 for none.
        kind, date: of the event, where records are of events.
        second: the other person of each record, where it has two.
    """

    who: Array
    fault: Array
    id_form: Array
    name: Array
    number: Array
    birth: Array
    male: Array
    first: Array
    again: Array
    day: Array
    kind: Array = field(default_factory=lambda: np.zeros(0, dtype="U1"))
    date: Array = field(default_factory=lambda: np.zeros(0, dtype="datetime64[D]"))
    second: Take | None = None


def take(world: World, lives: Lives, habits: Habits, rng: np.random.Generator, days: int) -> Take:
    """The records of a register in one community."""
    people = lives.people
    base = np.datetime64(world.as_of, "D") - days
    chosen = np.flatnonzero(rng.random(len(people)) < habits.cover)
    fault = _faults(world, lives, habits, rng, chosen)
    gone = ~people.here[chosen]
    still = gone & (rng.random(len(chosen)) < min(0.9, habits.listed_on * world.faults))
    if not habits.closes:
        kept = ~gone | still | (lives.ended[chosen] > base)
        chosen, fault, gone, still = chosen[kept], fault[kept], gone[kept], gone[kept]
    fault = np.where(still, np.where(people.gone[chosen] == "dead", "dead_listed", "left_listed"), fault)
    again = fault == "duplicate"
    chosen = np.concatenate([chosen, chosen[again]])
    fault = np.concatenate([np.where(again, "", fault), fault[again]])
    first, later = _times(world, lives, habits, rng, chosen, fault, days)
    spoilt = _identity(lives, habits, rng, chosen, fault)
    day = np.where(np.isnat(later), 0, (later.astype("datetime64[D]") - base).astype(int))
    return Take(chosen, *spoilt, first, later, day)


def _faults(world: World, lives: Lives, habits: Habits, rng: np.random.Generator, chosen: Array) -> Array:
    """A soft fault for a share of the records, one at most each."""
    kinds, n = [k for k in habits.kinds if k in WEIGHTS], len(chosen)
    weight = np.array([WEIGHTS[k] for k in kinds])
    kind = np.array(kinds, dtype="U16")[rng.choice(len(weight), n, p=weight / weight.sum())]
    fault = np.where(rng.random(n) < world.faults * habits.rate, kind, "")
    changes = (("address_stale", lives.moved, lives.rephoned), ("phone_stale", lives.rephoned, lives.moved))
    for stale, changed, other in changes:
        if stale in habits.kinds:
            late = rng.random(n) < min(0.5, STALE[stale] * world.faults * habits.rate)
            # there was a record to be late, and nothing brought it up to date later; NaT compares false
            late &= (changed > lives.entered + 2)[chosen] & ~(other >= changed)[chosen] & lives.people.here[chosen]
            fault = np.where((fault == "") & late, stale, fault)
    return fault


def _times(
    world: World, lives: Lives, habits: Habits, rng: np.random.Generator, who: Array, fault: Array, days: int
) -> tuple[Array, Array]:
    """Times of the base record and of the daily one, to the second."""
    n = len(who)
    end = (np.datetime64(world.as_of, "D") - days).astype("datetime64[s]") + 64_800
    start = np.maximum(lives.entered[who].astype("datetime64[s]"), end - LOOK_BACK * DAY) + 30_000
    events: list[tuple[Array, Array]] = []
    listed: tuple[str, ...] = ("dead_listed", "left_listed") if habits.closes else ()
    missing: tuple[tuple[Array, tuple[str, ...]], ...] = (
        (lives.moved, ("address_stale", "duplicate")),
        (lives.rephoned, ("phone_stale",)),
        (lives.ended, listed),  # whoever is taken out was last touched before
    )
    for date, stale in missing:
        at = date[who].astype("datetime64[s]") + rng.integers(30_000, 61_000, n)
        events.append((at, np.isin(fault, stale) if stale else np.ones(n, bool)))
    low, high = start, np.full(n, end)
    later = np.full(n, NEVER)
    for at, late in events:
        past = ~np.isnat(at) & (at < end)
        low = np.where(past & ~late, np.maximum(low, at), low)
        high = np.where(past & late, np.minimum(high, at - 61_000), high)  # before that day began
        news = ~np.isnat(at) & (at >= end) & ~late
        later = np.where(news, np.fmax(later, at), later)
    born_later = start >= end
    high = np.where(high <= low, low + 3_600, high)
    first = low + ((high - low).astype(np.int64) * (1 - rng.random(n) ** 2)).astype("timedelta64[s]")
    left_alone = np.isin(fault, ("address_stale", "phone_stale", "duplicate", "dead_listed", "left_listed"))
    plain = np.isnat(later) & ~left_alone & ~born_later & lives.people.here[who]
    draw, some_day = rng.random(n), (end + 50_000 + rng.integers(0, max(days, 1), n) * DAY).astype("datetime64[s]")
    new = plain & (draw < min(0.2, NEW * days))
    touched = plain & ~new & (draw < min(0.6, (NEW + TOUCHED) * days))
    some_day = some_day - 60_000 + rng.integers(30_000, 61_000, n) - 10_000
    later = np.where(born_later, np.fmax(later, start), np.where(new | touched, some_day, later))
    last = (np.datetime64(world.as_of, "D") + 1).astype("datetime64[s]") - 1
    later = np.minimum(later, last)
    first = np.where(new | born_later, NEVER, np.minimum(first, end))
    if days == 0:
        later = np.full(n, NEVER)
    return first, later


def _identity(
    lives: Lives, habits: Habits, rng: np.random.Generator, who: Array, fault: Array
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Fault, form of the ID, name, number, birth and sex as the records have them."""
    people, n = lives.people, len(who)
    fault = fault.copy()
    name, number = people.name[who].astype("U8"), people.resident_id[who].astype("U18")
    birth, male = people.birth[who].copy(), people.male[who].copy()
    form = np.full(n, "valid", dtype="U8")
    old = (rng.random(n) < habits.fifteen) & (birth < np.datetime64("2000-01-01"))
    form[old & (fault == "")] = "fifteen"
    form[(rng.random(n) < np.broadcast_to(np.asarray(habits.without_id), (len(people),))[who])] = "none"
    form[fault == "id_missing"] = "none"
    form[(fault == "id_wrong") & (form == "valid")] = "wrong"
    form[(fault == "id_of_other") & (form == "valid")] = "other"
    changes = {
        "name_by_sound": misspell.by_sound,
        "name_by_shape": misspell.by_shape,
        "name_swapped": misspell.swapped,
        "name_familiar": misspell.familiar,
    }
    for i in np.flatnonzero(np.isin(fault, list(changes))).tolist():
        name[i] = changes[str(fault[i])](str(name[i]), rng)
    for i in np.flatnonzero(form == "fifteen").tolist():
        number[i] = misspell.fifteen(str(number[i]))
    for i in np.flatnonzero(form == "wrong").tolist():
        number[i] = misspell.wrong_digit(str(number[i]), rng)
    for i in np.flatnonzero(form == "other").tolist():
        number[i] = people.resident_id[_neighbour(people.household, int(who[i]), rng)]
    for i in np.flatnonzero(fault == "birth_wrong").tolist():
        birth[i] = misspell.wrong_day(birth[i], rng)
    male = np.where(fault == "sex_wrong", ~male, male)
    number[form == "none"] = ""
    form[(form == "other") & (number == people.resident_id[who])] = "valid"
    same = np.isin(fault, list(changes)) & (name == people.name[who])
    same |= np.isin(fault, ("id_wrong", "id_of_other")) & ~np.isin(form, ("wrong", "other"))
    fault[same] = ""
    return fault, form, name, number, birth, male


def _neighbour(household: Array, at: int, rng: np.random.Generator) -> int:
    """Somebody of the same household, else whoever stands next to them on the list."""
    low, high = np.searchsorted(household, household[at], "left"), np.searchsorted(household, household[at], "right")
    others = [i for i in range(int(low), int(high)) if i != at]
    return others[int(rng.integers(len(others)))] if others else max(at - 1, 0)

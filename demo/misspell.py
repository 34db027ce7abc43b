"""Wrong spellings as people make them: names by sound, by shape, in another order or familiar; numbers and dates.

Every function takes one value and a random stream, and gives another value or, when it finds nothing to spoil,
the same one; callers look whether it changed.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from demo.identifiers import RESIDENT_CHECKS, RESIDENT_WEIGHTS
from demo.world import word_list

COMPOUND = ("欧阳", "司马", "上官", "诸葛")
"""Surnames of two characters."""


@lru_cache(maxsize=2)
def _alike(name: str) -> dict[str, str]:
    """Each character of a word list of groups, and the others of its groups."""
    out: dict[str, str] = {}
    for group in word_list(name)["groups"].split():
        chars = group.rpartition(":")[2]
        for char in chars:
            out[char] = out.get(char, "") + chars.replace(char, "")
    return out


def _exchange(name: str, others: dict[str, str], rng: np.random.Generator) -> str:
    """One character of the name replaced, the given name's rather than the surname's."""
    places = [i for i in range(len(name) - 1, -1, -1) if others.get(name[i])]
    if not places:
        return name
    at = places[int(rng.random() ** 2 * len(places))]
    choice = others[name[at]]
    return name[:at] + choice[int(rng.integers(len(choice)))] + name[at + 1 :]


def by_sound(name: str, rng: np.random.Generator) -> str:
    """``张伟`` as ``张威``."""
    return _exchange(name, _alike("homophones.yaml"), rng)


def by_shape(name: str, rng: np.random.Generator) -> str:
    """``张伟`` as ``张纬``."""
    return _exchange(name, _alike("lookalikes.yaml"), rng)


def split(name: str) -> tuple[str, str]:
    """Surname and given name."""
    cut = 2 if name[:2] in COMPOUND and len(name) > 2 else 1
    return name[:cut], name[cut:]


def swapped(name: str, rng: np.random.Generator) -> str:
    """Given name first, as forms made abroad have it."""
    family, given = split(name)
    return given + family


def familiar(name: str, rng: np.random.Generator) -> str:
    """What neighbours say: ``小张``, ``老王``, the given name alone, its last character doubled."""
    family, given = split(name)
    kind = int(rng.integers(4))
    if kind == 0:
        return "小" + family
    if kind == 1:
        return "老" + family
    return given if kind == 2 and len(given) > 1 else given[-1:] * 2


def wrong_digit(number: str, rng: np.random.Generator) -> str:
    """A resident ID with one digit of its serial mistyped or two neighbours exchanged; its check fails."""
    at = int(rng.integers(6, 16))
    if number[at] != number[at + 1] and rng.random() < 0.5:
        return number[:at] + number[at + 1] + number[at] + number[at + 2 :]
    digit = str((int(number[at]) + 1 + int(rng.integers(9))) % 10)
    return number[:at] + digit + number[at + 1 :]


def checks(number: str) -> bool:
    """Whether the check character of an 18-digit resident ID fits."""
    total = sum(int(c) * int(w) for c, w in zip(number[:17], RESIDENT_WEIGHTS, strict=True))
    return chr(RESIDENT_CHECKS[total % 11]) == number[17]


def wrong_day(day: np.datetime64, rng: np.random.Generator) -> np.datetime64:
    """A birth date with day and month exchanged, or the day or year off by a little; never of the future."""
    year, month, date = (int(x) for x in str(day).split("-"))
    kind = int(rng.integers(3))
    if kind == 0 and date <= 12 and date != month:
        return np.datetime64(f"{year:04d}-{date:02d}-{month:02d}")
    if kind == 1:
        return np.datetime64(f"{year - 1:04d}-{month:02d}-{min(date, 28):02d}")
    return day - int(rng.integers(1, 10))


def fifteen(number: str) -> str:
    """The resident ID as it was before 1999: no century, no check character. Only of those born before 2000."""
    return number[:6] + number[8:17]

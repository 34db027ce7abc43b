"""What a book says about the community of a place: each clue with its kind, and kinds weighed against each other.

``WEIGHTS`` are those of a conditional logit over the communities that any clue names, and none of them: fitted on a
real list of school enrolment areas, each of its areas asked with itself hidden (``bench/fit_addresses.py`` repeats
it and tells how good the answers are on areas that neither book nor weights have seen). A clue is no proof:
communities end in the middle of a lane, lists contradict each other.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from quality.addresses.areas import Piece
from quality.addresses.book import AddressBook, Area, label_of, locate
from quality.addresses.names import family
from quality.addresses.text import name_key

WEIGHTS: dict[str, float] = {
    "agree.2": 0.38,
    "agree.3": -1.11,
    "around.fine": 1.46,
    "around.second": 1.13,
    "around.wide": 3.36,
    "called": 1.58,
    "called.begins": 0.89,
    "called.begun": -0.43,
    "called.street": 1.32,
    "door": 2.92,
    "lane.shared": 0.63,
    "lane.single.1": -1.1,
    "lane.single.2": -0.44,
    "lane.single.3": -1.16,
    "like": 0.64,
    "middle": 2.69,
    "near.reach.0": 1.82,
    "near.reach.1": 0.93,
    "near.reach.2": -1.87,
    "near.reach.3": -1.02,
    "near.shared.beside": -0.45,
    "near.shared.between": 2.41,
    "near.single.beside": -1.03,
    "near.single.between": -1.08,
    "none": 0.82,
    "none.unplaced": 0.31,
    "none.unstated": -0.52,
    "prefix.long.shared": 0.19,
    "prefix.long.single": 0.94,
    "prefix.short.shared": 0.99,
    "prefix.short.single": 1.37,
    "series.shared": 1.21,
    "series.single.1": 1.69,
    "series.single.2": 2.0,
    "whole": 1.04,
}
"""Kind of clue to its weight, in log-odds at full strength; kinds that begin with ``none`` speak for no community."""

REACH_M = 700.0
"""Places farther away say nothing about a community; the district's are 200 to 800 m across."""
_GENEROUS = 1 + 1e-9
"""More than squares of distances may be off by."""
_NEAR_M = {"around.fine": 50.0, "around.wide": 150.0}
"""How fast the say of a place fades with its distance, metres."""
_MIDDLE_M = 200.0
"""The same for the middle of a community."""
_GAPS = (4, 12, 40, math.inf)
"""Numbers to the nearest known one of a lane: kinds ``near.reach.0`` to ``3``."""
_SOURCES = {
    "lane": "list",
    "whole": "list",
    "door": "list",
    "like": "list",
    "near": "list",
    "called": "name",
    "series": "names",
    "prefix": "names",
    "around": "place",
    "middle": "middle",
}
"""Independent sources of clues: two that name the same community are worth more, or less, than their sum."""


@dataclass
class Clues:
    """What is known of one number, lane or compound.

    Attributes:
        by: community (code, or name where no code is known) to kind of clue to strength, 0 to 1.
        is_stated: whether a list of areas names the lane; ``is_placed``: whether its position is known.
    """

    by: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    is_stated: bool = False
    is_placed: bool = False

    def add(self, kind: str, community: str, strength: float = 1.0) -> None:
        kinds = self.by[community]
        kinds[kind] = max(kinds.get(kind, 0.0), strength)


def clues(book: AddressBook, piece: Piece, key: str, hide: frozenset[str] = frozenset()) -> Clues:
    """Every reason the book has for the community of ``piece``.

    Args:
        key: key of the name under which the book knows the lane or compound, or under which it might.
        hide: areas to leave out (to fit weights, and to measure how good the answers are).
    """
    found = Clues()
    alias = name_key(piece.alias) if piece.alias else ""
    found.is_stated = _stated(book, piece, key, hide, found)
    if alias and alias != key:
        found.is_stated |= _stated(book, Piece(piece.alias), alias, hide, found)
    for name in dict.fromkeys((key, alias)):
        if name:
            _called(book, name, found)
    _series(book, key, hide, found)
    _begins_alike(book, key, hide, found)
    found.is_placed = _around(book, piece, key, alias, hide, found)
    return found


def gather(pieces: Sequence[Clues]) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Clues over the pieces of one address: means of their strengths by community, and what speaks for none."""
    count = len(pieces)
    by: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for piece in pieces:
        for community, kinds in piece.by.items():
            for kind, strength in kinds.items():
                by[community][kind] += strength / count
    for kinds in by.values():
        sources = {_SOURCES[kind.split(".")[0]] for kind, strength in kinds.items() if strength > 0.3}
        kinds |= {f"agree.{n}": 1.0 for n in (2, 3) if len(sources) >= n}
    none = {
        "none": 1.0,
        "none.unstated": sum(not p.is_stated for p in pieces) / count,
        "none.unplaced": sum(not p.is_placed for p in pieces) / count,
    }
    return by, none


def weigh(pieces: Sequence[Clues]) -> tuple[str, float]:
    """The likeliest community over the pieces of one address and its confidence, 0 to 1; ``("", 0)`` without clues."""
    if not any(p.by for p in pieces):
        return "", 0.0
    by, none = gather(pieces)
    scores = {community: _score(kinds) for community, kinds in by.items()}
    best = max(scores, key=lambda c: (scores[c], c))
    return best, 1.0 / sum(math.exp(s - scores[best]) for s in (*scores.values(), _score(none)))


def _score(kinds: dict[str, float]) -> float:
    return sum(WEIGHTS.get(kind, 0.0) * strength for kind, strength in kinds.items())


def _stated(book: AddressBook, piece: Piece, key: str, hide: frozenset[str], found: Clues) -> bool:
    """Areas of the same name: the number itself, its neighbours, or the lane as a whole."""
    areas = [a for a in book.spans.get(key, ()) if a.area_id not in hide]
    if not areas:
        return False
    lane = _shares(label for label, _ in {(label_of(a), a.area_id) for a in areas})
    listed = min(len({a.area_id for a in areas}), 3)
    single = "single" if len(lane) == 1 else "shared"
    for community, share in lane.items():
        found.add(f"lane.single.{listed}" if len(lane) == 1 else "lane.shared", community, share)
    same = [a for a in areas if _covers(a, piece)]
    exact = [a for a in same if a.stem == piece.stem and a.kind == piece.kind]
    if piece.building and any(a.building == piece.building for a in exact):
        exact = [a for a in exact if a.building == piece.building]
    if piece.lo is None:
        _add_shares(found, "whole", (a for a in areas if a.lo is None))
    elif exact:
        _add_shares(found, "door", exact)
    elif same:
        _add_shares(found, "like", same)
    else:
        _neighbour(areas, piece, single, found)
    return True


def _covers(area: Area, piece: Piece) -> bool:
    if area.lo is None or piece.lo is None or area.hi is None:
        return False
    side = area.parity if area.parity is not None else piece.parity
    return area.lo <= piece.lo <= area.hi and (side is None or piece.lo % 2 == side)


def _neighbour(areas: list[Area], piece: Piece, single: str, found: Clues) -> None:
    """The nearest number on the same side of the lane, and whether the next on the other hand agrees."""
    number = piece.lo or 0
    below: tuple[float, str] = (math.inf, "")
    above: tuple[float, str] = (math.inf, "")
    for area in areas:
        if area.lo is None or area.hi is None:
            continue
        if not ((area.lo != area.hi and area.parity is None) or area.lo % 2 == number % 2):
            continue
        other_kind = 4.0 if area.kind != piece.kind else 0.0
        gap = area.lo - number if area.lo > number else number - area.hi
        if area.lo > number:
            above = min(above, (abs(gap) + other_kind, label_of(area)))
        else:
            below = min(below, (abs(gap) + other_kind, label_of(area)))
    nearest = min(below, above)
    if nearest[1]:
        found.add(f"near.{single}.{'between' if below[1] == above[1] else 'beside'}", nearest[1])
        found.add(f"near.reach.{next(i for i, limit in enumerate(_GAPS) if nearest[0] <= limit)}", nearest[1])


def _called(book: AddressBook, name: str, found: Clues) -> None:
    """Communities called after the place."""
    if code := book.stems.get(name):
        found.add("called.street" if name[-1] in "街路" else "called", code)
        return
    longer = sorted((s for s in book.stems if len(s) >= 2 and name.startswith(s)), key=len)
    if longer:
        alone = len({book.stems[s] for s in longer}) == 1
        found.add("called.begins", book.stems[longer[-1]], 1.0 if alone else 0.6)
    shorter = {code for stem, code in book.stems.items() if stem.startswith(name)}
    if len(shorter) == 1:
        found.add("called.begun", shorter.pop())


def _series(book: AddressBook, key: str, hide: frozenset[str], found: Clues) -> None:
    """Communities of the names of the same series (头条, 二条, 三条 …)."""
    named = book.families.get(family(key) or f"~{key}", {})
    counts = {community: len(ids - hide) for community, ids in named.items() if ids - hide}
    for community, count in counts.items():
        if len(counts) == 1:
            found.add(f"series.single.{min(count, 2)}", community)
        else:
            found.add("series.shared", community, count / sum(counts.values()))


def _begins_alike(book: AddressBook, key: str, hide: frozenset[str], found: Clues) -> None:
    """Communities of other lanes whose names begin alike (北礼士路 → 北礼士路西四条), the longest beginning only."""
    for length in (4, 3, 2):
        others = book.beginnings.get(key[:length], ()) if len(key) > length else ()
        stated = {(label_of(a), a.area_id) for k in others if k != key for a in book.spans[k] if a.area_id not in hide}
        if stated:
            shares = _shares(label for label, _ in stated)
            kind = f"prefix.{'long' if length > 2 else 'short'}.{'single' if len(shares) == 1 else 'shared'}"
            for community, share in shares.items():
                found.add(kind, community, share)
            return


def _around(book: AddressBook, piece: Piece, key: str, alias: str, hide: frozenset[str], found: Clues) -> bool:
    """Communities of the places around whose community is known; whether the position of ``piece`` is."""
    where = None
    if alias and len({(s.x, s.y) for s in book.lane(alias).spots}) == 1:
        where = locate(book.lane(alias).spots, "", None)
    where = where or locate(book.lane(key).spots, piece.stem, piece.lo)
    if where is None:
        return False
    near = near_places(book, where[0], where[1], hide)
    for kind, fades in _NEAR_M.items():
        votes: dict[str, float] = defaultdict(float)
        for metres, community in near:
            votes[community] += math.exp(-metres / (fades + where[2] / 4))
        total = sum(votes.values()) + 0.1
        for community, vote in votes.items():
            found.add(kind, community, vote / total)
    if len(near) > 1 and near[0][1] == near[1][1]:
        found.add("around.second", near[0][1])
    middles = book.middles
    apart = np.hypot(middles.where[:, 0] - where[0], middles.where[:, 1] - where[1])
    for i in np.flatnonzero(apart <= REACH_M):
        found.add("middle", middles.of[int(i)], math.exp(-float(apart[i]) / _MIDDLE_M))
    return True


def near_places(
    book: AddressBook, x: float, y: float, hide: frozenset[str] = frozenset(), count: int = 120
) -> list[tuple[float, str]]:
    """The nearest places whose community is known, within reach: metres and community, nearest first."""
    where, labels, label_areas = book.labelled
    reached, distance = np.empty(0, np.intp), np.empty(0)
    for reach in (REACH_M / 6, REACH_M / 2, REACH_M):  # a strip of the town holds thousands, and most ends at the first
        first, last = (int(i) for i in np.searchsorted(where[:, 0], (x - reach, x + reach)))
        apart = where[first:last, 0] - x, where[first:last, 1] - y
        # by squares, a little generously, those are left for which it counts
        squares = apart[0] * apart[0] + apart[1] * apart[1]
        reached = np.flatnonzero(squares <= reach**2 * _GENEROUS)
        if len(reached) > count:
            near = squares[reached]
            reached = reached[near <= np.partition(near, count - 1)[count - 1] * _GENEROUS]
        distance = np.hypot(apart[0][reached], apart[1][reached])
        within = distance <= reach
        reached, distance = reached[within] + first, distance[within]
        if len(reached) >= count:
            break
    order = np.argsort(distance, kind="stable")[:count]
    found = []
    for i, metres in zip(reached[order].tolist(), distance[order].tolist(), strict=True):
        areas = label_areas[i]
        if not (areas and areas <= hide):
            found.append((metres, labels[i]))
    return found


def _add_shares(found: Clues, kind: str, areas: Iterable[Area]) -> None:
    for community, share in _shares(label_of(a) for a in areas).items():
        found.add(kind, community, share)


def _shares(labels: Iterable[str]) -> dict[str, float]:
    counts: dict[str, int] = defaultdict(int)
    for label in labels:
        counts[label] += 1
    return {label: count / sum(counts.values()) for label, count in counts.items()}

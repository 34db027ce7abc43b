"""What a book says about the community of a place: each hint with its kind, and kinds weighed against each other.

Kinds were measured on a real list of school enrolment areas (five folds, one hidden): ``WEIGHTS`` holds for each how
often it was right and how often it was tried, as rounded counts, so that a kind rarely seen weighs little. A hint is no
proof: communities end in the middle of a lane, lists contradict each other.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from quality.addresses.areas import Piece
from quality.addresses.book import AddressBook, Area, label_of, locate
from quality.addresses.names import family
from quality.addresses.text import name_key

WEIGHTS: dict[str, tuple[int, int]] = {
    "around.exact.0.0": (37, 44),
    "around.exact.0.1": (18, 33),
    "around.exact.0.2": (2, 6),
    "around.exact.1.0": (9, 9),
    "around.exact.1.1": (13, 15),
    "around.exact.1.2": (4, 6),
    "around.exact.2.0": (9, 10),
    "around.exact.2.1": (18, 28),
    "around.exact.2.2": (12, 24),
    "around.exact.3.0": (1, 2),
    "around.exact.3.1": (4, 8),
    "around.exact.3.2": (6, 16),
    "around.rough.0.0": (61, 73),
    "around.rough.0.1": (27, 47),
    "around.rough.0.2": (3, 5),
    "around.rough.1.0": (26, 26),
    "around.rough.1.1": (18, 25),
    "around.rough.1.2": (9, 12),
    "around.rough.2.0": (15, 18),
    "around.rough.2.1": (20, 31),
    "around.rough.2.2": (10, 24),
    "around.rough.3.0": (1, 2),
    "around.rough.3.1": (3, 13),
    "around.rough.3.2": (7, 25),
    "called": (33, 46),
    "called.begins": (40, 92),
    "called.begun": (4, 12),
    "called.street": (34, 60),
    "door.like.shared": (9, 10),
    "door.like.single": (14, 18),
    "door.number.one": (39, 47),
    "lane.shared.3": (1, 7),
    "lane.single.1": (12, 14),
    "lane.single.2": (2, 2),
    "near.across.shared": (0, 5),
    "near.across.single": (23, 48),
    "near.shared.beside.0": (17, 28),
    "near.shared.beside.1": (13, 23),
    "near.shared.beside.2": (4, 12),
    "near.shared.beside.3": (2, 12),
    "near.shared.between.0": (16, 16),
    "near.shared.between.1": (4, 4),
    "near.single.beside.0": (18, 29),
    "near.single.beside.1": (20, 30),
    "near.single.beside.2": (0, 13),
    "near.single.beside.3": (0, 11),
    "near.single.between.0": (3, 4),
    "near.single.between.1": (0, 2),
    "near.single.between.3": (0, 1),
    "series.shared.2": (2, 8),
    "series.shared.3": (3, 10),
    "series.single.1": (48, 56),
    "series.single.2": (14, 18),
    "series.single.3": (7, 8),
}
"""Kind of hint to (times right, times tried)."""

REACH_M = 600.0
"""Places farther away say nothing about a community; the district's are 200 to 800 m across."""
_SECOND = 0.3
"""Hints after the strongest count so much: they often say the same thing in another way."""
_OTHER = 1.5
"""Log-odds left to every community that no hint names."""


class Hint(NamedTuple):
    """A community (code, or name where no code is known) and the kind of reason for it."""

    kind: str
    community: str


def hints(book: AddressBook, piece: Piece, key: str, hide: frozenset[str] = frozenset()) -> list[Hint]:
    """Every reason the book has for the community of ``piece``.

    Args:
        key: key of the name under which the book knows the lane or compound.
        hide: areas to leave out (to measure how good the answers are).
    """
    alias = name_key(piece.alias) if piece.alias else ""
    found = _stated(book, piece, key, hide)
    if alias and alias != key:
        found += _stated(book, Piece(piece.alias), alias, hide)
    for name in dict.fromkeys((key, alias)):
        if name:
            found += _named(book, name)
    if not any(h.kind[:4] in ("door", "near", "lane") for h in found):
        found += _series(book, key, hide)
    return found + _around(book, piece, key, alias, hide)


def weigh(all_hints: Iterable[list[Hint]]) -> tuple[str, float]:
    """The likeliest community over the pieces of one address and its confidence, 0 to 1; ``("", 0)`` without hints."""
    totals: dict[str, float] = defaultdict(float)
    pieces = 0
    for found in all_hints:
        pieces += 1
        by: dict[str, dict[str, float]] = defaultdict(dict)
        for hint in found:
            by[hint.community][hint.kind] = _log_odds(hint.kind) + _OTHER
        for community, kinds in by.items():
            strongest, *others = sorted(kinds.values(), reverse=True)
            totals[community] += math.exp(min(strongest + _SECOND * sum(max(x, 0.0) for x in others), 8.0))
    if not totals:
        return "", 0.0
    best = max(totals, key=lambda c: (totals[c], c))
    return best, totals[best] / (sum(totals.values()) + math.exp(_OTHER) * pieces)


def _log_odds(kind: str) -> float:
    right, tried = WEIGHTS.get(kind, (0, 0))
    p = (right + 1.5) / (tried + 3.0)
    return math.log(p / (1.0 - p))


def _stated(book: AddressBook, piece: Piece, key: str, hide: frozenset[str]) -> list[Hint]:
    """Areas of the same name: the number itself, its neighbours, or the lane as a whole."""
    areas = [a for a in book.spans.get(key, ()) if a.area_id not in hide]
    if not areas:
        return []
    lists = {(label_of(a), a.area_id) for a in areas}
    counts = _tally(c for c, _ in lists)
    single = "single" if len(counts) == 1 else "shared"
    if piece.lo is None:
        whole = _tally(label_of(a) for a in areas if a.lo is None)
        best = _top(whole) if whole else _top(counts)
        return [Hint(f"lane.{single}.{min(len({a.area_id for a in areas}), 3)}", best)]
    same = [a for a in areas if _covers(a, piece) and a.stem == piece.stem and a.kind == piece.kind]
    if piece.building and any(a.building == piece.building for a in same):
        same = [a for a in same if a.building == piece.building]
    if same:
        found = _tally(label_of(a) for a in same)
        return [Hint(f"door.number.{'one' if len(found) == 1 else 'several'}", _top(found))]
    like = [a for a in areas if _covers(a, piece)]
    if like:
        found = _tally(label_of(a) for a in like)
        return [Hint(f"door.like.{single if len(found) == 1 else 'several'}", _top(found))]
    return [_neighbour(areas, piece, single)]


def _covers(area: Area, piece: Piece) -> bool:
    if area.lo is None or piece.lo is None or area.hi is None:
        return False
    side = area.parity if area.parity is not None else piece.parity
    return area.lo <= piece.lo <= area.hi and (side is None or piece.lo % 2 == side)


def _neighbour(areas: list[Area], piece: Piece, single: str) -> Hint:
    """The nearest number on the same side of the lane, and whether the next on the other hand agrees."""
    number = piece.lo or 0
    below: tuple[float, str] = (math.inf, "")
    above: tuple[float, str] = (math.inf, "")
    across: tuple[float, str] = (math.inf, "")
    for area in areas:
        if area.lo is None or area.hi is None:
            continue
        other_kind = 4.0 if area.kind != piece.kind else 0.0
        gap = area.lo - number if area.lo > number else number - area.hi
        entry = (abs(gap) + other_kind, label_of(area))
        same_side = (area.lo != area.hi and area.parity is None) or area.lo % 2 == number % 2
        if not same_side:
            across = min(across, entry)
        elif area.lo > number:
            above = min(above, entry)
        else:
            below = min(below, entry)
    nearest = min(below, above)
    if nearest[0] == math.inf:
        return Hint(f"near.across.{single}", across[1] or label_of(areas[0]))
    between = "between" if below[1] == above[1] else "beside"
    reach = next(i for i, limit in enumerate((4, 12, 40, math.inf)) if nearest[0] <= limit)
    return Hint(f"near.{single}.{between}.{reach}", nearest[1])


def _named(book: AddressBook, name: str) -> list[Hint]:
    """Communities called after the place."""
    if code := book.stems.get(name):
        return [Hint("called.street" if name[-1] in "街路" else "called", code)]
    longer = {c for stem, c in book.stems.items() if len(stem) >= 2 and name.startswith(stem)}
    if len(longer) == 1:
        return [Hint("called.begins", longer.pop())]
    shorter = {c for stem, c in book.stems.items() if stem.startswith(name)}
    return [Hint("called.begun", shorter.pop())] if len(shorter) == 1 else []


def _series(book: AddressBook, key: str, hide: frozenset[str]) -> list[Hint]:
    """Communities of the other names of the same series (头条, 二条, 三条 …)."""
    base = family(key) or f"~{key}"
    counts = {c: len(ids - hide) for c, ids in book.families.get(base, {}).items() if ids - hide}
    if not counts:
        return []
    single = "single" if len(counts) == 1 else "shared"
    return [Hint(f"series.{single}.{min(sum(counts.values()), 3)}", _top(counts))]


def _around(book: AddressBook, piece: Piece, key: str, alias: str, hide: frozenset[str]) -> list[Hint]:
    """Communities of the nearest places whose community is known."""
    where = None
    if alias and len({(s.x, s.y) for s in book.spots.get(alias, ())}) == 1:
        where = locate(book.spots[alias], "", None)
    where = where or locate(book.spots.get(key, ()), piece.stem, piece.lo)
    if where is None:
        return []
    votes = near_labels(book, where[0], where[1], hide)
    if not votes:
        return []
    best = max(votes, key=lambda c: (votes[c][0], c))
    share = votes[best][0] / sum(v for v, _ in votes.values())
    distance = votes[best][1]
    reach = next(i for i, limit in enumerate((60, 120, 250, math.inf)) if distance <= limit)
    sure = 0 if share > 0.8 else 1 if share > 0.55 else 2
    return [Hint(f"around.{'exact' if where[2] <= 40 else 'rough'}.{reach}.{sure}", best)]


def near_labels(
    book: AddressBook, x: float, y: float, hide: frozenset[str] = frozenset(), count: int = 5
) -> dict[str, tuple[float, float]]:
    """Communities of the ``count`` nearest labelled places within reach: weight of the votes, metres to the nearest."""
    near = _within(book, x, REACH_M)
    distance = np.hypot(book.labelled[near, 0] - x, book.labelled[near, 1] - y)
    votes: dict[str, tuple[float, float]] = {}
    taken = 0
    for i in np.argsort(distance, kind="stable"):
        place = int(near.start + i)
        if distance[i] > REACH_M or (book.label_areas[place] and book.label_areas[place] <= hide):
            continue
        community, metres = book.labels[place], float(distance[i])
        weight, nearest = votes.get(community, (0.0, metres))
        votes[community] = (weight + 1.0 / (30.0 + metres), min(nearest, metres))
        taken += 1
        if taken == count:
            break
    return votes


def _within(book: AddressBook, x: float, reach: float) -> slice:
    """Labelled places that lie no farther east or west; they stand in order from west to east."""
    first, last = np.searchsorted(book.labelled[:, 0], (x - reach, x + reach))
    return slice(int(first), int(last))


def _tally(items: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for item in items:
        counts[item] += 1
    return counts


def _top(counts: dict[str, int]) -> str:
    return max(counts, key=lambda c: (counts[c], c))

"""Finds the standard address and the community of an address as people write it, or says that it is not sure.

In order: the door itself, a compound of that name, then what lists of areas, neighbouring numbers, names of
communities and places around say (``evidence``). What is less sure than ``ANSWER_FROM`` (a community alone: than
``COMMUNITY_FROM``) stays empty: an empty answer is asked again, a wrong one is believed.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from pydantic import BaseModel, ConfigDict

from quality.addresses.areas import Piece, pieces
from quality.addresses.book import AddressBook, Standard, degrees, locate, metres
from quality.addresses.evidence import clues, near_places, weigh
from quality.addresses.parse import Door, Elements, parse
from quality.addresses.text import GATES, full_name, name_key, normalise

ANSWER_FROM = 0.81
"""Standard addresses less sure than this are left empty."""
COMMUNITY_FROM = 0.86
"""Communities less sure than this are left empty. On real areas never seen 0.92 of those above were right; from 0.85 it
was 0.91, and of 200 answers fewer than 0.90 would be right once in five draws (``bench/fit_addresses.py``)."""
NEIGHBOURS = 5
"""Places around a point that say which community it lies in."""
PIECES = 12
"""So many numbers of a list are asked for; more tell nothing new."""
SEEN = 200_000
"""Distinct addresses remembered."""

_FLAT = re.compile(r"(?<=[号院楼栋])(?:\d{1,2}(?:单元|门)\d{1,4}[室号户]?|\d{3,4}[室户])$")
_LIST = re.compile(r"[、,]|\d-\d|\d\.\d|单号|双号|\(")
_ENDS = ("巷", "街", "斜街", "路", "条", "夹道", "里", "大街")


class Match(BaseModel):
    """What was found. Empty where not sure.

    Attributes:
        address_id, standard_address: the door or compound in the library.
        street_code, community_code, community_name: a name without a code is a community that the code list has not.
        longitude, latitude: CGCS2000, degrees; ``accuracy_m``: how far off the position may be, metres.
        confidence: chance that what is answered is right, 0 to 1; of the best guess where nothing is answered.
        how: ``door``, ``compound`` or ``area`` (community only); empty for no answer.
        reason: why nothing was answered: ``empty``, ``elsewhere``, ``unknown_name``, ``ambiguous`` or ``unsure``.
        guess: best guess of an unsure answer (address id or community), for the review queue.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    address_id: str = ""
    standard_address: str = ""
    street_code: str = ""
    community_code: str = ""
    community_name: str = ""
    longitude: float | None = None
    latitude: float | None = None
    accuracy_m: float | None = None
    confidence: float = 0.0
    how: str = ""
    reason: str = ""
    guess: str = ""


class Matcher:
    """Matches addresses against one book; remembers what it was asked."""

    def __init__(
        self, book: AddressBook, *, answer_from: float = ANSWER_FROM, community_from: float = COMMUNITY_FROM
    ) -> None:
        self.book = book
        self._answer_from = answer_from
        self._community_from = community_from
        self._streets = {c.street_name: c.street_code for c in book.communities.values()}
        self._streets |= {GATES[s]: self._streets[s] for s in GATES if s in self._streets}
        self._streets |= {s: self._streets[GATES[s]] for s in GATES if GATES[s] in self._streets}
        self.match = lru_cache(maxsize=SEEN)(self._match)
        self._door = lru_cache(maxsize=SEEN)(self._find_door)
        self.resolve = lru_cache(maxsize=SEEN)(self._resolve)

    def _match(self, text: str | None, street_code: str = "", community_code: str = "") -> Match:
        """The standard address and community of ``text``.

        Args:
            text: one address, or a list of numbers as in a list of areas.
            street_code, community_code: what else is known of the place; decides between doors of the same name.
        """
        plain = normalise(text)
        if len(plain) < 2:
            return Match(reason="empty")
        e = parse(plain)
        if not e.is_here:
            return Match(reason="elsewhere")
        street = self._streets.get(e.street, "") or street_code or community_code[:9]
        found = self._door(e.name, e.stem, e.number, e.building, street, community_code, e.alias)
        if found.address_id and (found.community_code or not self.book.spans):
            return found
        return self._with_community(found, tuple(pieces_of(plain, e)), community_code)

    def match_many(
        self,
        texts: Sequence[str | None],
        street_codes: Sequence[str | None] | None = None,
        community_codes: Sequence[str | None] | None = None,
    ) -> list[Match]:
        """One answer a text. Flats of one house are asked for once: unit and room decide nothing."""
        doors = [_FLAT.sub("", t) if t else t for t in texts]
        if street_codes is None and community_codes is None:
            return [self.match(t) for t in doors]
        none = [None] * len(doors)
        known = zip(doors, street_codes or none, community_codes or none, strict=True)
        return [self.match(t, street or "", community or "") for t, street, community in known]

    def reverse(self, longitude: float, latitude: float, *, within_m: float = 300.0) -> Match | None:
        """The nearest standard address to a point, and the community of what is around.

        Args:
            longitude, latitude: CGCS2000, degrees.
            within_m: nothing farther is an answer.

        Returns:
            ``accuracy_m`` is the distance; None where nothing is near: 0,0, swapped axes.
        """
        x, y = metres(longitude, latitude)
        where, of, _ = self.book.places
        if not len(where) or not math.isfinite(x + y):
            return None
        distance = np.hypot(where[:, 0] - x, where[:, 1] - y)
        nearest = int(np.argmin(distance))
        if distance[nearest] > within_m:
            return None
        found = self._answer(self.book.standards[of[nearest]], 1.0, "door")
        found = found.model_copy(update={"accuracy_m": round(float(distance[nearest]), 1)})
        near = near_places(self.book, x, y, count=NEIGHBOURS)
        if found.community_code or not near:
            return found
        votes: dict[str, float] = defaultdict(float)
        for apart, community in near:
            votes[community] += 1.0 / (30.0 + apart)
        best = max(votes, key=lambda c: (votes[c], c))
        share = votes[best] / sum(votes.values())
        if share < self._community_from or next(apart for apart, community in near if community == best) > 120:
            return found.model_copy(update={"guess": best})
        return self._community(found, best, share)

    def _resolve(self, name: str) -> tuple[tuple[str, float], ...]:
        """Keys under which the book may know ``name``, and how sure each is."""
        names = self.book.names
        key = name_key(name)
        if len(key) < 2:
            return ()
        if key in names:
            return ((key, 1.0),)
        ended = [key + end for end in _ENDS if key + end in names]
        if len(ended) == 1:
            return ((ended[0], 0.97),)
        within = [k for part in inside_name(name) if (k := name_key(part)) in names and len(k) >= 2]
        if within:
            return ((within[0], 0.95),)
        slips = self.book.typos.near(key)
        sure = 0.95 if len(key) >= 4 else 0.85
        return tuple((k, sure if len(slips) == 1 else 0.7) for k in slips[:4])

    def _find_door(
        self, name: str, stem: str, number: int | None, building: str, street: str, community: str, alias: str
    ) -> Match:
        """The door or compound; a match without address_id where there is none or several."""
        if not name:
            return Match(reason="unknown_name")
        keys = self.resolve(name)
        if not keys and not alias:
            return Match(reason="unknown_name")
        for key, sure in keys:
            ids, factor = self._at(key, stem, number, building)
            if ids:
                chosen, sure_here = self._choose(ids, street, community)
                if len(chosen) == 1:
                    return self._answer(self.book.standards[chosen[0]], sure * factor * sure_here, "door")
                return self._several(chosen)
        for key, sure in (*keys, (name_key(alias), 1.0)):
            ids = self.book.compounds.get(key, [])
            if ids and (number is None or building or key == name_key(alias)):
                chosen, sure_here = self._choose(ids, street, community)
                if len(chosen) == 1:
                    s = self.book.standards[chosen[0]]
                    called = full_name(s.compound) in (full_name(name), full_name(alias))
                    return self._answer(s, sure * sure_here * (0.95 if called else 0.87), "compound")
        return Match(reason="unsure")

    def _at(self, key: str, stem: str, number: int | None, building: str) -> tuple[list[int], float]:
        """Doors at a number by the nearest reading there is, with how sure it is."""
        lane = self.book.lane(key)
        if (number is not None or building) and (ids := lane.doors.get(Door(stem, number, building))):
            return ids, 0.995
        if number is not None and building and (ids := lane.doors.get(Door(stem, number, ""))):
            return ids, 0.97
        if number is not None and not building:
            if ids := lane.doors.get(Door("", None, stem + str(number))):
                return ids, 0.93
            if ids := lane.numbers.get((stem, number)):
                return ids, 0.95
        if number is None and building.isdigit() and (ids := lane.doors.get(Door("", int(building), ""))):
            return ids, 0.93
        return [], 0.0

    def _choose(self, ids: list[int], street: str, community: str) -> tuple[list[int], float]:
        """Those of the community or street that is known, all when that would leave none."""
        unique = list(dict.fromkeys(ids))
        standards = self.book.standards
        if community:
            here = [i for i in unique if standards[i].community_code == community]
            if here:
                return here, 1.0
        if street:
            here = [i for i in unique if standards[i].street_code in (street, "")]
            if here:
                return here, 1.0
            return unique, 0.85
        return unique, 1.0

    def _several(self, ids: list[int]) -> Match:
        """Several doors of one name: their community where they share one."""
        communities = {self.book.standards[i].community_code for i in ids}
        guess = self.book.standards[ids[0]].address_id
        if len(communities) == 1 and (code := communities.pop()):
            return self._community(Match(reason="ambiguous", guess=guess), code, 0.95)
        return Match(reason="ambiguous", guess=guess)

    def _answer(self, s: Standard, confidence: float, how: str) -> Match:
        confidence = round(confidence, 3)
        if confidence < self._answer_from:
            return Match(reason="unsure", guess=s.address_id, confidence=confidence)
        community = self.book.communities.get(s.community_code)
        return Match(
            address_id=s.address_id,
            standard_address=s.standard_address,
            street_code=s.street_code or (community.street_code if community else ""),
            community_code=s.community_code,
            community_name=community.name if community else "",
            longitude=s.longitude,
            latitude=s.latitude,
            accuracy_m=None if s.longitude is None else 20.0 if how == "door" else 100.0,
            confidence=confidence,
            how=how,
        )

    def known_as(self, piece: Piece) -> tuple[str, float]:
        """The key of a piece's name and how sure it is; of an unknown name its own, which others may resemble."""
        keys = self.resolve(piece.name) or (self.resolve(piece.alias) if piece.alias else ())
        if keys and keys[0][1] >= 0.8:
            return keys[0]
        key = name_key(piece.name)
        return (key, 1.0) if len(key) >= 2 else ("", 0.0)

    def _with_community(self, found: Match, listed: tuple[Piece, ...], known: str) -> Match:
        """``found`` with the community that the evidence gives, where that is sure enough."""
        reasons, where, reading = [], None, 1.0
        for piece in listed:
            key, sure = self.known_as(piece)
            if key:
                reading = min(reading, sure)
                reasons.append(clues(self.book, piece, key))
                where = where or locate(self.book.lane(key).spots, piece.stem, piece.lo)
        if found.community_code:
            return found
        best, sure = weigh(reasons)
        # the community of a door or compound is right only if the door is
        sure = round(sure * (found.confidence if found.address_id else reading), 3)
        if not best:
            return found
        if found.longitude is None and where is not None and where[2] <= 300:
            lon, lat = degrees(where[0], where[1])
            found = found.model_copy(update={"longitude": lon, "latitude": lat, "accuracy_m": round(where[2])})
        if sure < self._community_from and best != known:
            if found.address_id:
                return found.model_copy(update={"guess": best, "reason": "unsure"})
            blank = {"longitude": None, "latitude": None, "accuracy_m": None}
            return found.model_copy(
                update={"guess": best, "confidence": sure, "reason": found.reason or "unsure", **blank}
            )
        return self._community(found, best, sure)

    def _community(self, found: Match, label: str, sure: float) -> Match:
        community = self.book.communities.get(label)
        return found.model_copy(
            update={
                "community_code": community.code if community else "",
                "community_name": community.name if community else label,
                "street_code": community.street_code if community else found.street_code,
                "confidence": sure,
                "how": found.how or "area",
                "reason": "",
            }
        )


def pieces_of(plain: str, e: Elements) -> list[Piece]:
    """The numbers that a normalised text names: of a list all, of one address the one, ``PIECES`` at most."""
    listed = pieces(plain)[:PIECES] if _LIST.search(plain) or not e.name else [_piece(e)]
    return [piece for piece in listed if piece.name]


def _piece(e: Elements) -> Piece:
    """One address as a piece of an area."""
    building = re.match(r"(\D*)(\d+)", e.building)
    if e.number is None and building:
        number = int(building.group(2))
        return Piece(e.name, e.alias, building.group(1), number, number, "building")
    return Piece(e.name, e.alias, e.stem, e.number, e.number, "door" if e.number is not None else "", None, e.building)


_NAME_ENDS = re.compile(r"(?:街|路|胡同|巷|条|里|区|院|苑|园|村|[内外])$")
_TAIL_WORD = re.compile(r"^(?:.{0,4}(?:宿舍|家属院|楼|平房|大厦|小区|大院|住宅))$")


@lru_cache(maxsize=65536)
def inside_name(name: str) -> tuple[str, ...]:
    """Parts of a name that are names themselves: what follows a lane (闹市口大街月台胡同), what a dormitory follows."""
    parts = {name[cut:] for cut in range(2, len(name) - 1) if _NAME_ENDS.search(name[:cut])}
    parts |= {
        name[:cut] for cut in range(3, len(name)) if _TAIL_WORD.match(name[cut:]) or _NAME_ENDS.search(name[:cut])
    }
    return tuple(sorted(parts, key=lambda p: (-len(p), p)))

"""What is known of addresses, indexed for looking up: standard addresses, areas with their community, community names.

A book is made of rows of three tables (``spatiotemporal.addresses``, ``spatiotemporal.address_areas``,
``spatiotemporal.divisions``) and never changes afterwards. It answers exact questions; judging is in ``match``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from quality.addresses.names import TypoIndex, family
from quality.addresses.parse import Door, is_plain_lane, plain_local, read_door
from quality.addresses.text import name_key

METRES_PER_DEGREE = (85_300.0, 111_000.0)
"""Longitude and latitude at 39.9° north: good to 0.1 % over the district."""


class Standard(NamedTuple):
    """One standard address. ``house_number`` follows ``name``: 安德路 + 12号院3号楼; degrees are CGCS2000."""

    address_id: str
    standard_address: str
    name: str
    house_number: str = ""
    compound: str = ""
    street_code: str = ""
    community_code: str = ""
    longitude: float | None = None
    latitude: float | None = None


class Area(NamedTuple):
    """One lane, number or range with its community, as a list of areas states it (``areas.Piece`` in a table)."""

    area_id: str
    name: str
    alias: str
    stem: str
    lo: int | None
    hi: int | None
    kind: str
    parity: int | None
    building: str
    community_code: str
    community_name: str


class Community(NamedTuple):
    """A community of the code list; ``street_name`` without 街道; its middle in CGCS2000 degrees where known."""

    code: str
    name: str
    street_code: str
    street_name: str
    longitude: float | None = None
    latitude: float | None = None


class Alias(NamedTuple):
    """Another way to write an address, learned from confirmed matches; the name alone where number is None."""

    name: str
    stem: str
    number: int | None
    building: str
    address_id: str


class Spot(NamedTuple):
    """A known position at a name: number, whose stem, where (metres east and north)."""

    stem: str
    number: int | None
    x: float
    y: float


@dataclass(frozen=True)
class Lane:
    """What is known at one name, indexed as far as it is asked for.

    Attributes:
        standards: those of the book, of which ``ids`` are at this name, each at the ``doors_of`` in its place.
        taught: doors that a confirmed writing leads to.
    """

    standards: Sequence[Standard] = ()
    ids: list[int] = field(default_factory=list)
    doors_of: list[Door | None] = field(default_factory=list)
    taught: dict[Door, int] = field(default_factory=dict)

    @cached_property
    def doors(self) -> dict[Door, list[int]]:
        """A door to the standard addresses there; what was taught goes before what the book says."""
        doors: dict[Door, list[int]] = defaultdict(list)
        for i, door in zip(self.ids, self.doors_of, strict=True):
            if door:
                doors[door].append(i)
        return {**doors, **{door: [i] for door, i in self.taught.items()}}

    @cached_property
    def numbers(self) -> dict[tuple[str, int], list[int]]:
        """(stem, number) to the standard addresses of all its buildings."""
        numbers: dict[tuple[str, int], list[int]] = defaultdict(list)
        for (stem, number, _), ids in self.doors.items():
            if number is not None:
                numbers[stem, number] += ids
        return dict(numbers)

    @cached_property
    def spots(self) -> list[Spot]:
        """Positions along it."""
        spots = []
        for i, door in dict(zip(self.ids, self.doors_of, strict=True)).items():
            s = self.standards[i]
            if s.longitude is not None:
                spots.append(_spot(s, door if door and not s.compound else None))
        return spots


class Points(NamedTuple):
    """Positions (metres east and north, a row each), and what stands at each: the place of a standard address in the
    book, or a community; ``areas``: the areas that say so, empty where others do."""

    where: npt.NDArray[np.float64]
    of: Sequence[Any]
    areas: Sequence[frozenset[str]] = ()


@dataclass(frozen=True)
class AddressBook:
    """The index. Keys of names are ``text.name_key``. What few questions need is made when first asked for.

    Attributes:
        lanes: name to what stands there.
        compounds: name of a compound to the standard addresses it has.
        spans: name to the areas stated for it; ``families``: series of names (头条, 二条 …) to communities;
            ``beginnings``: first two to four characters to the names of areas that begin so.
    """

    standards: tuple[Standard, ...] = ()
    communities: dict[str, Community] = field(default_factory=dict)
    stems: dict[str, str] = field(default_factory=dict)
    lanes: dict[str, Lane] = field(default_factory=dict)
    compounds: dict[str, list[int]] = field(default_factory=dict)
    spans: dict[str, list[Area]] = field(default_factory=dict)
    families: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    beginnings: dict[str, set[str]] = field(default_factory=dict)

    def lane(self, key: str) -> Lane:
        """What stands at a name; an empty one where the book knows none."""
        return self.lanes.get(key) or _NO_LANE

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name the book knows."""
        return frozenset({*self.compounds, *self.spans, *self.stems, *self.lanes})

    @cached_property
    def typos(self) -> TypoIndex:
        """The same, for slips of the pen."""
        return TypoIndex(self.names)

    @cached_property
    def places(self) -> Points:
        """Every standard address that has a position."""
        placed = [i for i, s in enumerate(self.standards) if s.longitude is not None]
        return Points(_plane(self.standards[i] for i in placed), placed)

    @cached_property
    def middles(self) -> Points:
        """The middles of communities."""
        centred = [c for c in self.communities.values() if c.longitude is not None]
        return Points(_plane(centred), [c.code for c in centred])

    @cached_property
    def labelled(self) -> Points:
        """Places whose community is known, from west to east: standard addresses with a code, areas and communities
        whose name has a position."""
        said: dict[tuple[float, float, str], frozenset[str]] = {}
        for key, areas in self.spans.items():
            for area in areas:
                spot = locate(self.lane(key).spots, area.stem, area.lo)
                if spot is not None and (spot[2] <= 60 or area.lo is None):
                    place = (spot[0], spot[1], label_of(area))
                    said[place] = said.get(place, frozenset()) | {area.area_id}
        for key, code in self.stems.items():
            ids = self.compounds.get(key, ())
            if len(ids) == 1 and (s := self.standards[ids[0]]).longitude is not None:
                said[(*metres(s.longitude, s.latitude), code)] = frozenset()
        coded = [s for s in self.standards if s.longitude is not None and s.community_code]
        where = np.concatenate([np.array([k[:2] for k in said]).reshape(-1, 2), _plane(coded)])
        labels = np.array([*(k[2] for k in said), *(s.community_code for s in coded)], dtype=np.str_)
        order = np.lexsort((labels, where[:, 1], where[:, 0]))  # stable: what is said comes before the address there
        where, labels = where[order], labels[order]
        anew = np.ones(len(order), dtype=bool)
        anew[1:] = (where[1:] != where[:-1]).any(axis=1) | (labels[1:] != labels[:-1])
        of_areas = [*said.values(), *repeat(frozenset[str](), len(coded))]
        columns = np.asfortranarray(where[anew])  # each is gone through alone
        return Points(columns, labels[anew].tolist(), [of_areas[i] for i in order[anew]])


_NO_LANE = Lane()


def make_book(
    standards: Iterable[Standard] = (),
    areas: Iterable[Area] = (),
    communities: Iterable[Community] = (),
    aliases: Iterable[Alias] = (),
) -> AddressBook:
    """Index the rows of the tables."""
    standards = tuple(standards)
    known = {c.code: c for c in communities}
    areas = settle_labels(areas)
    lanes, compounds = _index_standards(standards, aliases)
    spans: dict[str, list[Area]] = defaultdict(list)
    series: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for area in areas:
        for key in {name_key(area.name), name_key(area.alias)} - {""}:
            spans[key].append(area)
            if base := family(key):
                series[base][label_of(area)].add(area.area_id)
    beginnings: dict[str, set[str]] = defaultdict(set)
    for key in spans:
        for length in (2, 3, 4):
            beginnings[key[:length]].add(key)
    return AddressBook(
        standards=standards,
        communities=known,
        stems=community_stems(known.values()),
        lanes=lanes,
        compounds=compounds,
        spans=dict(spans),
        families={base: dict(by) for base, by in series.items()},
        beginnings=dict(beginnings),
    )


def _index_standards(
    standards: tuple[Standard, ...], aliases: Iterable[Alias]
) -> tuple[dict[str, Lane], dict[str, list[int]]]:
    """Lanes and compounds. Confirmed writings lead to their address, before anything the library says itself."""
    lanes: dict[str, Lane] = defaultdict(lambda: Lane(standards))
    compounds: dict[str, list[int]] = defaultdict(list)
    plain: dict[str, Lane] = {}
    for i, s in enumerate(standards):
        if not s.compound and (lane := plain.get(s.name)) and (plain_door := plain_local(s.house_number)):
            lane.ids.append(i)
            lane.doors_of.append(plain_door)
            continue
        for key, door in _known_at(s):
            if door or s.longitude is not None:
                lane = lanes[key]
                lane.ids.append(i)
                lane.doors_of.append(door)
                if is_plain_lane(s.name) and key == name_key(s.name):
                    plain[s.name] = lane  # what else is written so is read so
        if s.compound:
            compounds[name_key(s.compound.split("(")[0])].append(i)
    aliases = list(aliases)
    place = {s.address_id: i for i, s in enumerate(standards)} if aliases else {}
    for alias in aliases:
        if alias.address_id in place:
            key = name_key(alias.name)
            if alias.number is None and not alias.building:
                compounds[key] = [place[alias.address_id]]
            else:
                lanes[key].taught[Door(alias.stem, alias.number, alias.building)] = place[alias.address_id]
    return dict(lanes), dict(compounds)


def _known_at(s: Standard) -> list[tuple[str, Door | None]]:
    """The keys of the names at which a standard address is known: its lane, its compound; each with the door there."""
    name, door = read_door(s.name, s.house_number)
    places = [(name_key(name or s.name), door if s.house_number else None)]
    if s.compound:
        name, door = read_door(s.compound, "")
        places.append((name_key(name or s.compound), door if name and door.number is not None else None))
    return places


def _spot(s: Standard, door: Door | None) -> Spot:
    """Where a standard address stands; ``door``: at its lane, where that was read already."""
    stem, number, building = door or read_door(s.name, s.house_number)[1]
    return Spot(stem, number if number is not None else _int(building), *metres(s.longitude, s.latitude))


def settle_labels(areas: Iterable[Area]) -> list[Area]:
    """Areas whose community is no name of the code list, given the listed one that most of them are stated for too.

    The same numbers stand in one list under 椿树馆社区 and in another under 椿树街社区: a slip of the pen, told from a
    community that was dissolved by the name and by the numbers, of which at least half must be the same.
    """
    areas = list(areas)
    numbers: dict[str, set[tuple[str, str, int, str]]] = defaultdict(set)
    for a in areas:
        if a.lo is not None:
            numbers[label_of(a)].add((name_key(a.name), a.stem, a.lo, a.kind))
    listed = {a.community_code for a in areas if a.community_code}
    names = {a.community_code: a.community_name for a in areas if a.community_code}
    settled: dict[str, str] = {}
    for label in {a.community_name for a in areas if not a.community_code}:
        own = numbers[label]
        for code in sorted(listed):
            alike = names[code][:2] == label[:2]
            if alike and own and 2 * len(own & numbers[code]) >= len(own):
                settled[label] = code
    return [_relabelled(a, settled.get(a.community_name, ""), names) for a in areas]


def _relabelled(area: Area, code: str, names: dict[str, str]) -> Area:
    if area.community_code or not code:
        return area
    return area._replace(community_code=code, community_name=names[code])


def label_of(area: Area) -> str:
    """The community of an area: its code, or the name as printed where no code is known."""
    return area.community_code or area.community_name


def community_stems(communities: Iterable[Community]) -> dict[str, str]:
    """Names of communities as a place might be called, to codes: 西里一区, 新街口西里一区, 车站西街15号院."""
    stems: dict[str, str] = {}
    for c in communities:
        short = re.sub(r"社区$", "", c.name)
        for form in (short, re.sub(r"小区$", "", short), c.street_name + short):
            stems.setdefault(name_key(form), c.code)
    return stems


def metres(longitude: float | None, latitude: float | None) -> tuple[float, float]:
    """Metres east and north of 116°E 39°N, on a plane that fits the district."""
    return (
        ((longitude or 0.0) - 116.0) * METRES_PER_DEGREE[0],
        ((latitude or 0.0) - 39.0) * METRES_PER_DEGREE[1],
    )


def degrees(x: float, y: float) -> tuple[float, float]:
    """The inverse of ``metres``."""
    return 116.0 + x / METRES_PER_DEGREE[0], 39.0 + y / METRES_PER_DEGREE[1]


def _plane(placed: Iterable[Standard | Community]) -> npt.NDArray[np.float64]:
    return np.array([metres(p.longitude, p.latitude) for p in placed]).reshape(-1, 2)


def locate(spots: Iterable[Spot], stem: str, number: int | None) -> tuple[float, float, float] | None:
    """Where a number of a lane stands: x, y and how far off that may be, in metres; None when nothing near is known."""
    spots = tuple(spots)
    if not spots:
        return None
    if number is not None:
        same = [s for s in spots if s.number == number and s.stem == stem] or [s for s in spots if s.number == number]
        if same:
            return (*_mean(same), 20.0)
        near = [s for s in spots if s.number is not None and s.number % 2 == number % 2]
        if near:
            closest = min(near, key=lambda s: abs((s.number or 0) - number))
            gap = abs((closest.number or 0) - number)
            if gap <= 8:
                return closest.x, closest.y, 20.0 + 5.0 * gap
    xs, ys = [s.x for s in spots], [s.y for s in spots]
    spread = max(max(xs) - min(xs), max(ys) - min(ys))
    return (*_mean(spots), 60.0 + spread) if spread < 250 else None


def _mean(spots: Iterable[Spot]) -> tuple[float, float]:
    points = [(s.x, s.y) for s in spots]
    return sum(p[0] for p in points) / len(points), sum(p[1] for p in points) / len(points)


def _int(text: str) -> int | None:
    found = re.search(r"\d+", text)
    return int(found.group()) if found else None

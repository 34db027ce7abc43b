"""What is known of addresses, indexed for looking up: standard addresses, areas with their community, community names.

A book is made of rows of three tables (``spatiotemporal.addresses``, ``spatiotemporal.address_areas``,
``spatiotemporal.divisions``) and never changes afterwards. It answers exact questions; judging is in ``match``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from quality.addresses.names import TypoIndex, family
from quality.addresses.parse import parse
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


DoorKey = tuple[str, str, int | None, str]


@dataclass(frozen=True)
class AddressBook:
    """The index. Keys of names are ``text.name_key``.

    Attributes:
        doors: (name, stem, number, building) to the standard addresses there.
        compounds: name of a compound to the standard addresses it has.
        spans: name to the areas stated for it; ``families``: series of names (头条, 二条 …) to communities;
            ``beginnings``: first two to four characters to the names of areas that begin so.
        spots: name to positions along it.
        labelled: positions of places whose community is known, from west to east; ``labels`` the communities.
        middles: positions of the middles of communities; ``middle_of`` the communities.
    """

    standards: tuple[Standard, ...] = ()
    communities: dict[str, Community] = field(default_factory=dict)
    stems: dict[str, str] = field(default_factory=dict)
    doors: dict[DoorKey, list[int]] = field(default_factory=dict)
    compounds: dict[str, list[int]] = field(default_factory=dict)
    spans: dict[str, list[Area]] = field(default_factory=dict)
    families: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    beginnings: dict[str, set[str]] = field(default_factory=dict)
    spots: dict[str, list[Spot]] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    typos: TypoIndex = field(default_factory=lambda: TypoIndex(()))
    labelled: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))
    labels: tuple[str, ...] = ()
    label_areas: tuple[frozenset[str], ...] = ()
    middles: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))
    middle_of: tuple[str, ...] = ()
    places: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))
    place_of: tuple[int, ...] = ()


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
    doors, compounds, spots = _index_standards(standards)
    _learn(aliases, standards, doors, compounds)
    spans: dict[str, list[Area]] = defaultdict(list)
    series: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for area in areas:
        for key in {name_key(area.name), name_key(area.alias)} - {""}:
            spans[key].append(area)
            if base := family(key):
                series[base][label_of(area)].add(area.area_id)
    stems = community_stems(known.values())
    beginnings: dict[str, set[str]] = defaultdict(set)
    for key in spans:
        for length in (2, 3, 4):
            beginnings[key[:length]].add(key)
    names = frozenset({*compounds, *spans, *stems, *(key[0] for key in doors), *spots})
    labelled, labels, label_areas = _labelled(standards, spans, spots, compounds, stems)
    centred = [c for c in known.values() if c.longitude is not None]
    placed = [i for i, s in enumerate(standards) if s.longitude is not None]
    return AddressBook(
        standards=standards,
        communities=known,
        stems=stems,
        doors=doors,
        compounds=compounds,
        spans=dict(spans),
        families={base: dict(by) for base, by in series.items()},
        beginnings=dict(beginnings),
        spots=spots,
        names=names,
        typos=TypoIndex(names),
        labelled=labelled,
        labels=labels,
        label_areas=label_areas,
        middles=np.array([metres(c.longitude, c.latitude) for c in centred]).reshape(-1, 2),
        middle_of=tuple(c.code for c in centred),
        places=np.array([metres(standards[i].longitude, standards[i].latitude) for i in placed]).reshape(-1, 2),
        place_of=tuple(placed),
    )


def _learn(
    aliases: Iterable[Alias],
    standards: tuple[Standard, ...],
    doors: dict[DoorKey, list[int]],
    compounds: dict[str, list[int]],
) -> None:
    """Confirmed writings lead to their address, before anything the library says itself."""
    place = {s.address_id: i for i, s in enumerate(standards)}
    for alias in aliases:
        if alias.address_id in place:
            key = name_key(alias.name)
            if alias.number is None and not alias.building:
                compounds[key] = [place[alias.address_id]]
            else:
                doors[key, alias.stem, alias.number, alias.building] = [place[alias.address_id]]


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


def _index_standards(
    standards: tuple[Standard, ...],
) -> tuple[dict[DoorKey, list[int]], dict[str, list[int]], dict[str, list[Spot]]]:
    doors: dict[DoorKey, list[int]] = defaultdict(list)
    compounds: dict[str, list[int]] = defaultdict(list)
    spots: dict[str, list[Spot]] = defaultdict(list)
    for i, s in enumerate(standards):
        found = parse(s.name + s.house_number)
        key = name_key(found.name or s.name)
        if s.house_number:
            doors[key, found.stem, found.number, found.building].append(i)
        keys = {key}
        if s.compound:
            inner = parse(s.compound)
            keys.add(name_key(inner.name or s.compound))
            compounds[name_key(s.compound.split("(")[0])].append(i)
            if inner.number is not None:
                doors[name_key(inner.name), inner.stem, inner.number, inner.building].append(i)
        if s.longitude is not None:
            number = found.number if found.number is not None else _int(found.building)
            spot = Spot(found.stem, number, *metres(s.longitude, s.latitude))
            for k in keys:
                spots[k].append(spot)
    return dict(doors), dict(compounds), dict(spots)


def _labelled(
    standards: tuple[Standard, ...],
    spans: dict[str, list[Area]],
    spots: dict[str, list[Spot]],
    compounds: dict[str, list[int]],
    stems: dict[str, str],
) -> tuple[npt.NDArray[np.float64], tuple[str, ...], tuple[frozenset[str], ...]]:
    """Positions whose community is known: standard addresses with a code, areas that a position is known for."""
    found: dict[tuple[float, float, str], set[str]] = {}
    for s in standards:
        if s.longitude is not None and s.community_code:
            found[(*metres(s.longitude, s.latitude), s.community_code)] = set()
    for key, areas in spans.items():
        for area in areas:
            spot = locate(spots.get(key, ()), area.stem, area.lo)
            if spot is not None and (spot[2] <= 60 or area.lo is None):
                found.setdefault((spot[0], spot[1], label_of(area)), {area.area_id}).add(area.area_id)
    for key, code in stems.items():
        ids = compounds.get(key, ())
        if len(ids) == 1 and standards[ids[0]].longitude is not None:
            s = standards[ids[0]]
            found[(*metres(s.longitude, s.latitude), code)] = set()
    ordered = sorted(found)
    where = np.array([k[:2] for k in ordered], dtype=float).reshape(-1, 2)
    return where, tuple(k[2] for k in ordered), tuple(frozenset(found[k]) for k in ordered)


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

"""Doors: the lanes and compounds of each community, their numbers and where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo.geometry import scatter, spread, to_gcj02
from demo.world import Community, World, word_list

HOUSEHOLDS_PER_DOOR = 3.0
PEOPLE_PER_HOUSEHOLD = 2.25


@dataclass(frozen=True)
class Doors:
    """The doors of one community; arrays of equal length.

    Attributes:
        lane, number: ``安德路`` and ``12号院``.
        flats: True where people live in flats (unit and room follow).
        lon, lat: WGS84 degrees.
    """

    community: Community
    lane: list[str]
    number: list[str]
    flats: NDArray[Any]
    lon: NDArray[Any]
    lat: NDArray[Any]

    def short(self, i: int) -> str:
        """The address as people write it: no street."""
        return f"北京市西城区{self.lane[i]}{self.number[i]}"

    def standard(self, i: int) -> str:
        """The standard address: with the street."""
        return f"北京市西城区{self.community.street.name}{self.lane[i]}{self.number[i]}"


class Places:
    """Makes the doors community by community, in code order; numbers go on along a shared lane."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._next: dict[tuple[str, str], int] = {}
        self._centres: dict[int, NDArray[Any]] = {}
        for street in world.streets:
            own = [c for c in world.communities if c.street == street]
            for c, xy in zip(own, spread(street.code, len(own)), strict=True):
                self._centres[c.index] = xy

    def doors(self, community: Community) -> Doors:
        """The doors of ``community``: about one for three households."""
        rng = self._world.rng("doors", community.index)
        count = max(4, round(community.residents / PEOPLE_PER_HOUSEHOLD / HOUSEHOLDS_PER_DOOR))
        lanes, compounds = self._names(rng, community)
        in_compound = rng.random(count) < len(compounds) / (len(lanes) + len(compounds))
        pick = rng.random(count)
        form = rng.random(count)
        lane, number = [], []
        flats = in_compound | (form > 0.45)
        for i in range(count):
            pool = compounds if in_compound[i] else lanes
            name = pool[int(pick[i] * len(pool))]
            n = self._next.get((community.street.code, name), 0) + 1
            self._next[community.street.code, name] = n
            lane.append(name)
            number.append(f"{n}号楼" if in_compound[i] else _house_number(n, float(form[i])))
        xy = scatter(rng, community.street.code, self._centres[community.index], count)
        return Doors(community, lane, number, flats, xy[:, 0], xy[:, 1])

    def _names(self, rng: np.random.Generator, community: Community) -> tuple[list[str], list[str]]:
        data = word_list("streets.yaml")
        own = data["streets"][int(community.street.code)]
        words, ends = data["lane_words"].split(), data["lane_ends"].split()
        lanes = [str(x) for x in rng.choice(own["lanes"], min(4, len(own["lanes"])), replace=False)]
        lanes += [words[rng.integers(len(words))] + ends[rng.integers(len(ends))] for _ in range(2)]
        compounds = [str(x) for x in rng.choice(own["compounds"], min(2, len(own["compounds"])), replace=False)]
        words, ends = data["compound_words"].split(), data["compound_ends"].split()
        compounds.append(words[rng.integers(len(words))] + ends[rng.integers(len(ends))])
        return lanes, compounds


def _house_number(n: int, form: float) -> str:
    if form < 0.05:
        return f"甲{n}号"
    if form < 0.45:
        return f"{n}号"
    if form < 0.75:
        return f"{n}号院"
    return f"{n}号院{1 + n % 5}号楼"


def rooms(rng: np.random.Generator, flats: NDArray[Any]) -> NDArray[Any]:
    """What follows the door for each household: ``3单元502室``, ``2门301号`` or nothing."""
    n = len(flats)
    unit, floor = rng.integers(1, 6, n).astype("U2"), rng.integers(1, 19, n)
    room = (np.where(rng.random(n) < 0.7, floor.clip(1, 6), floor) * 100 + rng.integers(1, 5, n)).astype("U4")
    words = rng.random(n) < 0.75
    add = np.strings.add
    text = np.where(words, add(add(unit, "单元"), add(room, "室")), add(add(unit, "门"), add(room, "号")))
    return np.where(flats, text, "")


ADDRESS_HEADER: tuple[str, ...] = ("地址编码", "标准地址", "街道", "社区", "街巷", "门牌号", "经度", "纬度", "采集日期")


def address_rows(world: World, doors: Doors, start: int) -> list[list[str]]:
    """Address points of the planning department, GCJ-02; row grain: one door.

    Args:
        start: number of the first door, counted over the district.
    """
    rng = world.rng("address_points", doors.community.index)
    lon, lat = to_gcj02(doors.lon, doors.lat)
    last = np.datetime64(world.as_of) - 30
    dates = (last - rng.integers(0, 1500, len(lon))).astype(str)
    community = doors.community
    return [
        [
            f"{community.street.code}{start + i:07d}",
            doors.standard(i),
            community.street.name,
            community.name,
            doors.lane[i],
            doors.number[i],
            f"{lon[i]:.6f}",
            f"{lat[i]:.6f}",
            str(dates[i]),
        ]
        for i in range(len(lon))
    ]

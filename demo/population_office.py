"""Takes the people of one community after another into the registers of persons, and their doors into the addresses'.

All files and the truth stream to disk. Only what later offices need (some contacts) and what the last days' files
hold stays a while.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from types import TracebackType

import numpy as np

from demo.entities import Contact
from demo.faults import DUPLICATE, Fault, Row, Truth, put, swap
from demo.lives import Biographer, Lives, together
from demo.people import People, Population
from demo.places import ADDRESS_HEADER, Doors, address_rows
from demo.registers import PUBLIC_SECURITY, Moment, Register
from demo.registers_social import SOCIAL
from demo.sheaf import Sheaf
from demo.truth import TruthFolder
from demo.world import World
from demo.writers import CsvWriter, Drop

REGISTERS = (*PUBLIC_SECURITY, *SOCIAL)
HOUSEHOLD = "public_security__household"
ADDRESS = "planning__address_points"
ADDRESS_KEY = ("地址编码",)
BATCH = 4000
"""People taken into the registers at once: small communities together."""

ADDRESS_FAULTS: tuple[Fault, ...] = (
    swap("swapped_coordinates", "经度", "纬度"),
    put("outside_coordinates", "经度", "121.473701"),
    put("missing_required", "标准地址", ""),
    DUPLICATE,
    put("impossible_date", "采集日期", "2025-04-31"),
    put("future_date", "采集日期", "2099-12-31"),
)


class PopulationOffice:
    """Context manager: ``take`` each community's doors in code order, then leave to finish the files.

    ``contacts`` are adults other registers refer to.

    Args:
        days: daily deliveries up to the last day of the district; what was before them is in the base files.
    """

    def __init__(self, world: World, drop: Drop, truth: Truth, folder: TruthFolder, days: int = 1) -> None:
        self.contacts: list[Contact] = []
        self._world, self._drop, self._truth, self._folder, self._days = world, drop, truth, folder, days
        self._population, self._biographer = Population(world), Biographer(world, days)
        self._serial = dict.fromkeys((r.feed for r in REGISTERS), 0)
        self._sheaves: dict[str, Sheaf] = {}
        self._waiting: list[Lives] = []
        self._moved_doors: list[Row] = []
        self._doors = 0
        self._day = f"{world.as_of:%Y%m%d}"
        self._before = f"{world.as_of - timedelta(days=1):%Y%m%d}"
        self._files = ExitStack()
        wanted = max(4000, 3 * world.entities)
        self._contact_share = min(1.0, wanted / world.residents)

    def __enter__(self) -> PopulationOffice:
        for register in REGISTERS:
            self._sheaves[register.feed] = self._sheaf(register)
        path = f"planning/address_points/address_points_{self._before}.csv"
        out = self._files.enter_context(self._drop.open(path))
        self._address = CsvWriter(out, list(ADDRESS_HEADER), encoding="utf-8-sig")
        self._address_truth = self._truth.open(ADDRESS, path)
        return self

    def _sheaf(self, register: Register) -> Sheaf:
        last = self._world.as_of
        days = range(self._days + 1) if register.day else range(1)
        names = [register.base if n == 0 else register.day for n in days]
        dates = [last - timedelta(days=self._days - n) for n in days]
        paths = [
            f"{register.folder}/{name.format(day=f'{d:%Y%m%d}', month=f'{last:%Y%m}')}"
            for name, d in zip(names, dates, strict=True)
        ]
        rng = self._world.rng(f"faults/{register.feed}")
        return Sheaf(
            self._drop, self._truth, self._folder.records, register.feed, register.layout(self._world), paths,
            register.faults, rng,
        )  # fmt: skip

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._files.__exit__(kind, error, at)
        if error is not None:
            for sheaf in self._sheaves.values():
                sheaf.abandon()
            return
        self._registers()
        for register in REGISTERS:
            self._sheaves[register.feed].close(register.footer)
        if self._days:
            self._sent_again()
        self._addresses_again()

    def take(self, doors: Doors) -> None:
        """One community: its doors and the people behind them."""
        index = doors.community.index
        points = address_rows(self._world, doors, self._doors + 1)
        self._doors += len(points)
        sent, touched = self._truth.inject(
            self._address_truth,
            ADDRESS_HEADER,
            points,
            ADDRESS_FAULTS,
            self._world.rng("address_faults", index),
            key=ADDRESS_KEY,
        )
        self._address.write(sent)
        self._resurvey(index, points, touched)
        if doors.community.residents == 0:
            return
        people = self._population.community(doors)
        self._folder.residents(people)
        self._keep_contacts(people)
        self._waiting.append(self._biographer.tell(people))
        if sum(len(lives.people) for lives in self._waiting) >= BATCH:
            self._registers()

    def _registers(self) -> None:
        """The people who wait go into the truth and every register."""
        if not self._waiting:
            return
        lives = together(self._waiting)
        self._waiting = []
        self._folder.lives(self._world, lives)
        for register in REGISTERS:
            self._register(register, lives)

    def _register(self, register: Register, lives: Lives) -> None:
        """Their records, in the base file or in those of the days."""
        world = self._world
        rng = world.rng(f"register/{register.feed}", lives.people.community.index)
        taken = register.records(world, lives, register.habits(world, lives, rng), rng, self._days)
        serial = self._serial[register.feed] + np.arange(len(taken.who))
        self._serial[register.feed] += len(taken.who)
        sheaf = self._sheaves[register.feed]
        days = [0, *np.unique(taken.day[taken.day > 0]).tolist()] if register.day else [0]
        for day in days:
            pick = np.flatnonzero(~np.isnat(taken.first) if day == 0 else taken.day == day)
            if not len(pick):
                continue
            at = (taken.first if day == 0 else taken.again)[pick]
            sheaf.put(day, register.table(Moment(world, lives, taken, pick, at, serial[pick], rng)))

    def _resurvey(self, index: int, points: list[Row], touched: set[int]) -> None:
        """About one door in a hundred was measured again last week: a few metres off."""
        rng = self._world.rng("resurvey", index)
        date = (self._world.as_of - timedelta(days=5)).isoformat()
        for i in np.flatnonzero(rng.random(len(points)) < 0.012).tolist():
            if i not in touched:
                row = points[i]
                lon, lat = float(row[6]) + rng.normal(0, 3e-5), float(row[7]) + rng.normal(0, 3e-5)
                self._moved_doors.append([*row[:6], f"{lon:.6f}", f"{lat:.6f}", date])

    def _keep_contacts(self, people: People) -> None:
        rng = self._world.rng("contacts", people.community.index)
        chosen = (rng.random(len(people)) < self._contact_share) & (people.age >= 20) & (people.age < 85) & people.here
        community = people.community
        self.contacts.extend(
            Contact(
                person=int(people.person[i]),
                name=str(people.name[i]),
                resident_id=str(people.resident_id[i]),
                phone=str(people.phone[i]),
                address=str(people.address[i]),
                street=community.street.name,
                community=community.name,
            )
            for i in np.flatnonzero(chosen).tolist()
        )

    def _sent_again(self) -> None:
        """The police send the last day's households twice."""
        sheaf = self._sheaves[HOUSEHOLD]
        if not sheaf.files[-1].rows:
            return
        again = sheaf.paths[-1].replace(".csv", "_补发.csv")
        self._drop.copy(sheaf.paths[-1], again)
        self._truth.repeat(sheaf.files[-1], again)

    def _addresses_again(self) -> None:
        path = f"planning/address_points/address_points_{self._day}.csv"
        file = self._truth.open(ADDRESS, path)
        rows, _ = self._truth.inject(
            file,
            ADDRESS_HEADER,
            self._moved_doors,
            ADDRESS_FAULTS,
            self._world.rng("resurvey_faults"),
            key=ADDRESS_KEY,
        )
        with self._drop.open(path) as out:
            CsvWriter(out, list(ADDRESS_HEADER), encoding="utf-8-sig").write(rows)

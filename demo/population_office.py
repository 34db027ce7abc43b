"""Takes the residents of one community after another into the registers that list everybody.

The household register and the truth stream to disk; address points likewise. Only what later
offices need (some contacts, the floating population's workbook, the last day's changes) stays.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from types import TracebackType

import numpy as np

from demo import registers
from demo.entities import Contact
from demo.faults import DUPLICATE, Fault, Row, Truth, put, swap
from demo.people import People, Population
from demo.places import ADDRESS_HEADER, Doors, address_rows
from demo.truth import TruthFolder
from demo.world import World
from demo.writers import CsvWriter, Drop, register_workbook

HOUSEHOLD = "public_security__household"
FLOATING = "public_security__floating_population"
ADDRESS = "planning__address_points"
HOUSEHOLD_KEY, FLOATING_KEY, ADDRESS_KEY = ("身份证号",), ("证件号码",), ("地址编码",)
NEWCOMERS = 0.003

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
    """

    def __init__(self, world: World, drop: Drop, truth: Truth, folder: TruthFolder) -> None:
        self.contacts: list[Contact] = []
        self._world, self._drop, self._truth, self._folder = world, drop, truth, folder
        self._population = Population(world)
        self._floating: list[Row] = []
        self._changes: list[Row] = []
        self._moved_doors: list[Row] = []
        self._doors = 0
        self._day = f"{world.as_of:%Y%m%d}"
        self._before = f"{world.as_of - timedelta(days=1):%Y%m%d}"
        self._files = ExitStack()
        wanted = max(4000, 3 * world.entities)
        self._contact_share = min(1.0, wanted / world.residents)

    def __enter__(self) -> PopulationOffice:
        path = f"public_security/household/household_{self._before}.csv"
        out = self._files.enter_context(self._drop.open(path))
        self._household = CsvWriter(out, list(registers.HOUSEHOLD_HEADER), encoding="gb18030")
        self._household_truth = self._truth.open(HOUSEHOLD, path)
        path = f"planning/address_points/address_points_{self._before}.csv"
        out = self._files.enter_context(self._drop.open(path))
        self._address = CsvWriter(out, list(ADDRESS_HEADER), encoding="utf-8-sig")
        self._address_truth = self._truth.open(ADDRESS, path)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._files.__exit__(kind, error, at)
        if error is None:
            self._increments()
            self._workbook()

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
        self._register(people)
        self._floating.extend(registers.floating_rows(self._world, people))

    def _register(self, people: People) -> None:
        world, index = self._world, people.community.index
        rows = registers.household_rows(world, people)
        new = world.rng("newcomers", index).random(len(rows)) < NEWCOMERS
        base = [r for r, late in zip(rows, new, strict=True) if not late]
        sent, touched = self._truth.inject(
            self._household_truth,
            registers.HOUSEHOLD_HEADER,
            base,
            registers.HOUSEHOLD_FAULTS,
            world.rng("household_faults", index),
            key=HOUSEHOLD_KEY,
        )
        self._household.write(sent)
        self._changes.extend(registers.household_changes(world, index, base, touched))
        stamp = f"{world.as_of.isoformat()} 09:30:00"
        self._changes.extend([*r[:12], stamp] for r, late in zip(rows, new, strict=True) if late)

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
        chosen = (rng.random(len(people)) < self._contact_share) & (people.age >= 20) & (people.age < 85)
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

    def _increments(self) -> None:
        path = f"public_security/household/household_{self._day}.csv"
        file = self._truth.open(HOUSEHOLD, path)
        rows, _ = self._truth.inject(
            file,
            registers.HOUSEHOLD_HEADER,
            self._changes,
            registers.HOUSEHOLD_FAULTS,
            self._world.rng("household_change_faults"),
            key=HOUSEHOLD_KEY,
        )
        with self._drop.open(path) as out:
            CsvWriter(out, list(registers.HOUSEHOLD_HEADER), encoding="gb18030").write(rows)
        again = path.replace(".csv", "_补发.csv")
        self._drop.copy(path, again)
        self._truth.repeat(file, again)
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

    def _workbook(self) -> None:
        path = f"public_security/floating_population/floating_{self._day[:6]}.xlsx"
        file = self._truth.open(FLOATING, path)
        rows, _ = self._truth.inject(
            file,
            registers.FLOATING_HEADER,
            self._floating,
            registers.FLOATING_FAULTS,
            self._world.rng("floating_faults"),
            key=FLOATING_KEY,
            snapshot=True,
        )
        self._truth.footer(file, len(rows) + 1)
        day = self._world.as_of
        register_workbook(
            self._drop,
            path,
            title="西城区流动人口登记表",
            seal=("填报单位：北京市公安局西城分局（盖章）", f"日期：{day.year}年{day.month}月{day.day}日"),
            header=registers.FLOATING_HEADER,
            rows=rows,
            footer=f"合计：{len(rows)}人",
            day=day,
        )

"""Stopped at every boundary of a pull and a load and run again, the tables are what one clean load gives.

A boundary is whatever makes something durable or takes it away - a file synced, renamed or removed, a Delta commit
before it and after it - and every step the code names. There the process is taken for dead: from that moment on nothing
it still does in ``finally`` reaches the disk. `test_crash` does the same with real processes and SIGKILL.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ingestion.fault_support import Boundaries, boundaries, copied

assert boundaries
Build = Callable[[str], Any]

LINES = {
    "1.csv": "编号,雨量,联系人\nA,1,甲\nB,2,乙\nC,坏,丙\n",
    "2.csv": "编号,雨量,联系人\nB,20,丁\nD,4,戊\nE,坏,己\nE,坏,己\n",
}
CONTRACTS = {
    "dropped, append": ("append, key: [sensor_id]", ""),
    "pulled, upsert with history": ("upsert, key: [sensor_id], history: true", "folder"),
    "dropped, snapshot": ("snapshot, key: [sensor_id]", ""),
}
AT_LEAST = 100
"""Boundaries that the cases must have together, or the test says nothing."""


def _house(build: Build, contracts: dict[str, str], case: str, outbox: Path) -> Any:
    mode, connector = CONTRACTS[case]
    text = contracts["readings"].replace("append, key: [sensor_id]", mode) + "  person_name: {from: 联系人}\n"
    if connector:
        source = f"{{connector: folder, folder: {outbox}, settle_seconds: 0, pattern: '*.csv'}}"
        text = text.replace("{connector: files, path: t/f/*}", source)
    return build(text)


def _deliver(house: Any, case: str, outbox: Path, name: str, number: int) -> None:
    if CONTRACTS[case][1]:
        outbox.mkdir(exist_ok=True)
        (outbox / name).write_text(LINES[name], encoding="utf-8")
        os.utime(outbox / name, (1_700_000_000 + number,) * 2)
    else:
        house.drop(name, LINES[name])


def _state(house: Any) -> dict[str, Any]:
    """All that a reader can see, without what names a moment or a repeated attempt."""
    from tests.ingestion.conftest import scan

    return {
        "feed": house.rows("* EXCLUDE (_receipt, _loaded_at)"),
        "history": scan(house.settings.history_path(house.feed_id), "sensor_id, rain_mm, valid_from, valid_to"),
        "vault": house.opened("sensor_id, rain_mm, person_name"),
        "quarantine": house.rows("* EXCLUDE (receipt, quarantined_at, raw)", "quarantine"),
        "loads": [
            r for r in house.platform("loads", "file, verdict, rows_found, rows_loaded, rows_quarantined, rows_skipped")
            if r[1] != "duplicate"
        ],
        "drop": sorted(p.name for p in house.settings.drop.rglob("*.csv")),
    }  # fmt: skip


@pytest.mark.slow
def test_stopped_at_every_boundary(
    build: Build, contracts: dict[str, str], tmp_path: Path, boundaries: Boundaries
) -> None:
    killed = 0
    for case in CONTRACTS:
        outbox = tmp_path / f"out-{len(case)}"
        house = _house(build, contracts, case, outbox)
        shutil.rmtree(house.settings.home)
        house.settings.make_dirs()

        def load(house: Any = house) -> None:
            house.ingest_all(checkpoint=boundaries)

        _deliver(house, case, outbox, "1.csv", 1)
        load()
        _deliver(house, case, outbox, "2.csv", 2)
        prepared = tmp_path / f"prepared-{len(case)}"
        shutil.copytree(house.settings.home, prepared)
        assert not boundaries.run(load)
        names, expected = list(boundaries.names), _state(house)
        assert len(expected["feed"]) == (2 if "snapshot" in case else 3)
        assert len(expected["quarantine"]) == 3
        for at in range(1, len(names) + 1):
            copied(house, prepared)
            if boundaries.run(load, at):
                killed += 1
            load()
            assert _state(house) == expected, (case, at, names[at - 1])
    assert killed >= AT_LEAST, killed


@pytest.mark.slow
def test_two_collectors_at_once_load_each_delivery_once(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["readings"] + "  person_name: {from: 联系人}\n")
    for i in range(3):
        house.drop(f"{i}.csv", f"编号,雨量,联系人\nA{i},1,甲\nB,{i},乙\nC{i},坏,丙\n")
    failed: list[BaseException] = []

    def collect() -> None:
        try:
            house.ingest_all() if list(house.settings.drop.rglob("*.csv")) else None
        except IndexError:
            pass  # the other collector was faster with every file
        except BaseException as e:  # noqa: BLE001 - told to the test
            failed.append(e)

    both = [threading.Thread(target=collect) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(60)
    assert failed == []
    assert [r[0] for r in house.rows("sensor_id")] == ["A0", "A1", "A2", "B"]
    assert len(house.rows(table="quarantine")) == 3
    assert len(house.opened("person_name")) == 4
    assert [r[1:] for r in house.platform("loads", "file, rows_found, rows_quarantined")] == [(3, 1)] * 3


@pytest.mark.slow
def test_in_whatever_order_deliveries_come_the_newest_rows_stand(build: Build, contracts: dict[str, str]) -> None:
    """With ``newest_by`` the table does not depend on the order, nor on deliveries that come again or corrected."""
    from tests.ingestion.conftest import PEOPLE_HEADER, person

    def file(*rows: str) -> str:
        return "\n".join([PEOPLE_HEADER, *rows]) + "\n"

    days = [f"2026-07-0{d} 08:00:00" for d in (1, 2, 3)]
    files = [
        file(person(1, 更新时间=days[0]), person(2, 更新时间=days[0])),
        file(person(1, 更新时间=days[1], 性别="女"), person(3, 更新时间=days[1])),
        file(person(1, 更新时间=days[2], 民族="回族"), person(2, 更新时间=days[2], 性别="男")),
    ]
    expected = None
    for order in [(0, 1, 2), (2, 1, 0), (1, 2, 0)]:
        house = build(contracts["people"])
        shutil.rmtree(house.settings.home)
        house.settings.make_dirs()
        for n in (*order, order[0]):
            house.send(files[n], f"{n}.csv")
        seen = house.opened("resident_id, person_name, sex_code, ethnic_code, updated_at")
        expected = expected or seen
        assert seen == expected, order

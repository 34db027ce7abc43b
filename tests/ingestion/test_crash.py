"""Killed with SIGKILL anywhere and run again, a load leaves what one clean load leaves."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Build = Callable[[str], Any]

STEPS = [
    "land.copying", "land.copied", "land.receipt_written", "land.kept", "land.drop_removed",
    "load.staged", "load.gated", "load.planned", "load.quarantined", "load.vaulted", "load.committed", "load.logged", "load.done",
]  # fmt: skip
NOW = "2026-08-01T04:00:00+00:00"
FILES = {
    "1.csv": "编号,雨量,联系人\nA,1,甲\nB,2,乙\nC,坏,丙\n",
    "2.csv": "编号,雨量,联系人\nB,20,丁\nD,4,戊\nE,坏,己\nE,坏,己\n",
}


@pytest.fixture
def contracts(contracts: dict[str, str]) -> dict[str, str]:
    """The readings with a direct identifier, so that every load writes to the vault too."""
    return {**contracts, "readings": contracts["readings"] + "  person_name: {from: 联系人}\n"}


class Driver:
    """The process that forks and kills loads."""

    def __init__(self, root: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(root / "tests" / "ingestion" / "crash_driver.py")],
            cwd=root,
            env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, house: Any, **command: Any) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        full = {
            "home": str(house.settings.home), "lake": house.settings.lake, "catalog": str(house.catalog.root),
            "feed": house.feed_id, "now": NOW, **command,
        }  # fmt: skip
        self.process.stdin.write(json.dumps(full) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@pytest.fixture(scope="module")
def driver(root: Path) -> Iterator[Driver]:
    made = Driver(root)
    yield made
    assert made.process.stdin
    made.process.stdin.close()
    made.process.wait(timeout=30)


def fill(house: Any) -> None:
    for name, text in FILES.items():
        house.drop(name, text)


def state(house: Any) -> dict[str, Any]:
    """All that a reader can see, without what names a moment or a repeated attempt."""
    return {
        "feed": house.rows("* EXCLUDE (_receipt, _loaded_at)"),
        "vault": house.opened("sensor_id, rain_mm, person_name"),
        "quarantine": house.rows("* EXCLUDE (receipt, quarantined_at, raw)", "quarantine"),
        "loads": house.platform("loads", "file, verdict, rows_found, rows_loaded, rows_quarantined, rows_skipped"),
        "drop": sorted(p.name for p in house.settings.drop.rglob("*.csv")),
    }


def clean_state(build: Build, contract: str, driver: Driver) -> tuple[Any, dict[str, Any]]:
    """The state after one clean load; the house is emptied again."""
    house = build(contract)
    fill(house)
    assert driver(house) == {"killed": False, "code": 0}
    expected = state(house)
    assert expected["drop"] == []
    assert expected["quarantine"]
    empty(house)
    return house, expected


def empty(house: Any) -> None:
    shutil.rmtree(house.settings.home)
    house.settings.make_dirs()


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "early_rows"), [("upsert", 1)])
def test_killed_at_steps_that_others_wait_for(
    build: Build, contracts: dict[str, str], driver: Driver, mode: str, early_rows: int
) -> None:
    """With the feed table written beside the gate (``early_rows`` 1); `test_faults` stops every other way of loading."""
    house, expected = clean_state(build, contracts["readings"].replace("append", mode), driver)
    for step in ("land.copied", "land.kept", "load.planned", "load.vaulted", "load.committed"):
        for occurrence in (2,) if step in ("load.planned", "load.vaulted") else (1,):
            fill(house)
            assert driver(house, at=step, occurrence=occurrence, early_rows=early_rows)["killed"], (step, occurrence)
            assert driver(house) == {"killed": False, "code": 0}
            assert state(house) == expected, (step, occurrence)
            empty(house)


@pytest.mark.slow
def test_killed_again_and_again_in_one_load(build: Build, contracts: dict[str, str], driver: Driver) -> None:
    house, expected = clean_state(build, contracts["readings"].replace("append", "upsert"), driver)
    fill(house)
    for step in STEPS:
        driver(house, at=step)
    assert driver(house)["code"] == 0
    assert state(house) == expected


@pytest.mark.slow
def test_killed_at_any_moment(build: Build, contracts: dict[str, str], driver: Driver) -> None:
    house, expected = clean_state(build, contracts["readings"].replace("append", "upsert"), driver)
    dice = random.Random(7)
    for _ in range(3):
        fill(house)
        driver(house, after_ms=dice.uniform(5, 400))
        assert driver(house)["code"] == 0
        assert state(house) == expected
        empty(house)


@pytest.mark.slow
def test_contract_mended_between_the_crash_and_the_next_run(
    build: Build, contracts: dict[str, str], driver: Driver
) -> None:
    house = build(contracts["readings"])
    fill(house)
    assert driver(house, at="load.quarantined")["killed"]
    assert len(house.rows(table="quarantine")) == 1
    house = build(contracts["readings"].replace("{from: 雨量, required: true}", '{from: 雨量, null_values: ["坏"]}'))
    assert driver(house)["code"] == 0
    assert house.rows(table="quarantine") == []
    assert [r[0] for r in house.rows("sensor_id")] == ["A", "B", "C", "D", "E"]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["append", "upsert", "snapshot"])
def test_contract_mended_between_the_vaults_commit_and_the_feeds(
    build: Build, contracts: dict[str, str], driver: Driver, mode: str
) -> None:
    """The first attempt's sealed values go; a row that the mended contract rejects keeps what was there before."""
    contract = contracts["readings"].replace("append", mode)
    house = build(contract)
    house.drop("1.csv", FILES["1.csv"])
    assert driver(house)["code"] == 0
    house.drop("2.csv", FILES["2.csv"])
    assert driver(house, at="load.vaulted")["killed"]
    house = build(contract.replace("{from: 雨量, required: true}", "{from: 雨量, required: true, null_values: ['20']}"))
    assert driver(house)["code"] == 0
    kept = [("D", 4.0, "戊")] if mode == "snapshot" else [("A", 1.0, "甲"), ("B", 2.0, "乙"), ("D", 4.0, "戊")]
    assert house.opened("sensor_id, rain_mm, person_name") == kept


@pytest.mark.slow
def test_a_replay_killed_at_every_step(build: Build, contracts: dict[str, str], driver: Driver) -> None:
    mended = contracts["readings"].replace("{from: 雨量, required: true}", '{from: 雨量, null_values: ["坏"]}')
    expected = None
    for step in [None, "replay.staged", "replay.vaulted", "replay.committed", "replay.closed"]:
        house = build(contracts["readings"])
        fill(house)
        assert driver(house)["code"] == 0
        house = build(mended)
        if step:
            assert driver(house, op="replay", at=step)["killed"]
        assert driver(house, op="replay")["code"] == 0
        seen = {k: v for k, v in state(house).items() if k in ("feed", "vault", "quarantine")}
        expected = expected or seen
        assert seen == expected, step
        assert [r[0] for r in house.rows("sensor_id")] == ["A", "B", "C", "D", "E"]
        empty(house)

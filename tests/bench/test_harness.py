"""The harness measures child processes and tells what it measured."""

from __future__ import annotations

import time

import pytest

from bench.harness import compare, machine, run_once, table

pytestmark = pytest.mark.slow


def busy(seconds: float, megabytes: int = 0) -> None:
    kept = bytearray(megabytes * 2**20)
    time.sleep(seconds)
    del kept


def own_clock() -> float:
    return 12.5


def broken() -> None:
    raise ValueError("boom")


HERE = "tests.bench.test_harness"


def test_compares_time_and_memory_of_child_processes() -> None:
    row = compare(
        "sleep",
        ours=f"{HERE}:busy",
        yardstick=f"{HERE}:busy",
        args={"seconds": 0.2, "megabytes": 150},
        yardstick_args={"seconds": 0.1},
        rows=100,
        target=1000,
        runs=1,
    )
    assert row["ours_s"] >= 0.2  # no upper bound: the machine may be busy
    assert row["yardstick_s"] >= 0.1
    assert row["ratio"] == pytest.approx(row["ours_s"] / row["yardstick_s"], rel=0.02)
    assert row["ok"] is True
    assert row["peak_mb"] > row["yardstick_peak_mb"] + 100
    assert row["rows_per_s"] == pytest.approx(100 / row["ours_s"], rel=0.02)
    assert "| sleep |" in table([row])


def test_a_side_may_bring_its_own_seconds() -> None:
    assert run_once(f"{HERE}:own_clock").seconds == 12.5


def test_a_failing_side_is_an_error_with_its_cause() -> None:
    with pytest.raises(RuntimeError, match="boom"):
        run_once(f"{HERE}:broken")


def test_the_machine_is_described() -> None:
    assert "cores" in machine()
    assert "GB" in machine()

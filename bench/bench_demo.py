"""The synthetic district: time, rows a second and peak memory of everything it writes, and of its registers of persons.

Absolute figures: files, ledger and truth are written to disk. The whole district is to take three minutes at most, and
the registers of persons no more memory at full scale than a community and the days' files need.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from bench.harness import compare

DISTRICT = 1_106_214
"""Residents of the district in the census of 2020."""
ROWS_PER_RESIDENT = 3.97
"""Records of persons in all registers for each resident, marriages counted once."""


def run(scale: float = 1.0) -> list[dict[str, Any]]:
    """The district at ``scale``, half of it, and thirty daily deliveries of a tenth."""
    people = max(2_000, int(DISTRICT * scale))
    side = "bench.bench_demo:"
    return [
        compare(
            f"demo district, {people:,} residents",
            ours=f"{side}district", args={"residents": people}, rows=round(people * ROWS_PER_RESIDENT),
            target=180 * max(scale, 0.1), runs=1,
        ),
        compare(
            f"registers of persons alone, {people:,} residents",
            ours=f"{side}persons", args={"residents": people}, rows=round(people * ROWS_PER_RESIDENT), runs=1,
        ),
        compare(
            f"registers of persons alone, {people // 2:,} residents",
            ours=f"{side}persons", args={"residents": people // 2}, rows=round(people // 2 * ROWS_PER_RESIDENT), runs=1,
        ),
        compare(
            f"the same with 30 daily deliveries, {people // 10:,} residents",
            ours=f"{side}persons", args={"residents": people // 10, "days": 30},
            rows=round(people // 10 * ROWS_PER_RESIDENT), runs=1,
        ),
    ]  # fmt: skip


def district(residents: int) -> None:
    """Every feed's files."""
    from demo import generate

    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder) / "drop", residents=residents)


def persons(residents: int, days: int = 1) -> None:
    """The registers of persons and the address points, with their truth."""
    from datetime import date

    from demo.faults import Truth
    from demo.places import Places
    from demo.population_office import PopulationOffice
    from demo.truth import TruthFolder
    from demo.world import make_world
    from demo.writers import Drop

    world = make_world(seed=1, as_of=date(2026, 6, 30), residents=residents, faults=0.02)
    with tempfile.TemporaryDirectory() as folder, TruthFolder(Path(folder) / "truth") as truth:
        places = Places(world)
        with PopulationOffice(world, Drop(Path(folder) / "drop"), Truth(rate=0.02), truth, days) as office:
            for community in world.communities:
                office.take(places.doors(community))

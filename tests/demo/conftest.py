"""One small district for all tests of the room."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo import DemoSummary, generate

RESIDENTS = 3000


@dataclass(frozen=True)
class District:
    drop: Path
    truth: Path
    summary: DemoSummary

    def table(self, name: str) -> list[dict[str, str]]:
        """A file of the truth folder."""
        with (self.truth / name).open(encoding="utf-8", newline="") as f:
            return list(csv.DictReader(f))

    def rows(self, path: str, encoding: str) -> list[list[str]]:
        """A delivered CSV file, header first."""
        with (self.drop / path).open(encoding=encoding, newline="") as f:
            return list(csv.reader(f))

    def faulty(self, path: str) -> set[int]:
        """Numbers of the records of a file that have a fault."""
        return {int(r["row"]) for r in self.table("faults.csv") if r["file"] == path}


@pytest.fixture(scope="session")
def district(tmp_path_factory: pytest.TempPathFactory) -> District:
    folder = tmp_path_factory.mktemp("district")
    summary = generate(folder / "drop", folder / "truth", residents=RESIDENTS, seed=7)
    return District(folder / "drop", folder / "truth", summary)

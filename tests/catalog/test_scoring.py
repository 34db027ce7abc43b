"""Weights make 100 on every day, and every problem receiving can find has a label and a dimension."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.errors import ContractError
from catalog.scoring import load_scoring
from catalog.settings import PACKAGED_CATALOG


def test_the_packaged_weights() -> None:
    scoring = load_scoring(PACKAGED_CATALOG)
    assert sum(d.weight for d in scoring.dimensions) == 100
    assert [d.rules_count_in for d in scoring.dimensions if d.dimension == "accuracy"] == ["validity"]


def test_every_problem_of_the_readers_is_scored() -> None:
    from ingestion.formats.base import PROBLEM_ZH

    problems = load_scoring(PACKAGED_CATALOG).problems
    assert set(PROBLEM_ZH) == {code for code, p in problems.items() if p.origin == "reasons"}


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ("{dimension: validity, label: x, weight: 90, valid_from: 2026-01-01, source: y}", "make 90"),
        (
            "{dimension: validity, label: x, weight: 50, valid_from: 2026-01-01, source: y}\n"
            "  - {dimension: validity, label: x, weight: 50, valid_from: 2026-01-01, source: y}",
            "stands twice",
        ),
        ("{dimension: beauty, label: x, weight: 100, valid_from: 2026-01-01, source: y}", "completeness"),
        ('{dimension: validity, label: x, weight: 100, valid_from: 2026-01-01, source: ""}', "at least 1"),
    ],
)
def test_wrong_weights_are_refused(tmp_path: Path, rows: str, fault: str) -> None:
    (tmp_path / "quality").mkdir()
    (tmp_path / "quality" / "scoring.yaml").write_text(f"dimensions:\n  - {rows}\nproblems: {{}}\n", encoding="utf-8")
    with pytest.raises(ContractError, match=fault):
        load_scoring(tmp_path)

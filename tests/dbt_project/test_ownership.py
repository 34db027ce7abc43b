"""Who owns a company in the end: against the closed form of integrated ownership, and where every firm owns every other."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from tests.dbt_project.conftest import Models

pytestmark = pytest.mark.slow

Holding = tuple[str, str | None, str | None, float | None]
"""A company, the company that owns of it or None, the person that owns of it or None, and the share in per cent."""
COLUMNS = {"uscc": "varchar", "shareholder_uscc": "varchar", "resident_key": "varchar", "shareholding_pct": "double"}


@pytest.fixture
def owned(models: Models) -> Callable[[Sequence[Holding]], dict[tuple[str, str], tuple[int, float]]]:
    """``owned(holdings)``: (owner, company) to the steps between them and the share in per cent."""

    def found(holdings: Sequence[Holding]) -> dict[tuple[str, str], tuple[int, float]]:
        models.table("staging__market_supervision__shareholders", COLUMNS, holdings)
        models.build("legal_entity__ownership")
        rows = models.rows("select owner_key, uscc, steps_count, effective_pct from legal_entity__ownership")
        assert len({r[:2] for r in rows}) == len(rows)
        return {(owner, uscc): (steps, pct) for owner, uscc, steps, pct in rows}

    return found


def ring(size: int, share: float) -> list[Holding]:
    """Every firm owns ``share`` per cent of every other, and one person of its own the rest of it."""
    firms = [f"f{i}" for i in range(size)]
    mutual: list[Holding] = [(a, b, None, share) for a, b in itertools.permutations(firms, 2)]
    return mutual + [(f, None, f"p{f}", 100 - share * (size - 1)) for f in firms]


@pytest.mark.parametrize("size", [10, 30, 60])
def test_firms_that_all_own_each_other(
    size: int, owned: Callable[..., dict[tuple[str, str], tuple[int, float]]]
) -> None:
    """There are 10^80 chains through sixty firms; what comes of them is a short sum."""
    share = 60 / (size - 1)
    start = time.perf_counter()
    found = owned(ring(size, share))
    assert time.perf_counter() - start < 5
    inverse = np.linalg.inv(np.eye(size) - share / 100 * (1 - np.eye(size)))
    assert len(found) == size * (size - 1) + size * size
    assert found["f0", "f1"] == (1, pytest.approx(100 * inverse[0, 1] / inverse[0, 0], abs=1e-3))
    assert found["pf0", "f0"] == (1, pytest.approx(40 * inverse[0, 0], abs=1e-3))
    assert found["pf0", "f1"] == (2, pytest.approx(40 * inverse[0, 1], abs=1e-3))
    assert sum(pct for (owner, uscc), (_, pct) in found.items() if uscc == "f0" and owner[0] == "p") == pytest.approx(
        100, abs=0.01
    )


def test_a_closed_ring_that_nobody_else_owns_stays_below_the_whole(
    owned: Callable[..., dict[tuple[str, str], tuple[int, float]]],
) -> None:
    found = owned([h for h in ring(60, 100 / 59) if h[1]])
    assert {steps for steps, _ in found.values()} == {1}
    assert all(100 / 59 < pct <= 100 for _, pct in found.values())


def test_any_firms(owned: Callable[..., dict[tuple[str, str], tuple[int, float]]]) -> None:
    """Random holdings with rings, self-owners and persons come to what the closed form says."""
    seed = int(datetime.now(UTC).timestamp())
    rng = np.random.default_rng(seed)
    n = 14
    part = np.where(rng.random((n, n)) < 0.2, rng.random((n, n)), 0)
    part *= 0.7 / np.maximum(part.sum(axis=0), 0.7)
    holdings: list[Holding] = [
        (f"f{j}", f"f{i}", None, 100 * part[i, j]) for i in range(n) for j in range(n) if part[i, j]
    ]
    persons = {(k, j): 0.3 * rng.random() for k, j in zip("abc", rng.choice(n, 3, replace=False), strict=True)}
    found = owned(holdings + [(f"f{j}", None, k, 100 * w) for (k, j), w in persons.items()])
    inverse = np.linalg.inv(np.eye(n) - part)
    expected = {
        (f"f{i}", f"f{j}"): 100 * inverse[i, j] / inverse[i, i]
        for i in range(n) for j in range(n) if i != j and inverse[i, j] > 1e-12
    }  # fmt: skip
    expected |= {
        (k, f"f{j}"): 100 * w * inverse[i, j]
        for (k, i), w in persons.items()
        for j in range(n)
        if inverse[i, j] > 1e-12
    }
    assert {key: pct for key, (_, pct) in found.items()} == pytest.approx(expected, abs=1e-3), f"seed {seed}"


def test_bad_holdings(owned: Callable[..., dict[tuple[str, str], tuple[int, float]]]) -> None:
    """A firm that owns of itself, shares of more than the whole, a share nobody stated, and two ways to one firm."""
    found = owned(
        [
            ("self", "self", None, 50), ("self", None, "p", 50),
            ("much", "a", None, 100), ("much", None, "p", 100),
            ("unsaid", "a", None, None),
            ("left", "top", None, 60), ("right", "top", None, 40), ("end", "left", None, 50), ("end", "right", None, 50),
            ("top", None, "q", 100), ("end", None, "q", 0),
        ]
    )  # fmt: skip
    assert found["p", "self"] == (1, pytest.approx(100, abs=1e-3))
    assert ("self", "self") not in found
    assert found["p", "much"] == found["a", "much"] == (1, 50)
    assert found["a", "unsaid"] == (1, None)
    assert found["top", "end"] == (2, 50)
    assert found["q", "end"] == (1, 50)


def test_a_long_chain_is_followed_for_32_firms(owned: Callable[..., dict[tuple[str, str], tuple[int, float]]]) -> None:
    found = owned([(f"f{i + 1}", f"f{i}", None, 99) for i in range(200)] + [("f0", None, "p", 100)])
    assert found["f0", "f32"] == (32, pytest.approx(100 * 0.99**32, abs=1e-3))
    assert found["p", "f32"] == (33, pytest.approx(100 * 0.99**32, abs=1e-3))
    assert ("f0", "f33") not in found
    assert len(found) == sum(min(32, 200 - i) for i in range(200)) + 33

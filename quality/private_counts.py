"""Differential privacy for counts, by OpenDP: the discrete Laplace mechanism with its own secure randomness.

One person stands in one cell at most, so adding or removing somebody changes one count by one (L1 sensitivity 1).
Cells nobody is in are not released, and neither is a noisy count below ``k``; what that tells about somebody alone in
a cell is `delta`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def noisy_counts(counts: Sequence[int], epsilon: float) -> list[int]:
    """Counts with noise of scale 1/epsilon; whole numbers, at least nought.

    Args:
        epsilon: privacy loss of releasing all of them together.

    Raises:
        ValueError: the mechanism would lose more than ``epsilon``.
    """
    if not counts:
        return []
    import opendp.prelude as dp

    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T=int)), dp.l1_distance(T=int)
    measurement = dp.m.make_laplace(*space, scale=1 / epsilon)
    if measurement.map(1) > epsilon * (1 + 1e-9):
        raise ValueError(f"scale {1 / epsilon} does not give epsilon {epsilon}")
    return [max(0, int(v)) for v in measurement(list(counts))]


def delta(epsilon: float, k: int) -> float:
    """Bound on the chance that a cell with one person passes the threshold ``k``: P(1 + noise >= k)."""
    share = math.exp(-epsilon)
    return share ** (k - 1) / (1 + share)

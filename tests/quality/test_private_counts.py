"""Noise that hides one person: of the stated scale, never below nought, and without a seed anybody could guess."""

from __future__ import annotations

import math
import statistics

import pytest

from quality.private_counts import delta, noisy_counts


@pytest.mark.parametrize("epsilon", [0.25, 1.0])
def test_the_noise_has_the_stated_scale(epsilon: float) -> None:
    noise = [n - 1000 for n in noisy_counts([1000] * 4000, epsilon)]
    assert abs(statistics.mean(noise)) < 6 / epsilon / math.sqrt(4000) * math.sqrt(2)
    share = math.exp(-epsilon)
    assert statistics.pvariance(noise) == pytest.approx(2 * share / (1 - share) ** 2, rel=0.25)
    assert noisy_counts([1000] * 50, epsilon) != noisy_counts([1000] * 50, epsilon)


def test_counts_stay_counts() -> None:
    assert noisy_counts([], 1.0) == []
    assert min(noisy_counts([0] * 200, 0.5)) == 0


def test_delta_is_the_chance_that_one_person_shows() -> None:
    assert delta(1.0, 10) == pytest.approx(9.02e-5, rel=0.01)
    shown = sum(n >= 4 for n in noisy_counts([1] * 20_000, 0.5)) / 20_000
    assert shown == pytest.approx(delta(0.5, 4), rel=0.15)

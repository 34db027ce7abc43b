"""Trying again, a bounded number of times, with growing pauses and jitter."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from catalog.errors import SourceUnavailable

T = TypeVar("T")
ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0


def pause_seconds(attempt: int, *, share: Callable[[], float] = random.random) -> float:
    """How long to wait after the ``attempt``-th failure (from 1): doubling, half of it at random."""
    full = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1))
    return full * (0.5 + share() / 2)


def retried(action: Callable[[], T], *, sleep: Callable[[float], None], attempts: int = ATTEMPTS) -> T:
    """``action()``, again after each SourceUnavailable, at most ``attempts`` times.

    Raises:
        SourceUnavailable: of the last attempt.
    """
    for attempt in range(1, attempts):
        try:
            return action()
        except SourceUnavailable:
            sleep(pause_seconds(attempt))
    return action()

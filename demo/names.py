"""Personal names by how common they are: surnames by weight, given names by sex and year of birth."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo.world import word_list


@lru_cache(maxsize=1)
def _surnames() -> tuple[NDArray[Any], NDArray[Any]]:
    parts = word_list("names.yaml")["surnames"].split()
    weights = np.array([float(w) for w in parts[1::2]])
    return np.array(parts[0::2]), np.cumsum(weights / weights.sum())


@lru_cache(maxsize=1)
def _eras() -> tuple[list[int], list[tuple[float, NDArray[Any], NDArray[Any]]]]:
    eras = word_list("names.yaml")["eras"]
    return (
        [int(e["from"]) for e in eras],
        [(e["one_char_pct"] / 100, np.array(list(e["male"])), np.array(list(e["female"]))) for e in eras],
    )


def surnames(rng: np.random.Generator, count: int) -> NDArray[Any]:
    """``count`` surnames drawn by frequency."""
    names, cumulative = _surnames()
    return names[np.searchsorted(cumulative, rng.random(count), side="right").clip(0, len(names) - 1)]


def given_names(rng: np.random.Generator, male: NDArray[Any], year: NDArray[Any]) -> NDArray[Any]:
    """Given names of one or two characters fit for sex and year of birth."""
    starts, eras = _eras()
    era = np.searchsorted(starts, year, side="right") - 1
    one = rng.random(len(year))
    first, second = rng.random(len(year)), rng.random(len(year))
    out = np.empty(len(year), dtype="U2")
    for i, (share, men, women) in enumerate(eras):
        for is_male, chars in ((True, men), (False, women)):
            pick = (era.clip(0) == i) & (male == is_male)
            a = chars[(first[pick] * len(chars)).astype(int)]
            b = chars[(second[pick] * len(chars)).astype(int)]
            out[pick] = np.where(one[pick] < share, a, np.strings.add(a, b))
    return out

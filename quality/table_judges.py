"""What follows from the numbers a table rule measures. Great Expectations asks here, and so does whoever measures only
what is new of a table (`quality.new_rows`): one question cannot have two answers.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

FLOOR = 1e-4
"""Share given to a category that has none, so that an index of change stays finite."""


class Judged(NamedTuple):
    """Whether a rule holds, the number observed, failing rows (None where rows do not fail), and numbers besides."""

    success: bool
    observed: float | None
    failing: int | None
    details: Mapping[str, float]


def result(judged: Judged, rows: int, doubtful: Sequence[str] = ()) -> dict[str, Any]:
    """The numbers of an answer, as Great Expectations keeps them.

    Args:
        doubtful: columns that hold what looks like a finding and is none by the company it keeps.
    """
    found: dict[str, Any] = {
        "observed_value": judged.observed,
        "element_count": rows,
        "details": judged.details,
    }
    if judged.failing is not None:
        percent = 100.0 * judged.failing / rows if rows else 0.0
        found |= {"unexpected_count": judged.failing, "unexpected_percent": percent}
    return {**found, "doubtful": list(doubtful)} if doubtful else found


def none_fails(failing: int) -> Judged:
    """Of a rule that counts failing rows."""
    return Judged(failing == 0, failing, failing, {})


def nothing_found(found: Mapping[str, int]) -> Judged:
    """Of a rule that counts cells by column and kind."""
    return Judged(not found, sum(found.values()), sum(found.values()), dict(found))


def above_grade(
    found: Iterable[Sequence[Any]], grades: Mapping[str, int], kinds: Collection[str], but: Collection[str]
) -> dict[str, int]:
    """Of ``[column, kind, hits, grade]`` those above the column's grade, by column and kind.

    Args:
        kinds: what is looked for, empty for all; ``but``: what is not.
    """
    return {
        f"{column} {kind}": int(hits)
        for column, kind, hits, grade in found
        if grade > grades[column] and kind not in but and (not kinds or kind in kinds)
    }


def shares_of(counts: Iterable[Sequence[Any]], rows: int) -> dict[str, float]:
    """Category and rows as category to share."""
    return {str(c): n / rows for c, n in counts} if rows else {}


def distribution(
    shares: Mapping[str, float],
    rows: int,
    *,
    history: Sequence[Mapping[str, float]] = (),
    method: str = "psi",
    limit: float,
    min_rows: int = 100,
) -> Judged:
    """Whether categories have the shares of earlier builds; ``limit``: from it on they have not."""
    if not history or rows < min_rows:
        return Judged(True, None, None, shares)
    shift = distance(shares, mean_shares(history), method)
    return Judged(shift < limit, round(shift, 4), None, shares)


def number(
    measured: float | None,
    *,
    history: Sequence[float] = (),
    max_change_pct: float | None = None,
    max_z: float | None = None,
) -> Judged:
    """Whether a number is as in earlier builds; see `number_shift`."""
    if measured is None:
        return Judged(True, None, None, {})
    shifts = number_shift(float(measured), history)
    beyond = (max_change_pct is not None and abs(shifts.get("change_pct", 0.0)) > max_change_pct) or (
        max_z is not None and abs(shifts.get("z", 0.0)) > max_z
    )
    return Judged(not beyond, float(measured), None, shifts)


def inputs_fresh(observed: float | None, detail: Mapping[str, float]) -> Judged:
    """Of the feeds a table is made from; ``observed``: how many are late, ``detail``: hours of each."""
    return Judged(not observed, observed, None, detail)


def mean_shares(history: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean share of each category over earlier builds."""
    names = {name for shares in history for name in shares}
    return {name: sum(shares.get(name, 0.0) for shares in history) / len(history) for name in names}


def distance(now: Mapping[str, float], before: Mapping[str, float], method: str) -> float:
    """How far two distributions are apart: ``psi``, 0 to infinity, or ``tv``, 0 to 1."""
    names = {*now, *before}
    if method == "tv":
        return sum(abs(now.get(n, 0.0) - before.get(n, 0.0)) for n in names) / 2
    pairs = ((max(now.get(n, 0.0), FLOOR), max(before.get(n, 0.0), FLOOR)) for n in names)
    return sum((p - q) * math.log(p / q) for p, q in pairs)


def number_shift(number: float, history: Sequence[float]) -> dict[str, float]:
    """``change_pct`` against the median of ``history``, and ``z`` with five numbers or more."""
    if not history:
        return {}
    ordered = sorted(history)
    median = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    found = {"change_pct": round(100.0 * (number - median) / abs(median), 2)} if median else {}
    if len(history) >= 5:
        mean = sum(history) / len(history)
        spread = math.sqrt(sum((h - mean) ** 2 for h in history) / (len(history) - 1))
        found["z"] = round((number - mean) / max(spread, 0.01 * abs(mean), 1e-9), 2)
    return found

"""What travels with a value through SQL: its grade, where it came from, and whom it may identify."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Place = tuple[str, str]
"""(``schema.table``, column)."""


@dataclass(frozen=True)
class Flow:
    """What is known of a value.

    Attributes:
        grade: the highest grade that reaches it, after registered lowerings.
        inputs: columns it derives from, each with the grade it contributes.
        quasi: elements that help to identify a person and reach it.
        direct: a direct identifier of a person, or its pseudonym, reaches it.
        registers: feeds those identifying elements come from.
        keys: columns whose rows it still tells apart; a generalised value tells none apart.
        count, statistic: an aggregate over rows about persons without small cells suppressed (``count``: of rows).
        ranking: a place in an order (``row_number``, ``rank``); to choose a row by it is a predicate.
        lowered: ids of the lowerings it passed.
    """

    grade: int = 1
    inputs: Mapping[Place, int] = field(default_factory=dict)
    quasi: frozenset[str] = frozenset()
    direct: bool = False
    registers: frozenset[str] = frozenset()
    keys: frozenset[Place] = frozenset()
    count: bool = False
    statistic: bool = False
    ranking: bool = False
    lowered: tuple[str, ...] = ()

    @property
    def identifies(self) -> bool:
        return self.direct or bool(self.quasi)


NOTHING = Flow()


def combine(flows: Iterable[Flow]) -> Flow:
    """A value made of several: the highest grade, everything else together."""
    parts = [f for f in flows if f != NOTHING]
    if not parts:
        return NOTHING
    if len(parts) == 1:
        return parts[0]
    inputs: dict[Place, int] = {}
    for part in parts:
        for place, grade in part.inputs.items():
            inputs[place] = max(grade, inputs.get(place, 1))
    return Flow(
        grade=max(p.grade for p in parts),
        inputs=inputs,
        quasi=frozenset().union(*(p.quasi for p in parts)),
        direct=any(p.direct for p in parts),
        registers=frozenset().union(*(p.registers for p in parts)),
        keys=frozenset().union(*(p.keys for p in parts)),
        count=all(p.count for p in parts),
        statistic=any(p.statistic for p in parts),
        ranking=all(p.ranking for p in parts),
        lowered=tuple(dict.fromkeys(name for p in parts for name in p.lowered)),
    )


def lower(flow: Flow, name: str, grades: Mapping[int, int], *, quasi: Literal["keep", "drop"]) -> Flow:
    """``flow`` after the lowering ``name``: it tells no rows apart and names nobody any more."""
    after = grades.get(flow.grade, flow.grade)
    return replace(
        flow,
        grade=after,
        inputs={place: min(grade, after) for place, grade in flow.inputs.items()},
        quasi=flow.quasi if quasi == "keep" else frozenset(),
        direct=False,
        registers=flow.registers if quasi == "keep" else frozenset(),
        keys=frozenset(),
        lowered=(*flow.lowered, name) if after < flow.grade else flow.lowered,
    )

"""Persons out of pairs: the closest pairs first, never two different numbers in one person, and what a person decided.

A record goes to one person or to none: when a second person is almost as close as the first, a person has to decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from catalog.linking import Thresholds

Verdict = Literal["same", "different"]


@dataclass(frozen=True)
class Pair:
    """Two nodes that were compared. ``levels``: what agreed, as `scoring.level_names` reads it."""

    l: int  # noqa: E741 - left and right, as Splink says
    r: int
    weight: float
    levels: str = ""


@dataclass
class Clusters:
    """Groups of nodes that are one person.

    Attributes:
        parent: node to its parent in the forest; `find` gives the root.
        number: root to the valid resident ID of the person, where one is believed; ``hard``: and nothing is against it.
        review: pairs for a person to decide, the closest first.
    """

    parent: dict[int, int]
    number: dict[int, str]
    hard: set[int]
    apart: set[frozenset[int]] = field(default_factory=set)
    review: list[Pair] = field(default_factory=list)

    def find(self, node: int) -> int:
        """The root of a node's group."""
        root = node
        while self.parent[root] != root:
            root = self.parent[root]
        while self.parent[node] != root:
            self.parent[node], node = root, self.parent[node]
        return root

    def may_join(self, a: int, b: int) -> bool:
        """Whether two groups can be one person: not with two numbers, of which nothing speaks against either."""
        one, two = self.number.get(a), self.number.get(b)
        if one and two and one != two and a in self.hard and b in self.hard:
            return False
        return frozenset((a, b)) not in self.apart

    def join(self, a: int, b: int) -> None:
        """Make two groups one; the one with the surer number gives its number."""
        if (b in self.hard, b in self.number) > (a in self.hard, a in self.number):
            a, b = b, a
        self.parent[b] = a
        if b in self.number and a not in self.number:
            self.number[a] = self.number[b]
        if b in self.hard:
            self.hard.add(a)
        if self.apart:
            self.apart |= {frozenset((a, *(p - {b}))) for p in self.apart if b in p}


def cluster(
    groups: Mapping[int, int],
    numbers: Mapping[int, str],
    hard: Iterable[int],
    pairs: Iterable[Pair],
    thresholds: Thresholds,
    decisions: Iterable[tuple[int, int, Verdict]] = (),
) -> Clusters:
    """Join nodes to persons.

    Args:
        groups: node to the node that stands for its resident ID (itself, where it has none).
        numbers: such a node to its valid ID; ``hard``: those with nothing against it.
        pairs: compared ones of at least ``thresholds.review``.
        decisions: what a person decided of two nodes; the last one of a pair holds.
    """
    made = Clusters(dict(groups), dict(numbers), set(hard))
    decided = {frozenset((a, b)): verdict for a, b, verdict in decisions}
    for both, verdict in decided.items():
        a, b = (made.find(n) for n in (*both, *both)[:2])
        if a == b:
            continue
        if verdict == "same":
            made.join(a, b)
        else:
            made.apart.add(frozenset((a, b)))
    ordered = sorted(pairs, key=lambda p: (-p.weight, p.l, p.r))
    best: dict[int, list[tuple[float, int]]] = _best(made, ordered)
    for pair in ordered:
        a, b = made.find(pair.l), made.find(pair.r)
        if a == b or frozenset((pair.l, pair.r)) in decided:
            continue
        sure = pair.weight >= thresholds.link and not _rivalled(made, pair, best, thresholds.margin)
        if sure and made.may_join(a, b):
            made.join(a, b)
        elif frozenset((a, b)) not in made.apart:
            made.review.append(pair)
    made.review = _open(made)
    return made


def _best(made: Clusters, ordered: list[Pair]) -> dict[int, list[tuple[float, int]]]:
    """For nodes without a sure number: their closest persons with one, the closest first, at most two."""
    best: dict[int, list[tuple[float, int]]] = {}
    for pair in ordered:
        for node, other in ((pair.l, pair.r), (pair.r, pair.l)):
            root, own = made.find(other), made.find(node)
            if root in made.hard and own not in made.hard:
                held = best.setdefault(own, [])
                if len(held) < 2 and all(root != seen for _, seen in held):
                    held.append((pair.weight, root))
    return best


def _rivalled(made: Clusters, pair: Pair, best: Mapping[int, list[tuple[float, int]]], margin: float) -> bool:
    """Whether another person of a sure number is almost as close to a node of this pair, or closer."""
    for node, other in ((pair.l, pair.r), (pair.r, pair.l)):
        root = made.find(other)
        for weight, rival in best.get(made.find(node), ()):
            if root in made.hard and made.find(rival) != root and weight > pair.weight - margin:
                return True
    return False


def _open(made: Clusters) -> list[Pair]:
    """One pair for two persons, the closest; none that has been settled by another pair meanwhile."""
    seen: dict[frozenset[int], Pair] = {}
    for pair in made.review:
        a, b = made.find(pair.l), made.find(pair.r)
        both_sure = a in made.hard and b in made.hard
        if a != b and not both_sure and frozenset((a, b)) not in made.apart:
            seen.setdefault(frozenset((a, b)), pair)
    return list(seen.values())

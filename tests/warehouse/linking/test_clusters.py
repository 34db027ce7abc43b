"""Persons out of pairs: closest first, never two sure numbers in one, rivals and decisions respected."""

from __future__ import annotations

from catalog.linking import Thresholds
from warehouse.linking.clusters import Pair, Verdict, cluster

LIMITS = Thresholds(link=4.0, review=-2.0, margin=3.0)
SURE = {1: "A", 2: "B"}


def persons(
    pairs: list[Pair], numbers: dict[int, str] | None = None, decisions: list[tuple[int, int, Verdict]] | None = None
) -> tuple[set[frozenset[int]], list[tuple[int, int]]]:
    numbers = SURE if numbers is None else numbers
    groups = {n: n for n in range(1, 7)}
    made = cluster(groups, numbers, set(numbers), pairs, LIMITS, decisions or [])
    found: dict[int, set[int]] = {}
    for node in groups:
        found.setdefault(made.find(node), set()).add(node)
    return {frozenset(s) for s in found.values() if len(s) > 1}, [(p.l, p.r) for p in made.review]


def test_the_closest_wins() -> None:
    assert persons([Pair(1, 3, 9.0), Pair(2, 3, 5.0)]) == ({frozenset({1, 3})}, [])


def test_two_almost_as_close_wait_for_a_person() -> None:
    joined, review = persons([Pair(1, 3, 9.0), Pair(2, 3, 8.0)])
    assert joined == set()
    assert review == [(1, 3), (2, 3)]


def test_two_sure_numbers_never_meet_over_a_third() -> None:
    joined, _ = persons([Pair(1, 3, 20.0), Pair(3, 4, 19.0), Pair(2, 4, 10.0)])
    assert joined == {frozenset({1, 3, 4})}


def test_between_the_thresholds_is_for_review_and_below_for_nobody() -> None:
    assert persons([Pair(3, 4, 3.9)], {}) == (set(), [(3, 4)])
    assert persons([Pair(3, 4, 4.0)], {}) == ({frozenset({3, 4})}, [])


def test_a_decision_beats_every_weight_and_the_last_one_holds() -> None:
    pairs = [Pair(1, 3, 30.0)]
    assert persons(pairs, decisions=[(1, 3, "different")]) == (set(), [])
    assert persons([], decisions=[(1, 3, "same")]) == ({frozenset({1, 3})}, [])
    assert persons(pairs, decisions=[(1, 3, "different"), (3, 1, "same")])[0] == {frozenset({1, 3})}


def test_what_was_kept_apart_stays_apart_after_joining_others() -> None:
    joined, _ = persons([Pair(3, 4, 20.0), Pair(1, 4, 18.0)], {1: "A"}, [(1, 3, "different")])
    assert joined == {frozenset({3, 4})}

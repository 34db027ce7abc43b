"""Fits the weights of address evidence on a real list of areas, and tells how good the answers are on unseen areas.

``python -m bench.fit_addresses FOLDER`` reads ``address/xicheng_address_to_community_dev.csv``,
``poi/xicheng_residential_compounds.json`` and ``admin/xicheng_divisions_nbs2016.csv`` below FOLDER, prints ``WEIGHTS``
of ``quality/addresses/evidence.py`` and, of five folds, precision and coverage where each fold was hidden from both the
book and the weights. *By row* a fold hides rows; *by area* it hides all rows of one text, so that nothing asked is
known from another year.
"""

from __future__ import annotations

import csv
import json
import math
import random
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize

from quality.addresses import evidence
from quality.addresses.areas import pieces
from quality.addresses.book import Area, Community, Standard, label_of, make_book, settle_labels
from quality.addresses.communities import CommunityNames, printed_name
from quality.addresses.evidence import clues, gather
from quality.addresses.match import Match, Matcher, pieces_of
from quality.addresses.parse import parse, split
from quality.addresses.text import normalise

FOLDS = 5
PULL = 1.0
"""How strongly weights are pulled to zero: a prior of standard deviation 1."""

Sample = tuple[dict[str, dict[str, float]], dict[str, float], str]
"""Clues by community, what speaks for none, and the true community."""


@dataclass(frozen=True)
class Real:
    """The real files. Row grain of ``texts``, ``areas``, ``truth`` and ``group``: a row that prints a community.

    Attributes:
        areas: what each row states; ``truth``: code of its community, or its printed name.
        group: number of the row's text, the same for all rows of one text.
    """

    texts: list[str]
    areas: list[list[Area]]
    truth: list[str]
    group: list[int]
    compounds: list[Standard]
    communities: list[Community]


class Answer(NamedTuple):
    """What a row was answered when its fold was hidden."""

    row: int
    match: Match
    is_right: bool

    @property
    def is_answered(self) -> bool:
        return bool(self.match.community_code or self.match.community_name)


def load(shared: Path, listed: Iterable[Community], *, with_middles: bool = True) -> Real:
    """Read the real files below ``shared``.

    Args:
        listed: the communities of the code list that exist today.
        with_middles: whether the middles of communities are known, as in a lake that has ``statistics__area_codes``.
    """
    middles = dict(_middles(shared / "admin" / "xicheng_divisions_nbs2016.csv")) if with_middles else {}
    communities = [c._replace(longitude=m[0], latitude=m[1]) if (m := middles.get(c.code)) else c for c in listed]
    named, names = {c.code: c.name for c in communities}, CommunityNames(communities)
    with (shared / "address" / "xicheng_address_to_community_dev.csv").open(encoding="utf-8") as f:
        rows = [(r["address_fragment"], r["community_raw"]) for r in csv.DictReader(f) if r["community_raw"]]
    areas = []
    for i, (text, printed) in enumerate(rows):
        code = names.code(printed) or ""
        label = named.get(code) or printed_name(printed)
        areas.append(
            [
                Area(str(i), p.name, p.alias, p.stem, p.lo, p.hi, p.kind, p.parity, p.building, code, label)
                for p in pieces(text)
                if p.name
            ]
        )
    settled = {a.area_id: label_of(a) for a in settle_labels([a for some in areas for a in some])}
    numbers: dict[str, int] = {}
    return Real(
        texts=[text for text, _ in rows],
        areas=areas,
        truth=[settled.get(str(i), names.code(p) or printed_name(p)) for i, (_, p) in enumerate(rows)],
        group=[numbers.setdefault(normalise(text), len(numbers)) for text, _ in rows],
        compounds=list(_compounds(shared / "poi" / "xicheng_residential_compounds.json")),
        communities=communities,
    )


def _compounds(path: Path) -> Iterator[Standard]:
    from quality.coordinates import gcj02_to_wgs84

    for i, row in enumerate(json.loads(path.read_text(encoding="utf-8"))):
        lon, lat = (float(x) for x in gcj02_to_wgs84(row["gcj02lng"], row["gcj02lat"]))
        address = row["address"].split("］")[-1]
        lane, number = split(address)
        yield Standard(f"C{i}", address, lane, number, row["name"], "", "", lon, lat)


def _middles(path: Path) -> Iterator[tuple[str, tuple[float, float]]]:
    from quality.coordinates import gcj02_to_wgs84

    with path.open(encoding="utf-8") as f:
        for row in csv.DictReader(f):
            if row["longitude"]:
                lon, lat = (float(x) for x in gcj02_to_wgs84(float(row["longitude"]), float(row["latitude"])))
                yield row["code"], (lon, lat)


def splits(real: Real, seed: int, *, by_area: bool) -> Iterator[set[int]]:
    """The hidden rows of each fold."""
    units = sorted(set(real.group)) if by_area else list(range(len(real.texts)))
    random.Random(seed).shuffle(units)
    unit_of = real.group if by_area else range(len(real.texts))
    for fold in range(FOLDS):
        chosen = set(units[fold::FOLDS])
        yield {i for i, unit in enumerate(unit_of) if unit in chosen}


def matcher_without(real: Real, hidden: set[int]) -> Matcher:
    """A matcher that knows every row but the hidden ones."""
    known = [a for i, some in enumerate(real.areas) if i not in hidden for a in some]
    return Matcher(make_book(real.compounds, known, real.communities))


def ask(real: Real, matcher: Matcher, rows: Iterable[int]) -> list[Answer]:
    """The answers to ``rows``."""
    found = [(i, matcher.match(real.texts[i])) for i in rows]
    return [Answer(i, m, (m.community_code or m.community_name) == real.truth[i]) for i, m in found]


def precision_and_coverage(real: Real, answers: list[Answer], *, once: bool) -> tuple[float, float]:
    """Share of right answers among answers, and of answers among rows; with ``once`` every text counts once."""
    seen: dict[int, int] = defaultdict(int)
    for a in answers:
        seen[real.group[a.row]] += 1
    weight = {a.row: 1.0 / seen[real.group[a.row]] if once else 1.0 for a in answers}
    answered = sum(weight[a.row] for a in answers if a.is_answered)
    right = sum(weight[a.row] for a in answers if a.is_answered and a.is_right)
    return right / answered, answered / sum(weight[a.row] for a in answers)


def shortfall(answers: list[Answer], count: int, *, floor: float = 0.90, draws: int = 4000) -> float:
    """Chance that of ``count`` answers like these fewer than ``floor`` are right, by drawing them again."""
    right = np.array([a.is_right for a in answers if a.is_answered])
    return float((np.random.default_rng(0).choice(right, (draws, count)).mean(axis=1) < floor).mean())


def samples(real: Real, matcher: Matcher, rows: Iterable[int]) -> Iterator[Sample]:
    """Each row asked twice: with itself hidden from the book, and with all rows of its text hidden."""
    same: dict[int, set[str]] = defaultdict(set)
    for i, unit in enumerate(real.group):
        same[unit].add(str(i))
    for i in rows:
        plain = normalise(real.texts[i])
        keyed = [(p, matcher.known_as(p)[0]) for p in pieces_of(plain, parse(plain))]
        for hide in (frozenset({str(i)}), frozenset(same[real.group[i]])):
            found = [clues(matcher.book, p, key, hide) for p, key in keyed if key]
            if any(f.by for f in found):
                yield (*gather(found), real.truth[i])


def fit(cases: Iterable[Sample]) -> dict[str, float]:
    """Weights of a conditional logit: of the communities named, or none, the true one is made likeliest."""
    cases = list(cases)
    kinds = sorted({k for by, none, _ in cases for clue in (*by.values(), none) for k in clue})
    place = {kind: i for i, kind in enumerate(kinds)}
    lines, starts, right = [], [], []
    for by, none, truth in cases:
        starts.append(len(lines))
        names = [*by, ""]
        right.append(len(lines) + names.index(truth if truth in by else ""))
        for clue in (*by.values(), none):
            line = np.zeros(len(kinds))
            for kind, strength in clue.items():
                line[place[kind]] = strength
            lines.append(line)
    x, begin, true = np.array(lines), np.array(starts), np.array(right)
    sizes = np.diff(np.append(begin, len(x)))

    def loss(w: Any) -> tuple[float, Any]:
        score = x @ w
        score = np.exp(score - np.repeat(np.maximum.reduceat(score, begin), sizes))
        chance = score / np.repeat(np.add.reduceat(score, begin), sizes)
        slope = x.T @ chance - x[true].sum(axis=0) + PULL * w
        return -np.log(np.maximum(chance[true], 1e-12)).sum() + PULL * float(w @ w) / 2, slope

    found = minimize(loss, np.zeros(len(kinds)), jac=True, method="L-BFGS-B")
    return {kind: round(float(w), 2) for kind, w in zip(kinds, found.x, strict=True)}


def cross_validate(real: Real, seeds: Iterable[int], *, by_area: bool) -> list[Answer]:
    """Answers to every row, book and weights made without its fold. The weights of the module are put back."""
    kept, answers = dict(evidence.WEIGHTS), []
    try:
        for seed in seeds:
            for hidden in splits(real, seed, by_area=by_area):
                matcher = matcher_without(real, hidden)
                weights = fit(samples(real, matcher, (i for i in range(len(real.texts)) if i not in hidden)))
                evidence.WEIGHTS.clear()
                evidence.WEIGHTS.update(weights)
                answers += ask(real, matcher, sorted(hidden))
    finally:
        evidence.WEIGHTS.clear()
        evidence.WEIGHTS.update(kept)
    return answers


def main(shared: Path) -> None:
    """Print the weights and the figures."""
    from catalog.settings import Settings
    from warehouse.addresses.library import communities

    real = load(shared, communities(Settings.from_env()))
    weights = fit(samples(real, matcher_without(real, set()), range(len(real.texts))))
    sys.stdout.write("WEIGHTS: dict[str, float] = {\n")
    sys.stdout.writelines(
        f'    "{kind}": {weight},\n' for kind, weight in weights.items() if not math.isclose(weight, 0)
    )
    sys.stdout.write("}\n")
    for by_area in (False, True):
        answers = cross_validate(real, range(3), by_area=by_area)
        for once in (False, True):
            precision, coverage = precision_and_coverage(real, answers, once=once)
            label = f"folds by {'area' if by_area else 'row'}, {'areas' if once else 'rows'} counted"
            sys.stdout.write(f"{label}: precision {precision:.3f}, coverage {coverage:.3f}\n")
        chances = ", ".join(f"{shortfall(answers, count):.1%} of {count}" for count in (200, 500, 1000))
        sys.stdout.write(f"  chance of fewer than 90 % right: {chances} answers\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

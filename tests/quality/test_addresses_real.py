"""The real list of enrolment areas, five folds: what is answered is right nine times of ten; slips of a known library."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from catalog.registry import Catalog
from quality.addresses.areas import pieces
from quality.addresses.book import Area, Community, Standard, label_of, make_book, settle_labels
from quality.addresses.communities import CommunityNames, printed_name
from quality.addresses.match import Matcher
from quality.addresses.parse import split
from quality.coordinates import gcj02_to_wgs84

FOLDS = 5


@dataclass(frozen=True)
class Real:
    """The real files: stated areas with their community, and compounds with their position."""

    texts: list[str]
    areas: list[list[Area]]
    truth: list[str]
    compounds: list[Standard]
    communities: list[Community]


@pytest.fixture(scope="module")
def real(shared_data: Path, catalog: Catalog) -> Real:
    streets = {c.code: c.name.removesuffix("街道") for c in catalog.code_list("streets").values}
    communities = [
        Community(c.code, c.name, c.parent or "", streets[c.parent or ""])
        for c in catalog.code_list("communities").values
        if not c.valid_to
    ]
    named = {c.code: c.name for c in communities}
    names = CommunityNames(communities)
    with (shared_data / "address" / "xicheng_address_to_community_dev.csv").open(encoding="utf-8") as f:
        rows = [(r["address_fragment"], r["community_raw"]) for r in csv.DictReader(f) if r["community_raw"]]
    texts, areas = [], []
    for i, (text, printed) in enumerate(rows):
        code = names.code(printed) or ""
        label = named.get(code) or printed_name(printed)
        texts.append(text)
        areas.append(
            [
                Area(str(i), p.name, p.alias, p.stem, p.lo, p.hi, p.kind, p.parity, p.building, code, label)
                for p in pieces(text)
                if p.name
            ]
        )
    settled = {a.area_id: label_of(a) for a in settle_labels([a for some in areas for a in some])}
    truth = [settled.get(str(i), names.code(p) or printed_name(p)) for i, (_, p) in enumerate(rows)]
    compounds = list(_compounds(shared_data / "poi" / "xicheng_residential_compounds.json"))
    return Real(texts, areas, truth, compounds, communities)


def _compounds(path: Path) -> Iterator[Standard]:
    for i, row in enumerate(json.loads(path.read_text(encoding="utf-8"))):
        lon, lat = (float(x) for x in gcj02_to_wgs84(row["gcj02lng"], row["gcj02lat"]))
        address = row["address"].split("］")[-1]
        lane, number = split(address)
        yield Standard(f"C{i}", address, lane, number, row["name"], "", "", lon, lat)


def _folds(real: Real, seed: int) -> Iterator[tuple[float, bool]]:
    """Confidence and rightness of each answer when its fold was hidden; confidence 0 where nothing was answered."""
    order = list(range(len(real.texts)))
    random.Random(seed).shuffle(order)
    for fold in range(FOLDS):
        hidden = set(order[fold::FOLDS])
        known = [a for i, some in enumerate(real.areas) if i not in hidden for a in some]
        matcher = Matcher(make_book(real.compounds, known, real.communities))
        for i in hidden:
            found = matcher.match(real.texts[i])
            label = found.community_code or found.community_name
            yield (found.confidence if label else 0.0), label == real.truth[i]


@pytest.mark.slow
def test_what_is_answered_is_right_nine_times_of_ten(real: Real, record_property: pytest.RecordProperty) -> None:
    answers = [a for seed in range(2) for a in _folds(real, seed)]
    answered = [right for sure, right in answers if sure]
    precision, coverage = sum(answered) / len(answered), len(answered) / len(answers)
    record_property("precision", round(precision, 3))
    record_property("coverage", round(coverage, 3))
    assert precision >= 0.90
    assert coverage >= 0.32
    surer = [right for sure, right in answers if sure >= 0.88]
    assert sum(surer) / len(surer) > precision, "more confidence, fewer errors"


def test_every_stated_area_answers_itself(real: Real) -> None:
    matcher = Matcher(make_book(real.compounds, [a for some in real.areas for a in some], real.communities))
    asked = [i for i, some in enumerate(real.areas) if some]
    found = [matcher.match(real.texts[i]) for i in asked]
    answered = [(i, m) for i, m in zip(asked, found, strict=True) if m.community_code or m.community_name]
    right = sum((m.community_code or m.community_name) == real.truth[i] for i, m in answered)
    assert len(answered) >= 0.75 * len(asked)
    assert right >= 0.95 * len(answered)


def test_nothing_elsewhere_is_answered(real: Real) -> None:
    matcher = Matcher(make_book(real.compounds, [a for some in real.areas for a in some], real.communities))
    for i in range(0, len(real.texts), 7):
        for place in ("北京市朝阳区", "北京市海淀区", "上海市黄浦区", "河北省保定市"):
            assert matcher.match(place + real.texts[i]).reason == "elsewhere"

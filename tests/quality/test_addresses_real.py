"""The real list of enrolment areas, five folds: what is answered is right nine times of ten; slips of a known library."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.fit_addresses import (
    Answer,
    Real,
    ask,
    cross_validate,
    fit,
    load,
    matcher_without,
    precision_and_coverage,
    samples,
    shortfall,
    splits,
)
from catalog.settings import Settings
from quality.addresses.evidence import WEIGHTS
from quality.addresses.match import Matcher
from warehouse.addresses.library import communities


@pytest.fixture(scope="module")
def real(shared_data: Path) -> Real:
    return load(shared_data, communities(Settings.from_env()))


@pytest.fixture(scope="module")
def everything(real: Real) -> Matcher:
    return matcher_without(real, set())


@pytest.mark.slow
def test_of_areas_never_seen_nine_of_ten_answers_are_right(real: Real, record_property: pytest.RecordProperty) -> None:
    answers = cross_validate(real, range(1), by_area=False)
    for once in (False, True):
        precision, coverage = precision_and_coverage(real, answers, once=once)
        record_property("precision by " + ("area" if once else "row"), round(precision, 3))
        assert precision >= 0.92
        assert coverage >= 0.32
    unsure = [a.match.guess == real.truth[a.row] for a in answers if a.match.guess and not a.is_answered]
    assert sum(unsure) / len(unsure) < 0.75, "what is left empty would often have been wrong"
    assert shortfall(answers, 200) < 0.05 < shortfall(answers, 200, floor=0.95), "few answers are no worse by chance"


@pytest.mark.slow
def test_the_weights_are_those_that_the_real_list_gives(real: Real, everything: Matcher) -> None:
    fitted = fit(samples(real, everything, range(len(real.texts))))
    assert set(fitted) == set(WEIGHTS)
    assert max(abs(WEIGHTS[kind] - weight) for kind, weight in fitted.items()) < 0.05


@pytest.mark.slow
def test_without_middles_of_communities_less_is_answered_and_as_much_is_right(real: Real, shared_data: Path) -> None:
    bare = load(shared_data, communities(Settings.from_env()), with_middles=False)
    answers: dict[bool, list[Answer]] = {True: [], False: []}
    for hidden in splits(real, 0, by_area=False):
        for with_middles, files in ((True, real), (False, bare)):
            answers[with_middles] += ask(files, matcher_without(files, hidden), sorted(hidden))
    (_, coverage), (precision, less) = (precision_and_coverage(real, answers[k], once=True) for k in (True, False))
    assert precision >= 0.90
    assert 0.30 <= less <= coverage


@pytest.mark.slow
def test_every_stated_area_answers_itself(real: Real, everything: Matcher) -> None:
    answers = ask(real, everything, [i for i, some in enumerate(real.areas) if some])
    precision, coverage = precision_and_coverage(real, answers, once=False)
    assert coverage >= 0.75
    assert precision >= 0.95


def test_nothing_elsewhere_is_answered(real: Real, everything: Matcher) -> None:
    for i in range(0, len(real.texts), 7):
        for place in ("北京市朝阳区", "北京市海淀区", "上海市黄浦区", "河北省保定市"):
            assert everything.match(place + real.texts[i]).reason == "elsewhere"

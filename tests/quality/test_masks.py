"""Every mask by its fixtures, in Python and in DuckDB."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import ContractError
from catalog.registry import Catalog
from quality.masks import Mask, MaskFixture, all_masks, get_mask
from quality.masks.hash import FIXTURE_KEY
from quality.pseudonym import PseudonymKey

CASES = [(m, f) for m in all_masks().values() for f in m.fixtures]


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    """Read each result to its end: one dropped half read waits, holding Python's lock, for our function to have it."""
    con = duckdb.connect()
    PseudonymKey(FIXTURE_KEY).register(con)
    return con


@pytest.mark.parametrize(("mask", "fixture"), CASES, ids=[f"{m.name}: {f.reason}" for m, f in CASES])
def test_fixtures(mask: Mask, fixture: MaskFixture, con: duckdb.DuckDBPyConnection) -> None:
    assert mask.apply(fixture.value, fixture.params) == fixture.expected
    kind = {"date": "date", "number": "double", "text": "varchar"}[mask.takes]
    row = con.execute(
        f"select {mask.sql('v', fixture.params)} from (select $1::{kind} as v)", [fixture.value]
    ).fetchall()[0]
    assert row == (fixture.expected,)


TEXT = [m for m in all_masks().values() if m.takes == "text"]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(text=st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=24))
def test_sql_agrees_with_python(text: str) -> None:
    con = duckdb.connect()
    PseudonymKey(FIXTURE_KEY).register(con)
    selected = ", ".join(m.sql("v") for m in TEXT)
    row = con.execute(f"select {selected} from (select $1::varchar as v)", [text]).fetchall()[0]
    assert row == tuple(m.apply(text) for m in TEXT)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(number=st.floats(-1e9, 1e9, allow_nan=False).map(lambda v: round(v, 4)))
def test_numbers_in_sql_agree_with_python(number: float) -> None:
    con = duckdb.connect()
    PseudonymKey(FIXTURE_KEY).register(con)
    masks = [m for m in all_masks().values() if m.takes == "number"]
    row = con.execute(
        f"select {', '.join(m.sql('v') for m in masks)} from (select $1::double as v)", [number]
    ).fetchall()[0]
    assert row == tuple(m.apply(number) for m in masks)


@given(st.integers(-100, 100_000), st.sampled_from([0.5, 3.0, 250.0]), st.integers(0, 3))
def test_noise_is_bounded_and_repeatable(value: int, spread: float, digits: int) -> None:
    params = {"spread": spread, "digits": digits}
    shifted = get_mask("noise").apply(value, params)
    assert abs(float(str(shifted)) - value) <= spread + 1e-9
    assert shifted == get_mask("noise").apply(value, params)


def test_noise_shifts_most_values_and_evenly() -> None:
    shifts = [float(str(get_mask("noise").apply(v, {"spread": 10.0, "digits": 2}))) - v for v in range(2000)]
    assert abs(sum(shifts) / len(shifts)) < 0.5
    assert max(shifts) > 9.5
    assert min(shifts) < -9.5


@given(st.text("0123456789X", min_size=15, max_size=20))
def test_no_masked_identity_number_keeps_its_birth_date(number: str) -> None:
    masked = str(get_mask("partial_id").apply(number))
    assert len(masked) == len(number)
    assert set(masked[6:12]) == {"*"}


def test_every_mask_the_dictionary_names_exists(catalog: Catalog) -> None:
    for element in catalog.elements.values():
        if element.mask:
            assert get_mask(element.mask).lowers_to < element.grade or element.grade <= 2


def test_every_mask_lowers_and_shows_it() -> None:
    for mask in all_masks().values():
        assert mask.lowers_to in (1, 2)
        assert len(mask.fixtures) >= 2
        assert mask.keeps


def test_wrong_names_and_parameters_name_the_cure() -> None:
    with pytest.raises(ContractError, match="partial_nmae") as caught:
        get_mask("partial_nmae")
    assert "partial_name" in caught.value.hint
    with pytest.raises(ContractError) as caught:
        get_mask("year_only").sql("v", {"buckets": 5})
    assert "bucket" in caught.value.hint

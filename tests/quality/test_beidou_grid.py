"""BeiDou grid codes: cells nest, codes come back, what has no code gets none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import InputError
from quality.beidou_grid import LENGTHS, decode, encode
from quality.grids import cell_of, codes_of


def test_beijing_is_in_the_sheet_every_map_of_it_has() -> None:
    """Sheet J50 of the 1:1,000,000 map; worked by hand from the sizes of the levels."""
    # 116.3621 - 114 = 2.3621°: column 4 of 30', 21.726' left: column 1 of 15', 6.726' left: column 6 of 1'
    # 39.8784 - 36 = 3.8784°: row 7 of 30', 22.704' left: row 2 of 10', 2.704' left: row 2 of 1'
    assert encode(116.3621, 39.8784, 4)[0] == "N50J47562"


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 179.9999), st.floats(0, 87.9999), st.integers(1, 10))
def test_a_point_lies_in_its_cell_and_the_cell_has_its_code(lon: float, lat: float, level: int) -> None:
    code = str(encode(lon, lat, level)[0])
    assert len(code) == LENGTHS[level - 1]
    cell = decode(code)
    assert cell.level == level
    noise = 1e-9
    assert cell.west - noise <= lon < cell.east + noise
    assert cell.south - noise <= lat < cell.north + noise
    assert encode(cell.west, cell.south, level)[0] == code
    if level > 1:
        assert str(encode(lon, lat, level - 1)[0]) == code[: LENGTHS[level - 2]]


def test_the_smallest_cell_is_a_centimetre_and_a_half() -> None:
    cell = decode(str(encode(116.36, 39.91)[0]))
    assert (cell.east - cell.west) * 3600 == pytest.approx(1 / 2048, rel=1e-4)


def test_what_has_no_code_gets_none() -> None:
    assert encode([np.nan, -1.0, 180.0, 116.0], [39.0, 39.0, 39.0, 88.0]).tolist() == ["", "", "", ""]
    assert codes_of([np.nan, 0.0], [39.0, 95.0]) == (["", ""], ["", ""])


@pytest.mark.parametrize(
    ("code", "reason"),
    [("N50", "length"), ("S50J", "another quarter"), ("N61J", "zone 61"), ("N50W", "no such letter"),
     ("N50JC0", "column 12 of 12"), ("N50J48", "row 8 of 8"), ("N50J476", "cell 6 of 6"), ("N50J475F0", "column 15 of 15")],
)  # fmt: skip
def test_codes_that_are_none_are_refused(code: str, reason: str) -> None:
    with pytest.raises(InputError):
        decode(code)


def test_levels_there_are_not() -> None:
    with pytest.raises(InputError):
        encode(116.0, 39.0, 11)


def test_h3_cells_come_back() -> None:
    _, (cell,) = codes_of([116.3621], [39.8784], h3_level=9)
    found = cell_of(cell)
    assert (found["kind"], found["level"]) == ("h3", 9)
    assert abs(found["longitude"] - 116.3621) < 0.003
    assert abs(found["latitude"] - 39.8784) < 0.003
    with pytest.raises(InputError):
        cell_of("850")

"""BeiDou grid location codes (北斗网格位置码, GB/T 39409-2020): ten nested levels from 6° × 4° down to 1/2048″.

The levels, their sizes and the number of characters are those of the standard as remembered, its text was not at
hand; the order of cells inside a parent (from the south-west corner, east first) is too. Only the north-eastern
quarter of the earth is coded here: the standard turns the order around elsewhere, and how was not to be verified.

Codes of the 2D form: ``N50J`` (level 1), then 2, 1, 2, 2, 1, 2, 2, 2, 2 characters; 20 at level 10.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from catalog.errors import InputError

Array = npt.NDArray[np.float64]
_UNIT = 2048 * 3600
"""Cells of level 10 in a degree."""
_DIGITS = np.array(list("0123456789ABCDEF"))
_LETTERS = np.array(list("ABCDEFGHIJKLMNOPQRSTUV"))


class Level(NamedTuple):
    """One level below the first: columns and rows of a parent's cell, and whether both make one character."""

    columns: int
    rows: int
    one: bool


LEVELS = (
    Level(12, 8, False), Level(2, 3, True), Level(15, 10, False), Level(15, 15, False), Level(2, 2, True),
    Level(8, 8, False), Level(8, 8, False), Level(8, 8, False), Level(8, 8, False),
)  # fmt: skip
LENGTHS = (4, 6, 7, 9, 11, 12, 14, 16, 18, 20)
"""Characters of a code of level 1 to 10."""
_LEVEL_1 = (6 * _UNIT, 4 * _UNIT)


class Cell(NamedTuple):
    """A grid cell in degrees."""

    level: int
    west: float
    south: float
    east: float
    north: float

    @property
    def centre(self) -> tuple[float, float]:
        return (self.west + self.east) / 2, (self.south + self.north) / 2


def encode(lon: Any, lat: Any, level: int = 10) -> npt.NDArray[np.str_]:
    """The codes of points; empty where a point has none (not a number, or outside 0–180° E, 0–88° N).

    Args:
        lon, lat: CGCS2000 degrees.
        level: 1 (6° × 4°) to 10 (1/2048″, about 1.5 cm).

    Raises:
        InputError: a level there is not.
    """
    if not 1 <= level <= len(LENGTHS):
        raise InputError(f"BeiDou grid codes have levels 1 to 10, not {level}", hint="level 6 is 2″, about 60 m")
    lon, lat = np.atleast_1d(np.asarray(lon, dtype=float)), np.atleast_1d(np.asarray(lat, dtype=float))
    inside = (lon >= 0) & (lon < 180) & (lat >= 0) & (lat < 88)
    # a thousandth of the smallest cell (15 µm) is the noise of corners computed in binary fractions
    x, y = (np.floor(np.where(inside, v, 0.0) * _UNIT + 1e-3).astype(np.int64) for v in (lon, lat))
    width, height = _LEVEL_1
    zone = np.char.zfill((x // width + 31).astype("U2"), 2)
    codes = np.strings.add(np.strings.add("N", zone), _LETTERS[np.minimum(y // height, 21)])
    x, y = x % width, y % height
    for step in LEVELS[: level - 1]:
        width, height = width // step.columns, height // step.rows
        column, row = np.minimum(x // width, step.columns - 1), np.minimum(y // height, step.rows - 1)
        x, y = x - column * width, y - row * height
        codes = np.strings.add(codes, _characters(step, column, row))
    return np.where(inside, codes, "")


def _characters(step: Level, column: npt.NDArray[np.int64], row: npt.NDArray[np.int64]) -> npt.NDArray[np.str_]:
    if step.one:
        return _DIGITS[row * step.columns + column]
    return np.strings.add(_DIGITS[column], _DIGITS[row])


def decode(code: str) -> Cell:
    """The cell of a code of any level.

    Raises:
        InputError: not a code of this form; the message names the character.
    """
    text = code.strip().upper()
    if len(text) not in LENGTHS:
        raise InputError(
            f"a BeiDou grid code has {', '.join(map(str, LENGTHS))} characters, not {len(text)}", hint="check the code"
        )
    if text[0] != "N" or not text[1:3].isdigit() or not 31 <= int(text[1:3]) <= 60 or text[3] not in _LETTERS:
        raise InputError(
            "the first four characters are not a cell of the north-eastern quarter",
            hint="N, a zone of 31 to 60, a letter of A to V; other quarters are not supported",
        )
    width, height = _LEVEL_1
    x, y = (int(text[1:3]) - 31) * width, (ord(text[3]) - ord("A")) * height
    level, at = 1, 4
    while at < len(text):
        step = LEVELS[level - 1]
        width, height = width // step.columns, height // step.rows
        column, row = _place(step, text[at : at + (1 if step.one else 2)], at)
        x, y = x + column * width, y + row * height
        level, at = level + 1, LENGTHS[level]
    return Cell(level, x / _UNIT, y / _UNIT, (x + width) / _UNIT, (y + height) / _UNIT)


def _place(step: Level, characters: str, at: int) -> tuple[int, int]:
    values = ["0123456789ABCDEF".find(c) for c in characters]
    if step.one:
        values = [values[0] % step.columns, values[0] // step.columns] if values[0] >= 0 else [-1, -1]
    if not (0 <= values[0] < step.columns and 0 <= values[1] < step.rows):
        raise InputError(
            f"character {at + 1} of the code is out of range for its level",
            hint=f"columns 0 to {step.columns - 1:X}, rows 0 to {step.rows - 1:X}",
        )
    return values[0], values[1]

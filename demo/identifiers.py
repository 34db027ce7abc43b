"""Valid identifiers, made in bulk: resident IDs (GB 11643), organisation and credit codes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

RESIDENT_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
RESIDENT_CHECKS = np.frombuffer(b"10X98765432", dtype=np.uint8)
USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
USCC_WEIGHTS = np.array([pow(3, i, 31) for i in range(17)])
ORG_WEIGHTS = np.array([3, 7, 9, 10, 5, 8, 4, 2])


class SequenceNumbers:
    """Hands out the three sequence digits so that no resident ID comes twice.

    Keeps one small counter for each (area, birthday, sex) met so far: 500 people fit each.
    """

    def __init__(self) -> None:
        self._next: dict[int, int] = {}

    def take(self, area: NDArray[Any], day: NDArray[Any], male: NDArray[Any]) -> NDArray[Any]:
        """Sequence numbers 0..999, odd for men.

        Args:
            area: area codes as integers; day: birth dates as days since 1970; male: booleans.
        """
        key = (area.astype(np.int64) * 100_000 + (day.astype(np.int64) + 40_000)) * 2 + male
        order = np.empty(len(key), dtype=np.int64)
        seen = self._next
        for i, k in enumerate(key.tolist()):
            n = seen.get(k, 0)
            order[i] = n
            seen[k] = n + 1
        if len(order) and order.max() >= 500:
            raise ValueError("over 500 people share an area, a birthday and a sex")
        start = (key * 2_654_435_761 >> 7) % 500
        return ((start + order) % 500) * 2 + male


def resident_ids(area: NDArray[Any], birth: NDArray[Any], sequence: NDArray[Any]) -> NDArray[Any]:
    """18-digit resident IDs with their check character (ISO 7064 MOD 11-2).

    Args:
        area: six-digit codes as integers; birth: ``datetime64[D]``; sequence: 0..999.
    """
    years = birth.astype("datetime64[Y]").astype(int) + 1970
    months = birth.astype("datetime64[M]").astype(int) % 12 + 1
    days = (birth - birth.astype("datetime64[M]")).astype(int) + 1
    number = ((area.astype(np.int64) * 10_000 + years) * 100 + months) * 100 + days
    number = number * 1000 + sequence
    digits = np.empty((len(number), 17), dtype=np.int64)
    for i in range(16, -1, -1):
        digits[:, i] = number % 10
        number = number // 10
    check = RESIDENT_CHECKS[(digits * RESIDENT_WEIGHTS).sum(axis=1) % 11]
    text = np.empty((len(digits), 18), dtype=np.uint8)
    text[:, :17] = digits + 48
    text[:, 17] = check
    return text.view("S18").ravel().astype("U18")


def break_check(identifier: str) -> str:
    """The same number with a wrong check character."""
    alphabet = "0123456789X" if len(identifier) == 18 and identifier[-1] in "0123456789X" else USCC_ALPHABET
    return identifier[:-1] + alphabet[(alphabet.index(identifier[-1]) + 1) % len(alphabet)]


def organisation_codes(numbers: NDArray[Any], new_style: NDArray[Any]) -> list[str]:
    """Nine-character organisation codes (GB 11714), one for each number, all different.

    Args:
        numbers: distinct integers from 0; new_style: True gives ``MA…`` codes in use since 2015.
    """
    out = []
    for n, new in zip(numbers.tolist(), new_style.tolist(), strict=True):
        if new:
            body, rest = "", (n * 514_229 + 27_644_437) % 31**6
            for _ in range(6):
                rest, digit = divmod(rest, 31)
                body = USCC_ALPHABET[digit] + body
            body = "MA" + body
        else:
            body = f"{(n * 7_368_787 + 10_163_911) % 10**8:08d}"
        total = sum(int(c, 36) * int(w) for c, w in zip(body, ORG_WEIGHTS, strict=True))
        out.append(body + "0123456789X0"[(11 - total % 11) % 11])
    return out


def credit_code(prefix: str, area: str, organisation: str) -> str:
    """Unified social credit code (GB 32100): authority and class, area, organisation code, check."""
    body = prefix + area + organisation
    total = sum(USCC_ALPHABET.index(c) * int(w) for c, w in zip(body, USCC_WEIGHTS, strict=True))
    return body + USCC_ALPHABET[(31 - total % 31) % 31]


def registration_number(area: str, number: int) -> str:
    """A 15-digit registration number (GS 15-2006): area, eight digits, check digit (ISO 7064 MOD 11,10)."""
    body = f"{area}{number % 10**8:08d}"
    p = 10
    for c in body:
        p = ((p + int(c)) % 10 or 10) * 2 % 11
    return body + str((11 - p) % 10)


def mobile_numbers(rng: np.random.Generator, count: int) -> NDArray[Any]:
    """Mobile numbers of the usual number ranges."""
    heads = np.array([130, 131, 132, 133, 135, 136, 137, 138, 139, 150, 151, 152, 158, 159, 176, 177, 182, 186, 188])
    numbers = rng.choice(heads, count).astype(np.int64) * 10**8 + rng.integers(0, 10**8, count)
    return numbers.astype("U11")


def landline_numbers(rng: np.random.Generator, count: int) -> NDArray[Any]:
    """Beijing fixed lines, ``010-6…``."""
    numbers = (rng.integers(60_000_000, 69_999_999, count)).astype("U8")
    return np.strings.add("010-", numbers)

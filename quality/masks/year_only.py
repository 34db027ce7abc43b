"""Keeps the year of a date: 1949-12-31 → 1949, as a number."""

from __future__ import annotations

from datetime import date
from typing import Literal

from quality.masks.base import Mask, MaskFixture, MaskParams, Value


class Params(MaskParams):
    """``bucket``: width in years; 10 turns 1949 into 1940."""

    bucket: Literal[1, 5, 10] = 1


def reference(value: Value, params: Params) -> int:
    year = value.year if isinstance(value, date) else date.fromisoformat(str(value)).year
    return year - year % params.bucket


def expression(expr: str, params: Params) -> str:
    year = f"CAST(year(CAST({expr} AS DATE)) AS BIGINT)"
    return year if params.bucket == 1 else f"({year} - {year} % {params.bucket})"


def holds(expr: str, params: Params) -> str:
    return f"regexp_full_match({expr}, '[0-9]{{1,4}}') AND try_cast({expr} AS BIGINT) % {params.bucket} = 0"


MASK = Mask(
    name="year_only",
    title="日期只留年份",
    lowers_to=2,
    takes="date",
    keeps="年份（或若干年一档）",
    params=Params,
    reference=reference,
    expression=expression,
    holds=holds,
    fixtures=(
        MaskFixture(date(1949, 12, 31), 1949, "the year"),
        MaskFixture(date(1949, 12, 31), 1940, "ten years together", {"bucket": 10}),
        MaskFixture(date(1945, 1, 1), 1945, "a bucket begins with its first year", {"bucket": 5}),
        MaskFixture(None, None, "nothing"),
    ),
)

"""Puts an age into a band: 37 → 35-39; the oldest are together, for few are so old."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from quality.masks.base import Mask, MaskFixture, MaskParams, Value


class Params(MaskParams):
    """``width`` of a band in years; from ``top`` on all are one band."""

    width: Literal[5, 10, 20] = 5
    top: int = Field(default=85, ge=40, le=100)


def reference(value: Value, params: Params) -> str | None:
    age = math.floor(float(value))  # type: ignore[arg-type]
    if not 0 <= age <= 150:
        return None
    if age >= params.top:
        return f"{params.top}+"
    low = age - age % params.width
    return f"{low}-{min(low + params.width, params.top) - 1}"


def expression(expr: str, params: Params) -> str:
    low = f"(floor({expr}) - floor({expr}) % {params.width})::INTEGER"
    high = f"(least({low} + {params.width}, {params.top}) - 1)"
    return (
        f"CASE WHEN {expr} IS NULL OR {expr} < 0 OR floor({expr}) > 150 THEN NULL "
        f"WHEN {expr} >= {params.top} THEN '{params.top}+' ELSE {low} || '-' || {high} END"
    )


def holds(expr: str, params: Params) -> str:
    return f"regexp_full_match({expr}, '[0-9]{{1,3}}-[0-9]{{1,3}}') OR {expr} = '{params.top}+'"


MASK = Mask(
    name="age_band",
    title="年龄分组",
    lowers_to=2,
    takes="number",
    keeps="年龄段",
    params=Params,
    reference=reference,
    expression=expression,
    holds=holds,
    fixtures=(
        MaskFixture(37, "35-39", "five years"),
        MaskFixture(0, "0-4", "the youngest"),
        MaskFixture(84.9, "80-84", "a part of a year counts down"),
        MaskFixture(85, "85+", "the oldest together"),
        MaskFixture(62, "60-64", "the last band ends where the top begins", {"width": 10, "top": 65}),
        MaskFixture(-1, None, "no age"),
        MaskFixture(151, None, "no age"),
        MaskFixture(None, None, "nothing"),
    ),
)

"""Rounds a number down to a bucket: an income of 8 730 → 8 000; very large ones are together."""

from __future__ import annotations

import math

from pydantic import Field

from quality.masks.base import Mask, MaskFixture, MaskParams, Value


class Params(MaskParams):
    """``width`` of a bucket, in the unit of the value; values of ``top`` and more are ``top``."""

    width: int = Field(default=1000, ge=2)
    top: int | None = None


def reference(value: Value, params: Params) -> float | None:
    number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number):
        return None
    if params.top is not None and number >= params.top:
        return float(params.top)
    return math.floor(number / params.width) * float(params.width)


def expression(expr: str, params: Params) -> str:
    number = f"{expr}::DOUBLE"
    top = f"WHEN {number} >= {params.top} THEN {params.top}::DOUBLE " if params.top is not None else ""
    low = f"floor({number} / {params.width}) * {params.width}"
    return f"CASE WHEN {expr} IS NULL OR NOT isfinite({number}) THEN NULL {top}ELSE {low} END"


def holds(expr: str, params: Params) -> str:
    number = f"try_cast({expr} AS DOUBLE)"
    top = f" OR {number} = {params.top}" if params.top is not None else ""
    return f"{number} % {params.width} = 0{top}"


MASK = Mask(
    name="bucket",
    title="数值分档",
    lowers_to=2,
    takes="number",
    keeps="所在档的下限",
    params=Params,
    reference=reference,
    expression=expression,
    holds=holds,
    fixtures=(
        MaskFixture(8730, 8000.0, "down to the thousand"),
        MaskFixture(-1, -1000.0, "down, not towards nought"),
        MaskFixture(8730, 8725.0, "a bucket of 25", {"width": 25}),
        MaskFixture(990000, 50000.0, "the richest together", {"top": 50000}),
        MaskFixture(float("inf"), None, "endless"),
        MaskFixture(None, None, "nothing"),
    ),
)

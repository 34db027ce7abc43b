"""Hides the middle of a telephone number: 138****4567, 010-****3456."""

from __future__ import annotations

from quality.masks.base import Mask, MaskFixture, MaskParams, Value


def reference(value: Value, params: MaskParams) -> str:
    text = str(value)
    if len(text) < 8:
        return "*" * len(text)
    head = 3 if len(text) >= 11 else 0
    return text[:head] + "*" * (len(text) - head - 4) + text[-4:]


def expression(expr: str, params: MaskParams) -> str:
    size = f"length({expr})"
    head = f"(CASE WHEN {size}>=11 THEN 3 ELSE 0 END)"
    middle = f"left({expr},{head}) || repeat('*', {size}-{head}-4) || right({expr},4)"
    return f"(CASE WHEN {size}<8 THEN repeat('*', {size}) ELSE {middle} END)"


MASK = Mask(
    name="partial_phone",
    title="电话号码隐去中间",
    lowers_to=2,
    keeps="号段或区号、末四位",
    reference=reference,
    expression=expression,
    fixtures=(
        MaskFixture("13801234567", "138****4567", "mobile"),
        MaskFixture("010-83123456", "010*****3456", "area code kept, separator hidden with the rest"),
        MaskFixture("83123456", "****3456", "bare fixed line"),
        MaskFixture("12345", "*****", "a service number"),
        MaskFixture(None, None, "nothing"),
    ),
)

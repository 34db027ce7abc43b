"""Keeps the area and the check of an identity number: 110105********002X. Other numbers keep a third at most."""

from __future__ import annotations

from quality.masks.base import Mask, MaskFixture, MaskParams, Value


class Params(MaskParams):
    """``area_only``: keep the six digits of the area and nothing at the end."""

    area_only: bool = False


def reference(value: Value, params: Params) -> str:
    text = str(value)
    if len(text) < 12:
        kept = len(text) // 3
        return text[:kept] + "*" * (len(text) - kept)
    # 20-character tax numbers of sole traders are an ID and two characters: nothing of the middle may stay
    tail = 0 if params.area_only or len(text) > 18 else 4 if len(text) == 18 else 3
    return text[:6] + "*" * (len(text) - 6 - tail) + text[len(text) - tail :]


def expression(expr: str, params: Params) -> str:
    size = f"length({expr})"
    tail = "0" if params.area_only else f"(CASE WHEN {size}>18 THEN 0 WHEN {size}=18 THEN 4 ELSE 3 END)"
    short = f"left({expr}, {size}//3) || repeat('*', {size}-{size}//3)"
    long = f"left({expr},6) || repeat('*', {size}-6-{tail}) || substr({expr}, {size}-{tail}+1)"
    return f"(CASE WHEN {size}<12 THEN {short} ELSE {long} END)"


MASK = Mask(
    name="partial_id",
    title="证件号码只留地区码和末几位",
    lowers_to=2,
    keeps="登记地区、末四位（含性别位）",
    params=Params,
    reference=reference,
    expression=expression,
    fixtures=(
        MaskFixture("11010519491231002X", "110105********002X", "birth date hidden"),
        MaskFixture("110105491231002", "110105******002", "15 digits of 1989"),
        MaskFixture("11010519491231002XF0", "110105**************", "an ID inside a 20-character tax number"),
        MaskFixture("E12345678", "E12******", "a passport"),
        MaskFixture("12", "**", "too short to keep anything"),
        MaskFixture("11010519491231002X", "110105************", "area only", {"area_only": True}),
        MaskFixture(None, None, "nothing"),
    ),
)

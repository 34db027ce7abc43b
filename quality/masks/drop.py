"""Empties a value: the column stays so that the layout does not change."""

from __future__ import annotations

from quality.masks.base import Mask, MaskFixture, MaskParams, Value


def reference(value: Value, params: MaskParams) -> None:
    return None


def expression(expr: str, params: MaskParams) -> str:
    return "CAST(NULL AS VARCHAR)"


def holds(expr: str, params: MaskParams) -> str:
    return "false"  # no value but NULL may be there


MASK = Mask(
    name="drop",
    title="清空",
    lowers_to=1,
    keeps="无",
    reference=reference,
    expression=expression,
    holds=holds,
    fixtures=(
        MaskFixture("张三", None, "everything goes"),
        MaskFixture(None, None, "nothing"),
    ),
)

"""Widens an administrative division code: community 110102007001 → street 110102007 or district 110102."""

from __future__ import annotations

import re
from typing import Literal

from quality.masks.base import Mask, MaskFixture, MaskParams, Value

_DIGITS = {"street": 9, "district": 6}
_CODE = re.compile("^[0-9]{6}(?:[0-9]{3}){0,2}$")


class Params(MaskParams):
    """``to``: the level that stays (GB/T 2260 for districts, GB/T 10114 for streets)."""

    to: Literal["street", "district"] = "street"


def reference(value: Value, params: Params) -> str | None:
    code = str(value)
    return code[: _DIGITS[params.to]] if _CODE.match(code) and not code.endswith("\n") else None


def expression(expr: str, params: Params) -> str:
    code = f"{expr}::VARCHAR"
    return f"CASE WHEN regexp_full_match({code}, '{_CODE.pattern}') THEN left({code}, {_DIGITS[params.to]}) END"


def holds(expr: str, params: Params) -> str:
    form = "[0-9]{6}(?:[0-9]{3})?" if params.to == "street" else "[0-9]{6}"
    return f"regexp_full_match({expr}, '{form}')"


MASK = Mask(
    name="generalise_area",
    title="区划概括到街道或区",
    lowers_to=2,
    keeps="所在街道（或区）",
    params=Params,
    reference=reference,
    expression=expression,
    holds=holds,
    fixtures=(
        MaskFixture("110102007001", "110102007", "a community becomes its street"),
        MaskFixture("110102007001", "110102", "or its district", {"to": "district"}),
        MaskFixture("110102007", "110102007", "a street stays one"),
        MaskFixture("110102", "110102", "a district is no narrower"),
        MaskFixture("月坛南街12号", None, "what is no code does not slip through"),
        MaskFixture("1101020070019", None, "nor does a longer number"),
        MaskFixture(None, None, "nothing"),
    ),
)

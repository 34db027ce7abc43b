"""Keeps an address to its street, road or lane and hides every number: 北京市西城区西交民巷***."""

from __future__ import annotations

import re

from quality.masks.base import Mask, MaskFixture, MaskParams, Value

# a numeral inside the name of a place stays; the first other one, in any script, begins the house number (甲7号)
_ORDINAL = "[第一二三四五六七八九十百千〇零甲乙丙丁]+(?:里|条|巷|胡同|路|街|环|社区|区|村)"
_FORM = f"(?:[^0-9０-９一二三四五六七八九十百千〇零甲乙丙丁]|{_ORDINAL})*"
_ADDRESS = re.compile(f"^{_FORM}")


def reference(value: Value, params: MaskParams) -> str:
    found = _ADDRESS.match(str(value))
    return (found.group() if found else "") + "***"


def expression(expr: str, params: MaskParams) -> str:
    return f"(regexp_extract({expr}, '^{_FORM}') || '***')"


def holds(expr: str, params: MaskParams) -> str:
    return f"{expr} = regexp_extract(left({expr}, length({expr}) - 3), '^{_FORM}') || '***'"


MASK = Mask(
    name="partial_address",
    title="地址隐去门牌号以下",
    lowers_to=2,
    keeps="到街、路、胡同一级",
    reference=reference,
    expression=expression,
    holds=holds,
    fixtures=(
        MaskFixture("北京市西城区西交民巷12号院3号楼2单元501室", "北京市西城区西交民巷***", "from the number on"),
        MaskFixture("西城区甲7号院", "西城区***", "a heavenly stem numbers houses too"),
        MaskFixture("月坛南街三里河一区5号", "月坛南街三里河一区***", "numerals inside a name stay"),
        MaskFixture("前门西河沿街二百一十五号", "前门西河沿街***", "a number in characters"),
        MaskFixture("", "***", "empty"),
        MaskFixture(None, None, "nothing"),
    ),
)

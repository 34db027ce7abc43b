"""Keeps the surname of a person's name: 张三 → 张*, 欧阳修远 → 欧阳**."""

from __future__ import annotations

from quality.masks.base import Mask, MaskFixture, MaskParams, Value

# two-character surnames that are common enough to be met in a register (复姓)
DOUBLE_SURNAMES = (
    "欧阳|太史|端木|上官|司马|东方|独孤|南宫|万俟|闻人|夏侯|诸葛|尉迟|公羊|赫连|澹台|皇甫|宗政|濮阳|公冶|太叔|申屠|公孙|慕容|"
    "仲孙|钟离|长孙|宇文|司徒|鲜于|司空|闾丘|子车|亓官|司寇|巫马|公西|颛孙|壤驷|公良|漆雕|乐正|宰父|谷梁|拓跋|夹谷|轩辕|令狐|"
    "段干|百里|呼延|东郭|南门|羊舌|微生|公户|公玉|梁丘|左丘|东门|西门|南荣|第五"
)
_KNOWN = frozenset(DOUBLE_SURNAMES.split("|"))


def reference(value: Value, params: MaskParams) -> str:
    text = str(value)
    kept = 2 if len(text) > 2 and text[:2] in _KNOWN else 1
    return text[:kept] + "*" * max(1, len(text) - kept)


def expression(expr: str, params: MaskParams) -> str:
    double = f"(length({expr})>2 AND regexp_matches({expr},'^(?:{DOUBLE_SURNAMES})'))"
    kept = f"(CASE WHEN {double} THEN 2 ELSE 1 END)"
    return f"(left({expr},{kept}) || repeat('*', greatest(1, length({expr})-{kept})))"


def holds(expr: str, params: MaskParams) -> str:
    return f"{expression(expr, params)} = {expr} OR {expr} = '*'"


MASK = Mask(
    name="partial_name",
    title="姓名只留姓",
    lowers_to=2,
    keeps="姓氏和字数",
    reference=reference,
    expression=expression,
    holds=holds,
    fixtures=(
        MaskFixture("张三", "张*", "two characters"),
        MaskFixture("欧阳修远", "欧阳**", "a surname of two characters"),
        MaskFixture("欧阳", "欧*", "two characters only: one is kept"),
        MaskFixture("王", "王*", "a single character still shows that something is hidden"),
        MaskFixture("阿里木·买买提", "阿******", "a long name"),
        MaskFixture("John Smith", "J*********", "a foreign name"),
        MaskFixture("", "*", "empty"),
        MaskFixture(None, None, "nothing"),
    ),
)

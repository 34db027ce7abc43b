"""One way of writing: what two spellings of the same Beijing address have in common.

Widths, blanks, dashes and brackets are made one; Chinese numerals before a counter become digits; the customary
short forms of gate streets are written out (广内大街 → 广安门内大街), in both directions of time (皇城根/黄城根).
A *name key* is what the name of a lane or compound keeps when words that people leave out are left out.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

MAX_LENGTH = 1000
"""Longer texts are no address: they are cut here, and nothing beyond is read. Lists of areas have up to 700."""

_TABLE = str.maketrans(
    {
        **dict.fromkeys("－–—―─﹣~～∼", "-"),
        **dict.fromkeys("（［【〔〈《[{", "("),
        **dict.fromkeys("）］】〕〉》]}", ")"),
        **dict.fromkeys("，;；。", ","),
        "﹑": "、",
        "：": ":",
        "．": ".",
        "＃": "#",
        "〇": "零",
    }
)
_BLANK = re.compile(r"\s+")
_BLANK_BETWEEN = re.compile(r"(?<=\d)\s+(?=[\d甲乙丙丁])")
_DASH_RUN = re.compile(r"-{2,}")
_PLAIN = re.compile(r"[一-龥0-9]*\Z")

_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")}
_NUMERAL = re.compile(r"(?<![第零一二三四五六七八九十百])([零一二三四五六七八九十百]{1,6})(?=号|单元|层|栋|幢|室)")

STEMS = "甲乙丙丁戊己庚辛壬癸"
"""Heavenly stems put before a number that was squeezed in later: 甲7号."""

GATES = {
    "广内": "广安门内",
    "广外": "广安门外",
    "德内": "德胜门内",
    "德外": "德胜门外",
    "阜内": "阜成门内",
    "阜外": "阜成门外",
    "复内": "复兴门内",
    "复外": "复兴门外",
    "右内": "右安门内",
    "右外": "右安门外",
    "宣内": "宣武门内",
    "宣外": "宣武门外",
    "西内": "西直门内",
    "西外": "西直门外",
    "地内": "地安门内",
    "地外": "地安门外",
    "新外": "新街口外",
    "新内": "新街口内",
    "宣东": "宣武门东",
    "宣西": "宣武门西",
    "前东": "前门东",
    "前西": "前门西",
    "德西": "德胜门西",
    "阜北": "阜成门北",
    "阜南": "阜成门南",
    "复北": "复兴门北",
    "复南": "复兴门南",
    "西北": "西直门北",
    "西南": "西直门南",
    "珠西": "珠市口西",
    "珠东": "珠市口东",
    "地西": "地安门西",
}
"""Short forms of the streets at a gate. They hold only before 大街, 街, 路 or 胡同, or at a name's beginning."""

_STREET = r"(?=大街|北街|南街|东街|西街|街|路|[东西南北]|顺城|[一二三四五六七八九]巷)"
_GATE = re.compile("^(广内|广外|德内|德外|阜内|阜外|复内|复外|右内|右外|宣内|宣外|西内|西外|地内|地外|新外)" + _STREET)
_GATE_LONG = re.compile("^(宣东|宣西|前东|前西|德西|阜北|阜南|复北|复南|珠西|珠东|地西)(?=大街)")

_VARIANTS = (
    ("皇城根", "黄城根"),
    ("六铺坑", "六铺炕"),
    ("馆仪器厂", "馆"),
    ("赵登再", "赵登禹"),
    ("胡间", "胡同"),
    ("胡网", "胡同"),
)

_OMITTED = ("胡同", "小区", "居民区", "居住区", "社区", "住宅区", "大院", "家属院", "家属区", "宿舍")
_TAIL = re.compile(r"(?:" + "|".join(_OMITTED) + r")$")
_MANY = re.compile(r"[东西](?:侧)$|路[东西南北]$|平房$|门牌$|傍门$|旁门$|单号$|双号$|原$|内$|及$|含$")


def normalise(text: str | None) -> str:
    """The text in one writing: NFKC, no blanks, one kind of dash, bracket and comma, digits before counters.

    Args:
        text: an address as written; None counts as empty. Beyond ``MAX_LENGTH`` nothing is read.
    """
    if not text:
        return ""
    text = text[:MAX_LENGTH]
    if not _PLAIN.match(text):
        text = unicodedata.normalize("NFKC", text.translate(_TABLE)).translate(_TABLE)
        text = _DASH_RUN.sub("-", _BLANK.sub("", _BLANK_BETWEEN.sub("、", text)))
    return _NUMERAL.sub(_numeral, text)


def _numeral(match: re.Match[str]) -> str:
    return str(chinese_number(match.group(1)))


def chinese_number(text: str) -> int:
    """The value of a numeral below one thousand in characters: 二百一十五 → 215; 一〇二 → 102."""
    if not set(text) & set("十百"):
        return int("".join(str(_DIGITS[c]) for c in text))
    total, digit = 0, 0
    for c in text:
        if c == "百":
            total, digit = total + (digit or 1) * 100, 0
        elif c == "十":
            total, digit = total + (digit or 1) * 10, 0
        else:
            digit = _DIGITS[c]
    return total + digit


@lru_cache(maxsize=65536)
def full_name(name: str) -> str:
    """The name of a lane or compound with its customary short forms written out."""
    for old, new in _VARIANTS:
        if old in name:
            name = name.replace(old, new)
    match = _GATE.match(name) or _GATE_LONG.match(name)
    return GATES[match.group(1)] + name[match.end(1) :] if match else name


@lru_cache(maxsize=65536)
def name_key(name: str) -> str:
    """What two ways of writing one name share: short forms written out, 胡同, 小区 and the like left off."""
    name = full_name(_MANY.sub("", name))
    short = _TAIL.sub("", name)
    return short if len(short) >= 2 else name

"""Names of lanes and compounds: names one slip apart, names of one series."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

_TELLING = frozenset("东西南北中里内外前后上下大小左右一二三四五六七八九十头甲乙丙丁街路巷条道园区院村")
"""Characters by which neighbours are told apart: 南里 is no misspelling of 北里."""

_ORDINAL = re.compile(r"(?:头|[一二三四五六七八九十])(?=(?:条|巷|区|里|门|院|段)$)")
_SIDE = re.compile(r"^[东西南北前后中上下大小](?=..)")
_PART = re.compile(r"[东西南北中](?=(?:里|园|巷|街|沿|夹道|岔|院|区)$)")


def family(key: str) -> str:
    """What names of one series share: 板桥头条, 板桥二条 → 板桥条; 大茶叶, 小茶叶 → 茶叶. Empty for no series."""
    base = _ORDINAL.sub("", key)
    if base == key:
        base = _PART.sub("", key)
    if base == key:
        base = _SIDE.sub("", key)
    return f"~{base}" if len(base) >= 2 else ""


class TypoIndex:
    """Known names by what is left when one character is dropped: one slip is found without scanning all names."""

    def __init__(self, names: Iterable[str]) -> None:
        self._left: dict[str, set[str]] = defaultdict(set)
        for name in names:
            if len(name) >= 3:
                for form in {name, *_shorter(name)}:
                    self._left[form].add(name)

    def near(self, name: str) -> list[str]:
        """Known names one character away, slips of a telling character aside; sorted."""
        if len(name) < 3:
            return []
        candidates = set().union(*(self._left.get(form, ()) for form in {name, *_shorter(name)}))
        return sorted(c for c in candidates if one_slip(name, c))


def _shorter(name: str) -> list[str]:
    return [name[:i] + name[i + 1 :] for i in range(len(name))]


def one_slip(a: str, b: str) -> bool:
    """Whether one character changed, left out, put in or two swapped make ``b`` of ``a``; none that tells apart."""
    if a == b or abs(len(a) - len(b)) > 1:
        return a == b
    if len(a) == len(b):
        places = [i for i in range(len(a)) if a[i] != b[i]]
        if len(places) == 1:
            i = places[0]
            return not (a[i] in _TELLING and b[i] in _TELLING)
        return len(places) == 2 and places[1] == places[0] + 1 and sorted(a) == sorted(b)
    short, long = sorted((a, b), key=len)
    i = next((i for i in range(len(short)) if short[i] != long[i]), len(short))
    return short[i:] == long[i + 1 :] and long[i] not in _TELLING

"""Finds the community that a list prints: misprints, short forms, street names put before, old names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from quality.addresses.book import Community
from quality.addresses.names import TypoIndex
from quality.addresses.text import full_name, normalise

_WORD = re.compile(r"(?:家属)?(?:[社杜]区)?(?:居民委员会|居委会|委员会)?$")


def printed_name(text: str | None) -> str:
    """The name as printed, in the form ``某某社区``; empty for nothing."""
    short = _WORD.sub("", normalise(text))
    return f"{short}社区" if short else ""


class CommunityNames:
    """The communities of the code list by every way they are called."""

    def __init__(self, communities: Iterable[Community]) -> None:
        communities = sorted(communities)
        self._codes: dict[str, str | None] = {}
        self._bare: dict[str, str | None] = {}
        for c in communities:
            short = _WORD.sub("", normalise(c.name))
            for form in dict.fromkeys((short, c.street_name + short)):
                self._put(form, c.code)
            self._put(_loose(short), c.code)
        for c in communities:
            self._put_bare(_bare(c.name), c.code)
        self._typos = TypoIndex(self._codes)
        self.code = lru_cache(maxsize=4096)(self._code)

    def _put(self, form: str, code: str) -> None:
        if self._codes.setdefault(form, code) != code:
            self._codes[form] = None  # two communities are called so

    def _put_bare(self, form: str, code: str) -> None:
        if self._bare.setdefault(form, code) != code:
            self._bare[form] = None

    def _code(self, text: str | None) -> str | None:
        """The code of the community that ``text`` names; None where none or several could be meant."""
        short = _WORD.sub("", normalise(text))
        for form in (short, _loose(short)):
            if form in self._codes:
                return self._codes[form]
        if code := self._bare.get(_bare(short)):
            return code
        near = {self._codes[form] for form in self._typos.near(short)} - {None}
        return near.pop() if len(near) == 1 else None


def _bare(name: str) -> str:
    """Without characters left out or put in freely: 三里河第二社区 is 三里河二区社区, 槐柏树北里 槐柏树街北里."""
    return re.sub(r"[街区第]", "", _loose(_WORD.sub("", normalise(name))))


def _loose(short: str) -> str:
    """Without 小区 at the end and 第 before a number, gate streets in full."""
    return full_name(re.sub(r"小区$", "", short).replace("第", ""))

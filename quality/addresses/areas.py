"""Reads descriptions of areas: ``薜家胡同单号1-37，双号8-66号（某某小区）`` names many house numbers at once.

Such lists come from school enrolment, patrol and election areas. They carry the lane over from number to number, a
counter back over the numbers before it (``1、2号楼``), odd and even sides (单号, 双号), ranges, yards with buildings
inside, names of compounds in brackets, and scanning errors (full stops for commas).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from quality.addresses.parse import take_area
from quality.addresses.text import STEMS, normalise

_STEM = rf"(?:[{STEMS}]|新|旧|西|东|临|学|塔|内)"
_SCAN = re.compile(
    rf"\((?P<note>[^()]*)\)?"
    rf"|(?P<parity>单双号|单号|双号|[单双](?=[\d:(]))"
    rf"|(?P<stem>{_STEM})?(?P<lo>\d{{1,6}})(?:-(?P<stem2>{_STEM})?(?P<hi>\d{{1,4}}))?"
    r"(?P<kind>号大院|号院内?|大院|院|号[^\d,、()]{0,3}楼|#楼|号旁门|号后门|号平房|号门|号|楼|栋|幢|座|单元|门|层|排|室|户|间|巷|条|口)?"
    rf"|(?P<sep>[,、.:/\-#]+)"
    rf"|(?P<name>[^\d,、.:/#()\-]+?(?=$|[,、.:/#()\-]|单双号|单号|双号|[单双][\d:(]|{_STEM}?\d))"
)
_SENTENCE = re.compile(r"符合|登记|儿童|家长|可以报名|办理|材料|学校|范围")
_FILLER = re.compile(
    r"^(?:含|及|和|与|内|含有|以及|至|的|等|口|号|号楼|楼|旁门|后门|傍门|平房|楼房|新|旧|院内|院|间|排|号平房|号旁|号院|"
    r"[东西南北内前后上下]{0,2}(?:平房|楼房|排|院|楼|塔|门)|.*平房院?|.*号楼|.?[楼栋座门])$"
)
_EDGE = re.compile(r"(?:[东西南北]侧|路[东西南北]|平房|门牌|傍门|旁门|后门|号|及|含|原|内|等)$")
_LEAD = re.compile(r"^(?:含|及|和|与|原|在)")
_NAME_IN_BRACKETS = re.compile(r"^[一-龥A-Za-z0-9]{2,12}$")
_NO_NAME = re.compile(rf"^[{STEMS}]+$|平房|携带|原|单号|双号|侧|含|院$|号|居民楼|单位|协议")
_SUB = ("号院", "号院内", "号大院", "大院", "院", "号")


@dataclass(frozen=True)
class Piece:
    """Numbers of one lane or compound. Row grain: one number or range; ``lo`` is None for the whole of it.

    Attributes:
        name: lane or compound as written; ``alias``: the name of a compound that stands there.
        stem: 甲, 乙 … of a single number.
        lo, hi: first and last number, both included.
        kind: ``door`` (号, 号院) or ``building`` (号楼, 栋).
        parity: 1 odd side, 0 even side, None both.
        building: building inside a yard, where named.
    """

    name: str
    alias: str = ""
    stem: str = ""
    lo: int | None = None
    hi: int | None = None
    kind: str = ""
    parity: int | None = None
    building: str = ""


def pieces(text: str | None) -> list[Piece]:
    """The lanes, numbers and compounds that a description names; empty for a sentence or nothing.

    Args:
        text: one field of a list of areas, or one address: a list of one.
    """
    text = normalise(text)
    if _SENTENCE.search(text):
        return []
    position = take_area(text, {})
    reader = _Reader()
    for match in _SCAN.finditer(text, position):
        reader.take(match)
    return reader.end()


class _Reader:
    """The state between the tokens of one description."""

    def __init__(self) -> None:
        self.out: list[Piece] = []
        self.name = ""
        self.alias = ""
        self.parity: int | None = None
        self.waiting: list[Piece] = []
        self.yard: Piece | None = None
        self.in_yard = False
        self.after_number = False
        self.named_only = False

    def take(self, match: re.Match[str]) -> None:
        what = match.lastgroup
        if match.group("lo"):
            self._number(match)
        elif match.group("parity"):
            self.parity = (
                {"单": 1, "双": 0}.get(match.group("parity")[0]) if match.group("parity") != "单双号" else None
            )
        elif match.group("sep"):
            self._separate(match.group("sep"))
        elif match.group("name"):
            self._name(match.group("name"))
        elif what == "note" or match.group().startswith("("):
            self._note(match.group("note") or "")

    def end(self) -> list[Piece]:
        self._settle("")
        self._whole()
        return self.out

    def _separate(self, sep: str) -> None:
        """A comma leaves the yard; an enumeration leaves it unless its buildings have begun; 号: opens a list."""
        if "," in sep or (not self.in_yard and sep not in (":", "-", "#")):
            self.yard = None
        self.after_number = False

    def _name(self, text: str) -> None:
        text = _LEAD.sub("", text)
        while (short := _EDGE.sub("", text)) != text and len(short) >= 2:
            text = short
        if len(text) < 2 or _FILLER.match(text):
            return
        if self.after_number and self.out and not self.waiting and not text.endswith(("街", "路", "胡同", "巷", "条")):
            self.out.append(replace(self.out[-1], alias=text))
        self._settle("")
        self._whole()
        self.name, self.alias, self.parity, self.yard = text, "", None, None
        self.named_only = True

    def _note(self, text: str) -> None:
        if text in ("单号", "单"):
            self.parity = 1
        elif text in ("双号", "双"):
            self.parity = 0
        elif _NAME_IN_BRACKETS.match(text) and not _NO_NAME.search(text):
            if self.out and self.after_number:
                self.out[-1] = replace(self.out[-1], alias=text)
                return
            self.alias = text
            if not self.name:
                self.name, self.named_only = text, True

    def _number(self, match: re.Match[str]) -> None:
        kind = match.group("kind") or ""
        for lo, hi in _spans(match.group("lo"), match.group("hi")):
            stem = match.group("stem") or ""
            inside = self.yard is not None and not (kind in _SUB and kind != "号")
            if inside and self.yard is not None:
                self.out.append(replace(self.yard, building=f"{stem}{lo}"))
                self.in_yard = True
                continue
            self.waiting.append(Piece(self.name, self.alias, stem, lo, hi, "", self.parity))
        self.named_only = False
        self.after_number = True
        if kind and self.waiting:
            last = self.waiting[-1]
            self._settle(kind)
            self.yard, self.in_yard = (replace(last, kind="door") if kind in _SUB else None), False

    def _settle(self, kind: str) -> None:
        """The counter after a list of numbers holds for all of them."""
        sort = "building" if "楼" in kind or kind in ("栋", "幢", "座", "排") else "door"
        self.out += [replace(p, kind=sort) for p in self.waiting]
        self.waiting = []

    def _whole(self) -> None:
        if self.named_only and self.name:
            self.out.append(Piece(self.name, self.alias))
        self.named_only = False


def _spans(lo: str, hi: str | None) -> list[tuple[int, int]]:
    """First and last; two house numbers whose comma was lost (431439) are parted again."""
    if len(lo) == 6 and hi is None and 0 < int(lo[3:]) - int(lo[:3]) < 100:
        return [(int(lo[:3]), int(lo[:3])), (int(lo[3:]), int(lo[3:]))]
    if len(lo) > 4:
        return []
    first, last = int(lo), int(hi) if hi else int(lo)
    return [(first, last)] if last >= first else [(first, first)]

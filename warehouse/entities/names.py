"""Names of organisations made comparable: one spelling, and the parts that tell organisations apart.

A registered name is made of the place, the firm's own word and trade, and the legal form (企业名称登记管理规定, State
Council Decree 734, arts. 6-11). Lists write the same name with other brackets, widths, blanks and characters, leave
the place or the form away, or add a note; the parts say which of these differ.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from quality.simplified import simplified

MAX_NAME = 200
"""Longest text that is taken for a name, the length of the data element ``entity_name``."""

_NOTE = re.compile(
    r"\((?:简称|曾用名|原名|又名|更名为|已|现|原)[^()]*\)$"
    r"|\((?:注销|吊销|停业|歇业|在营|开业|存续|迁出|个体工商户|个人独资)\)$"
)
_NUMBERS = "(0123456789"
_NUMBERED = re.compile(r"^\(?[0-9]{1,5}[、.)](?=[^0-9])")
_LEFT_OUT = re.compile(r"[\s·・•‧.,，。、;；:：'\"‘’“”`´*_|/\\~\-—–―‐‑−<>《》〈〉「」『』?!？！]+")
_PLAIN = re.compile(r"[一-龥A-Z0-9]*")
"""What is spelled already, but for traditional characters."""
_BRACKETS = str.maketrans(
    {"【": "(", "〔": "(", "[": "(", "{": "(", "】": ")", "〕": ")", "]": ")", "}": ")", "〇": "零", "○": "零"}
)

_PROVINCES = (
    "北京 天津 上海 重庆 河北 山西 辽宁 吉林 黑龙江 江苏 浙江 安徽 福建 江西 山东 河南 湖北 湖南 广东 海南 四川 "
    "贵州 云南 陕西 甘肃 青海 内蒙古 广西 西藏 宁夏 新疆 香港 澳门 台湾"
)
_CITIES = (
    "深圳 广州 珠海 东莞 佛山 中山 杭州 宁波 温州 南京 苏州 无锡 常州 成都 武汉 长沙 郑州 济南 青岛 烟台 潍坊 大连 "
    "沈阳 长春 哈尔滨 石家庄 唐山 保定 廊坊 太原 西安 合肥 福州 厦门 泉州 南昌 南宁 海口 贵阳 昆明 兰州 西宁 银川 "
    "呼和浩特 乌鲁木齐"
)
_DISTRICTS = "东城 西城 朝阳 海淀 丰台 石景山 门头沟 房山 通州 顺义 昌平 大兴 怀柔 平谷 密云 延庆 崇文 宣武"
_PLACES = "|".join(f"{_PROVINCES} {_CITIES}".split())
_PLACE_KIND = re.compile(
    rf"({_PLACES})(?:省|市|壮族自治区|回族自治区|维吾尔自治区|自治区|特别行政区)(?!场|政|民|委|郊|区)"
)
_DISTRICT_KIND = re.compile(rf"({'|'.join(_DISTRICTS.split())})[区县]")
_KIND = re.compile("[省市区县]")
_PREFIX = re.compile(rf"(?:中国)?({_PLACES})")
_BRACKETED = re.compile(rf"\(({_PLACES})\)")

_PARTNERSHIPS = ("特殊普通合伙", "普通合伙", "有限合伙")
_COMPANIES = ("股份有限责任公司", "股份有限公司", "有限责任公司", "有限公司", "股份公司", "总公司", "公司")
"""Both the longest first."""
_ENDS = ("公司", "合伙")
_PARTNERS = re.compile(rf"\((?:{'|'.join(_PARTNERSHIPS)})\)")
_FORMS = {
    "股份有限责任公司": "股份有限公司",
    "股份公司": "股份有限公司",
    "有限责任公司": "有限公司",
}
_BRANCH = re.compile(rf"({'|'.join(_COMPANIES)})(?=.)")


class NameParts(NamedTuple):
    """A name in comparable form.

    Attributes:
        full: one spelling: NFKC, simplified characters, capitals; no blanks, punctuation, brackets or notes.
        place: place at the head (``北京``), or in brackets behind the own word (``(北京)``), or empty.
        core: the own word and the trade, what is left without place, form and branch.
        form: legal form in one spelling (``有限公司`` for 有限责任公司), empty when none is written.
        branch: what follows a legal form inside the name: branches and outlets of the organisation before it.
    """

    full: str
    place: str
    core: str
    form: str
    branch: str

    @property
    def canonical(self) -> str:
        """The same text for names that differ only in 市/区 behind a place, or in how the form is spelled."""
        return f"{self.place}|{self.core}|{self.form}|{self.branch}"


EMPTY = NameParts("", "", "", "", "")


def spelled(names: Sequence[str | None]) -> list[str]:
    """Each name in half-width, simplified, capital form, brackets kept; empty for none, or for one over `MAX_NAME`."""
    if not names:
        return []
    plain = _PLAIN.fullmatch
    texts = [(n if plain(n) else _one_width(n)) if n and len(n) <= MAX_NAME else "" for n in names]
    spelled = simplified("\n".join(texts)).split("\n")
    return [t if plain(t) else t.upper().translate(_BRACKETS) for t in spelled]


def _one_width(text: str) -> str:
    text = "".join(unicodedata.normalize("NFKC", text).split()).replace("\0", "")
    return unicodedata.normalize("NFKC", text)  # once more: without its blanks it may compose to other characters


def parts(names: Sequence[str | None]) -> list[NameParts]:
    """The comparable form of each name; `EMPTY` where nothing is left to compare."""
    return [_parts(text) for text in spelled(names)]


def _parts(text: str) -> NameParts:
    if text[:1] in _NUMBERS:
        text = _NUMBERED.sub("", text)
    while text.endswith(")") and (cut := _NOTE.sub("", text)) != text and cut:
        text = cut
    # a text of letters and digits has no marks to leave out; searches are left out, too, where a look tells their end
    plain = text if text.isalnum() else _LEFT_OUT.sub("", text)
    full = _without_brackets(plain)
    if not full:
        return EMPTY
    if _KIND.search(plain):
        plain = _DISTRICT_KIND.sub(r"\1", _PLACE_KIND.sub(r"\1", plain))
    head, form, branch = plain, "", ""
    if 0 <= plain.find("公司") < len(plain) - 2 and (found := _BRANCH.search(plain)):
        rest = plain[found.end() :]
        if not _PARTNERS.fullmatch(rest):
            head, form, branch = plain[: found.start()], found.group(1), rest
    place = ""
    if "(" in head and (found := _BRACKETED.search(head)):
        if found.start():
            place = f"({found.group(1)})"
            head = head[: found.start()] + head[found.end() :]
        else:
            place = found.group(1)
            head = head[found.end() :]
    elif (found := _PREFIX.match(head)) and found.group(0)[:2] != "中国" and len(head) - found.end() >= 2:
        place, head = found.group(1), head[found.end() :]
    core = _without_brackets(head)
    if branch:
        branch = _without_brackets(branch)
    elif written := _form_behind(core):
        form, core = written, core[: -len(written)]
    if not core:  # nothing but a place, in brackets
        return NameParts(full, "", full, "", "")
    return NameParts(full, place, core, _FORMS.get(form, form), branch)


def _without_brackets(text: str) -> str:
    return text if text.isalnum() else text.replace("(", "").replace(")", "")


def _form_behind(core: str) -> str:
    """The legal form at the end; none when nothing else is there."""
    if core[-2:] not in _ENDS:
        return ""
    partners = company = ""
    if core.endswith("合伙"):
        partners = next((p for p in _PARTNERSHIPS if core.endswith(p) and core != p), "")
    head = core[: len(core) - len(partners)]
    if head.endswith("公司"):
        company = next(c for c in _COMPANIES if head.endswith(c))
    form = company + partners
    return form if form != core else ""

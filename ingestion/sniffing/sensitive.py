"""Finds personal and identifying values inside columns, and hides them in what is shown.

Content beats names: resident ID numbers stand in credit-code and tax-number columns of real open
data, even inside longer tokens. This looks at distinct values of a sample; it never returns them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ingestion.detect import header_key
from ingestion.sniffing.model import Finding
from quality.identifiers import is_bank_card, is_resident_id, is_uscc

# No look-around for digits: 20-character tax numbers hold an ID and two more characters.
_ID18 = re.compile(r"(?=([1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]))")
_ID15 = re.compile(r"(?<!\d)[1-8]\d{5}\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}(?![\dA-Za-z])")
_ID_MASKED = re.compile(r"(?<![\dA-Za-z])[1-8]\d{2,5}[*xX＊]{6,}\d{0,4}[\dXx]?(?![\dA-Za-z])")
_MOBILE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
_FIXED = re.compile(r"(?<!\d)(?:0\d{2,3}[-\s]?)?[2-8]\d{7}(?!\d)")
_USCC = re.compile(r"(?<![0-9A-Za-z])[0-9A-HJ-NP-RTUW-Y]{2}\d{6}[0-9A-HJ-NP-RTUW-Y]{10}(?![0-9A-Za-z])")
_CARD = re.compile(r"(?<![0-9A-Za-z])(?:62|4|5[1-5])\d{14,17}(?![0-9A-Za-z])")
_ONLY_IN_BULK = ("resident_id_masked", "bank_card")
"""Kinds that a single look-alike in a long text would suggest wrongly."""
PERSON_HEADER = re.compile(
    r"姓名|法定代表人$|法人代表|负责人$|联系人$|来电人$|户主$|申请人$|经办人$|当事人$|代表人姓名|project_manager|person_name|"
    r"first_name|given_name|surname|last_name|full_name"
)
PHONE_HEADER = re.compile(r"电话|手机|联系方式|来电号码|phone|mobile|tel$")
_ORGANISATION = re.compile(r"公司|中心|委员会|银行|[局厂部院店社站所]$")
_EMAIL = re.compile(r"[\w.+-]+(?=@[\w-]+\.)")
_PARTY_HEADER = re.compile(r"相对人名称|纳税人名称|当事人|建设单位")


def _has_id(text: str) -> bool:
    return any(is_resident_id(m.group(1).upper(), allow_15=False) for m in _ID18.finditer(text))


def _has_card(text: str) -> bool:
    return any(is_bank_card(m.group()) and not _has_id(m.group()) for m in _CARD.finditer(text))


def scan(header: str, values: Mapping[str, int]) -> tuple[Finding, ...]:
    """Sensitive kinds met among the distinct values of a column, with hits weighted by count.

    A fixed-line number counts only below a telephone header: eight digits alone say nothing.
    """
    phones = PHONE_HEADER.search(header_key(header)) is not None
    total = sum(values.values())
    hits: dict[str, int] = {}
    for value, n in values.items():
        if len(value) < 7 or not re.search(r"\d{3}", value):
            continue
        text = value.replace(" ", "")
        for kind, found in (
            ("resident_id", _has_id(text)),
            ("resident_id_masked", bool(_ID_MASKED.search(text))),
            ("phone", bool(_MOBILE.search(text)) or (phones and bool(_FIXED.search(text)))),
            ("uscc", any(is_uscc(m.group()) and m.group()[1] != "0" for m in _USCC.finditer(text.upper()))),
            ("bank_card", _has_card(text)),
        ):
            hits[kind] = hits.get(kind, 0) + n * found
    return tuple(
        Finding(kind=k, hits=n, share=round(n / total, 4))
        for k, n in hits.items()
        if n and (k not in _ONLY_IN_BULK or n >= 0.01 * total)
    )


HOME_HEADER = re.compile("住址|家庭.*址|户籍.*(?:址|地)|居住地")
_BIRTH_HEADER = re.compile("出生|生日|birth")
_REMARK_HEADER = re.compile("备注|说明|内容|详情|诉求|留言|事实|remark|note")
_DOOR = re.compile(r"\d+\s*(?:单元|室|户|门\d)|号院?\d+\s*号?楼")
"""A flat, not only a house: nobody but its residents is found there."""


def mask_text(value: str, header: str = "", *, limit: int = 40) -> str:
    """A value as it may be shown: IDs, phones and cards starred, a person's name cut to one character.

    Args:
        value: raw value.
        header: its column; below a person's header the whole value is taken for a name.
        limit: characters kept.
    """
    key = header_key(header)
    if PERSON_HEADER.search(key) and len(value) <= 30 and not _ORGANISATION.search(value):
        return value[:1] + "*" * min(5, max(1, len(value) - 1))
    if _PARTY_HEADER.search(key) and 2 <= len(value) <= 4:
        return value[:1] + "*" * (len(value) - 1)
    text = value if len(value) <= 4 * limit else value[: 4 * limit]
    text = _star_ids(text)
    text = _ID15.sub(lambda m: _star(m.group(), 6, 2), text)
    text = _CARD.sub(lambda m: _star(m.group(), 4, 4), text)
    text = _EMAIL.sub(lambda m: m.group()[:1] + "***", text)
    text = _MOBILE.sub(lambda m: _star(m.group(), 3, 2), text)
    if PHONE_HEADER.search(key):
        text = _FIXED.sub(lambda m: _star(m.group(), 2, 2), text)
    text = re.sub(r"\s+", " ", text).strip()
    if HOME_HEADER.search(key) or _DOOR.search(text):  # where somebody may live: no further than the district
        return f"{text[:3]}***"
    if _BIRTH_HEADER.search(key):
        return f"{text[:4]}***"
    if _REMARK_HEADER.search(key) and len(text) > 8:
        return f"{text[:2]}…（{len(value)} 字）"
    if len(value) > 4 * limit:  # free text may tell of a person anywhere: only how it starts is shown
        return f"{text[:12]}…（{len(value)} 字）"
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _star_ids(text: str) -> str:
    while found := next((m for m in _ID18.finditer(text) if is_resident_id(m.group(1).upper(), allow_15=False)), None):
        start = found.start()
        text = text[:start] + _star(text[start : start + 18], 6, 1) + text[start + 18 :]
    return text


def _star(text: str, head: int, tail: int) -> str:
    return text[:head] + "*" * (len(text) - head - tail) + text[len(text) - tail :]

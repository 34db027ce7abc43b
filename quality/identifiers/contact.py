"""Telephone numbers, vehicle plates and bank cards.

The patterns are written in the common part of Python's ``re`` and RE2, so that both sides agree by construction.
"""

from __future__ import annotations

import re
from typing import Literal

_COUNTRY = r"(?:(?:\+|00)?86[- ]?)?"
_EXTENSION = r"(?:(?:-|转|ext\.?|\*)[0-9]{1,6})?"
MOBILE = _COUNTRY + r"1[3-9][0-9][- ]?[0-9]{4}[- ]?[0-9]{4}"
BEIJING_FIXED = r"(?:(?:(?:\+|00)?86[- ]?)?[(（]?0?10[)）]?[-— ]?)?[2-8][0-9]{3}[- ]?[0-9]{4}" + _EXTENSION
OTHER_FIXED = r"[(（]?0(?:2[0-9]|[3-9][0-9]{2})[)）]?[-— ]?[2-8][0-9]{6,7}" + _EXTENSION
SERVICE = r"(?:[48]00[- ]?[0-9]{3}[- ]?[0-9]{4}|1(?:10|19|20|22)|12[0-9]{3}|9[56][0-9]{3,6}|100[0-9]{2})"

PhoneKind = Literal["mobile", "beijing_fixed", "other_fixed", "service"]
_PHONES: tuple[tuple[PhoneKind, str], ...] = (
    ("mobile", MOBILE),
    ("beijing_fixed", BEIJING_FIXED),
    ("other_fixed", OTHER_FIXED),
    ("service", SERVICE),
)

_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_CITY = "[A-HJ-NP-Z]"
_MARK = "[0-9A-HJ-NP-Z]"
PLATE = (
    f"[{_PROVINCES}]{_CITY}[·• ]?(?:(?:[DF]{_MARK}[0-9]{{4}}|[0-9]{{5}}[DF])|{_MARK}{{4}}(?:{_MARK}|[警学挂领使港澳]))"
)
"""Blue and yellow plates, new-energy plates (small: D/F first, large: D/F last), police, learner, trailer …"""

CARD = r"[1-9][0-9]{15,18}"


def phone_kind(text: str) -> PhoneKind | None:
    """The kind of a telephone number written in any of the usual ways, None when it is none.

    A bare 8-digit number counts as a Beijing fixed line.
    """
    return next((kind for kind, form in _PHONES if re.fullmatch(form, text, re.ASCII)), None)


def phone_kind_sql(expr: str) -> str:
    """Agrees with `phone_kind`; NULL for NULL."""
    whens = "".join(f" WHEN regexp_full_match({expr},'{form}') THEN '{kind}'" for kind, form in _PHONES)
    return f"CASE{whens} END"


def is_phone_sql(expr: str, kinds: tuple[PhoneKind, ...] = ("mobile", "beijing_fixed", "other_fixed")) -> str:
    """True when ``expr`` is a telephone number of one of ``kinds``; False for NULL."""
    forms = "|".join(f"(?:{form})" for kind, form in _PHONES if kind in kinds)
    return f"coalesce(regexp_full_match({expr},'{forms}'),false)"


def is_phone(text: str, kinds: tuple[PhoneKind, ...] = ("mobile", "beijing_fixed", "other_fixed")) -> bool:
    return any(re.fullmatch(form, text, re.ASCII) for kind, form in _PHONES if kind in kinds)


def is_plate(text: str) -> bool:
    """A vehicle plate of the Chinese mainland."""
    return re.fullmatch(PLATE, text, re.ASCII) is not None


def is_plate_sql(expr: str) -> str:
    return f"coalesce(regexp_full_match({expr},'{PLATE}'),false)"


def is_bank_card(text: str) -> bool:
    """16 to 19 digits whose Luhn sum fits."""
    if not re.fullmatch(CARD, text, re.ASCII):
        return False
    digits = [int(c) for c in reversed(text)]
    return sum(d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(digits)) % 10 == 0


def is_bank_card_sql(expr: str) -> str:
    """Agrees with `is_bank_card`; False for NULL."""
    number = f"try_cast({expr} AS UBIGINT)"
    digit = [f"(({number}//{10**i})%10)" for i in range(19)]
    total = "+".join(d if i % 2 == 0 else f"({d}*2//10+{d}*2%10)" for i, d in enumerate(digit))
    return f"(coalesce(regexp_full_match({expr},'{CARD}')::INT*(({total})%10=0)::INT,0)=1)"

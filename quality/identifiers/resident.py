"""Resident identity numbers (公民身份号码): GB 11643-1999, 18 characters, and the 15-digit form of 1989.

Numbers carry the area code of first registration, which may have ended long ago (110104 宣武区 ended in
2010), so only the province part is checked. Residence permits of Hong Kong, Macao and Taiwan residents
(81, 82, 83) and permanent-resident cards of foreigners (first digit 9) have the same layout and check.

Every ``*_sql`` function takes a DuckDB VARCHAR expression and returns an expression that agrees with its
Python namesake. They use no CASE and no AND where work repeats: DuckDB shares common sub-expressions in a
SELECT list, but not inside CASE, AND, OR or WHERE. Project them; filter on the projected column.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECKS = "10X98765432"

_PROVINCE = "(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]|9[0-9])"
_DAY = (
    "(?:(?:0[13578]|1[02])(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)(?:0[1-9]|[12][0-9]|30)|02(?:0[1-9]|1[0-9]|2[0-8]))"
)
_LEAP = "[2468][048]|[13579][26]"
# 1900 had no 29 February, 2000 had: one pattern says every day of the calendar, so no date needs to be computed
_LEAP_YEAR = f"(?:18(?:5[26]|[68][048]|[79][26])|19(?:0[48]|{_LEAP})|20(?:0[048]|{_LEAP}))"
_DATE_18 = f"(?:(?:18[5-9]|19[0-9]|20[0-9])[0-9]{_DAY}|{_LEAP_YEAR}0229)"
_DATE_15 = f"(?:[0-9]{{2}}{_DAY}|(?:0[48]|{_LEAP})0229)"
FORM_18 = f"{_PROVINCE}[0-9]{{4}}{_DATE_18}[0-9]{{3}}[0-9Xx]"
"""Shape of 18 characters with a province and a day between 1850 and 2099."""
FORM_15 = f"{_PROVINCE}[0-9]{{4}}{_DATE_15}[0-9]{{3}}"
"""Shape of 15 digits with a province and a day of the 20th century."""

_FORM_18 = re.compile(FORM_18, re.ASCII)
_FORM_15 = re.compile(FORM_15, re.ASCII)

Kind = Literal["resident", "hk_mo_tw_permit", "foreign_permanent", "resident_15"]
Fault = Literal["format", "checksum"]


@dataclass(frozen=True)
class ResidentId:
    """What a valid number says. ``sex_code`` after GB/T 2261.1: 1 male, 2 female."""

    kind: Kind
    area_code: str
    birth_date: date
    sex_code: str


def check_character(first17: str) -> str:
    """The check character of 17 digits (GB 11643-1999, ISO 7064 MOD 11-2)."""
    return CHECKS[sum(int(c) * w for c, w in zip(first17, WEIGHTS, strict=True)) % 11]


def resident_id_fault(text: str, *, allow_15: bool = True) -> Fault | None:
    """Why ``text`` is not a resident identity number, None when it is one.

    Args:
        text: the number, without surrounding blanks; ``x`` may be small.
        allow_15: accept the 15-digit form of GB 11643-1989, which has no check character.

    Returns:
        ``format`` (length, characters, province or date) or ``checksum``.
    """
    if allow_15 and _FORM_15.fullmatch(text):
        return None
    if not _FORM_18.fullmatch(text):
        return "format"
    return None if check_character(text[:17]) == text[17].upper() else "checksum"


def is_resident_id(text: str, *, allow_15: bool = True) -> bool:
    return resident_id_fault(text, allow_15=allow_15) is None


def parse_resident_id(text: str) -> ResidentId | None:
    """The parts of a valid number, None when it is not valid."""
    if resident_id_fault(text) is not None:
        return None
    full = upgrade_resident_id(text)
    kind: Kind = "resident"
    if len(text) == 15:
        kind = "resident_15"
    elif text[:2] in ("81", "82", "83"):
        kind = "hk_mo_tw_permit"
    elif text[0] == "9":
        kind = "foreign_permanent"
    born = date(int(full[6:10]), int(full[10:12]), int(full[12:14]))
    return ResidentId(kind=kind, area_code=full[:6], birth_date=born, sex_code="1" if int(full[16]) % 2 else "2")


def upgrade_resident_id(text: str) -> str:
    """One spelling of one number: capital X, and 15 digits lengthened to 18. Other text is only capitalised."""
    text = text.upper()
    if len(text) == 15 and text.isascii() and text.isdigit():
        body = f"{text[:6]}19{text[6:]}"
        return body + check_character(body)
    return text


# --- the same in DuckDB ---------------------------------------------------------------------------------------------


def _sum_sql(number: str) -> str:
    """Weighted digit sum modulo 11 of a 17-digit BIGINT expression.

    With q_k = number // 10^k the sum of digit_k * 2^(k+1) equals 2 q_0 + 3 * sum(2^k q_k), modulo 11, because
    -10 = 1: sixteen divisions and no remainders, three times as fast as seventeen ``ascii(substr())``.
    """
    terms = "+".join(f"({number}//{10**k})*{3 * 2**k % 11}" for k in range(1, 17))
    return f"(({number}*2+{terms})%11)"


def _checksum_holds_sql(expr: str) -> str:
    number = f"try_cast(left({expr},17) AS BIGINT)"
    check = f"(strpos('0123456789X',upper(substr({expr},18,1)))-1)"
    return f"(({_sum_sql(number)}+{check})%11=1)"


def resident_id_format_sql(expr: str, *, allow_15: bool = True) -> str:
    """True when length, characters, province and date are right; never NULL."""
    form = f"{FORM_18}|{FORM_15}" if allow_15 else FORM_18
    return f"coalesce(regexp_full_match({expr},'{form}'),false)"


def resident_id_checksum_sql(expr: str) -> str:
    """False only when 18 well-formed characters carry a wrong check character; never NULL."""
    return f"(coalesce(regexp_full_match({expr},'[0-9]{{17}}[0-9Xx]')::INT*(1-{_checksum_holds_sql(expr)}::INT),0)=0)"


def is_resident_id_sql(expr: str, *, allow_15: bool = True) -> str:
    """Agrees with `is_resident_id`; False for NULL."""
    valid_18 = f"coalesce(regexp_full_match({expr},'{FORM_18}')::INT*{_checksum_holds_sql(expr)}::INT,0)"
    valid_15 = f"+coalesce(regexp_full_match({expr},'{FORM_15}')::INT,0)" if allow_15 else ""
    return f"({valid_18}{valid_15}>0)"


def upgrade_resident_id_sql(expr: str) -> str:
    """Agrees with `upgrade_resident_id`; NULL for NULL."""
    body = f"(left({expr},6)||'19'||substr({expr},7))"
    check = f"substr('{CHECKS}',{_sum_sql(f'try_cast({body} AS BIGINT)')}+1,1)"
    return f"CASE WHEN regexp_full_match({expr},'[0-9]{{15}}') THEN {body}||{check} ELSE upper({expr}) END"


def resident_birth_date_sql(expr: str) -> str:
    """DATE of birth told by a well-formed number of 18 or 15 characters, else NULL."""
    text = f"CASE strlen({expr}) WHEN 18 THEN substr({expr},7,8) WHEN 15 THEN '19'||substr({expr},7,6) END"
    return f"try_strptime({text},'%Y%m%d')::DATE"


def resident_sex_code_sql(expr: str) -> str:
    """'1' male or '2' female told by the 17th (of 15: the last) digit, else NULL."""
    digit = f"try_cast(CASE strlen({expr}) WHEN 18 THEN substr({expr},17,1) WHEN 15 THEN right({expr},1) END AS INT)"
    return f"CASE {digit}%2 WHEN 1 THEN '1' WHEN 0 THEN '2' END"

"""Numbers of organisations: unified social credit code (GB 32100-2015), organisation code (GB 11714),
registration number (GS 15-2006), and what really stands in taxpayer-number columns.

SQL functions agree with their Python namesakes; see `quality.identifiers.resident` on how to use them fast.
"""

from __future__ import annotations

import re
from typing import Literal

from quality.identifiers.resident import is_resident_id, is_resident_id_sql

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""The 31 characters of GB 32100-2015: no I, O, S, V, Z."""
USCC_WEIGHTS = tuple(pow(3, i, 31) for i in range(17))
ORG_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)

_LETTER = ALPHABET[10:]
USCC_FORM = f"[1-9A{_LETTER[_LETTER.index('N') :]}][0-9]{{7}}[{ALPHABET}]{{8}}[0-9X][{ALPHABET}]"
"""Authority, class (any: 54 village and neighbourhood committees are real), area, organisation code, check."""
_USCC = re.compile(USCC_FORM, re.ASCII)
_ORG = re.compile("[0-9A-Z]{8}-?[0-9X]", re.ASCII)
_DIGITS_15 = re.compile("[0-9]{15}", re.ASCII)
_SCIENTIFIC = r"[0-9](?:\.[0-9]+)?[Ee]\+?[0-9]{1,2}"

TaxpayerKind = Literal[
    "uscc",
    "resident_id",
    "resident_id_plus_2",
    "org_code_15",
    "org_code",
    "registration_15",
    "resident_id_15",
    "scientific",
    "masked",
    "unknown",
]


def uscc_check_character(first17: str) -> str:
    """The check character of 17 characters of ``ALPHABET`` (GB 32100-2015, modulus 31)."""
    return ALPHABET[-sum(ALPHABET.index(c) * w for c, w in zip(first17, USCC_WEIGHTS, strict=True)) % 31]


def uscc_fault(text: str) -> Literal["format", "checksum"] | None:
    """Why ``text`` is not a unified social credit code, None when it is one. Small letters are not accepted."""
    if not _USCC.fullmatch(text):
        return "format"
    return None if uscc_check_character(text[:17]) == text[17] else "checksum"


def is_uscc(text: str) -> bool:
    return uscc_fault(text) is None


def org_check_character(first8: str) -> str:
    """The check character of 8 digits or capitals (GB 11714; A is 10 … Z is 35)."""
    return "0123456789X0"[11 - sum(int(c, 36) * w for c, w in zip(first8, ORG_WEIGHTS, strict=True)) % 11]


def is_org_code(text: str) -> bool:
    """Nine characters with a right check character; a hyphen before the last one is accepted."""
    return _ORG.fullmatch(text) is not None and org_check_character(text[:8]) == text[-1]


def is_registration_number(text: str) -> bool:
    """A 15-digit registration number (工商注册号) with a right check digit (GS 15-2006, ISO 7064 MOD 11,10)."""
    if not _DIGITS_15.fullmatch(text):
        return False
    p = 10
    for c in text[:14]:
        p = ((p + int(c)) % 10 or 10) * 2 % 11
    return (p + int(text[14])) % 10 == 1


def taxpayer_kind(text: str) -> TaxpayerKind:
    """What a value of a taxpayer-number column really is.

    ``resident_id_plus_2``: a sole trader's number, the owner's resident ID and two characters.
    ``org_code_15``: area code and organisation code; the last nine characters convert.
    """
    # one ID in 31 passes as a code by chance; numbers from 9 on are codes, but for rare cards of foreigners
    person = is_resident_id(text, allow_15=False)
    if person and text[0] != "9":
        return "resident_id"
    if is_uscc(text):
        return "uscc"
    if person:
        return "resident_id"
    if len(text) == 20 and is_resident_id(text[:18], allow_15=False):
        return "resident_id_plus_2"
    if re.fullmatch("[0-9]{6}[0-9A-Z]{8}[0-9X]", text, re.ASCII) and is_org_code(text[6:]):
        return "org_code_15"
    if is_org_code(text):
        return "org_code"
    if is_registration_number(text):
        return "registration_15"
    if len(text) == 15 and is_resident_id(text):
        return "resident_id_15"
    if re.fullmatch(_SCIENTIFIC, text, re.ASCII):
        return "scientific"
    return "masked" if "*" in text else "unknown"


# --- the same in DuckDB ---------------------------------------------------------------------------------------------


def _repeat(byte: int) -> int:
    return int.from_bytes(bytes([byte] * 8), "big")


def _values_sql(word: str) -> str:
    """Eight ASCII bytes in a UBIGINT to eight values of ``ALPHABET`` at once, in the low five bits of each byte.

    Adding 127-t to a byte sets its high bit when the byte is above t, so one addition and one mask tell for all
    eight bytes which lie above '9' (7 characters stand between '9' and 'A') or above a letter that is left out.
    High bits are cleared before adding and set before subtracting: no byte borrows from or carries into another,
    whatever the text, and DuckDB's overflow check has nothing to raise.
    """
    plain = f"({word}&{_repeat(127)})"

    def above(limit: int) -> str:
        return f"((({plain}+{_repeat(127 - limit)})&{_repeat(128)})>>7)"

    skipped = "".join(f"-{above(ord(c))}" for c in "IOSV")
    return f"(({plain}|{_repeat(128)})-{_repeat(48)}-{above(57)}*7{skipped})"


def _uscc_check_fits_sql(expr: str) -> str:
    """Whether the check character fits; without meaning (but no error) when the form is wrong."""
    digits = f"try_cast(substr({expr},2,7) AS INT)"
    values = _values_sql(f"try_cast('0x'||hex(substr({expr},9,8)) AS UBIGINT)")

    def place(character: str) -> str:
        return f"(strpos('{ALPHABET}',{character})-1)"

    parts = [
        f"{place(f'left({expr},1)')}*{USCC_WEIGHTS[0]}",
        *(f"(({digits}//{10 ** (6 - i)})%10)*{USCC_WEIGHTS[i + 1]}" for i in range(7)),
        *(f"(({values}>>{8 * (7 - i)})&31)::INT*{USCC_WEIGHTS[i + 8]}" for i in range(8)),
        f"{place(f'substr({expr},17,1)')}*{USCC_WEIGHTS[16]}",
        place(f"substr({expr},18,1)"),
    ]
    return f"(({'+'.join(parts)})%31=0)"


def uscc_format_sql(expr: str) -> str:
    """True when length and characters are right; never NULL."""
    return f"coalesce(regexp_full_match({expr},'{USCC_FORM}'),false)"


def uscc_checksum_sql(expr: str) -> str:
    """False only when a well-formed code carries a wrong check character; never NULL."""
    return f"(coalesce(regexp_full_match({expr},'{USCC_FORM}')::INT*(1-{_uscc_check_fits_sql(expr)}::INT),0)=0)"


def is_uscc_sql(expr: str) -> str:
    """Agrees with `is_uscc`; False for NULL."""
    return f"(coalesce(regexp_full_match({expr},'{USCC_FORM}')::INT*{_uscc_check_fits_sql(expr)}::INT,0)=1)"


def is_org_code_sql(expr: str) -> str:
    """Agrees with `is_org_code`; False for NULL."""
    total = "+".join(
        f"(strpos('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ',substr({expr},{i + 1},1))-1)*{w}"
        for i, w in enumerate(ORG_WEIGHTS)
    )
    check = f"(right({expr},1)=substr('0123456789X0',12-({total})%11,1))"
    return f"(coalesce(regexp_full_match({expr},'[0-9A-Z]{{8}}-?[0-9X]')::INT*{check}::INT,0)=1)"


def is_registration_number_sql(expr: str) -> str:
    """Agrees with `is_registration_number`; False for NULL."""
    p = "10"
    for i in range(14):
        # (p + d) % 10, with 0 standing for 10, then doubled modulo 11
        p = f"((({p}+ascii(substr({expr},{i + 1},1))-49)%10+1)*2%11)"
    return f"(coalesce(regexp_full_match({expr},'[0-9]{{15}}')::INT*((({p})+ascii(right({expr},1))-48)%10=1)::INT,0)=1)"


def taxpayer_kind_sql(expr: str) -> str:
    """Agrees with `taxpayer_kind`; NULL for NULL.

    The first kind that holds is found by ``greatest`` of ranks, for inside CASE common parts are not shared;
    the length carries NULL through.
    """
    person = is_resident_id_sql(expr, allow_15=False)
    tail, head = f"substr({expr},7)", f"left({expr},18)"
    holds: dict[str, str] = {
        "resident_id": f"({expr}<'9')::INT*{person}",
        "uscc": is_uscc_sql(expr),
        "foreign_permanent": person,
        "resident_id_plus_2": f"(length({expr})=20)::INT*{is_resident_id_sql(head, allow_15=False)}",
        "org_code_15": f"regexp_full_match({expr},'[0-9]{{6}}[0-9A-Z]{{8}}[0-9X]')::INT*{is_org_code_sql(tail)}",
        "org_code": is_org_code_sql(expr),
        "registration_15": is_registration_number_sql(expr),
        "resident_id_15": f"(length({expr})=15)::INT*{is_resident_id_sql(expr)}",
        "scientific": f"regexp_full_match({expr},'{_SCIENTIFIC}')",
        "masked": f"contains({expr},'*')",
    }
    size = len(holds)
    ranks = ",".join(f"{sql}::INT*{size - i}" for i, sql in enumerate(holds.values()))
    names = ",".join(f"'{kind}'" for kind in ("unknown", *reversed(holds))).replace("foreign_permanent", "resident_id")
    return f"([{names}])[greatest({ranks})+1+0*length({expr})]"

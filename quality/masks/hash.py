"""Replaces a value by its keyed pseudonym (HMAC-SHA256, HMAC-SM3): equal values stay equal, none is tested keyless."""

from __future__ import annotations

import hmac

from quality.masks.base import Mask, MaskFixture, MaskParams, Value
from quality.pseudonym import BLANKS, DIGITS, FUNCTION_KEY_ID, Algorithm, is_pseudonym_sql, pseudonym_sql

FIXTURE_KEY = bytes(range(32))
"""Key of the fixtures below; a real key is a file (`quality.pseudonym.load_key`)."""


class Params(MaskParams):
    """How the pseudonym is made.

    ``as_resident``: the value is a resident ID; all its spellings give one pseudonym. ``algorithm``: ``sha256``, or
    ``sm3`` where national algorithms are asked for. ``with_key_id``: the key's id stands before it, as in
    ``1f2e3d4c:…``, so that pseudonyms of different keys are told apart after a rotation.
    """

    as_resident: bool = False
    algorithm: Algorithm = "sha256"
    with_key_id: bool = False


def reference(value: Value, params: Params) -> str:
    """With the fixtures' key: the real one is known to the connection only."""
    from quality.identifiers import upgrade_resident_id
    from quality.pseudonym import PseudonymKey

    key = PseudonymKey(FIXTURE_KEY)
    text = str(value).strip(BLANKS)
    text = upgrade_resident_id(text) if params.as_resident else text
    made = key.pseudonym_sm3(text) if params.algorithm == "sm3" else key.pseudonym(text)
    return f"{key.key_id}:{made}" if params.with_key_id else made


def expression(expr: str, params: Params) -> str:
    made = pseudonym_sql(expr, "resident_key" if params.as_resident else "hash", algorithm=params.algorithm)
    return f"({FUNCTION_KEY_ID}({expr}) || ':' || {made})" if params.with_key_id else made


def _hmac(text: str) -> str:
    return hmac.digest(FIXTURE_KEY, text.encode(), "sha256").hex()[:DIGITS]


def holds(expr: str, params: Params) -> str:
    return is_pseudonym_sql(expr, with_key_id=params.with_key_id)


MASK = Mask(
    name="hash",
    title="加密假名",
    lowers_to=2,
    keeps="是否相同",
    keyed=True,
    params=Params,
    reference=reference,
    expression=expression,
    holds=holds,
    fixtures=(
        MaskFixture("13801234567", _hmac("13801234567"), "RFC 2104"),
        MaskFixture(" 13801234567 ", _hmac("13801234567"), "blanks around do not matter"),
        MaskFixture("110105491231002", _hmac("11010519491231002X"), "spellings of one person", {"as_resident": True}),
        MaskFixture(
            "13801234567",
            "2ced2a39427dd24a92bc3e82cec0acfe",
            "the beginning of HMAC-SM3 as OpenSSL makes it (GB/T 32905-2016)",
            {"algorithm": "sm3"},
        ),
        MaskFixture(
            "13801234567",
            "4b62ae50:" + _hmac("13801234567"),
            "the key's id before it",
            {"with_key_id": True},
        ),
        MaskFixture(None, None, "nothing"),
    ),
)

"""Replaces a value by its keyed pseudonym (HMAC-SHA256): equal values stay equal, none is tested without the key."""

from __future__ import annotations

import hmac

from quality.masks.base import Mask, MaskFixture, MaskParams, Value
from quality.pseudonym import BLANKS, pseudonym_sql

FIXTURE_KEY = bytes(range(32))
"""Key of the fixtures below; a real key is a file (`quality.pseudonym.load_key`)."""


class Params(MaskParams):
    """``as_resident``: the value is a resident ID; all its spellings give one pseudonym."""

    as_resident: bool = False


def reference(value: Value, params: Params) -> str:
    """With the fixtures' key: the real one is known to the connection only."""
    from quality.pseudonym import PseudonymKey

    key = PseudonymKey(FIXTURE_KEY)
    text = str(value)
    return key.resident_key(text) if params.as_resident else key.pseudonym(text.strip(BLANKS))


def expression(expr: str, params: Params) -> str:
    return pseudonym_sql(expr, "resident_key" if params.as_resident else "hash")


def _hmac(text: str) -> str:
    return hmac.digest(FIXTURE_KEY, text.encode(), "sha256").hex()


MASK = Mask(
    name="hash",
    title="加密假名",
    lowers_to=2,
    keeps="是否相同",
    keyed=True,
    params=Params,
    reference=reference,
    expression=expression,
    fixtures=(
        MaskFixture("13801234567", _hmac("13801234567"), "RFC 2104"),
        MaskFixture(" 13801234567 ", _hmac("13801234567"), "blanks around do not matter"),
        MaskFixture("110105491231002", _hmac("11010519491231002X"), "spellings of one person", {"as_resident": True}),
        MaskFixture(None, None, "nothing"),
    ),
)

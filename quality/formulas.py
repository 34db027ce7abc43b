"""Keeps text from becoming a formula where a spreadsheet opens a file of ours (OWASP, CSV injection)."""

from __future__ import annotations

import re

RISKY = "=+-@\t\r＝＋－＠"
"""First characters from which a spreadsheet makes a formula of a text."""
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|-+|-inf")


def guarded(text: str | None) -> str | None:
    """``text`` with an apostrophe before it where it would be a formula; numbers, and dashes for no value, stay."""
    if not text or text[0] not in RISKY or _NUMBER.fullmatch(text):
        return text
    return f"'{text}"

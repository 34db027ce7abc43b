"""How a rejected row is shown to people: enough to find it, nothing that names or reaches a person."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping

from catalog.model import Feed
from catalog.registry import Catalog
from ingestion.formats.header import normalise

_DAY = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_NUMBER = re.compile(
    rf"\d{{6}}(?:19|20)\d\d{_DAY}\d{{3}}[\dXx]"  # identity number, also a wrong one, also inside a longer token
    rf"|(?<!\d)(?:\d{{8}}{_DAY}\d{{3}}|(?:86)?1[3-9]\d{{9}}|0\d{{9,11}}|(?:62|4|5[1-5])\d{{14,17}})(?!\d)"
)
"""Forms of numbers that reach or name a person: identity numbers of 18 and 15 digits, telephones, cards."""


def clear_columns(catalog: Catalog, feed: Feed) -> set[str]:
    """Normalised source columns that may be shown as they are: every field they feed is of grade 1."""
    grades: dict[str, int] = {}
    for field in catalog.fields(feed):
        for name in field.spec.from_:
            grades[normalise(name)] = max(grades.get(normalise(name), 1), field.grade)
    return {name for name, grade in grades.items() if grade == 1}


def shown(raw: str | None, clear: set[str]) -> dict[str, str]:
    """The raw values of a rejected row by source column, masked but for the columns in ``clear``.

    Rejected rows have values in columns where none expects them, so numbers of persons are masked in all columns.
    """
    data = json.loads(raw) if raw else {}
    if "_line" in data:
        return {"整行": f"共 {len(data['_line'])} 个字符"}
    if "_fields" in data:
        return {"整行": f"共 {len(data['_fields'])} 列"}
    return shown_values(data, clear)


def shown_values(values: Mapping[str, str], clear: set[str]) -> dict[str, str]:
    """Values by source column, masked but for the columns in ``clear``; see `shown`."""
    return {k: _short(without_numbers(v)) if normalise(k) in clear else _mask(v) for k, v in values.items() if v}


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 40 else text[:40] + "…"


def _mask(text: str) -> str:
    return text[0] + "*" * min(len(text) - 1, 6)


def without_numbers(text: str) -> str:
    """``text`` as people may see it.

    What has the form of an identity number, a telephone or a card (spaces, hyphens and full-width digits do not hide
    it) leaves nothing but the first character, whatever the grade of the column.
    """
    plain = "".join(ch for ch in unicodedata.normalize("NFKC", text) if not ch.isspace() and ch not in "-‐‑–—")
    return text if not _NUMBER.search(plain) else text[0] + "*" * min(len(text) - 1, 6)

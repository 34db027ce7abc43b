"""English names for Chinese headers and file names: known words first, pinyin for the rest."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from catalog.model import NAME
from ingestion.detect import header_key
from ingestion.sniffing.types import UNITS, unit_of

_MAX = 48


@lru_cache(maxsize=1)
def words() -> dict[str, str]:
    """Chinese word to English; '' drops the word (place names every file of the district carries)."""
    text = (Path(__file__).parent / "words.txt").read_text(encoding="utf-8")
    pairs = (p.split() for line in text.splitlines() if not line.startswith("#") for p in line.split("|"))
    return {zh: "" if en == "-" else en for zh, en in pairs}


def field_name(header: str, *, unit: str = "", kind: str = "string", taken: Collection[str] = ()) -> str:
    """A unique lower-case field name for a source column.

    Args:
        header: source column, Chinese or not.
        unit: unit of measure named in the header; its ending closes the name (``_cny``, ``_m2``).
        kind: ``date`` and ``timestamp`` end the name with ``_date`` and ``_at``, ``code`` with ``_code``.
        taken: names that exist already.
    """
    unnamed = re.fullmatch(r"列(\d+)", header)
    base = f"column_{unnamed.group(1)}" if unnamed else identifier(unit_of(header)[0] if unit else header) or "field"
    if kind == "date" and not re.search(r"(?:^|_)date(?:_|$)", base):
        base = re.sub(r"_?time$", "", base)
        base = f"{base}_date" if base else "date"
    elif kind == "timestamp":
        base = re.sub(r"_?(?:date|time|at)$", "", base)
        base = f"{base}_at" if base else "recorded_at"
    elif kind == "string" and re.search(r"_(?:date|time)$", base):
        base += "_text"
    elif kind == "code" and not re.search(r"_code\d*$", base):
        base = re.sub(r"_(?:name|kind)$", "", base) + "_code"
    if unit and unit in UNITS and not base.endswith("_" + UNITS[unit]):
        base = f"{base}_{UNITS[unit]}"
    if base[0].isdigit():
        base = f"n_{base}"
    name, n = base, 1
    while name in taken:
        n += 1
        name = f"{base}_{n}"
    return name


def identifier(text: str) -> str:
    """``text`` as snake_case: known Chinese words in English, others in pinyin, Latin kept."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text)
    parts: list[str] = []
    for chunk in re.findall(r"[一-鿿]+|[a-z0-9]+(?:\.[0-9]+)?", header_key(text).replace("_", " ")):
        parts.extend(_words(chunk) if "一" <= chunk[0] <= "鿿" else [chunk.replace(".", "_")])
    out: list[str] = []
    for part in parts:
        if part and (not out or out[-1] != part):
            out.append(part)
    while len("_".join(out)) > _MAX and len(out) > 1:
        out.pop(0 if len(out) > 3 else -2 if len(out) > 2 else 0)
    return "_".join(out)[:_MAX].strip("_")


def _words(chunk: str) -> list[str]:
    known = words()
    out: list[str] = []
    unknown = ""
    at = 0
    while at < len(chunk):
        for size in range(min(8, len(chunk) - at), 0, -1):
            word = known.get(chunk[at : at + size])
            if word is not None:
                out += [_pinyin(unknown), *word.split("_")] if word else [_pinyin(unknown)]
                unknown, at = "", at + size
                break
        else:
            unknown += chunk[at]
            at += 1
    return [p for p in (*out, _pinyin(unknown)) if p]


def _pinyin(text: str) -> str:
    text = re.sub("[的和及与或第、]", "", text)
    if not text:
        return ""
    from pypinyin import lazy_pinyin

    return re.sub("[^a-z]", "", "".join(lazy_pinyin(text)).replace("ü", "v"))[:20]


_AUTHORITY = re.compile(r"^.*(?:局|委|委员会|办公室|中心|街道)\s*[-_—－]+\s*")


def title_of(file_name: str) -> str:
    """A resource title from a file name: no extension, department prefix, date or copy number."""
    stem = re.sub(r"(?<=.)(?:\.[a-z][a-z0-9]{1,8}){1,2}$", "", file_name, flags=re.IGNORECASE)
    short = _AUTHORITY.sub("", stem)
    short = re.sub(r"[(（]\d+[)）]$|(?<=[-_ 一-鿿])(?:19|20)\d{2}[-.年_]?\d{0,2}[-.月_]?\d{0,2}日?$", "", short).strip(
        " -_"
    )
    return short or stem


def object_name(file_name: str) -> str:
    """An object name (the file name of the contract) from a delivered file's name."""
    title = re.sub(r"[(（].*?[)）]", "", title_of(file_name))
    title = re.sub(r"^(?:19|20)\d{2}年?度?", "", title)
    title = re.sub(r"(?:信息|数据|结果数据|清单|一览表|明细)$", "", title) or title
    name = identifier(title)
    while len(name) > 40 and "_" in name:
        name = name.rpartition("_")[0]
    name = name if name and name[0].isalpha() else f"feed_{name or 'sample'}"
    return name if NAME.match(name) else "feed_sample"

"""What a delivered file is, found from its bytes: kind, encoding, delimiter, header row.

A file's name and extension are never believed: one in twelve ``.csv`` files of the city's open
data portal is a workbook, half of the rest are GB18030, and headers stand below title and seal
lines. Everything here is cheap, reads no more than it must and decides the same way each time.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple, cast

from ingestion.formats import kinds
from ingestion.formats.header import normalise
from ingestion.formats.text import detect_encoding
from quality.simplified import simplified

__all__ = [
    "FORMAT_OF",
    "Header",
    "clean_header",
    "column_names",
    "detect_delimiter",
    "detect_encoding",
    "detect_kind",
    "find_header",
    "header_key",
    "is_value",
]

Kind = Literal[
    "empty", "csv", "xlsx", "xls", "json", "ndjson", "geojson", "topojson", "shapefile", "gpkg", "kml", "kmz", "gml",
    "xml", "html", "pdf", "dbf", "parquet", "zip", "gzip", "tar", "sqlite", "7z", "rar", "bzip2", "xz", "zstd",
    "excel-xml", "ods", "document", "shp", "binary",
]  # fmt: skip

FORMAT_OF: dict[str, str] = {
    "csv": "csv", "xlsx": "excel", "xls": "excel", "excel-xml": "excel", "html": "excel", "json": "json",
    "ndjson": "ndjson", "xml": "xml",
    "dbf": "dbf", "parquet": "parquet", "geojson": "vector", "topojson": "vector", "shapefile": "vector",
    "gpkg": "vector", "kml": "vector",
    "kmz": "vector", "gml": "vector",
}  # fmt: skip
"""Kind to ``Format.type`` of a contract; a kind not named here has no reader, or is an archive of such."""

DELIMITERS = (",", "\t", ";", "|")
_NAMED: dict[str, Kind] = {"shapefile-zip": "shapefile", "geopackage": "gpkg", "shapefile": "shp", "text": "csv"}
_JSON_START = re.compile(r'\s*(?:\{\s*(?:"|\})|\[\s*(?:[{\[\]"]|null\b))')

HEADER_WORD = re.compile(
    r"(名称|姓名|名|编号|编码|代码|号码|序号|主键|文号|号|日期|时间|年份|年度|月份|年|月|地址|地点|位置|住址|地区|区域|辖区|"
    r"区县|所在区|街道|社区|村|性别|民族|类型|类别|种类|分类|等级|级别|性质|行业|状态|情况|结果|内容|事实|依据|原因|事由|"
    r"金额|价格|费用|税种|资金|资本|数量|数|人数|面积|比例|比率|率|单位|部门|机构|机关|企业|公司|负责人|法人|代表|代表人|"
    r"联系人|电话|手机|邮箱|备注|说明|描述|标题|主题|详情|意见|范围|来源|经度|纬度|经纬度|坐标|是否.*|指标|值|板块|属性|"
    r"\[[^\]]*\]|\([^)]*\)|[a-z][a-z0-9_]*id|code|name|date|time|year|type|value|address|no|lng|lon|lat|title|status|count|"
    r"label|level|source|unit)$",
    re.IGNORECASE,
)
"""Ends of the words that head columns in the files seen; matched against ``header_key``."""

UNNAMED = re.compile(r"^(unnamed:\s*\d+(_level_\d+)?|field_?\d+|column_?\d+|列\d+|f\d+)$", re.IGNORECASE)
_VALUE = re.compile(
    r"^(?:[-+]?[\d,]*\.?\d+(?:[eE][-+]?\d+)?%?|\d{4}[-/.年]\d{1,2}(?:[-/.月]\d{1,2}日?)?(?:[ T].*)?|"
    r"\d{1,2}[-/.]\d{1,2}[-/.]\d{4}(?:[ T].*)?|[0-9A-Za-z*]{15,}|[0-9a-f]{8}-[0-9a-f-]{27,})$"
)
_YEAR_CELL = re.compile(r"^(?:19|20)\d{2}$")
_NOT_NAME = re.compile(r"[。；！？]|^\s*(?:规则|说明|注|填报|单位名称|填表|数据来源|制表|截至|统计)[^,]{0,8}[:：]")


_DEEPEST_ALONE = 3
"""A single column is headed within its first rows: further down, any short line looks like a heading."""
BLANKS = frozenset({"", "/", "\\", "-", "--", "—", "——"})
"""Cells that fill a place without saying anything; departments pad unused columns with them."""
_SNAKE = re.compile(r"^[a-z]+[0-9]*(?:_[a-z0-9]+)+$")


@lru_cache(maxsize=4096)
def header_key(name: object) -> str:
    """What a column name says, for comparisons of meaning; which column it is, `normalise` tells."""
    return simplified(normalise(name))


def is_value(cell: str) -> bool:
    """Whether a cell is a number, date or identifier, which no column is called."""
    return _VALUE.match(cell) is not None


class Header(NamedTuple):
    """Where the column names are.

    Attributes:
        row: 1-based row of the header, 0 when there is none (all rows are data).
        names: cleaned, unique names (see ``column_names``); empty when ``row`` is 0.
    """

    row: int
    names: tuple[str, ...]


def clean_header(cell: object) -> str:
    """A header cell for people and contracts: line breaks and runs of blanks become one space."""
    text = "" if cell is None else str(cell)
    return re.sub(r"\s+", " ", text.replace("\ufeff", "").replace("\u3000", " ")).strip()


def detect_kind(path: Path) -> Kind:
    """What ``path`` is by content: archives are looked into, names are not.

    Goes further than ``formats.kinds`` where a person has to be told: whether a line that starts with a
    bracket is JSON at all, and whether text is text.

    Raises:
        InputError: an archive or workbook that is cut short.
    """
    kind = kinds.detect_kind(path)
    if kind in ("text", "json"):
        encoding = detect_encoding(path)
        with path.open("rb") as f:
            head = f.read(kinds.HEAD_BYTES)
        if kind == "text":
            return "binary" if _is_binary(head) and not encoding.startswith(("utf-16", "utf-32")) else "csv"
        if not _JSON_START.match(head.decode(encoding, errors="replace").lstrip("\ufeff \t\r\n")):
            return "csv"
    return _NAMED.get(kind) or cast(Kind, kind)


def _is_binary(head: bytes) -> bool:
    control = sum(1 for b in head if b < 9 or 13 < b < 32)
    return control > 0.05 * len(head) and b"\x00" in head


def detect_delimiter(text: str) -> str:
    """The delimiter whose count per record is largest and steadiest in the first records."""
    best, best_score = ",", 0.0
    for mark in DELIMITERS:
        widths = [len(r) for r in _records(text, mark, 60) if r]
        if not widths:
            continue
        width, hits = Counter(widths).most_common(1)[0]
        score = (hits / len(widths)) ** 3 * min(width - 1, 20) if width > 1 else 0.0
        if score > best_score * 1.05:
            best, best_score = mark, score
    return " " if not best_score and _spaced(text) else best


_MOMENT = re.compile(r"\d{1,2}:\d{2}(:\d{2})?$")


def _spaced(text: str) -> bool:
    """Whether every line is the same number of words with one space between, and not a day with its time."""
    lines = [line.rstrip("\r") for line in text.split("\n")[:-1] if line.strip()][:500]
    words = Counter(len(line.split(" ")) for line in lines)
    if len(lines) < 20 or not words:
        return False
    count, hits = words.most_common(1)[0]
    moments = sum(bool(_MOMENT.match(line.split(" ")[-1])) for line in lines)
    return count > 1 and hits >= 0.98 * len(lines) and moments < 0.5 * len(lines)


def _records(text: str, delimiter: str, limit: int) -> list[list[str]]:
    out: list[list[str]] = []
    try:
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            out.append(record)
            if len(out) >= limit:
                break
    except csv.Error:  # a lone quote swallowed the rest: what was read before it is enough to judge by
        return out
    return out


def find_header(rows: Iterable[Sequence[object]], *, look: int = 30) -> Header:
    """The row among the first that looks like column names above values.

    Without a contract to compare with, names are told by being short, distinct, unlike values, ended by the
    words that end headers, and by the cells below being of another nature.

    Args:
        rows: records as lists of cells, from the top of the file; title, seal and blank rows included.
        look: how many rows are looked at.

    Returns:
        ``row`` 0 when nothing looks like a header.
    """
    top = [[clean_header(c) for c in row] for _, row in zip(range(look), rows, strict=False)]
    body = _body_width(top)
    deepest = _DEEPEST_ALONE if body <= 1 else len(top)
    whole = [body > 1 and _is_whole(row, body) for row in top]
    likely = [i for i in range(min(len(top), deepest)) if sum(whole[:i]) < 2]
    scored = [(_header_score(top, i, body), -i) for i in likely]
    if not scored or max(scored)[0] < 1.0:
        return Header(0, ())
    row = -max(scored)[1]
    return Header(row + 1, column_names(top[row]))


def _is_whole(row: Sequence[str], body: int) -> bool:
    """Whether a row fills its columns as a record does; above a header there are titles, which do not."""
    return len({c for c in row if c not in BLANKS and not UNNAMED.match(c)}) >= max(2, 0.8 * body)


def column_names(cells: Sequence[object]) -> tuple[str, ...]:
    """The cells of a header row as unique column names.

    Unnamed columns at the end are cut (252 to 16,304 of them were seen); inside, an unnamed one
    becomes ``列<position>`` and a repeated name gets ``#2``, ``#3`` …, as the readers name them.
    """
    names = [clean_header(c) for c in cells]
    names = ["" if n in BLANKS or UNNAMED.match(n) else n for n in names]
    while names and not names[-1]:
        names.pop()
    out: list[str] = []
    taken: set[str] = set()
    for position, name in enumerate(names, start=1):
        name = name or f"列{position}"
        unique, n = name, 1
        while normalise(unique) in taken:
            n += 1
            unique = f"{name}#{n}"
        taken.add(normalise(unique))
        out.append(unique)
    return tuple(out)


def _body_width(top: list[list[str]]) -> int:
    """How many cells a record usually fills; the widest of the common counts."""
    counts = Counter(n for row in top if (n := sum(c not in BLANKS for c in row)))
    if not counts:
        return 0
    most = max(counts.values())
    return max(n for n, hits in counts.items() if hits >= max(1, most // 2))


def _header_score(top: list[list[str]], at: int, body: int) -> float:
    """How much row ``at`` looks like column names above values; 1 and more is a header."""
    cells = [c for c in top[at] if c not in BLANKS]
    named = [c for c in cells if not UNNAMED.match(c)]
    if not named or (len(named) == 1 and body > 1):
        return 0.0
    if body <= 1 and _ends_alike(named[0], top[at + 1 :]):
        return 0.0
    below = top[at + 1 : at + 12]
    years = _years_beside_names(top[at], below, body)
    names = [c for c in named if c in years or (not _VALUE.match(c) and not _NOT_NAME.search(c) and len(c) <= 60)]
    clean = len(names) / len(cells)
    if clean < 0.6 or len(named) < 0.5 * body:
        return 0.0
    words = sum(bool(HEADER_WORD.search(header_key(c)) or _SNAKE.match(c)) for c in names) / len(names)
    distinct = len({normalise(c) for c in names}) / len(names)
    repeated = sum(any(i < len(r) and r[i] == c for r in below) for i, c in enumerate(top[at]) if c not in BLANKS)
    score = clean * 0.4 + words * 1.2 + distinct * 0.3 + _contrast(top[at], below, years) * 1.5 - 0.05 * at
    return score - 1.5 * repeated / len(cells)


def _ends_alike(name: str, below: Sequence[Sequence[str]]) -> bool:
    """Whether a lone cell ends as most cells below do (公司, 学校 …): it is one of them, not their heading."""
    found = HEADER_WORD.search(normalise(name))
    cells = [normalise(c) for row in below for c in row if c not in BLANKS]
    return found is not None and sum(c.endswith(found.group(1).lower()) for c in cells) * 2 > len(cells)


def _years_beside_names(row: list[str], below: list[list[str]], body: int) -> frozenset[str]:
    """Years that run through a full row beside names, above other values: as headings they are names."""
    cells = [c for c in row if c not in BLANKS]
    years = [c for c in cells if _YEAR_CELL.match(c)]
    runs = len(years) >= 3 and years in (sorted(set(years)), sorted(set(years), reverse=True))
    if not runs or len(cells) < body or all(_VALUE.match(c) for c in cells):
        return frozenset()
    under = [r[i] for r in below for i, c in enumerate(row) if c in years and i < len(r) and r[i] not in BLANKS]
    return frozenset() if sum(bool(_YEAR_CELL.match(c)) for c in under) * 2 > len(under) else frozenset(years)


def _contrast(header: list[str], below: list[list[str]], years: frozenset[str]) -> float:
    """Share of columns whose cells below are values (numbers, dates, ids) though the header is not.

    A column whose cells below are of one shape that the header has not counts half.
    """
    seen, hits = 0, 0.0
    for i, name in enumerate(header):
        values = [row[i] for row in below if i < len(row) and row[i]]
        if not name or not values:
            continue
        seen += 1
        valued = sum(bool(_VALUE.match(v)) for v in values) / len(values)
        if valued > 0.5:
            hits += name in years or not _VALUE.match(name)
        elif len(values) > 2 and len(header) > 1:
            shape, same = Counter(map(_shape, values)).most_common(1)[0]
            hits += 0.5 * (same >= 0.8 * len(values) and _shape(name) != shape)
    return hits / seen if seen else 0.0


def _shape(cell: str) -> str:
    """The outline of a cell: ``京A-12`` is ``字A-9``; runs count once."""
    text = re.sub(r"[0-9]+", "9", cell)
    return re.sub(r"[a-z]+", "a", re.sub(r"[A-Z]+", "A", re.sub(r"[一-鿿]+", "字", text)))

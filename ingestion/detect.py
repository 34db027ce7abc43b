"""What a delivered file is, found from its bytes: kind, encoding, delimiter, header row.

A file's name and extension are never believed: one in twelve ``.csv`` files of the city's open
data portal is a workbook, half of the rest are GB18030, and headers stand below title and seal
lines. Everything here is cheap, reads no more than it must and decides the same way each time.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal[
    "empty", "csv", "xlsx", "xls", "json", "ndjson", "geojson", "shapefile", "gpkg", "kml", "gml",
    "xml", "html", "dbf", "parquet", "sqlite", "zip", "gzip", "tar", "binary",
]  # fmt: skip

FORMAT_OF: dict[str, str] = {
    "csv": "csv", "xlsx": "excel", "xls": "excel", "json": "json", "ndjson": "ndjson",
    "geojson": "vector", "shapefile": "vector", "gpkg": "vector", "kml": "vector", "gml": "vector",
}  # fmt: skip
"""Kind to ``Format.type`` of a contract; a kind not named here has no reader."""

DELIMITERS = (",", "\t", ";", "|")
_HEAD = 1 << 16
_GEOJSON_TYPES = "FeatureCollection|Feature|GeometryCollection|(?:Multi)?(?:Polygon|Point|LineString)"
_GEOJSON = re.compile(rf'"type"\s*:\s*"(?:{_GEOJSON_TYPES})"')
_JSON_START = re.compile(r'\s*(?:\{\s*(?:"|\})|\[\s*[{\[\]"])')

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
_NOT_NAME = re.compile(r"[。；！？]|^\s*(?:规则|说明|注|填报|单位名称|填表|数据来源|制表|截至|统计)[^,]{0,8}[:：]")


BLANKS = frozenset({"", "/", "\\", "-", "--", "—", "——"})
"""Cells that fill a place without saying anything; departments pad unused columns with them."""
_SNAKE = re.compile(r"^[a-z]+[0-9]*(?:_[a-z0-9]+)+$")


class Header(NamedTuple):
    """Where the column names are.

    Attributes:
        row: 1-based row of the header, 0 when there is none (all rows are data).
        names: cleaned, unique names (see ``column_names``); empty when ``row`` is 0.
        matched: how many of the expected names it carries (0 without expectation).
    """

    row: int
    names: tuple[str, ...]
    matched: int = 0


def clean_header(cell: object) -> str:
    """A header cell for people and contracts: line breaks and runs of blanks become one space."""
    text = "" if cell is None else str(cell)
    return re.sub(r"\s+", " ", text.replace("\ufeff", "").replace("\u3000", " ")).strip()


def header_key(cell: object) -> str:
    """A header cell for comparing: NFKC (full-width brackets, digits), no blanks, lower case."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", clean_header(cell))).casefold()


def detect_kind(path: Path) -> Kind:
    """What ``path`` is by content: archives are looked into, names are not."""
    with path.open("rb") as f:
        head = f.read(_HEAD)
    if not head.strip(b"\x00 \t\r\n\xef\xbb\xbf"):
        return "empty"
    binary = _binary_kind(path, head)
    if binary:
        return binary
    text = head.decode(detect_encoding(path, limit=_HEAD), errors="replace").lstrip("\ufeff \t\r\n")
    if text.startswith("<"):
        return _markup_kind(text)
    if _JSON_START.match(text):
        return _json_kind(path, text)
    if _control_share(head) > 0.05 and b"\x00" in head and not _utf16(head):
        return "binary"
    return "csv"


def _binary_kind(path: Path, head: bytes) -> Kind | None:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_kind(path)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return "xls"
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"SQLite format 3\x00"):
        return "gpkg" if head[68:72] in (b"GPKG", b"GP10", b"GP11") else "sqlite"
    if head[257:262] == b"ustar":
        return "tar"
    if len(head) > 32 and head[0] in (0x03, 0x30, 0x83, 0x8B, 0xF5) and 1 <= head[2] <= 12 and 1 <= head[3] <= 31:
        header_size = int.from_bytes(head[8:10], "little")
        if header_size >= 65 and (header_size - 1) % 32 in (0, 7, 8):
            return "dbf"
    return None


def _zip_kind(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n.lower() for n in archive.namelist()]
    except zipfile.BadZipFile:
        return "zip"
    if "[content_types].xml" in names and any(n.startswith("xl/") for n in names):
        return "xlsx"
    return "shapefile" if any(n.endswith(".shp") for n in names) else "zip"


def _markup_kind(text: str) -> Kind:
    start = text[:4096].lower()
    if "<kml" in start:
        return "kml"
    if re.search(r"<!doctype html|<html|<table|<head|<body", start):
        return "html"
    return "gml" if "opengis.net/gml" in start or "opengis.net/wfs" in start else "xml"


def _json_kind(path: Path, text: str) -> Kind:
    lines = [line for line in text.split("\n", 3)[:3] if line.strip()]
    if len(lines) > 1 and _is_json(lines[0]) and lines[1].lstrip().startswith(("{", "[")):
        return "ndjson"
    if text.startswith("{") and _GEOJSON.search(text[:_HEAD]):
        return "geojson"
    if text.startswith("{") and path.stat().st_size <= 64 << 20:
        with path.open("rb") as f:
            f.seek(max(0, path.stat().st_size - 4096))
            tail = f.read().decode("utf-8", errors="replace")
        if '"features"' in text and _GEOJSON.search(tail):
            return "geojson"
    return "json"


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except json.JSONDecodeError:
        return False
    return True


def _control_share(head: bytes) -> float:
    return sum(1 for b in head if b < 9 or 13 < b < 32) / len(head)


def _utf16(head: bytes) -> str | None:
    """UTF-16 without a BOM: one byte of each pair is nearly always zero in ASCII-rich text."""
    if len(head) < 8:
        return None
    even, odd = head[0::2].count(0) / (len(head) / 2), head[1::2].count(0) / (len(head) / 2)
    if odd > 0.2 and even < 0.02:
        return "utf-16-le"
    return "utf-16-be" if even > 0.2 and odd < 0.02 else None


def detect_encoding(path: Path, limit: int | None = None) -> str:
    """The Python codec of a text file: ``utf-8``, ``utf-8-sig``, ``gb18030`` or ``utf-16…``.

    UTF-8 is proven over the whole file (or the first ``limit`` bytes): GB18030 text is never
    valid UTF-8 for long. When neither decodes, the one with fewer faults wins; a character cut
    by a truncated file is no fault. ASCII is UTF-8.
    """
    with path.open("rb") as f:
        head = f.read(4096)
        for bom, name in (
            (codecs.BOM_UTF8, "utf-8-sig"),
            (codecs.BOM_UTF32_LE, "utf-32"),
            (codecs.BOM_UTF16_LE, "utf-16"),
            (codecs.BOM_UTF16_BE, "utf-16"),
        ):
            if head.startswith(bom):
                return name
        wide = _utf16(head)
        if wide:
            return wide
        decoder = codecs.getincrementaldecoder("utf-8")()
        chunk, done = head, 0
        while chunk:
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                break
            done += len(chunk)
            if limit is not None and done >= limit:
                return "utf-8"
            chunk = f.read(1 << 20)
        else:
            return "utf-8"
        f.seek(max(0, done - 4))
        sample = f.read(min(limit or (4 << 20), 4 << 20))
    utf8, gb = (_faults(sample, codec) for codec in ("utf-8", "gb18030"))
    return "utf-8" if utf8 * 2 < gb else "gb18030"


def _faults(sample: bytes, codec: str) -> int:
    text = sample.decode(codec, errors="replace")
    faults = text.count("\ufffd")
    # gb18030 reads almost any bytes; what it makes of UTF-8 is full of private-use and rare characters
    odd = sum(1 for c in text if "\ue000" <= c <= "\uf8ff" or "\u0080" <= c <= "\u009f")
    return faults + odd


def detect_delimiter(text: str) -> str:
    """The delimiter whose count per record is largest and steadiest in the first records."""
    best, best_score = ",", 0.0
    for mark in DELIMITERS:
        widths = [len(r) for r in _records(text, mark, 60) if r]
        if not widths:
            continue
        width, hits = Counter(widths).most_common(1)[0]
        score = hits / len(widths) * min(width - 1, 20) if width > 1 else 0.0
        if score > best_score * 1.05:
            best, best_score = mark, score
    return best


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


def find_header(rows: Iterable[Sequence[object]], expected: Iterable[str] | None = None, *, look: int = 30) -> Header:
    """The header row among the first rows of a table.

    Args:
        rows: records as lists of cells, from the top of the file; title, seal and blank rows included.
        expected: source columns of a contract. The first row that carries most of them wins.
        look: how many rows are looked at.

    Returns:
        ``row`` 0 when nothing looks like a header, or when no expected column is found.
    """
    top = [[clean_header(c) for c in row] for _, row in zip(range(look), rows, strict=False)]
    if expected is not None:
        return _expected_header(top, {header_key(e) for e in expected})
    body = _body_width(top)
    scored = [(_header_score(top, i, body), -i) for i in range(len(top))]
    if not scored or max(scored)[0] < 1.0:
        return Header(0, ())
    row = -max(scored)[1]
    return Header(row + 1, column_names(top[row]))


def _expected_header(top: list[list[str]], wanted: set[str]) -> Header:
    hits = [len({header_key(c) for c in row} & wanted) for row in top]
    if not hits or not max(hits):
        return Header(0, ())
    row = hits.index(max(hits))
    return Header(row + 1, column_names(top[row]), max(hits))


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
        while header_key(unique) in taken:
            n += 1
            unique = f"{name}#{n}"
        taken.add(header_key(unique))
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
    names = [c for c in named if not _VALUE.match(c) and not _NOT_NAME.search(c) and len(c) <= 60]
    clean = len(names) / len(cells)
    if clean < 0.6 or len(named) < 0.5 * body:
        return 0.0
    words = sum(bool(HEADER_WORD.search(header_key(c)) or _SNAKE.match(c)) for c in names) / len(names)
    distinct = len({header_key(c) for c in names}) / len(names)
    below = top[at + 1 : at + 12]
    repeated = sum(any(i < len(r) and r[i] == c for r in below) for i, c in enumerate(top[at]) if c not in BLANKS)
    score = clean * 0.4 + words * 1.2 + distinct * 0.3 + _contrast(top[at], below) * 1.5 - 0.05 * at
    return score - 1.5 * repeated / len(cells)


def _contrast(header: list[str], below: list[list[str]]) -> float:
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
            hits += not _VALUE.match(name)
        elif len(values) > 2 and len(header) > 1:
            shape, same = Counter(map(_shape, values)).most_common(1)[0]
            hits += 0.5 * (same >= 0.8 * len(values) and _shape(name) != shape)
    return hits / seen if seen else 0.0


def _shape(cell: str) -> str:
    """The outline of a cell: ``京A-12`` is ``字A-9``; runs count once."""
    text = re.sub(r"[0-9]+", "9", cell)
    return re.sub(r"[a-z]+", "a", re.sub(r"[A-Z]+", "A", re.sub(r"[一-鿿]+", "字", text)))

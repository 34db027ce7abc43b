"""Reads the first records of a sample as text, whatever it is written in."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from catalog.errors import InputError
from catalog.model import Format
from ingestion.detect import BLANKS, Header, detect_delimiter, detect_encoding, find_header
from ingestion.formats import vector
from ingestion.formats.excel import open_sheet, text
from ingestion.formats.header import Wanted

FOOTER = re.compile(
    r"^(合计|总计|小计|共计|注[:：\s]|注\d*$|备注[:：]|数据来源|资料来源|来源[:：]|填表|制表|填报|审核|单位负责人|"
    r"说明[:：]|统计[:：人]|联系人[:：])"
)
_TOTALS = ("合计", "总计", "小计", "共计")
_FOOTER_LOOK = 12


class Raw(NamedTuple):
    """Records of a sample as text.

    Attributes:
        names: source columns; ``列<n>`` when the file has no header.
        records: data records cut or filled to the width of ``names``; ragged ones are left out.
        ragged: the records with more cells than columns, as found.
    """

    names: tuple[str, ...]
    records: list[list[str]]
    rows: int
    complete: bool
    header_row: int = 0
    blank_rows: int = 0
    ragged: tuple[list[str], ...] = ()
    short: int = 0
    junk_columns: int = 0
    footer: str | None = None
    footer_rows: int = 0
    encoding: str = ""
    delimiter: str = ""
    sheet: int = 0
    records_path: str = ""
    crs: str = ""
    geometry: bool = False


def read_raw(path: Path, kind: str, max_rows: int) -> Raw:
    """The records of ``path`` up to ``max_rows``.

    Raises:
        InputError: the kind has no reader, or the file is broken.
    """
    if kind == "csv":
        return _csv(path, max_rows)
    if kind in ("xlsx", "xls"):
        return _excel(path, max_rows)
    if kind in ("json", "ndjson"):
        return _json(path, kind, max_rows)
    if kind in ("geojson", "shapefile", "gpkg", "kml", "gml"):
        return _vector(path, max_rows)
    hints = {
        "empty": "the file holds nothing: ask for it again",
        "pdf": "ask the department for the table itself, not its print",
        "zip": "unpack the archive and sniff one of its files",
        "gzip": "unpack the file first",
        "html": "the download was a web page, not data: ask for the file itself",
    }
    raise InputError(f"a {kind} file has no reader", hint=hints.get(kind, "save it as CSV or XLSX"), file=path.name)


def _csv(path: Path, max_rows: int) -> Raw:
    encoding = detect_encoding(path)
    csv.field_size_limit(1 << 27)
    with path.open(encoding=encoding, errors="replace", newline="") as f:
        delimiter = detect_delimiter(f.read(1 << 18))
    with path.open(encoding=encoding, errors="replace", newline="") as f:
        rows, complete = _take(csv.reader(f, delimiter=delimiter), max_rows + 40)
    return _table(rows, complete, max_rows)._replace(encoding=encoding, delimiter=delimiter)


def _take(rows: Iterator[list[str]], limit: int) -> tuple[list[list[str]], bool]:
    out: list[list[str]] = []
    for row in rows:
        if len(out) == limit:
            return out, False
        out.append(row)
    return out, True


def _excel(path: Path, max_rows: int) -> Raw:
    """The first sheet that holds something, opened with the loader's own checks against bombs."""
    for index in range(50):
        try:
            sheet = open_sheet(path, Format(type="excel", sheet=index))
        except InputError as e:
            if index == 0:
                raise
            raise InputError("the workbook has no filled sheet", hint="ask for the file again", file=path.name) from e
        cells = sheet.to_python(skip_empty_area=False, nrows=max_rows + 40)
        if any(c not in ("", None) for row in cells for c in row):
            break
    rows = [[text(c) or "" for c in row] for row in cells]
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or []:
        if left == right and top < len(rows) and left < len(rows[top]):
            for r in range(top + 1, min(bottom + 1, len(rows))):
                rows[r][left] = rows[top][left]
    return _table(rows, len(rows) < max_rows + 40, max_rows)._replace(sheet=index)


def _table(rows: list[list[str]], complete: bool, max_rows: int) -> Raw:
    """Finds header and footer of rows from a grid file and squares the records between."""
    header = find_header(rows)
    body = rows[header.row :]
    filled = [row for row in body if any(c.strip() for c in row)]
    if not filled and not header.row:
        raise InputError("the file has no records", hint="ask for the file again")
    footer, feet = _footer(filled) if complete else (None, 0)
    data = filled[: len(filled) - feet]
    data, complete = data[:max_rows], complete and len(data) <= max_rows
    names = _widen(header, data)
    width = len(names)
    squared, ragged, short = [], [], 0
    for row in data:
        core = row
        while len(core) > width and core[-1].strip() in BLANKS:
            core = core[:-1]
        if len(core) > width:
            ragged.append(core)
            continue
        short += len(core) < width
        squared.append(core + [""] * (width - len(core)))
    widest = max((len(r) for r in rows), default=0)
    return Raw(
        names=names,
        records=squared,
        rows=len(data),
        complete=complete,
        header_row=header.row,
        blank_rows=len(body) - len(filled),
        ragged=tuple(ragged),
        short=short,
        junk_columns=max(0, max(len(rows[header.row - 1]) if header.row else widest, width) - width),
        footer=footer,
        footer_rows=feet,
    )


def _widen(header: Header, data: list[list[str]]) -> tuple[str, ...]:
    """Header names, plus ``列<n>`` for unnamed columns that most records fill."""
    ends = Counter(max((i for i, c in enumerate(r, 1) if c.strip() not in BLANKS), default=0) for r in data)
    width = len(header.names)
    usual = max((w for w, hits in ends.items() if hits * 2 > len(data)), default=width)
    if not header.row:
        usual = max((w for w, hits in ends.items() if hits * 20 > len(data)), default=max(ends, default=1))
    return header.names + tuple(f"列{n}" for n in range(width + 1, usual + 1))


def _footer(data: list[list[str]]) -> tuple[str | None, int]:
    """The regular expression of the rows at the end that are no records, and their number."""
    words: list[str] = []
    feet = 0
    for back, row in enumerate(reversed(data[-_FOOTER_LOOK:]), start=1):
        first = next((c.strip() for c in row if c.strip()), "")
        found = FOOTER.match(first)
        sparse = sum(bool(c.strip()) for c in row) <= max(1, len(row) // 2)
        if found and (len(row) > 1 or back == 1) and (sparse or found.group(1) in _TOTALS):
            feet = back
            words.append(re.sub(r"[:：\s]$", "", found.group(1)))
    if feet and any(len(r) > 1 for r in data):
        return f"^({'|'.join(dict.fromkeys(re.escape(w) for w in reversed(words)))})", feet
    return None, 0


def _json(path: Path, kind: str, max_rows: int) -> Raw:
    encoding = detect_encoding(path)
    records_path, complete = "", True
    try:
        if kind == "ndjson":
            with path.open(encoding=encoding, errors="replace") as f:
                lines = [line for _, line in zip(range(max_rows + 1), f, strict=False) if line.strip()]
            complete = len(lines) <= max_rows
            found: list[Any] = [json.loads(line) for line in lines[:max_rows]]
        else:
            records_path, found = _records(json.loads(path.read_text(encoding=encoding)))
    except json.JSONDecodeError as e:
        raise InputError(f"not JSON: {e.msg}", hint="ask for the file again", file=path.name, line=e.lineno) from e
    records = [r for r in found if isinstance(r, dict)]
    if not records:
        raise InputError("no list of records in this JSON", hint="save the records as CSV", file=path.name)
    names = tuple(dict.fromkeys(k for r in records for k in r))
    rows = [[_json_text(r.get(n)) for n in names] for r in records[:max_rows]]
    complete = complete and len(records) <= max_rows
    return Raw(names, rows, len(rows), complete, encoding=encoding, records_path=records_path)


def _records(document: Any, at: str = "") -> tuple[str, list[Any]]:
    """Dotted path and content of the longest list of objects in a document."""
    if isinstance(document, list):
        return at, document if any(isinstance(r, dict) for r in document) else []
    best: tuple[str, list[Any]] = (at, [])
    for key, value in document.items() if isinstance(document, dict) else ():
        if isinstance(value, dict | list):
            found = _records(value, f"{at}.{key}" if at else key)
            best = found if len(found[1]) > len(best[1]) else best
    return best


def _json_text(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return text(value) or ""


def _vector(path: Path, max_rows: int) -> Raw:
    """The attributes of a map's features, read by the very reader that will load it."""
    wanted = Wanted({}, {}, frozenset(), None, frozenset(), frozenset(), {})
    stated = True
    try:
        opened = vector.read(path, Format(type="vector"), wanted)
    except InputError as e:
        if "coordinate system" not in e.message:
            raise
        stated = False
        opened = vector.read(path, Format(type="vector", crs="EPSG:4490"), wanted)
    rows: list[list[str]] = []
    total = 0
    for batch in opened.batches:
        total += batch.num_rows
        columns = [batch.column(i + 1).to_pylist() for i in range(len(opened.columns) - 1)]
        rows += [[str(v or "") for v in row] for row in zip(*columns, strict=True)][: max_rows - len(rows)]
    return Raw(
        opened.columns[:-1],
        rows,
        total,
        total <= max_rows,
        encoding=opened.about.get("encoding") or "",
        crs=str(opened.about["crs"]) if stated else "",
        geometry=bool(opened.about.get("geometry_type")),
    )

"""Reads the first records of a grid - delimited text, a workbook - as text: where its header and its footer are."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from catalog.errors import InputError
from catalog.model import Format
from ingestion.detect import (
    BLANKS,
    Header,
    column_names,
    detect_delimiter,
    detect_encoding,
    find_header,
    is_value,
)
from ingestion.formats.excel import Book, text
from ingestion.formats.header import join_header

FOOTER = re.compile(
    r"^(合\s*计|总\s*计|小\s*计|共\s*计|注[:：\s]|注\d*$|备注[:：]|数据来源|资料来源|来源[:：]|填表|制表|填报|审核|单位负责人|"
    r"说明[:：]|统计[:：人]|联系人[:：])"
)
_ALONE = re.compile(
    r"^(?:(?:合计|总计|小计|共计)\s*[:：\d共]|(?:注|备注|说明|数据来源|资料来源|来源|填表人?|制表人?|填报人|填报单位|填报日期|审核人?|单位负责人|"
    r"统计人?|统计时间|联系人)\s*[:：])"
)
"""A footer that stands in the only column, where a value may begin with any word."""
_TOTAL = re.compile(r"^[合总小共]\s*计")
_INNER_TOTAL = re.compile(r"^[合总小共]\s*计\s*[:：]?$")
"""A sum between the records: the cell says nothing else."""
_FOOTER_LOOK = 12
NO_DELIMITER = "\x1f"
"""Stands in no text: a line that holds it nowhere is one cell."""
SHEET_COLUMN = "工作表"
"""Column made of the sheet a record stands in, where sheets that are taken together have names of their own."""
_NO_NAME = re.compile(r"(?i)(sheet|工作表)\s*\d+")


class Raw(NamedTuple):
    """Records of a sample as text.

    Attributes:
        names: source columns; ``列<n>`` when the file has no header.
        records: data records cut or filled to the width of ``names``; ragged ones are left out.
        ragged: the records with more cells than columns, as found.
        cells: how many nearly every record has where the columns are more, or fewer and the rest empty; else 0.
        kind: what the members of an archive are.
        format: the contract's format type, where it is not that of the kind.
        options: what the contract's format needs besides.
        notes: what a person should know, in Chinese.
    """

    names: tuple[str, ...]
    records: list[list[str]]
    rows: int
    complete: bool
    header_row: int = 0
    blank_rows: int = 0
    ragged: tuple[list[str], ...] = ()
    short: int = 0
    cells: int = 0
    junk_columns: int = 0
    footer: str | None = None
    footer_rows: int = 0
    encoding: str = ""
    delimiter: str = ""
    sheet: int | str = 0
    records_path: str = ""
    crs: str = ""
    geometry: bool = False
    kind: str = ""
    format: str = ""
    options: Mapping[str, Any] = {}
    notes: tuple[str, ...] = ()


def read_csv(path: Path, max_rows: int) -> Raw:
    encoding = detect_encoding(path)
    csv.field_size_limit(1 << 27)
    with path.open(encoding=encoding, errors="replace", newline="") as f:
        delimiter = detect_delimiter(f.read(1 << 18))
    with path.open(encoding=encoding, errors="replace", newline="") as f:
        rows, complete = _take(csv.reader(f, delimiter=delimiter), max_rows + 40)
    raw = table_of(rows, complete, max_rows)._replace(encoding=encoding, delimiter=delimiter)
    if raw.header_row and raw.cells:
        much = raw.cells - len(raw.names)
        note = f"几乎每行末尾比表头{'多' if much > 0 else '少'} {abs(much)} 个空单元格"
        raw = raw._replace(short=0, options={**raw.options, "record_cells": raw.cells}, notes=(*raw.notes, note))
    if raw.header_row or (len(raw.ragged) + raw.short) * 2 <= raw.rows:
        return raw
    # running text that happens to hold the delimiter: every line is one cell
    with path.open(encoding=encoding, errors="replace", newline="") as f:
        lines = [[line] for line in f.read().splitlines()[: max_rows + 40]]
    filled = [line for line in lines if line[0].strip()]
    return Raw(
        ("列1",), filled[:max_rows], len(filled), complete, blank_rows=len(lines) - len(filled), encoding=encoding,
        delimiter=NO_DELIMITER, notes=("这是文字，不是表格：每行作为一个值",),
    )  # fmt: skip


def _take(rows: Iterator[list[str]], limit: int) -> tuple[list[list[str]], bool]:
    out: list[list[str]] = []
    for row in rows:
        if len(out) == limit:
            return out, False
        out.append(row)
    return out, True


def read_workbook(path: Path, max_rows: int) -> Raw:
    """The first filled sheet that is shown, of a web page the longest table, with those of the same columns.

    A sheet without a heading is passed over for a longer one with: it is a cover. The workbook is opened with the
    loader's checks.

    Raises:
        InputError: no sheet holds anything, or the workbook is broken.
    """
    book = Book(path, Format(type="excel", sheets="all"))
    names, _ = book.several()
    raws = [_sheet(book, name, max_rows)._replace(sheet=name) for name in names]
    first = max(raws, key=lambda r: r.rows) if book.kind == "html" else _past_cover(raws)
    alike = [r for r in raws if r.names == first.names and r.header_row]
    others = [str(r.sheet) for r in raws if (r not in alike if alike else r is not first)]
    notes = (f"另有工作表 {'、'.join(others)}，列不同，未取",) if others else ()
    if len(alike) < 2:
        at = book.names.index(str(first.sheet))
        return first._replace(sheet=at, notes=(*first.notes, *notes))
    columns, options = first.names, first.options
    told = SHEET_COLUMN not in columns and any(not _NO_NAME.fullmatch(str(r.sheet)) for r in alike)
    if told:  # the year or the street of a sheet stands nowhere but in its name
        columns, options = (*columns, SHEET_COLUMN), {**options, "part_column": SHEET_COLUMN}
    rows = [[*record, str(r.sheet)] if told else record for r in alike for record in r.records][:max_rows]
    chosen: Any = "all" if not others else [r.sheet for r in alike]
    return first._replace(
        names=columns,
        records=rows,
        rows=sum(r.rows for r in alike),
        complete=all(r.complete for r in alike),
        footer=next((r.footer for r in alike if r.footer), None),
        footer_rows=sum(r.footer_rows for r in alike),
        blank_rows=sum(r.blank_rows for r in alike),
        ragged=tuple(row for r in alike for row in r.ragged),
        short=sum(r.short for r in alike),
        sheet=0,
        options={**options, "sheets": chosen},
        notes=(
            *first.notes,
            f"{len(alike)} 个工作表列相同，合为一批（{'、'.join(str(r.sheet) for r in alike)}）",
            *notes,
        ),
    )


def _past_cover(raws: Sequence[Raw]) -> Raw:
    if raws[0].header_row:
        return raws[0]
    return next((r for r in raws if r.header_row and len(r.names) > 1 and r.rows > raws[0].rows), raws[0])


def read_sheets(path: Path, max_rows: int) -> list[Raw]:
    """Every filled sheet, hidden ones too.

    Raises:
        InputError: the workbook is broken.
    """
    book = Book(path, Format(type="excel"))
    return [_sheet(book, n, max_rows) for n in book.names if book.sheet(n).start is not None]


def _sheet(book: Book, name: str, max_rows: int) -> Raw:
    sheet = book.sheet(name)
    rows = [[text(c) or "" for c in row] for row in sheet.to_python(skip_empty_area=False, nrows=max_rows + 40)]
    merges = [(t, le, b, r) for (t, le), (b, r) in sheet.merged_cell_ranges or []]
    complete = len(rows) < max_rows + 40
    found = find_header(rows)
    start, count = _merged_header(merges, found.row - 1, len(rows) - 1)
    for top, left, bottom, right in merges:
        if (left == right or top <= start + count - 1) and top < len(rows) and left < len(rows[top]):
            across = right if start <= top <= start + count - 1 and count > 1 else left
            for r in range(top, min(bottom + 1, len(rows))):
                for c in range(left, min(across + 1, len(rows[r]))):
                    rows[r][c] = rows[top][left]
    return table_of(rows, complete, max_rows, (start, count) if count > 1 else None)


def _merged_header(merges: Sequence[tuple[int, int, int, int]], header: int, last: int) -> tuple[int, int]:
    """First row and number of rows of a header: as many as its cells are merged downwards, 1 when they are not.

    Cells merged down to the ``last`` row are of the records: there would be none else.
    """
    tall = [(t, b) for t, _, b, _ in merges if t <= header <= b < last and 0 < b - t < 5]
    if not tall:
        return header, 1
    top = min(t for t, _ in tall)
    return top, max(b for _, b in tall) - top + 1


def table_of(rows: list[list[str]], complete: bool, max_rows: int, span: tuple[int, int] | None = None) -> Raw:
    """Finds header and footer of rows from a grid file and squares the records between.

    Args:
        span: first row (0-based) and number of rows of a header known to have several.
    """
    header = find_header(rows)
    span = span or _grouped_header(rows, header.row - 1)
    if span:
        joined = join_header(rows[span[0] : span[0] + span[1]], span[1], "_")[0]
        header = Header(span[0] + 1, column_names(joined))
    body = rows[header.row + (span[1] - 1 if span else 0) :]
    filled = [row for row in body if any(c.strip() for c in row)]
    if not filled and not header.row:
        raise InputError("the file has no records", hint="ask for the file again")
    filled = [row for row in filled if not header.row or not _again(row, rows[header.row - 1])]
    footer, feet = _footer(filled, _usual_width(header, filled)) if complete else (None, 0)
    data = filled[: len(filled) - feet]
    footer, data, inner = _without_totals(footer, data)
    data, complete = data[:max_rows], complete and len(data) <= max_rows
    names = _widen(header, data)
    width = len(names)
    squared, ragged, odd = [], [], Counter[int]()
    for row in data:
        core = row
        while len(core) > width and core[-1].strip() in BLANKS:
            core = core[:-1]
        if len(core) > width:
            ragged.append(core)
            continue
        odd[len(row)] += len(row) != width
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
        short=sum(hits for n, hits in odd.items() if n < width),
        cells=next((n for n, hits in odd.most_common(1) if hits >= max(3, 0.9 * len(data))), 0),
        junk_columns=max(0, max(len(rows[header.row - 1]) if header.row else widest, width) - width),
        footer=footer,
        footer_rows=feet + inner,
        options={"header_rows": span[1]} if span else {},
        notes=(f"表头有 {span[1]} 行，列名由上下两级以“_”连成",) if span else (),
    )


def _grouped_header(rows: list[list[str]], header: int) -> tuple[int, int] | None:
    """First row and number of rows of a header of groups over parts, None when it is a plain one."""
    for top in (header, header - 1):
        if top >= 0 and top + 2 < len(rows) and _is_group(rows[top], rows[top + 1], rows[top + 2]):
            return top, 2
    return None


def _is_group(top: Sequence[str], sub: Sequence[str], below: Sequence[str]) -> bool:
    """Whether ``sub`` names the parts of groups in ``top``: names under its gaps, gaps under its whole names."""
    width = max(len(top), len(sub))
    cells = [[(row[i].strip() if i < len(row) else "") for i in range(width)] for row in (top, sub, below)]
    named = [c for c in cells[1] if c]
    if len(named) < 2 or any(is_value(c) or len(c) > 30 for c in named):
        return False
    parts = sum(
        not t and bool(s) and i > 0 and bool(cells[1][i - 1]) for i, (t, s, _) in enumerate(zip(*cells, strict=True))
    )
    whole = sum(bool(t) and not s and bool(b) for t, s, b in zip(*cells, strict=True))
    return parts > 0 and whole > 0


def _usual_width(header: Header, rows: Sequence[Sequence[str]]) -> int:
    """Columns of a record: those of the header, else of most rows."""
    if header.row:
        return len(header.names)
    return Counter(len(r) for r in rows).most_common(1)[0][0]


def _widen(header: Header, data: list[list[str]]) -> tuple[str, ...]:
    """Header names, plus ``列<n>`` for unnamed columns that most records fill."""
    ends = Counter(max((i for i, c in enumerate(r, 1) if c.strip() not in BLANKS), default=0) for r in data)
    width = len(header.names)
    usual = max((w for w, hits in ends.items() if hits * 2 > len(data)), default=width)
    if not header.row:
        usual = max((w for w, hits in ends.items() if hits * 20 > len(data)), default=max(ends, default=1))
    return header.names + tuple(f"列{n}" for n in range(width + 1, usual + 1))


def _footer(data: list[list[str]], width: int) -> tuple[str | None, int]:
    """The regular expression of the rows at the end that are no records, and their number.

    Args:
        width: cells of a record; in a single column only the very last rows are asked, and more strictly.
    """
    found: list[str] = []
    feet = 0
    for back, row in enumerate(reversed(data[-_FOOTER_LOOK:]), start=1):
        first = next((c.strip() for c in row if c.strip()), "")
        if _is_foot(first, row, width):
            feet = back
            found.append(first)
        elif width <= 1:
            break
    if not feet or feet == len(data):
        return None, 0
    above = [next((c.strip() for c in row if c.strip()), "") for row in data[: len(data) - feet]]
    return f"^({'|'.join(dict.fromkeys(_told_by(first, above) for first in reversed(found)))})", feet


def _without_totals(footer: str | None, data: list[list[str]]) -> tuple[str | None, list[list[str]], int]:
    """Takes sums between the records out of ``data``; the footer's expression tells them, too."""
    first = [next((c.strip() for c in row if c.strip()), "") for row in data]
    words = sorted({w for w in first if _INNER_TOTAL.match(w)}) if max(map(len, data), default=0) > 1 else []
    if not words:
        return footer, data, 0
    inner = "|".join(re.escape(w) + r"\s*$" for w in words)
    rest = [row for row, w in zip(data, first, strict=True) if not _INNER_TOTAL.match(w)]
    return (f"{footer[:-1]}|{inner})" if footer else f"^({inner})"), rest, len(data) - len(rest)


def _again(row: Sequence[str], header: Sequence[str]) -> bool:
    """Whether a row is the header once more, as where files were put together."""
    return [c.strip() for c in row] == [c.strip() for c in header]


def _is_foot(first: str, row: Sequence[str], width: int) -> bool:
    if width <= 1:
        return _ALONE.match(first) is not None
    found = FOOTER.match(first)
    sparse = sum(bool(c.strip()) for c in row) <= max(1, width // 2)
    return found is not None and (sparse or bool(_TOTAL.match(first)))


def _told_by(first: str, above: Sequence[str]) -> str:
    """What of a footer's first cell tells it from records: its first word, or all of it where a record has that."""
    found = FOOTER.match(first)
    word = found.group(1) if found else ""
    if not word or any(value.startswith(word) for value in above):
        mark = re.match(r"[^:：]{1,8}[:：]", first)
        word = mark.group() if mark and not any(value.startswith(mark.group()) for value in above) else first
    return re.escape(word)

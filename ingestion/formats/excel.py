"""Workbooks, XLSX or XLS whatever the file is called, with title rows, merged cells and footers."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from catalog.errors import InputError
from catalog.model import Format
from ingestion.formats.base import Opened, rows_to_batches, unique_columns
from ingestion.formats.header import SEARCH_ROWS, Wanted, choose_header
from ingestion.formats.kinds import check_archive, detect_kind

MAX_CELLS = 60_000_000
"""Cells of the rectangle a sheet spans; a stray cell in the last corner would span 17 thousand million."""
EXACT_INTEGER = 10**15
"""Excel keeps 15 digits; a longer number has lost some, and is shown as Excel shows it: 9.11E+17."""


def read(path: Path, fmt: Format, wanted: Wanted) -> Opened:
    """Open a sheet; merged cells below the header give their value to every cell they cover.

    Raises:
        InputError: damaged, encrypted, too big, no such sheet, or no header row.
    """
    sheet = open_sheet(path, fmt)
    rows: Iterator[list[Any]] = sheet.iter_rows()
    top = int(sheet.start[0]) if sheet.start else 0
    left = int(sheet.start[1]) if sheet.start else 0
    head: list[list[Any]] = [[]] * top + [[None] * left + row for _, row in zip(range(SEARCH_ROWS), rows, strict=False)]
    header = choose_header([[text(c) for c in row] for row in head], wanted, fmt.header_row, fmt.max_columns)
    columns = unique_columns(header.columns)
    merged = _merged_below(sheet, header.row)
    about = {"sheet": sheet.name, "header_row": header.row, "title_rows": max(header.row - 1, 0)}
    body = _body(head[header.row :], rows, left)
    return Opened(columns, rows_to_batches(_rows(body, header.row, merged, len(columns)), len(columns)), about)


def open_sheet(path: Path, fmt: Format) -> Any:
    """The declared sheet of a workbook, checked to be safe to hold in memory."""
    from python_calamine import CalamineError, CalamineWorkbook

    if detect_kind(path) == "xlsx":
        check_archive(path, fmt.max_uncompressed_mb)
        _check_extent(path)
    try:
        book = CalamineWorkbook.from_path(str(path))
        names = book.sheet_names
        if isinstance(fmt.sheet, str):
            if fmt.sheet not in names:
                raise InputError(
                    f"the workbook has no sheet {fmt.sheet!r} (it has {', '.join(names)})", hint="correct format.sheet"
                )
            return book.get_sheet_by_name(fmt.sheet)
        if fmt.sheet >= len(names):
            raise InputError(f"the workbook has {len(names)} sheets, not {fmt.sheet + 1}", hint="correct format.sheet")
        return book.get_sheet_by_index(fmt.sheet)
    except CalamineError as e:
        raise InputError(
            f"the workbook cannot be read: {e}", hint="it is damaged or has a password; ask for it again"
        ) from e


def text(value: Any) -> str | None:
    """A cell as source text: ISO dates, integers without ``.0``, long numbers as Excel shows them."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, dt.datetime):
        midnight = value.time() == dt.time()
        return value.date().isoformat() if midnight else value.isoformat(" ", "auto")
    if isinstance(value, dt.timedelta):
        return str(value)
    return str(value.isoformat())


def _number(value: int | float) -> str:
    if abs(value) >= EXACT_INTEGER:
        mantissa, exponent = f"{value:.14E}".split("E")
        mantissa = mantissa.rstrip("0").rstrip(".")
        return f"{mantissa}E{exponent}"
    return str(int(value)) if value == int(value) else repr(value)


def _body(head: Sequence[list[Any]], rows: Iterator[list[Any]], left: int) -> Iterator[list[Any]]:
    yield from head
    for row in rows:
        yield [None] * left + row if left else row


def _merged_below(sheet: Any, header_row: int) -> dict[int, list[tuple[int, int, int, int]]]:
    """Merged ranges of the data, by their first row (0-based); those of titles and headers are left out."""
    out: dict[int, list[tuple[int, int, int, int]]] = {}
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or []:
        if top >= header_row:
            out.setdefault(top, []).append((top, left, bottom, right))
    return out


def _rows(
    body: Iterator[list[Any]], first: int, merged: dict[int, list[tuple[int, int, int, int]]], width: int
) -> Iterator[tuple[int, list[str | None], str | None, str | None]]:
    active: list[tuple[int, int, int, Any]] = []
    for number, row in enumerate(body, start=1):
        place = first + number - 1
        active = [a for a in active if a[0] >= place]
        for _, left, bottom, right in merged.get(place, ()):
            if left < len(row):
                active.append((bottom, left, right, row[left]))
        cells = [*row[:width], *[None] * (width - len(row))]
        for _, left, right, value in active:
            for column in range(left, min(right, width - 1) + 1):
                cells[column] = value
        yield number, [text(c) for c in cells], None, None


_REF = re.compile(rb'<c r="([A-Z]{1,3})([0-9]{1,7})"')


def _check_extent(path: Path) -> None:
    """Refuse a sheet whose used cells span a rectangle too large to hold.

    Raises:
        InputError: with the extent.
    """
    with zipfile.ZipFile(path) as z:
        for name in z.namelist():
            if not re.match(r"xl/worksheets/[^/]+\.xml$", name):
                continue
            rows, columns = _extent(z, name)
            if rows * columns > MAX_CELLS:
                raise InputError(
                    f"a sheet spans {rows} rows × {columns} columns, more than can be held",
                    hint="delete stray cells far below or right of the table, or ask for CSV",
                )


def _extent(z: zipfile.ZipFile, name: str) -> tuple[int, int]:
    """The last row and column of a sheet that carry a cell, from its XML; exact for the widest references."""
    rows, columns, tail = 0, 0, b""
    with z.open(name) as f:
        while chunk := f.read(1 << 20):
            data = tail + chunk
            last = data.rfind(b'<row r="')
            if last >= 0 and (m := re.match(rb'<row r="([0-9]+)"', data[last : last + 24])):
                rows = max(rows, int(m.group(1)))
            if columns <= 702 and re.search(rb'<c r="[A-Z]{3}[0-9]', data):
                columns = 16_384
            elif columns <= 26 and re.search(rb'<c r="[A-Z]{2}[0-9]', data):
                columns = 702
            elif columns == 0 and b"<c " in data:
                columns = 26
            tail = data[-64:]
    return rows, max(columns, 1)

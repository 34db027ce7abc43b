"""Workbooks, XLSX or XLS whatever the file is called, with title rows, merged cells and footers.

A web page with a table, which many systems hand out as ``.xls``, is read as a workbook of its tables; so is the XML
that Excel 2003 wrote.
"""

from __future__ import annotations

import datetime as dt
import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.errors import InputError
from catalog.model import Format
from ingestion.formats.base import Opened, make_batch, rows_to_batches
from ingestion.formats.excel_xml import ExcelXml
from ingestion.formats.header import SEARCH_ROWS, Wanted, choose_header, join_header, unique_columns
from ingestion.formats.html import Page
from ingestion.formats.kinds import check_archive, detect_kind
from ingestion.formats.several import Part, several
from ingestion.formats.xlsx import Look, external_links

EXACT_INTEGER = 10**15
"""Excel keeps 15 digits; a longer number has lost some, and is shown as Excel shows it: 9.11E+17."""
CHUNK_CELLS = 10_000
"""Cells held as objects at once: more leave the processor's cache, and Python's collector looks through them again."""
CHUNK_ROWS = 100, 4_000
"""Fewest and most rows that these are."""
JOINED_ROWS = 4_000
"""Rows of a batch at least: a wide sheet's chunks are joined."""
PLAIN_FRACTIONS = 1e-4, 1e9
"""Fractions outside are not written alike by Python and Arrow: one of them takes an exponent."""


def read(path: Path, fmt: Format, wanted: Wanted) -> Opened:
    """Open a sheet, or several; merged cells below the header give their value to every cell they cover.

    Raises:
        InputError: damaged, encrypted, too big, no such sheet, no header row, or formulas without stored results.
    """
    book = Book(path, fmt)
    if fmt.sheets is None and fmt.part_column is None:
        return _read_sheet(book, book.single(), fmt, wanted)
    names, about = book.several()
    opened = several(
        [Part(n, partial(_read_sheet, book, n, fmt, wanted)) for n in names],
        wanted,
        what="sheet",
        label=fmt.part_column,
    )
    opened.about |= about
    return opened


def open_sheet(path: Path, fmt: Format) -> Any:
    """The declared sheet of a workbook, checked to be safe to hold in memory."""
    book = Book(path, fmt)
    return book.sheet(book.single())


_ENDINGS = {"xlsx": (".xlsx", ".xlsm"), "xls": (".xls",)}
_OWN: dict[str, Callable[[Path, Format], Any]] = {"html": Page, "excel-xml": ExcelXml}
"""Workbooks that calamine does not read."""


class Book:
    """A workbook opened by calamine; a web page's tables or the sheets of an XML document in its place."""

    def __init__(self, path: Path, fmt: Format) -> None:
        from python_calamine import CalamineError, CalamineWorkbook

        self.path, self.fmt = path, fmt
        self._sheets: dict[str, Any] = {}
        self.kind = detect_kind(path)
        if self.kind in _OWN:
            self._book: Any = _OWN[self.kind](path, fmt)
            self.names = list(self._book.sheet_names)
            return
        if self.kind == "xlsx":
            self._look = Look()
            check_archive(path, fmt.max_uncompressed_mb, self._look)
            self._look.refuse_extent()
        self._broken = CalamineError
        # calamine believes a known ending of the name; bytes without a name are told by what they are
        named = path.suffix.lower() in _ENDINGS.get(self.kind, ())
        self._book = self._calamine(
            lambda: (
                CalamineWorkbook.from_path(str(path))
                if named
                else CalamineWorkbook.from_filelike(io.BytesIO(path.read_bytes()))
            )
        )
        self.names = list(self._book.sheet_names)

    def _calamine(self, call: Any) -> Any:
        """What ``call`` gives; damage that calamine finds, or that makes it panic, is the file's fault."""
        try:
            return call()
        except self._broken as e:
            raise _unreadable(str(e)) from e
        except BaseException as e:
            if type(e).__name__ != "PanicException":  # pyo3 gives it no name that could be imported
                raise
            raise _unreadable("its parts do not fit together") from e

    def sheet(self, name: str) -> Any:
        """A sheet by name, parsed once."""
        if name not in self._sheets:
            if self.kind in _OWN:
                return self._book.get_sheet_by_name(name)
            if self.kind == "xlsx":
                self._look.refuse_unstored_formulas(self.path, name)
            self._sheets[name] = self._calamine(lambda: self._book.get_sheet_by_name(name))
        return self._sheets[name]

    def single(self) -> str:
        """The name of the one sheet that ``fmt.sheet`` says.

        Raises:
            InputError: there is none.
        """
        sheet, names = self.fmt.sheet, self.names
        if isinstance(sheet, str):
            if sheet not in names:
                raise InputError(
                    f"the workbook has no sheet {sheet!r} (it has {', '.join(names)})", hint="correct format.sheet"
                )
            return sheet
        if sheet >= len(names):
            raise InputError(f"the workbook has {len(names)} sheets, not {sheet + 1}", hint="correct format.sheet")
        return str(names[sheet])

    def several(self) -> tuple[list[str], dict[str, Any]]:
        """The names that ``fmt.sheets`` says, and what is told of the others; hidden and empty ones are not taken.

        Raises:
            InputError: a sheet named by the contract is not there, or none is left.
        """
        wish = self.fmt.sheets if self.fmt.sheets is not None else (self.single(),)
        if isinstance(wish, tuple):
            missing = [n for n in wish if n not in self.names]
            if missing:
                raise InputError(
                    f"the workbook has no sheet {', '.join(missing)} (it has {', '.join(self.names)})",
                    hint="correct format.sheets",
                )
            return list(wish), {}
        shown = self._shown()
        hidden = [n for n in self.names if n not in shown]
        named = [n for n in shown if wish == "all" or re.search(wish, n)]
        filled = [n for n in named if self.sheet(n).start is not None]
        if not filled and wish == "all":
            secret = [n for n in hidden if self.sheet(n).start is not None]
            if secret:
                raise InputError(
                    f"every filled sheet of the workbook is hidden ({', '.join(secret)})",
                    hint="name the sheets wanted in format.sheets, or ask for the file with them shown",
                )
            raise InputError("the workbook has no filled sheet", hint="ask for the file again")
        if not filled:
            raise InputError("no sheet that holds something matches format.sheets", hint="correct format.sheets")
        about = {"hidden_sheets": hidden, "empty_sheets": [n for n in named if n not in filled]}
        return filled, {k: v for k, v in about.items() if v}

    def _shown(self) -> list[str]:
        if self.kind in _OWN:
            return list(self._book.shown)
        metas = self._book.sheets_metadata
        return [m.name for m in metas if str(m.typ).endswith("WorkSheet") and str(m.visible).endswith("Visible")]


def _unreadable(why: str) -> InputError:
    return InputError(f"the workbook cannot be read: {why}", hint="it is damaged or has a password; ask for it again")


def _read_sheet(book: Book, name: str, fmt: Format, wanted: Wanted) -> Opened:
    sheet = book.sheet(name)
    rows: Iterator[list[Any]] = sheet.iter_rows()
    top = int(sheet.start[0]) if sheet.start else 0
    left = int(sheet.start[1]) if sheet.start else 0
    head: list[list[Any]] = [[]] * top + [[None] * left + row for _, row in zip(range(SEARCH_ROWS), rows, strict=False)]
    tops: list[list[Any]] = [[text(c) for c in row] for row in head]
    if fmt.header_rows > 1:
        tops = [*join_header(_filled(tops, sheet), fmt.header_rows, fmt.header_join)]
    header = choose_header(tops, wanted, fmt.header_row, fmt.max_columns)
    last = header.row + fmt.header_rows - 1 if header.row else 0
    columns = unique_columns(header.columns)
    merged = _merged_below(sheet, last)
    about = {"sheet": sheet.name, "header_row": header.row, "title_rows": max(header.row - 1, 0)}
    if book.kind == "xlsx" and (links := external_links(book.path)):
        about["external_links"] = links
    if book.kind == "html":
        about["html"] = True
    rest = rows if left == 0 else ([None] * left + row for row in rows)
    body = chain(head[last:], rest)
    if merged:
        batches = rows_to_batches(_rows(body, last, merged, len(columns)), len(columns))
    else:
        batches = _by_column(body, len(columns))
    return Opened(columns, batches, about)


def _filled(rows: list[list[str | None]], sheet: Any) -> list[list[str | None]]:
    """The rows at the top with the value of merged cells in every cell they cover."""
    out = [list(row) for row in rows]
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or []:
        if top >= len(out) or left >= len(out[top]):
            continue
        for r in range(top, min(bottom + 1, len(out))):
            for c in range(left, min(right + 1, len(out[r]))):
                out[r][c] = out[top][left]
    return out


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
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= EXACT_INTEGER:
        mantissa, exponent = f"{value:.14E}".split("E")
        mantissa = mantissa.rstrip("0").rstrip(".")
        return f"{mantissa}E{exponent}"
    return str(int(value)) if value == int(value) else repr(value)


def _merged_below(sheet: Any, header_row: int) -> dict[int, list[tuple[int, int, int, int]]]:
    """Merged ranges of the data, by their first row (0-based); those of titles and headers are left out."""
    out: dict[int, list[tuple[int, int, int, int]]] = {}
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or []:
        if top >= header_row:
            out.setdefault(top, []).append((top, left, bottom, right))
    return out


def _by_column(body: Iterator[list[Any]], width: int) -> Iterator[pa.RecordBatch]:
    """Batches of rows without merged cells: most columns hold one kind of value and are turned to text at once."""
    fewest, most = CHUNK_ROWS
    size = min(max(CHUNK_CELLS // max(width, 1), fewest), most)
    done = 0
    while True:
        pieces: list[list[pa.Array]] = [[] for _ in range(width)]
        count = 0
        while count < JOINED_ROWS and (chunk := list(islice(body, size))):
            count += len(chunk)
            rows = [row if len(row) == width else [*row[:width], *[None] * (width - len(row))] for row in chunk]
            for column, values in zip(pieces, zip(*rows, strict=True), strict=True):
                column.append(_packed(values))
        if not count:
            return
        columns = [_joined(column) for column in pieces]
        digits = {place: pa.string() for place, (_, numeric) in enumerate(columns) if numeric}  # nothing to trim
        yield make_batch(range(done + 1, done + count + 1), [c for c, _ in columns], kept=digits)
        done += count


def _packed(values: Sequence[Any]) -> pa.Array:
    """Cells of a column: numbers and blanks as numbers, all others as text."""
    kinds = set(map(type, values))
    if kinds == {str}:
        return pa.array(values, pa.string())
    if kinds == {float}:
        return pa.array(values, pa.float64())
    if float in kinds and kinds <= _NUMBER_OR_BLANK and {v for v in values if type(v) is not float} <= {"", None}:
        return pa.array([v if type(v) is float else None for v in values], pa.float64())
    return pa.array(map(text, values), pa.string())


_NUMBER_OR_BLANK = {float, str, type(None)}


def _joined(pieces: Sequence[pa.Array]) -> tuple[pa.Array, bool]:
    """The pieces of a column as one column of text, and whether it was nothing but numbers."""
    if all(pa.types.is_floating(p.type) for p in pieces):
        return _numbers(pa.concat_arrays(pieces)), True
    return pa.concat_arrays([_numbers(p) if pa.types.is_floating(p.type) else p for p in pieces]), False


def _numbers(found: pa.Array) -> pa.Array:
    """Numbers as `text` writes them, all at once when none is very long or takes an exponent."""
    values = found.fill_null(0.0).to_numpy()
    size = np.abs(values)
    whole = values == np.trunc(values)
    low, high = PLAIN_FRACTIONS
    if not (size < EXACT_INTEGER).all() or (((size < low) | (size > high)) & ~whole).any():
        return pa.array(map(text, found.to_pylist()), pa.string())
    blank = found.is_null().to_numpy(zero_copy_only=False) if found.null_count else None
    integers = pa.array(np.where(whole, values, 0).astype(np.int64), mask=blank).cast(pa.string())
    return integers if whole.all() else pc.if_else(pa.array(whole), integers, found.cast(pa.string()))


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

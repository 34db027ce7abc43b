"""The tables of a web page as sheets: what many systems hand out under the name ``.xls``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from catalog.errors import InputError
from catalog.model import Format
from ingestion.formats.text import Utf8Reader, detect_encoding, resolve_encoding

MAX_BYTES = 256 << 20
MAX_CELLS = 5_000_000
MAX_SPAN = 100_000
"""Cells that one may cover."""
_CHARSET = re.compile(rb"""charset\s*=\s*["']?([A-Za-z0-9_-]+)""", re.IGNORECASE)


class Grid:
    """A table with the value of spanning cells in every cell they cover; looks like a sheet of calamine."""

    merged_cell_ranges: tuple[Any, ...] = ()

    def __init__(self, name: str, rows: list[list[str | None]]) -> None:
        self.name, self.rows = name, rows
        self.start = (0, 0) if rows else None

    def iter_rows(self) -> Iterator[list[str | None]]:
        return iter(self.rows)

    def to_python(self, *, skip_empty_area: bool = False, nrows: int | None = None) -> list[list[str | None]]:
        """The first rows."""
        return self.rows[:nrows]


class Page:
    """The filled tables of a page, called ``table1``, ``table2`` …

    Raises:
        InputError: too big, or there is no table.
    """

    def __init__(self, path: Path, fmt: Format) -> None:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"the web page is larger than {MAX_BYTES >> 20} MB", hint="ask for CSV or XLSX")
        encoding = _encoding(path, fmt.encoding)
        with Utf8Reader(path, encoding) as stream:
            parser = _Tables()
            parser.feed(stream.read().decode())
            parser.close()
        filled = (t for t in parser.tables if any(map(any, t)))  # those around others, for the layout, hold nothing
        self._tables = [Grid(f"table{i}", t) for i, t in enumerate(filled, start=1)]
        if not self._tables:
            raise InputError(
                "the file is a web page without a table, not a workbook",
                hint="the download failed or needs a login; ask for the file itself",
            )
        self.sheet_names = self.shown = [t.name for t in self._tables]

    def get_sheet_by_name(self, name: str) -> Grid:
        return next(t for t in self._tables if t.name == name)


def _encoding(path: Path, declared: str) -> str:
    if declared != "auto":
        return resolve_encoding(path, declared)
    found = detect_encoding(path)
    if found == "utf-8":
        return "utf-8-sig"
    with path.open("rb") as f:
        named = _CHARSET.search(f.read(4096))
    if found.startswith("utf") or not named:
        return found
    said = resolve_encoding(path, named.group(1).decode())
    return found if said == "utf-8-sig" else said


class _Tables(HTMLParser):
    """Collects cells; a table inside a cell is a table of its own."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str | None]]] = []
        self._open: list[_Table] = []
        self._cells = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._open.append(_Table())
            return
        if not self._open:
            return
        table = self._open[-1]
        if tag == "tr":
            table.new_row()
        elif tag in ("td", "th"):
            given = dict(attrs)
            spans = [min(max(1, int(m.group())), 1000) if (m := re.match(r"\d+", given.get(k) or "")) else 1
                     for k in ("rowspan", "colspan")]  # fmt: skip
            self._cells += spans[0] * spans[1]
            if self._cells > MAX_CELLS or spans[0] * spans[1] > MAX_SPAN:
                raise InputError("the table spans too many cells to hold", hint="ask for CSV")
            table.new_cell(*spans)
        elif tag == "br":
            table.text.append("\n")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if not self._open:
            return
        if tag in ("td", "th"):
            self._open[-1].end_cell()
        elif tag == "table":
            self.tables.append(self._open.pop().rows())

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[-1].text.append(data)

    def close(self) -> None:
        super().close()
        while self._open:
            self.tables.append(self._open.pop().rows())


class _Table:
    def __init__(self) -> None:
        self.cells: dict[tuple[int, int], str | None] = {}
        self.text: list[str] = []
        self.row, self.column, self.span = -1, 0, (1, 1)
        self.in_cell = False

    def new_row(self) -> None:
        self.end_cell()
        self.row, self.column = self.row + 1, 0

    def new_cell(self, down: int, across: int) -> None:
        self.end_cell()
        self.row = max(self.row, 0)
        while (self.row, self.column) in self.cells:
            self.column += 1
        self.text, self.span, self.in_cell = [], (down, across), True

    def end_cell(self) -> None:
        if not self.in_cell:
            return
        self.in_cell = False
        value = "".join(self.text).replace("\xa0", " ").strip() or None
        for r in range(self.span[0]):
            for c in range(self.span[1]):
                self.cells[self.row + r, self.column + c] = value
        self.column += self.span[1]

    def rows(self) -> list[list[str | None]]:
        """The grid, without what a row span would put below the last row."""
        self.end_cell()
        width = max((c for _, c in self.cells), default=-1) + 1
        return [[self.cells.get((r, c)) for c in range(width)] for r in range(self.row + 1)] if width else []

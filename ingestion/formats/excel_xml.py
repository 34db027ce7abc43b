"""Workbooks of Excel 2003 written as one XML document, which older systems hand out under the name ``.xls``.

The elements are those of Microsoft's XML Spreadsheet Reference (2001): a cell without ``ss:Index`` stands to the right
of the one before, a row without it below.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

from catalog.errors import InputError
from catalog.model import Format
from ingestion.formats.text import Utf8Reader
from ingestion.formats.xml import CHUNK, declared_utf8, malformed, refuse_doctype, xml_encoding

MAX_BYTES = 256 << 20
MAX_CELLS = 5_000_000
SPACE = "urn:schemas-microsoft-com:office:spreadsheet"
_SS, _X = f"{{{SPACE}}}", "{urn:schemas-microsoft-com:office:excel}"


class Sheet:
    """A worksheet of the document; looks like a sheet of calamine.

    Attributes:
        merged_cell_ranges: ((top, left), (bottom, right)), counted from 0.
    """

    def __init__(self, name: str) -> None:
        self.name, self.hidden = name, False
        self.merged_cell_ranges: list[tuple[tuple[int, int], tuple[int, int]]] = []
        self._cells: dict[int, dict[int, Any]] = {}
        self._row, self._last, self._width = -1, -1, 0

    @property
    def start(self) -> tuple[int, int] | None:
        return (0, 0) if self._cells else None

    def add(self, row: ElementTree.Element) -> None:
        """Take a row with its cells.

        Raises:
            InputError: the rectangle that holds all values is too large, or a place is no number.
        """
        self._row = _place(row, self._row)
        column = -1
        for cell in row.iterfind(f"{_SS}Cell"):
            column = _place(cell, column)
            across, down = (_number(cell, name) for name in ("MergeAcross", "MergeDown"))
            if across or down:
                self.merged_cell_ranges.append(((self._row, column), (self._row + down, column + across)))
            data = cell.find(f"{_SS}Data")
            value = None if data is None else _value(data)
            if value is not None and value != "":
                self._cells.setdefault(self._row, {})[column] = value
                self._width, self._last = max(self._width, column + 1), max(self._last, self._row)
            column += across
        if self._width * (self._last + 1) > MAX_CELLS:
            raise InputError("the sheet spans too many cells to hold", hint="ask for XLSX or CSV", sheet=self.name)

    def iter_rows(self) -> Iterator[list[Any]]:
        last = max(self._cells, default=-1)
        return (
            [cells.get(c) for c in range(self._width)] for cells in (self._cells.get(r, {}) for r in range(last + 1))
        )

    def to_python(self, *, skip_empty_area: bool = False, nrows: int | None = None) -> list[list[Any]]:
        """The first rows."""
        return [row for _, row in zip(range(MAX_CELLS if nrows is None else nrows), self.iter_rows(), strict=False)]


class ExcelXml:
    """The worksheets of a document.

    Raises:
        InputError: too big, a document type, not well-formed, or no worksheet.
    """

    def __init__(self, path: Path, fmt: Format) -> None:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"the XML workbook is larger than {MAX_BYTES >> 20} MB", hint="ask for CSV or XLSX")
        refuse_doctype(path)
        self._sheets: dict[str, Sheet] = {}
        parser = ElementTree.XMLPullParser(("start", "end"))
        with Utf8Reader(path, xml_encoding(path, fmt.encoding)[0]) as stream:
            try:
                data = declared_utf8(stream.read(CHUNK))
                while data:
                    parser.feed(data)
                    self._take(parser)
                    data = stream.read(CHUNK)
                parser.close()
            except ElementTree.ParseError as e:
                raise malformed(e) from e
            self._take(parser)
        if not self._sheets:
            raise InputError("the XML workbook has no worksheet", hint="ask for the file again")
        self.sheet_names = list(self._sheets)
        self.shown = [name for name, sheet in self._sheets.items() if not sheet.hidden]

    def get_sheet_by_name(self, name: str) -> Sheet:
        return self._sheets[name]

    def _take(self, parser: ElementTree.XMLPullParser) -> None:
        events = cast(Iterator[tuple[str, ElementTree.Element]], parser.read_events())
        for event, element in events:
            if event == "start" and element.tag == f"{_SS}Worksheet":
                self._open = Sheet(element.get(f"{_SS}Name") or f"Sheet{len(self._sheets) + 1}")
                self._sheets[self._open.name] = self._open
            elif event == "end" and element.tag == f"{_SS}Row" and self._sheets:
                self._open.add(element)
                element.clear()
            elif event == "end" and element.tag == f"{_X}Visible" and self._sheets:
                self._open.hidden = element.text in ("SheetHidden", "SheetVeryHidden")


def _place(element: ElementTree.Element, before: int) -> int:
    return _number(element, "Index") - 1 if f"{_SS}Index" in element.attrib else before + 1


def _number(element: ElementTree.Element, name: str) -> int:
    text = element.get(_SS + name, "0")
    if not text.isdecimal() or int(text) > 1_048_576:
        raise InputError(f"the XML workbook has a row or cell whose {name} is no number", hint="ask for it again")
    return int(text)


def _value(data: ElementTree.Element) -> Any:
    """A cell's value; an error such as #N/A is none, as in every workbook."""
    text, kind = "".join(data.itertext()), data.get(f"{_SS}Type")
    try:
        if kind == "Number":
            return float(text)
        if kind == "DateTime":
            return dt.datetime.fromisoformat(text)
    except ValueError:
        return text
    return text == "1" if kind == "Boolean" else None if kind == "Error" else text

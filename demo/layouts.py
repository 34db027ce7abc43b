"""How a register's file is laid out: the same columns as CSV, lines of JSON, XML or a workbook's sheet.

A layout turns columns of text into the lines of a file at once, and single spoilt records one by one. Values hold
no quote, bracket, backslash or delimiter: the generator makes none, so nothing is escaped.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from demo.faults import Row
from demo.writers import Drop

FIRST_ROW = 4
"""Of the records in a workbook: title, seal line and header stand above."""


@dataclass(frozen=True)
class Layout:
    """Text around the values of a record.

    Attributes:
        columns: source columns in the order of the file.
        pieces: what stands before each value, and after the last.
        head, tail: what stands around the records.
        between: for lists of cells, what a record that is too short or too long is joined with; else ``None``.
    """

    columns: tuple[str, ...]
    pieces: tuple[str, ...]
    encoding: str = "utf-8"
    head: str = ""
    tail: str = ""
    between: str | None = None

    def lines(self, values: Sequence[Any]) -> pa.Array:
        """The records of columns of equal length."""
        parts: list[Any] = []
        for piece, column in zip(self.pieces[:-1], values, strict=True):
            parts += [pa.scalar(piece, pa.large_string()), pa.array(column, pa.large_string())]
        end, nothing = (pa.scalar(t, pa.large_string()) for t in (self.pieces[-1], ""))
        return pc.binary_join_element_wise(*parts, end, nothing)

    def line(self, row: Row) -> str:
        """One record."""
        if len(row) != len(self.columns):
            if self.between is None:
                raise ValueError("only delimited text holds a record of another width")
            return self.between.join(row) + self.pieces[-1]
        return "".join(p + v for p, v in zip(self.pieces, [*row, ""], strict=True))

    @contextmanager
    def file(self, drop: Drop, path: str) -> Iterator[Body]:
        """A file of this layout that appears when it is complete."""
        with drop.open(path) as out:
            if self.encoding == "utf-8-sig":
                out.write(b"\xef\xbb\xbf")
            body = Body(out, self.encoding.removesuffix("-sig"))
            body.text(self.head)
            yield body
            body.text(self.tail)


class Body:
    """Where records go: bytes in the encoding of the file."""

    def __init__(self, out: BinaryIO, encoding: str) -> None:
        self._out, self._encoding = out, encoding

    def text(self, text: str) -> None:
        self._out.write(text.encode(self._encoding))

    def lines(self, lines: pa.Array) -> None:
        self.text("".join(lines.to_pylist()))


def delimited(columns: Sequence[str], delimiter: str = ",", *, encoding: str = "utf-8", eol: str = "\r\n") -> Layout:
    """Delimited text with a header line."""
    pieces = ("", *[delimiter] * (len(columns) - 1), eol)
    return Layout(tuple(columns), pieces, encoding, head=delimiter.join(columns) + eol, between=delimiter)


def json_lines(columns: Sequence[str]) -> Layout:
    """Lines of JSON objects; every value is text."""
    pieces = [f'"{sep}"{c}":"' for sep, c in zip(["", *[","] * (len(columns) - 1)], columns, strict=True)]
    return Layout(tuple(columns), ("{" + pieces[0][1:], *pieces[1:], '"}\n'))


def elements(columns: Sequence[str], pieces: Sequence[str], *, head: str, tail: str) -> Layout:
    """XML of which ``pieces`` are the markup around the values."""
    return Layout(tuple(columns), tuple(pieces), head=head, tail=tail)


@dataclass(frozen=True)
class Workbook(Layout):
    """A register as offices keep it: merged title, seal line, header on row 3, a footer that counts.

    Cells are inline strings, so that a sheet streams. ``merge_first``: the first column is merged downwards over
    equal values. Nothing in the file depends on the clock.
    """

    title: str = ""
    seal: tuple[str, str] = ("", "")
    merge_first: bool = False
    day: date = date(2000, 1, 1)

    @contextmanager
    def file(self, drop: Drop, path: str) -> Iterator[Body]:
        with drop.open(path) as out, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as z:
            for name, text in _book_parts(self.day).items():
                z.writestr(_member(name), text, zipfile.ZIP_DEFLATED)
            with z.open(_member("xl/worksheets/sheet1.xml"), "w", force_zip64=True) as sheet:
                body = SheetBody(sheet, self)  # type: ignore[arg-type]  # a zip member that is written to
                yield body
                body.finish()


class SheetBody(Body):
    """The sheet of a workbook while it is written; ``footer`` is called with the last line's text before the end."""

    def __init__(self, out: BinaryIO, layout: Workbook) -> None:
        super().__init__(out, "utf-8")
        self._layout, self._row = layout, FIRST_ROW
        last = chr(64 + len(layout.columns))
        half = chr(64 + (len(layout.columns) + 1) // 2)
        after = chr(ord(half) + 1)
        self._merges = [f"A1:{last}1", f"A2:{half}2", f"{after}2:{last}2"]
        self._open: tuple[str, int] | None = None
        self.text(_SHEET_HEAD + _cells(1, {0: layout.title}, 1))
        self.text(_cells(2, {0: layout.seal[0], ord(after) - 65: layout.seal[1]}))
        self.text(_cells(3, dict(enumerate(layout.columns)), 2))

    def records(self, lines: list[str], firsts: list[str]) -> None:
        """Records (cells without their row); ``firsts``: values of the first column, which it merges."""
        out = []
        for line, first in zip(lines, firsts, strict=True):
            if self._layout.merge_first:
                if self._open is None or self._open[0] != first:
                    self._close()
                    self._open = (first, self._row)
                else:
                    line = "<c/>" + line[line.index("</c>") + 4 :]
            out.append(f'<row r="{self._row}">{line}</row>')
            self._row += 1
        self.text("".join(out))

    def footer(self, text: str) -> None:
        self._close()
        self.text(_cells(self._row, {0: text}))

    def finish(self) -> None:
        self._close()
        merges = "".join(f'<mergeCell ref="{m}"/>' for m in self._merges)
        self.text(f'</sheetData><mergeCells count="{len(self._merges)}">{merges}</mergeCells></worksheet>')

    def _close(self) -> None:
        if self._open is not None and self._row - 1 > self._open[1]:
            self._merges.append(f"A{self._open[1]}:A{self._row - 1}")
        self._open = None


def workbook(
    columns: Sequence[str], *, title: str, seal: tuple[str, str], day: date, merge_first: bool = False
) -> Workbook:
    """A register's workbook; its lines are the cells of a row."""
    start, end = '<c t="inlineStr"><is><t>', "</t></is></c>"
    pieces = (start, *[end + start] * (len(columns) - 1), end)
    return Workbook(tuple(columns), pieces, title=title, seal=seal, merge_first=merge_first, day=day)


def _cells(row: int, texts: dict[int, str], style: int = 0) -> str:
    cells = "".join(
        f'<c r="{chr(65 + i)}{row}" t="inlineStr" s="{style}"><is><t>{t}</t></is></c>' for i, t in texts.items()
    )
    return f'<row r="{row}">{cells}</row>'


def _member(name: str) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    made.compress_type = zipfile.ZIP_DEFLATED
    return made


_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_SHEET_HEAD = f'{_XML}<worksheet xmlns="{_MAIN}"><sheetData>'


def _book_parts(day: date) -> dict[str, str]:
    """The parts of a workbook of one sheet (ECMA-376) but the sheet."""
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    types = "".join(
        f'<Override PartName="{part}" ContentType="{kind}"/>'
        for part, kind in (
            ("/xl/workbook.xml", f"{kinds}.sheet.main+xml"),
            ("/xl/worksheets/sheet1.xml", f"{kinds}.worksheet+xml"),
            ("/xl/styles.xml", f"{kinds}.styles+xml"),
            ("/docProps/core.xml", "application/vnd.openxmlformats-package.core-properties+xml"),
        )
    )
    link = '<Relationship Id="rId{}" Type="{}" Target="{}"/>'
    relations = f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{{}}</Relationships>'
    font = '<font>{}<sz val="{}"/><name val="宋体"/></font>'
    centred = '<alignment horizontal="center" vertical="center"/>'
    return {
        "[Content_Types].xml": f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
        f'ContentType="application/xml"/>{types}</Types>',
        "_rels/.rels": relations.format(
            link.format(1, f"{_OFFICE}/officeDocument", "xl/workbook.xml")
            + link.format(2, f"{_PACKAGE}/relationships/metadata/core-properties", "docProps/core.xml")
        ),
        "docProps/core.xml": f'{_XML}<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" '
        'xmlns:dcterms="http://purl.org/dc/terms/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f'<dcterms:created xsi:type="dcterms:W3CDTF">{day.isoformat()}T09:00:00Z</dcterms:created></cp:coreProperties>',
        "xl/workbook.xml": f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="登记表" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations.format(
            link.format(1, f"{_OFFICE}/worksheet", "worksheets/sheet1.xml")
            + link.format(2, f"{_OFFICE}/styles", "styles.xml")
        ),
        "xl/styles.xml": f'{_XML}<styleSheet xmlns="{_MAIN}"><fonts count="3">{font.format("", 11)}'
        f"{font.format('<b/>', 16)}{font.format('<b/>', 11)}</fonts>"
        '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/>'
        '</fill></fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
        f'<cellXfs count="3"><xf/><xf fontId="1" applyFont="1" applyAlignment="1">{centred}</xf>'
        f'<xf fontId="2" applyFont="1" applyAlignment="1">{centred}</xf></cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>',
    }

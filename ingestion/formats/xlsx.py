"""What an XLSX is looked at for before it is opened: its extent, formulas without results, links to others."""

from __future__ import annotations

import posixpath
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

from catalog.errors import InputError
from ingestion.formats.kinds import as_archive

MAX_CELLS = 60_000_000
"""Cells of the rectangle a sheet spans; a stray cell in the last corner would span 17 thousand million."""
MAX_PART_BYTES = 16 << 20
_UNSTORED = re.compile(
    rb"<c(?P<attributes>[^>]*)>\s*<f(?:[^>]*/>|[^>]*>[^<]*</f>)\s*(?:<v\s*/>|<v>\s*</v>|<v\s[^>]*/>)?\s*</c>"
)
_EMPTY_TEXT = re.compile(rb"""\bt=["']str["']""")


def external_links(path: Path) -> int:
    """Other workbooks this one refers to; they are never opened, only the stored values are read."""
    with as_archive(), zipfile.ZipFile(path) as z:
        return sum(bool(re.fullmatch(r"xl/externalLinks/[^/]+\.xml", n)) for n in z.namelist())


def refuse_unstored_formulas(path: Path, sheet: str) -> None:
    """Refuse a sheet with formulas whose results are not in the file: they would be read as empty.

    Raises:
        InputError: with the number of such cells.
    """
    with as_archive(), zipfile.ZipFile(path) as z:
        part = _part_of(z, sheet)
        cells = _unstored(z, part) if part else 0
    if cells:
        raise InputError(
            f"{cells} cells hold formulas whose results are not stored in the file",
            hint="open it in Excel or WPS, save it, and send it again; or send the values",
            sheet=sheet,
        )


def _part_of(z: zipfile.ZipFile, sheet: str) -> str | None:
    """The member that holds a sheet, by the workbook's list and its relations."""
    book, relations = (_xml(z, n) for n in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels"))
    if book is None or relations is None:
        return None
    targets = {r.get("Id"): r.get("Target", "") for r in relations}
    for element in book.iter():
        if element.tag.endswith("}sheet") and element.get("name") == sheet:
            key = next((v for k, v in element.attrib.items() if k.endswith("}id")), None)
            target = posixpath.normpath(posixpath.join("/xl", targets.get(key, ""))).lstrip("/")
            return target if target in z.namelist() else None
    return None


def _xml(z: zipfile.ZipFile, name: str) -> ElementTree.Element | None:
    if name not in z.namelist():
        return None
    with z.open(name) as f:
        data = f.read(MAX_PART_BYTES)
    if b"<!DOCTYPE" in data:
        raise InputError("a part of the workbook has a document type (DOCTYPE)", hint="refuse this delivery")
    try:
        return ElementTree.fromstring(data)
    except ElementTree.ParseError:
        return None  # calamine will say what is wrong with it


def _unstored(z: zipfile.ZipFile, name: str) -> int:
    cells, tail = 0, b""
    with z.open(name) as f:
        while chunk := f.read(1 << 20):
            data = tail + chunk
            cut = data.rfind(b"</c>") + len(b"</c>")
            if cut < len(b"</c>"):
                tail = data[-(1 << 20) :]
                continue
            done, tail = data[:cut], data[cut:]
            if b"<f" in done:
                cells += sum(not _EMPTY_TEXT.search(m.group("attributes")) for m in _UNSTORED.finditer(done))
    return cells


def check_extent(path: Path) -> None:
    """Refuse a sheet whose used cells span a rectangle too large to hold.

    Raises:
        InputError: with the extent.
    """
    with as_archive(), zipfile.ZipFile(path) as z:
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

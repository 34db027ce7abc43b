"""What an XLSX is looked at for before it is opened: its extent, formulas without results, links to others."""

from __future__ import annotations

import posixpath
import re
import zipfile
from dataclasses import dataclass
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


@dataclass
class _Seen:
    """What the XML of one sheet has shown so far."""

    rows: int = 0
    columns: int = 0
    unstored: int = 0
    tail: bytes = b""
    """What may be the start of something that the next piece ends."""

    def look(self, chunk: bytes) -> None:
        data = self.tail + chunk
        last = data.rfind(b'<row r="')
        if last >= 0 and (m := re.match(rb'<row r="([0-9]+)"', data[last : last + 24])):
            self.rows = max(self.rows, int(m.group(1)))
        if self.columns <= 702 and re.search(rb'<c r="[A-Z]{3}[0-9]', data):
            self.columns = 16_384
        elif self.columns <= 26 and re.search(rb'<c r="[A-Z]{2}[0-9]', data):
            self.columns = 702
        elif self.columns == 0 and b"<c " in data:
            self.columns = 26
        cut = data.rfind(b"</c>") + len(b"</c>")
        if cut < len(b"</c>"):
            self.tail = data[-(1 << 20) :]
            return
        done, self.tail = data[:cut], data[cut:]
        if b"<f" in done:
            self.unstored += sum(not _EMPTY_TEXT.search(m.group("attributes")) for m in _UNSTORED.finditer(done))


class Look:
    """Looks at the parts of a workbook while they are unpacked: how far its sheets reach, formulas without results."""

    def __init__(self) -> None:
        self._parts: dict[str, _Seen] = {}

    def __call__(self, name: str, chunk: bytes) -> None:
        if name.endswith(".xml") and not name.endswith("sharedStrings.xml"):
            self._parts.setdefault(name, _Seen()).look(chunk)

    def refuse_extent(self) -> None:
        """Refuse a sheet whose used cells span a rectangle too large to hold; exact for the widest references.

        Raises:
            InputError: with the extent.
        """
        for name, seen in self._parts.items():
            rows, columns = seen.rows, max(seen.columns, 1)
            if name.startswith("xl/worksheets/") and rows * columns > MAX_CELLS:
                raise InputError(
                    f"a sheet spans {rows} rows × {columns} columns, more than can be held",
                    hint="delete stray cells far below or right of the table, or ask for CSV",
                )

    def refuse_unstored_formulas(self, path: Path, sheet: str) -> None:
        """Refuse a sheet with formulas whose results are not in the file: they would be read as empty.

        Raises:
            InputError: with the number of such cells.
        """
        with as_archive(), zipfile.ZipFile(path) as z:
            part = _part_of(z, sheet)
        if part in self._parts and (cells := self._parts[part].unstored):
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

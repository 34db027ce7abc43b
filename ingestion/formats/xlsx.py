"""What an XLSX is looked at for before it is opened: its extent, formulas without results, links to others."""

from __future__ import annotations

import posixpath
import re
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from catalog.errors import InputError
from ingestion.formats.kinds import as_archive

MAX_CELLS = 60_000_000
"""Cells of the rectangle a sheet spans; a stray cell in the last corner would span 17 thousand million."""
MAX_PART_BYTES = 16 << 20
MAX_ROWS, MAX_COLUMNS = 1_048_576, 16_384
"""Of a sheet, by the format."""
MAX_TAIL_BYTES = 1 << 20
NEAR_BYTES = 1 << 14
"""Looked through at once: for the widest reference after a wider one was met, for how a writer writes cells."""
_UNSTORED = re.compile(
    rb"<c(?P<attributes>[^>]*)>\s*<f(?:[^>]*/>|[^>]*>[^<]*</f>)\s*(?:<v\s*/>|<v>\s*</v>|<v\s[^>]*/>)?\s*</c>"
)
_EMPTY_TEXT = re.compile(rb"""\bt=["']str["']""")
_ROOT = re.compile(rb"<([A-Za-z_][\w.-]*:)?[A-Za-z_]")
_REFERENCE = re.compile(rb'r="[A-Z]{0,7}([0-9]{1,9})"')
_UNPLACED = re.compile(rb'<c(?:>|\s(?![^<>]*?\br="))')


def external_links(path: Path) -> int:
    """Other workbooks this one refers to; they are never opened, only the stored values are read."""
    with as_archive(), zipfile.ZipFile(path) as z:
        return sum(bool(re.fullmatch(r"xl/externalLinks/[^/]+\.xml", n)) for n in z.namelist())


@dataclass
class _Seen:
    """What the XML of one sheet has shown so far; cells without a value, which only have a style, do not count."""

    rows: int = 0
    columns: int = 0
    unstored: int = 0
    tail: bytes = b""
    """What may be the start of something that the next piece ends."""
    prefix: bytes | None = None
    """Namespace prefix of the elements, ``x:`` as some writers have it; None until the first element."""
    counted: tuple[int, int] = (0, 0)
    """Rows, and cells of the last of them, where cells do not say their place."""

    def look(self, chunk: bytes) -> None:
        data = self.tail + chunk
        if self.prefix is None:
            root = _ROOT.search(data)
            self.prefix = (root.group(1) or b"") if root else None
        if self.prefix:
            data = data.replace(b"<" + self.prefix, b"<").replace(b"</" + self.prefix, b"</")
        cut = data.rfind(b"</c>") + len(b"</c>")
        if cut < len(b"</c>"):
            self.tail = data[max(data.rfind(b"<c"), len(data) - MAX_TAIL_BYTES, 0) :]
            return
        done, self.tail = data[:cut], data[cut:]
        self._reach(done.replace(b"'", b'"') if b"'" in done else done)
        if b"f" in done and b"<f" in done:  # a single byte is found many times faster, and most sheets have none
            self.unstored += sum(not _EMPTY_TEXT.search(m.group("attributes")) for m in _UNSTORED.finditer(done))

    def _reach(self, data: bytes) -> None:
        """How far the cells of ``data`` reach: down to the last of them, right to the widest reference."""
        if _UNPLACED.search(data, 0, NEAR_BYTES):  # a writer gives places to all cells, or to none
            self._count(data)
        place = data.rfind(b'r="')
        while place >= 0 and not _REFERENCE.match(data, place):
            place = data.rfind(b'r="', 0, place)
        if last := _REFERENCE.match(data, max(place, 0)):
            self.rows = max(self.rows, int(last.group(1)))
        pattern = _wider(self.columns)
        while wider := pattern.search(data):
            near = pattern.findall(data, wider.start(), wider.end() + NEAR_BYTES)
            self.columns = max(map(_column, near))
            pattern = _wider(self.columns)

    def _count(self, data: bytes) -> None:
        """Rows and columns of cells that do not say their place: each stands to the right of the one before."""
        rows, cells = self.counted
        for place, row in enumerate(re.split(rb"<row\b", data)):
            rows, cells = (rows, cells) if place == 0 else (rows + 1, 0)
            cells += len(re.findall(rb"<c\b", row))
            self.columns = max(self.columns, cells)
        self.counted = rows, cells
        self.rows = max(self.rows, rows)


@cache
def _wider(columns: int) -> re.Pattern[bytes]:
    """References to the right of the column of that number (1-based), of cells that have a value."""
    letters = _letters(columns)
    more = [rb"[A-Z]{%d,7}" % (len(letters) + 1)] if len(letters) < 7 else [rb"(?!)"]
    for i, letter in enumerate(letters):
        if letter < ord("Z"):
            more.append(letters[:i] + rb"[%c-Z][A-Z]{%d}" % (letter + 1, len(letters) - i - 1))
    return re.compile(rb'r="(' + b"|".join(more) + rb')[0-9]{1,9}"[^>]*(?<!/)>')


def _letters(column: int) -> bytes:
    out = b""
    while column:
        column, letter = divmod(column - 1, 26)
        out = bytes([ord("A") + letter]) + out
    return out


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number


class Look:
    """Looks at the parts of a workbook while they are unpacked: how far its sheets reach, formulas without results."""

    def __init__(self) -> None:
        self._parts: dict[str, _Seen] = {}

    def __call__(self, name: str, chunk: bytes) -> None:
        if name.endswith(".xml") and not name.endswith("sharedStrings.xml"):
            self._parts.setdefault(name, _Seen()).look(chunk)

    def refuse_extent(self) -> None:
        """Refuse a sheet whose cells with a value span a rectangle too large to hold.

        Raises:
            InputError: with the extent.
        """
        for name, seen in self._parts.items():
            rows, columns = seen.rows, max(seen.columns, 1)
            if name.startswith("xl/worksheets/") and (rows > MAX_ROWS or columns > MAX_COLUMNS):
                raise InputError(
                    f"a cell stands in row {rows}, column {columns}, where no sheet has one",
                    hint="the file is damaged; ask for it again, saved by Excel or WPS",
                )
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

"""Writes the files departments send: CSV in old encodings, workbooks, lines of JSON, vector files.

Nothing in a file depends on the clock: workbooks and archives carry fixed times. A file appears
in the drop folder complete, by a rename.
"""

from __future__ import annotations

import csv
import io
import json
import os
import struct
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO

from demo.faults import RawRow, Row

Ring = list[tuple[float, float]]

CGCS2000_PRJ = (
    'GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",DATUM["D_China_2000",'
    'SPHEROID["CGCS2000",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]'
)
ZIP_TIME = (2020, 1, 1, 0, 0, 0)
BATCH = 20_000


class Drop:
    """A drop folder. ``open`` gives a file that takes its place there when it is complete."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._pending = self.folder / ".writing"
        self._pending.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """A binary file for ``path`` (relative, with slashes)."""
        pending = self._pending / Path(path).name
        with pending.open("wb") as f:
            yield f
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(pending, target)

    def write(self, path: str, content: bytes) -> None:
        with self.open(path) as f:
            f.write(content)

    def copy(self, path: str, other: str) -> None:
        """The same bytes under another name."""
        self.write(other, (self.folder / path).read_bytes())

    def close(self) -> None:
        """Remove the folder for files under way; it is empty unless generation failed."""
        if not any(self._pending.iterdir()):
            self._pending.rmdir()


class CsvWriter:
    """Writes records as CSV bytes; a :class:`RawRow` goes out joined with commas as it is."""

    def __init__(self, out: BinaryIO, header: Row, *, encoding: str, eol: str = "\r\n") -> None:
        self._out, self._encoding, self._eol = out, encoding, eol
        if encoding == "utf-8-sig":
            out.write(b"\xef\xbb\xbf")
            self._encoding = "utf-8"
        self.write([header])

    def write(self, rows: Sequence[Row]) -> None:
        for start in range(0, len(rows), BATCH):
            text = io.StringIO()
            table = csv.writer(text, lineterminator=self._eol)
            for row in rows[start : start + BATCH]:
                if isinstance(row, RawRow):
                    text.write(",".join(row) + self._eol)
                else:
                    table.writerow(row)
            self._out.write(text.getvalue().encode(self._encoding))


def csv_file(
    drop: Drop, path: str, header: Sequence[str], rows: Sequence[Row], *, encoding: str = "utf-8", eol: str = "\r\n"
) -> None:
    """One CSV file at once."""
    head = RawRow(header) if header and header[0].startswith('"') else list(header)
    with drop.open(path) as f:
        CsvWriter(f, head, encoding=encoding, eol=eol).write(rows)


def ndjson_file(drop: Drop, path: str, lines: Iterable[str]) -> None:
    with drop.open(path) as f:
        f.write(("\n".join(lines) + "\n").encode("utf-8"))


def json_file(drop: Drop, path: str, document: Any) -> None:
    drop.write(path, json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8"))


class Sheet:
    """One workbook of one sheet, filled by the callers below, saved without a trace of the clock."""

    def __init__(self, name: str, day: date) -> None:
        import xlsxwriter

        self._bytes = io.BytesIO()
        self.book = xlsxwriter.Workbook(self._bytes, {"in_memory": True})
        self.book.set_properties({"created": datetime(day.year, day.month, day.day, 9)})
        self.sheet = self.book.add_worksheet(name)
        self.title = self.book.add_format({"bold": True, "font_size": 16, "align": "center", "valign": "vcenter"})
        self.head = self.book.add_format({"bold": True, "border": 1, "align": "center", "bg_color": "#D9E1F2"})

    def save(self, drop: Drop, path: str) -> None:
        self.book.close()
        drop.write(path, self._bytes.getvalue())


def yearbook_workbook(
    drop: Drop, path: str, *, title: str, header: Sequence[str], rows: Sequence[Row], note: str, day: date
) -> None:
    """A wide sheet of the yearbook: title, header on row 2, numbers as numbers, a note below."""
    made = Sheet("主要指标", day)
    sheet = made.sheet
    sheet.merge_range(0, 0, 0, len(header) - 1, title, made.title)
    sheet.write_row(1, 0, list(header), made.head)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            if _is_number(value):
                sheet.write_number(2 + i, j, float(value))
            else:
                sheet.write_string(2 + i, j, value)
    sheet.write_string(2 + len(rows), 0, note)
    made.save(drop, path)


def _is_number(value: str) -> bool:
    return value.lstrip("-").replace(".", "", 1).isdigit()


def geojson_file(drop: Drop, path: str, features: Sequence[tuple[dict[str, Any], Ring]]) -> None:
    """Polygons in WGS84 longitude and latitude."""
    json_file(
        drop,
        path,
        {
            "type": "FeatureCollection",
            "properties": {"crs": "EPSG:4326", "synthetic": True},
            "features": [
                {
                    "type": "Feature",
                    "properties": properties,
                    "geometry": {"type": "Polygon", "coordinates": [[list(p) for p in ring]]},
                }
                for properties, ring in features
            ],
        },
    )


def shapefile_zip(
    drop: Drop, path: str, layer: str, fields: Sequence[tuple[str, str, int, int]], records: Sequence[tuple[Any, ...]],
    rings: Sequence[Ring], day: date,
) -> None:  # fmt: skip
    """A zipped Shapefile of polygons: GB18030 DBF without ``.cpg``, CGCS2000 ``.prj``.

    Written by hand, because libraries put today's date into the DBF header.

    Args:
        fields: name, type (``C`` or ``N``), width, decimals; rings: counter-clockwise, closed.
    """
    shapes, index, offset = b"", b"", 50
    for i, ring in enumerate(rings, start=1):
        points = ring[::-1]  # outer rings run clockwise in a Shapefile
        body = struct.pack("<i4d2ii", 5, *_bounds([points]), 1, len(points), 0)
        body += b"".join(struct.pack("<2d", *p) for p in points)
        shapes += struct.pack(">2i", i, len(body) // 2) + body
        index += struct.pack(">2i", offset, len(body) // 2)
        offset += 4 + len(body) // 2
    parts = {
        f"{layer}.shp": _shape_header(rings, len(shapes)) + shapes,
        f"{layer}.shx": _shape_header(rings, len(index)) + index,
        f"{layer}.dbf": _dbf(fields, records, day),
        f"{layer}.prj": CGCS2000_PRJ.encode("ascii"),
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name, ZIP_TIME), data, zipfile.ZIP_DEFLATED)
    drop.write(path, content.getvalue())


def _bounds(rings: Sequence[Ring]) -> tuple[float, float, float, float]:
    xs = [x for ring in rings for x, _ in ring]
    ys = [y for ring in rings for _, y in ring]
    return min(xs), min(ys), max(xs), max(ys)


def _shape_header(rings: Sequence[Ring], size: int) -> bytes:
    head = struct.pack(">7i", 9994, 0, 0, 0, 0, 0, (100 + size) // 2)
    return head + struct.pack("<2i", 1000, 5) + struct.pack("<8d", *_bounds(rings), 0, 0, 0, 0)


def _dbf(fields: Sequence[tuple[str, str, int, int]], records: Sequence[tuple[Any, ...]], day: date) -> bytes:
    width = 1 + sum(f[2] for f in fields)
    head = struct.pack("<4BIHH20x", 3, day.year - 1900, day.month, day.day, len(records), 33 + 32 * len(fields), width)
    for name, kind, size, digits in fields:
        head += name.encode("gb18030").ljust(11, b"\0") + kind.encode() + bytes(4) + bytes([size, digits]) + bytes(14)
    rows = b""
    for record in records:
        rows += b" "
        for value, (_, kind, size, digits) in zip(record, fields, strict=True):
            if kind == "N":
                rows += f"{value:.{digits}f}".rjust(size).encode("ascii")
            else:
                rows += str(value).encode("gb18030").ljust(size)
    return head + b"\r" + rows + b"\x1a"

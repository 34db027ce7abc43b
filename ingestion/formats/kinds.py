"""What a file is, told by its content and never by its name, and whether it is safe to open."""

from __future__ import annotations

import codecs
import errno
import gzip
import json
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, cast

from catalog.errors import InputError

Kind = Literal[
    "empty", "xlsx", "xls", "zip", "shapefile-zip", "kmz", "gzip", "tar", "json", "ndjson", "geojson", "topojson",
    "geopackage", "sqlite", "parquet", "dbf", "xml", "kml", "gml", "html", "pdf", "shapefile", "7z", "rar", "bzip2",
    "xz", "zstd",
    "excel-xml", "ods", "document", "text", "binary",
]  # fmt: skip

ARCHIVES: tuple[Kind, ...] = ("zip", "gzip", "tar")
"""Unpacked before they are read."""
PACKED: tuple[Kind, ...] = ("7z", "rar", "bzip2", "xz", "zstd")
"""Packed in a way without a reader."""
MAX_DEFLATE_RATIO = 1032
"""DEFLATE cannot expand further than this."""
MAX_MEMBERS = 10_000
HEAD_BYTES = 1 << 16
PIECE_BYTES = 1 << 17
"""Unpacked of an archive at once."""


def detect_kind(path: Path) -> Kind:
    """What kind of file ``path`` is, by its first bytes (and a zip's list of members)."""
    with path.open("rb") as f:
        head = f.read(HEAD_BYTES)
    if not head[:8192].strip(b"\r\n\t \x00\xef\xbb\xbf"):
        return "empty"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_kind(path)
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return "sqlite" if kind == "geopackage" and head[68:72] not in _GEOPACKAGE else kind
    if head[257:262] == b"ustar":
        return "tar"
    if _is_dbf(head):
        return "dbf"
    wide = _wide_text(head)
    if wide is None and head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        wide = head[: len(head) // 4 * 4].decode("utf-32", "ignore").encode()
    if wide is None and head[:8192].count(0) > min(len(head), 8192) // 4:
        return "binary"
    text = (wide or head).lstrip(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        return _markup_kind(text)
    if text[:1] in (b"{", b"["):
        return _json_kind(path, text)
    return "text"


_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls"),
    (b"SQLite format 3\x00", "geopackage"),
    (b"PAR1", "parquet"),
    (b"\x1f\x8b", "gzip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"%PDF", "pdf"),
    (b"\x00\x00\x27\x0a", "shapefile"),
)
_GEOPACKAGE = (b"GPKG", b"GP10", b"GP11")

_NAMES: dict[str, str] = {
    "xlsx": "an Excel workbook (XLSX)",
    "xls": "an Excel 97-2003 workbook (XLS)",
    "excel-xml": "an Excel 2003 workbook written as XML",
    "zip": "a ZIP archive",
    "shapefile-zip": "a zipped Shapefile",
    "kmz": "a KMZ map",
    "gzip": "a GZIP archive",
    "tar": "a TAR archive",
    "json": "a JSON document",
    "ndjson": "lines of JSON (NDJSON)",
    "geojson": "GeoJSON",
    "topojson": "TopoJSON",
    "geopackage": "a GeoPackage",
    "sqlite": "a SQLite database",
    "parquet": "a Parquet file",
    "dbf": "a dBASE table (DBF)",
    "xml": "XML",
    "kml": "a KML map",
    "gml": "GML",
    "html": "a web page (HTML)",
    "pdf": "a PDF document",
    "shapefile": "the .shp part of a Shapefile",
    "ods": "an OpenDocument workbook (ODS)",
    "document": "a document of text or slides",
    "text": "delimited text",
    "binary": "a binary file of an unknown kind",
    "empty": "empty",
} | {k: f"a {k} archive" for k in PACKED}

_READ_AS: dict[str, tuple[str, ...]] = {
    "csv": ("text", "json", "ndjson", "geojson", "topojson"),
    "fixed": ("text", "json", "ndjson"),
    "excel": ("xlsx", "xls", "excel-xml", "html"),
    "json": ("json", "ndjson", "geojson", "topojson"),
    "ndjson": ("ndjson", "json", "geojson", "topojson"),
    "xml": ("xml", "excel-xml", "kml", "gml"),
    "dbf": ("dbf",),
    "parquet": ("parquet",),
    "vector": ("geojson", "topojson", "shapefile-zip", "geopackage", "kml", "kmz", "gml"),
}
_CURE_TYPE = {
    "xlsx": "excel", "xls": "excel", "excel-xml": "excel", "text": "csv", "json": "json", "ndjson": "ndjson",
    "xml": "xml", "dbf": "dbf",
    "parquet": "parquet", "geojson": "vector", "topojson": "vector", "shapefile-zip": "vector",
    "geopackage": "vector", "kml": "vector",
    "kmz": "vector", "gml": "vector",
}  # fmt: skip
_CURE_KIND = {
    "pdf": "ask the department for the table itself, not its print",
    "html": "the download was a web page, not data: ask for the file itself",
    "sqlite": "ask for the table as CSV or GeoPackage",
    "shapefile": "ask for all parts (.shp .shx .dbf .prj) in one ZIP",
    "ods": "ask for it saved as XLSX",
    "document": "ask the department for the table itself, as XLSX or CSV",
} | dict.fromkeys(PACKED, "ask for it packed as ZIP, or not at all")


def check_kind(path: Path, declared: str) -> Kind:
    """The kind of ``path``, when a reader of format type ``declared`` can read it; an archive is looked into later.

    Raises:
        InputError: it is something else; the message names what it is and the hint the cure.
    """
    kind = detect_kind(path)
    if kind == "empty" or kind in ARCHIVES or kind in _READ_AS[declared]:
        return kind
    cure = f"set format.type to {_CURE_TYPE[kind]} if this is how it comes" if kind in _CURE_TYPE else ""
    cure = cure or _CURE_KIND.get(kind, "it cannot be read as it is")
    raise InputError(
        f"the file is {_NAMES[kind]}, not {declared}, whatever its name says",
        hint=f"{cure}, or ask the department for the agreed format",
        kind=kind,
    )


_DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, NotImplementedError, struct.error,
)  # fmt: skip


@contextmanager
def as_archive() -> Iterator[None]:
    """What Python's archive modules raise at damage comes out as an InputError; faults of the disk as they are."""
    try:
        yield
    except (*_DAMAGED, OSError) as e:
        # a place that a damaged list of members points to is no place of the file
        if isinstance(e, OSError) and not isinstance(e, _DAMAGED) and e.errno != errno.EINVAL:
            raise
        told = type(e).__name__ if isinstance(e, OSError) else str(e) or type(e).__name__
        raise InputError(
            f"the archive is damaged or cut short: {told}", hint="ask the department to send the file again"
        ) from e


def check_archive(path: Path, limit_mb: int, look: Callable[[str, bytes], None] | None = None) -> None:
    """Refuse an archive (XLSX is one) that would unpack to more than ``limit_mb``, or whose names escape.

    The sizes an archive states may lie, so members that could exceed the limit are unpacked and counted.

    Args:
        look: shown every member's name and bytes, a piece at a time, for unpacking once is enough.

    Raises:
        InputError: too big, damaged, encrypted, too many members, or an unsafe member name.
    """
    limit = limit_mb * 1_000_000
    with as_archive(), zipfile.ZipFile(path) as z:
        members = z.infolist()
        if len(members) > MAX_MEMBERS:
            raise InputError(
                f"the archive has {len(members)} members, more than {MAX_MEMBERS}", hint="ask for fewer files"
            )
        for m in members:
            parts = m.filename.replace("\\", "/").split("/")
            if m.filename.startswith(("/", "\\")) or ".." in parts:
                raise InputError("a member name of the archive leaves its folder", hint="refuse this delivery")
            if m.flag_bits & 1:
                raise InputError("the archive is encrypted", hint="ask the department to send it without password")
        if sum(m.file_size for m in members) > limit:
            raise bomb(limit_mb)
        if look is not None or sum(m.compress_size for m in members) * MAX_DEFLATE_RATIO > limit:
            _count_unpacked(z, members, limit_mb, look)


def _count_unpacked(
    z: zipfile.ZipFile, members: list[zipfile.ZipInfo], limit_mb: int, look: Callable[[str, bytes], None] | None
) -> None:
    total, limit = 0, limit_mb * 1_000_000
    for m in members:
        with cast(zipfile.ZipExtFile, z.open(m)) as f:
            while chunk := f.read1(PIECE_BYTES):  # read() joins what it reads, at half the speed
                total += len(chunk)
                if total > limit:
                    raise bomb(limit_mb)
                if look is not None:
                    look(m.filename, chunk)


def bomb(limit_mb: int) -> InputError:
    """The error of an archive that is too big unpacked."""
    return InputError(
        f"the archive unpacks to more than {limit_mb} MB (a zip bomb, or a very large file)",
        hint="if the file is genuine, raise format.max_uncompressed_mb in the contract",
    )


def _zip_kind(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as z:
            names = [n.lower() for n in z.namelist()]
            told = [m for m in z.infolist()[:1] if m.filename == "mimetype" and m.file_size < 100]
            said = b"".join(z.read(m) for m in told if not m.flag_bits & 1)  # first in every OpenDocument file
    except zipfile.BadZipFile as e:
        raise InputError(
            f"the file starts like a ZIP archive or XLSX but is damaged or cut short: {e}",
            hint="ask the department to send the file again",
        ) from e
    if any(n.startswith("xl/") for n in names):
        return "xlsx"
    if any(n.endswith(".shp") for n in names):
        return "shapefile-zip"
    if "doc.kml" in names:
        return "kmz"
    if said.startswith(b"application/vnd.oasis.opendocument"):
        return "ods" if b"spreadsheet" in said else "document"
    if "word/document.xml" in names or "ppt/presentation.xml" in names:
        return "document"
    return "zip"


def _is_dbf(head: bytes) -> bool:
    """A dBASE header: version, a date, and a length that is a whole number of field descriptions."""
    if len(head) < 65 or head[0] not in (0x02, 0x03, 0x04, 0x05, 0x30, 0x31, 0x32, 0x43, 0x83, 0x8B, 0xCB, 0xF5):
        return False
    if not (head[2] <= 12 and head[3] <= 31):
        return False
    size = int.from_bytes(head[8:10], "little")
    return size >= 65 and (size - 1) % 32 in (0, 7, 8) and int.from_bytes(head[10:12], "little") > 0


def _wide_text(head: bytes) -> bytes | None:
    """The start of a UTF-16 text as UTF-8, None when it is not one."""
    from ingestion.formats.text import utf16_of

    name = utf16_of(head)
    return head[: len(head) // 2 * 2].decode(name, "ignore").encode("utf-8", "ignore") if name else None


def _markup_kind(text: bytes) -> Kind:
    start = text[:4096].lower()
    if b"<kml" in start:
        return "kml"
    if b"urn:schemas-microsoft-com:office:spreadsheet" in start and re.search(rb"<(?:\w+:)?workbook\b", start):
        return "excel-xml"
    if _is_page(start):
        return "html"
    return "gml" if b"opengis.net/gml" in start or b"opengis.net/wfs" in start else "xml"


_ROOT = re.compile(rb"(?:<\?.*?\?>|<!--.*?-->|<!doctype[^>]*>|\s)*<([a-z0-9:]+)", re.DOTALL)


def _is_page(start: bytes) -> bool:
    """Whether markup is a web page or a piece of one; data may have elements called head or table, too."""
    root = _ROOT.match(start)
    if re.search(rb"<!doctype html|<html", start) or (root and root.group(1) in (b"head", b"body", b"table", b"style")):
        return True
    return not start.startswith(b"<?xml") and re.search(rb"<table|<body", start) is not None


_GEOJSON_TYPES = "FeatureCollection|Feature|GeometryCollection|(?:Multi)?(?:Polygon|Point|LineString)"
_TOPOLOGY = re.compile(rb'"type"\s*:\s*"Topology"')
_SHAPE = re.compile(rf'\{{\s*"type"\s*:\s*"(?:{_GEOJSON_TYPES})"'.encode())
_GEOJSON = re.compile(rf'"type"\s*:\s*"(?:{_GEOJSON_TYPES})"'.encode())


def _json_kind(path: Path, text: bytes) -> Kind:
    first, _, rest = text.partition(b"\n")
    if first.strip().startswith(b"{") and rest.strip():
        for encoding in ("utf-8", "gb18030"):
            try:
                json.loads(first.decode(encoding))
            except ValueError:
                continue
            return "ndjson"
    if text.startswith(b"{") and (
        _TOPOLOGY.search(text[:4096]) or (b'"arcs"' in text and _TOPOLOGY.search(_tail(path)))
    ):
        return "topojson"
    return "geojson" if _is_geojson(path, text) else "json"


def _tail(path: Path) -> bytes:
    with path.open("rb") as f:
        f.seek(max(0, path.stat().st_size - 4096))
        return f.read()


def _is_geojson(path: Path, text: bytes) -> bool:
    """GeoJSON may name its type after megabytes of features."""
    if not text.startswith(b"{") or b"gdal_streamed_alg" in text:  # a program for GDAL to run is no map
        return False
    if _SHAPE.match(text):
        return True
    if b'"FeatureCollection"' in text[:4096]:
        return True
    tail = _tail(path)
    return (
        b'"features"' in text
        and b"gdal_streamed_alg" not in tail
        and (_GEOJSON.search(text) or _GEOJSON.search(tail)) is not None
    )

"""What a file is, told by its content and never by its name, and whether it is safe to open."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Literal

from catalog.errors import InputError

Kind = Literal[
    "empty", "xlsx", "xls", "zip", "shapefile-zip", "gzip", "json", "ndjson", "geojson", "geopackage",
    "parquet", "xml", "html", "pdf", "shapefile", "text", "binary",
]  # fmt: skip

MAX_DEFLATE_RATIO = 1032
"""DEFLATE cannot expand further than this."""
MAX_MEMBERS = 10_000


def detect_kind(path: Path) -> Kind:
    """What kind of file ``path`` is, by its first bytes (and a zip's list of members)."""
    with path.open("rb") as f:
        head = f.read(8192)
    if not head.strip(b"\r\n\t \x00\xef\xbb\xbf"):
        return "empty"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_kind(path)
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    text = head.lstrip(b"\xef\xbb\xbf").lstrip()
    low = text[:200].lower()
    if low.startswith((b"<!doctype html", b"<html")):
        return "html"
    if low.startswith(b"<"):
        return "xml"
    if text[:1] in (b"{", b"["):
        return _json_kind(path, text)
    if head.count(0) > len(head) // 4 and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        from ingestion.formats.text import _utf16_by_nuls

        return "text" if _utf16_by_nuls(head) else "binary"
    return "text"


_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls"),
    (b"SQLite format 3\x00", "geopackage"),
    (b"PAR1", "parquet"),
    (b"\x1f\x8b", "gzip"),
    (b"%PDF", "pdf"),
    (b"\x00\x00\x27\x0a", "shapefile"),
)

_NAMES: dict[str, str] = {
    "xlsx": "an Excel workbook (XLSX)",
    "xls": "an Excel 97-2003 workbook (XLS)",
    "zip": "a ZIP archive",
    "shapefile-zip": "a zipped Shapefile",
    "gzip": "a GZIP archive",
    "json": "a JSON document",
    "ndjson": "lines of JSON (NDJSON)",
    "geojson": "GeoJSON",
    "geopackage": "a GeoPackage",
    "parquet": "a Parquet file",
    "xml": "XML",
    "html": "a web page (HTML)",
    "pdf": "a PDF document",
    "shapefile": "the .shp part of a Shapefile",
    "text": "delimited text",
    "binary": "a binary file of an unknown kind",
    "empty": "empty",
}

_READ_AS: dict[str, tuple[str, ...]] = {
    "csv": ("text", "json", "ndjson", "geojson"),
    "excel": ("xlsx", "xls"),
    "json": ("json", "ndjson", "geojson"),
    "ndjson": ("ndjson", "json", "geojson"),
    "vector": ("geojson", "shapefile-zip", "geopackage", "json", "zip", "xml"),
}
_CURE_TYPE = {
    "xlsx": "excel", "xls": "excel", "text": "csv", "json": "json", "ndjson": "ndjson",
    "geojson": "vector", "shapefile-zip": "vector", "geopackage": "vector",
}  # fmt: skip


def check_kind(path: Path, declared: str) -> Kind:
    """The kind of ``path``, when a reader of format type ``declared`` can read it.

    Raises:
        InputError: it is something else; the message names what it is and the hint the cure.
    """
    kind = detect_kind(path)
    if kind == "empty" or kind in _READ_AS[declared]:
        return kind
    cure = f"set format.type to {_CURE_TYPE[kind]} if this is how it comes" if kind in _CURE_TYPE else ""
    raise InputError(
        f"the file is {_NAMES[kind]}, not {declared}, whatever its name says",
        hint=f"{cure or 'it cannot be read as it is'}, or ask the department for the agreed format",
        kind=kind,
    )


def check_archive(path: Path, limit_mb: int) -> None:
    """Refuse an archive (XLSX is one) that would unpack to more than ``limit_mb``, or whose names escape.

    The sizes an archive states may lie, so members that could exceed the limit are unpacked and counted.

    Raises:
        InputError: too big, damaged, encrypted, too many members, or an unsafe member name.
    """
    limit = limit_mb * 1_000_000
    try:
        with zipfile.ZipFile(path) as z:
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
                raise _bomb(limit_mb)
            if sum(m.compress_size for m in members) * MAX_DEFLATE_RATIO > limit:
                _count_unpacked(z, members, limit, limit_mb)
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as e:
        raise InputError(
            f"the archive is damaged or cut short: {e}", hint="ask the department to send the file again"
        ) from e


def _count_unpacked(z: zipfile.ZipFile, members: list[zipfile.ZipInfo], limit: int, limit_mb: int) -> None:
    total = 0
    for m in members:
        with z.open(m) as f:
            while chunk := f.read(1 << 20):
                total += len(chunk)
                if total > limit:
                    raise _bomb(limit_mb)


def _bomb(limit_mb: int) -> InputError:
    return InputError(
        f"the archive unpacks to more than {limit_mb} MB (a zip bomb, or a very large file)",
        hint="if the file is genuine, raise format.max_uncompressed_mb in the contract",
    )


def _zip_kind(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as z:
            names = [n.lower() for n in z.namelist()]
    except zipfile.BadZipFile as e:
        raise InputError(
            f"the file starts like a ZIP archive or XLSX but is damaged or cut short: {e}",
            hint="ask the department to send the file again",
        ) from e
    if any(n.startswith("xl/") for n in names):
        return "xlsx"
    if any(n.endswith(".shp") for n in names):
        return "shapefile-zip"
    return "zip"


def _json_kind(path: Path, text: bytes) -> Kind:
    head = text[:4096]
    if b'"FeatureCollection"' in head:
        return "geojson"
    first = text.split(b"\n", 1)[0].strip()
    if first.startswith(b"{") and b"\n" in text:
        try:
            json.loads(first)
        except ValueError:
            return "json"
        return "ndjson" if text.split(b"\n", 1)[1].strip() else "json"
    return "json"

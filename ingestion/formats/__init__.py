"""Readers of what departments send: one module a format type, found by content, streaming.

``open_file`` is what a load uses; ``detect_kind``, ``detect_encoding``, ``find_header`` and
``read_preview`` are for whoever looks at a file before there is a contract.
"""

from __future__ import annotations

from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from catalog.errors import InputError
from catalog.model import Format
from ingestion.formats.base import Opened
from ingestion.formats.header import Header, Wanted, find_header
from ingestion.formats.kinds import ARCHIVES, Kind, check_kind, detect_kind
from ingestion.formats.text import Utf8Reader, detect_encoding, resolve_encoding

__all__ = [
    "Header", "Kind", "Opened", "Utf8Reader", "Wanted", "check_kind", "detect_encoding", "detect_kind", "find_header",
    "open_file", "read_preview", "resolve_encoding",
]  # fmt: skip


def open_file(path: Path, fmt: Format, wanted: Wanted, *, scratch: Path | None = None, **options: Any) -> Opened:
    """Open ``path`` with the reader of ``fmt.type``, unpacked before when it is an archive.

    Args:
        scratch: folder to unpack archives below; the system's temporary folder when None.

    Raises:
        InputError: the content is not of that type, or cannot be read as the contract says.
    """
    kind = check_kind(path, fmt.type)
    if kind in ARCHIVES:
        from ingestion.formats import archive

        return archive.read(path, fmt, wanted, kind, scratch=scratch, **options)
    module = import_module(f"ingestion.formats.{fmt.type}")
    opened: Opened = module.read(path, fmt, wanted, **options)
    return opened


def read_preview(path: Path, rows: int = 50, *, delimiter: str = ",", sheet: str | int = 0) -> list[list[str]]:
    """The first ``rows`` rows of delimited text or of a sheet, as text, before any header is known.

    Raises:
        InputError: the content is neither.
    """
    kind = detect_kind(path)
    if kind in ("xlsx", "xls", "excel-xml"):
        from ingestion.formats.excel import open_sheet, text

        opened = open_sheet(path, Format(type="excel", sheet=sheet))
        return [[text(c) or "" for c in row] for row in islice(opened.iter_rows(), rows)]
    if kind == "empty":
        return []
    if kind not in ("text", "json", "ndjson"):
        raise InputError(f"a preview of {kind} has no rows", hint="open it with its own reader")
    from ingestion.formats.csv import split_head

    with Utf8Reader(path, resolve_encoding(path, "auto")) as stream:
        head = stream.read(2 << 20).decode("utf-8", "ignore")
    return split_head(head, Format(type="csv", delimiter=delimiter), rows)[0]

"""dBASE tables (DBF) alone, without a Shapefile: what registers and old GIS still export.

Read here and not through GDAL, which tells the type by the file's name, rounds numbers of more than 18
digits and drops what follows a cut: numbers keep the digits they are written with, and every record
that the header counts is found. Text is GB18030 unless the header or the contract says otherwise.
"""

from __future__ import annotations

import datetime as dt
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from catalog.errors import InputError
from catalog.model import Format
from ingestion.formats.base import BAD_RECORD, CUT, Opened, rows_to_batches
from ingestion.formats.header import Wanted, unique_columns
from ingestion.formats.text import FALLBACK, resolve_encoding

BLOCK_RECORDS = 4096
PROBE_RECORDS = 20_000
_DRIVERS = {0x4D: "gb18030", 0x7A: "gb18030", 0x78: "big5", 0x03: "cp1252", 0x01: "cp437", 0x02: "cp850"}
"""Language drivers; 0x4D and 0x7A are the Chinese code page 936. A wrong western one is common, so it is doubted."""
_TEXT, _MEMO = "C", frozenset("MGPBW")
_DELETED = b"*"


class Column(NamedTuple):
    """A field description: its bytes within a record, and its type's letter."""

    name: bytes
    kind: str
    start: int
    width: int


class Table(NamedTuple):
    """A table's header."""

    columns: tuple[Column, ...]
    records: int
    first: int
    length: int
    driver: int
    foxpro: bool


def read(path: Path, fmt: Format, wanted: Wanted) -> Opened:
    """Open a DBF table; deleted records are left out and counted in ``about``.

    Raises:
        InputError: the header is damaged, or has too many columns.
    """
    table = read_header(path)
    if len(table.columns) > fmt.max_columns:
        raise InputError(
            f"the table has {len(table.columns)} columns, more than {fmt.max_columns}",
            hint="ask for the agreed columns, or raise format.max_columns",
        )
    encoding = resolve_encoding(path, fmt.encoding) if fmt.encoding != "auto" else _encoding(path, table)
    names = unique_columns([c.name.decode(encoding, "replace") for c in table.columns])
    about: dict[str, Any] = {"encoding": encoding, "records_stated": table.records, "deleted_rows": 0}
    if memos := [n for n, c in zip(names, table.columns, strict=True) if _is_memo(c, table)]:
        about["memo_columns_left_out"] = memos
    return Opened(names, rows_to_batches(_rows(path, table, encoding, about), len(names)), about)


def read_header(path: Path) -> Table:
    """The header of a DBF file.

    Raises:
        InputError: it is damaged.
    """
    with path.open("rb") as f:
        start = f.read(32)
        version, records, first, length = struct.unpack("<B3xIHH", start[:12])
        described = f.read(max(0, first - 32))
    columns: list[Column] = []
    at = 1
    for i in range(0, len(described) - 31, 32):
        one = described[i : i + 32]
        if one[0] == 0x0D:
            break
        kind = chr(one[11])
        width = one[16] | (one[17] << 8) if kind == _TEXT else one[16]
        columns.append(Column(one[:11].split(b"\0")[0], kind, at, width))
        at += width
    if not columns or at != length or any(not c.name or not c.width for c in columns):
        raise InputError(
            f"the header of the DBF is damaged: its columns take {at} bytes, a record {length}",
            hint="ask the department to send the file again",
        )
    if not records:  # written by a program that did not come back to fill it in
        records = max(0, path.stat().st_size - first) // length
    return Table(tuple(columns), records, first, length, start[29], version in (0x30, 0x31, 0x32))


def _is_memo(column: Column, table: Table) -> bool:
    return column.kind in _MEMO and not (column.kind == "B" and table.foxpro)


def _encoding(path: Path, table: Table) -> str:
    """The codec of the texts: Big5 when the header says so, UTF-8 when they are, else GB18030.

    The western code pages of the header are not believed: they are what a program writes that does not care.
    """
    stated = _DRIVERS.get(table.driver, "")
    if stated == "big5":
        return stated
    names = b"".join(c.name for c in table.columns)
    sample = names + b" ".join(
        record[c.start : c.start + c.width]
        for record in _raw_records(path, table, PROBE_RECORDS)
        for c in table.columns
        if c.kind == _TEXT
    )
    if sample.isascii():
        return "gb18030" if stated == FALLBACK else "utf-8"
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError:
        return FALLBACK
    return "utf-8"


def _raw_records(path: Path, table: Table, limit: int | None = None) -> Iterator[bytes]:
    """The records the header counts; the last may be shorter when the file is cut."""
    left = table.records if limit is None else min(limit, table.records)
    with path.open("rb") as f:
        f.seek(table.first)
        while left > 0 and (block := f.read(table.length * min(BLOCK_RECORDS, left))):
            for i in range(0, len(block), table.length):
                if block[i] == 0x1A and len(block) - i < table.length:
                    return
                left -= 1
                yield block[i : i + table.length]


def _rows(
    path: Path, table: Table, encoding: str, about: dict[str, Any]
) -> Iterator[tuple[int, Any, str | None, str | None]]:
    readers = [_reader(c, table, encoding) for c in table.columns]
    spans = [(c.start, c.start + c.width) for c in table.columns]
    number = 0
    for record in _raw_records(path, table):
        if record[:1] == _DELETED:
            about["deleted_rows"] += 1
            continue
        number += 1
        if len(record) < table.length:
            yield number, None, CUT, _raw(record, encoding)
            continue
        try:
            values = [r(record[a:b]) for r, (a, b) in zip(readers, spans, strict=True)]
        except (UnicodeDecodeError, ValueError, OverflowError, struct.error):
            yield number, None, BAD_RECORD, _raw(record, encoding)
            continue
        yield number, values, None, None
    missing = table.records - number - about["deleted_rows"]
    if missing > 0:
        raise InputError(
            f"the table states {table.records} records, but {missing} are missing at its end",
            hint="the file is cut short: ask the department to send it again",
            row=number,
        )


def _raw(record: bytes, encoding: str) -> str:
    return json.dumps({"_line": record.decode(encoding, "replace").rstrip()}, ensure_ascii=False)


def _reader(column: Column, table: Table, encoding: str) -> Callable[[bytes], str | None]:
    """How the bytes of a column become text; raises ValueError for what is not of its type."""
    if _is_memo(column, table):
        return lambda _: None
    if column.kind == "D":
        return _date
    if column.kind in "I+" and column.width == 4:
        return lambda b: str(struct.unpack("<i", b)[0])
    if column.kind == "Y" and column.width == 8:
        return lambda b: f"{struct.unpack('<q', b)[0] / 10_000:.4f}"
    if column.kind in "BO" and column.width == 8:
        return lambda b: repr(struct.unpack("<d", b)[0])
    if column.kind in "T@" and column.width == 8:
        return _moment
    if column.kind in "NF":
        return _number
    if column.kind == "L":
        return lambda b: None if b in (b"?", b" ", b"\0") else b.decode("ascii")
    return lambda b: b.rstrip(b"\0 ").decode(encoding)


def _number(value: bytes) -> str | None:
    text = value.strip(b" \0").decode("ascii")
    return None if not text or set(text) == {"*"} else text


def _date(value: bytes) -> str | None:
    text = value.strip(b" \0").decode("ascii")
    if not text or text == "00000000":
        return None
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 else text


def _moment(value: bytes) -> str | None:
    """Days since the Julian epoch and milliseconds of the day."""
    day, milliseconds = struct.unpack("<ii", value)
    if not day:
        return None
    moment = dt.datetime.min + dt.timedelta(days=day - 1721426, milliseconds=milliseconds)
    return moment.isoformat(" ", "seconds")

"""A feed of a given format, files of such formats, and how a delivery is refused: what tests of formats share."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import pyarrow as pa

Build = Callable[[str], Any]

FIELDS = """
load: {mode: snapshot}
elements:
  note: {label: 备注, grade: 1}
  big_id: {label: 编码, grade: 1}
  seen_at: {label: 时间, type: timestamp, grade: 1}
fields:
"""


def house_of(build: Build, contracts: dict[str, str], fmt: str, fields: str, more: str = "") -> Any:
    return build(contracts["head"] + f"format: {{{fmt}}}" + FIELDS + fields + more)


def refused(result: Any, *words: str) -> None:
    assert result.verdict == "stopped", result
    assert result.rows_loaded == 0
    for word in words:
        assert word in result.message, result.message


def xml(*records: str, encoding: str = "UTF-8", head: str = "") -> str:
    body = "".join(f"  {r}\n" for r in records)
    return f'<?xml version="1.0" encoding="{encoding}"?>\n{head}<root xmlns="urn:x"><meta><at>1</at></meta><list>\n{body}</list></root>\n'


def gauge(name: str, value: object, unit: str = "毫米") -> str:
    return f'<gauge id="{name}"><rain unit="{unit}"><value>{value}</value></rain></gauge>'


def dbf(
    columns: list[tuple[str, str, int]], rows: list[list[bytes]], *, encoding: str = "gb18030", driver: int = 0,
    version: int = 3, stated: int | None = None,
) -> bytes:  # fmt: skip
    described, length = b"", 1
    for name, kind, width in columns:
        described += (
            name.encode(encoding).ljust(11, b"\0")[:11] + kind.encode() + b"\0" * 4 + bytes([width]) + b"\0" * 15
        )
        length += width
    count = len(rows) if stated is None else stated
    head = struct.pack("<BBBBIHH", version, 126, 8, 1, count, 33 + len(described), length).ljust(29, b"\0") + bytes(
        [driver]
    )
    body = b""
    for row in rows:
        flag, cells = (b"*", row[1:]) if row[0] == b"*" else (b" ", row)
        body += flag + b"".join(
            c.ljust(w) if k == "C" else c.rjust(w) for c, (_, k, w) in zip(cells, columns, strict=True)
        )
    return head.ljust(32, b"\0") + described + b"\r" + body + b"\x1a"


DBF_COLUMNS = [("编号", "C", 10), ("雨量", "N", 8), ("编码", "N", 20), ("日期", "D", 8), ("有效", "L", 1)]


def dbf_row(name: str, value: str = "1.5", encoding: str = "gb18030") -> list[bytes]:
    return [name.encode(encoding), value.encode(), b"11010219800101001234", b"20240131", b"T"]


def parquet(table: dict[str, Any], **options: Any) -> bytes:
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table(table), out, **options)
    return out.getvalue()

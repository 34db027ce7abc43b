"""One person's records taken out of delivered files, so that no replay or rebuild from landing can bring them back.

Where a feed is about persons the whole record is blanked, and stays as a blank record so that record numbers keep
their meaning; elsewhere the number alone is starred out. What cannot be rewritten is withdrawn whole.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from catalog.errors import LakehouseError
from catalog.model import Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion import landing
from ingestion.landed_records import LandedRecords, is_clean
from ingestion.landing import Receipt
from warehouse.erase_person import Person, holds

NOTHING = LandedRecords()
WITHDRAWN = "withdrawn"
LONGEST_RECORD = 50
"""Lines a quoted CSV record may span; beyond that a quote is taken for a stray one."""


def is_about_persons(catalog: Catalog, feed: Feed) -> bool:
    """Whether a record of the feed is a person: it has a field that gets a pseudonym."""
    return any(f.element.pseudonym for f in catalog.fields(feed))


def records_of(settings: Settings, catalog: Catalog, feed: Feed, receipt: Receipt, person: Person) -> list[int]:
    """Record numbers in a landed file that hold the person, as its reader counts them; none when it cannot be read."""
    from ingestion.formats import Wanted, open_file

    path = landing.landed_file(settings, receipt)
    if receipt.duplicate_of or not path.is_file() or not holds(path, person):
        return []
    try:
        opened = open_file(path, feed.format, Wanted.of(feed))
    except LakehouseError:
        return []
    found: list[int] = []
    try:
        for batch in opened.batches:
            for row in batch.to_pylist():
                number = row.pop("_row_number")
                if any(person.in_text(v) for v in row.values()):
                    found.append(int(number))
    except LakehouseError:
        return found  # a broken file: what follows the fault was never loaded
    finally:
        opened.close()
    return found


def redact_landed(
    settings: Settings,
    catalog: Catalog,
    feed: Feed,
    receipt: Receipt,
    person: Person,
    linked: LandedRecords = NOTHING,
    *,
    erasure: str,
    at: datetime,
) -> dict[str, Any] | None:
    """Rewrite a landed file without the person; its receipt keeps the first sha256 and notes the new one.

    Args:
        linked: records of the person without a number.

    Returns:
        what was done, or None when the file holds no trace.
    """
    path = landing.landed_file(settings, receipt)
    if receipt.duplicate_of or not path.is_file() or not (linked or holds(path, person)):
        return None
    data, records, how = _rewritten(path, feed, person, linked, whole=is_about_persons(catalog, feed))
    if linked and how != WITHDRAWN and not _reads_clean(settings, path.name, data, feed, linked, person):
        data, records, how = b"", 0, WITHDRAWN
    digest = hashlib.sha256(data).hexdigest()
    note = {"erasure": erasure, "at": at.isoformat(), "sha256": digest, "size": len(data), "records": records}
    noted = receipt.model_copy(update={"redactions": (*receipt.redactions, note)})
    # the note first: a crash in between leaves a receipt that promises a file the next run will write
    landing.write_durably(path.parent / landing.RECEIPT, noted.model_dump_json(indent=1).encode())
    times = path.stat()
    landing.write_durably(path, data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return {"file": f"{receipt.feed}/{receipt.id}", "records": records, "how": how,
            "sha256_before": receipt.sha256, "sha256_after": digest}  # fmt: skip


def _reads_clean(settings: Settings, name: str, data: bytes, feed: Feed, linked: LandedRecords, person: Person) -> bool:
    """Whether the feed's reader finds none of the records in the new bytes, and all others."""
    settings.build.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=settings.build) as folder:
        (path := Path(folder) / name).write_bytes(data)
        return is_clean(path, feed, linked, person)


def _rewritten(path: Path, feed: Feed, person: Person, linked: LandedRecords, *, whole: bool) -> tuple[bytes, int, str]:
    """New bytes, records touched, and how: ``records blanked``, ``values starred`` or ``withdrawn``."""
    if whole and feed.format.explode:  # an emptied record would move the numbers of all that come after it
        return b"", 0, WITHDRAWN
    data = path.read_bytes()
    blank: tuple[bytes, int] | None = None
    if data[:2] == b"PK" and feed.format.type == "excel":
        blank = _excel(data, person, linked, whole=whole)
    elif data[:2] not in (b"PK", b"\xd0\xcf", b"\xff\xfe", b"\xfe\xff") and not _is_packed(data):
        if feed.format.type == "csv":
            blank = _lines(data, person, feed.format.delimiter, linked, whole=whole)
        elif feed.format.type == "ndjson":
            blank = _lines(data, person, None, linked, whole=whole)
        elif feed.format.type == "json":
            blank = _json(data, person, feed.format.records, linked, whole=whole)
    if blank is not None and not person.in_bytes(blank[0]):
        return *blank, "records blanked" if whole else "values starred"
    starred = person.redact(data)
    if not linked and data[:2] != b"PK" and not _is_packed(data) and not whole and not person.in_bytes(starred):
        return starred, 1, "values starred"
    return b"", 0, WITHDRAWN


def _is_packed(data: bytes) -> bool:
    """Whether what stands in the bytes cannot be changed in place: gzip, tar, Parquet."""
    return data[:2] == b"\x1f\x8b" or data[257:262] == b"ustar" or data[:4] == b"PAR1"


def _lines(
    data: bytes, person: Person, delimiter: str | None, linked: LandedRecords, *, whole: bool
) -> tuple[bytes, int]:
    """CSV (with a delimiter) or NDJSON. Quotes and line ends are never second bytes in UTF-8 or GB18030."""
    out, touched, pending = [], 0, list[bytes]()
    between = delimiter.encode() if delimiter is not None else b""

    def is_linked(record: bytes) -> bool:
        return bool(linked) and (linked.has_json(record) if delimiter is None else linked.has_line(record, delimiter))

    def flush(lines: list[bytes]) -> int:
        record = b"".join(lines)
        if not person.in_bytes(record) and not is_linked(record):
            out.append(record)
            return 0
        if not whole:
            out.append(person.redact(record))
        else:
            end = record[len(record.rstrip(b"\r\n")) :]
            empty = b"{}" if delimiter is None else between * max(1, record.split(b"\n")[0].count(between))
            out.append(empty + end)
        return 1

    for line in data.splitlines(keepends=True) if b"\n" not in data else data.split(b"\n"):
        piece = line if b"\n" not in data else line + b"\n"
        pending.append(piece)
        closed = delimiter is None or sum(p.count(b'"') for p in pending) % 2 == 0
        if closed:
            touched += flush(pending)
            pending = []
        elif len(pending) > LONGEST_RECORD:
            touched += sum(flush([p]) for p in pending)
            pending = []
    touched += sum(flush([p]) for p in pending)
    joined = b"".join(out)
    return (joined[:-1] if b"\n" in data and joined.endswith(b"\n") else joined), touched


def _json(data: bytes, person: Person, records: str, linked: LandedRecords, *, whole: bool) -> tuple[bytes, int] | None:
    from ingestion.formats.json import as_text

    if not whole:
        return person.redact(data), 1
    try:
        document = json.loads(data)
    except ValueError:
        return None
    holder: Any = document
    for step in [s for s in records.split(".") if s]:
        holder = holder[step]
    if not isinstance(holder, list):
        return None
    touched = 0
    for i, record in enumerate(holder):
        is_list = isinstance(record, list)
        has = linked.has_cells(map(as_text, record)) if is_list else linked.has_object(record)
        if has or person.in_text(json.dumps(record, ensure_ascii=False)):
            holder[i], touched = [None] * len(record) if is_list else {}, touched + 1
    return json.dumps(document, ensure_ascii=False).encode(), touched


def _excel(data: bytes, person: Person, linked: LandedRecords, *, whole: bool) -> tuple[bytes, int]:
    """XLSX: cells of the person's rows are emptied; cells merged over several rows stay, for they speak of others."""
    from openpyxl import load_workbook
    from openpyxl.cell.cell import MergedCell

    from ingestion.formats.excel import text

    book = load_workbook(io.BytesIO(data))
    touched = 0
    for sheet in book.worksheets:
        merged = {c for r in sheet.merged_cells.ranges for c in r.cells}
        for row in sheet.iter_rows():
            values = [text(c.value) for c in row]
            if not any(person.in_text(v) for v in values) and not linked.has_cells(values):
                continue
            touched += 1
            for cell in row:
                if isinstance(cell, MergedCell) or cell.value is None:
                    continue
                if person.in_text(str(cell.value)) or (whole and (cell.row, cell.column) not in merged):
                    cell.value = None
    out = io.BytesIO()
    book.save(out)
    return out.getvalue(), touched

"""Rejected rows go back to the department as a workbook, and come back corrected (校核纠错).

The workbook holds the rows as they were sent, each with its receipt, row number and the reasons in Chinese. The
department corrects cells in place, or marks a row as void, and sends the workbook back; ``correct`` reads the rows with
the corrected values, under the receipt and row number of the delivery they came in, and closes those that pass.
What a person may not see without signing is masked, and a masked workbook cannot be corrected.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from catalog.errors import InputError, LakehouseError
from catalog.model import Feed, Format
from catalog.people import load_people
from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion.correction_book import VOID, Book, Found, read_book, write_book
from ingestion.formats.header import normalise
from ingestion.landing import write_durably
from ingestion.quarantine import Mend, ReplayResult, Row, open_rows, reasons_of, replay, withdraw
from ingestion.shown import clear_columns, without_numbers
from warehouse.approvals import signer
from warehouse.audit import AuditLog
from warehouse.delta import append_rows
from warehouse.tables import LOCK_SECONDS, table_lock
from warehouse.vault import needs_purpose

Place: TypeAlias = "tuple[str, int, int]"
"""A row of the quarantine: receipt, row number, part."""
MOST_ROWS = 100_000
SURPLUS = "多出的单元格"
"""Column of the workbook for cells of a record that had more of them than there are columns."""
LINE = "整行原文"
"""Column of the workbook for records that could not be split into cells."""


class Exported(BaseModel):
    """A workbook of rejected rows.

    Attributes:
        rows: of the quarantine; ``left`` more than one workbook takes.
        masked: values that were masked; with any of them the workbook is to look at, not to correct.
    """

    model_config = ConfigDict(frozen=True)

    feed: str
    file: str
    rows: int
    left: int
    masked: int
    sha256: str


class Corrected(BaseModel):
    """What a workbook of corrections did: rows = loaded + quarantined + skipped + withdrawn + unchanged + unknown.

    Attributes:
        rows_quarantined: rows that break a rule still; their present reasons stand in the quarantine.
        rows_unknown: rows that do not wait in the quarantine (any more).
    """

    model_config = ConfigDict(frozen=True)

    feed: str
    rows: int = 0
    rows_loaded: int = 0
    rows_quarantined: int = 0
    rows_skipped: int = 0
    rows_withdrawn: int = 0
    rows_unchanged: int = 0
    rows_unknown: int = 0


def export(
    settings: Settings,
    catalog: Catalog,
    feed_id: str,
    target: Path,
    *,
    now: datetime,
    receipt: str | None = None,
    person: str = "",
    passphrase: str = "",
    purpose: str = "",
) -> Exported:
    """Write the open rows of a feed's quarantine into a workbook that only its owner may read.

    Args:
        target: the file; it must not exist.
        receipt: only the rows of this delivery.
        person: who signs for seeing the values as they were sent (role ``reveal``); '' masks all but grade 1.
        purpose: what for; needed with ``person``.

    Raises:
        ApprovalRefused: the person is not enrolled, lacks the role, or the passphrase is wrong.
        VaultFault: no purpose. KeyFault: raw values do not open. InputError: the file exists.
    """
    feed = catalog.feed(feed_id)
    if target.exists():
        raise InputError("the file exists", hint="choose another name", file=target.name)
    log = AuditLog(settings, actor=person or "ingestion")
    key = None
    if person:
        try:
            key = signer(load_people(settings.catalog_dir), person, passphrase, "reveal", now)
            needs_purpose(purpose)
        except LakehouseError as e:
            log.append("vault.refused", {"feed": feed_id, "person": person, "reason": e.code}, at=now)
            raise
    waiting = [(each, row) for each, rows in open_rows(settings, feed_id, receipt) for row in rows]
    reasons = reasons_of(settings, feed_id)
    book, masked = _book(catalog, feed, waiting[:MOST_ROWS], reasons, signed=key is not None)
    data = write_book(book, title=feed.title, feed=feed_id, now=now, masked=bool(masked))
    digest = hashlib.sha256(data).hexdigest()
    detail: dict[str, Any] = {"feed": feed_id, "person": person, "purpose": purpose.strip(), "rows": len(book.rows)}
    detail |= {"masked": masked, "sha256": digest, "signature": ""}
    if key is not None:
        signed = json.dumps(
            {k: v for k, v in detail.items() if k != "signature"} | {"at": now.isoformat()},
            ensure_ascii=False,
            sort_keys=True,
        )
        detail["signature"] = key.sign(hashlib.sha256(signed.encode()).digest()).hex()
    log.append("quarantine.exported", detail, at=now)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_durably(target, data)
    left = max(0, len(waiting) - MOST_ROWS)
    return Exported(feed=feed_id, file=str(target), rows=len(book.rows), left=left, masked=masked, sha256=digest)


def _book(
    catalog: Catalog,
    feed: Feed,
    waiting: Sequence[tuple[str, Row]],
    reasons: Mapping[tuple[str, int, int], str],
    *,
    signed: bool,
) -> tuple[Book, int]:
    """The workbook's rows, and how many values were masked."""
    columns = list(dict.fromkeys(name for _, row in waiting for name in cells_of(row, ())))
    columns = [c for c in columns if c not in (SURPLUS, LINE)] + [c for c in (SURPLUS, LINE) if c in columns]
    clear = clear_columns(catalog, feed)
    rows, masked = [], 0
    for receipt, row in waiting:
        cells = cells_of(row, columns)
        if not signed:
            shown = {n: _as_seen(n, v, clear) for n, v in cells.items()}
            masked += sum(shown[n] != v for n, v in cells.items())
            cells = shown
        place = (receipt, row.row_number, row.part)
        rows.append((*place, reasons.get(place, ""), [cells.get(c, "") for c in columns]))
    return Book(columns, rows), masked


def cells_of(row: Row, columns: Sequence[str]) -> dict[str, str]:
    """A record as the workbook shows it: by column, what has no column at the end."""
    if "_line" in row.raw:
        return {LINE: str(row.raw["_line"])}
    if "_fields" in row.raw:
        named = [c for c in columns if c not in (SURPLUS, LINE)]
        fields = ["" if f is None else str(f) for f in row.raw["_fields"]]
        surplus = {SURPLUS: " | ".join(fields[len(named) :])}
        return {**dict(zip(named, fields, strict=False)), **(surplus if surplus[SURPLUS] or not named else {})}
    return {k: "" if v is None else str(v) for k, v in row.raw.items()}


def _as_seen(column: str, value: str, clear: set[str]) -> str:
    if not value:
        return value
    if normalise(column) in clear:
        return without_numbers(value)
    return value[0] + "*" * min(len(value) - 1, 6)


def correct(
    settings: Settings,
    catalog: Catalog,
    feed_id: str,
    file: Path,
    *,
    now: datetime | None = None,
    lock_timeout: float = LOCK_SECONDS,
) -> Corrected:
    """Take the rows of a workbook that ``export`` wrote and the department corrected.

    A row is loaded under the receipt and row number it was sent with; done twice it loads nothing twice. The values as
    they were first sent stay in the quarantine's row, which is closed by ``correction:<sha256>``.

    Raises:
        InputError: not such a workbook, of another feed, or one whose values were masked.
    """
    at = now or datetime.now(UTC)
    feed = catalog.feed(feed_id)
    found = read_book(file, Format(type="excel"))
    if found.masked:
        raise InputError(
            "the values of this workbook were masked", hint="export it again with --as and --purpose", file=file.name
        )
    if found.feed != feed.id:
        raise InputError("the workbook is of another feed", hint=f"it is of {found.feed or 'none'}", file=file.name)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    sent = {(r, row.row_number, row.part): row for r, rows in open_rows(settings, feed_id, None) for row in rows}
    answer = _answer_of(found, sent)
    by = f"correction:{digest[:12]}"

    def mend(receipt: str, row: Row) -> dict[str, Any] | None:
        return answer.edited.get((receipt, row.row_number, row.part))

    result = ReplayResult(feed=feed_id)
    if answer.edited:
        result = replay(settings, catalog, feed_id, now=at, mend=mend, closed_by=by, lock_timeout=lock_timeout)
    if answer.void:
        withdraw(settings, feed_id, answer.void, by, at, lock_timeout=lock_timeout)
    done = Corrected(
        feed=feed_id,
        rows=len(found.rows),
        rows_loaded=result.rows_loaded,
        rows_quarantined=result.rows_quarantined,
        rows_skipped=result.rows_skipped,
        rows_withdrawn=len(answer.void),
        rows_unchanged=answer.unchanged,
        rows_unknown=answer.unknown,
    )
    _log(settings, "file", digest, done, at)
    return done


@dataclass
class _Answer:
    """What a department says of the rows it was sent: what to load instead, what to withdraw, and how many rows say
    nothing new or wait no more.
    """

    edited: dict[Place, dict[str, Any]] = field(default_factory=dict)
    void: list[Place] = field(default_factory=list)
    unchanged: int = 0
    unknown: int = 0


def _answer_of(book: Found, sent: dict[Place, Row]) -> _Answer:
    """Hold the rows of a workbook against the open rows; the first that names a row counts."""
    said = _Answer()
    for (receipt, number, part, action, _), cells in zip(book.rows, book.cells, strict=True):
        place = (receipt, number, part)
        row = sent.pop(place, None)
        was = cells_of(row, book.columns) if row else {}
        if row is None:
            said.unknown += 1
        elif action == VOID:
            said.void.append(place)
        elif cells == was | dict.fromkeys(set(cells) - set(was), ""):
            said.unchanged += 1
        else:
            said.edited[place] = _record(row, cells, book.columns)
    return said


def _record(row: Row, cells: Mapping[str, str], columns: Sequence[str]) -> dict[str, Any]:
    """The corrected record by column; what only the workbook added, and is empty now, goes."""
    names = [c for c in columns if c not in (SURPLUS, LINE)]
    if cells.get(SURPLUS) or (cells.get(LINE) and not any(cells.get(n) for n in names)):
        return row.raw  # still in one piece: it is rejected again
    kept = {n: cells.get(n, "") for n in names}
    return {n: v for n, v in kept.items() if v or n in row.raw or "_fields" in row.raw or "_line" in row.raw}


def fix(
    settings: Settings,
    catalog: Catalog,
    feed_id: str,
    column: str,
    pattern: str,
    to: str,
    *,
    now: datetime | None = None,
    lock_timeout: float = LOCK_SECONDS,
) -> ReplayResult:
    r"""Correct rejected rows by a rule: where all of ``column`` matches ``pattern``, it is read as ``to``.

    Args:
        pattern: regular expression; ``to`` may name its groups (``\1``).

    Raises:
        InputError: the pattern is none, or no open row has the column.
    """
    at = now or datetime.now(UTC)
    try:
        wanted = re.compile(pattern)
    except re.error as e:
        raise InputError(f"not a regular expression: {e}", hint="mend the pattern") from e
    key = normalise(column)
    seen = False

    def mend(_: str, row: Row) -> dict[str, Any] | None:
        nonlocal seen
        name = next((n for n in row.raw if normalise(n) == key), None)
        seen = seen or name is not None
        value = row.raw.get(name) if name else None
        found = wanted.fullmatch(str(value)) if value is not None else None
        return {**row.raw, str(name): found.expand(to)} if found else None

    digest = hashlib.sha256(f"{column}\0{pattern}\0{to}".encode()).hexdigest()
    by: Mend = mend
    result = replay(settings, catalog, feed_id, now=at, mend=by, closed_by=f"fix:{digest[:12]}",
                    lock_timeout=lock_timeout)  # fmt: skip
    if not seen:
        raise InputError("no open row has this column", hint=f"lakehouse feed quarantine {feed_id}", column=column)
    done = Corrected(
        feed=feed_id, rows=result.rows_found, rows_loaded=result.rows_loaded,
        rows_quarantined=result.rows_quarantined, rows_skipped=result.rows_skipped,
    )  # fmt: skip
    _log(settings, "rule", digest, done, at)
    return result


def _log(settings: Settings, kind: str, digest: str, done: Corrected, at: datetime) -> None:
    """A row of ``platform.corrections``; no value and no rule's text, which may hold one."""
    row = {**done.model_dump(), "kind": kind, "sha256": digest, "corrected_at": at}
    counts = [pa.field(k, pa.int64()) for k in done.model_dump() if k != "feed"]
    schema = pa.schema(
        [
            ("feed", pa.string()), *counts, ("kind", pa.string()), ("sha256", pa.string()),
            ("corrected_at", pa.timestamp("us", tz="UTC")),
        ]
    )  # fmt: skip
    with table_lock(settings, "platform.corrections"):
        append_rows(settings.platform_path("corrections"), pa.Table.from_pylist([row], schema=schema))

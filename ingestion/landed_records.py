"""A person's records in a delivered file that no number of theirs tells: found by the key linking knows them by.

The reader says which records they are. Rewriting then knows each by its own content, so it cannot take another
record for it whatever else the file holds.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from catalog.errors import LakehouseError
from catalog.model import Feed
from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion import landing
from ingestion.formats.base import BLANKS, Opened
from ingestion.landing import Receipt
from warehouse.erase_links import LinkedFeed
from warehouse.erase_person import Person


@dataclass(frozen=True, repr=False)
class LandedRecords:
    """Records of one file; its text form shows nothing.

    Attributes:
        rows: record number to the values the record holds, those of nested records under their last name.
        key_column: source column of the key; empty when the key is not one column of the file as it stands.
        keys: values of that column.
        others: how many records that are not blank are neither these nor hold the person's number.
        encoding: of a text file.
    """

    rows: Mapping[int, frozenset[str]] = field(default_factory=dict)
    key_column: str = ""
    keys: frozenset[str] = frozenset()
    others: int = 0
    encoding: str = "utf-8"

    def __bool__(self) -> bool:
        return bool(self.rows)

    def has_cells(self, cells: Iterable[Any]) -> bool:
        """Whether a record of these values is one of them."""
        held = {str(c).strip(BLANKS) for c in cells if c is not None} - {""}
        return bool(held) and any(held <= row and (not self.keys or held & self.keys) for row in self.rows.values())

    def has_line(self, record: bytes, delimiter: str) -> bool:
        text = record.decode(self.encoding, "replace")
        return any(self.has_cells(cells) for cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))

    def has_object(self, record: Any) -> bool:
        """Whether a JSON record is one of them: known by its key alone, for that is where it stands in full."""
        if not self.key_column or not isinstance(record, dict):
            return False
        value: Any = record.get(self.key_column, record)
        if value is record:
            for step in self.key_column.split("."):
                value = value.get(step) if isinstance(value, dict) else None
        return str(value).strip(BLANKS) in self.keys

    def has_json(self, record: bytes) -> bool:
        try:
            return self.has_object(json.loads(record))
        except ValueError:
            return False


def landed_records(
    settings: Settings, catalog: Catalog, feed: Feed, receipt: Receipt, linked: LinkedFeed | None, person: Person
) -> LandedRecords:
    """The linked records of a landed file; none when it cannot be read, for then nothing of it was loaded."""
    file = landing.landed_file(settings, receipt)
    if linked is None or receipt.duplicate_of or not file.is_file() or not file.stat().st_size:
        return LandedRecords()
    numbers = frozenset(linked.rows.get(receipt.id, ()))
    rows: dict[int, frozenset[str]] = {}
    keys, others, column, encoding = set[str](), 0, "", "utf-8"
    for opened, batch in _batches(file, feed):
        encoding = str(opened.about.get("encoding", encoding))
        place, pseudonym = _key_place(catalog, feed, opened.columns)
        column = opened.columns[place] if place is not None else ""
        wanted = _wanted(settings, batch, place, pseudonym, linked)
        for (number, values, row), is_wanted in zip(_records(batch), wanted, strict=True):
            if is_wanted or (values and number in numbers):
                rows[number] = values
                keys |= {row[f"c{place}"]} if place is not None and row[f"c{place}"] else set()
            else:
                others += _is_others(row, values, person)
    return LandedRecords(rows, column, frozenset(keys), others, encoding)


def is_clean(file: Path, feed: Feed, found: LandedRecords, person: Person) -> bool:
    """Whether a rewritten file holds none of the records, and everybody else's still."""
    others = 0
    for _, batch in _batches(file, feed):
        for _, values, row in _records(batch):
            if found.has_cells(values):
                return False
            others += _is_others(row, values, person)
    return others == found.others


def _batches(file: Path, feed: Feed) -> Iterator[tuple[Opened, pa.RecordBatch]]:
    from ingestion.formats import Wanted, open_file

    try:
        opened = open_file(file, feed.format, Wanted.of(feed))
    except LakehouseError:
        return
    try:
        for batch in opened.batches:
            yield opened, batch
    except LakehouseError:
        return  # a broken file: what follows the fault was never loaded
    finally:
        opened.close()


def _records(batch: pa.RecordBatch) -> Iterator[tuple[int, frozenset[str], dict[str, Any]]]:
    """Number, values and row of each record."""
    for row in batch.to_pylist():
        values = frozenset(v for n, v in row.items() if n not in ("_row_number", "_problem", "_raw") and v)
        yield int(row["_row_number"]), values, row


def _is_others(row: dict[str, Any], values: frozenset[str], person: Person) -> bool:
    return bool(values or row["_raw"]) and not any(person.in_text(v) for v in (*values, row["_raw"]))


def _key_place(catalog: Catalog, feed: Feed, columns: tuple[str, ...]) -> tuple[int | None, str | None]:
    """The one source column of the load key, and the pseudonym the table knows it by."""
    from ingestion.formats.header import normalise

    key = next(f for f in catalog.fields(feed) if f.name == feed.load.key[0])
    if not key.spec.from_ or key.spec.parse:
        return None, None
    names = [normalise(c) for c in columns]
    found = [names.index(n) for n in map(normalise, key.spec.from_) if n in names]
    return (found[0] if len(found) == 1 else None), key.element.pseudonym


def _wanted(
    settings: Settings, batch: pa.RecordBatch, place: int | None, pseudonym: str | None, linked: LinkedFeed
) -> list[bool]:
    """Which rows of a batch have a key of ``linked``."""
    from ingestion.pseudonyms import pseudonyms
    from quality.pseudonym import load_key

    if place is None:
        return [False] * batch.num_rows
    values = batch.column(f"c{place}")
    if pseudonym:
        values = pseudonyms(values, pseudonym, load_key(settings.keys, create=False))
    return [v in linked.keys for v in values.to_pylist()]

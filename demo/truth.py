"""The truth beside the files: who is who, what is wrong where, what loading must give.

For linking and survivorship there are two more tables, in Parquet, written as the district streams by:

``people.parquet``, one row a person who lives here or did within the years the registers look back. ``person`` is the
number all other files use; then the golden value of each element: what is right on the last day, whoever says it.
``status`` is settled, floating, dead or left; ``spouse_person`` and ``guardian_person`` are 0 for none.

``records/<feed>.parquet``, one row a delivered record and role. A row of a feed table is found by its delivery and its
place: ``file`` is the path below the drop folder (``platform.loads.source`` of its ``_receipt``), ``row`` its
``_row_number``. ``record`` is the number of the record in its register, "" where the register has none. ``role`` is ""
for whom the record is about, or husband, wife, guardian; a marriage has no "". ``person`` is 0 for somebody unknown to
the district. ``fault`` is the kind of what is untrue about the person in it, "" for nothing (`demo.takes`,
``dead_listed``, ``left_listed``, or a fault of ``faults.csv``); ``id_form`` is valid, fifteen, none, wrong or other
(the valid ID of somebody else). Records sent again have a row each.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from demo.entities import Entity
from demo.faults import FaultEntry, Truth
from demo.lives import Lives
from demo.people import People
from demo.world import World

RESIDENT_HEADER: tuple[str, ...] = (
    "person",
    "household",
    "status",
    "resident_id",
    "person_name",
    "sex_code",
    "birth_date",
    "street_code",
    "community_code",
    "address",
    "phone",
)
ENTITY_HEADER: tuple[str, ...] = (
    "entity",
    "uscc",
    "organisation_code",
    "entity_name",
    "registration_date",
    "industry_code",
    "address",
    "street_name",
    "legal_representative_person",
    "form",
    "registration_number",
    "parent_entity",
    "closed_code",
    "closed_date",
)
FORMER_NAME_HEADER = ("entity", "entity_name", "until_date")
ENTITY_RECORD_HEADER = ("feed", "record", "entity", "name_kind", "code_kind")
FILE_HEADER = ("feed", "file", "rows", "loaded", "quarantined", "skipped", "warned", "copy_of")
FAULT_HEADER = ("file", "feed", "row", "column", "fault", "expected")


class FeedTotals(BaseModel):
    """One feed: rows of its files loaded in sending order, repeats of whole files among them.

    ``rows = expected_loaded + expected_quarantined + expected_skipped``. ``table_rows`` is what
    the feed table holds in the end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: int
    rows: int
    expected_loaded: int
    expected_quarantined: int
    expected_skipped: int
    expected_warned: int
    table_rows: int


RECORD_SCHEMA = pa.schema(
    [
        ("file", pa.dictionary(pa.int32(), pa.string())),
        ("row", pa.int64()),
        ("record", pa.string()),
        ("role", pa.dictionary(pa.int32(), pa.string())),
        ("person", pa.int64()),
        ("fault", pa.dictionary(pa.int32(), pa.string())),
        ("id_form", pa.dictionary(pa.int32(), pa.string())),
    ]
)
PEOPLE_SCHEMA = pa.schema(
    [
        *((n, pa.int64()) for n in ("person", "household", "spouse_person", "guardian_person")),
        *(
            (n, pa.string())
            for n in (
                "status", "resident_id", "person_name", "sex_code", "ethnic_name", "registered_address",
                "residence_address", "registered_community_code", "residence_community_code", "phone",
                "education_name", "marital_name",
            )
        ),
        *((n, pa.date32()) for n in ("birth_date", "entered_date", "moved_date", "wed_date", "ended_date")),
    ]
)  # fmt: skip
GROUP_ROWS = 100_000
"""Rows held before they are written."""


class ParquetFile:
    """A Parquet file that grows batch by batch."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._schema, self._rows, self._held = schema, 0, list[pa.Table]()
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")

    def add(self, columns: dict[str, Any]) -> None:
        made = {f.name: pa.array(columns[f.name], _plain(f.type)).cast(f.type) for f in self._schema}
        self._held.append(pa.table(made, schema=self._schema))
        self._rows += len(self._held[-1])
        if self._rows >= GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(pa.concat_tables(self._held).unify_dictionaries())
        self._held, self._rows = [], 0

    def close(self) -> None:
        self._flush()
        self._writer.close()


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


class RecordTruth:
    """Writes ``records/<feed>.parquet``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, ParquetFile] = {}

    def add(
        self, feed: str, file: str, row: Any, record: Any, role: str, person: Any, fault: Any, id_form: Any
    ) -> None:
        """Delivered records of one file in one role; arrays of equal length."""
        if feed not in self._files:
            self._files[feed] = ParquetFile(self._folder / f"{feed}.parquet", RECORD_SCHEMA)
        same = {"file": [file] * len(row), "role": [role] * len(row)}
        columns = {"row": row, "record": record, "person": person, "fault": fault, "id_form": id_form}
        self._files[feed].add({**columns, **same})

    def close(self) -> None:
        for file in self._files.values():
            file.close()


class TruthFolder:
    """Writes ``residents.csv``, ``entities.csv`` and their records, ``faults.csv``, ``files.csv``, ``summary.json``."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self._residents: TextIO | None = None
        self._people: ParquetFile | None = None
        self.records = RecordTruth(self.path / "records")
        self.entity_count = 0

    def __enter__(self) -> TruthFolder:
        self._residents = (self.path / "residents.csv").open("w", encoding="utf-8", newline="")
        csv.writer(self._residents, lineterminator="\n").writerow(RESIDENT_HEADER)
        for old in (self.path / "records").glob("*.parquet"):
            old.unlink()
        self._people = ParquetFile(self.path / "people.parquet", PEOPLE_SCHEMA)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._residents is not None:
            self._residents.close()
        if self._people is not None:
            self._people.close()
        self.records.close()

    def lives(self, world: World, lives: Lives) -> None:
        """Append people, present and former, with their golden values; row grain: one person."""
        if self._people is None:
            raise ValueError("the truth folder is not open")
        p = lives.people
        codes = np.array([c.code for c in world.communities])
        home = {n: np.where(at >= 0, p.person[at], 0) for n, at in (("spouse", p.spouse), ("guardian", p.guardian))}
        self._people.add(
            {
                "person": p.person,
                "household": p.household,
                "spouse_person": home["spouse"],
                "guardian_person": home["guardian"],
                "status": np.where(p.here, np.where(p.floating, "floating", "settled"), p.gone),
                "resident_id": p.resident_id,
                "person_name": p.name,
                "sex_code": np.where(p.male, "1", "2"),
                "ethnic_name": p.ethnic,
                "registered_address": np.where(p.floating, p.origin, p.address),
                "residence_address": lives.home,
                "registered_community_code": np.where(p.floating, "", codes[lives.registered_at]),
                "residence_community_code": codes[lives.home_at],
                "phone": p.phone,
                "education_name": p.education,
                "marital_name": p.marital,
                "birth_date": p.birth,
                "entered_date": lives.entered,
                "moved_date": lives.moved,
                "wed_date": lives.wed,
                "ended_date": lives.ended,
            }
        )

    def residents(self, people: People) -> None:
        """Append the present residents of a community; row grain: one person."""
        if self._residents is None:
            raise ValueError("the truth folder is not open")
        community, here = people.community, people.here
        status = np.where(people.floating, "floating", "settled")
        sex = np.where(people.male, "1", "2")
        columns = (
            people.person,
            people.household,
            status,
            people.resident_id,
            people.name,
            sex,
            people.birth.astype(str),
        )
        lists = [c[here].tolist() for c in columns]
        rest = (people.address[here].tolist(), people.phone[here].tolist())
        csv.writer(self._residents, lineterminator="\n").writerows(
            (*row[:7], community.street.code, community.code, *row[7:]) for row in zip(*lists, *rest, strict=True)
        )

    def entities(self, entities: Sequence[Entity]) -> None:
        """``entities.csv``, one row an entity, and ``entity_former_names.csv``, one row a name of before."""
        self.entity_count = len(entities)
        self._table(
            "entities.csv",
            ENTITY_HEADER,
            (
                (
                    e.number,
                    e.uscc,
                    e.organisation,
                    e.name,
                    e.registered,
                    e.industry,
                    e.address,
                    e.street,
                    e.owner.person,
                    e.form,
                    e.registration,
                    e.parent or "",
                    *e.closed,
                )
                for e in entities
            ),
        )
        former = ((e.number, f.name, f.until) for e in entities for f in e.former)
        self._table("entity_former_names.csv", FORMER_NAME_HEADER, former)

    def entity_records(self, rows: Iterable[tuple[str, str, int, str, str]]) -> None:
        """Who each record of the registers is about (``entity`` 0: nobody of the district), how name and code stand."""
        self._table("entity_records.csv", ENTITY_RECORD_HEADER, rows)

    def totals(self, truth: Truth) -> dict[str, FeedTotals]:
        """What each feed's files hold, by feed id."""
        out = {}
        for feed in sorted({f.feed for f in truth.files}):
            own = [f for f in truth.files if f.feed == feed]
            loaded = sum(f.loaded for f in own)
            out[feed] = FeedTotals(
                files=len(own),
                rows=sum(f.rows for f in own),
                expected_loaded=loaded,
                expected_quarantined=sum(f.quarantined for f in own),
                expected_skipped=sum(f.skipped for f in own),
                expected_warned=sum(f.warned for f in own),
                table_rows=truth.table_rows(feed) or loaded,
            )
        return out

    def finish(self, truth: Truth, summary: dict[str, Any]) -> None:
        """Write the ledger and the summary."""
        self._table("faults.csv", FAULT_HEADER, (_fault_row(e) for e in truth.entries))
        self._table("files.csv", FILE_HEADER, (tuple(getattr(f, c) for c in FILE_HEADER) for f in truth.files))
        text = json.dumps(summary, ensure_ascii=False, indent=1, sort_keys=True)
        (self.path / "summary.json").write_text(text + "\n", encoding="utf-8")

    def _table(self, name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        with (self.path / name).open("w", encoding="utf-8", newline="") as f:
            table = csv.writer(f, lineterminator="\n")
            table.writerow(header)
            table.writerows(rows)


def _fault_row(e: FaultEntry) -> tuple[Any, ...]:
    return (e.file, e.feed, e.row, e.column, e.fault, e.expected)

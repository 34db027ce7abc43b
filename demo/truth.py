"""The truth beside the files: who is who, what is wrong where, what loading must give."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import numpy as np
from pydantic import BaseModel, ConfigDict

from demo.entities import Entity
from demo.faults import FaultEntry, Truth
from demo.people import People

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
)
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


class TruthFolder:
    """Writes ``residents.csv``, ``entities.csv``, ``faults.csv``, ``files.csv`` and ``summary.json``."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self._residents: TextIO | None = None

    def __enter__(self) -> TruthFolder:
        self._residents = (self.path / "residents.csv").open("w", encoding="utf-8", newline="")
        csv.writer(self._residents, lineterminator="\n").writerow(RESIDENT_HEADER)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._residents is not None:
            self._residents.close()

    def residents(self, people: People) -> None:
        """Append the residents of a community; row grain: one person."""
        if self._residents is None:
            raise ValueError("the truth folder is not open")
        community = people.community
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
        lists = [c.tolist() for c in columns]
        rest = (people.address.tolist(), people.phone.tolist())
        csv.writer(self._residents, lineterminator="\n").writerows(
            (*row[:7], community.street.code, community.code, *row[7:]) for row in zip(*lists, *rest, strict=True)
        )

    def entities(self, entities: Sequence[Entity]) -> None:
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
                )
                for e in entities
            ),
        )

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

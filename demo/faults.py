"""Injected faults: what was done to which record, and what the lakehouse must make of it.

A fault changes one record so that exactly one thing is wrong with it, and states the expected
outcome after the contracts in ``catalog/feeds``: ``quarantined``, ``skipped`` (a repeat),
``warned`` (loaded, a warning is recorded) or ``loaded`` (the frame repairs or ignores it).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

MIN_RECORDS = 12
"""A smaller delivery stays clean: one fault would be a third of it, and contracts stop such a batch."""

Row = list[str]
Outcome = Literal["quarantined", "skipped", "warned", "loaded"]
Change = Callable[[Row, dict[str, int], np.random.Generator], Row]
Place = Callable[[int, Row], tuple[int, str]]
"""From a record's number and content to the row and column it stands in (wide sheets)."""


class RawRow(Row):
    """A record whose cells are joined with commas as they are, quotes and all."""


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: stable name, column ``fault`` of ``truth/faults.csv``.
        column: source column that is wrong, empty for the whole record.
        expected: what must become of the record.
        change: gives the wrong record; ``None`` repeats the record once more.
        needs: column that must hold a value for the fault to make sense.
    """

    name: str
    column: str
    expected: Outcome
    change: Change | None
    needs: str = ""


def put(name: str, column: str, value: str, expected: Outcome = "quarantined", *, needs: str = "") -> Fault:
    """A fault that writes ``value`` into ``column``."""

    def change(row: Row, at: dict[str, int], rng: np.random.Generator) -> Row:
        row[at[column]] = value
        return row

    return Fault(name, column, expected, change, needs)


def rewrite(
    name: str, column: str, how: Callable[[str], str], expected: Outcome = "quarantined", *, needs: str = ""
) -> Fault:
    """A fault that writes ``how(old value)`` into ``column``."""

    def change(row: Row, at: dict[str, int], rng: np.random.Generator) -> Row:
        row[at[column]] = how(row[at[column]])
        return row

    return Fault(name, column, expected, change, needs or column)


def swap(name: str, a: str, b: str, expected: Outcome = "quarantined", *, needs: str = "") -> Fault:
    """A fault that exchanges the values of two columns."""

    def change(row: Row, at: dict[str, int], rng: np.random.Generator) -> Row:
        row[at[a]], row[at[b]] = row[at[b]], row[at[a]]
        return row

    return Fault(name, a, expected, change, needs)


def _longer(row: Row, at: dict[str, int], rng: np.random.Generator) -> Row:
    return [*row, "多出一列"]


def _shorter(row: Row, at: dict[str, int], rng: np.random.Generator) -> Row:
    return row[:-2]


DUPLICATE = Fault("duplicate_row", "", "skipped", None)
RAGGED_LONG = Fault("ragged_long", "", "quarantined", _longer)
RAGGED_SHORT = Fault("ragged_short", "", "quarantined", _shorter)


@dataclass(frozen=True)
class FaultEntry:
    """A line of ``truth/faults.csv``; ``row`` is the 1-based data record in the file."""

    file: str
    feed: str
    row: int
    column: str
    fault: str
    expected: Outcome


@dataclass
class FileTruth:
    """What one delivered file holds and what loading it after the files before it must give.

    ``rows = loaded + quarantined + skipped``. ``warned`` counts the injected faults
    of loaded records that only warn; the loader's own warnings also count rows it rejects or skips.
    ``copy_of`` names the file whose bytes are repeated: it is recognised and skipped whole.
    """

    feed: str
    file: str
    rows: int = 0
    loaded: int = 0
    quarantined: int = 0
    skipped: int = 0
    warned: int = 0
    copy_of: str = ""


@dataclass
class Truth:
    """The ledger of a generated district: every fault, every file, and the keys each feed holds."""

    rate: float
    entries: list[FaultEntry] = field(default_factory=list)
    files: list[FileTruth] = field(default_factory=list)
    _keys: dict[str, set[int]] = field(default_factory=dict)
    _counted: dict[str, int] = field(default_factory=dict)
    _turn: Counter[str] = field(default_factory=Counter)

    def open(self, feed: str, file: str) -> FileTruth:
        made = FileTruth(feed=feed, file=file)
        self.files.append(made)
        return made

    def repeat(self, original: FileTruth, file: str) -> None:
        """The bytes of ``original`` delivered once more under another name: found and skipped, all of it."""
        rows = original.rows
        self.files.append(FileTruth(feed=original.feed, file=file, rows=rows, skipped=rows, copy_of=original.file))

    def table_rows(self, feed: str) -> int:
        """Rows the feed table must hold in the end (feeds with a key)."""
        return self._counted.get(feed, 0) or len(self._keys.get(feed, ()))

    def count(self, feed: str, rows: int) -> None:
        """Say how many rows the table of a feed must hold, where its records are not injected here."""
        self._counted[feed] = rows

    def footer(self, file: FileTruth, row: int) -> None:
        """A line below the table that is no record; it is found and skipped."""
        file.rows += 1
        file.skipped += 1
        self.entries.append(FaultEntry(file.file, file.feed, row, "", "footer", "skipped"))

    def inject(
        self,
        file: FileTruth,
        header: Sequence[str],
        rows: list[Row],
        faults: Sequence[Fault],
        rng: np.random.Generator,
        *,
        key: Sequence[str] = (),
        append: bool = False,
        snapshot: bool = False,
        place: Place | None = None,
    ) -> tuple[list[Row], set[int]]:
        """Break a share of ``rows`` and write down what was broken.

        Kinds take turns, so that each comes up as soon as there are enough records; a table
        of a few hundred records gets each kind at least once.

        Args:
            key: columns of the load key, to foresee what is a repeat.
            append: records whose key is there already are skipped.
            snapshot: the file replaces what was there.
            place: where a record stands when the file is not a list of records.

        Returns:
            the records as delivered, and the indexes of ``rows`` that were touched.
        """
        at = {name: i for i, name in enumerate(header)}
        seen = self._keys.setdefault(file.feed, set())
        if snapshot and file.rows == 0:
            seen.clear()
        first = len(self.entries)
        chosen = self._choose(file, rows, faults, rng, at)
        out: list[Row] = []
        for i, row in enumerate(rows):
            fault = chosen.get(i)
            if fault is None:
                self._account(file, row, at, key, seen, append, None)
                out.append(row)
                continue
            if fault.change is None:
                out.append(row)
                self._account(file, row, at, key, seen, append, None)
                wrong: Row = type(row)(row)
            else:
                wrong = fault.change(type(row)(row), at, rng)
            out.append(wrong)
            self._account(file, wrong, at, key, seen, append, fault)
        if place is not None:
            moved = [replace(e, **_placed(place, e, out)) for e in self.entries[first:]]
            self.entries[first:] = moved
        return out, set(chosen)

    def _choose(
        self, file: FileTruth, rows: list[Row], faults: Sequence[Fault], rng: np.random.Generator, at: dict[str, int]
    ) -> dict[int, Fault]:
        if not faults or self.rate <= 0:
            return {}
        if file.rows == 0 and len(rows) < MIN_RECORDS:
            return {}
        marks = rng.random(len(rows)) < self.rate
        if file.rows == 0 and len(rows) >= 5 * len(faults) and marks.sum() < len(faults):
            marks[rng.choice(len(rows), len(faults), replace=False)] = True
        chosen: dict[int, Fault] = {}
        for i in np.flatnonzero(marks).tolist():
            for _ in faults:
                fault = faults[self._turn[file.feed] % len(faults)]
                self._turn[file.feed] += 1
                if not fault.needs or rows[i][at[fault.needs]]:
                    chosen[i] = fault
                    break
        return chosen

    def _account(
        self,
        file: FileTruth,
        row: Row,
        at: dict[str, int],
        key: Sequence[str],
        seen: set[int],
        append: bool,
        fault: Fault | None,
    ) -> None:
        file.rows += 1
        expected: Outcome = fault.expected if fault else "loaded"
        name = fault.name if fault else ""
        if expected in ("loaded", "warned") and key:
            mark = hash(tuple(row[at[k]] for k in key))
            if append and mark in seen:
                expected, name = "skipped", name or "resent_record"
            seen.add(mark)
        if expected == "quarantined":
            file.quarantined += 1
        elif expected == "skipped":
            file.skipped += 1
        else:
            file.loaded += 1
            file.warned += expected == "warned"
        if name:
            column = fault.column if fault else ""
            self.entries.append(FaultEntry(file.file, file.feed, file.rows, column, name, expected))


def _placed(place: Place, entry: FaultEntry, rows: list[Row]) -> dict[str, Any]:
    row, column = place(entry.row, rows[entry.row - 1])
    return {"row": row, "column": column}

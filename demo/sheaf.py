"""The files of one register while the district streams by: the base file, and one for each day after it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from demo.faults import MIN_RECORDS, Fault, FaultEntry, FileTruth, Truth
from demo.layouts import Body, Layout, SheetBody, Workbook
from demo.truth import RecordTruth
from demo.writers import Drop

Array = NDArray[Any]
SPOOL_BYTES = 1 << 18


@dataclass(frozen=True)
class Mention:
    """Whom records are about in a role: "" the subject, or husband, wife, guardian; person 0 for somebody unknown.

    ``warned``: soft fault to the column that a rule of the contract finds it in. A record whose ``subject`` is clean
    may get a fault of the whole record.
    """

    role: str
    person: Array
    fault: Array
    id_form: Array
    warned: dict[str, str] = field(default_factory=dict)
    subject: bool = True


@dataclass(frozen=True)
class Table:
    """Records to deliver: columns of text, the records' numbers in the register (from 0), and whom they are about."""

    values: list[Any]
    serial: Array
    record: Array
    mentions: list[Mention]

    def __len__(self) -> int:
        return len(self.serial)


class Spool:
    """Lines of a file that is written later; more than a little goes to disk."""

    def __init__(self, path: Path) -> None:
        self._path, self._held, self._size = path, list[str](), 0

    def lines(self, lines: pa.Array) -> None:
        for line in lines.to_pylist():
            self._held.append(line)
            self._size += len(line)
        if self._size > SPOOL_BYTES:
            self._flush()

    def _flush(self) -> None:
        with self._path.open("a", encoding="utf-8", newline="") as f:
            f.write("".join(line.rstrip("\r\n") + "\n" for line in self._held))
        self._held, self._size = [], 0

    def take(self, eol: str) -> list[str]:
        """All lines, which end with ``eol``; the spool is empty afterwards."""
        out: list[str] = []
        if self._path.exists():
            with self._path.open(encoding="utf-8", newline="") as f:
                out = [line[:-1] + eol for line in f]
            self._path.unlink()
        out, self._held = [*out, *self._held], []
        return out


class Sheaf:
    """Writes what a register delivers, spoils some records, and enters all in the ledger.

    Args:
        paths: the base file's, then one of each day.
        faults: of whole records, see `demo.faults`.
        rng: chooses which records.
    """

    def __init__(
        self, drop: Drop, truth: Truth, records: RecordTruth, feed: str, layout: Layout, paths: Sequence[str],
        faults: Sequence[Fault], rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self.feed, self._layout, self._drop, self._truth, self._records = feed, layout, drop, truth, records
        self._faults, self._rng, self.paths = tuple(faults), rng, tuple(paths)
        self.files = [truth.open(feed, p) for p in paths]
        self._spools = [Spool(drop.folder / ".writing" / f"{feed}.{i}.lines") for i in range(1, len(paths))]
        self._loaded = np.zeros(1024, dtype=bool)
        self._stack = ExitStack()
        self._base: Body = self._stack.enter_context(layout.file(drop, paths[0]))
        self._turn = 0

    def put(self, day: int, table: Table) -> None:
        """Records of the base file (day 0) or of a day's."""
        if not len(table):
            return
        file = self.files[day]
        chosen = self._choose(file, table)
        lines, source = self._spoil(file, table, chosen)
        self._enter(file, table, chosen, source)
        if day:
            self._spools[day - 1].lines(lines)
        else:
            self._write(self._base, lines, table)

    def _write(self, body: Body, lines: pa.Array, table: Table) -> None:
        if isinstance(body, SheetBody):
            texts = lines.to_pylist()
            body.records(texts, [t[t.index("<t>") + 3 : t.index("</t>")] for t in texts])
        else:
            body.lines(lines)

    def _choose(self, file: FileTruth, table: Table) -> dict[int, Fault]:
        """Clean records that get a fault; kinds take turns. The first dozen records of a file stay clean."""
        if not self._faults or self._truth.rate <= 0 or file.rows + len(table) < MIN_RECORDS:
            return {}
        marks = self._rng.random(len(table)) < self._truth.rate
        for m in table.mentions:
            if m.subject:
                marks &= (m.fault == "") & np.isin(m.id_form, ("valid", ""))
        chosen: dict[int, Fault] = {}
        for i in np.flatnonzero(marks).tolist():
            for _ in self._faults:
                fault = self._faults[self._turn % len(self._faults)]
                self._turn += 1
                if not fault.needs or str(table.values[self._layout.columns.index(fault.needs)][i]):
                    chosen[i] = fault
                    break
        return chosen

    def _spoil(self, file: FileTruth, table: Table, chosen: dict[int, Fault]) -> tuple[pa.Array, Array]:
        """The lines as delivered, and which record each is of."""
        lines = self._layout.lines(table.values)
        if not chosen:
            return lines, np.arange(len(table))
        at = {name: i for i, name in enumerate(self._layout.columns)}
        count = np.ones(len(table), dtype=int)
        special: dict[int, str] = {}
        for i, fault in chosen.items():
            if fault.change is None:
                count[i] = 2
            else:
                row = [str(v[i]) for v in table.values]
                special[i] = self._layout.line(fault.change(row, at, self._rng))
        source = np.repeat(np.arange(len(table)), count)
        place = np.arange(len(table))
        place[list(special)] = len(table) + np.arange(len(special))
        both = pa.concat_arrays([lines, pa.array(list(special.values()), pa.large_string())])
        return both.take(pa.array(place[source])), source

    def _enter(self, file: FileTruth, table: Table, chosen: dict[int, Fault], source: Array) -> None:
        """Count, list the faults, and say who every delivered record is of."""
        first = file.rows + 1
        rows = first + np.arange(len(source))
        where = np.searchsorted(source, np.arange(len(table)))
        loaded = np.ones(len(table), dtype=bool)
        names = np.full(len(table), "", dtype="U24")
        entries: list[tuple[int, str, str, Any]] = []
        for i, fault in chosen.items():
            row = first + int(where[i]) + (fault.change is None)
            entries.append((row, fault.column, fault.name, fault.expected))
            names[i] = fault.name if fault.change is not None else ""
            loaded[i] = fault.change is None or fault.expected in ("loaded", "warned")
        for m in table.mentions:
            for kind, column in m.warned.items():
                told = np.isin(m.id_form, ("valid", "fifteen")) if kind != "id_wrong" else m.id_form == "wrong"
                for i in np.flatnonzero((m.fault == kind) & told & loaded).tolist():
                    entries.append((first + int(where[i]), column, kind, "warned"))
        outcome = [e[3] for e in entries]
        file.rows += len(source)
        file.quarantined += outcome.count("quarantined")
        file.skipped += outcome.count("skipped")
        file.warned += outcome.count("warned")
        file.loaded += len(source) - outcome.count("quarantined") - outcome.count("skipped")
        self._truth.entries += [FaultEntry(file.file, self.feed, *e) for e in sorted(entries, key=lambda e: e[0])]
        self._mark(table.serial[loaded])
        for m in table.mentions:
            kinds = np.where(names != "", names, m.fault)
            self._records.add(
                self.feed, file.file, rows, table.record[source], m.role, m.person[source], kinds[source],
                m.id_form[source],
            )  # fmt: skip

    def _mark(self, serial: Array) -> None:
        if len(serial):
            need = int(serial.max()) + 1
            if need > len(self._loaded):
                self._loaded = np.concatenate([self._loaded, np.zeros(max(need, len(self._loaded)), dtype=bool)])
            self._loaded[serial] = True

    def close(self, footer: str = "") -> None:
        """Finish the base file and write those of the days; a file without a record is not sent."""
        self._finish(self._base, self.files[0], footer)
        self._stack.close()
        if not self.files[0].rows:
            (self._drop.folder / self.paths[0]).unlink()
            self._truth.files.remove(self.files[0])
        eol = self._layout.pieces[-1][-2:] if self._layout.pieces[-1].endswith("\r\n") else "\n"
        eol = "" if isinstance(self._layout, Workbook) else eol
        for i, spool in enumerate(self._spools, start=1):
            if not self.files[i].rows:
                self._truth.files.remove(self.files[i])
                continue
            with self._layout.file(self._drop, self.paths[i]) as body:
                lines = spool.take(eol)
                if isinstance(body, SheetBody):
                    lines = [t.rstrip("\n") for t in lines]
                    body.records(lines, [t[t.index("<t>") + 3 : t.index("</t>")] for t in lines])
                else:
                    body.text("".join(lines))
                self._finish(body, self.files[i], footer)
        self._truth.count(self.feed, int(self._loaded.sum()))

    def _finish(self, body: Body, file: FileTruth, footer: str) -> None:
        if footer and file.rows and isinstance(body, SheetBody):
            records = file.rows
            self._truth.footer(file, records + 1)
            body.footer(footer.format(records))

    def abandon(self) -> None:
        """After a failure: let go of the file under way."""
        self._stack.close()

"""Several parts of one delivery - members, sheets, layers - as one stream of records.

Columns are matched by name, so parts may order them differently; a part that lacks a column of the
contract is refused by name, a column more is the whole delivery's. Records are numbered on through the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from catalog.errors import InputError
from ingestion.formats.base import Opened, batch_schema
from ingestion.formats.header import Wanted, match_columns, normalise


class Part(NamedTuple):
    """A part's name, and how to open it; opened twice: for its columns, then for its records."""

    name: str
    open: Callable[[], Opened]


def several(parts: Sequence[Part], wanted: Wanted, *, what: str, label: str | None = None) -> Opened:
    """The records of all ``parts``, one after the other.

    Args:
        what: ``member``, ``sheet`` or ``layer``; the list of parts is ``about["<what>s"]``, each with the number
            of its first record and its count, known once the batches are consumed.
        label: name of a column to make of the part's name; one ``label`` that a part has already is taken as it is.

    Raises:
        InputError, DriftError: a part cannot be read as the contract says; ``where`` names it.
    """
    if len(parts) == 1 and label is None:
        opened = _open(parts[0], what)
        opened.about = {**opened.about, f"{what}s": [{"name": parts[0].name, "first_row": 1}]}
        return opened
    names: dict[str, str] = {}
    about: dict[str, Any] = {}
    for part in parts:
        opened = _open(part, what)
        try:
            if label is None or normalise(label) not in wanted.names():
                _check(opened, wanted, part, what)
            else:
                _check(opened, wanted, part, what, made=label)
            for column in opened.columns:
                names.setdefault(normalise(column), column)
            about = about or opened.about
        finally:
            opened.close()
    if label and normalise(label) not in names:
        names[normalise(label)] = label
    else:
        label = None
    listed: list[dict[str, Any]] = []
    made = Opened(tuple(names.values()), iter(()), {**about, f"{what}s": listed})
    stream = _Stream(parts, list(names), what, label, made, listed)
    made.batches, made.close = iter(stream), stream.close
    return made


def _check(opened: Opened, wanted: Wanted, part: Part, what: str, made: str | None = None) -> None:
    columns = (*opened.columns, made) if made else opened.columns
    try:
        match_columns(columns, wanted, freeze=False)
    except InputError as e:
        raise _placed(e, part, what) from e


class _Stream:
    """Opens one part at a time and renumbers its records."""

    def __init__(
        self, parts: Sequence[Part], keys: list[str], what: str, label: str | None, made: Opened, listed: list[Any]
    ) -> None:
        self._parts, self._keys, self._what, self._label = parts, keys, what, label
        self._made, self._listed = made, listed
        self._current: Opened | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        last = 0
        for part in self._parts:
            self._current = _open(part, self._what)
            entry = {**self._current.about, "name": part.name, "first_row": last + 1, "rows": 0}
            self._listed.append(entry)
            places = [normalise(c) for c in self._current.columns]
            order = [places.index(k) if k in places else None for k in self._keys]
            offset = last
            try:
                for batch in self._current.batches:
                    numbers = pc.add(batch.column(0), offset)
                    last = max(last, pc.max(numbers).as_py() or 0)
                    entry["rows"] += batch.num_rows
                    yield self._arranged(batch, numbers, order, part.name)
            except InputError as e:
                raise _placed(e, part, self._what) from e
            finally:
                known = set(self._keys)
                self._made.late_columns |= {n for n in self._current.late_columns if normalise(n) not in known}
                self.close()

    def _arranged(self, batch: pa.RecordBatch, numbers: pa.Array, order: list[int | None], name: str) -> pa.RecordBatch:
        n, width = batch.num_rows, batch.num_columns - 3
        columns = [pa.nulls(n, pa.string()) if i is None else batch.column(i + 1) for i in order]
        if self._label:
            columns[self._keys.index(normalise(self._label))] = pa.repeat(pa.scalar(name), n)
        arrays = [numbers, *columns, batch.column(width + 1), batch.column(width + 2)]
        return pa.RecordBatch.from_arrays(arrays, schema=batch_schema(len(columns)))

    def close(self) -> None:
        if self._current is not None:
            self._current.close()
            self._current = None


def _open(part: Part, what: str) -> Opened:
    try:
        return part.open()
    except InputError as e:
        raise _placed(e, part, what) from e


def _placed(error: InputError, part: Part, what: str) -> InputError:
    """The same error with the name of its part."""
    return type(error)(error.message, hint=error.hint, **{what: part.name, **error.where})

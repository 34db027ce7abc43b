"""Lines of JSON, parsed by DuckDB a chunk at a time; a bad line is a problem of that line only."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.model import Format
from ingestion.formats.base import (
    BAD_RECORD,
    BATCH_ROWS,
    MARK,
    NOT_A_LIST,
    REPEATED_NAME,
    UNDECODABLE,
    Opened,
    make_batch,
    raw_line,
)
from ingestion.formats.damage import noting_damage
from ingestion.formats.header import Wanted, normalise
from ingestion.formats.json import PLACE, wanted_first, without
from ingestion.formats.text import Utf8Reader, encoding_about, resolve_encoding

PROBE_LINES = 1000
EXPLODED_CHARACTERS = 4 << 20
"""Text of the lines that are exploded at once."""

Place = tuple[str, ...]
"""Keys from the record, or from an item of its list, down to a value."""


@dataclass(frozen=True)
class Columns:
    """Where the columns of a line stand.

    Attributes:
        places: of each column, from the record down; those below ``listed`` are of its items.
        listed: the list that is exploded, empty for none.
    """

    places: tuple[Place, ...]
    listed: Place = ()

    def is_inner(self, place: Place) -> bool:
        return bool(self.listed) and place[: len(self.listed)] == self.listed

    @property
    def outer(self) -> list[Place]:
        return [p for p in self.places if not self.is_inner(p)]

    @property
    def inner(self) -> list[Place]:
        """Places in an item."""
        return [p[len(self.listed) :] for p in self.places if self.is_inner(p)]


def read(path: Path, fmt: Format, wanted: Wanted, *, probe_lines: int = PROBE_LINES) -> Opened:
    """Open lines of JSON objects; blank lines do not count as records.

    The columns are the contract's and whatever else the first ``probe_lines`` carry; names met
    only later are in ``Opened.late_columns`` once the batches are consumed. Where a list is exploded, its items
    are the records that are counted.
    """
    encoding = resolve_encoding(path, fmt.encoding)
    stream = Utf8Reader(path, encoding, tolerant=True)
    lines = stream.text()
    head = list(itertools.islice(lines, probe_lines))
    listed = tuple(fmt.explode.split(".")) if fmt.explode else ()
    found: dict[str, Place] = {}
    for line in head:
        found |= _places(line, fmt.flatten, listed)
    counted = {(*listed, PLACE)} if listed and normalise(f"{fmt.explode}.{PLACE}") in wanted.names() else set()
    found |= {".".join(p): p for p in counted}
    names = wanted_first(wanted, set(found))
    places = tuple(found.get(n) or tuple(n.split(".")) for n in names)
    about: dict[str, Any] = {**encoding_about(path, fmt.encoding, encoding)}
    opened = Opened(names, iter(()), about, close=stream.close)
    batches = _batches(itertools.chain(head, lines), Columns(places, listed), opened.late_columns)
    opened.batches = noting_damage(batches, stream, about)
    return opened


def _places(line: str, nested: bool, listed: Place) -> dict[str, Place]:
    """The columns of a line and where their values stand."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(record, dict):
        return {}
    if not listed:
        return _walk(record, (), nested)
    rest, items = without(record, listed)
    out = _walk(rest, (), nested)
    for item in items if isinstance(items, list) else ():
        out |= _walk(item, listed, nested) if isinstance(item, dict) else {".".join(listed): listed}
    return out


def _walk(record: dict[str, Any], outer: Place, nested: bool) -> dict[str, Place]:
    out: dict[str, Place] = {}
    for key, value in record.items():
        place = (*outer, key)
        if nested and isinstance(value, dict) and value:
            out |= _walk(value, place, nested)
        else:
            out[".".join(place)] = place
    return out


def _path(place: Place) -> str:
    return "$" + "".join("." + json.dumps(k, ensure_ascii=False) for k in place)


def _batches(lines: Iterator[str], columns: Columns, late: set[str]) -> Iterator[pa.RecordBatch]:
    con = duckdb.connect()
    con.execute("SET threads = 1")
    number, width = 0, len(columns.places)
    filled = (line.strip() for line in lines)
    filled = (line for line in filled if line)
    while chunk := _chunk(filled, EXPLODED_CHARACTERS if columns.listed else None):
        checked = _checked(con, chunk, columns.listed)
        rows = checked["rows"].to_numpy()
        first = number + 1 + np.cumsum(rows) - rows
        number += int(rows.sum())
        checked = checked.append_column("first", pa.array(first))
        good = checked.filter(pc.is_null(checked["problem"]))
        if good.num_rows:
            con.register("good", good)
            yield _Good(con, columns, good, late).batch()
            con.unregister("good")
        bad = checked.filter(pc.is_valid(checked["problem"]))
        if bad.num_rows:
            texts = bad["line"].to_pylist()
            problems = [UNDECODABLE if MARK in t else p for t, p in zip(texts, bad["problem"].to_pylist(), strict=True)]
            nothing = [pa.nulls(bad.num_rows, pa.string())] * width
            yield make_batch(_array(bad["first"]), nothing, problems, [raw_line(t) for t in texts])
    con.close()


def _chunk(lines: Iterator[str], characters: int | None) -> list[str]:
    if characters is None:
        return list(itertools.islice(lines, BATCH_ROWS))
    out: list[str] = []
    while characters > 0 and (line := next(lines, None)) is not None:
        out.append(line)
        characters -= len(line)
    return out


def _checked(con: duckdb.DuckDBPyConnection, chunk: list[str], listed: Place) -> pa.Table:
    """The lines with the number of rows each makes and what is wrong with it."""
    con.register("chunk", pa.table({"n": range(len(chunk)), "line": chunk}))
    is_object = "CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END"
    keys = "CASE WHEN ok THEN json_keys(line) END"
    kind = "CASE WHEN ok THEN json_type(line, $path) END" if listed else "NULL"
    rows = "CASE WHEN kind = 'ARRAY' THEN greatest(json_array_length(line, $path)::BIGINT, 1) ELSE 1 END"
    made = con.execute(
        f"SELECT line, {rows if listed else '1::BIGINT'} AS rows, CASE WHEN NOT ok THEN '{BAD_RECORD}' "  # noqa: S608
        f"WHEN len(keys) <> list_unique(keys) THEN '{REPEATED_NAME}' "
        f"WHEN kind NOT IN ('ARRAY', 'NULL') THEN '{NOT_A_LIST}' END AS problem "
        f"FROM (SELECT *, {kind} AS kind, {keys} AS keys FROM (SELECT *, {is_object} AS ok FROM chunk)) ORDER BY n",
        {"path": _path(listed)} if listed else None,
    ).to_arrow_table()
    con.unregister("chunk")
    return made


@dataclass
class _Good:
    """The lines registered as ``good``, to be taken apart."""

    con: duckdb.DuckDBPyConnection
    columns: Columns
    lines: pa.Table
    late: set[str]
    known: set[Place] = field(init=False)

    def __post_init__(self) -> None:
        places = [*self.columns.places, self.columns.listed]
        self.known = {p[:n] for p in places for n in range(1, len(p) + 1)}

    def batch(self) -> pa.RecordBatch:
        """All their rows."""
        columns = self.columns
        outer = iter(self._values("good", "line", columns.outer, ()))
        if not columns.listed:
            return make_batch(_array(self.lines["first"]), list(outer))
        rows = self.lines["rows"].to_numpy()
        owner = np.repeat(np.arange(len(rows)), rows)
        places = np.arange(len(owner)) - np.repeat(np.cumsum(rows) - rows, rows)
        numbers = self.lines["first"].to_numpy()[owner] + places
        inner = iter(self._items(columns.inner, places))
        texts = [next(inner) if columns.is_inner(p) else next(outer).take(pa.array(owner)) for p in columns.places]
        return make_batch(pa.array(numbers), texts)

    def _items(self, places: Sequence[Place], numbers: np.ndarray) -> list[pa.Array]:
        """The columns of the items of all lines, one after the other."""
        path = _path(self.columns.listed)
        self.con.execute(
            "CREATE OR REPLACE TEMP TABLE items AS SELECT unnest(CASE WHEN json_array_length(line, $path) > 0 "
            "THEN json_extract(line, $each) ELSE [NULL] END) AS item FROM good",
            {"path": path, "each": f"{path}[*]"},
        )
        read = iter(self._values("items", "item", [p for p in places if p != (PLACE,)], self.columns.listed))
        absent = self.con.execute("SELECT item IS NULL AS a FROM items").to_arrow_table()["a"].combine_chunks()
        counted = pc.if_else(_array(absent), None, pa.array(numbers + 1).cast(pa.string()))
        return [counted if p == (PLACE,) else next(read) for p in places]

    def _values(self, table: str, column: str, places: Sequence[Place], above: Place) -> list[pa.Array]:
        """The values at ``places`` of each row as text; keys that no column takes are noted as late."""
        for outer in sorted({p[:n] for p in places for n in range(len(p))} | {()}):
            keys = self.con.execute(
                f"SELECT DISTINCT unnest(json_keys({column}, ?)) FROM {table}",  # noqa: S608
                [_path(outer)],
            ).fetchall()
            found = {(*above, *outer, k) for (k,) in keys} - self.known
            self.late.update(".".join(p) for p in found)
        if not places:
            return []
        sql = f"SELECT json_extract_string({column}, $paths) AS v FROM {table}"  # noqa: S608
        lists = self.con.execute(sql, {"paths": [_path(p) for p in places]}).to_arrow_table()["v"].combine_chunks()
        return [_array(pc.list_element(lists, i)) for i in range(len(places))]


def _array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column

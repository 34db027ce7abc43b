"""Lines of JSON, parsed by DuckDB a chunk at a time; a bad line is a problem of that line only."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from catalog.model import Format
from ingestion.formats.base import BAD_RECORD, BATCH_ROWS, MARK, UNDECODABLE, Opened, make_batch, raw_line
from ingestion.formats.damage import noting_damage
from ingestion.formats.header import Wanted
from ingestion.formats.json import wanted_first
from ingestion.formats.text import Utf8Reader, encoding_about, resolve_encoding

PROBE_LINES = 1000

Place = tuple[str, ...]
"""Keys from the record down to a value."""


def read(path: Path, fmt: Format, wanted: Wanted, *, probe_lines: int = PROBE_LINES) -> Opened:
    """Open lines of JSON objects; blank lines do not count as records.

    The columns are the contract's and whatever else the first ``probe_lines`` carry; names met
    only later are in ``Opened.late_columns`` once the batches are consumed.
    """
    encoding = resolve_encoding(path, fmt.encoding)
    stream = Utf8Reader(path, encoding, tolerant=True)
    lines = stream.text()
    head = list(itertools.islice(lines, probe_lines))
    found: dict[str, Place] = {}
    for line in head:
        found |= _places(line, fmt.flatten)
    columns = wanted_first(wanted, set(found))
    places = [found.get(c) or (tuple(c.split(".")) if fmt.flatten else (c,)) for c in columns]
    about: dict[str, Any] = {**encoding_about(path, fmt.encoding, encoding)}
    opened = Opened(columns, iter(()), about, close=stream.close)
    batches = _batches(itertools.chain(head, lines), places, opened.late_columns)
    opened.batches = noting_damage(batches, stream, about)
    return opened


def _places(line: str, nested: bool) -> dict[str, Place]:
    """The columns of a line and where their values stand."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return _walk(record, (), nested) if isinstance(record, dict) else {}


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


def _batches(lines: Iterator[str], places: list[Place], late: set[str]) -> Iterator[pa.RecordBatch]:
    con = duckdb.connect()
    con.execute("SET threads = 1")
    paths = [_path(p) for p in places]
    known = {p[:n] for p in places for n in range(1, len(p) + 1)}
    objects = sorted({p[:n] for p in places for n in range(len(p))})
    number = 0
    filled = (line.strip() for line in lines)
    filled = (line for line in filled if line)
    while chunk := list(itertools.islice(filled, BATCH_ROWS)):
        table = pa.table({"n": range(number + 1, number + 1 + len(chunk)), "line": chunk})
        number += len(chunk)
        con.register("chunk", table)
        kept = con.execute(
            "SELECT n, line, CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END AS ok "
            "FROM chunk ORDER BY n"
        )
        checked = kept.to_arrow_table()
        con.unregister("chunk")
        good = checked.filter(checked["ok"])
        if good.num_rows:
            con.register("good", good)
            rows = con.execute(
                "SELECT n, json_extract_string(line, $paths) AS v FROM good ORDER BY n", {"paths": paths}
            )
            values = rows.to_arrow_table().combine_chunks()
            lists = values["v"].combine_chunks()
            texts = [pc.list_element(lists, i) for i in range(len(places))]
            for outer in objects:
                keys = con.execute("SELECT DISTINCT unnest(json_keys(line, ?)) FROM good", [_path(outer)]).fetchall()
                late.update(".".join((*outer, k)) for (k,) in keys if (*outer, k) not in known)
            con.unregister("good")
            yield make_batch(values["n"].combine_chunks(), [_array(t) for t in texts])
        bad = checked.filter(pc.invert(checked["ok"]))
        if bad.num_rows:
            texts = bad["line"].to_pylist()
            problems = [UNDECODABLE if MARK in text else BAD_RECORD for text in texts]
            nothing = [pa.nulls(bad.num_rows, pa.string())] * len(places)
            yield make_batch(bad["n"].combine_chunks(), nothing, problems, [raw_line(t) for t in texts])
    con.close()


def _array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column

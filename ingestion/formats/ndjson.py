"""Lines of JSON, parsed by DuckDB a chunk at a time; a bad line is a problem of that line only."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from catalog.model import Format
from ingestion.formats.base import BAD_RECORD, BATCH_ROWS, Opened, make_batch
from ingestion.formats.header import Wanted
from ingestion.formats.json import wanted_first
from ingestion.formats.text import Utf8Reader, resolve_encoding

PROBE_LINES = 1000


def read(path: Path, fmt: Format, wanted: Wanted) -> Opened:
    """Open lines of JSON objects; blank lines do not count as records.

    The columns are the contract's and whatever else the first thousand lines carry; names met
    only later are in ``Opened.late_columns`` once the batches are consumed.
    """
    encoding = resolve_encoding(path, fmt.encoding)
    stream = Utf8Reader(path, encoding)
    lines = stream.text()
    head = list(itertools.islice(lines, PROBE_LINES))
    found: set[str] = set()
    for line in head:
        found.update(_keys(line))
    columns = wanted_first(wanted, found)
    opened = Opened(columns, iter(()), {"encoding": encoding}, close=stream.close)
    opened.batches = _batches(itertools.chain(head, lines), columns, opened.late_columns)
    return opened


def _keys(line: str) -> list[str]:
    try:
        record = json.loads(line)
    except ValueError:
        return []
    return list(record) if isinstance(record, dict) else []


def _batches(lines: Iterator[str], columns: tuple[str, ...], late: set[str]) -> Iterator[pa.RecordBatch]:
    con = duckdb.connect()
    con.execute("SET threads = 1")
    paths = ["$." + json.dumps(c, ensure_ascii=False) for c in columns]
    known = set(columns)
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
            texts = [pc.list_element(lists, i) for i in range(len(columns))]
            keys = con.execute("SELECT DISTINCT unnest(json_keys(line)) FROM good").fetchall()
            late.update(k for (k,) in keys if k not in known)
            con.unregister("good")
            yield make_batch(values["n"].combine_chunks(), [_array(t) for t in texts])
        bad = checked.filter(pc.invert(checked["ok"]))
        if bad.num_rows:
            raws = [json.dumps({"_line": text}, ensure_ascii=False) for text in bad["line"].to_pylist()]
            nothing = [pa.nulls(bad.num_rows, pa.string())] * len(columns)
            yield make_batch(bad["n"].combine_chunks(), nothing, [BAD_RECORD] * bad.num_rows, raws)
    con.close()


def _array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column

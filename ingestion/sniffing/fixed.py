"""Finds the columns of fixed-width text: where every line is blank, one column ends and another begins."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from ingestion.detect import column_names, detect_encoding, find_header
from ingestion.sniffing.rows import Raw, table_of

LOOK = 400
FEWEST_LINES = 5
MOST_WIDTH = 4000
MOST_TITLES = 4
_NUMBER = frozenset(b"0123456789.,-+%")


class Layout(NamedTuple):
    """Columns found: title lines above them, (start, end) of each from 0, and what is counted."""

    titles: int
    spans: list[tuple[int, int]]
    positions: str


def read_fixed(path: Path, max_rows: int) -> Raw | None:
    """The records of fixed-width text; None when the file is none."""
    encoding = detect_encoding(path)
    codec = encoding.removesuffix("-sig")
    with path.open(encoding=encoding, errors="replace") as f:
        lines = [line.rstrip("\r\n") for _, line in zip(range(max_rows + MOST_TITLES), f, strict=False)]
        complete = not f.readline()
    lines = [line for line in lines if line.strip()]
    layout = find_layout(lines[:LOOK], codec)
    if layout is None:
        return None
    rows = [_cut(line, layout, codec) for line in lines[layout.titles :]]
    header = find_header(rows)
    titles, names = layout.titles, header.names
    if header.row:
        titles += header.row
    elif titles:
        words = lines[titles - 1].split()  # a header that is not in line with its columns
        names = column_names(words) if len(words) == len(layout.spans) else ()
    width = len(layout.spans)  # a header may have more words than there are columns, or fewer
    names = (*names, *(f"列{n}" for n in range(len(names) + 1, width + 1)))[:width]
    raw = table_of([list(names), *rows[header.row :]], complete, max_rows)
    records = [row + [""] * (len(names) - len(row)) for row in rows[header.row :]][:max_rows]
    options: dict[str, Any] = {
        "columns": [{"name": n, "start": a + 1, "width": b - a} for n, (a, b) in zip(names, layout.spans, strict=True)]
    }
    if titles:
        options["header_row"] = titles
    if layout.positions != "bytes":
        options["positions"] = layout.positions
    return raw._replace(
        names=names, records=records, rows=len(rows) - header.row, header_row=0, footer=None, footer_rows=0,
        encoding=encoding, ragged=(), short=0, junk_columns=0, blank_rows=0, options=options, format="fixed",
        notes=(f"定长文本，{len(names)} 列" + (f"，其上 {titles} 行是标题或表头" if titles else ""),),
    )  # fmt: skip


def find_layout(lines: Sequence[str], codec: str) -> Layout | None:
    """The columns of ``lines``, counted in bytes, or else in characters; None when they are not in columns."""
    kinds = ("characters",) if codec.startswith("utf-16") else ("bytes", "characters")
    found: list[tuple[int, Layout]] = []
    for titles in range(MOST_TITLES + 1):
        for positions in kinds:
            body = [_counted(line, positions, codec) for line in lines[titles:]]
            if spans := _spans(body):
                solid = sum(sum(bool(line[a:b].strip()) for line in body) >= 0.8 * len(body) for a, b in spans)
                found.append((solid, Layout(titles, spans, positions)))
    if not found:
        return None
    return max(found, key=lambda f: (f[0], -f[1].titles, f[1].positions == "bytes"))[1]


def _counted(line: str, positions: str, codec: str) -> bytes:
    """A line as bytes to be counted; by characters, every character is one."""
    if positions == "bytes":
        return line.rstrip().encode(codec, "replace")
    return bytes(ord(c) if ord(c) < 127 else 127 for c in line.rstrip())


def _spans(lines: Sequence[bytes]) -> list[tuple[int, int]]:
    width = max(map(len, lines), default=0)
    if len(lines) < FEWEST_LINES or width > MOST_WIDTH or any(b"\t" in line for line in lines):
        return []
    blank = [all(i >= len(line) or line[i] == 32 for line in lines) for i in range(width)]
    starts = [i for i in range(width) if not blank[i] and (i == 0 or blank[i - 1])]
    if len(starts) < 2:
        return []
    ends = [next((i for i in range(a, width) if blank[i]), width) for a in starts]
    filled = [sum(bool(line[a:b].strip()) for line in lines) / len(lines) for a, b in zip(starts, ends, strict=True)]
    if sum(f >= 0.8 for f in filled) < 2 or filled[0] < 0.5:
        return []
    bounds = [0 if starts[0] < 2 else starts[0]]
    for (_, end), (start, stop) in pairwise(zip(starts, ends, strict=True)):
        cells = [line[start:stop] for line in lines if line[start:stop].strip()]
        to_right = all(set(c.strip()) <= _NUMBER for c in cells[1:]) and len({len(c.rstrip()) for c in cells}) == 1
        bounds.append(end if to_right and any(c[:1] == b" " for c in cells) else start)
    return list(pairwise([*bounds, width]))


def _cut(line: str, layout: Layout, codec: str) -> list[str]:
    if layout.positions == "characters":
        return [line[a:b].strip() for a, b in layout.spans]
    data = line.encode(codec, "replace")
    return [data[a:b].decode(codec, "replace").strip() for a, b in layout.spans]

"""A list as any office sends it, written again with answers beside every record: what both matchers share."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

from catalog.errors import InputError, UnknownName
from catalog.model import Format
from ingestion.detect import FORMAT_OF, detect_delimiter, detect_kind
from ingestion.formats import Opened, Wanted, open_file, read_preview, resolve_encoding
from ingestion.formats.header import normalise
from ingestion.formats.text import Utf8Reader
from quality.formulas import guarded

Encoding = Literal["utf-8", "utf-8-sig", "gb18030"]
Answers = Callable[[list[str | None]], Sequence[Sequence[str]]]
"""Cells for each value of the column that is asked about."""


def annotate_list(
    path: Path, out: Path, *, column: str, added: Sequence[str], answers: Answers, encoding: Encoding = "utf-8"
) -> tuple[str, ...]:
    """Write ``path`` again as CSV with the cells that ``answers`` gives beside every record.

    Delimited text in any encoding, or a workbook; title lines above the header are left out. A cell that a spreadsheet
    would run as a formula gets an apostrophe. ``out`` appears when it is complete.

    Args:
        column: heading of the column that is asked about.
        added: headings of the new cells; one the list has already is written as ``matched_<heading>``.
        encoding: of the output; ``utf-8-sig`` opens in Excel with a double click.

    Returns:
        The headings that were added.

    Raises:
        InputError: the file cannot be read, or is neither text nor a workbook.
        UnknownName: it has no such column.
    """
    if out.exists() and path.exists() and out.samefile(path):
        raise InputError("the output would replace the list", hint="give another file to --out", file=str(out))
    opened = open_file(path, _format(path), _wanted(column)) if _has(path, column) else None
    if opened is None:
        raise _no_column(path, column)
    at = [normalise(c) for c in opened.columns].index(normalise(column))
    headings = tuple(f"matched_{n}" if n in opened.columns else n for n in added)
    pending = out.with_name(f".{out.name}.part")
    try:
        with closing(opened), pending.open("w", encoding=encoding, newline="") as f:
            table = csv.writer(f, lineterminator="\r\n" if encoding == "utf-8-sig" else "\n")
            table.writerow(map(guarded, (*opened.columns, *headings)))
            for rows in _rows(opened):
                found = answers([row[at] if len(row) > at else None for row in rows])
                table.writerows([guarded(c) for c in (*row, *cells)] for row, cells in zip(rows, found, strict=True))
        os.replace(pending, out)
    finally:
        pending.unlink(missing_ok=True)
    return headings


def _rows(opened: Opened) -> Iterator[list[list[str | None]]]:
    """Records of the file as lists of cells, a batch at a time; one that could not be read shows what stood there."""
    width = len(opened.columns)
    for batch in opened.batches:
        columns = [batch.column(f"c{i}").to_pylist() for i in range(width)]
        rows = [list(row) for row in zip(*columns, strict=True)] if columns else []
        for i, (problem, raw) in enumerate(
            zip(batch.column("_problem").to_pylist(), batch.column("_raw").to_pylist(), strict=True)
        ):
            if problem and not any(rows[i]):
                rows[i] = _as_it_stood(raw, width)
        yield rows


def _as_it_stood(raw: str | None, width: int) -> list[str | None]:
    """The cells of a record with too many or too few; a line that is no record goes into the first cell."""
    stood = json.loads(raw) if raw else {}
    values = stood.get("_fields") or [stood.get("_line", "")]
    cells = [None if v is None else str(v) for v in values]
    return [*cells[:width], *[None] * (width - len(cells))]


def _format(path: Path) -> Format:
    kind = detect_kind(path)
    type_ = FORMAT_OF.get(kind)
    if type_ == "excel":
        return Format(type="excel")
    if type_ != "csv":
        raise InputError(
            f"{path.name} is {kind}: a list is delimited text or a workbook",
            hint="save it as CSV or XLSX",
            file=path.name,
        )
    with Utf8Reader(path, resolve_encoding(path, "auto")) as stream:
        head = stream.read(1 << 16).decode("utf-8", "ignore")
    return Format(type="csv", encoding="auto", delimiter=detect_delimiter(head))


def _wanted(column: str) -> Wanted:
    name = normalise(column)
    return Wanted({"name": (name,)}, {}, frozenset(), None, frozenset(), frozenset(), {name: column})


def _has(path: Path, column: str) -> bool:
    return any(normalise(column) in map(normalise, row) for row in _top(path))


def _top(path: Path) -> Sequence[Sequence[str]]:
    if not path.is_file():
        raise InputError(f"there is no file {path}", hint="give the path of a list", file=str(path))
    fmt = _format(path)
    return read_preview(path, delimiter=fmt.delimiter)


def _no_column(path: Path, column: str) -> UnknownName:
    from ingestion.detect import find_header

    names = find_header(_top(path)).names
    return UnknownName(
        f"{path.name} has no column {column!r}",
        hint=f"its columns are {'、'.join(names)}" if names else "give the heading of the column",
        file=path.name,
    )

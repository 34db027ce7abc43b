"""Delimited text: strict where it is well-formed, and no record lost where it is not.

The fast way is Arrow's parser on a decoded stream; it tells the number of every record whose
field count differs. A file whose quotes do not pair is read line by line instead, so that one
open quote does not swallow what follows.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pac
import pyarrow.csv as pc

from catalog.errors import InputError
from catalog.model import Format
from ingestion.formats.base import (
    CUT,
    NUL,
    RAGGED,
    REPAIRED,
    UNCLOSED,
    Opened,
    flag_nuls,
    make_batch,
    problem_of_nuls,
    raw_fields,
    raw_line,
    rows_to_batches,
)
from ingestion.formats.damage import noting_damage, refuse_marks
from ingestion.formats.header import SEARCH_ROWS, Header, Wanted, choose_header, join_header, normalise, unique_columns
from ingestion.formats.text import Utf8Reader, encoding_about, resolve_encoding

HEAD_BYTES = 2 << 20
BLOCK_BYTES = 1 << 20
"""Small enough for the processor's cache: four times this costs a third more time."""
MAX_RECORD_BYTES = 64 << 20
MAX_FIELD_WHEN_BROKEN = 1 << 20
"""How much text an open quote may take before its line is given up."""

Row = tuple[int, Sequence[str | None] | None, str | None, str | None]


class BrokenQuotes(Exception):
    """The fast parser cannot be trusted with this file; read it again line by line."""


def read(path: Path, fmt: Format, wanted: Wanted, *, recover: bool = False) -> Opened:
    """Open a delimited file.

    Args:
        recover: read line by line (after the fast way raised BrokenQuotes).

    Raises:
        InputError: wrong encoding, no header, too many columns.
        BrokenQuotes: while the batches are consumed, when quotes do not pair.
    """
    encoding = resolve_encoding(path, fmt.encoding)
    stream = Utf8Reader(path, encoding, quote=fmt.quote, tolerant=True)
    try:
        head = _read_head(stream)
        rows, ends = split_head(head, fmt)
        try:
            tops = rows if fmt.header_rows == 1 else join_header(rows, fmt.header_rows, fmt.header_join)
            header = choose_header(tops, wanted, fmt.header_row, fmt.max_columns)
        except InputError as e:
            raise _explain(path, fmt, encoding, wanted, e) from e
        refuse_marks(header.columns)
        stream.push_back(head[ends[header.row + fmt.header_rows - 2] if header.row else 0 :].encode())
        stream.quotes = 0
    except BaseException:
        stream.close()
        raise
    columns = unique_columns(header.columns)
    free = _free_text(header, fmt)
    if recover:
        batches = rows_to_batches(_recovering(stream, fmt, len(columns), free), len(columns))
    else:
        batches = _fast(stream, fmt, len(columns), free)
    about: dict[str, Any] = {
        **encoding_about(path, fmt.encoding, encoding),
        "header_row": header.row,
        "title_rows": max(header.row - 1, 0),
    }
    return Opened(columns, noting_damage(batches, stream, about), about, close=stream.close)


def split_head(text: str, fmt: Format, limit: int = SEARCH_ROWS) -> tuple[list[list[str]], list[int]]:
    """The first rows of ``text`` and, for each, the offset where it ends."""
    consumed = 0

    def lines() -> Iterator[str]:
        nonlocal consumed
        for line in io.StringIO(text, newline=""):
            consumed += len(line)
            yield line

    rows: list[list[str]] = []
    ends: list[int] = []
    csv.field_size_limit(MAX_RECORD_BYTES)
    for row in _reader(lines(), fmt):
        rows.append(row)
        ends.append(consumed)
        if len(rows) >= limit:
            break
    return rows, ends


def _quoting(fmt: Format) -> Literal[0, 3]:
    return csv.QUOTE_MINIMAL if fmt.quote else csv.QUOTE_NONE


def _read_head(stream: Utf8Reader) -> str:
    data = b""
    while len(data) < HEAD_BYTES and (part := stream.read(HEAD_BYTES - len(data))):
        data += part
    text = data.decode("utf-8", "ignore")
    rest = data[len(text.encode()) :]
    if rest:
        stream.push_back(rest)
    return text


def _free_text(header: Header, fmt: Format) -> int | None:
    if fmt.free_text is None:
        return None
    names = [normalise(c) for c in header.columns]
    wanted = normalise(fmt.free_text)
    return names.index(wanted) if wanted in names else None


def _explain(path: Path, fmt: Format, encoding: str, wanted: Wanted, error: InputError) -> InputError:
    """A header that is not found may be found in another encoding or with another delimiter: say so."""
    if error.where.get("header_row"):
        return error
    for other in ("utf-8-sig", "gb18030", "utf-16"):
        if other == encoding:
            continue
        try:
            with Utf8Reader(path, other) as stream:
                rows, _ = split_head(stream.read(1 << 16).decode("utf-8", "ignore"), fmt)
        except InputError:
            continue
        if any(wanted.score([normalise(c) for c in row]) >= 0.5 for row in rows):
            return InputError(
                f"read as {encoding} the file has none of the contract's columns, but read as {other} it has",
                hint=f"set format.encoding to {other.removesuffix('-sig')} or auto, or ask for {encoding}",
            )
    with Utf8Reader(path, encoding) as stream:
        sample = stream.read(1 << 16).decode("utf-8", "ignore")
    for delimiter in ("\t", ";", "|", ",", "，"):
        if delimiter == fmt.delimiter:
            continue
        rows, _ = split_head(sample, fmt.model_copy(update={"delimiter": delimiter}))
        if any(wanted.score([normalise(c) for c in row]) >= 0.5 for row in rows):
            return InputError(
                f"the columns are separated by {delimiter!r}, not by {fmt.delimiter!r}",
                hint="set format.delimiter, or ask for the agreed layout",
            )
    return error


def _fast(stream: Utf8Reader, fmt: Format, width: int, free: int | None) -> Iterator[pa.RecordBatch]:
    names = [f"c{i}" for i in range(width)]
    bad: list[tuple[int, str]] = []

    def keep(row: pc.InvalidRow) -> str:
        bad.append((row.number, row.text))
        return "skip"

    try:
        reader = pc.open_csv(
            pa.PythonFile(stream, mode="r"),
            read_options=pc.ReadOptions(use_threads=False, column_names=names, block_size=BLOCK_BYTES),
            parse_options=pc.ParseOptions(
                delimiter=fmt.delimiter,
                quote_char=fmt.quote or False,
                newlines_in_values=bool(fmt.quote),
                invalid_row_handler=keep,
            ),
            convert_options=pc.ConvertOptions(
                column_types={n: pa.string() for n in names}, strings_can_be_null=False, check_utf8=False
            ),
        )
    except pa.ArrowInvalid as e:
        if "Empty CSV file" in str(e):
            return
        raise BrokenQuotes(str(e)) from e
    done, handled = 0, 0
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            break
        except pa.ArrowInvalid as e:
            raise BrokenQuotes(str(e)) from e
        numbers, handled_now = _numbers(done, batch.num_rows, bad[handled:])
        if fmt.quote and stream.quotes and _looks_swallowed(batch, fmt):
            raise BrokenQuotes("a quote left open has swallowed records")
        made = make_batch(pa.array(numbers), batch.columns, wide_blanks=stream.wide_blanks)
        yield flag_nuls(made, last=CUT if stream.cut else NUL) if stream.nuls else made
        ready, handled = bad[handled : handled + handled_now], handled + handled_now
        done = int(numbers[-1]) if batch.num_rows else done
        if ready:
            yield from rows_to_batches(_ragged_rows(ready, fmt, width, free), width)
    if fmt.quote and stream.quotes % 2:
        raise BrokenQuotes("a quote is not closed")
    rest = bad[handled:]
    if rest:
        yield from rows_to_batches(_ragged_rows(rest, fmt, width, free, cut=_is_cut(stream)), width)


def _looks_swallowed(batch: pa.RecordBatch, fmt: Format) -> bool:
    """Whether a value of several lines consists of what would be whole records."""
    for column in batch.columns:
        lines = pac.count_substring(column, "\n")
        if (pac.max(lines).as_py() or 0) >= 2:
            values = column.filter(pac.greater_equal(lines, 2)).to_pylist()
            if any(_swallowed(value.splitlines(), fmt, batch.num_columns) for value in values):
                return True
    return False


def _numbers(done: int, rows: int, bad: list[tuple[int, str]]) -> tuple[np.ndarray, int]:
    """Record numbers of the next ``rows`` good records after number ``done``; bad ones among them are left out."""
    skipped = 0
    while skipped < len(bad) and bad[skipped][0] <= done + rows + skipped:
        skipped += 1
    numbers = np.arange(done + 1, done + 1 + rows + skipped, dtype=np.int64)
    if skipped:
        mask = np.ones(len(numbers), dtype=bool)
        mask[np.array([n for n, _ in bad[:skipped]]) - done - 1] = False
        numbers = numbers[mask]
    return numbers, skipped


def _is_cut(stream: Utf8Reader) -> bool:
    return stream.cut or not stream.ended_with_newline


def _ragged_rows(
    bad: list[tuple[int, str]], fmt: Format, width: int, free: int | None, *, cut: bool = False
) -> Iterator[Row]:
    for i, (number, text) in enumerate(bad):
        last = cut and i == len(bad) - 1
        row = next(_reader(iter(text.splitlines(keepends=True)), fmt))
        if _swallowed(text.splitlines(), fmt, width):
            raise BrokenQuotes("a quote left open has swallowed records")
        yield join_free_text(number, row, fmt, width, free, last)


def join_free_text(
    number: int, fields: list[str], fmt: Format, width: int, free: int | None, last: bool = False
) -> Row:
    """A ragged record as a row of the stream: rejoined at the free-text column when it has too many fields, of
    the header's width when it has as many as the contract says."""
    if free is not None and len(fields) > width and fmt.free_text is not None:
        extra = len(fields) - width
        joined = fmt.delimiter.join(fields[free : free + extra + 1])
        repaired = [*fields[:free], joined, *fields[free + extra + 1 :]]
        return number, repaired, REPAIRED, raw_fields(fields)
    if fmt.record_cells is not None:
        told = [*fields, *[""] * (width - len(fields))]
        surplus = any(f.strip() for f in told[width:])
        if not surplus and min(fmt.record_cells, width) <= len(fields) <= max(fmt.record_cells, width):
            return number, told[:width], None, None
    return number, None, CUT if last and len(fields) < width else RAGGED, raw_fields(fields)


def _recovering(stream: Utf8Reader, fmt: Format, width: int, free: int | None) -> Iterator[Row]:
    """Records line by line; an open quote that has swallowed records is taken alone, and they are given back."""
    csv.field_size_limit(MAX_FIELD_WHEN_BROKEN)
    source = stream.text(newline="")
    pending: deque[str] = deque()
    used: list[str] = []

    def lines() -> Iterator[str]:
        while (line := pending.popleft() if pending else next(source, None)) is not None:
            used.append(line)
            yield line

    reader = _reader(lines(), fmt)
    number = 0
    while True:
        used.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            fields = [] if _open(used, fmt) else _long_record(used, fmt)
        if not fields and not used[0].strip():
            continue
        number += 1
        still_open = _open(used, fmt)
        broken = still_open or ((len(fields) != width or not _well_formed(used, fmt)) and _swallowed(used, fmt, width))
        if len(used) > 1 and broken:
            pending.extendleft(reversed(used[1:]))
            del used[1:]
            reader, still_open = _reader(lines(), fmt), True
        if still_open:
            yield number, None, UNCLOSED, raw_line("".join(used).rstrip("\r\n"))
        elif any("\0" in f for f in fields):
            last = stream.cut and not used[-1].endswith(("\n", "\r"))
            yield number, None, problem_of_nuls(fields, CUT if last else NUL), raw_fields(fields)
        elif len(fields) == width:
            yield number, fields, None, None
        else:
            yield join_free_text(number, fields, fmt, width, free, not used[-1].endswith(("\n", "\r")))


def _long_record(lines: list[str], fmt: Format) -> list[str]:
    """The fields of a record with a long value that no open quote has made long."""
    csv.field_size_limit(MAX_RECORD_BYTES)
    try:
        return next(_reader(iter(lines), fmt))
    except csv.Error as e:
        raise InputError(
            f"a record is longer than {MAX_RECORD_BYTES >> 20} MB", hint="ask for the long values as files of their own"
        ) from e
    finally:
        csv.field_size_limit(MAX_FIELD_WHEN_BROKEN)


def _well_formed(lines: list[str], fmt: Format) -> bool:
    """Whether every closing quote is followed by a delimiter or the record's end."""
    try:
        list(csv.reader(lines, delimiter=fmt.delimiter, quotechar=fmt.quote, strict=True))
    except csv.Error:
        return False
    return True


def _reader(lines: Iterator[str], fmt: Format) -> Iterator[list[str]]:
    return csv.reader(lines, delimiter=fmt.delimiter, quotechar=fmt.quote or None, quoting=_quoting(fmt))


def _swallowed(lines: list[str], fmt: Format, width: int) -> bool:
    """Whether most lines of one ragged record would be whole records by themselves."""
    if len(lines) < 3 or not fmt.quote or width < 2:
        return False
    whole = sum(line.count(fmt.delimiter) == width - 1 for line in lines[1:])
    return whole * 2 >= len(lines) - 1


def _open(lines: list[str], fmt: Format) -> bool:
    return bool(fmt.quote) and sum(line.count(fmt.quote) for line in lines) % 2 == 1

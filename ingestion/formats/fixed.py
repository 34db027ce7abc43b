"""Fixed-width text: columns by place, counted in bytes (GB18030: two or four a Chinese character) or in characters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.errors import InputError
from catalog.model import Format
from ingestion.formats.base import BAD_RECORD, CUT, NUL, RAGGED, Opened, problem_of_nuls, raw_line, rows_to_batches
from ingestion.formats.damage import noting_damage
from ingestion.formats.header import Wanted
from ingestion.formats.text import Utf8Reader, encoding_about, resolve_encoding

MAX_LINE = 1 << 20


def read(path: Path, fmt: Format, wanted: Wanted) -> Opened:
    """Open fixed-width text; ``fmt.header_row`` lines of title and header are passed over (``auto``: none).

    A record that is shorter or longer than the columns, blanks at its end aside, is a problem of that record.

    Raises:
        InputError: bytes that are not text of the encoding, or positions in bytes of a UTF-16 file.
    """
    encoding = resolve_encoding(path, fmt.encoding)
    if fmt.positions == "bytes" and encoding.startswith("utf-16"):
        raise InputError("positions of a UTF-16 file cannot be bytes", hint="set format.positions to characters")
    skipped = fmt.header_row if isinstance(fmt.header_row, int) else 0
    about: dict[str, Any] = {
        **encoding_about(path, fmt.encoding, encoding),
        "header_row": skipped,
        "positions": fmt.positions,
    }
    stream = Utf8Reader(path, encoding, tolerant=True)
    columns = tuple(c.name for c in fmt.columns)
    batches = rows_to_batches(_rows(stream, fmt, encoding, skipped), len(columns))
    return Opened(columns, noting_damage(batches, stream, about), about, close=stream.close)


def _rows(
    stream: Utf8Reader, fmt: Format, encoding: str, skipped: int
) -> Iterator[tuple[int, list[str] | None, str | None, str | None]]:
    spans = [(c.start - 1, c.start - 1 + c.width) for c in fmt.columns]
    last_start, whole = max(a for a, _ in spans), max(b for _, b in spans)
    codec = encoding.removesuffix("-sig")
    counted = fmt.positions == "bytes"
    padded, number = True, -skipped
    lines = stream.text(newline=None)
    for line in iter(lambda: lines.readline(MAX_LINE), ""):
        number += 1
        text = line.rstrip("\n")
        if number <= 0 or (not text.strip() and line.endswith("\n")):
            number -= number > 0
            continue
        body: str | bytes = text.encode(codec) if counted else text
        shortest = whole if padded and not line.endswith("\n") else last_start + 1
        problem = _problem(body, text, shortest, whole, cut=not line.endswith("\n"))
        padded = padded and (problem is not None or len(body) >= whole)
        if problem:
            yield number, None, problem, raw_line(text)
            continue
        try:
            values = [body[a:b] for a, b in spans]
            yield number, [v.decode(codec) if isinstance(v, bytes) else v for v in values], None, None
        except UnicodeDecodeError:  # a column's end cuts a character in two
            yield number, None, BAD_RECORD, raw_line(text)


def _problem(body: str | bytes, text: str, shortest: int, whole: int, *, cut: bool) -> str | None:
    """What is wrong with a line; ``cut``: it ends the file without a line end."""
    if "\0" in text:
        return problem_of_nuls([text], CUT if cut else NUL)
    if len(body) >= MAX_LINE or len(body.rstrip()) > whole:
        return RAGGED
    if len(body) < shortest:
        return CUT if cut else RAGGED
    return None

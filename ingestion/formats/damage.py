"""Single bytes of a text file that are no text: their records are set apart, everything else is read.

A decoder stays strict until it meets such a byte; the block it stands in is then decoded once more, with `MARK` and the
byte's value in its place. A mark begins with NUL, so a reader that sets records with NUL apart sets these apart.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import pyarrow as pa

from catalog.errors import InputError
from ingestion.formats.base import MARK

FEW_LINES = 20
MOST_LINES = 0.01
MARKING = "lakehouse.mark_undecodable"
"""Name of the error handler that marks."""


def _mark(e: UnicodeError) -> tuple[str, int]:
    if not isinstance(e, UnicodeDecodeError):
        raise e
    return "".join(f"{MARK}{byte:02x}" for byte in e.object[e.start : e.end]), e.end


codecs.register_error(MARKING, _mark)


class Damaged(Protocol):
    """What has met damage; ``damage``: lines, first line and first offset, empty when there was none."""

    damage: dict[str, int]


def noting_damage(
    batches: Iterator[pa.RecordBatch], stream: Damaged, about: dict[str, Any]
) -> Iterator[pa.RecordBatch]:
    """The batches; what the stream met of bytes that are no text is in ``about`` after the last of them."""
    yield from batches
    if stream.damage:
        about["undecodable"] = stream.damage


def too_many(bad: int, lines: int) -> bool:
    """Whether so many damaged lines of all say that the encoding is not the file's."""
    return bad > FEW_LINES and bad > MOST_LINES * lines


def refuse_marks(header: Sequence[str]) -> None:
    """Stop where a heading is no text: its column would be another one.

    Raises:
        InputError: with the heading's place.
    """
    bad = [place for place, name in enumerate(header, start=1) if MARK in name]
    if bad:
        raise InputError(
            f"the heading of column {bad[0]} has bytes that are no text of the encoding",
            hint="ask the department to send the file again, or set format.encoding",
        )


def damaged_lines(block: bytes, encoding: str) -> list[bytes]:
    """The lines of a block that are no text of the encoding; of UTF-16, whose line ends are no bytes, one for all."""
    if encoding.startswith(("utf-16", "utf-32")):
        return [block]
    *whole, last = block.split(b"\n")
    bad = [line for line in whole if not _is_text(line, encoding, final=True)]
    return bad if _is_text(last, encoding, final=False) else [*bad, last]


def is_utf8(line: bytes) -> bool:
    """Whether a line, its ends cut by a block aside, is UTF-8 with characters that are not ASCII."""
    start = next((i for i, byte in enumerate(line[:4]) if not 0x80 <= byte < 0xC0), 0)
    try:
        text = codecs.getincrementaldecoder("utf-8")("strict").decode(line[start:], final=False)
    except UnicodeDecodeError:
        return False
    return sum(not c.isascii() for c in text) >= 2


def _is_text(line: bytes, encoding: str, *, final: bool) -> bool:
    """``final``: False where a block may cut the line's last character."""
    try:
        codecs.getincrementaldecoder(encoding)("strict").decode(line, final)
    except UnicodeDecodeError:
        return False
    return True

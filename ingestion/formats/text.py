"""Bytes to UTF-8 text: which encoding a file is in, and a stream that decodes it strictly.

DuckDB's own decoder of GB18030 is thirty times slower than Python's codec, so text is decoded
here on its way to the parser, without a copy on disk.
"""

from __future__ import annotations

import codecs
import io
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO, cast

from catalog.errors import InputError
from ingestion.formats.base import WIDE_BLANKS
from ingestion.formats.damage import MARKING, damaged_lines, is_utf8, too_many

CHUNK = 1 << 20
PROBE_BYTES = 8 << 20
"""Non-ASCII text seen before UTF-8 is believed."""
FALLBACK = "gb18030"
"""Superset of GB2312 and GBK; what offices of the district still save."""
BIG5 = ("cp950", "big5hkscs")
"""Of Taiwan, and of Hong Kong with its own characters."""
BIG5_LOOK, BIG5_FEWEST = 200_000, 8
"""Bytes that are looked at, and characters that are needed to tell Big5."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def detect_encoding(path: Path) -> str:
    """The Python codec of a text file: by byte order mark, by the pattern of NULs, then UTF-8, Big5, else GB18030.

    GB18030 accepts almost any bytes, so it is only the last answer: a file that is valid UTF-8 is UTF-8.
    """
    with path.open("rb") as f:
        head = f.read(4096)
        for bom, name in _BOMS:
            if head.startswith(bom):
                return name
        if wide := _utf16_by_nuls(head):
            return wide
        f.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")("strict")
        seen = 0
        while chunk := f.read(CHUNK):
            pending = decoder.getstate()[0]
            if chunk.isascii() and not pending:
                continue
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                return "utf-8" if _damaged_utf8(pending + chunk) else _double_byte(pending + chunk)
            seen += len(chunk)
            if seen >= PROBE_BYTES:
                break
    return "utf-8"


def _damaged_utf8(data: bytes) -> bool:
    """Whether text is UTF-8 but for a few broken characters: other encodings hardly ever read as it at all.

    Read as GB18030, such a file would come out as wrong characters without an error.
    """
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    return _beyond_ascii(text) - broken > 20 * broken


def _beyond_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _double_byte(data: bytes) -> str:
    """Big5 where nearly all characters are common in it and many of the same bytes are none of GB2312, else GB18030.

    Two in five second bytes of Big5 lie where GB2312 has none; characters of GBK beyond GB2312 have bytes that Big5
    does not have. What holds too few characters to tell is GB18030.
    """
    data = data[:BIG5_LOOK]
    if _share(data.decode(FALLBACK, "replace"), "gb2312") > 0.85:
        return FALLBACK
    read = {name: codecs.getincrementaldecoder(name)("replace").decode(data) for name in BIG5}
    lost = [text.count("\ufffd") for text in read.values()]
    name = BIG5[lost[0] > 3 and 2 * lost[1] < lost[0]]
    enough = _beyond_ascii(read[name]) >= BIG5_FEWEST
    return name if enough and _share(read[name], "big5", upto=0xC6) >= 0.97 else FALLBACK


def _share(text: str, encoding: str, upto: int = 0xF7) -> float:
    """Part of the characters beyond ASCII that ``encoding`` has, with a first byte up to ``upto``."""
    seen = Counter({c: n for c, n in Counter(text).items() if not c.isascii()})
    known = sum(n for c, n in seen.items() if (code := c.encode(encoding, "ignore")) and code[0] <= upto)
    return known / seen.total() if seen else 1.0


def resolve_encoding(path: Path, declared: str) -> str:
    """The codec to read ``path`` with: the declared one, or the one found when it is ``auto``.

    A byte order mark that contradicts nothing is stripped: ``utf-8`` reads as ``utf-8-sig``.

    Raises:
        InputError: Python has no such codec.
    """
    if declared == "auto":
        found = detect_encoding(path)
        return "utf-8-sig" if found == "utf-8" else found
    try:
        name = codecs.lookup(declared).name
    except LookupError as e:
        raise InputError(f"there is no encoding {declared!r}", hint="use auto, utf-8, gb18030 or utf-16") from e
    return {"utf-8": "utf-8-sig", "gbk": "gb18030", "gb2312": "gb18030"}.get(name, name)


def utf16_of(head: bytes) -> str | None:
    """The UTF-16 codec of a text that starts with ``head``, by its mark or by NULs at every other place."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and not head.startswith(codecs.BOM_UTF32_LE):
        return "utf-16"
    return _utf16_by_nuls(head)


def _utf16_by_nuls(head: bytes) -> str | None:
    """UTF-16 without a mark: line ends, commas and digits leave NULs at places of one parity only."""
    head = head[: len(head) // 2 * 2]
    if len(head) < 16:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > len(head) // 16 and even * 3 <= odd and _usual(head.decode("utf-16-le", "ignore")) >= 0.8:
        return "utf-16-le"
    if even > len(head) // 16 and odd * 3 <= even and _usual(head.decode("utf-16-be", "ignore")) >= 0.8:
        return "utf-16-be"
    if (even or odd) and not head.isascii():
        reads = [name for name in ("utf-16-le", "utf-16-be") if _reads_chinese(head, name)]
        return reads[0] if len(reads) == 1 else None
    return None


def _reads_chinese(data: bytes, encoding: str) -> bool:
    """Whether nearly all of ``data`` are letters, ideographs and punctuation of a Chinese text."""
    text = data.decode(encoding, "ignore")
    return "\n" in text and _usual(text) >= 0.95


def _usual(text: str) -> float:
    """Part of a text that are letters, ideographs and punctuation of Chinese files."""
    usual = sum(
        c in "\r\n\t" or " " <= c <= "~" or "\u3000" <= c <= "\u9fff" or "\uff00" <= c <= "\uffef" for c in text
    )
    return usual / len(text) if text else 0.0


def found_otherwise(path: Path, encoding: str) -> str | None:
    """The encoding a file's beginning says it has, when it is another than the declared one it was read in."""
    with path.open("rb") as f:
        head = f.read(CHUNK)
    if head.isascii() and 0 not in head[:4096]:
        return None
    mark = next((name for bom, name in _BOMS if head.startswith(bom)), None)
    found = mark or _utf16_by_nuls(head[:4096])
    if found is None:
        try:
            codecs.getincrementaldecoder("utf-8")("strict").decode(head)
            found = "utf-8"
        except UnicodeDecodeError:
            found = _double_byte(head)
    same = {"utf-8-sig": "utf-8", "ascii": "utf-8", "utf-16-le": "utf-16", "utf-16-be": "utf-16"}
    return None if same.get(found, found) == same.get(encoding, encoding) else found


def encoding_about(path: Path, declared: str, encoding: str) -> dict[str, str]:
    """``encoding`` for ``Opened.about``; a declared one that the bytes contradict stands beside what they say."""
    found = found_otherwise(path, encoding) if declared != "auto" else None
    return {"encoding": encoding} | ({"encoding_found": found} if found else {})


class Utf8Reader:
    """A readable binary stream of UTF-8 over a file in any encoding.

    Attributes:
        quotes: quote characters handed out so far; odd at the end means a quote was never closed.
        nuls: whether a NUL character was handed out.
        wide_blanks: whether a blank that is not ASCII was read.
        cut: whether the file ended within a character (a truncated file); it is handed out as NUL.
        ended_with_newline: whether the last character was a line end.
        damage: lines with bytes that are no text, and where the first stands; empty for nearly every file.

    Args:
        tolerant: single bytes that are no text are handed out as `MARK` and their value, so that only their records
            are lost; False, or where the whole file looks like another encoding, they are an error.
    """

    def __init__(self, path: Path, encoding: str, *, quote: str = '"', tolerant: bool = False) -> None:
        self._path, self._encoding, self._tolerant = path, encoding, tolerant
        self._file: BinaryIO = path.open("rb")
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._passthrough = encoding in ("utf-8-sig", "utf-8", "ascii")
        self._pending = b""
        self._quote = quote.encode()
        self._done = False
        self._read_bytes = 0
        self.quotes = 0
        self.nuls = False
        self.wide_blanks = False
        self.cut = False
        self.ended_with_newline = False
        self.damage: dict[str, int] = {}
        self.closed = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes (all when negative); empty only at the end.

        Raises:
            InputError: bytes that are not text in this encoding, with offset and line.
        """
        if size is None or size < 0:
            parts = []
            while part := self.read(CHUNK):
                parts.append(part)
            return b"".join(parts)
        while len(self._pending) <= size // 2 and not self._done:  # a block too short for a record breaks the parser
            self._pending += self._next(max(size * 2 // 3, 64))
        out, self._pending = self._pending[:size], self._pending[size:]
        if out:
            self.quotes += out.count(self._quote)
            self.nuls = self.nuls or b"\0" in out
            self.ended_with_newline = out[-1] in b"\r\n"
        return out

    def push_back(self, data: bytes) -> None:
        """Give ``data`` back to be read again; it is counted again then."""
        self.quotes -= data.count(self._quote)
        self._pending = data + self._pending

    def text(self, newline: str | None = None) -> io.TextIOWrapper:
        """The stream as lines of text; ``newline`` as in ``open``."""
        return io.TextIOWrapper(io.BufferedReader(cast(Any, _Raw(self))), encoding="utf-8", newline=newline)

    def close(self) -> None:
        self._file.close()
        self.closed = True

    def __enter__(self) -> Utf8Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _next(self, size: int) -> bytes:
        raw = self._file.read(size)
        self._done = not raw
        state = self._decoder.getstate()
        before, as_it_is = state[0], self._passthrough
        try:
            text = self._decoder.decode(raw, final=False)
        except UnicodeDecodeError as e:
            text, as_it_is = self._with_marks(raw, state, e), False
        except UnicodeError as e:
            raise InputError(f"the file is not {self._encoding} text", hint="set format.encoding to auto") from e
        if self._passthrough and self._read_bytes == 0:
            raw = raw.removeprefix(codecs.BOM_UTF8)
        self._read_bytes += len(raw)
        self.wide_blanks = self.wide_blanks or any(blank in text for blank in WIDE_BLANKS)
        data = before + raw if as_it_is else text.encode()
        if as_it_is and (held := len(self._decoder.getstate()[0])):
            data = data[:-held]
        if self._done:
            data = self._end()
        return data

    def _with_marks(self, raw: bytes, state: Any, e: UnicodeDecodeError) -> str:
        """The text of ``raw`` with marks for the bytes that are none; ``state``: the decoder's before it.

        Raises:
            InputError: the reader cannot take marks, or the file, or a line of it, is text of another encoding.
        """
        held = len(state[0])
        if not self._tolerant or (not self.damage and _other_encoding(self._path, self._encoding)):
            raise self._undecodable(held, e) from e
        lines = damaged_lines(e.object, self._encoding)
        if not self._passthrough and any(map(is_utf8, lines)):  # its other lines could read as wrong characters
            raise self._undecodable(held, e, mixed=True) from e
        if not self.damage:
            offset = self._read_bytes - held + e.start
            self.damage = {"lines": 0, "first_line": _lines_before(self._path, offset) + 1, "first_offset": offset}
        self.damage["lines"] += len(lines)
        self._decoder.setstate(state)
        self._decoder.errors = MARKING
        try:
            return self._decoder.decode(raw, final=False)
        finally:
            self._decoder.errors = "strict"

    def _end(self) -> bytes:
        """A character cut at the very end is a truncated file, not a wrong encoding; a NUL marks the place.

        Raises:
            InputError: too many lines had bytes that are no text.
        """
        if self.damage and too_many(bad := self.damage["lines"], lines := _lines_before(self._path, self._read_bytes)):
            raise InputError(
                f"{bad} of {lines} lines have bytes that are no {self._encoding.removesuffix('-sig')} text",
                hint="set format.encoding to the one the file is written in, or ask the department to send it again",
                line=self.damage["first_line"],
                offset=self.damage["first_offset"],
            )
        try:
            self._decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            self.cut = True
            return b"\0"
        return b""

    def _undecodable(self, held: int, e: UnicodeDecodeError, *, mixed: bool = False) -> InputError:
        offset = self._read_bytes - held + e.start
        line = _lines_before(self._path, offset) + 1
        found = _other_encoding(self._path, self._encoding)
        hint = "the file is damaged there; ask the department to send it again"
        if found:
            hint = f"the file reads as {found}; set format.encoding to {found} or auto"
        if mixed:
            hint = "lines of the file are utf-8, put into it from elsewhere; ask for one encoding"
        return InputError(
            f"the file is not {self._encoding.removesuffix('-sig')} text: byte 0x{e.object[e.start]:02x} is unreadable",
            hint=hint,
            line=line,
            offset=offset,
        )


def _other_encoding(path: Path, encoding: str) -> str | None:
    """The encoding a file's bytes say it has, when it is another than the one it was read in."""
    found = detect_encoding(path)
    return None if found.removesuffix("-sig") == encoding.removesuffix("-sig") else found


def _lines_before(path: Path, offset: int) -> int:
    """Line ends among the first ``offset`` bytes of a file."""
    lines = 0
    with path.open("rb") as f:
        while offset > 0 and (chunk := f.read(min(CHUNK, offset))):
            lines += chunk.count(b"\n")
            offset -= len(chunk)
    return lines


class _Raw(io.RawIOBase):
    """Utf8Reader as the raw stream below a text wrapper."""

    def __init__(self, stream: Utf8Reader) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

"""Who is to be erased, and where traces of that person stand in bytes.

A person is the pseudonym and every spelling of the resident ID that was found. Values are bound as parameters or
compared in memory: none reaches SQL text, a commit log or a message.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from catalog.errors import LakehouseError

if TYPE_CHECKING:
    import duckdb

MARK = "［已销毁］"
WIDE = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")
TOKEN = re.compile(rb"(?<![0-9])(?:[0-9]{17}[0-9Xx]|[0-9]{15})(?![0-9])")
PACKED_DEPTH = 4
ENCODINGS = ("utf-8", "gb18030", "utf-16-le", "utf-16-be")


class DestroyFault(LakehouseError):
    """An erasure cannot be done, or its verification found a trace."""

    code = "LH710"


@dataclass(frozen=True, repr=False)
class Person:
    """One person to erase; its text form shows nothing.

    Attributes:
        key: the pseudonym (`resident_key`).
        ids: the resident ID in capital 18-character form; empty when only the pseudonym is known and no ID was found.
    """

    key: str
    ids: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """What may be kept: a one-way digest of the pseudonym, so that it can be recognised and not read."""
        return hashlib.sha256(f"erased:{self.key}".encode()).hexdigest()

    @property
    def spellings(self) -> tuple[str, ...]:
        """The ID as it may stand in a file: small x, 15 digits, with blanks or dashes, in full width."""
        out: dict[str, None] = {}
        for number in self.ids:
            forms = [number, number.lower(), *(f"{number[:6]}{s}{number[6:14]}{s}{number[14:]}" for s in " -")]
            if number[6:8] == "19":
                forms.append(number[:6] + number[8:17])
            out |= dict.fromkeys([*forms, number.translate(WIDE)])
        return tuple(out)

    @property
    def texts(self) -> tuple[str, ...]:
        return (self.key, *self.spellings)

    def needles(self) -> tuple[bytes, ...]:
        """Every spelling and the pseudonym in the encodings files come in."""
        return tuple(dict.fromkeys(t.encode(e) for t in self.texts for e in ENCODINGS))

    def in_text(self, text: str | None) -> bool:
        return bool(text) and any(t in (text or "") for t in self.texts)

    def in_bytes(self, data: bytes) -> bool:
        return any(n in data for n in self.needles())

    def redact(self, data: bytes) -> bytes:
        """The bytes with asterisks of the same length where the person stood."""
        for needle in self.needles():
            width = 2 if needle[:1] == b"\0" or needle[1:2] == b"\0" else 1
            star = b"*" if width == 1 else (b"*\0" if needle[1:2] == b"\0" else b"\0*")
            data = data.replace(needle, star * (len(needle) // width))
        return data


def holds(file: Path, person: Person) -> bool:
    """Whether a file holds a trace, also inside Parquet pages and packed members (XLSX, zip, gzip, tar).

    Raises:
        DestroyFault: a Parquet or packed file cannot be read, so nothing can be said of it.
    """
    if any(person.in_bytes(part) for part in _parts(file)):
        return True
    with file.open("rb") as f:
        parquet = f.read(4) == b"PAR1"
    return (parquet or file.suffix == ".parquet") and _parquet_holds(file, person)


def _parts(file: Path) -> Iterator[bytes]:
    """The bytes of a file in overlapping pieces, and those of its members."""
    try:
        with file.open("rb") as f:
            yield from _unpacked(f, 0)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, RuntimeError) as e:
        raise DestroyFault("a packed file cannot be read, so it cannot be verified", file=str(file)) from e


def _unpacked(stream: IO[bytes], depth: int) -> Iterator[bytes]:
    """A stream in overlapping pieces, then what is packed in it, as deep as a workbook in a tar in a gzip."""
    head, overlap, tail = b"", 256, b""
    while chunk := stream.read(8 << 20):
        head = head or chunk[:512]
        yield tail + chunk
        tail = chunk[-overlap:]
    if depth == PACKED_DEPTH:
        return
    stream.seek(0)
    if head.startswith(b"\x1f\x8b"):
        with gzip.open(stream) as inner:
            yield from _unpacked(cast(IO[bytes], inner), depth + 1)
    elif head[257:262] == b"ustar":
        with tarfile.open(fileobj=stream) as t:
            for info in t:
                if (file := t.extractfile(info)) is not None:
                    yield from _unpacked(file, depth + 1)
    elif not head.startswith(b"PAR1") and zipfile.is_zipfile(stream):
        stream.seek(0)
        with zipfile.ZipFile(stream) as z:
            for name in z.namelist():
                with z.open(name) as member:
                    yield from _unpacked(member, depth + 1)


def _parquet_holds(file: Path, person: Person) -> bool:
    """Whether any value of any column, as text, holds the person."""
    import duckdb

    from warehouse import duck

    con = _looking().cursor()
    try:
        con.execute("CREATE TEMP VIEW f AS SELECT * FROM read_parquet(" + duck.literal(str(file)) + ")")  # noqa: S608
        columns = [c for c, kind, *_ in con.execute("DESCRIBE f").fetchall() if kind != "BLOB"]
        if not columns:
            return False
        text = ", ".join(f"CAST({duck.quote(c)} AS VARCHAR)" for c in columns)
        sql = f"SELECT 1 FROM f WHERE {_contains(f'concat_ws(chr(10), {text})', len(person.texts))} LIMIT 1"  # noqa: S608
        return con.execute(sql, list(person.texts)).fetchone() is not None
    except duckdb.Error as e:
        raise DestroyFault("a Parquet file cannot be read, so it cannot be verified", file=str(file)) from e
    finally:
        con.close()


@cache
def _looking() -> duckdb.DuckDBPyConnection:
    """One DuckDB looks through all files, and keeps nothing of them: making one takes longer than most files."""
    from warehouse import duck

    con = duck.connect(memory="1GB")
    con.execute("SET enable_external_file_cache = false")
    return con


def drop_rows(file: Path, person: Person) -> int:
    """Write a Parquet file that is part of no table anew without the rows that hold the person; how many went."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    about = [any(person.in_text(str(v)) for v in row.values() if v is not None) for row in table.to_pylist()]
    draft = file.with_name(f".{file.name}.draft")
    pq.write_table(table.filter(pa.array([not a for a in about], pa.bool_())), draft)
    draft.replace(file)
    return sum(about)


def _contains(expr: str, how_many: int) -> str:
    return "(" + " OR ".join(f"contains({expr}, ${i + 1})" for i in range(how_many)) + ")"


def ids_behind(key: str, files: Iterator[Path], pseudonym_of: object) -> set[str]:
    """IDs in files whose pseudonym is ``key``: needed where only the pseudonym is known."""
    from quality.identifiers import upgrade_resident_id

    assert callable(pseudonym_of)
    found: set[str] = set()
    seen: set[bytes] = set()
    for file in files:
        for part in _parts(file):
            for token in set(TOKEN.findall(part)) - seen:
                seen.add(token)
                number = upgrade_resident_id(token.decode())
                if pseudonym_of(number) == key:
                    found.add(number)
    return found

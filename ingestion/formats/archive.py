"""Archives of deliveries: unpacked within limits, member by member, and never trusted.

A member is written under a name of ours, so no name of the archive reaches the file system. Links,
devices, encrypted members and archives inside archives are refused; so is what unpacks to more than
the contract allows, counted while unpacking because the sizes an archive states may lie.
"""

from __future__ import annotations

import fnmatch
import gzip
import re
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple, cast

from catalog.errors import InputError
from catalog.model import Format
from ingestion.formats.base import Opened
from ingestion.formats.header import Wanted
from ingestion.formats.kinds import ARCHIVES, MAX_MEMBERS, PACKED, Kind, as_archive, bomb, detect_kind
from ingestion.formats.several import Part, several

CHUNK = 1 << 20
RATIO_FREE_BYTES = 64 << 20
"""Below this nobody is hurt, however well it was packed."""
_JUNK = re.compile(r"(^|/)(__MACOSX/|\._|\.DS_Store$|Thumbs\.db$|desktop\.ini$)", re.IGNORECASE)
_SUFFIX = re.compile(r"^\.[A-Za-z0-9]{1,10}$")
_UTF8_NAME = 0x800


class Member(NamedTuple):
    """A file of an archive: its name there, and where it was written."""

    name: str
    path: Path


class Unpacked(NamedTuple):
    """Members in name order, and the names of those that were left in the archive."""

    members: list[Member]
    left: list[str]


def read(path: Path, fmt: Format, wanted: Wanted, kind: Kind, *, scratch: Path | None = None, **options: Any) -> Opened:
    """Open every member of an archive as one delivery.

    Args:
        scratch: folder to unpack below; the system's temporary folder when None.

    Raises:
        InputError: unsafe, damaged, empty, or a member is not what the contract says.
    """
    from ingestion.formats import open_file

    if scratch is not None:
        scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = tempfile.TemporaryDirectory(prefix="unpacked-", dir=scratch)
    try:
        found = unpack(path, fmt, Path(folder.name), kind)
        parts = [Part(m.name, partial(open_file, m.path, fmt, wanted, **options)) for m in _filled(found.members)]
        if not parts:
            raise InputError("every member of the archive is empty", hint="ask for the delivery again")
        opened = several(parts, wanted, what="member", label=fmt.part_column)
    except BaseException:
        folder.cleanup()
        raise
    opened.about |= {"archive": kind} | ({"left_in_archive": found.left} if found.left else {})
    inner = opened.close

    def close() -> None:
        inner()
        folder.cleanup()

    opened.close = close
    return opened


def _filled(members: list[Member]) -> list[Member]:
    return [m for m in members if detect_kind(m.path) != "empty"]


def unpack(path: Path, fmt: Format, into: Path, kind: Kind | None = None) -> Unpacked:
    """Write the members of an archive that ``fmt.members`` names (all when None) below ``into``.

    Files that share folder and stem (the parts of a Shapefile) keep a common stem.

    Raises:
        InputError: unsafe, damaged, too big, encrypted, or nothing in it is wanted.
    """
    kind = kind or detect_kind(path)
    walk = {"zip": _zip, "shapefile-zip": _zip, "kmz": _zip, "tar": _tar, "gzip": _gzip}[kind]
    found: list[Member] = []
    left: list[str] = []
    stems: dict[str, int] = {}
    allowance = _Allowance(path.stat().st_size, fmt)
    with as_archive():
        for number, (name, stream) in enumerate(walk(path)):
            if number >= MAX_MEMBERS:
                raise InputError(f"the archive has more than {MAX_MEMBERS} members", hint="ask for fewer files")
            _check_name(name)
            if _JUNK.search(name) or (fmt.members and not _matches(name, fmt.members)):
                left.append(name)
                continue
            pure = PurePosixPath(name.replace("\\", "/"))
            stem = stems.setdefault(str(pure.with_suffix("")).lower(), len(stems))
            suffix = pure.suffix.lower() if _SUFFIX.match(pure.suffix) else ""
            target = into / f"{stem:05d}{suffix}"
            if target.exists():
                target = into / f"{stem:05d}-{number}{suffix}"
            _write(stream, target, allowance)
            _refuse_nested(name, target)
            found.append(Member(name, target))
    if not found:
        why = f"no member of the archive matches {fmt.members!r}" if fmt.members else "the archive holds no file"
        raise InputError(why, hint="correct format.members" if fmt.members else "ask for the delivery again")
    return Unpacked(sorted(found, key=lambda m: m.name), sorted(left))


class _Allowance:
    """How many more bytes may be unpacked."""

    def __init__(self, packed: int, fmt: Format) -> None:
        self.fmt, self.total = fmt, 0
        self.most = fmt.max_uncompressed_mb * 1_000_000
        self.by_ratio = max(RATIO_FREE_BYTES, packed * fmt.max_ratio)

    def take(self, size: int) -> None:
        self.total += size
        if self.total > self.most:
            raise bomb(self.fmt.max_uncompressed_mb)
        if self.total > self.by_ratio:
            raise InputError(
                f"the archive unpacks to more than {self.fmt.max_ratio} times its size (a zip bomb?)",
                hint="if the file is genuine, raise format.max_ratio in the contract",
            )


def _write(stream: IO[bytes], target: Path, allowance: _Allowance) -> None:
    with stream, target.open("xb") as out:
        while chunk := stream.read(CHUNK):
            allowance.take(len(chunk))
            out.write(chunk)


def _refuse_nested(name: str, path: Path) -> None:
    if detect_kind(path) in (*ARCHIVES, *PACKED, "shapefile-zip", "kmz"):
        raise InputError(
            "the archive holds another archive",
            hint="ask for the files packed once, without archives inside",
            member=name,
        )


def _check_name(name: str) -> None:
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or re.match(r"^[A-Za-z]:", name) or "\0" in name:
        raise InputError("a member name of the archive leaves its folder", hint="refuse this delivery")


def _matches(name: str, pattern: str) -> bool:
    return fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(name.rpartition("/")[2], pattern)


def _zip(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as z:
        for m in z.infolist():
            name = _zip_name(m)
            if m.flag_bits & 1:
                raise InputError("the archive is encrypted", hint="ask the department to send it without password")
            kind = (m.external_attr >> 16) & 0o170000 if m.create_system == 3 else 0
            if kind not in (0, 0o100000, 0o040000):
                raise _not_a_file(name)
            if not m.is_dir():
                yield name, z.open(m)


def _zip_name(member: zipfile.ZipInfo) -> str:
    """A member's name; Windows writes Chinese names in GBK without saying so."""
    name = member.orig_filename if "\0" in member.orig_filename else member.filename
    if member.flag_bits & _UTF8_NAME or name.isascii():
        return name
    raw = name.encode("cp437", "replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return name


def _tar(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(path, "r:*", errors="surrogateescape") as t:
        for m in t:
            name = _tar_name(m.name)
            if m.isdir():
                continue
            if not m.isreg():
                raise _not_a_file(name)
            stream = t.extractfile(m)
            if stream is None:
                raise _not_a_file(name)
            yield name, stream


def _tar_name(name: str) -> str:
    raw = name.encode("utf-8", "surrogateescape")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "replace")


def _gzip(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with gzip.open(path) as f:
        head = f.read(512)
    if head[257:262] == b"ustar":
        yield from _tar(path)
        return
    name = path.name
    stream = cast(IO[bytes], gzip.open(path))  # noqa: SIM115 - closed by whoever writes the member
    yield (name[: -len(".gz")] if name.lower().endswith(".gz") else name), stream


def _not_a_file(name: str) -> InputError:
    return InputError("the archive holds a link or a device, not only files", hint="refuse this delivery", member=name)

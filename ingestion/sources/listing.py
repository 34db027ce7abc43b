"""Sources that are folders of files: what is new in a listing is fetched once, oldest first.

A version of a file is its name, size, time of change and etag. Left for later: hidden and
half-written names, versions that have not been still long enough, files whose done-marker is
missing, and files that changed while they were fetched.
"""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Protocol

from pydantic import Field, field_validator

from catalog.errors import InputError
from ingestion.landing import safe_name
from ingestion.sources.base import Fetched, Params, Pull
from ingestion.sources.state import RemoteFile

UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart", ".swp", "~")


class FileParams(Params):
    """Keys that every source of files has.

    Attributes:
        pattern: of the base name, ``*`` and ``?`` and ``[]``.
        recursive: look into folders below, too.
        settle_seconds: a file must not have changed for so long.
        done_marker: ending of a file that says the other is whole: ``.ok`` stands for ``a.csv.ok``.
        max_mb: larger files are refused.
    """

    pattern: str = "*"
    recursive: bool = False
    settle_seconds: float = Field(default=60, ge=0, le=86_400)
    done_marker: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,20}$")
    max_mb: int = Field(default=4096, ge=1, le=1 << 20)

    @field_validator("pattern")
    @classmethod
    def _base_name(cls, value: str) -> str:
        if "/" in value or not value:
            raise ValueError("pattern is of the base name; name the folder apart, and recursive: true to go below it")
        return value


class Remote(Protocol):
    """A folder of files somewhere."""

    def files(self) -> Iterator[RemoteFile]:
        """Every regular file, one after the other."""
        ...

    def fetch(self, file: RemoteFile, target: Path) -> None:
        """Copy it to ``target``; tries again by itself, a bounded number of times."""
        ...

    def look(self, name: str) -> RemoteFile | None:
        """The version there is now."""
        ...


def fetch_files(remote: Remote, params: FileParams, pull: Pull, place: str) -> Iterator[Fetched]:
    """Fetch each version that is new and at rest; see the module.

    Args:
        place: where the names are relative to, for receipts.
    """
    listed = pull.state.note_listing(_wanted(remote, params, pull), pull.now)
    pull.say(f"{pull.feed.id}: {listed:,} files listed")
    for number, (file, first_look) in enumerate(pull.state.untaken()):
        if params.done_marker is not None and (
            file.name.endswith(params.done_marker) or not pull.state.is_listed(file.name + params.done_marker)
        ):
            continue
        if not _at_rest(file, first_look, params.settle_seconds, pull):
            pull.say(f"{pull.feed.id}: {file.name} changed less than {params.settle_seconds:g} s ago: next time")
            continue
        if file.size > params.max_mb << 20:
            pull.refused.append(
                InputError(f"the file is larger than {params.max_mb} MB", hint="raise source.max_mb", file=file.name)
            )
            continue
        folder = pull.into / str(number)
        folder.mkdir(mode=0o700)
        target = folder / safe_name(PurePosixPath(file.name).name)
        remote.fetch(file, target)
        if remote.look(file.name) != file or target.stat().st_size != file.size:
            pull.say(f"{pull.feed.id}: {file.name} changed while it was fetched: next time")
        else:
            changed_ns = min(file.mtime_ns or 1 << 62, int(pull.now.timestamp() * 1e9))
            os.utime(target, ns=(changed_ns, changed_ns))
            yield Fetched(target, f"{place}/{file.name}", remote=file)
        shutil.rmtree(folder, ignore_errors=True)


def check_name(name: str) -> str:
    """``name`` when it is a relative path that stays where it is.

    Raises:
        InputError: it climbs out, is absolute, or has characters no honest file name has.
    """
    parts = name.split("/")
    if any(p in ("", ".", "..") for p in parts) or "\\" in name:
        raise InputError("the name leads out of its folder", hint="ask the provider to rename it", file=_shown(name))
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in name) or len(name) > 1024:
        raise InputError(
            "the name is not UTF-8 or has control characters", hint="ask the provider to rename it", file=_shown(name)
        )
    return name


def _wanted(remote: Remote, params: FileParams, pull: Pull) -> Iterator[RemoteFile]:
    """Files of the pattern, and their markers; hostile names are refused."""
    for file in remote.files():
        base = PurePosixPath(file.name).name
        marker = params.done_marker is not None and base.endswith(params.done_marker)
        matched = base.removesuffix(params.done_marker or "") if marker else base
        if not fnmatchcase(matched, params.pattern):
            continue
        if (base.startswith(".") and base not in (".", "..")) or base.lower().endswith(UNFINISHED):
            continue
        try:
            check_name(file.name)
        except InputError as e:
            pull.refused.append(e)
            continue
        yield file


def _at_rest(file: RemoteFile, first_look: float, settle_seconds: float, pull: Pull) -> bool:
    """Unchanged long enough by its own clock, or by ours when its clock is ahead of it."""
    now = pull.now.timestamp()
    age = now - file.mtime_ns / 1e9
    return age >= settle_seconds or now - first_look >= settle_seconds > 0


def _shown(name: str) -> str:
    return name.encode("unicode_escape").decode("ascii")[:200] if not name.isprintable() else name[:200]

"""Which files of this environment DuckDB has verified, kept beside them so that the next process need not again.

A file is known by what nobody can keep while changing it: its inode and the instant of its last change, which the
system sets at every write. The note lies in the environment, so whoever could forge it could as well change the code
that asks; a note that others may write is not believed.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
import time
from pathlib import Path

NAME = "verified-extensions.json"
SETTLED_SECONDS = 2.0
"""A file changed less long ago is not noted: a second change within one tick of the system's clock would not show."""

Mark = list[int]
"""Device, inode, size, and nanoseconds of the last writing and of the last change."""


def mark(path: Path) -> Mark:
    """What tells a file, as it is now, from every other."""
    info = path.stat()
    return [info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns]


def is_noted(path: Path, seen: Mark, environment: Path | None = None) -> bool:
    """Whether the file with this mark was verified before.

    Args:
        environment: folder of the virtual environment; by default the one that runs.
    """
    return _read(_note(environment)).get(str(path)) == seen


def note(path: Path, seen: Mark, environment: Path | None = None) -> None:
    """Remember that the file was verified after its mark had been taken.

    Nothing is kept of files outside the environment, without a virtual one, or where it may not be written to.
    """
    folder = environment or Path(sys.prefix)
    virtual = environment is not None or sys.prefix != sys.base_prefix
    if not virtual or not path.is_relative_to(folder) or time.time() - seen[4] / 1e9 < SETTLED_SECONDS:
        return
    target = _note(environment)
    temp = target.with_name(f".{NAME}.{os.getpid()}")
    with contextlib.suppress(OSError):  # an environment of others: the next process verifies again
        descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as f:
            json.dump({**_read(target), str(path): seen}, f, indent=1)
        temp.replace(target)


def _note(environment: Path | None) -> Path:
    return (environment or Path(sys.prefix)) / NAME


def _read(target: Path) -> dict[str, Mark]:
    """What is noted; nothing where there is no note, or one that others may write."""
    try:
        with target.open("rb") as f:
            info = os.fstat(f.fileno())
            if info.st_uid not in (0, os.geteuid()) or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return {}
            found = json.load(f)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

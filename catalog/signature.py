"""Tells whether a folder changed since it was read, by the size and time of each file of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

Signature = tuple[tuple[str, int, int], ...]


def signature(folder: Path, *, skip: Sequence[str] = ()) -> Signature:
    """Path, size in bytes and time of change in ns of every file below ``folder``.

    Args:
        skip: names of folders and files directly below it that do not count.
    """
    found: list[tuple[str, int, int]] = []

    def walk(path: str, top: bool) -> None:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name == "__pycache__" or (top and entry.name in skip):
                    continue
                if entry.is_dir():
                    walk(entry.path, False)
                else:
                    stat = entry.stat()
                    found.append((entry.path, stat.st_size, stat.st_mtime_ns))

    walk(os.fspath(folder), True)
    return tuple(sorted(found))

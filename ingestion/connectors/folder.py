"""``folder``: a local or mounted folder that is read and left as it is.

.. code-block:: yaml

    source: {connector: folder, folder: /mnt/tax/out, pattern: "*.csv", done_marker: .ok}
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pydantic import field_validator

from catalog.errors import SourceError, SourceUnavailable
from ingestion.sources.base import Fetched, Pull
from ingestion.sources.listing import FileParams, fetch_files
from ingestion.sources.state import RemoteFile

CHUNK = 4 << 20


class FolderParams(FileParams):
    """Attributes:
    folder: absolute path, outside the lakehouse's own folder.
    """

    folder: str

    @field_validator("folder")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if not value.startswith("/") or ".." in value.split("/"):
            raise ValueError("folder is an absolute path without ..")
        return value.rstrip("/") or "/"


class LocalFolder:
    """The files of a folder; links are not followed."""

    def __init__(self, root: Path, *, recursive: bool) -> None:
        self.root, self.recursive = root, recursive

    def files(self) -> Iterator[RemoteFile]:
        return self._walk("")

    def _walk(self, below: str) -> Iterator[RemoteFile]:
        folders = []
        try:
            with os.scandir(self.root / below) as entries:
                for entry in entries:
                    name = f"{below}{os.fsencode(entry.name).decode('utf-8', 'surrogateescape')}"
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{name}/")
                    elif entry.is_file(follow_symlinks=False):
                        info = entry.stat(follow_symlinks=False)
                        yield RemoteFile(name, info.st_size, info.st_mtime_ns)
        except FileNotFoundError as e:
            if not below:
                raise SourceUnavailable(
                    "the folder is not there", hint="mount it, or correct source.folder", folder=str(self.root)
                ) from e
        except OSError as e:
            raise SourceUnavailable(
                f"the folder cannot be read: {e.strerror}",
                hint="check the mount and the permissions",
                folder=str(self.root / below),
            ) from e
        if self.recursive:
            for folder in folders:
                yield from self._walk(folder)

    def fetch(self, file: RemoteFile, target: Path) -> None:
        try:
            descriptor = os.open(self.root / file.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as f, target.open("xb") as out:
                left = file.size
                while left > 0 and (chunk := f.read(min(CHUNK, left))):
                    out.write(chunk)
                    left -= len(chunk)
        except OSError as e:
            raise SourceUnavailable(
                f"the file cannot be read: {e.strerror}", hint="check the mount and the permissions", file=file.name
            ) from e

    def look(self, name: str) -> RemoteFile | None:
        try:
            info = (self.root / name).lstat()
        except OSError:
            return None
        return RemoteFile(name, info.st_size, info.st_mtime_ns) if stat.S_ISREG(info.st_mode) else None


class Folder:
    name = "folder"
    params = FolderParams
    formats: tuple[str, ...] = ()

    def place(self, params: FolderParams) -> str:
        return params.folder

    def fetch(self, params: FolderParams, pull: Pull) -> Iterator[Fetched]:
        root, home = Path(params.folder).resolve(), pull.settings.home.resolve()
        if root.is_relative_to(home) or home.is_relative_to(root):
            raise SourceError(
                "source.folder may not contain the lakehouse's own folder, nor lie in it",
                hint="use another folder, or connector files with the drop folder",
                folder=params.folder,
            )
        yield from fetch_files(LocalFolder(root, recursive=params.recursive), params, pull, f"folder:{params.folder}")


CONNECTOR = Folder()

"""Which Delta tables there are, where they lie, and who may write one now.

A table is a folder ``<lake>/<layer>/<schema>/<table>`` with a ``_delta_log``; analysts name it ``schema.table``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from catalog.errors import Busy, UnknownName
from catalog.settings import LAYERS, SEALED_LAYERS, Settings

LOCK_SECONDS = 30.0
"""How long a writer waits for another one before it gives up with Busy."""


@dataclass(frozen=True, order=True)
class TableRef:
    """One Delta table of the lake."""

    layer: str
    schema: str
    name: str
    path: str

    @property
    def sql_name(self) -> str:
        """The name analysts use: ``schema.table``."""
        return f"{self.schema}.{self.name}"


def list_tables(settings: Settings) -> list[TableRef]:
    """Every Delta table of the lake, ordered by layer, schema and name; an empty lake has none."""
    walk = _walk_remote if "://" in settings.lake else _walk_local
    found = [
        TableRef(layer, schema, name, settings.table_path(layer, schema, name))
        for layer in LAYERS
        for schema, name in walk(settings.lake, layer)
    ]
    return sorted(found)


def readable_tables(settings: Settings) -> list[TableRef]:
    """The tables queries, models and products may name: all but the vault."""
    return [t for t in list_tables(settings) if t.layer not in SEALED_LAYERS]


def resolve(settings: Settings, sql_name: str) -> TableRef:
    """The readable table called ``schema.table``.

    Raises:
        UnknownName: no such table; the hint lists near names.
    """
    tables = readable_tables(settings)
    for table in tables:
        if table.sql_name == sql_name:
            return table
    from difflib import get_close_matches

    near = get_close_matches(sql_name, [t.sql_name for t in tables], n=3)
    raise UnknownName(
        f"there is no table {sql_name!r}",
        hint=f"did you mean {', '.join(near)}?" if near else "tables appear after `lakehouse ingest` and `build`",
    )


@contextmanager
def table_lock(settings: Settings, name: str, *, timeout: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the right to write ``name`` (a table or feed id) against every other process of this home.

    The operating system frees the lock when its holder dies.

    Raises:
        Busy: another process held it for more than ``timeout`` seconds.
    """
    folder = settings.home / "locks"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = FileLock(folder / f"{name}.lock", timeout=timeout)
    try:
        lock.acquire()
    except Timeout as e:
        raise Busy(
            f"another process is writing {name}", hint="wait for it to end, then run this again", table=name
        ) from e
    try:
        yield
    finally:
        lock.release()


def _walk_local(lake: str, layer: str) -> Iterator[tuple[str, str]]:
    root = Path(lake) / layer
    if not root.is_dir():
        return
    for schema in os.scandir(root):
        if schema.is_dir():
            for table in os.scandir(schema.path):
                if os.path.isdir(os.path.join(table.path, "_delta_log")):
                    yield schema.name, table.name


def _walk_remote(lake: str, layer: str) -> Iterator[tuple[str, str]]:
    from pyarrow.fs import FileSelector, FileSystem, FileType

    fs, root = FileSystem.from_uri(f"{lake.rstrip('/')}/{layer}")

    def folders(path: str) -> list[str]:
        infos = fs.get_file_info(FileSelector(path, allow_not_found=True))
        return [info.path for info in infos if info.type == FileType.Directory]

    for schema in folders(root):
        for table in folders(schema):
            if any(path.rsplit("/", 1)[-1] == "_delta_log" for path in folders(table)):
                yield schema.rsplit("/", 1)[-1], table.rsplit("/", 1)[-1]

"""Remembers what each build DAG was built from, so that a rerun rebuilds only what changed.

Asset events alone do not tell: a model may have been edited, a feed loaded by ``lakehouse ingest``,
or a build may have failed after its events were consumed.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from catalog.registry import Catalog
from catalog.settings import Settings

SOURCES = ("models", "macros", "seeds", "tests", "dbt_project.yml")
"""What a build depends on, below the dbt project."""


class Stamps:
    """The stamps of one lakehouse, in ``<home>/build/stamps.json``: DAG id to digest of its inputs."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self._file = settings.build / "stamps.json"
        self._settings, self._catalog = settings, catalog
        self._now: str | None = None

    def current(self, dag_id: str) -> bool:
        """Whether the last success of ``dag_id`` had the inputs of now."""
        return self._read().get(dag_id) == self._digest()

    def write(self, dag_id: str) -> None:
        """Note a success of ``dag_id`` with the inputs of now."""
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps({**self._read(), dag_id: self._digest()}, indent=1) + "\n", encoding="ascii")
        part.replace(self._file)

    def _read(self) -> dict[str, str]:
        if not self._file.exists():
            return {}
        loaded: dict[str, str] = json.loads(self._file.read_text(encoding="ascii"))
        return loaded

    def _digest(self) -> str:
        if self._now is None:
            digest = sha256()
            for path in [*_dbt_files(), *sorted(self._catalog.files.values())]:
                digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
            for feed_id in self._catalog.feeds:
                digest.update(f"{feed_id} {_version(self._settings.feed_path(feed_id))}\0".encode())
            self._now = digest.hexdigest()
        return self._now


def _dbt_files() -> list[Path]:
    root = Path(__file__).resolve().parent.parent / "dbt_project"
    found: list[Path] = []
    for name in SOURCES:
        path = root / name
        found += sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return found


def _version(path: str) -> int | None:
    """The version of the Delta table at ``path``, None when there is none."""
    from deltalake import DeltaTable

    return DeltaTable(path).version() if DeltaTable.is_deltatable(path) else None

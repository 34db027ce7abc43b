"""Remembers what each layer was last built from, so that only what changed is built again.

Events can be lost, consumed by a build that then failed, or never sent (a feed loaded by hand);
the versions of the tables cannot. A layer's stamp is written after a success and names the
versions its build had read at its start, so rows that arrive during a build count as new.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from catalog.registry import Catalog
from catalog.settings import Settings
from warehouse.model_grades import PROJECT

SOURCES = ("models", "macros", "seeds", "tests", "dbt_project.yml")
"""What a build depends on, below the dbt project."""

CARE = ("OPTIMIZE", "VACUUM START", "VACUUM END")
"""Commits that leave the rows as they were."""


@dataclass(frozen=True)
class Inputs:
    """What a build reads: a digest of code and catalog, and each feed table's last change of rows."""

    code: str
    feeds: dict[str, int]


class Stamps:
    """The stamps of one lakehouse, in ``<home>/build/stamps.json``."""

    def __init__(self, settings: Settings, catalog: Catalog, *, project: Path = PROJECT) -> None:
        self._file = settings.build / "stamps.json"
        self._settings, self._catalog, self._project = settings, catalog, project

    def inputs(self) -> Inputs:
        """What a build that starts now reads."""
        digest = sha256()
        for path in [*_files(self._project), *sorted(self._catalog.files.values())]:
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        versions = {f: last_change(self._settings.feed_path(f)) for f in self._catalog.feeds}
        return Inputs(digest.hexdigest(), {f: v for f, v in versions.items() if v is not None})

    def changed(self, name: str, inputs: Inputs) -> frozenset[str] | None:
        """Feeds whose rows changed since the last success of ``name``.

        Returns:
            Feed ids, empty when nothing changed; None when everything has to be built: there was
            no success yet, or code or catalog changed since.
        """
        last = self._read().get(name)
        if last is None or last.code != inputs.code:
            return None
        return frozenset(f for f in {*last.feeds, *inputs.feeds} if last.feeds.get(f) != inputs.feeds.get(f))

    def write(self, name: str, inputs: Inputs) -> None:
        """Note a success of ``name`` that read ``inputs``."""
        stamps = {**self._read(), name: inputs}
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps({k: asdict(v) for k, v in stamps.items()}, indent=1) + "\n", encoding="ascii")
        part.replace(self._file)

    def _read(self) -> dict[str, Inputs]:
        if not self._file.exists():
            return {}
        return {k: Inputs(**v) for k, v in json.loads(self._file.read_text(encoding="ascii")).items()}


def last_change(path: str) -> int | None:
    """The last version of the Delta table at ``path`` that changed rows; None when there is no table."""
    from deltalake import DeltaTable

    if not DeltaTable.is_deltatable(path):
        return None
    table = DeltaTable(path)
    version = table.version()
    for commit in table.history(20):
        if commit.get("operation") not in CARE:
            return int(commit.get("version", version))
    return version


def _files(project: Path) -> list[Path]:
    found: list[Path] = []
    for name in SOURCES:
        path = project / name
        found += sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return found

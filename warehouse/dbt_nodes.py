"""What dbt's manifest says about models, and which seeds and views a partial build needs besides."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from catalog.settings import Settings

_LAYERS = {"staging": "staging", "library": "library", "marts": "mart", "extracts": "extract"}


class ModelInfo(BaseModel):
    """A model of the dbt project.

    Attributes:
        name: ``schema.table``; ``node``: dbt's unique id; ``file``: path in the project.
        layer: ``staging``, ``library``, ``mart`` or ``extract``.
        depends_on: unique ids of the models, seeds and sources it reads.
        columns: column name to description. ``meta``: grain, key, owner, grade …
        sql: the model as it is written, Jinja included.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    node: str
    file: str
    layer: str
    materialized: str
    tags: tuple[str, ...]
    description: str
    depends_on: tuple[str, ...]
    columns: dict[str, str]
    meta: dict[str, Any]
    sql: str


def describe(manifest: Any, *, only: str | None = None) -> list[ModelInfo]:
    """The models of a parsed project, ordered by layer and name; one of them with ``only`` (its unique id)."""
    nodes = [manifest.nodes[only]] if only in manifest.nodes else [] if only else manifest.nodes.values()
    found = [_info(node) for node in nodes if str(node.resource_type) == "model"]
    order = list(_LAYERS.values())
    return sorted(found, key=lambda m: (order.index(m.layer) if m.layer in order else len(order), m.name))


def _info(node: Any) -> ModelInfo:
    folder = node.fqn[1] if len(node.fqn) > 2 else ""
    return ModelInfo(
        name=f"{node.schema}.{node.alias}",
        node=node.unique_id,
        file=node.original_file_path,
        layer=_LAYERS.get(folder, folder),
        materialized=str(node.config.materialized),
        tags=tuple(sorted(node.tags)),
        description=node.description,
        depends_on=tuple(node.depends_on.nodes),
        columns={c.name: c.description for c in node.columns.values()},
        meta=dict(node.config.meta),
        sql=node.raw_code,
    )


def missing_ancestors(settings: Settings, manifest: Any, chosen: Sequence[str], database: Path) -> list[str]:
    """Names of seeds and views that ``chosen`` reads and the build database lacks or has in an older form."""
    present = _relations(database)
    loaded = _read_loaded(settings)
    taken, found, open_ends = set(chosen), [], list(chosen)
    seen: set[str] = set()
    while open_ends:
        for parent in _parents(manifest, open_ends.pop()):
            if parent in seen:
                continue
            seen.add(parent)
            node = manifest.nodes[parent]
            if str(node.config.materialized) in ("table", "incremental") and parent not in taken:
                continue  # a Delta table is read as it stands
            open_ends.append(parent)
            if parent in taken or not _lives_in_database(node):
                continue
            there = (node.schema, node.alias) in present
            if not there or loaded.get(parent) != node.checksum.checksum:
                found.append(node.name)
    return sorted(found)


def models_with_ancestors(manifest: Any, chosen: Sequence[str] | None) -> list[Any]:
    """Nodes of the chosen models and of every model they read, or of all models."""
    open_ends = list(manifest.nodes if chosen is None else chosen)
    seen: set[str] = set()
    while open_ends:
        unique_id = open_ends.pop()
        if unique_id not in seen:
            seen.add(unique_id)
            open_ends += _parents(manifest, unique_id)
    nodes = (manifest.nodes[unique_id] for unique_id in sorted(seen) if unique_id in manifest.nodes)
    return [node for node in nodes if str(node.resource_type) == "model"]


def readers(manifest: Any, tables: Collection[str]) -> frozenset[str]:
    """Unique ids of the models that read one of the platform tables ``tables``, or a model that does."""
    infos, ends = describe(manifest), tuple(f".platform.{name}" for name in tables)
    found = {m.node for m in infos for p in m.depends_on if p.startswith("source.") and p.endswith(ends)}
    grown = bool(found)
    while grown:
        new = {m.node for m in infos if m.node not in found and found.intersection(m.depends_on)}
        found |= new
        grown = bool(new)
    return frozenset(found)


def table_of(settings: Settings, node: Any) -> str:
    """Where the Delta table of a model lies."""
    return settings.table_path(_info(node).layer, node.schema, node.alias)


def remember_loaded(settings: Settings, manifest: Any, built: Iterable[str]) -> None:
    """Note the checksums of seeds and views that were built, for ``missing_ancestors``."""
    loaded = _read_loaded(settings)
    for unique_id in built:
        node = manifest.nodes.get(unique_id)
        if node is not None and _lives_in_database(node):
            loaded[unique_id] = node.checksum.checksum
    path = _loaded_path(settings)
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(loaded, indent=1, sort_keys=True), encoding="utf-8")
    draft.replace(path)


def _lives_in_database(node: Any) -> bool:
    kind = str(node.resource_type)
    return kind == "seed" or (kind == "model" and str(node.config.materialized) == "view")


def _parents(manifest: Any, unique_id: str) -> list[str]:
    node = manifest.nodes.get(unique_id)
    return [p for p in node.depends_on.nodes if p in manifest.nodes] if node is not None and _has_parents(node) else []


def _has_parents(node: Any) -> bool:
    return str(node.resource_type) != "seed"


def _relations(database: Path) -> set[tuple[str, str]]:
    if not database.exists():
        return set()
    import duckdb

    with duckdb.connect(str(database), read_only=True) as con:
        sql = "select table_schema, table_name from information_schema.tables where table_catalog = current_database()"
        return set(con.execute(sql).fetchall())


def _loaded_path(settings: Settings) -> Path:
    return settings.build / "loaded.json"


def _read_loaded(settings: Settings) -> dict[str, str]:
    path = _loaded_path(settings)
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError:  # cut short by a crash: everything counts as not loaded, and is written anew
        return {}

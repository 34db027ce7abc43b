"""Questions a build need not ask through dbt, because they are asked elsewhere of the same rows.

A data test of a library table or mart that its suite states (`quality.table_models`) is asked by the layer's gate, with
the same consequence. A source test says what the gate of loading has said of every row: it is asked of a feed table
once, and again when its contract says something new (``lakehouse check`` asks the whole contract at any time). Both
stay in the project: ``dbt test`` asks them on any engine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from catalog.settings import Settings
from quality.dbt_compile import TAG
from quality.table_models import DataTest, TableModel, asked_by_suites

_ONE_FAILS = "!= 0"
"""dbt's words for a test that fails, or warns, at its first row."""


def leave_out(manifest: Any, settings: Settings, models: Mapping[str, TableModel], project: Path) -> None:
    """Take out of ``manifest``, which is the caller's own, the tests that need not be asked."""
    asked = _read(settings) & {u for u, node in manifest.nodes.items() if _is_source_test(node)}
    tests = {}
    for unique_id, node in manifest.nodes.items():
        if (table := _table_of(manifest, node)) in models and (test := _plain(node)) is not None:
            tests[unique_id] = models[table], test
    answers = asked_by_suites(project, tests.values())
    gated = {unique_id for unique_id, answer in zip(tests, answers, strict=True) if answer}
    for unique_id in asked | gated:
        del manifest.nodes[unique_id]
    # a question a contract has ceased to ask is forgotten: should it come back, rows of in between are asked
    _write(settings, asked)


def remember_asked(settings: Settings, manifest: Any, passed: Iterable[str]) -> None:
    """Note the source tests among ``passed`` (unique ids)."""
    found = {u for u in passed if _is_source_test(manifest.nodes.get(u))}
    if found:
        _write(settings, _read(settings) | found)


def _is_source_test(node: Any) -> bool:
    return node is not None and str(node.resource_type) == "test" and TAG in node.tags


def _table_of(manifest: Any, node: Any) -> str:
    """``schema.table`` of the model a test is of, empty for everything else."""
    model = (
        manifest.nodes.get(getattr(node, "attached_node", None) or "") if str(node.resource_type) == "test" else None
    )
    return f"{model.schema}.{model.alias}" if model is not None else ""


def _plain(node: Any) -> DataTest | None:
    """A generic test of all rows that fails with its first one; None for others."""
    config, meta = node.config, getattr(node, "test_metadata", None)
    if meta is None or meta.namespace or config.where or config.limit or not config.enabled:
        return None
    if {config.error_if, config.warn_if} != {_ONE_FAILS} or config.fail_calc != "count(*)":
        return None
    given = {k: v for k, v in meta.kwargs.items() if k not in ("model", "column_name")}
    return DataTest(meta.name, node.column_name, given, warns=str(config.severity).lower() == "warn")


def _path(settings: Settings) -> Path:
    return settings.build / "asked.json"


def _read(settings: Settings) -> set[str]:
    path = _path(settings)
    if not path.exists():
        return set()
    try:
        return set(json.loads(path.read_text(encoding="utf-8")))
    except ValueError:  # cut short by a crash: everything is asked once more
        return set()


def _write(settings: Settings, asked: set[str]) -> None:
    draft = _path(settings).with_suffix(".tmp")
    draft.write_text(json.dumps(sorted(asked), indent=1), encoding="utf-8")
    draft.replace(_path(settings))

"""A build in steps: libraries are built and checked before marts read them, marts before extracts do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.settings import Settings
from warehouse.checkpoints import SuiteVerdict
from warehouse.dbt_nodes import describe
from warehouse.dbt_results import ModelResult

if TYPE_CHECKING:
    from quality.table_models import TableModel
    from warehouse.gate_ahead import Ahead

_STEPS = {"mart": 1, "extract": 2}
"""Everything else (seeds, staging, libraries) is the first step."""
RESTORED = "本层未通过检查，已恢复到构建前的版本"


@dataclass(frozen=True)
class Phase:
    """What one call of dbt builds. ``select`` is empty for all; ``models``: ``schema.table`` of its models."""

    select: tuple[str, ...]
    exclude: tuple[str, ...]
    models: tuple[str, ...]


def plan(manifest: Any, chosen: Sequence[str], exclude: Sequence[str], listed: Sequence[str] | None) -> list[Phase]:
    """The steps of a build.

    Args:
        chosen, exclude: dbt selectors of the whole build.
        listed: unique ids they select, None for everything.
    """
    wanted = None if listed is None else set(listed)
    models = [m for m in describe(manifest) if wanted is None or m.node in wanted]
    steps = sorted({_STEPS.get(m.layer, 0) for m in models}) or [0]
    found = []
    for i, step in enumerate(steps):
        own = [m for m in models if _STEPS.get(m.layer, 0) == step]
        later = [_node_name(m.node) for m in models if _STEPS.get(m.layer, 0) > step]
        # a test of two layers belongs to the later one: excluding a model excludes its tests
        select = tuple(chosen) if i == 0 else tuple(_node_name(m.node) for m in own)
        found.append(Phase(select, (*exclude, *later), tuple(m.name for m in own)))
    return found


def blocked_by(manifest: Any, results: Iterable[ModelResult]) -> set[str]:
    """Unique ids of models that failed, and of those whose data test failed."""
    found = set()
    for r in results:
        if r.ok:
            continue
        if r.kind == "model":
            found.add(r.node)
        elif (node := manifest.nodes.get(r.node)) is not None:
            attached = getattr(node, "attached_node", None)
            found |= {attached} if attached else {p for p in node.depends_on.nodes if p.startswith("model.")}
    return found


def without(phase: Phase, manifest: Any, blocked: set[str]) -> tuple[Phase, list[str]]:
    """``phase`` without the models that read what is blocked; unique ids of those."""
    if not blocked:
        return phase, []
    bad, grown = set(blocked), True
    infos = describe(manifest)
    while grown:
        new = {m.node for m in infos if m.node not in bad and bad.intersection(m.depends_on)}
        bad |= new
        grown = bool(new)
    skipped = [m.node for m in infos if m.node in bad and m.name in phase.models]
    names = {m.name for m in infos if m.node in set(skipped)}
    left = tuple(name for name in phase.models if name not in names)
    return Phase(phase.select, (*phase.exclude, *map(_node_name, skipped)), left), skipped


def _node_name(unique_id: str) -> str:
    return unique_id.rsplit(".", 1)[-1]


class LayerGate:
    """Checks what each step built, and puts back what may not be read."""

    def __init__(self, settings: Settings, project: Path, *, receipt: str, now: datetime) -> None:
        from catalog.registry import load_catalog
        from quality.table_models import compile_model, read_models

        self._settings, self._project, self._receipt, self._now = settings, project, receipt, now
        self._catalog = load_catalog(settings.catalog_dir)
        self.models: dict[str, TableModel] = read_models(project)
        for model in self.models.values():  # a rule that cannot be compiled is told before anything is built
            compile_model(model)
        self._before: dict[str, int | None] = {}
        self._ahead: Ahead | None = None

    @contextmanager
    def watching(self, phase: Phase) -> Iterator[None]:
        """Note what readers have before ``phase`` is built, and ask about its tables as they are `built`."""
        from warehouse.checkpoints import versions
        from warehouse.gate_ahead import Ahead

        own = [t for t in phase.models if t in self.models]
        self._before = versions(self._settings, [self.models[t] for t in own])
        self._ahead = None
        if any(self.models[t].columns for t in own):
            self._ahead = Ahead(self._settings, self._catalog, self.models, own, receipt=self._receipt, now=self._now)
        try:
            yield
        finally:
            if self._ahead is not None:
                self._ahead.stop()

    def built(self, table: str) -> None:
        """Say that dbt has built ``table`` of the phase that is being watched."""
        if self._ahead is not None:
            self._ahead.built(table)

    def end(self, results: Sequence[ModelResult], manifest: Any) -> tuple[list[ModelResult], list[SuiteVerdict]]:
        """Ask the suites of what was built.

        Returns:
            ``results`` with the tables that were stopped or put back, and the verdicts.
        """
        from warehouse.checkpoints import check_built, made_from, restore

        written = [r.name for r in results if r.kind == "model" and r.ok and r.name in self._before]
        verdicts = check_built(
            self._settings,
            self._catalog,
            written,
            receipt=self._receipt,
            now=self._now,
            project=self._project,
            remember_profiles=True,
            ahead=self._ahead.verdicts() if self._ahead is not None else {},
        )
        stopped = {v.name: v.reason for v in verdicts if v.verdict == "stopped"}
        blocked = blocked_by(manifest, results)
        untested = {r.name for r in results if r.kind == "model" and r.ok and r.node in blocked}
        bad = made_from({*stopped, *untested}, self.models, written)
        restored = set(restore(self._settings, bad, self.models, self._before))
        marked = [_marked(r, stopped, restored) for r in results]
        return marked, [v.model_copy(update={"restored": v.name in restored}) for v in verdicts]


def _marked(result: ModelResult, stopped: dict[str, str], restored: set[str]) -> ModelResult:
    if result.kind != "model" or not result.ok:
        return result
    if result.name in stopped:
        reason = f"质量闸门拦下：{stopped[result.name]}（{RESTORED}）"
        return result.model_copy(update={"status": "stopped", "message": reason})
    if result.name in restored:
        return result.model_copy(update={"status": "skipped", "message": RESTORED})
    return result


def not_built(manifest: Any, nodes: Iterable[str], message: str) -> list[ModelResult]:
    """Results of models that were not built because of what they read."""
    infos = {m.node: m for m in describe(manifest)}
    return [
        ModelResult(
            name=infos[n].name, node=n, kind="model", layer=infos[n].layer, materialized=infos[n].materialized,
            file=infos[n].file, status="skipped", message=message,
        )
        for n in nodes
    ]  # fmt: skip

"""Runs dbt in this process: the one way models, their tests and seeds are built.

dbt keeps its state in process-wide variables, so one build runs at a time: in this process by a lock,
among processes by a file lock. The build database is closed again at the end; nobody else opens it.
"""

from __future__ import annotations

import gc
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import BaseModel, ConfigDict

from catalog.errors import Busy, GateStopped, LakehouseError, UnknownName
from catalog.settings import Settings
from warehouse.checkpoints import SuiteVerdict
from warehouse.computed import refresh
from warehouse.dbt_asked import leave_out, remember_asked
from warehouse.dbt_call import BuildFailed, call, copy_of, failure, parse, target
from warehouse.dbt_nodes import (
    ModelInfo,
    describe,
    missing_ancestors,
    models_with_ancestors,
    readers,
    remember_loaded,
)
from warehouse.dbt_phases import LayerGate, Phase, blocked_by, not_built, plan, without
from warehouse.dbt_report import scrub, write_run_log
from warehouse.dbt_results import ModelResult, node_name, result_of, rows_of_response
from warehouse.linking.store import MODELLED
from warehouse.tables import table_lock

if TYPE_CHECKING:
    from catalog.registry import Catalog
    from quality.lineage import GradeReport

PROJECT = Path(__file__).resolve().parent.parent / "dbt_project"
WAIT_SECONDS = 600.0
"""How long a build waits for another one before it gives up with Busy."""
OBJECTS_BETWEEN_COLLECTIONS = 20_000

Awaited: TypeAlias = tuple[frozenset[str], Callable[[], object]]
"""Unique ids of models that wait, and what they call to wait."""

_one_at_a_time = threading.Lock()


class BuildEvent(BaseModel):
    """A node that started or ended, as it happens.

    Attributes:
        state: ``started`` or ``finished``.
        index, total: nodes that ended so far and nodes in this build (0 while unknown).
    """

    model_config = ConfigDict(frozen=True)

    state: str
    kind: str
    name: str
    status: str = ""
    rows: int | None = None
    seconds: float = 0.0
    index: int = 0
    total: int = 0

    def __str__(self) -> str:
        if self.state == "started":
            return f"{self.kind} {self.name} …"
        rows = f", {self.rows:,} rows" if self.rows is not None else ""
        place = f"{self.index}/{self.total} " if self.total else ""
        return f"{place}{self.kind} {self.name}: {self.status}{rows}, {self.seconds:.2f} s"


class BuildResult(BaseModel):
    """All nodes of a build; ``ok`` when none failed, none was stopped, and none was skipped because of one that was.

    Attributes:
        build_id: dbt's invocation id of the first step, which stands in every Delta commit of that step too.
        verdicts: what the layers' gates said of each table.
    """

    model_config = ConfigDict(frozen=True)

    build_id: str
    started_at: datetime
    seconds: float
    models: list[ModelResult]
    ok: bool
    verdicts: list[SuiteVerdict] = []

    @property
    def failed(self) -> list[ModelResult]:
        return [m for m in self.models if m.status in ("error", "fail", "stopped")]

    @property
    def stopped(self) -> list[SuiteVerdict]:
        """Tables whose gate stopped the build."""
        return [v for v in self.verdicts if v.verdict == "stopped"]

    def raise_for_failure(self) -> None:
        """Raise GateStopped, or BuildFailed with the first node that failed, and how many more there are."""
        if self.ok:
            return
        if self.stopped:
            raise GateStopped(
                "；".join(f"{v.name}：{v.reason}" for v in self.stopped),
                hint="readers keep the tables of before; correct the model or its inputs, then build again",
                table=self.stopped[0].name,
            )
        first = (self.failed or [m for m in self.models if not m.ok])[0]
        more = len(self.failed) - 1
        raise BuildFailed(
            f"{first.kind} {first.name}: {first.message or first.status}"
            + (f" — and {more} more failed" if more > 0 else ""),
            hint=f"look at dbt_project/{first.file}, then build again",
            model=first.name,
            file=first.file,
        )


def build(
    settings: Settings,
    *,
    select: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
    full_refresh: bool = False,
    threads: int = 4,
    unit_tests: bool = False,
    on_event: Callable[[BuildEvent], None] | None = None,
    now: datetime | None = None,
    project: Path = PROJECT,
    wait: float = WAIT_SECONDS,
    linking: Callable[[], object] | None = None,
) -> BuildResult:
    """Build models in dependency order, each followed by its data tests, each layer by its gate.

    A test that the gate of the layer, or of loading, asks of the same rows is not asked twice (``dbt_asked``).

    Seeds and views that what is selected reads, and that are not in the build database or changed since, are
    built with it. Libraries are checked before marts are built from them: a table that a stop rule fails is put back
    to what it was, and nothing further is built. What happened is added to ``platform.builds`` and
    ``platform.validations``.

    Args:
        select, exclude: dbt selectors (``tag:library``, ``population__residents+`` …); None selects all.
        full_refresh: build incremental models from nothing.
        unit_tests: run dbt's unit tests too; they test the code, not the data.
        now: instant from which new versions of a history hold (UTC), default the build's start.
        wait: seconds to wait for another build.
        linking: links the records of persons; it is called beside the build of all that reads none of its tables.

    Raises:
        Exception: what ``linking`` raised; nothing that reads its tables was built.
        Busy: another build is still running after ``wait`` seconds.
        UnknownName: nothing is selected.
        BuildFailed: the project cannot be parsed. A node that fails does not raise: see the result.
        GradeRefused: a model has no grade, or would lower one silently; nothing was built.
        ContractError: a model declares a table rule that cannot be compiled; nothing was built.
    """
    started = datetime.now(UTC)
    with _beside(linking) as linked, _session(settings, threads=threads, now=now or started, wait=wait):
        manifest = parse(settings, project)
        waiting = readers(manifest, MODELLED) if linking else frozenset()
        chosen, listed = list(select or ()), None
        if chosen:
            listed = _listed(settings, project, manifest, chosen, list(exclude or ()))
            chosen += missing_ancestors(settings, manifest, listed, database(settings))
        _hold_to_grades(settings, project, manifest, listed, full_refresh, started.date())
        gate = LayerGate(settings, project, receipt=f"build-{started:%Y%m%dT%H%M%S%fZ}", now=started)
        leave_out(manifest, settings, gate.models, project)
        at_once = threads + (len(MODELLED) if waiting else 0)  # so many do nothing but wait
        more = ["--threads", str(at_once), *(["--full-refresh"] if full_refresh else [])]
        more += [] if unit_tests else ["--exclude-resource-type", "unit_test"]
        run = _Run(settings, project, manifest, gate, started, on_event, awaited=(waiting, linked))
        for phase in plan(manifest, chosen, exclude or (), listed):
            run.step(phase, more)
            linked()
    return run.result()


@contextmanager
def _beside(work: Callable[[], object] | None) -> Iterator[Callable[[], object]]:
    """Start ``work``; calling what is given waits for its end and raises its error."""
    if work is None:
        yield lambda: None
        return
    with ThreadPoolExecutor(1, thread_name_prefix="beside-build") as pool:
        begun = pool.submit(work)
        yield begun.result


class _Run:
    """The steps of one build, each built, checked and logged before the next."""

    def __init__(
        self,
        settings: Settings,
        project: Path,
        manifest: Any,
        gate: LayerGate,
        started: datetime,
        on_event: Callable[[BuildEvent], None] | None,
        *,
        awaited: Awaited,
    ) -> None:
        self._settings, self._project, self._manifest = settings, project, manifest
        self._gate, self._started, self._on_event = gate, started, on_event
        self._awaited = awaited
        self.models: list[ModelResult] = []
        self.verdicts: list[SuiteVerdict] = []
        self.build_ids: list[str] = []
        self.succeeded = True

    def step(self, phase: Phase, more: Sequence[str]) -> None:
        """Build and check ``phase``, without what reads a model that failed; nothing after a gate that stopped.

        Args:
            more: arguments of ``dbt build`` besides the selection.
        """
        manifest = self._manifest
        if any(v.verdict == "stopped" for v in self.verdicts):
            nodes = [m.node for m in describe(manifest) if m.name in phase.models]
            self.models += not_built(manifest, nodes, "上一层被质量闸门拦下")
            return
        phase, skipped = without(phase, manifest, blocked_by(manifest, self.models))
        self.models += not_built(manifest, skipped, "所读的表未建成")
        if skipped and not phase.models:
            return
        refresh(self._settings, manifest, phase.models, before_write=_close_database)
        listener = _Listener(manifest, self._on_event, self._gate.built, self._awaited)
        args = ["build", *_selectors(phase.select, phase.exclude), *more]
        with self._gate.watching(phase):
            outcome = call(args, self._settings, self._project, manifest=manifest, listener=listener)
        if outcome.result is None:
            raise failure(outcome.exception, "dbt could not run")
        built = [result_of(node, manifest) for node in outcome.result.results]
        remember_loaded(self._settings, manifest, [m.node for m in built if m.status == "success"])
        remember_asked(self._settings, manifest, [m.node for m in built if m.status == "pass"])
        (target(self._settings) / "run_results.json").unlink(missing_ok=True)  # it repeats messages with raw values
        built, verdicts = self._gate.end(built, manifest)
        self.models += built
        self.verdicts += verdicts
        self.build_ids.append(listener.invocation_id)
        self.succeeded = self.succeeded and bool(outcome.success)
        with table_lock(self._settings, "platform.builds"):
            write_run_log(self._settings, listener.invocation_id, self._started, [m.model_dump() for m in built])

    def result(self) -> BuildResult:
        """What all steps came to."""
        return BuildResult(
            build_id=self.build_ids[0] if self.build_ids else "",
            started_at=self._started,
            seconds=round((datetime.now(UTC) - self._started).total_seconds(), 3),
            models=self.models,
            ok=self.succeeded and all(m.ok for m in self.models),
            verdicts=self.verdicts,
        )


def warm_up(settings: Settings) -> None:
    """Import dbt and read the project, in the background: five seconds of a core, for a caller that has something else
    to do before it builds. What fails here fails again, and is told, where it is needed."""
    threading.Thread(target=_get_ready, args=(settings,), name="warm-up", daemon=True).start()


def _get_ready(settings: Settings) -> None:
    import dbt.cli.main  # noqa: F401 - to have it

    from quality.gx_context import great_expectations
    from quality.table_models import read_models
    from warehouse.answers import TABLE as ANSWERS
    from warehouse.delta import exists

    if not exists(settings.platform_path(ANSWERS)):  # what was asked before is asked without it about what has changed
        great_expectations(tables=True)
    with suppress(LakehouseError):
        list_models(settings, wait=0)
        read_models()


def grade_report(
    settings: Settings, catalog: Catalog, *, on: date, project: Path = PROJECT, wait: float = WAIT_SECONDS
) -> GradeReport:
    """The grades of every column of every model, computed by lineage from the SQL that would be built now.

    Raises:
        BuildFailed: the project cannot be parsed or compiled.
    """
    from warehouse.grade_check import check_models

    with _session(settings, threads=1, now=datetime.now(UTC), wait=wait):
        manifest = parse(settings, project)
        nodes = _compile(settings, project, manifest, [], False)
        return check_models(nodes, manifest, catalog, on=on)


def _hold_to_grades(
    settings: Settings,
    project: Path,
    manifest: Any,
    listed: list[str] | None,
    full_refresh: bool,
    on: date,
) -> None:
    """Refuse the build when a model of it, or one it reads, breaks its grades. Compiles only after a change.

    Raises:
        GradeRefused: the first problem, with the path of the grade.
        ContractError: a hook, or a person's number, stands in the project's text.
    """
    from catalog.registry import load_catalog
    from warehouse.grade_check import check_models, digest, remember_checked, was_checked
    from warehouse.project_scan import scan_project, state_of

    if project == PROJECT and not was_checked(settings, text := state_of(project)):
        scan_project(project)
        remember_checked(settings, text)
    catalog = load_catalog(settings.catalog_dir)
    nodes = models_with_ancestors(manifest, listed)
    value = digest(nodes, manifest, catalog, settings, project=project, on=on, full_refresh=full_refresh)
    if not nodes or was_checked(settings, value):
        return
    compiled = _compile(settings, project, manifest, [] if listed is None else [n.name for n in nodes], full_refresh)
    check_models(compiled, manifest, catalog, on=on).raise_for_problems()
    remember_checked(settings, value)


def _compile(settings: Settings, project: Path, manifest: Any, names: list[str], full_refresh: bool) -> list[Any]:
    """Models with the SQL that would run now; dbt marks what it compiles, so it gets a copy of the manifest."""
    wanted = names or ["resource_type:model"]
    args = ["compile", "--select", *wanted, "--indirect-selection", "empty"]
    args += ["--full-refresh"] if full_refresh else []
    outcome = call(args, settings, project, manifest=copy_of(manifest))
    if not outcome.success:
        failed = next((r.message for r in getattr(outcome.result, "results", ()) if r.message), "it cannot be compiled")
        raise failure(outcome.exception, f"the dbt project: {scrub(failed)}")
    return [r.node for r in outcome.result.results if str(r.node.resource_type) == "model"]


def list_models(settings: Settings, *, project: Path = PROJECT, wait: float = WAIT_SECONDS) -> list[ModelInfo]:
    """The models of the project by layer and name, read without running anything."""
    with _session(settings, threads=1, now=datetime.now(UTC), wait=wait):
        return describe(parse(settings, project))


@contextmanager
def _session(settings: Settings, *, threads: int, now: datetime, wait: float) -> Iterator[None]:
    """Hold both locks and set what the profile and macros read from the environment."""
    if not _one_at_a_time.acquire(timeout=max(wait, 0.0)):
        raise Busy("another build is running in this process", hint="wait for it to end, then run this again")
    try:
        settings.make_dirs()
        wanted = {
            **settings.as_env(),
            "LAKEHOUSE_BUILD_DB": str(database(settings)),
            "LAKEHOUSE_DBT_THREADS": str(threads),
            "LAKEHOUSE_NOW": now.astimezone(UTC).isoformat(),
            "DO_NOT_TRACK": "1",
        }
        with table_lock(settings, "build", timeout=wait), _environment(wanted), _few_collections():
            try:
                yield
            finally:
                _close_database()
    finally:
        _one_at_a_time.release()


@contextmanager
def _few_collections() -> Iterator[None]:
    """Let Python look for garbage in circles more rarely: dbt makes a million objects that stay, and looking through
    them again and again takes a tenth of a small build."""
    before = gc.get_threshold()
    if before[0]:  # 0: somebody wants none at all
        gc.set_threshold(max(before[0], OBJECTS_BETWEEN_COLLECTIONS), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def database(settings: Settings) -> Path:
    """The build database: views only, private to dbt, made again when it is deleted."""
    return settings.build / "lakehouse.duckdb"


def _selectors(select: Sequence[str], exclude: Sequence[str]) -> list[str]:
    chosen = ["--select", *select] if select else []
    return [*chosen, "--exclude", *exclude] if exclude else chosen


def _listed(settings: Settings, project: Path, manifest: Any, select: list[str], exclude: list[str]) -> list[str]:
    """Unique ids of what a selection selects; UnknownName when that is nothing."""
    args = ["list", *_selectors(select, exclude), "--output", "json", "--output-keys", "unique_id"]
    outcome = call(args, settings, project, manifest=manifest)
    if not outcome.success:
        raise failure(outcome.exception, "the selection cannot be read")
    chosen = [json.loads(line)["unique_id"] for line in outcome.result]
    if not chosen:
        raise UnknownName(
            f"nothing is selected by {' '.join(select)}",
            hint="select by name, path or tag: tag:staging, tag:library, tag:mart, population__residents+",
        )
    return chosen


def _close_database() -> None:
    """dbt keeps the database open for its next call in this process; others wait for the file."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    if DuckDBConnectionManager._ENV is not None:
        DuckDBConnectionManager.env().close()
        DuckDBConnectionManager.close_all_connections()


class _Listener:
    """Turns dbt's events into ours. dbt calls it from several threads."""

    def __init__(
        self,
        manifest: Any,
        on_event: Callable[[BuildEvent], None] | None,
        on_built: Callable[[str], None],
        awaited: Awaited,
    ) -> None:
        self._manifest, self._on_event, self._on_built = manifest, on_event, on_built
        self._waiting, self._wait = awaited
        self._lock = threading.Lock()
        self._done = self._total = 0
        self.invocation_id = ""

    def __call__(self, event: Any) -> None:
        self.invocation_id = event.info.invocation_id
        if event.info.name == "ConcurrencyLine":
            self._total = int(event.data.node_count)
        if event.info.name == "LogStartLine" and event.data.node_info.unique_id in self._waiting:
            self._wait()  # in the thread of the node, before its SQL is compiled; an error is the node's
        if event.info.name not in ("NodeStart", "NodeFinished"):
            return
        node = self._manifest.nodes.get(event.data.node_info.unique_id)  # unit tests and hooks are not among them
        kind = str(event.data.node_info.resource_type)
        name = node_name(node) if node else str(event.data.node_info.node_name)
        if event.info.name == "NodeFinished" and kind == "model" and str(event.data.run_result.status) == "success":
            self._on_built(name)
        if self._on_event is None:
            return
        with self._lock:
            if event.info.name == "NodeStart":
                self._on_event(BuildEvent(state="started", kind=kind, name=name, total=self._total))
                return
            self._done += 1
            run = event.data.run_result
            self._on_event(
                BuildEvent(
                    state="finished",
                    kind=kind,
                    name=name,
                    status=str(run.status),
                    rows=rows_of_response(dict(run.adapter_response)) if kind == "model" else None,
                    seconds=round(run.execution_time, 3),
                    index=self._done,
                    total=self._total,
                )
            )

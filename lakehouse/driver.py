"""Drives the packaged DAGs inside this process: the same DAG objects, database, trigger rules,
XCom and asset events as under a scheduler, without its processes.

``dag.test()`` would do, but it parses and stores every DAG again for each run (0.7 s each), waits
out retry delays and hides why a task failed. Here DAGs are stored once, a task gets one try, and
the reason is handed back. This uses internals of Airflow 3.3: the version is pinned, and the
``airflow`` test lane runs it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO
from uuid import UUID

from catalog.errors import LakehouseError
from catalog.settings import Settings
from lakehouse import airflow_env

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.sdk import DAG
    from sqlalchemy.orm import Session

BUNDLE = "dags-folder"
"""Airflow's name for the folder of DAG files; `up` uses the same, so runs of both stand in one history."""


class DagFilesBroken(LakehouseError):
    """A DAG file cannot be imported, or there is none."""

    code = "LH601"


class RunStandsStill(LakehouseError):
    """A run is not at its end, and none of its tasks may run."""

    code = "LH603"


@dataclass(frozen=True)
class TaskRun:
    """One task of one run: its final state, what it returned (XCom), and why it failed."""

    task: str
    state: str
    seconds: float
    value: Any = None
    reason: str = ""


@dataclass(frozen=True)
class DagRunResult:
    """One run of one DAG. State: ``success``, ``failed``, ``skipped`` (nothing to do) or ``paused``."""

    dag: str
    state: str
    seconds: float
    tasks: dict[str, TaskRun] = field(default_factory=dict)

    def value(self, task: str) -> Any:
        """What ``task`` returned; None when it did not run to its end."""
        return self.tasks[task].value if task in self.tasks else None

    @property
    def reasons(self) -> list[tuple[str, str]]:
        """(task, reason) of each task that failed by itself."""
        return [(t.task, t.reason) for t in self.tasks.values() if t.state == "failed"]


class Driver:
    """The DAGs of one lakehouse, ready to run here. Use ``open_driver``."""

    def __init__(self, dags: dict[str, DAG], log: TextIO) -> None:
        self.dags, self._log = dags, log

    def triggered(self, dag_id: str) -> bool:
        """Whether asset events wait that would start ``dag_id`` under a scheduler."""
        from airflow.models.dag import DagModel
        from airflow.utils.session import create_session

        with self._quietly(), create_session() as session:
            _, waiting = DagModel.dags_needing_dagruns(session)
            return dag_id in waiting

    def run(
        self, dag_id: str, *, conf: dict[str, Any] | None = None, on_task: Callable[[str], None] | None = None
    ) -> DagRunResult:
        """Run ``dag_id`` to its end; asset events that wait for it are consumed.

        Args:
            conf: configuration of the run, as a manual trigger would give.
            on_task: called with the id of each task before it starts.
        """
        from airflow.models.dag import DagModel
        from airflow.utils.session import create_session
        from airflow.utils.state import DagRunState

        start = time.monotonic()
        with self._quietly(), create_session() as session:
            model = session.get(DagModel, dag_id)
            if model is not None and model.is_paused:
                return DagRunResult(dag_id, "paused", 0.0)
            run = _create_run(self.dags[dag_id], conf, session)
            tasks: dict[str, TaskRun] = {}
            seen: dict[str, str] | None = None
            while run.state == DagRunState.RUNNING:
                ready = _ready(run, session)
                before, seen = seen, None if ready else _states(run, session)
                if before is not None and before == seen and run.state == DagRunState.RUNNING:
                    raise _stands_still(run, before)
                for ti in ready:
                    if on_task is not None:
                        on_task(ti.task_id)
                    tasks[ti.task_id] = _run_task(ti, self.dags[dag_id], session)
            states = _states(run, session)
        for task_id, state in states.items():
            tasks.setdefault(task_id, TaskRun(task_id, state, 0.0))
        return DagRunResult(dag_id, _verdict(tasks), time.monotonic() - start, tasks)

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """What libraries write to the screen goes to the log, so that tables and JSON stay clean."""
        with redirect_stdout(self._log), redirect_stderr(self._log):
            yield


@contextmanager
def open_driver(settings: Settings) -> Iterator[Driver]:
    """Make Airflow ready for ``settings`` and hold the right to drive its DAGs.

    Raises:
        Busy: another process drives them.
        DagFilesBroken: a DAG file cannot be imported.
    """
    lock = airflow_env.sole_driver(settings)
    try:
        airflow_env.activate(settings)
        with log_file(settings).open("a", encoding="utf-8", buffering=1) as log:
            with redirect_stdout(log), redirect_stderr(log):
                dags = _start(settings, log)
            yield Driver(dags, log)
            _log_to(sys.stderr)
    finally:
        _close_database()
        lock.release()


def _close_database() -> None:
    """Close every connection now: SQLite then folds its write-ahead log into the file, whole for whoever reads next."""
    settings = sys.modules.get("airflow.settings")
    if settings is None or settings.engine is None:
        return
    settings.Session.remove()
    settings.engine.dispose()
    if settings.async_engine is not None:
        settings.async_engine.sync_engine.dispose()


def log_file(settings: Settings) -> Path:
    """Where the log lines of runs in this process go."""
    folder = settings.airflow / "logs"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder / "run.log"


def _start(settings: Settings, log: TextIO) -> dict[str, DAG]:
    import airflow.settings  # noqa: F401  (sets up Airflow's logging, which is then sent to the file)

    _log_to(log)
    airflow_env.ensure_database(settings)
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db

    folder = airflow_env.dags_folder()
    bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name=BUNDLE)
    if bag.import_errors or not bag.dags:
        raise DagFilesBroken(
            "; ".join(f"{Path(f).name}: {e.strip().splitlines()[-1]}" for f, e in bag.import_errors.items())
            or "the folder of DAG files holds no DAG",
            hint="`lakehouse catalog compile` rewrites the index; the whole trace is in the log",
            log=log_file(settings),
        )
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(bag, BUNDLE, None)
    return dict(bag.dags)


def _log_to(stream: TextIO) -> None:
    from airflow._shared.logging import configure_logging

    configure_logging(log_level="INFO", output=stream, colors=False, cache_logger_on_first_use=False)
    airflow_env.quiet()


def _create_run(dag: DAG, conf: dict[str, Any] | None, session: Session) -> DagRun:
    """A running run, triggered by the waiting asset events if there are any, else by hand."""
    from airflow._shared.timezones import timezone
    from airflow.models.asset import AssetDagRunQueue, AssetEvent
    from airflow.models.dagrun import DagRun
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType
    from sqlalchemy import select

    now = timezone.utcnow()
    queued = session.scalars(select(AssetDagRunQueue).where(AssetDagRunQueue.target_dag_id == dag.dag_id)).all()
    kind = DagRunType.ASSET_TRIGGERED if queued else DagRunType.MANUAL
    stored = SerializedDagModel.get_dag(dag.dag_id, session=session)
    if stored is None:
        raise DagFilesBroken("the DAG is not in Airflow's database", hint="run again", dag=dag.dag_id)
    last = session.scalar(select(DagRun.run_after).where(DagRun.dag_id == dag.dag_id).order_by(DagRun.run_after.desc()))
    run: DagRun = stored.create_dagrun(
        run_id=DagRun.generate_run_id(run_type=kind, logical_date=None, run_after=now),
        run_after=now,
        conf=conf,
        run_type=kind,
        triggered_by=DagRunTriggeredByType.ASSET if queued else DagRunTriggeredByType.CLI,
        state=DagRunState.RUNNING,
        start_date=now,
        session=session,
    )
    if queued:
        events = select(AssetEvent).where(AssetEvent.asset_id.in_([q.asset_id for q in queued]))
        if last is not None:
            events = events.where(AssetEvent.timestamp > last)
        run.consumed_asset_events.extend(session.scalars(events))
        for row in queued:
            session.delete(row)
    session.commit()
    return run


def _ready(run: DagRun, session: Session) -> list[TaskInstance]:
    """Task instances that may run now, after skips and upstream failures were carried on."""
    from airflow.utils.state import TaskInstanceState

    session.expire_all()
    ready, _ = run.update_state(session=session)
    for ti in ready:
        ti.try_number += 1
        ti.max_tries = 0  # a person waits: report now, do not wait out a retry delay
        ti.state = TaskInstanceState.QUEUED
    session.commit()
    return ready


def _states(run: DagRun, session: Session) -> dict[str, str]:
    """State of each task; a look may carry a skip on from one to the next without any becoming ready."""
    return {ti.task_id: str(ti.state) for ti in run.get_task_instances(session=session)}


def _stands_still(run: DagRun, states: dict[str, str]) -> RunStandsStill:
    """Under a scheduler a later look might find something to do; here nobody else acts, and waiting would never end."""
    return RunStandsStill(
        f"{run.dag_id} is not at its end and none of its tasks may run: {states}",
        hint="run again; if it stands still again, look into the log of Airflow's runs",
        dag=run.dag_id,
    )


def _run_task(ti: TaskInstance, dag: DAG, session: Session) -> TaskRun:
    from airflow.models.xcom import XComModel
    from airflow.sdk.api.datamodels._generated import TaskInstance as SdkTaskInstance

    start = time.monotonic()
    asked = SdkTaskInstance(
        id=UUID(str(ti.id)),
        task_id=ti.task_id,
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        try_number=ti.try_number,
        map_index=ti.map_index,
        dag_version_id=UUID(str(ti.dag_version_id)),
    )
    result = _in_process().start(what=asked, task=dag.task_dict[ti.task_id])
    session.expire_all()
    found = session.scalars(
        XComModel.get_many(run_id=ti.run_id, key="return_value", task_ids=ti.task_id, dag_ids=ti.dag_id)
    ).first()
    value = XComModel.deserialize_value(found) if found is not None else None
    return TaskRun(ti.task_id, str(ti.state), time.monotonic() - start, value, _reason(result.error))


@cache
def _in_process() -> Any:
    """Airflow's supervisor of a task in this process, without the socket it opens for tasks that start others.

    None of ours does, and the thread that listens there outlives its task by up to a second, on a number of a closed
    file that the metadata database may be given next.
    """
    from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor

    class InProcess(InProcessTestSupervisor):
        @contextmanager
        def _setup_subprocess_socket(self) -> Iterator[None]:
            yield

    return InProcess


def _reason(error: BaseException | None) -> str:
    if error is None:
        return ""
    text = str(error).strip()
    return text or type(error).__name__


def _verdict(tasks: dict[str, TaskRun]) -> str:
    states = {t.state for t in tasks.values()}
    if states & {"failed", "upstream_failed"}:
        return "failed"
    return "success" if "success" in states else "skipped"

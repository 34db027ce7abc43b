"""The whole day in one command: demo files when there is nothing, feeds, libraries, marts, releases.

``run_all`` drives the packaged Airflow DAGs in this process in dependency order. A feed DAG with
nothing to collect is skipped; a build runs when asset events wait for it or when what it is
built from (models, contracts, feed tables) is not what it was built from last. A rerun is quick.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

from catalog.registry import Catalog
from catalog.settings import Settings
from lakehouse.context import utc_now
from lakehouse.summary import Failure, FeedLine, RunSummary, show

if TYPE_CHECKING:
    from lakehouse.driver import DagRunResult, Driver

DEMO_AS_OF = date(2026, 6, 30)
"""Last day of the demo's data: fixed, so that the same seed gives the same bytes on any day."""


def run_all(
    settings: Settings,
    catalog: Catalog,
    *,
    residents: int = 20_000,
    seed: int = 1,
    as_json: bool = False,
) -> RunSummary:
    """Do the whole day and, unless ``as_json``, show it.

    Args:
        residents: size of the demo district, generated only when the drop folder is empty and
            nothing was ever loaded.
        as_json: print nothing; the caller prints the summary.

    Raises:
        Busy: another ``run`` or ``up`` drives the DAGs of this lakehouse.
    """
    from dags.index import write_index
    from ingestion.scorecard import take_truth
    from lakehouse.driver import open_driver
    from lakehouse.progress import Progress

    start = time.monotonic()
    # manifests, suites and DAGs are millions of objects that stay: looking through them again and again costs a tenth
    gc.set_threshold(50_000, 20, 100)
    summary = RunSummary()
    write_index(settings, catalog)
    layers = _layer_dags()
    with Progress(total=len(catalog.feeds) + len(layers) + 2, silent=as_json) as progress:
        if needs_demo(settings):
            progress.begin("演示区数据")
            _generate(settings, residents, seed, progress.note)
            summary.demo = True
        progress.advance("Airflow")
        with open_driver(settings) as driver:
            _feeds(driver, catalog, summary, progress)
            take_truth(settings, now=utc_now())
            _layers(driver, settings, catalog, layers, summary, progress)
        _tell(settings, catalog, summary, progress)
    summary.seconds = round(time.monotonic() - start, 1)
    summary.ok = not summary.failures
    summary.next = _next_steps(settings, summary)
    if not as_json:
        show(summary)
    return summary


def _tell(settings: Settings, catalog: Catalog, summary: RunSummary, progress: Any) -> None:
    """What people look at: the quality report, the scorecard, maps and charts, and how well persons were linked."""
    loaded = any(line.files for line in summary.feeds)
    if loaded or summary.tables or summary.releases or summary.failures:
        from quality.data_docs import build_docs

        progress.begin("质量报告")
        build_docs(settings)
    if loaded or summary.tables:
        _scorecard(settings, catalog, summary, progress)
    if summary.tables:
        from lakehouse.pictures import draw_pictures

        progress.begin("地图与图表")
        summary.pictures = draw_pictures(settings, {t["name"] for t in summary.tables if t["rows"]})
        progress.begin("比对与真值")
        summary.linkage = _linkage(settings, catalog)


def _scorecard(settings: Settings, catalog: Catalog, summary: RunSummary, progress: Any) -> None:
    """The scorecard of this month, whose scores the marts' layer built; the monthly DAG writes last month's."""
    from catalog.errors import LakehouseError
    from ingestion.scorecard import write_report

    progress.begin("记分卡")
    try:
        summary.scorecard = str(write_report(settings, catalog, now=utc_now()).page)
    except LakehouseError as e:
        summary.failures.append(Failure("stewardship.monthly", "scorecard", str(e), "lakehouse quality report"))


def _linkage(settings: Settings, catalog: Catalog) -> dict[str, float]:
    """How well persons were linked, where somebody knows it."""
    from lakehouse.commands.report import linkage_scores
    from warehouse.delta import exists
    from warehouse.entities.accuracy import measured_entities
    from warehouse.linking.accuracy import has_truth, measure
    from warehouse.linking.store import LINKS

    truth = settings.home / "truth"
    if not has_truth(truth) or not exists(settings.platform_path(LINKS)):
        return {}
    entities = measured_entities(settings, truth)
    found = {k: v for k, v in entities.scores().items() if k.endswith("_f1")} if entities else {}
    return {**linkage_scores(measure(settings, catalog, truth)), **found}


def needs_demo(settings: Settings) -> bool:
    """True for a lakehouse that has no file waiting and no feed table."""
    from warehouse.tables import list_tables

    waiting = any(p.is_file() for p in settings.drop.rglob("*"))
    return not waiting and not any(t.layer == "feed" for t in list_tables(settings))


def _layer_dags() -> list[str]:
    """Build DAGs in order, then publishing."""
    from dags.index import LAYERS

    return [*(f"build.{layer['id']}" for layer in LAYERS), "publish.products"]


def _generate(settings: Settings, residents: int, seed: int, note: Callable[[str], None]) -> None:
    from demo import generate

    generate(
        settings.drop,
        truth=settings.home / "truth",
        residents=residents,
        seed=seed,
        as_of=DEMO_AS_OF,
        on_progress=note,
    )


def _feeds(driver: Driver, catalog: Catalog, summary: RunSummary, progress: Any) -> None:
    from dags.index import feed_dag_id

    for feed in catalog.feeds.values():
        result = _run(driver, feed_dag_id(feed.id), f"接入 · {feed.title}", summary, progress)
        loads = result.value("load") or []
        totals = {
            key: sum(load[key] for load in loads)
            for key in ("rows_found", "rows_loaded", "rows_quarantined", "rows_skipped")
        }
        summary.feeds.append(
            FeedLine(
                feed=feed.id,
                title=feed.title,
                files=len(loads),
                verdict=_feed_verdict(result, loads),
                seconds=round(result.seconds, 2),
                **totals,
            )
        )


def _feed_verdict(result: DagRunResult, loads: list[dict[str, Any]]) -> str:
    if result.state in ("failed", "paused") and not loads:
        return result.state
    for verdict in ("stopped", "warned", "passed", "duplicate"):
        if any(load["verdict"] == verdict for load in loads):
            return verdict
    return "empty"


def _layers(
    driver: Driver, settings: Settings, catalog: Catalog, dag_ids: list[str], summary: RunSummary, progress: Any
) -> None:
    from warehouse.stamps import Stamps

    stamps = Stamps(settings, catalog)
    inputs = stamps.inputs()
    for dag_id in dag_ids:
        if not driver.triggered(dag_id) and stamps.changed(dag_id, inputs) == frozenset():
            summary.unchanged.append(dag_id)
            progress.advance(f"{dag_id} 无变化")
            continue
        result = _run(driver, dag_id, dag_id, summary, progress)
        if result.state == "failed":
            break  # what follows is built from this
        for task in result.tasks.values():
            if dag_id.startswith("build.") and task.value:
                summary.tables += task.value["tables"]
        summary.releases += result.value("publish") or []


def _run(driver: Driver, dag_id: str, title: str, summary: RunSummary, progress: Any) -> DagRunResult:
    progress.begin(title)
    result = driver.run(dag_id, on_task=lambda task: progress.begin(f"{title} · {task}"))
    if result.state != "skipped":
        summary.seconds_by_dag[dag_id] = round(result.seconds, 2)
    summary.failures += [Failure(dag_id, task, reason, _cure(dag_id)) for task, reason in result.reasons]
    progress.advance(f"{title} {result.state} {result.seconds:.1f}s")
    return result


def _cure(dag_id: str) -> str:
    kind, _, rest = dag_id.partition(".")
    if kind == "feed":
        return f"lakehouse feed show {rest}；改正文件或契约后重新放入 drop/，再运行 lakehouse run"
    if kind == "build":
        return "lakehouse build --select <模型>，改正后再运行 lakehouse run"
    return "lakehouse publish <产品>，改正后再运行 lakehouse run"


def _next_steps(settings: Settings, summary: RunSummary) -> list[str]:
    steps = []
    built = {t["name"] for t in summary.tables}
    if "environment.daily_aqi" in built or "environment__daily_aqi" in built:
        steps.append(
            'lakehouse sql "select station_name, date, aqi, primary_pollutant from environment.daily_aqi limit 5"'
        )
    worst = max(summary.feeds, key=lambda f: f.rows_quarantined, default=None)
    if worst is not None and worst.rows_quarantined:
        steps.append(f"lakehouse feed quarantine {worst.feed}")
    if any(line.files for line in summary.feeds):
        steps.append(f"xdg-open {settings.home / 'data_docs' / 'index.html'}  # 质量报告，离线可读")
    if summary.scorecard:
        steps.append(f"xdg-open {summary.scorecard}  # 部门记分卡")
    pages = [p.file for p in summary.pictures if p.file.endswith(".html")]
    steps += [f"xdg-open {page}  # 宏观经济报告，离线可读" for page in pages]
    if len(summary.pictures) > len(pages):
        steps.append("lakehouse map poi --out poi.png  # 其他图层：lakehouse geo layers；感知：lakehouse sensing map")
    if summary.releases:
        steps.append(f"ls {settings.releases}")
    return [*steps, "lakehouse status", "make up"]


def up(settings: Settings, catalog: Catalog, *, port: int = 8080) -> int:
    """Start Airflow with all DAGs on 127.0.0.1 until Ctrl-C; see ``lakehouse.airflow_up``."""
    from lakehouse.airflow_up import up as start

    return start(settings, catalog, port=port)

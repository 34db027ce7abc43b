"""What the tasks do: one call into a room each. Rooms are imported when a task runs, not at parse time.

Tasks hand on names and counts only (XCom): file paths, receipt ids, rows found and loaded, reasons
by rule. A fault of the data or of a contract fails a task at once with the reason, since another
try would find the same bytes; a busy table or a broken disk is tried again as the contract says.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from catalog.registry import Catalog
    from catalog.settings import Settings

PUBLISHED = "publish.products"

log = logging.getLogger("lakehouse.dags")


@contextmanager
def _faults() -> Iterator[None]:
    """Turns an error of ours into a failure without retry, except Busy and a source that does not answer."""
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    from catalog.errors import Busy, LakehouseError, SourceUnavailable

    try:
        yield
    except (Busy, SourceUnavailable):
        raise
    except LakehouseError as e:
        raise AirflowFailException(str(e)) from e
    except AirflowException:
        raise


def _both() -> tuple[Settings, Catalog]:
    from catalog.registry import load_catalog
    from catalog.settings import Settings

    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    settings = Settings.from_env()
    settings.make_dirs()
    return settings, load_catalog(settings.catalog_dir)


def _skip(reason: str) -> NoReturn:
    from airflow.sdk.exceptions import AirflowSkipException

    raise AirflowSkipException(reason)


def _fail(reason: str) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    raise AirflowFailException(reason)


def collect(feed_id: str) -> dict[str, list[str]]:
    """What waits for this feed: its connector is asked, and what that brings is landed; skipped when nothing waits.

    A delivery that landed before a crash and was not loaded waits too, and gives no path.

    Returns:
        Paths of ``files`` in the drop folder, oldest first, and why others were ``refused``, if any were.
    """
    from catalog.errors import SourceUnavailable
    from ingestion.landing import pending
    from ingestion.load import collect as waiting
    from ingestion.sources.pull import pull

    settings, catalog = _both()
    with _faults():
        refused = pull(settings, catalog, feed_id, progress=log.info).refused
        files = waiting(settings, catalog, feed_id)
        if not files and not pending(settings, feed_id):
            for fault in refused:
                if isinstance(fault, SourceUnavailable):
                    raise fault
            if not refused:
                _skip(f"没有等待 {feed_id} 的新文件")
    return {"files": [str(f) for f in files], "refused": [str(e) for e in refused]}


def land(feed_id: str, collected: dict[str, list[str]]) -> dict[str, list[str]]:
    """Keep the bytes of each file of the drop folder unchanged in landing.

    Returns:
        ``receipts`` that wait to be loaded, in order, and why files were ``refused``, if any were.
    """
    from catalog.errors import InputError
    from ingestion.landing import pending
    from ingestion.load import land as keep

    settings, catalog = _both()
    refused = list(collected["refused"])
    with _faults():
        for file in collected["files"]:
            if not Path(file).exists():
                continue  # landed by an earlier try of this task
            try:
                keep(settings, catalog, feed_id, Path(file), now=datetime.now(UTC))
            except InputError as e:
                refused.append(str(e))
        return {"receipts": [r.id for r in pending(settings, feed_id)], "refused": refused}


def load(feed_id: str, landed: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Load each receipt (its gate runs before the commit); one result a receipt, without any row."""
    from ingestion.load import load as into_lake

    settings, catalog = _both()
    results = []
    with _faults():
        for receipt in landed["receipts"]:
            result = into_lake(settings, catalog, feed_id, receipt, now=datetime.now(UTC))
            log.info("%s %s: %s", feed_id, receipt, result.verdict)
            results.append(_counts(result))
    return results


def gate(feed_id: str, landed: dict[str, list[str]], results: list[dict[str, Any]]) -> str:
    """The verdict of the run: fails, with every reason, when a file was refused or a batch stopped."""
    reasons = [f"{feed_id} 的文件未能接收：{reason}" for reason in landed["refused"]]
    reasons += [
        f"质量闸门拦下 {feed_id} 的文件 {r['file']}（回执 {r['receipt']}）：{r['message']}"
        for r in results
        if r["verdict"] == "stopped"
    ]
    if reasons:
        _fail("；".join(reasons))
    return "warned" if any(r["verdict"] == "warned" for r in results) else "passed"


def announce(results: list[dict[str, Any]]) -> int:
    """Rows added to the feed table; skipped, so that no asset event leaves, when there are none."""
    rows = sum(r["rows_loaded"] for r in results if r["verdict"] in ("passed", "warned"))
    if not rows:
        _skip("没有新增数据，不触发下游")
    return rows


def build(select: list[str], stamp: str | None) -> dict[str, Any]:
    """Build the dbt models of ``select``; fails with the names and messages of those that failed.

    With ``stamp``, only what depends on feeds that changed since the last success of that name is
    built, or everything when code or catalog changed, or when the run was asked for in full.
    """
    from catalog.errors import UnknownName
    from warehouse.dbt_build import build as dbt_build
    from warehouse.stamps import Stamps

    settings, catalog = _both()
    stamps = Stamps(settings, catalog)
    inputs = stamps.inputs()
    changed = stamps.changed(stamp, inputs) if stamp and not _asked_in_full() else None
    if changed is not None:
        log.info("feeds changed since the last build: %s", ", ".join(sorted(changed)) or "none")
        select = [f"source:feed.{feed}+,{part}" for feed in sorted(changed) for part in select]
    built: list[Any] = []
    if select:
        with _faults():
            try:
                result = dbt_build(settings, select=select)
            except UnknownName:
                if changed is None:
                    raise  # with a part selected: no model of this layer reads these feeds
            else:
                _report(result)
                built = result.models
    if stamp:
        stamps.write(stamp, inputs)
    return {
        "tables": [
            {"name": m.name, "rows": m.rows, "seconds": round(m.seconds, 2)}
            for m in built
            if m.kind == "model" and m.rows is not None
        ],
        "tests": sum(m.kind == "test" for m in built),
    }


def link_persons() -> dict[str, Any]:
    """Say which records of the registers are one person; what changed only, or all when asked for in full."""
    from warehouse.linking.run import link_persons as link

    settings, catalog = _both()
    with _faults():
        done = link(settings, catalog, now=datetime.now(UTC), full=_asked_in_full(), progress=log.info)
    log.info("%s: %s records, %s persons, %s to review", done.mode, done.records, done.persons, done.reviews)
    tables = [{"name": "platform.person_links", "rows": done.records, "seconds": done.seconds}]
    return {"tables": [] if done.mode == "unchanged" else tables, **done.model_dump()}


def _asked_in_full() -> bool:
    from airflow.sdk import get_current_context

    return bool(get_current_context()["params"].get("full"))


def _report(result: Any) -> None:
    for verdict in result.verdicts:
        log.info("gate %s %s %s", verdict.suite, verdict.verdict, verdict.reason)
    for model in result.models:
        log.info("%s %s %s rows=%s %s", model.kind, model.name, model.status, model.rows, model.message)
    if not result.ok:
        skipped = sum(m.status == "skipped" for m in result.models)
        _fail(
            f"{len(result.failed)} 个模型或测试失败，{skipped} 个因此未建："
            + "；".join(f"{m.name}: {m.message or m.status}" for m in result.failed)
        )


def publish() -> list[dict[str, Any]]:
    """Write a release of every product that changed."""
    from warehouse.publish import publish as release
    from warehouse.stamps import Stamps

    settings, catalog = _both()
    stamps = Stamps(settings, catalog)
    inputs = stamps.inputs()
    with _faults():
        releases = release(settings, catalog, now=datetime.now(UTC))
    if all(r.status != "refused" for r in releases):
        stamps.write(PUBLISHED, inputs)
    return [
        {
            "product": r.product,
            "version": r.version,
            "rows": r.rows,
            "status": r.status,
            "folder": str(r.folder or ""),
            "message": r.message,
        }
        for r in releases
    ]


def released(releases: list[dict[str, Any]]) -> int:
    """Products with a new release; fails, with every reason, when one was refused."""
    refused = [r for r in releases if r["status"] == "refused"]
    if refused:
        _fail(f"{len(refused)} 个产品未能发布：" + "；".join(f"{r['product']}: {r['message']}" for r in refused))
    return sum(r["status"] == "released" for r in releases)


def maintain() -> dict[str, int]:
    """Compact and vacuum all tables; how many tables, and how many files went."""
    from warehouse.maintenance import maintain as care

    settings, _ = _both()
    with _faults():
        done = care(settings, on_table=lambda c: log.info("%s", c))
    return {
        "tables": len(done),
        "skipped": sum(bool(c.skipped) for c in done),
        "files_removed": sum(c.files_removed for c in done),
    }


def scan_content() -> dict[str, int]:
    """Libraries, marts and extracts scanned; fails and names columns that hold more than their grade."""
    from warehouse.content_scan import scan_all

    settings, catalog = _both()
    with _faults():
        done = scan_all(settings, catalog, now=datetime.now(UTC))
    too_high = [r for s in done for r in s.too_high]
    if too_high:
        _fail("；".join(r.message for r in too_high))
    return {"tables": len(done), "findings": sum(len(s.findings) for s in done)}


def freshness() -> dict[str, int]:
    """Feeds by state of freshness; fails and names those later than their contract allows."""
    from warehouse.status import status

    settings, catalog = _both()
    with _faults():
        rows = status(settings, catalog, now=datetime.now(UTC))
    late = [r for r in rows if r.state == "late"]
    if late:
        _fail(
            f"{len(late)} 个资源逾期："
            + "；".join(f"{r.feed}（{r.title}）已 {r.age_hours:.0f} 小时，时限 {r.max_age_hours:g} 小时" for r in late)
        )
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.state] = counts.get(row.state, 0) + 1
    return counts


def data_docs() -> int:
    """Check feed tables, libraries and marts as they stand and rebuild the offline quality report; tables checked."""
    from warehouse.check import check_feeds, check_tables

    settings, catalog = _both()
    now = datetime.now(UTC)
    with _faults():
        return len(check_feeds(settings, catalog, None, now=now)) + len(check_tables(settings, catalog, None, now=now))


def scorecard() -> dict[str, Any]:
    """Build the scores and write the scorecard of last month, or of the newest when that has none yet.

    Skipped while nothing was ever delivered: there is nobody to score.
    """
    from catalog.errors import UnknownName
    from ingestion.scorecard import build_report
    from warehouse.scorecard import last_month, months

    settings, catalog = _both()
    now = datetime.now(UTC)
    with _faults():
        try:
            made = build_report(settings, catalog, now=now)
        except UnknownName:
            if months(settings):
                raise
            _skip("还没有任何交付，没有可评的部门")
        if last_month(now) in months(settings):
            made = build_report(settings, catalog, now=now, month=last_month(now), tests=False)
    return {"month": f"{made.month:%Y-%m}", "departments": len(made.ranking), "page": str(made.page)}


def _counts(result: Any) -> dict[str, Any]:
    keys = ("feed", "receipt", "rows_found", "rows_loaded", "rows_quarantined", "rows_skipped", "verdict", "message")
    return {
        **{k: getattr(result, k) for k in keys},
        "file": result.file,
        "reasons": dict(result.reasons),
    }

"""Scores of planted deliveries equal numbers computed by hand; objections and platform faults count as they should."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from catalog.registry import Catalog
from catalog.settings import Settings

pytestmark = pytest.mark.slow

LOCAL = timedelta(hours=8)
JUNE, MAY = date(2026, 6, 1), date(2026, 5, 1)
WATER, TAX, PENALTIES = "water__rain_gauges", "tax__arrears", "market_supervision__penalties"
NOW = datetime(2026, 6, 16, tzinfo=UTC) - LOCAL


def midnight(month: int, day: int) -> datetime:
    return datetime(2026, month, day, tzinfo=UTC) - LOCAL


def load(feed: str, receipt: str, at: datetime, verdict: str, rows: int, **more: Any) -> dict[str, Any]:
    texts = {k: json.dumps(v) for k, v in more.items()}
    return {"feed": feed, "receipt": receipt, "file": f"{receipt}.csv", "landed_at": at, "verdict": verdict} | {
        "rows_found": rows,
        "rows_quarantined": 0,
        **texts,
    }


def check(
    feed: str, receipt: str, code: str, dimension: str, unexpected: int | None = None, **more: Any
) -> dict[str, Any]:
    """A row check with ``unexpected`` rows, or with ``success`` a batch check."""
    base = {"feed": feed, "receipt": receipt, "suite": feed, "code": code, "rule": "r", "dimension": dimension}
    kind = {"scope": "batch"} if unexpected is None else {"scope": "row", "success": not unexpected}
    return {**base, "severity": "reject", "party": "source", "unexpected": unexpected, "message": f"{code} 不合格"} | {
        "checked_at": NOW,
        **kind,
        **more,
    }


LOADS = [
    load(WATER, "r1", midnight(5, 31), "passed", 100),
    load(
        WATER, "r2", midnight(6, 2), "warned", 200, reasons={"ragged": 2, "a": 4}, skipped={"duplicate": 20, "known": 9}
    ),
    load(WATER, "r3", midnight(6, 3), "stopped", 200),
    load(WATER, "r4", midnight(6, 4), "duplicate", 200, skipped={"duplicate_delivery": 200}),
    load(WATER, "r5", midnight(6, 5), "empty", 0),
    load(TAX, "t1", midnight(6, 10), "stopped", 0, error={"error": "LH201"}),
    load(PENALTIES, "p1", midnight(6, 10), "stopped", 0, error={"error": "LH100"}),
    load("gone__feed", "g1", midnight(6, 10), "passed", 10),
]
CHECKS = [
    check(WATER, "r1", "a", "validity", 0),
    check(WATER, "r2", "a", "validity", 4),
    check(WATER, "r3", "a", "validity", 6),
    check(WATER, "r2", "b", "completeness", 10, severity="warn"),
    check(WATER, "r3", "b", "completeness", 0, severity="warn"),
    check(WATER, "r2", "c", "consistency", 50, party="platform"),
    check(WATER, "r2", "d", "completeness", success=True, severity="stop"),
    check(WATER, "r3", "d", "completeness", success=False, severity="stop"),
    check(WATER, "r2", "e", "accuracy", 8),
    check(WATER, "check-20260610T000000Z", "a", "validity", 99),
    check(
        "", "build-1", "k", "uniqueness", 10, evaluated=1000, suite="library:legal_entity.entities", party="platform"
    ),
]
TRUTHS = [{"feed": WATER, "receipt": "r2", "rows_checked": 180, "rows_wrong": 9, "source": "s", "checked_at": NOW}]


@pytest.fixture
def planted(settings: Settings) -> Settings:
    import pyarrow as pa

    from ingestion.results import LOADS_SCHEMA
    from quality.verdict import validations_schema
    from warehouse.delta import append_rows
    from warehouse.truths import schema

    for name, rows, form in (
        ("loads", LOADS, LOADS_SCHEMA),
        ("validations", CHECKS, validations_schema()),
        ("truths", TRUTHS, schema()),
    ):
        append_rows(settings.platform_path(name), pa.Table.from_pylist(rows, schema=form))
    return settings


def dimensions(row: dict[str, Any]) -> list[float | None]:
    return [row[d] for d in ("completeness", "validity", "uniqueness", "consistency", "timeliness", "accuracy")]


def test_scores_are_those_computed_by_hand_and_objections_change_them(
    planted: Settings, catalog: Catalog, read: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    from warehouse.dbt_build import build
    from warehouse.objections import answer, failing_rules, raise_objection
    from warehouse.scorecard import read_scorecard, scores

    build(planted, select=["tag:quality"], now=NOW).raise_for_failure()
    feeds = {(r["id"], r["month"]): r for m in (MAY, JUNE) for r in scores(planted, "feed", m)}
    assert set(feeds) == {(WATER, MAY), (WATER, JUNE), (TAX, JUNE), (PENALTIES, JUNE)}
    assert dimensions(feeds[WATER, MAY]) == [100, 100, 100, None, 100, None]
    # 400 rows in June. completeness: 10 rows, and 1 of 2 batches failed d; validity: 4+6 (a) + 8 (e, which does not
    # know the truth) + 2 ragged; uniqueness: 20 repeats; timeliness: fresh 24 h of 15 days; accuracy: 9 of 180.
    june = feeds[WATER, JUNE]
    assert dimensions(june) == [48.75, 95.0, 95.0, None, 6.67, 95.0]
    total = (20 * 48.75 + 25 * 95 + 10 * 95 + 20 * 6.67 + 10 * 95) / 85
    assert (june["total"], june["previous"]) == (round(total, 2), 100.0)
    assert june["change"] == pytest.approx(total - 100, abs=0.01)
    assert dimensions(feeds[TAX, JUNE]) == [None, 0.0, None, None, 0.0, None], "unreadable, so nothing is fresh"
    assert dimensions(feeds[PENALTIES, JUNE]) == [None, None, None, None, 100.0, None], "a contract's fault is ours"
    card = read_scorecard(planted, catalog, month=JUNE, now=NOW)
    assert [(d.id, d.rank, d.late, d.stopped) for d in card.departments] == [
        ("market_supervision", 1, 0, 1),
        ("water", 2, 1, 1),
        ("tax", 3, 0, 1),
    ]
    assert [(w.code, w.party, w.rows, w.failed) for w in card.worst] == [
        ("d", "source", 200, 1),
        ("c", "platform", 50, 1),
        ("duplicate", "source", 20, 1),
        ("a", "source", 10, 2),
        ("b", "source", 10, 1),
        ("e", "source", 8, 1),
        ("ragged", "source", 2, 1),
        ("file_refused", "platform", 0, 1),
        ("file_refused", "source", 0, 1),
    ]
    assert [(d.receipt, d.late_hours) for d in card.departments[1].late_deliveries] == [("r2", 24.0)]
    legal = next(line for line in card.libraries if line.id == "legal_entity")
    assert (legal.scores["uniqueness"], legal.scores["timeliness"], legal.scores["validity"]) == (99.0, 50.0, 0.0)
    assert failing_rules(planted, WATER, JUNE) == ["a", "b", "d", "duplicate", "e", "late", "ragged"]

    for rule, accept in (("a", True), ("late", True), ("b", False)):
        raised = raise_objection(
            planted, catalog, WATER, rule_code=rule, month=JUNE, department="water", reason="设备检修，已报备", now=NOW
        )
        answer(planted, catalog, raised.id, accept=accept, person="big_data", reason="核对过", now=NOW)
    build(planted, select=["tag:quality"], exclude=["resource_type:test"], now=NOW).raise_for_failure()
    assert dimensions(scores(planted, "feed", JUNE)[-2]) == [48.75, 97.5, 95.0, None, 100.0, 95.0]
    assert read("select rule_code from quality.rule_results where is_excused order by 1") == [("a",), ("late",)]
    water = next(d for d in read_scorecard(planted, catalog, month=JUNE, now=NOW).departments if d.id == "water")
    states = {o.rule_code: o.state for o in water.objections}
    assert states == {"a": "accepted", "late": "accepted", "b": "rejected"}


def test_a_lake_without_deliveries_has_no_scorecard_and_its_task_is_skipped(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    from catalog.errors import UnknownName
    from dags.tasks import scorecard

    for name, value in settings.as_env().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(AirflowSkipException) as skipped:
        scorecard()
    assert isinstance(skipped.value.__context__, UnknownName)
    assert "no scorecard yet" in str(skipped.value.__context__)


def test_months_without_deliveries_are_scored_too(settings: Settings, catalog: Catalog) -> None:
    """One delivery in May, agreed for 24 hours, then silence: June is stale from its first hour."""
    import pyarrow as pa

    from ingestion.results import LOADS_SCHEMA
    from warehouse.dbt_build import build
    from warehouse.delta import append_rows
    from warehouse.scorecard import scores_of

    append_rows(settings.platform_path("loads"), pa.Table.from_pylist(LOADS[:1], schema=LOADS_SCHEMA))
    build(
        settings, select=["tag:quality"], exclude=["resource_type:test"], now=NOW + timedelta(days=30)
    ).raise_for_failure()
    found = [(r["month"], r["timeliness"], r["total"]) for r in scores_of(settings, "feed", WATER)]
    assert found == [(date(2026, 7, 1), 0.0, 0.0), (JUNE, 0.0, 0.0), (MAY, 100.0, 100.0)]

"""``lakehouse run`` end to end on a small district, through the DAGs, in processes of its own."""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from catalog.registry import Catalog

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

RESIDENTS = 600
SECONDS = 280
"""A run takes about a minute; one that has not ended by then is asked where it waits, and ended."""


def run(home: Path, *more: str) -> tuple[int, dict[str, Any]]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-X", "faulthandler", "-m", "lakehouse.cli"),
            *("run", "--json", "--residents", str(RESIDENTS), *more),
        ],
        env={**os.environ, "LAKEHOUSE_HOME": str(home), "LAKEHOUSE_LAKE": "", "LAKEHOUSE_CATALOG": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)  # faulthandler writes what every thread does
        out, err = process.communicate()
        pytest.fail(f"the run did not end within {SECONDS} s:\n{err[-20000:]}")
    try:
        return process.returncode, json.loads(out)
    except ValueError:
        pytest.fail(f"standard output is not one JSON document:\n{out[-2000:]}\n{err[-4000:]}")


def airflow(home: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(home / "airflow" / "airflow.db", timeout=30)) as db:
        assert db.execute("pragma quick_check").fetchall() == [("ok",)]
        return db.execute(sql).fetchall()


def delivered(home: Path) -> dict[str, Any]:
    """What the truth says of each feed the district sends."""
    found: dict[str, Any] = json.loads((home / "truth" / "summary.json").read_text(encoding="utf-8"))["feeds"]
    return found


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    home = tmp_path_factory.mktemp("run") / "var"
    code, summary = run(home)
    assert code == 0, summary["failures"]
    return home, summary


def test_every_feed_is_loaded_and_every_row_accounted_for(first: tuple[Path, dict[str, Any]], catalog: Catalog) -> None:
    _, summary = first
    assert summary["ok"] is True
    assert summary["demo"] is True
    assert {f["feed"] for f in summary["feeds"]} == set(catalog.feeds)
    sent = delivered(first[0])
    assert len(sent) > 30
    for feed in summary["feeds"]:
        if feed["feed"] not in sent:  # feeds of real files that the synthetic district does not send
            assert (feed["files"], feed["verdict"]) == (0, "empty"), feed
            continue
        assert feed["files"] > 0, feed
        assert feed["verdict"] in ("passed", "warned"), feed
        assert feed["rows_loaded"] > 0, feed
        assert feed["rows_found"] == feed["rows_loaded"] + feed["rows_quarantined"] + feed["rows_skipped"]


def test_what_was_loaded_is_what_the_truth_says(first: tuple[Path, dict[str, Any]]) -> None:
    home, summary = first
    truth = delivered(home)
    for feed in summary["feeds"]:
        said = truth.get(feed["feed"]) or {"rows": 0, "expected_loaded": 0, "expected_quarantined": 0}
        assert feed["rows_found"] == said["rows"], feed
        assert feed["rows_loaded"] == said["expected_loaded"], feed
        assert feed["rows_quarantined"] == said["expected_quarantined"], feed


def test_libraries_marts_and_releases_are_there(first: tuple[Path, dict[str, Any]], catalog: Catalog) -> None:
    home, summary = first
    tables = {t["name"]: t["rows"] for t in summary["tables"]}
    for name in (
        "population.residents",
        "population.households",
        "legal_entity.entities",
        "spatiotemporal.divisions",
        "spatiotemporal.addresses",
        "macro_economy.observations",
        "environment.daily_aqi",
        "hotline.response_times",
    ):
        assert tables.get(name, 0) > 0, name
    assert {r["product"] for r in summary["releases"]} == set(catalog.products)
    for release in summary["releases"]:
        assert release["status"] == "released", release
        assert any(Path(release["folder"]).iterdir())
    assert (home / "releases").exists()


def test_maps_and_charts_of_what_was_built_are_drawn(first: tuple[Path, dict[str, Any]]) -> None:
    home, summary = first
    drawn = {Path(p["file"]).name: Path(p["file"]) for p in summary["pictures"] if p["file"]}
    assert {"economy.html", "air.png", "ponding.png", "manholes.png", "noise.png", "streets.png"} <= set(drawn)
    assert all(file.stat().st_size > 10_000 for file in drawn.values())
    assert drawn["streets.png"].parent == home / "maps"


def test_the_dags_ran_by_asset_events(first: tuple[Path, dict[str, Any]]) -> None:
    home, _ = first
    kinds = dict(airflow(home, "select dag_id, run_type from dag_run"))
    assert kinds["feed.tax__arrears"] == "manual"
    for dag_id in ("build.libraries", "build.marts", "publish.products"):
        assert kinds[dag_id] == "asset_triggered"
    assert airflow(home, "select count(*) from asset_dag_run_queue") == [(0,)]
    consumed = airflow(home, "select count(*) from dagrun_asset_event")[0][0]
    assert consumed >= 16  # fourteen feeds, libraries, marts


def test_nothing_personal_reaches_airflow(first: tuple[Path, dict[str, Any]]) -> None:
    home, _ = first
    ids: set[bytes] = set()
    for file in (home / "lake" / "landing" / "public_security__household").rglob("*.csv"):
        with file.open(encoding="gb18030", errors="replace", newline="") as f:
            for row in csv.DictReader(f):
                ids |= {v.encode() for k in ("身份证号", "联系电话") if len(v := row[k] or "") > 10}
    assert len(ids) > RESIDENTS / 2
    kept = [home / "airflow" / "airflow.db", *(home / "airflow" / "logs").rglob("*.log")]
    for file in kept:
        content = file.read_bytes()
        assert not [i for i in ids if i in content], f"{file.name} holds resident identifiers"


def test_a_second_run_finds_nothing_new_and_is_quick(first: tuple[Path, dict[str, Any]]) -> None:
    home, before = first
    code, again = run(home)
    assert code == 0
    assert again["demo"] is False
    assert {f["verdict"] for f in again["feeds"]} <= {"empty", "duplicate"}
    assert sum(f["rows_loaded"] for f in again["feeds"]) == 0
    assert again["tables"] == again["releases"] == []
    assert again["unchanged"] == ["build.libraries", "build.marts", "publish.products"]
    assert again["seconds"] < before["seconds"]


def test_a_stopped_batch_fails_its_task_with_the_reason_and_the_rest_goes_on(
    first: tuple[Path, dict[str, Any]],
) -> None:
    home, _ = first
    drop = home / "drop"
    (drop / "tax" / "arrears" / "other.csv").write_text("谁,欠了什么\n甲,一百\n", encoding="gb18030")
    folder = drop / "statistics" / "cpi"
    folder.mkdir(parents=True, exist_ok=True)
    month = {"report_month": "2026-07", "cpi_national_yoy100": 99.9, "cpi_city_yoy100": 100, "cpi_rural_yoy100": 99.7}
    (folder / "cpi_next.json").write_text(json.dumps({"result": {"data": [month]}}), encoding="utf-8")
    code, summary = run(home)
    (drop / "tax" / "arrears" / "other.csv").unlink(missing_ok=True)
    assert code != 0
    assert [f["dag"] for f in summary["failures"]] == ["feed.tax__arrears"]
    assert "tax__arrears" in summary["failures"][0]["reason"]
    assert summary["failures"][0]["next"]
    feeds = {f["feed"]: f for f in summary["feeds"]}
    assert feeds["tax__arrears"]["rows_loaded"] == 0
    assert feeds["statistics__cpi"]["rows_loaded"] == 1
    built = {t["name"] for t in summary["tables"]}
    assert "macro_economy.observations" in built
    assert "environment.daily_aqi" not in built, "only what reads the changed feed is built again"
    states = dict(airflow(home, "select task_id, state from task_instance where dag_id = 'feed.tax__arrears'"))
    assert "failed" in states.values()
    assert airflow(home, "select max(try_number) from task_instance where dag_id = 'feed.tax__arrears'") == [(1,)]

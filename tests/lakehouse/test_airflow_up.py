"""``lakehouse up``: all parts of Airflow, this machine only, and a dropped file that finds its own way."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from catalog.registry import Catalog
from catalog.settings import Settings

pytestmark = [pytest.mark.airflow, pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(900)]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(what: str, done: Callable[[], bool], seconds: float, process: subprocess.Popen[str], log: Path) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert process.poll() is None, f"`up` ended: {log.read_text(encoding='utf-8')}"
        assert time.monotonic() < end, f"{what} not within {seconds} s: {log.read_text(encoding='utf-8')}"
        time.sleep(1)


@pytest.fixture
def running(settings: Settings) -> Iterator[tuple[Settings, subprocess.Popen[str], Path, int]]:
    port, log = _free_port(), settings.home / "up.out"
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "lakehouse.cli", "up", "--port", str(port)],
            env={**os.environ, **settings.as_env(), "LAKEHOUSE_POLL_SECONDS": "2"},
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        _wait("Airflow", lambda: f"http://127.0.0.1:{port}" in log.read_text(encoding="utf-8"), 300, process, log)
        yield settings, process, log, port
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(90)


def test_a_dropped_file_reaches_its_table_by_itself(
    running: tuple[Settings, subprocess.Popen[str], Path, int], catalog: Catalog
) -> None:
    settings, process, log, port = running
    database = settings.airflow / "airflow.db"

    def ask(sql: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as db:
            return db.execute(sql).fetchall()

    _wait("the DAGs", lambda: ask("select count(*) from dag")[0][0] == len(catalog.feeds) + 6, 120, process, log)
    assert ask("select count(*) from dag where is_paused") == [(0,)]
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    listening = set()
    for p in family:
        with suppress(psutil.NoSuchProcess):  # a task that has just ended listens to nothing
            listening |= {c.laddr for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    assert {(a.ip, a.port) for a in listening} == {("127.0.0.1", port)}

    folder = settings.drop / "statistics" / "cpi"
    folder.mkdir(parents=True)
    month = {"report_month": "2026-05", "cpi_national_yoy100": 99.9, "cpi_city_yoy100": 100, "cpi_rural_yoy100": 99.7}
    (folder / "cpi.json").write_text(json.dumps({"result": {"data": [month]}}), encoding="utf-8")

    done = "select count(*) from dag_run where dag_id = 'build.marts' and run_type = 'asset_triggered'"
    _wait("the marts", lambda: ask(done + " and state = 'success'")[0][0] > 0, 300, process, log)
    from warehouse.query import run_sql

    with run_sql(settings, "select count(*) as n from macro_economy.observations") as result:
        assert result.rows()[0][0] > 0

    process.send_signal(signal.SIGINT)
    assert process.wait(90) == 0
    assert not [p for p in family[1:] if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]

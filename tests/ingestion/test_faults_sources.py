"""Stopped at every boundary of a pull from a database, an interface and an object store, and at every step of the
last load or deletes that follow: run again, the table is what one clean pull and load give. `test_faults` does it
for loads and folders.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from quality.verdict import GateResult
from tests.ingestion.database_servers import PASSWORD, PostgreSQL
from tests.ingestion.fault_support import Boundaries, boundaries, copied
from tests.ingestion.test_sources_database import AT, CONTRACT, put
from tests.ingestion.test_sources_http import Api, ok, readings
from tests.ingestion.test_sources_s3 import SECRET, Store
from tests.ingestion.test_sources_s3 import contract as s3_contract

assert boundaries
pytestmark = [pytest.mark.server, pytest.mark.slow]
Build = Callable[[str], Any]
LATER = datetime(2026, 8, 1, 4, tzinfo=UTC) + timedelta(days=400)
"""After every change of an object of a store that runs now."""


def state(house: Any) -> dict[str, Any]:
    """All that a reader can see, without what names a moment or a repeated attempt."""
    return {
        "feed": house.rows("* EXCLUDE (_receipt, _loaded_at)"),
        "quarantine": house.rows("* EXCLUDE (receipt, quarantined_at, raw)", "quarantine"),
        "loads": sorted(
            r[1:] for r in house.platform("loads", "verdict, rows_found, rows_loaded, rows_quarantined")
            if r[1] != "duplicate"
        ),
    }  # fmt: skip


def killed_everywhere(
    house: Any, change: Callable[[], None], boundaries: Boundaries, prepared: Path, *, deletes: bool = False
) -> int:
    """Load, let the source change, and die at each boundary of the pull that follows; how many there were.

    Args:
        deletes: the load of the deletes is killed at its own boundaries, too; otherwise the last load at its steps.
    """

    def work() -> None:
        house.ingest_all(checkpoint=boundaries, now=LATER)

    shutil.rmtree(house.settings.home)
    house.settings.make_dirs()
    work()
    change()
    shutil.copytree(house.settings.home, prepared)
    assert not boundaries.run(work)
    names, expected = list(boundaries.names), state(house)
    loads = [i for i, n in enumerate(names) if n == "load.planned"]
    pulled = max(i for i, n in enumerate(names) if n == "pull.remembered")
    files = ("fsync", "rename", "replace", "unlink")  # of a load that ends, which `test_faults` has
    removed = [i for i in range(loads[-1], len(names)) if names[i] not in files] if deletes else []
    last = max(i for i, n in enumerate(names) if n == "load.staged")
    steps = [] if deletes else [i for i in range(last, len(names)) if names[i].startswith("load.")]
    wanted = [*range(pulled + 2), *removed, *steps]
    killed = 0
    for at in wanted:
        copied(house, prepared)
        killed += boundaries.run(work, at + 1)
        work()
        assert state(house) == expected, (at, names[at])
    work()
    assert state(house) == expected, "and once more nothing changes"
    return killed


@pytest.fixture(autouse=True)
def gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate is asked and has nothing to say: its own suite takes most of a load and makes nothing durable."""

    def passed(con: Any, table: str, **_: Any) -> GateResult:
        row = con.execute(f"SELECT count(*) FROM {table}").fetchone()
        return GateResult("passed", (), "", int(row[0]))

    monkeypatch.setattr("quality.gate.run_gate", passed)


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgreSQL]:
    monkeypatch.setenv("DB_PASSWORD", PASSWORD)
    made = PostgreSQL()
    made.execute("create table t (id varchar(40) primary key, mm numeric(10, 2), changed timestamptz(3))")
    made.execute("grant select on t to reader")
    yield made
    made.close()


def test_change_capture_of_a_database(
    build: Build, database: PostgreSQL, tmp_path: Path, boundaries: Boundaries
) -> None:
    source = (
        f"{{connector: postgresql, host: 127.0.0.1, port: {database.port}, database: src, user: reader, "
        "secret: env:DB_PASSWORD, table: t, tls: off, mode: compare}"
    )
    load = "mode: upsert, deletes: mark"
    house = build(CONTRACT.replace("SOURCE", source).replace("FORMAT", "parquet").replace("mode: upsert", load))
    put(database, ("A", 1, AT), ("B", 2, AT), ("C", 3, AT))

    def change() -> None:
        database.execute("delete from t where id = 'B'")
        put(database, ("C", 30, AT), ("D", 4, AT))

    assert killed_everywhere(house, change, boundaries, tmp_path / "prepared", deletes=True) >= 20
    assert house.rows("sensor_id, rain_mm, _deleted_at IS NULL AS there") == [
        ("A", 1.0, True), ("B", 2.0, False), ("C", 30.0, True), ("D", 4.0, True),
    ]  # fmt: skip


def test_an_interface(build: Build, contracts: dict[str, str], tmp_path: Path, boundaries: Boundaries) -> None:
    api = Api()
    try:
        source = f"{{connector: http, url: '{api.url}/v1', tls: off, per_second: 1000}}"
        text = contracts["readings"].replace("{connector: files, path: t/f/*}", source)
        house = build(text.replace("{type: csv, encoding: auto}", "{type: ndjson}"))
        rows = [readings(1, 2), [*readings(2, 3), {"编号": "S4", "雨量": "坏"}]]
        api.answer = lambda _: ok(rows[0])

        def change() -> None:
            api.answer = lambda _: ok(rows[1])

        assert killed_everywhere(house, change, boundaries, tmp_path / "prepared") >= 16
        assert house.rows("sensor_id") == [("S1",), ("S2",), ("S3",)]
        assert len(house.rows(table="quarantine")) == 1
    finally:
        api.server.shutdown()
        api.server.server_close()


def test_an_object_store(
    build: Build, contracts: dict[str, str], tmp_path: Path, boundaries: Boundaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S3_KEY", "key")
    monkeypatch.setenv("S3_SECRET", SECRET)
    store = Store()
    try:
        house = build(s3_contract(contracts, store))
        store.put("tax/a.csv", "编号,雨量\nA,1\n")

        def change() -> None:
            store.put("tax/a.csv", "编号,雨量\nA,1\nB,2\n")
            store.put("tax/b.csv", "编号,雨量\nC,3\nD,坏\n")

        assert killed_everywhere(house, change, boundaries, tmp_path / "prepared") >= 24
        assert house.rows("sensor_id") == [("A",), ("B",), ("C",)]
        assert len(house.rows(table="quarantine")) == 1
    finally:
        store.stop()

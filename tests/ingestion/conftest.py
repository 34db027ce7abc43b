"""A small house for each test: contracts of its own over the repository's dictionary and code lists."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from catalog.registry import Catalog, load_catalog
from catalog.settings import Settings
from ingestion.load import ingest
from ingestion.results import LoadResult

NOW = datetime(2026, 8, 1, 4, 0, tzinfo=UTC)

HEAD = """
title: 测试
provider: hotline
catalogue: {code: "2/99-0001", sharing: unconditional, opening: unconditional, update: daily}
source: {connector: files, path: t/f/*}
"""

PEOPLE = (
    HEAD
    + """
format: {type: csv, encoding: auto}
load: {mode: upsert, key: [resident_id], newest_by: updated_at}
fields:
  resident_id: {from: 身份证号, required: true}
  person_name: {from: [姓名, 名字], required: true}
  sex_code: {from: 性别}
  ethnic_code: {from: 民族}
  birth_date: {from: 出生日期, formats: ["%Y/%m/%d", "%Y-%m-%d"]}
  updated_at: {from: 更新时间}
"""
)

READINGS = (
    HEAD
    + """
format: {type: csv, encoding: auto}
load: {mode: append, key: [sensor_id]}
fields:
  sensor_id: {from: 编号, required: true}
  rain_mm: {from: 雨量, required: true}
"""
)


PEOPLE_HEADER = "身份证号,姓名,性别,民族,出生日期,更新时间"


def resident_id(n: int, birth: str = "19800101") -> str:
    """The n-th valid resident ID of Xicheng with that birth date."""
    body = f"110102{birth}{n % 1000:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11]


def person(n: int, **changes: str) -> str:
    """A CSV line of the people contract."""
    row = {
        "身份证号": resident_id(n), "姓名": f"王小{n}", "性别": "女" if n % 2 == 0 else "男", "民族": "汉族",
        "出生日期": "1980/01/01", "更新时间": "2026-07-01 08:00:00", **changes,
    }  # fmt: skip
    return ",".join(row.values())


def own_catalog(root: Path, folder: Path) -> Path:
    """The repository's catalog in ``folder``, where contracts of a new department may be added; links, not copies."""
    (folder / "feeds").mkdir(parents=True)
    for part in (*(root / "catalog").iterdir(), *(root / "catalog" / "feeds").iterdir()):
        if part.is_dir() and part.name not in ("feeds", "__pycache__"):
            (folder / part.relative_to(root / "catalog")).symlink_to(part, target_is_directory=True)
    return folder


@dataclass
class House:
    """One lakehouse with one feed, ``t__f``."""

    settings: Settings
    catalog: Catalog

    feed_id = "t__f"
    header = PEOPLE_HEADER
    person = staticmethod(person)
    resident_id = staticmethod(resident_id)

    def people(self, *numbers: int) -> str:
        """A CSV file of the people contract."""
        return "\n".join([PEOPLE_HEADER, *(person(n) for n in numbers)]) + "\n"

    def drop(self, name: str, content: str | bytes, encoding: str = "utf-8") -> Path:
        """Put a file into the drop folder."""
        path = self.settings.drop / "t" / "f" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    def ingest(self, **options: Any) -> LoadResult:
        """Load what waits; the last result."""
        return self.ingest_all(**options)[-1]

    def ingest_all(self, **options: Any) -> list[LoadResult]:
        results = ingest(self.settings, self.catalog, self.feed_id, **{"now": NOW, **options})
        for r in results:
            assert r.rows_found == r.rows_loaded + r.rows_quarantined + r.rows_skipped, r
        return results

    def send(self, content: str | bytes, name: str = "a.csv", encoding: str = "utf-8", **options: Any) -> LoadResult:
        """Drop one file and load it."""
        self.drop(name, content, encoding)
        return self.ingest(**options)

    def rows(self, columns: str = "*", table: str = "feed", where: str = "true") -> list[tuple[Any, ...]]:
        """Rows of the feed table or its quarantine."""
        path = self.settings.feed_path(self.feed_id) if table == "feed" else self.settings.quarantine_path(self.feed_id)
        return scan(path, columns, where)

    def opened(self, columns: str = "*", where: str = "true") -> list[tuple[Any, ...]]:
        """Rows of the feed table with their direct identifiers from the vault."""
        from warehouse.access import Principal
        from warehouse.delta import exists, scan_sql
        from warehouse.vault import open_rows

        path = self.settings.feed_path(self.feed_id)
        if not exists(path):
            return []
        names = [f.name for f in self.catalog.vaulted(self.feed_id)]
        who = Principal(id="local:test", kind="operator")
        rows = open_rows(self.settings, self.catalog, self.feed_id, names, principal=who, purpose="测试核对").read_all()
        with reader().cursor() as con:
            con.execute("SET TimeZone = 'UTC'")
            con.register("opened", rows.select(["_receipt", "_row_number", *names]))
            both = f"{scan_sql(con, path)} FULL JOIN opened USING (_receipt, _row_number)"
            return con.execute(f"SELECT {columns} FROM {both} WHERE {where} ORDER BY ALL").fetchall()

    def platform(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        """Rows of a platform table."""
        return scan(self.settings.platform_path(table), columns)


@cache
def reader() -> Any:
    """One DuckDB that reads for all tests: making one takes as long as reading a small table."""
    from warehouse.duck import connect

    return connect()


def scan(path: str, columns: str = "*", where: str = "true") -> list[tuple[Any, ...]]:
    """Sorted rows of a Delta table, none when it is not there."""
    from warehouse.delta import exists, scan_sql

    if not exists(path):
        return []
    with reader().cursor() as con:
        con.execute("SET TimeZone = 'UTC'")
        sql = f"SELECT {columns} FROM {scan_sql(con, path)} WHERE {where} ORDER BY ALL"
        return con.execute(sql).fetchall()


@pytest.fixture
def build(tmp_path: Path, root: Path) -> Callable[[str], House]:
    """Make a house whose feed ``t__f`` has the given contract; calling again changes the contract."""

    def make(contract: str) -> House:
        folder = tmp_path / "catalog"
        if not folder.exists():
            for part in ("dictionary", "audit"):
                shutil.copytree(root / "catalog" / part, folder / part)
            for part in ("codes", "grading"):  # forty files that no test changes
                (folder / part).symlink_to(root / "catalog" / part, target_is_directory=True)
        feeds = folder / "feeds" / "t"
        feeds.mkdir(parents=True, exist_ok=True)
        (feeds / "f.yaml").write_text(contract, encoding="utf-8")
        home = tmp_path / "var"
        settings = Settings(home=home, lake=str(home / "lake"), catalog_dir=folder)
        settings.make_dirs()
        return House(settings, load_catalog(folder))

    return make


@pytest.fixture(autouse=True)
def gate(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing Great Expectations costs seconds: only tests that ask for ``real_gate`` pass through it."""
    if "real_gate" in request.fixturenames:
        return
    from ingestion import load
    from ingestion.streams.loader import Loader
    from quality.verdict import GateResult

    def open_gate(*args: Any) -> tuple[str, str, None]:
        staged = args[4]
        return "warned" if staged.rows_quarantined or staged.warned else "passed", "", None

    def open_stream_gate(loader: Any, hour: Any, staged: Any, rules: Any, segment: Any) -> GateResult:
        return GateResult("warned" if staged.rows_quarantined else "passed", (), "", staged.rows_accepted)

    monkeypatch.setattr(load, "_gate", open_gate)
    monkeypatch.setattr(Loader, "_gate", open_stream_gate)


@pytest.fixture
def real_gate() -> None:
    """The gate of Great Expectations as in production."""


@pytest.fixture
def contracts() -> dict[str, str]:
    """Contract texts to change: ``head``, ``people``, ``readings``."""
    return {"head": HEAD, "people": PEOPLE, "readings": READINGS}


@pytest.fixture
def people(build: Callable[[str], House]) -> House:
    return build(PEOPLE)


@pytest.fixture
def readings(build: Callable[[str], House]) -> House:
    return build(READINGS)

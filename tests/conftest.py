"""Fixtures shared by all rooms."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import pytest

from catalog.registry import Catalog, load_catalog
from catalog.settings import Settings

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")

ROOT = Path(__file__).resolve().parent.parent
TOGETHER = ("tests/redteam/",)
"""Folders whose files share a lake that takes a minute to build: one worker runs them all."""
LONGEST = (
    "lakehouse/test_runner.py",
    "lakehouse/test_airflow_up.py",
    "redteam/",
    "dbt_project/test_build.py",
    "demo/test_truth_against_load.py",
    "warehouse/test_dbt_build.py",
    "warehouse/linking/test_linking.py",
    "ingestion/test_sources_database.py",
    "ingestion/test_faults_sources.py",
    "dbt_project/test_legal_entities.py",
    "warehouse/test_publish.py",
    "ingestion/test_faults.py",
    "ingestion/test_crash.py",
    "ingestion/test_new_feed_loads.py",
    "ingestion/test_streams_broker.py",
    "lakehouse/test_grade.py",
    "quality/test_gate.py",
    "warehouse/test_grade_check.py",
    "dbt_project/test_quality_marts.py",
    "dbt_project/test_base_map.py",
    "ingestion/test_ugly_files.py",
    "warehouse/test_query.py",
)
"""What takes longest starts first: the last one running alone would leave the other cores without work."""

# the platform's modules and models live as long as the process; looking through them every 700 objects costs a tenth
gc.set_threshold(50_000, 20, 100)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, all others in their order."""

    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(ROOT / "tests").as_posix()
        return next((i for i, name in enumerate(LONGEST) if path.startswith(name)), len(LONGEST))

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Each file to one worker, and files of ``TOGETHER`` to the same."""
    from xdist.scheduler import LoadFileScheduling

    class Files(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", 1)[0]
            return next((folder for folder in TOGETHER if file.startswith(folder)), file)

    return Files(config, log)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real files; they may not be committed, so a checkout elsewhere has none."""
    folder = Path(os.environ.get("LAKEHOUSE_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "MANIFEST.md").exists():
        pytest.skip("the real files are not here (licences forbid committing them); set LAKEHOUSE_SHARED_DATA")
    return folder


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load_catalog(ROOT / "catalog")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A lakehouse of its own for each test."""
    made = Settings(home=tmp_path / "var", lake=str(tmp_path / "var" / "lake"))
    made.make_dirs()
    return made

"""Fixtures shared by all rooms."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from catalog.registry import Catalog, load_catalog
from catalog.settings import Settings

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")

ROOT = Path(__file__).resolve().parent.parent
LONGEST = (
    "lakehouse/test_airflow_up.py",
    "lakehouse/test_runner.py",
    "ingestion/test_sources_database.py",
    "dbt_project/test_build.py",
    "demo/test_scorecard_recall.py",
)
"""Files of minutes, which start first: the last one running alone would leave the other cores without work."""

# the platform's modules and models live as long as the process; looking through them every 700 objects costs a tenth
gc.set_threshold(50_000, 20, 100)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, all others in their order."""
    place = {str(ROOT / "tests" / name): i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(str(item.path), len(place)))


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

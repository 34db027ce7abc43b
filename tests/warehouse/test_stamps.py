"""Stamps tell which feeds changed since a layer was built, whoever changed them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from catalog.registry import Catalog
from catalog.settings import Settings
from warehouse.maintenance import SMALL_FILES, maintain
from warehouse.stamps import Stamps, last_change

LAYER = "build.libraries"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "a.sql").write_text("select 1")
    for name in ("macros", "seeds", "tests"):
        (folder / name).mkdir()
    (folder / "dbt_project.yml").write_text("name: x")
    return folder


@pytest.fixture
def stamps(settings: Settings, catalog: Catalog, project: Path) -> Stamps:
    return Stamps(settings, catalog, project=project)


def _load(settings: Settings, feed: str) -> None:
    write_deltalake(settings.feed_path(feed), pa.table({"n": [1]}), mode="append")


def test_everything_is_new_before_the_first_success(stamps: Stamps) -> None:
    assert stamps.changed(LAYER, stamps.inputs()) is None


def test_nothing_changed(settings: Settings, stamps: Stamps) -> None:
    _load(settings, "tax__arrears")
    stamps.write(LAYER, stamps.inputs())
    assert stamps.changed(LAYER, stamps.inputs()) == frozenset()


def test_only_the_feed_that_was_loaded(settings: Settings, stamps: Stamps) -> None:
    _load(settings, "tax__arrears")
    stamps.write(LAYER, stamps.inputs())
    _load(settings, "tax__arrears")
    _load(settings, "water__rain_gauges")
    assert stamps.changed(LAYER, stamps.inputs()) == {"tax__arrears", "water__rain_gauges"}
    assert stamps.changed("build.marts", stamps.inputs()) is None, "each layer has its own stamp"


def test_rows_that_arrive_during_a_build_count_as_new(settings: Settings, stamps: Stamps) -> None:
    before = stamps.inputs()
    _load(settings, "tax__arrears")
    stamps.write(LAYER, before)
    assert stamps.changed(LAYER, stamps.inputs()) == {"tax__arrears"}


def test_an_edited_model_means_everything(stamps: Stamps, project: Path) -> None:
    stamps.write(LAYER, stamps.inputs())
    (project / "models" / "a.sql").write_text("select 2")
    assert stamps.changed(LAYER, stamps.inputs()) is None


def test_compaction_is_no_change_of_rows(settings: Settings, stamps: Stamps) -> None:
    for _ in range(SMALL_FILES + 1):
        _load(settings, "tax__arrears")
    stamps.write(LAYER, stamps.inputs())
    path = settings.feed_path("tax__arrears")
    before = DeltaTable(path).version()
    maintain(settings)
    assert DeltaTable(path).version() > before
    assert last_change(path) == before
    assert stamps.changed(LAYER, stamps.inputs()) == frozenset()

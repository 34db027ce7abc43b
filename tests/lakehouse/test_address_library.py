"""The address commands see what feeds hold: a library older than its feeds is built before it is asked."""

from __future__ import annotations

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from catalog.errors import UnknownName
from catalog.settings import Settings
from lakehouse.address_library import fresh_matcher, is_stale
from warehouse.addresses.library import AREAS, STANDARDS
from warehouse.dbt_build import BuildFailed


def _write(path: str) -> None:
    write_deltalake(path, pa.table({"a": ["x"]}), mode="overwrite")


def test_the_library_is_stale_when_a_feed_came_after_it(settings: Settings) -> None:
    assert not is_stale(settings)
    _write(settings.feed_path("education__enrolment_areas"))
    assert is_stale(settings)
    _write(settings.table_path(*STANDARDS))
    assert is_stale(settings), "one of the two tables is missing"
    _write(settings.table_path(*AREAS))
    assert not is_stale(settings)
    _write(settings.feed_path("planning__residential_compounds"))
    assert is_stale(settings)


def test_a_stale_library_is_built_and_a_failed_build_is_said(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    with pytest.raises(UnknownName, match="empty"):
        fresh_matcher(settings, answer_from=None, note=notes.append)
    assert notes == []

    class Failed:
        ok = False

    _write(settings.feed_path("education__enrolment_areas"))
    monkeypatch.setattr("warehouse.dbt_build.build", lambda *_, **__: Failed())
    with pytest.raises(BuildFailed, match="could not be built"):
        fresh_matcher(settings, answer_from=None, note=notes.append)
    assert len(notes) == 1

"""Care of Delta tables keeps every row and the stated days of history."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from catalog.settings import Settings
from tests.delta_rows import rows_of
from warehouse.maintenance import RETENTION_HOURS, SMALL_FILES, lock_name, maintain
from warehouse.tables import list_tables, table_lock


def _many_files(settings: Settings, name: str = "tax__arrears", files: int = SMALL_FILES + 2) -> str:
    path = settings.feed_path(name)
    for i in range(files):
        write_deltalake(path, pa.table({"n": [i]}), mode="append")
    return path


def test_compacts_and_keeps_rows_and_history(settings: Settings) -> None:
    path = _many_files(settings)
    (care,) = maintain(settings)
    assert (care.table, care.files_before, care.files_after) == ("feed.tax__arrears", SMALL_FILES + 2, 1)
    assert care.files_removed == 0, "files younger than the retention stay"
    assert sorted(rows_of(path)["n"].to_pylist()) == list(range(SMALL_FILES + 2))
    assert rows_of(DeltaTable(path, version=0)).num_rows == 1


def test_a_table_of_few_files_is_not_rewritten(settings: Settings) -> None:
    path = _many_files(settings, files=2)
    before = DeltaTable(path).version()
    maintain(settings)
    assert DeltaTable(path).version() <= before + 2  # vacuum notes its start and end, no data is rewritten
    assert len(DeltaTable(path).file_uris()) == 2


def test_transaction_versions_survive(settings: Settings) -> None:
    from warehouse.delta import commit_once, transaction_version

    path = settings.feed_path("tax__arrears")
    for i in range(SMALL_FILES + 2):
        commit_once(path, pa.table({"n": [i]}), mode="append", app_id="x", version=i)
    maintain(settings)
    assert transaction_version(path, "x") == SMALL_FILES + 1


def test_old_unreferenced_files_go(settings: Settings) -> None:
    path = settings.feed_path("tax__arrears")
    write_deltalake(path, pa.table({"n": [1]}))
    write_deltalake(path, pa.table({"n": [2]}), mode="overwrite")
    old = time.time() - (RETENTION_HOURS + 2) * 3600
    for file in [*Path(path).glob("*.parquet"), *Path(path).glob("_delta_log/*.json")]:
        os.utime(file, (old, old))
    log = Path(path) / "_delta_log" / "00000000000000000001.json"
    log.write_text(_aged(log.read_text(encoding="utf-8"), old), encoding="utf-8")
    (care,) = maintain(settings)
    assert care.files_removed == 1
    assert rows_of(path)["n"].to_pylist() == [2]


def _aged(text: str, seconds: float) -> str:
    import json

    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        for key, name in (("remove", "deletionTimestamp"), ("commitInfo", "timestamp")):
            if key in line:
                line[key][name] = int(seconds * 1000)
    return "".join(json.dumps(line) + "\n" for line in lines)


def test_a_table_being_written_is_left(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    _many_files(settings)
    monkeypatch.setattr("warehouse.maintenance.LOCK_SECONDS", 0.05)
    (ref,) = list_tables(settings)
    with table_lock(settings, lock_name(ref)):
        (care,) = maintain(settings)
    assert care.skipped


def test_history_is_not_cut_below_seven_days(settings: Settings) -> None:
    with pytest.raises(ValueError, match="at least 168"):
        maintain(settings, retention_hours=1)

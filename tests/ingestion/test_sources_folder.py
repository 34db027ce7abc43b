"""Connector ``folder``, and what every connector of files shares: state, rest, names, crashes."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import ContractError, InputError
from ingestion.landing import receipts_of
from ingestion.sources.listing import check_name
from ingestion.sources.pull import pull
from ingestion.sources.registry import connector_names, connector_of
from ingestion.sources.state import RemoteFile, State, state_folder
from tests.ingestion.conftest import NOW
from tests.ingestion.source_support import LONG_AGO, Killed, kill_at, put, with_source

Build = Callable[[str], Any]


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    folder = tmp_path / "outbox"
    folder.mkdir()
    return folder


@pytest.fixture
def house(build: Build, contracts: dict[str, str], outbox: Path) -> Any:
    return build(with_source(contracts["readings"], f"{{connector: folder, folder: {outbox}, pattern: '*.csv'}}"))


def test_files_are_taken_once_and_left_where_they_are(house: Any, outbox: Path) -> None:
    put(outbox / "a.csv", "编号,雨量\nA,1\n")
    put(outbox / "note.txt", "no")
    result = house.ingest()
    assert (result.verdict, result.rows_loaded, result.file) == ("passed", 1, "a.csv")
    assert (outbox / "a.csv").exists()
    assert house.ingest_all() == []
    receipt = receipts_of(house.settings, "t__f")[0]
    assert receipt.source == f"folder:{outbox}/a.csv"
    assert receipt.arrived_at.timestamp() == LONG_AGO


def test_a_corrected_file_is_taken_and_a_touched_one_is_known_by_its_bytes(house: Any, outbox: Path) -> None:
    put(outbox / "a.csv", "编号,雨量\nA,1\n")
    house.ingest()
    put(outbox / "a.csv", "编号,雨量\nA,1\nB,2\n", LONG_AGO + 1)
    assert house.ingest().rows_loaded == 1
    put(outbox / "a.csv", "编号,雨量\nA,1\nB,2\n", LONG_AGO + 2)
    assert house.ingest().verdict == "duplicate"
    assert house.rows("sensor_id") == [("A",), ("B",)]


def test_files_come_in_the_order_they_were_written(house: Any, outbox: Path) -> None:
    for n, name in enumerate(("c.csv", "a.csv", "b.csv")):
        put(outbox / name, f"编号,雨量\n{name},1\n", LONG_AGO + n)
    assert [r.file for r in house.ingest_all()] == ["c.csv", "a.csv", "b.csv"]


def test_a_growing_file_waits_until_it_is_at_rest(house: Any, outbox: Path) -> None:
    put(outbox / "a.csv", "编号,雨量\nA,1\n", NOW.timestamp() - 5)
    put(outbox / "b.csv.part", "编号,雨量\nB,1\n")
    assert house.ingest_all() == []
    assert house.ingest(now=NOW + timedelta(minutes=2)).rows_loaded == 1


def test_a_clock_that_is_ahead_delays_a_file_by_the_settling_time_only(house: Any, outbox: Path) -> None:
    put(outbox / "a.csv", "编号,雨量\nA,1\n", NOW.timestamp() + 3600)
    assert house.ingest_all() == []
    result = house.ingest(now=NOW + timedelta(seconds=61))
    assert result.rows_loaded == 1
    assert receipts_of(house.settings, "t__f")[0].arrived_at <= NOW + timedelta(seconds=61)


def test_a_file_that_changes_while_it_is_copied_is_left_for_later(
    house: Any, outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingestion.connectors.folder import LocalFolder

    path = put(outbox / "a.csv", "编号,雨量\nA,1\n")
    real = LocalFolder.fetch

    def meanwhile(self: LocalFolder, file: RemoteFile, target: Path) -> None:
        real(self, file, target)
        put(path, "编号,雨量\nA,1\nB,2\n", LONG_AGO + 1)

    monkeypatch.setattr(LocalFolder, "fetch", meanwhile)
    assert house.ingest_all() == []
    monkeypatch.setattr(LocalFolder, "fetch", real)
    assert house.ingest().rows_loaded == 2


def test_a_done_marker_is_waited_for(build: Build, contracts: dict[str, str], outbox: Path) -> None:
    source = f"{{connector: folder, folder: {outbox}, pattern: '*.csv', done_marker: .ok}}"
    house = build(with_source(contracts["readings"], source))
    put(outbox / "a.csv", "编号,雨量\nA,1\n")
    assert house.ingest_all() == []
    put(outbox / "a.csv.ok", "")
    assert [r.file for r in house.ingest_all()] == ["a.csv"]


def test_links_are_not_followed_and_folders_only_when_asked(
    build: Build, contracts: dict[str, str], outbox: Path, tmp_path: Path
) -> None:
    secret = put(tmp_path / "elsewhere.csv", "编号,雨量\nS,1\n")
    (outbox / "link.csv").symlink_to(secret)
    put(outbox / "2026" / "a.csv", "编号,雨量\nA,1\n")
    house = build(with_source(contracts["readings"], f"{{connector: folder, folder: {outbox}}}"))
    assert house.ingest_all() == []
    house = build(with_source(contracts["readings"], f"{{connector: folder, folder: {outbox}, recursive: true}}"))
    assert [r.file for r in house.ingest_all()] == ["a.csv"]


def test_a_hostile_name_is_refused_and_the_others_go_on(house: Any, outbox: Path) -> None:
    put(outbox / "a\\..\\..\\b.csv", "编号,雨量\nB,1\n")
    put(outbox / "a.csv", "编号,雨量\nA,1\n")
    results = house.ingest_all()
    assert [(r.verdict, r.rows_loaded) for r in results] == [("passed", 1), ("stopped", 0)]
    assert "leads out of its folder" in results[1].message


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/passwd", "a//b", "a\nb", "a\\b", "..", "", "a\x00b", "\udce9"]
)
def test_names_that_no_honest_source_gives(name: str) -> None:
    with pytest.raises(InputError):
        check_name(name)


@pytest.mark.parametrize("name", ["a.csv", "2026/七月/甲 乙.csv", "..a", "a..b.csv"])
def test_names_that_are_well(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "step", ["pull.fetched", "land.copied", "land.receipt_written", "land.kept", "pull.landed", "pull.remembered"]
)
def test_killed_between_fetch_and_memory_nothing_is_lost_or_doubled(house: Any, outbox: Path, step: str) -> None:
    put(outbox / "a.csv", "编号,雨量\nA,1\n")
    with pytest.raises(Killed):
        house.ingest(checkpoint=kill_at(step))
    house.ingest_all()
    assert house.rows("sensor_id") == [("A",)]
    assert house.ingest_all() == []
    assert len([r for r in receipts_of(house.settings, "t__f") if not r.duplicate_of]) == 1


def test_a_folder_that_is_not_mounted_is_said_and_comes_back(house: Any, outbox: Path) -> None:
    outbox.rmdir()
    result = house.ingest()
    assert (result.verdict, result.receipt, result.error["error"]) == ("stopped", "", "LH211")
    put(outbox / "a.csv", "编号,雨量\nA,1\n")
    assert house.ingest().rows_loaded == 1


def test_the_lakehouse_does_not_feed_on_itself(build: Build, contracts: dict[str, str], tmp_path: Path) -> None:
    house = build(with_source(contracts["readings"], f"{{connector: folder, folder: {tmp_path / 'var' / 'keys'}}}"))
    assert "may not contain" in house.ingest().message


def test_a_file_over_the_limit_is_refused(build: Build, contracts: dict[str, str], outbox: Path) -> None:
    house = build(with_source(contracts["readings"], f"{{connector: folder, folder: {outbox}, max_mb: 1}}"))
    put(outbox / "a.csv", "编号,雨量\n" + "A,1\n" * 400_000)
    assert "larger than 1 MB" in house.ingest().message


def _many(count: int) -> Iterator[RemoteFile]:
    return (RemoteFile(f"{n:06d}-{'x' * 200}.csv", 10, n) for n in range(count))


@pytest.mark.slow
def test_a_listing_of_any_length_is_not_held_in_memory(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with State(tmp_path / "s") as state:
        assert state.note_listing(_many(40_000), NOW) == 40_000
        untaken = state.untaken()
        assert next(untaken)[0].mtime_ns == 0
        assert sum(1 for _ in untaken) == 39_999
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mb < 25, grown_mb  # the names alone are over 20 MB as Python strings with their rows


@pytest.mark.slow
def test_ten_thousand_known_files_cost_little(house: Any, outbox: Path) -> None:
    folder = state_folder(house.settings.home, "t__f")
    with State(folder) as state:
        for n in range(10_000):
            path = outbox / f"{n:05d}.csv"
            path.touch()
            os.utime(path, (LONG_AGO, LONG_AGO))
        state._db.execute("BEGIN")
        state._db.executemany(
            "INSERT INTO seen VALUES (?, 0, ?, '', 's', 'r', 't')",
            ((f"{n:05d}.csv", int(LONG_AGO) * 10**9) for n in range(10_000)),
        )
        state._db.execute("COMMIT")
    put(outbox / "new.csv", "编号,雨量\nA,1\n")
    started = time.process_time()
    pulled = pull(house.settings, house.catalog, "t__f", now=NOW)
    assert [r.original_name for r in pulled.receipts] == ["new.csv"]
    assert time.process_time() - started < 3


def test_state_is_private(house: Any, outbox: Path) -> None:
    house.ingest_all()
    folder = state_folder(house.settings.home, "t__f")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "state.sqlite").stat().st_mode & 0o777 == 0o600


def test_every_module_is_a_connector_of_its_name() -> None:
    from importlib import import_module

    for name in connector_names():
        assert import_module(f"ingestion.connectors.{name}").CONNECTOR.name == name
    assert {"files", "folder"} <= set(connector_names())


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{connector: foldr, folder: /x}", "did you mean folder?"),
        ("{connector: folder, folder: /x, glob: '*'}", "remove it, or check its spelling"),
        ("{connector: folder}", "add this field"),
        ("{connector: folder, folder: x}", "absolute path"),
        ("{connector: folder, folder: /x, settle_seconds: -1}", "greater than or equal to 0"),
        ("{connector: folder, folder: /x, pattern: a/*.csv}", "base name"),
        ("{connector: folder, path: a/*}", "path belongs to connector files"),
    ],
)
def test_a_wrong_source_is_refused_with_its_line(
    build: Build, contracts: dict[str, str], source: str, said: str
) -> None:
    def read() -> None:
        house = build(with_source(contracts["readings"], source))
        connector_of(house.catalog, house.catalog.feed("t__f"))

    with pytest.raises(ContractError) as caught:
        read()
    assert said in str(caught.value)
    assert caught.value.where["line"] == 5 or "source" in caught.value.where["field"]


def test_files_has_no_other_key(build: Build, contracts: dict[str, str]) -> None:
    with pytest.raises(ContractError, match="remove it"):
        build(with_source(contracts["readings"], "{connector: files, path: t/*, pattern: x}"))

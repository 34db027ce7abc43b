"""A large write begun beside the gate: visible only after the verdict, gone without a trace when refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingestion import early_write, load
from tests.ingestion.test_content import NOTES, notes

pytestmark = pytest.mark.slow

Build = Callable[[str], Any]
GOOD = "编号,雨量\nA,1\nB,2\n"


@pytest.fixture(autouse=True)
def always_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_write, "EARLY_ROWS", 1)


def files(house: Any) -> list[Path]:
    return sorted(Path(house.settings.feed_path(house.feed_id)).rglob("*.parquet"))


@pytest.mark.parametrize("mode", ["append", "upsert", "snapshot"])
def test_every_mode_gives_what_a_late_write_gives(build: Build, contracts: dict[str, str], mode: str) -> None:
    house = build(contracts["readings"].replace("append", mode))
    house.send(GOOD)
    assert house.rows("sensor_id, rain_mm") == [("A", 1.0), ("B", 2.0)]
    house.send("编号,雨量\nB,3\nC,4\n", "b.csv")
    expected = {
        "append": [("A", 1.0), ("B", 2.0), ("C", 4.0)],
        "upsert": [("A", 1.0), ("B", 3.0), ("C", 4.0)],
        "snapshot": [("B", 3.0), ("C", 4.0)],
    }
    assert house.rows("sensor_id, rain_mm") == expected[mode]


def test_nothing_is_visible_while_the_gate_is_asked(readings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def looking_gate(*args: Any) -> tuple[str, str, None]:
        seen.append(readings.rows())
        return "passed", "", None

    monkeypatch.setattr(load, "_gate", looking_gate)
    readings.send(GOOD)
    assert seen == [[]]
    assert len(readings.rows()) == 2


def test_a_stopped_batch_leaves_no_row_and_no_file(readings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    readings.send(GOOD)
    before = files(readings)
    monkeypatch.setattr(load, "_gate", lambda *_: ("stopped", "测试", None))
    result = readings.send("编号,雨量\nC,3\n", "b.csv")
    assert (result.verdict, result.rows_skipped) == ("stopped", 1)
    assert len(readings.rows()) == 2
    assert files(readings) == before


def test_rows_the_content_check_takes_out_are_not_written(build: Build) -> None:
    house = build(NOTES.replace("GRADE", "1"))
    result = house.send(notes(200, 1))
    assert (result.rows_loaded, result.rows_quarantined) == (199, 1)
    assert len(house.rows(where="note = '正常'")) == len(house.rows()) == 199
    assert len(files(house)) == 1, "what was written first is gone"


def test_a_gate_that_breaks_leaves_no_row_and_no_file(readings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(load, "_gate", broken)
        with pytest.raises(RuntimeError):
            readings.send(GOOD)
    assert readings.rows() == []
    assert files(readings) == []
    assert [r.verdict for r in readings.ingest_all()] == ["passed"]
    assert len(readings.rows()) == 2


def test_an_error_of_the_write_comes_out(readings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from warehouse import ahead

    def full(*_: Any, **__: Any) -> bool:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ahead.pq.ParquetWriter, "write_table", full)
        with pytest.raises(OSError, match="no space"):
            readings.send(GOOD)
    assert files(readings) == []
    readings.ingest_all()
    assert len(readings.rows()) == 2

"""Messages to lines, lines to segments, segments to micro-batches: without a broker."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import Busy, ContractError
from ingestion import landing
from ingestion.load import ingest
from ingestion.quarantine import browse, replay
from ingestion.sources.registry import connector_of
from ingestion.streams.loader import Loader, first_free, spool_folder
from ingestion.streams.message import line_of
from ingestion.streams.spool import Spool, sealed
from tests.ingestion.stream_support import NOW, contract, fill, loader, message
from warehouse.tables import table_lock

Build = Callable[[str], Any]
AT = "2026-08-01T04:10:00Z"


@pytest.fixture
def stream(build: Build) -> Any:
    return build(contract())


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"id":1}', '{"mqtt_topic":"t","received_at":"%s","id":1}'),
        (b' {"id":\r\n 1}\n', '{"mqtt_topic":"t","received_at":"%s","id":   1}'),
        (b"{}", '{"mqtt_topic":"t","received_at":"%s"}'),
        ('{"名":"雨"}'.encode(), '{"mqtt_topic":"t","received_at":"%s","名":"雨"}'),
        (b"not json", '["t", "%s", "not json"]'),
        (b"[1, 2]", '["t", "%s", "[1, 2]"]'),
        (b"\xff\xfe{", '["t", "%s", "\\\\xff\\\\xfe{"]'),
        (b"", '["t", "%s", ""]'),
    ],
)
def test_a_message_is_one_line(payload: bytes, expected: str) -> None:
    line = line_of("t", payload, AT, max_bytes=100)
    assert line.decode() == expected.replace("%s", AT) + "\n"
    assert line.count(b"\n") == 1


def test_hostile_topics_and_huge_payloads_stay_inside_their_line() -> None:
    topic = 'a/"},{"id":"x\n\u2028/../../etc'
    assert json.loads(line_of(topic, b'{"id":1}', AT, max_bytes=100))["mqtt_topic"] == topic
    line = line_of("t", b'{"x":"' + b"y" * 5_000_000 + b'"}', AT, max_bytes=1000)
    assert len(line) < 4000
    assert "5000008 bytes, more than 1000; sha256" in line.decode()


def make_spool(folder: Path, **options: Any) -> Spool:
    return Spool(folder, **{"first": 1, "rows": 10, "seconds": 60, "max_bytes": 1000, **options})


def test_a_segment_is_sealed_by_rows_or_age_and_counts_on(tmp_path: Path) -> None:
    clock = [1000.0]
    spool = make_spool(tmp_path / "s", rows=3, seconds=5, clock=lambda: clock[0])
    for line in (b"1\n", b"2\n"):
        spool.append(line)
    assert not spool.seal(), "nothing is synced yet"
    spool.sync()
    assert not spool.seal()
    clock[0] += 5
    assert spool.seal()
    for _ in range(3):
        spool.append(b"x\n")
    spool.sync()
    assert spool.seal()
    assert [(s.number, s.path.read_bytes()) for s in sealed(tmp_path / "s")] == [(1, b"1\n2\n"), (2, b"x\nx\nx\n")]
    later = make_spool(tmp_path / "s", first=2)
    later.append(b"y\n")
    later.sync()
    later.close()
    assert [s.number for s in sealed(tmp_path / "s")] == [1, 2, 3]
    assert not make_spool(tmp_path / "s").full()
    assert make_spool(tmp_path / "s", max_bytes=5).full()


def test_what_a_crash_left_is_cut_after_its_last_whole_line(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "000000000007-20260801T041000Z.part").write_bytes(b"one\ntwo\nthr")
    (folder / "000000000008-20260801T041000Z.part").write_bytes(b"half")
    spool = make_spool(folder)
    assert [(s.number, s.path.read_bytes()) for s in sealed(folder)] == [(7, b"one\ntwo\n")]
    spool.append(b"next\n")
    spool.sync()
    spool.close()
    assert [s.number for s in sealed(folder)] == [7, 8]
    assert not list(folder.glob("*.part"))


def test_rows_reach_the_table_bad_messages_reach_quarantine_with_reasons(stream: Any) -> None:
    good = [message(n) for n in range(20)]
    bad = [
        b"not json", message(100, mm="ERR"), message(101, mm=...), message(102, at=NOW + timedelta(hours=1)),
        message(103, at=NOW - timedelta(hours=25)), message(104, id=...), b"[]", b"\xff\xfe\x00",
    ]  # fmt: skip
    late = message(50, at=NOW - timedelta(hours=23))
    fill(stream, [*good, good[3], *bad, late])
    one = loader(stream)
    assert one.run_once(NOW) == 1
    assert one.rows == {"rows_found": 30, "rows_loaded": 21, "rows_quarantined": 8, "rows_skipped": 1}
    assert sorted(n for (n,) in stream.rows("sequence_number")) == [*range(20), 50]
    reasons = {tuple(r.rules): r.reason for r in browse(stream.settings, stream.catalog, stream.feed_id)}
    assert set(reasons) == {
        ("bad_record",), ("rain_mm.type", "rain_mm.required"), ("rain_mm.required",), ("observed_at.ahead",), ("observed_at.too_late",),
        ("sensor_id.required",),
    }  # fmt: skip
    assert reasons[("observed_at.ahead",)] == "观测时间：晚于接收时间 5 分钟以上，设备时钟有误"
    assert stream.rows("row_number", "quarantine")[0] == (22,), "the records of the hour are counted"


@pytest.mark.slow
def test_repeats_are_known_within_and_across_micro_batches(stream: Any) -> None:
    fill(stream, [message(1), message(2), message(2)])
    loader(stream).run_once(NOW)
    fill(stream, [message(2), message(3, at=NOW - timedelta(hours=3)), message(1)])
    fill(stream, [message(3, at=NOW - timedelta(hours=3)), message(4)])
    loader(stream).run_once(NOW)
    assert sorted(n for (n,) in stream.rows("sequence_number")) == [1, 2, 3, 4]


@pytest.mark.slow
def test_an_hour_is_one_receipt_and_is_handed_over(stream: Any) -> None:
    fill(stream, [message(1), b"bad"])
    fill(stream, [message(2)])
    one = loader(stream)
    one.run_once(NOW)
    receipt = landing.receipts_of(stream.settings, stream.feed_id)[0]
    assert landing.pending(stream.settings, stream.feed_id) == [], "ordinary loads leave an open hour alone"
    assert stream.platform("loads", "rows_found") == []
    fill(stream, [message(3, at=NOW + timedelta(hours=1))], at=NOW + timedelta(hours=1))
    one.run_once(NOW + timedelta(hours=1))
    first, second = landing.receipts_of(stream.settings, stream.feed_id)
    assert stream.platform("loads", "receipt, sequence, verdict, rows_found, rows_loaded, rows_quarantined") == [
        (receipt.id, 1, "warned", 3, 2, 1)
    ]
    kept = gzip.decompress(landing.landed_file(stream.settings, first).read_bytes()).splitlines()
    assert [json.loads(line)["seq"] if line[:1] == b"{" else None for line in kept] == [1, None, 2]
    assert stream.rows("_receipt, _row_number") == sorted([(first.id, 1), (first.id, 3), (second.id, 1)])
    one.run_once(NOW + timedelta(hours=2))
    assert len(stream.platform("loads", "receipt")) == 2
    assert sealed(spool_folder(stream.settings, stream.feed_id)) == []


@pytest.mark.slow
def test_the_kept_file_of_an_hour_loads_again_to_the_same_rows(stream: Any, tmp_path: Path) -> None:
    fill(stream, [message(n) for n in range(5)])
    loader(stream).run_once(NOW, hand_over=True)
    before = stream.rows()
    kept = landing.landed_file(stream.settings, landing.receipts_of(stream.settings, stream.feed_id)[0])
    copy = tmp_path / "again.ndjson.gz"
    copy.write_bytes(kept.read_bytes() + gzip.compress(message(9, received_at=AT, mqtt_topic="t") + b"\n"))
    result = ingest(stream.settings, stream.catalog, stream.feed_id, file=copy, now=NOW)[0]
    assert (result.rows_found, result.rows_loaded, result.skipped) == (6, 1, {"known": 5})
    fill(stream, [message(10)])
    loader(stream).run_once(NOW)
    assert len(stream.rows()) == len(before) + 2, "numbers of segments and of receipts do not mix"


@pytest.mark.slow
def test_rejected_messages_are_replayed_while_the_hour_is_open(build: Build) -> None:
    house = build(contract())
    fill(house, [message(1), message(2, mm="坏")])
    loader(house).run_once(NOW)
    house = build(contract(**{"rain_mm: {from: mm, required: true}": 'rain_mm: {from: mm, null_values: ["坏"]}'}))
    assert replay(house.settings, house.catalog, house.feed_id, now=NOW).rows_loaded == 1
    assert len(house.rows()) == 2


@pytest.mark.slow
def test_what_the_contract_freezes_out_stops_that_message_and_no_other(build: Build) -> None:
    house = build(contract(**{"ignore: [mqtt_topic]": "ignore: [mqtt_topic]\ndrift: {types: freeze}"}))
    fill(house, [message(1), message(2, firmware="9"), message(3, mm="ERR")])
    late = [message(n) for n in range(10, 1100)]
    fill(house, [*late, message(2000, met_late=1)])
    one = loader(house)
    one.run_once(NOW, hand_over=True)
    assert one.rows == {"rows_found": 1094, "rows_loaded": 1091, "rows_quarantined": 3, "rows_skipped": 0}
    assert sorted(house.rows("rules", "quarantine")) == [
        (["rain_mm.type", "rain_mm.required"],), (["unknown_column"],), (["unknown_column"],),
    ]  # fmt: skip
    assert house.platform("loads", "verdict, rows_loaded") == [("warned", 1091)]
    house = build(contract(**{"ignore: [mqtt_topic]": "ignore: [mqtt_topic, firmware, met_late]"}))
    assert replay(house.settings, house.catalog, house.feed_id, now=NOW).rows_loaded == 2
    assert len(house.rows()) == 1093


def test_a_busy_table_is_waited_for(stream: Any) -> None:
    fill(stream, [message(1)])
    with table_lock(stream.settings, stream.feed_id), pytest.raises(Busy):
        loader(stream, lock_timeout=0.1).run_once(NOW)
    assert loader(stream).run_once(NOW) == 1


def test_numbers_go_on_when_the_connector_is_started_over(stream: Any) -> None:
    fill(stream, [message(1)], [message(2)])
    loader(stream).run_once(NOW, hand_over=True)
    assert first_free(stream.settings, stream.feed_id) == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mode: append": "mode: upsert"}, "mode: append"),
        ({"ignore: [mqtt_topic]": ""}, "adds mqtt_topic"),
        ({"ignore: [mqtt_topic]": "  person_name: {from: 姓名}\nignore: [mqtt_topic]"}, "direct identifiers"),
    ],
)
def test_contracts_a_stream_cannot_be_loaded_by(build: Build, changes: dict[str, str], said: str) -> None:
    house = build(contract(**changes))
    with pytest.raises(ContractError, match=said):
        Loader(house.settings, house.catalog, house.feed_id, "", say=lambda _: None)


@pytest.mark.parametrize(
    "wrong",
    ["topics: ['a/#/b']", "topics: ['a+']", "topics: []", r'topics: ["a\u0000"]', "client_id: 'a b'", "user: me",
     "tls: off, ca: file:x", "secret: hunter2", "batch_seconds: 0"],
)  # fmt: skip
def test_keys_of_the_source_are_checked(build: Build, wrong: str) -> None:
    name = wrong.split(":")[0]
    text = contract(more=wrong) if name not in ("topics", "client_id") else contract(more="tls: off")
    if name in ("topics", "client_id"):
        text = text.replace("topics: [t/+/readings]" if name == "topics" else "client_id: lakehouse", wrong)
    house = build(text)
    with pytest.raises(ContractError) as error:
        connector_of(house.catalog, house.catalog.feed(house.feed_id))
    assert "hunter2" not in str(error.value)

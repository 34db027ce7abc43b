"""The collector at a real mosquitto: nothing is lost and nothing comes twice, whatever dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import SourceError
from ingestion.sources.secrets import SecretFault
from ingestion.streams.collect import collect, stream_of
from ingestion.streams.loader import spool_folder
from ingestion.streams.receiver import Access, Receiver
from ingestion.streams.spool import Spool, sealed
from tests.ingestion.mqtt_broker import PASSWORD, USER, Mosquitto, Publisher
from tests.ingestion.source_support import self_signed
from tests.ingestion.stream_support import NOW, contract, fill, loader, message
from tests.ingestion.test_crash import Driver

pytestmark = [pytest.mark.server, pytest.mark.slow]
Build = Callable[[str], Any]
LOADER_STEPS = [
    "stream.begun", "stream.staged", "stream.planned", "stream.quarantined", "stream.committed", "stream.counted",
    "stream.kept", "hour.joined", "hour.logged", "hour.compacted", "hour.closed",
]  # fmt: skip


def needed() -> None:
    if why := Mosquitto.missing():
        pytest.skip(why)


@pytest.fixture(scope="module")
def broker() -> Iterator[Mosquitto]:
    needed()
    made = Mosquitto("max_inflight_messages 100")
    yield made
    made.close()


@pytest.fixture(scope="module")
def driver(root: Path) -> Iterator[Driver]:
    made = Driver(root)
    yield made
    assert made.process.stdin
    made.process.stdin.close()
    made.process.wait(timeout=30)


@pytest.fixture
def house(build: Build, broker: Mosquitto, request: pytest.FixtureRequest) -> Any:
    """A house whose session at the broker is its own; it has subscribed already."""
    made = build(contract(broker.port, **{"client_id: lakehouse": f"client_id: c{abs(hash(request.node.name))}"}))
    take(made)
    return made


def receiver(
    house: Any, *, access: Access | None = None, stop: threading.Event | None = None
) -> tuple[Receiver, Spool]:
    _, params = stream_of(house.catalog, house.feed_id)
    spool = Spool(spool_folder(house.settings, house.feed_id), first=1, rows=50, seconds=0.1, max_bytes=1 << 30)
    return Receiver(params, access or Access(), spool, say=lambda _: None, stop=stop or threading.Event()), spool


def take(house: Any, idle: float = 0.3, **options: Any) -> Receiver:
    """Take what the broker has until it is quiet."""
    one, spool = receiver(house, **options)
    one.run(idle_seconds=idle)
    spool.close()
    return one


def numbers(house: Any) -> list[int]:
    """The sequence numbers in the table, sorted, repeats and all."""
    return sorted(n for (n,) in house.rows("sequence_number"))


def now_message(number: int, **changes: Any) -> bytes:
    from datetime import UTC, datetime

    return message(number, datetime.now(UTC), **changes)


def load(house: Any) -> None:
    from datetime import UTC, datetime

    loader(house).run_once(datetime.now(UTC), hand_over=True)


def test_the_session_keeps_what_came_while_nobody_listened(house: Any, broker: Mosquitto) -> None:
    with Publisher(broker.port) as publisher:
        publisher.send(*(now_message(n) for n in range(150)))
        publisher.send(b"not json", b"x" * 3_000_000, now_message(900), topic="t/über/readings")
        publisher.send(now_message(901), topic="t/../../etc'; drop table x; --/no")
    one = take(house)
    assert (one.received, one.acknowledged) == (153, 153)
    assert take(house).received == 0, "all were acknowledged"
    load(house)
    assert numbers(house) == [*range(150), 900]
    assert house.rows("count(*)", "quarantine") == [(2,)]


def test_a_broker_that_goes_away_is_waited_for(build: Build) -> None:
    needed()
    away = Mosquitto()
    try:
        house = build(contract(away.port))
        stop = threading.Event()
        one, spool = receiver(house, stop=stop)
        thread = threading.Thread(target=one.run)
        thread.start()
        for part in range(3):
            _until(lambda: one.connected)
            with Publisher(away.port) as publisher:
                publisher.send(*(now_message(part * 100 + n) for n in range(100)))
            away.stop()
            _until(lambda: not one.connected)
            away.start()
        _until(lambda: one.connected and one.received >= 300)
        time.sleep(0.3)
        stop.set()
        thread.join(20)
        spool.close()
        load(house)
        assert numbers(house) == list(range(300))
    finally:
        away.close()


def _until(holds: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("step", ["spool.written", "spool.sealing", "spool.sealed"])
def test_killed_while_taking(house: Any, broker: Mosquitto, driver: Driver, step: str) -> None:
    with Publisher(broker.port) as publisher:
        publisher.send(*(now_message(n) for n in range(1100)))
    for _ in range(2):
        assert driver(house, op="stream_take", at=step)["killed"]
    assert driver(house, op="stream_take") == {"killed": False, "code": 0}
    load(house)
    assert numbers(house) == list(range(1100))


def test_killed_at_any_moment_while_taking(house: Any, broker: Mosquitto, driver: Driver) -> None:
    with Publisher(broker.port) as publisher:
        publisher.send(*(now_message(n) for n in range(2000)))
    for after_ms in (20, 35, 50, 70, 90, 120, 150):
        driver(house, op="stream_take", after_ms=after_ms)
    assert driver(house, op="stream_take")["code"] == 0
    load(house)
    assert numbers(house) == list(range(2000))


def test_a_full_disk_loses_nothing(house: Any, broker: Mosquitto, driver: Driver) -> None:
    with Publisher(broker.port) as publisher:
        publisher.send(*(now_message(n) for n in range(300)))
    assert driver(house, op="stream_take", disk_bytes=3000, idle=1.5) == {"killed": False, "code": 0}
    load(house)
    assert numbers(house) == list(range(300))


def test_loads_killed_at_every_step(build: Build, driver: Driver) -> None:
    """Two hours with rejected and repeated messages: the tables and the kept files are those of a clean run."""
    house = build(contract())
    hours = [message(1), message(2), b"bad", message(2), message(3, mm="ERR")], [message(4, NOW), b"bad", message(1)]
    now = NOW.isoformat()

    def state() -> dict[str, Any]:
        return {
            "feed": house.rows("* EXCLUDE (_receipt, _loaded_at)"),
            "quarantine": house.rows("* EXCLUDE (receipt, quarantined_at)", "quarantine"),
            "loads": house.platform("loads", "verdict, rows_found, rows_loaded, rows_quarantined, rows_skipped, sha256"),
            "spool": [s.number for s in sealed(spool_folder(house.settings, house.feed_id))],
        }  # fmt: skip

    def again() -> None:
        import shutil

        shutil.rmtree(house.settings.home)
        house.settings.make_dirs()
        fill(house, *hours)

    again()
    assert driver(house, op="stream_load", now=now)["code"] == 0
    expected = state()
    assert [r[1:5] for r in expected["loads"]] == [(3, 1, 1, 1), (5, 2, 2, 1)]
    for place, step in enumerate(LOADER_STEPS):
        again()
        occurrence = 1 + place % 2
        assert driver(house, op="stream_load", now=now, at=step, occurrence=occurrence)["killed"], step
        assert driver(house, op="stream_load", now=now) == {"killed": False, "code": 0}
        assert state() == expected, step


def test_tls_password_and_what_goes_wrong_with_them(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed()
    pair = self_signed(tmp_path)
    server = Mosquitto(tls=pair, password=True)
    try:
        house = build(contract(server.port, f"user: {USER}, secret: env:MQTT_PASSWORD, ca: file:broker_ca"))
        ca = house.settings.keys / "broker_ca"
        ca.write_bytes(pair[0].read_bytes())
        ca.chmod(0o600)
        good = Access(USER, PASSWORD, ca)
        assert take(house, access=good).received == 0
        with pytest.raises(SourceError, match=r"Not authorized|Bad user name") as refused:
            take(house, access=Access(USER, "wrong-secret", ca))
        assert "wrong-secret" not in str(refused.value)
        with pytest.raises(SourceError, match="certificate is not trusted"):
            take(house, access=Access(USER, PASSWORD))
        with pytest.raises(SecretFault, match="no MQTT_PASSWORD"):
            collect(house.settings, house.catalog, house.feed_id, stop=threading.Event(), say=lambda _: None, env={})
    finally:
        server.close()


def test_the_command_killed_and_started_again(build: Build, broker: Mosquitto, root: Path) -> None:
    """``lakehouse collect`` as it is used: two processes, the real gate, SIGKILL in the middle, SIGTERM at the end."""
    house = build(contract(broker.port, **{"client_id: lakehouse": "client_id: command"}))
    env = {**os.environ, **house.settings.as_env()}
    command = [sys.executable, "-m", "lakehouse.cli", "collect", house.feed_id, "--json"]
    take(house)
    with Publisher(broker.port) as publisher:
        first = subprocess.Popen(command, cwd=root, env=env, stdout=subprocess.PIPE)
        publisher.send(*(now_message(n) for n in range(500)))
        _until(lambda: any(spool_folder(house.settings, house.feed_id).iterdir()))
        first.kill()
        first.wait()
        publisher.send(*(now_message(n) for n in range(400, 1000)))
        second = subprocess.Popen(command, cwd=root, env=env, stdout=subprocess.PIPE, text=True)
        _until(lambda: len(house.rows("sequence_number")) >= 1000, 60)
        second.send_signal(signal.SIGTERM)
        out, _ = second.communicate(timeout=60)
    assert second.returncode == 0
    assert json.loads(out)["loader_failures"] == 0
    assert {n for (n,) in house.rows("sequence_number")} == set(range(1000))
    keys = house.rows("sensor_id, observed_at, sequence_number")
    assert len(keys) == len(set(keys))
    assert sum(r[0] for r in house.platform("loads", "rows_loaded")) == len(keys)

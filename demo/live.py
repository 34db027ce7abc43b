"""Messages of the city's sensors: what a gateway kept while its broker was away, and a live publisher.

Every message is a JSON object. In the kept file some devices are stuck, some jump for a single reading and some leave
their range: good messages of bad instruments, which flags must find.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

from demo import rain
from demo.deliveries import Office
from demo.faults import DUPLICATE, Fault, Row, put
from demo.sensing import Device, devices
from demo.world import World
from demo.writers import ndjson_file

FEED = "city_sensing__readings"
HEADER = ("sensor_id", "observed_at", "sequence", "value", "battery_pct", "received_at", "mqtt_topic")
MINUTES = 120
KINDS = ("WL", "NS")
LEVELS = {"WL": 6.0, "NS": 52.0}
"""About what they measure on a dry evening, as the gateway's daily file says too: mm of water, dB(A)."""
STUCK, JUMPING, BEYOND = (1, 11), (4, 17), (7, 20, 33)
"""Places of the faulty instruments among the devices."""


def _moved(name: str, hours: int) -> Fault:
    """A message of a device whose clock is off by so many hours."""

    def change(row: Row, at: dict[str, int], rng: np.random.Generator) -> Row:
        out = row.copy()
        moment = datetime.fromisoformat(json.loads(row[at["observed_at"]])) + timedelta(hours=hours)
        out[at["observed_at"]] = json.dumps(moment.isoformat())
        return out

    return Fault(name, "observed_at", "quarantined", change)


FAULTS: tuple[Fault, ...] = (
    _moved("clock_an_hour_ahead", 1),
    _moved("clock_a_year_behind", -8760),
    put("not_a_number", "value", '"ERR"'),
    put("missing_required", "value", "null"),
    put("sequence_lost", "sequence", "null"),
    DUPLICATE,
)


def topic_of(device_id: str) -> str:
    """Where a device publishes."""
    return f"xicheng/sensing/{device_id}/readings"


def kept_rows(world: World) -> list[Row]:
    """Two hours of the last evening, a message a minute and device; cells are JSON literals."""
    rng = world.rng("live")
    start = datetime(world.as_of.year, world.as_of.month, world.as_of.day, 20, tzinfo=rain.BEIJING) - timedelta(days=1)
    made = [d for d in devices(world) if d.kind.prefix in KINDS]
    values = np.stack([_walk(rng, device, place) for place, device in enumerate(made)], axis=1)
    sequence = rng.integers(1_000, 60_000, len(made))
    delay = rng.uniform(0.2, 4.0, values.shape)
    rows = []
    for minute in range(MINUTES):
        at = start + timedelta(minutes=minute)
        for place, device in enumerate(made):
            arrived = at + timedelta(seconds=float(delay[minute, place]))
            rows.append(
                [
                    json.dumps(device.id), json.dumps(at.isoformat()), str(sequence[place] + minute),
                    f"{values[minute, place]:.1f}", f"{90 - place * 0.5:.1f}",
                    json.dumps(arrived.isoformat(timespec="milliseconds")), json.dumps(topic_of(device.id)),
                ]
            )  # fmt: skip
    return rows


def _walk(rng: np.random.Generator, device: Device, place: int) -> np.ndarray:
    """What a device measures in these hours."""
    level = LEVELS[device.kind.prefix] + np.cumsum(rng.normal(0, 0.4, MINUTES))
    out = np.asarray(np.abs(level + rng.normal(0, 0.8, MINUTES)))  # no water stands below the ground
    if place in STUCK:
        out[30:] = out[30]
    if place in JUMPING:
        out[60] = float(device.kind.high) * 0.95
    if place in BEYOND:
        out[90:100] = float(device.kind.high) + 25
    return out


def as_line(row: Row) -> str:
    """The message as a line of JSON."""
    return "{" + ",".join(f'"{name}":{value}' for name, value in zip(HEADER, row, strict=True)) + "}"


def deliver(office: Office) -> None:
    """Two files of messages that a gateway kept; the second begins with the last minute of the first."""
    rows = kept_rows(office.world)
    half, minute = len(rows) // 2, len(rows) // MINUTES
    for number, part in enumerate((rows[:half], rows[half - minute :]), start=1):
        path, sent, _, _ = office.break_some(
            FEED, f"kept_{office.before}_{number}.ndjson", HEADER, part, FAULTS,
            key=("sensor_id", "observed_at", "sequence"), append=True,
        )  # fmt: skip
        ndjson_file(office.drop, path, (as_line(r) for r in sent))


def messages(world: World, now: Callable[[], datetime]) -> Iterator[tuple[str, bytes]]:
    """Topic and payload of one message after the other, for ever, all devices in turn.

    Args:
        now: clock of the devices (aware).
    """
    rng = world.rng("publisher")
    made = [d for d in devices(world) if d.kind.prefix in KINDS]
    level = {d.id: LEVELS[d.kind.prefix] for d in made}
    sequence = int(now().timestamp() * 1000)
    while True:
        for device in made:
            level[device.id] = abs(level[device.id] + float(rng.normal(0, 0.3)))
            sequence += 1
            said = {
                "sensor_id": device.id, "observed_at": now().astimezone(UTC).isoformat(timespec="milliseconds"),
                "sequence": sequence, "value": round(level[device.id], 1), "battery_pct": 88.0,
            }  # fmt: skip
            yield topic_of(device.id), json.dumps(said).encode()


def publish(
    world: World, *, host: str, port: int, per_second: float, seconds: float,
    now: Callable[[], datetime], wait: Callable[[float], None] = time.sleep,
) -> int:  # fmt: skip
    """Publish live messages to a broker without TLS, QoS 1; how many it has confirmed.

    Raises:
        OSError: the broker cannot be reached.
    """
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion

    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="xicheng-demo-sensors", protocol=paho.MQTTv5)
    client.connect(host, port)
    client.loop_start()
    sent: list[paho.MQTTMessageInfo] = []
    try:
        for topic, payload in messages(world, now):
            if len(sent) >= per_second * seconds:
                break
            sent.append(client.publish(topic, payload, qos=1))
            wait(1 / per_second)
        for each in sent:
            each.wait_for_publish(30)
    finally:
        client.disconnect()
        client.loop_stop()
    return sum(each.is_published() for each in sent)

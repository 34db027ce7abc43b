"""What the tests of streams share: a contract, messages, and the spool filled by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from ingestion.streams.loader import Loader, first_free, spool_folder
from ingestion.streams.message import line_of
from ingestion.streams.spool import Spool

NOW = datetime(2026, 8, 1, 4, 10, tzinfo=UTC)
CONTRACT = """
title: 测试
provider: hotline
catalogue: {code: "2/99-0001", sharing: unconditional, opening: unconditional, update: realtime}
source: {connector: mqtt, host: 127.0.0.1, port: PORT, topics: [t/+/readings], client_id: lakehouse, MORE}
format: {type: ndjson}
load: {mode: append, key: [sensor_id, observed_at, sequence_number]}
fields:
  sensor_id: {from: id, required: true}
  observed_at: {from: at, required: true, rules: [{rule: arrives_within, of: received_at, late_hours: 24, ahead_minutes: 5}]}
  sequence_number: {from: seq, required: true}
  rain_mm: {from: mm, required: true}
  received_at: {from: received_at}
ignore: [mqtt_topic]
"""


def contract(port: int = 1883, more: str = "tls: off, batch_seconds: 0.2", **changes: str) -> str:
    text = CONTRACT.replace("PORT", str(port)).replace("MORE", more)
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


def message(number: int, at: datetime = NOW, **changes: Any) -> bytes:
    """The payload of one reading."""
    said = {"id": f"S{number % 7}", "at": at.isoformat(), "seq": number, "mm": number % 50 / 10, **changes}
    return json.dumps({k: v for k, v in said.items() if v is not ...}).encode()


def fill(house: Any, *segments: list[bytes], at: datetime = NOW) -> None:
    """Seal each list of payloads as a segment, an hour of arrival apart."""
    for place, payloads in enumerate(segments):
        arrived = at + timedelta(hours=place)
        spool = Spool(
            spool_folder(house.settings, house.feed_id), first=first_free(house.settings, house.feed_id), rows=10**6, seconds=3600, max_bytes=1 << 40,
            clock=arrived.timestamp,
        )  # fmt: skip
        stamp = arrived.isoformat().replace("+00:00", "Z")
        for payload in payloads:
            spool.append(line_of("t/a/readings", payload, stamp, max_bytes=4096))
        spool.sync()
        spool.close()


def loader(house: Any, **options: Any) -> Loader:
    return Loader(house.settings, house.catalog, house.feed_id, "mqtt://test", say=lambda _: None, **options)

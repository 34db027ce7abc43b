"""``kafka``: the new messages of a topic, from every partition, as one NDJSON file a pull.

.. code-block:: yaml

    source:
      connector: kafka
      servers: [kafka1.example.gov.cn:9093]
      topic: city.readings
      user: xicheng
      secret: file:kafka
    format: {type: ndjson}

The offsets reached are the cursor of the pull, kept here with the receipt and not at the broker: what was not landed is
read again, what was landed is not.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from catalog.errors import SourceError, SourceUnavailable
from ingestion.sources.base import Fetched, Params, Pull
from ingestion.sources.records import Delivery
from ingestion.sources.secrets import KeyFileName, SecretName, private_file
from ingestion.streams.message import line_of

Tls = Annotated[Literal["verify", "off"], BeforeValidator(lambda v: {True: "verify", False: "off"}.get(v, v))]
Server = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+:\d{1,5}$")]
BATCH = 1000


class KafkaParams(Params):
    """Attributes:
    servers: some of the brokers, host:port.
    user, secret, mechanism: of SASL. tls: ``verify`` or ``off``; ca: file below keys/ with the authority to trust.
    start: where a partition begins that was never read: ``earliest`` or ``latest``.
    max_messages: of one pull; the next goes on from there. max_kb: of a message; a larger one goes to quarantine.
    timeout_seconds: without any answer.
    """

    servers: tuple[Server, ...] = Field(min_length=1)
    topic: str = Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")
    user: str | None = None
    secret: SecretName | None = None
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    tls: Tls = "verify"
    ca: KeyFileName | None = None
    start: Literal["earliest", "latest"] = "earliest"
    max_messages: int = Field(default=1_000_000, ge=1)
    max_kb: int = Field(default=1024, ge=1, le=65_536)
    timeout_seconds: float = Field(default=30, gt=0, le=600)

    @model_validator(mode="after")
    def _together(self) -> KafkaParams:
        if (self.user is None) != (self.secret is None):
            raise ValueError("user and secret go together")
        return self


class Kafka:
    name = "kafka"
    params = KafkaParams
    formats: tuple[str, ...] = ("ndjson",)

    def place(self, params: KafkaParams) -> str:
        return f"kafka://{','.join(params.servers)}/{params.topic}"

    def fetch(self, params: KafkaParams, pull: Pull) -> Iterator[Fetched]:
        """Read every partition from where the last pull came to, to its end, into one file."""
        cursor = pull.state.cursor()
        offsets = {int(k): int(v) for k, v in cursor.get("offsets", {}).items()}
        delivery = Delivery(pull, self.place(params), cursor)
        consumer = _consumer(params, pull)
        try:
            with delivery.path.open("wb") as out:
                for message in _messages(consumer, params, offsets):
                    out.write(_line(message, params))
                    delivery.rows += 1
                    offsets[message.partition()] = message.offset() + 1
                out.flush()
                os.fsync(out.fileno())
        finally:
            consumer.close()
        new = {"offsets": {str(k): v for k, v in sorted(offsets.items())}}
        yield from delivery.fetched(new, always=False, compare=False)


def _consumer(params: KafkaParams, pull: Pull) -> Any:
    from confluent_kafka import Consumer

    settings: dict[str, Any] = {
        "bootstrap.servers": ",".join(params.servers),
        "group.id": f"xicheng-lakehouse-{pull.feed.id}",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
        "socket.timeout.ms": int(params.timeout_seconds * 1000),
        "log_level": 0,
    }
    if params.tls == "verify":
        authority = pull.key_file(params.ca)
        settings |= {"ssl.ca.location": str(private_file(authority))} if authority else {}
    kind = "SASL_" if params.user else ""
    settings["security.protocol"] = kind + ("SSL" if params.tls == "verify" else "PLAINTEXT")
    if params.user:
        settings |= {
            "sasl.mechanism": params.mechanism, "sasl.username": params.user,
            "sasl.password": pull.secret(params.secret),
        }  # fmt: skip
    return Consumer(settings)


def _messages(consumer: Any, params: KafkaParams, offsets: dict[int, int]) -> Iterator[Any]:
    """New messages of all partitions, at most ``max_messages``, until each partition's end was seen."""
    from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, KafkaError, KafkaException, TopicPartition

    try:
        found = consumer.list_topics(params.topic, timeout=params.timeout_seconds).topics[params.topic]
    except KafkaException as e:
        raise _fault(params, e.args[0]) from None
    if found.error is not None or not found.partitions:
        raise SourceError(
            f"there is no topic {params.topic}", hint="check source.topic, and the right to read it",
            servers=",".join(params.servers),
        )  # fmt: skip
    first = OFFSET_BEGINNING if params.start == "earliest" else OFFSET_END
    consumer.assign([TopicPartition(params.topic, p, offsets.get(p, first)) for p in found.partitions])
    waiting, taken = set(found.partitions), 0
    heard = time.monotonic()
    while waiting and taken < params.max_messages:
        for message in consumer.consume(min(BATCH, params.max_messages - taken), 0.5):
            heard = time.monotonic()
            error = message.error()
            if error is None:
                taken += 1
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                waiting.discard(message.partition())
            else:
                raise _fault(params, error)
        if time.monotonic() - heard > params.timeout_seconds:
            raise _unavailable(params, "no answer")


def _line(message: Any, params: KafkaParams) -> bytes:
    kind, at = message.timestamp()
    stamp = datetime.fromtimestamp(at / 1000 if kind else time.time(), UTC).isoformat(timespec="milliseconds")
    more = f',"kafka_partition":{message.partition()},"kafka_offset":{message.offset()}'
    return line_of(
        message.topic(), message.value() or b"", stamp.replace("+00:00", "Z"), max_bytes=params.max_kb << 10,
        key="kafka_topic", more=more,
    )  # fmt: skip


def _fault(params: KafkaParams, error: Any) -> SourceError | SourceUnavailable:
    """``error`` in our words; the client's own text may hold what it was configured with."""
    name = error.name()
    if "AUTO_OFFSET_RESET" in name or "OFFSET_OUT_OF_RANGE" in name:
        return SourceError(
            "the broker no longer has the messages after those read last",
            hint="lost here: ask for a longer retention, then remove the feed's folder below connectors/",
            topic=params.topic,
        )  # fmt: skip
    if "AUTH" in name:
        return SourceError(
            f"the broker refused us: {name}", hint=f"check source.user and {params.secret}", topic=params.topic
        )
    if "UNKNOWN_TOPIC" in name:
        return SourceError(f"there is no topic {params.topic}", hint="check source.topic", topic=params.topic)
    return _unavailable(params, name)


def _unavailable(params: KafkaParams, reason: str) -> SourceUnavailable:
    return SourceUnavailable(
        f"the brokers cannot be reached: {reason}",
        hint="the next pull goes on where this one stopped; check servers and network when it lasts",
        servers=",".join(params.servers),
    )


CONNECTOR = Kafka()

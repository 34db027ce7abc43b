"""``mqtt``: messages of a broker, taken by a collector that runs all the time (``lakehouse collect FEED``).

.. code-block:: yaml

    source:
      connector: mqtt
      host: broker.example.gov.cn
      topics: [xicheng/env/+/readings]
      client_id: xicheng-lakehouse
      user: xicheng
      secret: file:mqtt_broker
      path: city_sensing/readings/*.ndjson   # files of messages that a gateway kept while it was offline
    format: {type: ndjson}
    load: {mode: append, key: [sensor_id, observed_at, sequence_number]}
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ingestion.sources.base import Fetched, Params, Pull
from ingestion.sources.secrets import KeyFileName, SecretName

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _filter(value: str) -> str:
    """A topic filter as MQTT 5.0, 4.7 allows it."""
    parts = value.split("/")
    if not value or len(value.encode()) > 65_535 or _CONTROL.search(value):
        raise ValueError("a topic filter has 1 to 65,535 bytes and no control characters")
    if any("+" in p and p != "+" for p in parts) or any("#" in p and p != "#" for p in parts) or "#" in parts[:-1]:
        raise ValueError("+ stands for a whole level, # for all that follow and last")
    return value


Topic = Annotated[str, AfterValidator(_filter)]
Tls = Annotated[Literal["verify", "off"], BeforeValidator(lambda v: {True: "verify", False: "off"}.get(v, v))]


class MqttParams(Params):
    """Attributes:
    topics: filters, subscribed with QoS 1.
    client_id: names the session at the broker; no two collectors may use one.
    tls: ``verify`` (certificate and host name) or ``off``. ca: file below keys/ with the authority to trust.
    certificate, key: files below keys/ that show the broker who we are.
    version: of the protocol. session_hours: how long the broker keeps messages for us while we are away (MQTT 5; with
        3.1.1 the broker's own setting decides).
    inflight: messages the broker may send before it waits for an acknowledgement.
    batch_seconds, batch_rows: a micro-batch is loaded at the first of both.
    max_kb: of a message; of a larger one the beginning goes to quarantine.
    max_spool_mb: kept for a loader that lags; then no more is taken from the broker.
    """

    host: str = Field(pattern=r"^[A-Za-z0-9.:_-]+$")
    port: int = Field(default=8883, ge=1, le=65_535)
    topics: tuple[Topic, ...] = Field(min_length=1)
    client_id: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    user: str | None = None
    secret: SecretName | None = None
    tls: Tls = "verify"
    ca: KeyFileName | None = None
    certificate: KeyFileName | None = None
    key: KeyFileName | None = None
    version: Literal["5", "3.1.1"] = "5"
    keep_alive_seconds: int = Field(default=60, ge=5, le=3600)
    timeout_seconds: float = Field(default=15, gt=0, le=120)
    session_hours: float = Field(default=72, gt=0, le=24 * 365)
    inflight: int = Field(default=1000, ge=1, le=65_535)
    batch_seconds: float = Field(default=2, ge=0.2, le=3600)
    batch_rows: int = Field(default=50_000, ge=1, le=1_000_000)
    max_kb: int = Field(default=256, ge=1, le=65_536)
    max_spool_mb: int = Field(default=4096, ge=1)

    @model_validator(mode="after")
    def _together(self) -> MqttParams:
        if (self.user is None) != (self.secret is None):
            raise ValueError("user and secret go together")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        if self.tls == "off" and (self.ca or self.certificate):
            raise ValueError("ca and certificate are of no use with tls: off")
        return self


class Mqtt:
    name = "mqtt"
    params = MqttParams
    formats: tuple[str, ...] = ("ndjson",)

    def place(self, params: MqttParams) -> str:
        scheme = "mqtt" if params.tls == "off" else "mqtts"
        return f"{scheme}://{params.host}:{params.port}/{', '.join(params.topics)}"

    def fetch(self, params: MqttParams, pull: Pull) -> Iterator[Fetched]:
        """Nothing: `ingestion.streams.collect` takes the messages; files of messages are dropped."""
        nothing: list[Any] = []
        yield from nothing


CONNECTOR = Mqtt()

"""Takes messages from the broker: into the spool, to disk, and only then acknowledged.

One thread does all. While messages stream in they are gathered; when the line is quiet for a moment, or many are
gathered, they are synced in one go and acknowledged one by one. A cut line, a full disk or a
killed process leaves messages unacknowledged, and the broker sends them again to the same session.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from catalog.errors import SourceError, SourceUnavailable
from ingestion.sources.retry import pause_seconds
from ingestion.sources.secrets import private_file
from ingestion.streams.message import line_of
from ingestion.streams.spool import Spool, SpoolFault

if TYPE_CHECKING:
    from ingestion.connectors.mqtt import MqttParams

GATHER = 500
"""Messages that are synced at once at the latest."""
QUIET_SECONDS = 0.001
"""A line that brings nothing for so long is quiet."""
IDLE_SECONDS = 0.2
LOOK_SECONDS = 1.0
"""How often the spool's size is looked at."""
REFUSED = frozenset({"Bad user name or password", "Not authorized", "Client identifier not valid", "Banned"})


@dataclass(frozen=True)
class Access:
    """What opens the broker: user, password, and files below keys/ (checked when the line is opened)."""

    user: str | None = None
    password: str | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class Receiver:
    """One session at one broker.

    Args:
        say: a line for people.
        stop: ends `run` soon after it is set.
        clock: seconds of 1970.

    Attributes:
        received: messages taken since the start; acknowledged: those the broker was told of.
        connected: whether the line is open.
    """

    def __init__(
        self, params: MqttParams, access: Access, spool: Spool, *, say: Callable[[str], None], stop: Event,
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._params, self._access, self._spool = params, access, spool
        self._say, self._stop, self._clock = say, stop, clock
        self._client: Any = None
        self._unacknowledged: list[int] = []
        self._answer = ""
        self._max_bytes = params.max_kb << 10
        self._second = 0
        self._stamp = ""
        self.received = self.acknowledged = 0
        self.connected = False
        self._last_at = 0.0
        self._lost = False

    def run(self, *, idle_seconds: float | None = None) -> None:
        """Take messages until stopped, or until none came for ``idle_seconds``.

        Raises:
            SourceError: the broker refuses us for good (credentials, certificate). An outage is waited out.
        """
        failures = 0
        while not self._stop.is_set():
            try:
                self._connect()
                failures = 0
                if self._serve(idle_seconds):
                    return
            except (SourceUnavailable, SpoolFault) as e:
                failures += 1
                self._say(f"{e}; trying again")
            finally:
                self._disconnect()
            self._spool.seal()
            self._stop.wait(pause_seconds(max(1, failures)))

    def _serve(self, idle_seconds: float | None) -> bool:
        """Take messages while the line is open; True when idle or stopped."""
        looked = 0.0
        self._last_at = self._clock()
        while not self._stop.is_set():
            gathered = self._spool.waiting
            self._turn(QUIET_SECONDS if gathered else IDLE_SECONDS)
            if self._spool.waiting == gathered or self._spool.waiting >= GATHER:
                self._keep()
            now = self._clock()
            if now - looked >= LOOK_SECONDS:
                looked = now
                if self._spool.full():
                    raise SpoolFault("the spool is full: the loader lags", hint="see what it says; nothing is lost")
            if idle_seconds is not None and now - self._last_at >= idle_seconds and not self._spool.waiting:
                self._spool.seal(now=True)
                return True
        self._keep()
        return True

    def _keep(self) -> None:
        """Sync what was gathered, tell the broker, and hand the segment over when it is due."""
        if self._spool.waiting:
            self._spool.sync()
            for number in self._unacknowledged:
                self._client.ack(number, 1)
            self.acknowledged += len(self._unacknowledged)
            self._unacknowledged.clear()
        self._spool.seal()

    def _turn(self, seconds: float) -> None:
        """Read or write what the line has ready."""
        code = self._client.loop(timeout=seconds)
        if code != 0 or self._lost:
            raise self._unavailable("the connection was lost")

    def _on_message(self, client: Any, userdata: Any, message: Any) -> None:
        now = self._clock()
        if int(now * 1000) != self._second:
            self._second = int(now * 1000)
            self._stamp = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.received += 1
        self._last_at = now
        topic = _topic(message)
        self._spool.append(line_of(topic, message.payload, self._stamp, max_bytes=self._max_bytes))
        if message.qos:
            self._unacknowledged.append(message.mid)

    def _connect(self) -> None:
        import paho.mqtt.client as paho
        from paho.mqtt.enums import CallbackAPIVersion
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        logging.getLogger("paho").setLevel(logging.WARNING)
        p, five = self._params, self._params.version == "5"
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=p.client_id, protocol=paho.MQTTv5 if five else paho.MQTTv311,
            clean_session=None if five else False, manual_ack=True, reconnect_on_failure=False,
        )  # fmt: skip
        client.connect_timeout = p.timeout_seconds
        if self._access.user is not None:
            client.username_pw_set(self._access.user, self._access.password)
        if p.tls != "off":
            client.tls_set_context(self._context())
        client.on_message, client.on_connect, client.on_disconnect = self._on_message, self._on_connect, self._on_end
        client.on_subscribe = self._on_subscribe
        options: dict[str, Any] = {}
        if five:
            wanted = Properties(PacketTypes.CONNECT)
            wanted.SessionExpiryInterval = int(p.session_hours * 3600)
            wanted.ReceiveMaximum = p.inflight
            options = {"clean_start": False, "properties": wanted}
        self._client, self._answer, self._lost = client, "", False
        try:
            client.connect(p.host, p.port, keepalive=p.keep_alive_seconds, **options)
        except ssl.SSLError as e:
            raise self._untrusted(e) from None
        except OSError as e:
            raise self._unavailable(e.strerror or type(e).__name__) from None
        self._await_answers()

    def _await_answers(self) -> None:
        """Wait for the broker's word on the session and the subscriptions."""
        end = time.monotonic() + self._params.timeout_seconds
        while self._answer != "subscribed":
            if time.monotonic() > end:
                raise self._unavailable("the broker does not answer")
            if self._client.loop(timeout=0.1) != 0 or self._lost or self._answer not in ("", "connected", "subscribed"):
                if self._answer in REFUSED:
                    raise SourceError(
                        f"the broker refused us: {self._answer}", hint="check source.user, source.secret and client_id",
                        host=self._params.host, port=self._params.port,
                    )  # fmt: skip
                raise self._unavailable(self._answer or "the connection was lost")
        self.connected = True
        self._say(f"connected to {self._params.host}:{self._params.port}")

    def _on_connect(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._answer = reason.getName()
            return
        self._answer = "connected"
        client.subscribe([(topic, 1) for topic in self._params.topics])

    def _on_subscribe(self, client: Any, userdata: Any, mid: int, reasons: list[Any], properties: Any) -> None:
        bad = next((r for r in reasons if r.is_failure), None)
        self._answer = bad.getName() if bad is not None else "subscribed"

    def _on_end(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._lost, self.connected = True, False

    def _disconnect(self) -> None:
        """Leave the line; what was gathered and not kept will come again."""
        self._spool.forget()
        self._unacknowledged.clear()
        if self._client is not None:
            self._client.disconnect()
            self._client.loop(timeout=0.01)
        self._client, self.connected = None, False

    def _context(self) -> ssl.SSLContext:
        a = self._access
        context = ssl.create_default_context(cafile=str(private_file(a.ca)) if a.ca else None)
        if a.certificate and a.key:
            context.load_cert_chain(private_file(a.certificate), private_file(a.key))
        return context

    def _untrusted(self, error: ssl.SSLError) -> SourceError | SourceUnavailable:
        if isinstance(error, ssl.SSLCertVerificationError):
            return SourceError(
                "the broker's certificate is not trusted",
                hint="ask the provider for its authority, write it below keys/ and name it in source.ca",
                host=self._params.host, port=self._params.port,
            )  # fmt: skip
        return self._unavailable("no TLS there, or the broker wants a certificate of ours")

    def _unavailable(self, reason: str) -> SourceUnavailable:
        return SourceUnavailable(
            f"the broker cannot be reached: {reason}", hint="check host, port and network when it lasts",
            host=self._params.host, port=self._params.port,
        )  # fmt: skip


def _topic(message: Any) -> str:
    """The topic, or a readable form of one that is not UTF-8."""
    try:
        return str(message.topic)
    except UnicodeDecodeError:
        return str(message._topic.decode("utf-8", "backslashreplace"))

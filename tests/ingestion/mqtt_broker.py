"""A real mosquitto (from Debian) for tests, on 127.0.0.1."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.ingestion.database_servers import free_port, wait_for
from tests.ingestion.debian import Program, program

USER, PASSWORD = "xicheng", "ge'heim:4711"


class Mosquitto:
    """A broker that keeps sessions and messages over restarts.

    Args:
        settings: further lines of its configuration.
        tls: certificate and key to serve with.
        password: whether clients must name `USER` and `PASSWORD`.
    """

    def __init__(self, *settings: str, tls: tuple[Path, Path] | None = None, password: bool = False) -> None:
        found = program("mosquitto", "mosquitto")
        assert isinstance(found, Program), found
        self._program = found
        self.port = free_port()
        self.home = Path(tempfile.mkdtemp(prefix="mqtt-"))
        lines = [
            f"listener {self.port} 127.0.0.1", f"allow_anonymous {str(not password).lower()}",
            "persistence true", f"persistence_location {self.home}/",
            "max_queued_messages 0", *settings,
        ]  # fmt: skip
        if os.geteuid() == 0:
            lines.insert(0, "user root")
        if tls:
            lines += [f"certfile {tls[0]}", f"keyfile {tls[1]}"]
        if password:
            users = self.home / "users"
            self._make_user(users)
            lines.append(f"password_file {users}")
        (self.home / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        self.start()

    @staticmethod
    def missing() -> str | None:
        """Why it cannot run here."""
        found = program("mosquitto", "mosquitto")
        return found if isinstance(found, str) else None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [str(self._program.path), "-c", str(self.home / "mosquitto.conf")],
            env={**os.environ, **self._program.env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(self.port)

    def stop(self, *, hard: bool = False) -> None:
        """End it; ``hard`` by SIGKILL."""
        self.process.kill() if hard else self.process.terminate()
        self.process.wait(20)

    def close(self) -> None:
        if self.process.poll() is None:
            self.stop(hard=True)
        shutil.rmtree(self.home, ignore_errors=True)

    def _make_user(self, users: Path) -> None:
        tool = shutil.which("mosquitto_passwd") or str(next(self._program.root.rglob("mosquitto_passwd")))  # type: ignore[union-attr]
        subprocess.run(
            [tool, "-b", "-c", str(users), USER, PASSWORD], check=True, capture_output=True,
            env={**os.environ, **self._program.env},
        )  # fmt: skip


class Publisher:
    """Publishes with QoS 1 and knows what the broker confirmed."""

    def __init__(self, port: int, client_id: str = "publisher", **options: Any) -> None:
        import paho.mqtt.client as paho
        from paho.mqtt.enums import CallbackAPIVersion

        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5)
        for name, value in options.items():
            getattr(self.client, name)(*value)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def send(self, *payloads: bytes | str, topic: str = "t/a/readings") -> None:
        """Publish and wait until the broker has confirmed every message."""
        sent = [self.client.publish(topic, p, qos=1) for p in payloads]
        for each in sent:
            each.wait_for_publish(20)
        assert all(each.is_published() for each in sent)

"""What the stream benchmark needs besides us: a mosquitto, and a publisher that costs next to nothing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

WINDOW = 4000
"""Messages the publisher sends before it waits for confirmations."""
TOPIC = b"bench/a/readings"


class Broker:
    """A mosquitto of its own on 127.0.0.1; `tests/ingestion/debian.py` fetches it when it is not installed."""

    def __init__(self) -> None:
        from tests.ingestion.debian import Program, program

        found = program("mosquitto", "mosquitto")
        if not isinstance(found, Program):
            raise RuntimeError(found)
        self.home = Path(tempfile.mkdtemp(prefix="bench-mqtt-"))
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = int(s.getsockname()[1])
        user = "user root\n" if os.geteuid() == 0 else ""
        (self.home / "m.conf").write_text(
            f"{user}listener {self.port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
        )
        self.process = subprocess.Popen(
            [str(found.path), "-c", str(self.home / "m.conf")],
            env={**os.environ, **found.env},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.home, ignore_errors=True)


def publish(port: int, rate: int, seconds: float) -> int:
    """Publish ``rate * seconds`` messages with QoS 1, evenly; how many the broker confirmed.

    MQTT 3.1.1 written by hand, packets by the hundred: paho's publisher would need a core for itself.
    """
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05bench")
    assert sock.recv(4)[3] == 0
    total, confirmed, done = int(rate * seconds), 0, threading.Event()
    room = threading.Semaphore(WINDOW)

    def listen() -> None:
        nonlocal confirmed
        rest = 0
        while confirmed < total:
            data = sock.recv(1 << 16)
            if not data:
                break
            whole, rest = divmod(rest + len(data), 4)
            confirmed += whole
            room.release(whole) if whole else None
        done.set()

    threading.Thread(target=listen, daemon=True).start()
    begun, sent = time.perf_counter(), 0
    step = max(1, rate // 50)
    while sent < total:
        n = min(step, total - sent)
        for _ in range(n):
            room.acquire()
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        sock.sendall(b"".join(_packet(k, now) for k in range(sent, sent + n)))
        sent += n
        ahead = begun + sent / rate - time.perf_counter()
        if ahead > 0:
            time.sleep(ahead)
    done.wait(60)
    sock.close()
    return confirmed


def _packet(number: int, now: str) -> bytes:
    said = (
        f'{{"sensor_id":"XC-WL-{number % 1000:04d}","observed_at":"{now}","sequence":{number},'
        f'"value":{number % 500 / 10},"battery_pct":87.5}}'
    )
    body = len(TOPIC).to_bytes(2, "big") + TOPIC + (number % 65_535 + 1).to_bytes(2, "big") + said.encode()
    size = len(body)
    return b"\x32" + (bytes([size]) if size < 128 else bytes([size % 128 | 128, size // 128])) + body


if __name__ == "__main__":
    sys.stdout.write(str(publish(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))))

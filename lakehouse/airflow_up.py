"""``lakehouse up``: Airflow's own standalone mode on 127.0.0.1, as a child that is stopped cleanly."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import TextIO
from urllib.error import URLError
from urllib.request import urlopen

from catalog.errors import Busy, LakehouseError
from catalog.registry import Catalog
from catalog.settings import Settings
from lakehouse import airflow_env
from lakehouse.present import note

START_SECONDS = 180
STOP_SECONDS = 40
COMPONENTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")


class StartFailed(LakehouseError):
    """Airflow ended, or was not healthy in time."""

    code = "LH602"


def up(settings: Settings, catalog: Catalog, *, port: int = airflow_env.PORT) -> int:
    """Run Airflow with all DAGs until Ctrl-C or SIGTERM; the exit code.

    Raises:
        Busy: the port is taken, or another process drives these DAGs.
        StartFailed: with the log to read.
    """
    from dags.index import write_index

    _port_is_free(port)
    lock = airflow_env.sole_driver(settings)
    try:
        write_index(settings, catalog)
        password = airflow_env.ensure_password(settings)
        log = settings.airflow / "logs" / "up.log"
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        note(f"starting Airflow (about 30 s); log: {log}")
        with log.open("a", encoding="utf-8") as stream:
            child = _start(settings, port, stream)
            try:
                _wait_healthy(child, port, log)
                note(f"Airflow: http://127.0.0.1:{port}  user: {airflow_env.USER}  password: in {password}")
                note(f"drop files below {settings.drop}; Ctrl-C stops")
                code = child.wait()
                raise StartFailed("Airflow ended by itself", hint=f"read {log}", exit_code=code)
            except KeyboardInterrupt:
                note("stopping Airflow")
                return 0
            finally:
                _stop(child)
    finally:
        lock.release()


def _start(settings: Settings, port: int, log: TextIO) -> subprocess.Popen[bytes]:
    """Standalone in a process group of its own, so that Ctrl-C reaches it once, through us."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    return subprocess.Popen(
        [sys.executable, "-m", "airflow", "standalone"],
        env={**os.environ, **airflow_env.environment(settings, port=port)},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _wait_healthy(child: subprocess.Popen[bytes], port: int, log: object) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if child.poll() is not None:
            raise StartFailed("Airflow ended while starting", hint=f"read {log}", exit_code=child.returncode)
        with suppress(URLError, OSError, ValueError):
            with urlopen(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=2) as answer:
                health = json.load(answer)
            if all((health.get(c) or {}).get("status") == "healthy" for c in COMPONENTS):
                return
        time.sleep(0.5)
    raise StartFailed(f"Airflow was not healthy after {START_SECONDS} s", hint=f"read {log}", port=port)


def _stop(child: subprocess.Popen[bytes]) -> None:
    """Ask standalone to stop its parts; end the whole group when it does not in time."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            child.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)


def _port_is_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as e:
            raise Busy(f"port {port} of 127.0.0.1 is taken", hint="lakehouse up --port N") from e

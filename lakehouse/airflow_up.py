"""``lakehouse up``: Airflow's four parts on this machine, as children that are stopped cleanly.

Not ``airflow standalone``: that opens two log servers to every network interface. The page reads
task logs from the log folder instead, and nothing listens but the API server on 127.0.0.1.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from urllib.error import URLError
from urllib.request import urlopen

from catalog.errors import Busy, LakehouseError
from catalog.registry import Catalog
from catalog.settings import Settings
from lakehouse import airflow_env
from lakehouse.collectors import Collectors
from lakehouse.present import note

START_SECONDS = 240
STOP_SECONDS = 30
PARTS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
HEALTHY = ("metadatabase", "scheduler", "dag_processor", "triggerer")

MIGRATE = "from catalog.settings import Settings; from lakehouse import airflow_env as e; "
MIGRATE += "s = Settings.from_env(); e.activate(s); e.ensure_database(s)"
"""In a child, so that this process stays small and free of Airflow."""


class AirflowFailed(LakehouseError):
    """A part of Airflow ended, or was not healthy in time."""

    code = "LH602"


def up(settings: Settings, catalog: Catalog, *, port: int = airflow_env.PORT) -> int:
    """Run Airflow with all DAGs until Ctrl-C or SIGTERM; the exit code.

    Raises:
        Busy: the port is taken, or another process drives these DAGs.
        AirflowFailed: with the log to read.
    """
    from dags.index import write_index

    _port_is_free(port)
    lock = airflow_env.sole_driver(settings)
    try:
        write_index(settings, catalog)
        password = airflow_env.ensure_password(settings)
        logs = settings.airflow / "logs"
        logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        note(f"starting Airflow (about 30 s); logs: {logs}")
        with (
            _interruptible(),
            _parts(airflow_env.environment(settings, port=port), logs) as parts,
            Collectors(settings, catalog, logs) as collectors,
        ):
            _wait_healthy(parts, port, logs)
            note(f"Airflow: http://127.0.0.1:{port}  user: {airflow_env.USER}  password: in {password}")
            note(f"drop files below {settings.drop}; Ctrl-C stops")
            while True:
                _all_run(parts, logs)
                collectors.tend()
                time.sleep(1)
    except KeyboardInterrupt:
        note("Airflow is stopped")
        return 0
    finally:
        lock.release()


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends like Ctrl-C; and Ctrl-C does too where a shell started us in the background with it ignored."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _parts(env: dict[str, str], logs: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """The parts by name, each with its log; all are ended on the way out."""
    whole = {**os.environ, **env}
    _migrate(whole, logs)
    parts: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in PARTS.items():
            parts[name] = _start([sys.executable, "-m", "airflow", *command], whole, logs / f"{name}.log")
        yield parts
    finally:
        _stop(list(parts.values()))


def _migrate(env: dict[str, str], logs: Path) -> None:
    code = _start([sys.executable, "-c", MIGRATE], env, logs / "migrate.log").wait()
    if code:
        raise AirflowFailed("Airflow's database could not be made", hint=f"read {logs / 'migrate.log'}", exit_code=code)


def _start(command: list[str], env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """In a process group of its own: Ctrl-C at the terminal reaches it through us only."""
    with log.open("w", encoding="utf-8") as stream:
        return subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_healthy(parts: dict[str, subprocess.Popen[bytes]], port: int, logs: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        _all_run(parts, logs)
        with suppress(URLError, OSError, ValueError):
            with urlopen(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=2) as answer:
                health = json.load(answer)
            if all((health.get(part) or {}).get("status") == "healthy" for part in HEALTHY):
                return
        time.sleep(0.5)
    raise AirflowFailed(f"Airflow was not healthy after {START_SECONDS} s", hint=f"read the logs in {logs}", port=port)


def _all_run(parts: dict[str, subprocess.Popen[bytes]], logs: Path) -> None:
    for name, part in parts.items():
        if part.poll() is not None:
            raise AirflowFailed(
                f"Airflow's {name} ended by itself", hint=f"read {logs / name}.log", exit_code=part.returncode
            )


def _stop(parts: list[subprocess.Popen[bytes]]) -> None:
    """Ask every part to end, running tasks first; end what remains of its group when time is up."""
    for part in parts:
        if part.poll() is None:
            part.terminate()
    end = time.monotonic() + STOP_SECONDS
    for part in parts:
        with suppress(subprocess.TimeoutExpired):
            part.wait(max(0.1, end - time.monotonic()))
        with suppress(ProcessLookupError):
            os.killpg(part.pid, signal.SIGKILL)


def _port_is_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as e:
            raise Busy(f"port {port} of 127.0.0.1 is taken", hint="lakehouse up --port N") from e

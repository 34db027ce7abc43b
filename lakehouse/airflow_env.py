"""The Airflow of one lakehouse: its home, its settings as environment variables, its database.

Everything lies below ``settings.airflow``; no ``airflow.cfg`` is edited by hand. Airflow reads
its settings when it is first imported, so ``activate`` must run before that.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock, Timeout

from catalog.errors import Busy, LakehouseError
from catalog.settings import Settings

USER = "admin"
PORT = 8080


class AirflowAlreadyImported(LakehouseError):
    """This process has imported Airflow with the settings of another lakehouse."""

    code = "LH600"


def dags_folder() -> Path:
    """Folder of the packaged DAG files."""
    spec = find_spec("dags")
    if spec is None or not spec.submodule_search_locations:
        raise LakehouseError("the package `dags` is not installed", hint="install the project: pip install .")
    return Path(next(iter(spec.submodule_search_locations)))


def environment(settings: Settings, *, port: int = PORT) -> dict[str, str]:
    """All environment variables of this lakehouse's Airflow, for this or a child process.

    Secrets (signing keys) are made once and kept in ``secrets.json``, mode 0600.
    """
    home = settings.airflow
    keys = _secrets(home)
    return {
        **settings.as_env(),
        # Airflow's standalone mode calls its parts by the name `airflow`
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder()),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "4",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DEFAULT_TIMEZONE": "Asia/Shanghai",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(password_file(settings)),
        "AIRFLOW__CORE__FERNET_KEY": keys["fernet"],
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": keys["api"],
        "AIRFLOW__API__INSTANCE_NAME": "西城区数据湖仓",
        "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt"],
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "airflow.serialization=WARNING airflow.models.dag=WARNING",
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(home / "logs" / "dag_processor"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "GX_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


def activate(settings: Settings) -> None:
    """Give this process the environment of ``settings``, before Airflow is imported.

    Raises:
        AirflowAlreadyImported: Airflow was imported for another lakehouse in this process.
    """
    env = environment(settings)
    if "airflow.configuration" in sys.modules and os.environ.get("AIRFLOW_HOME") != env["AIRFLOW_HOME"]:
        raise AirflowAlreadyImported(
            "Airflow was imported for another lakehouse in this process",
            hint="use one process a lakehouse",
            airflow_home=os.environ.get("AIRFLOW_HOME"),
        )
    os.environ.update(env)
    quiet()


def quiet() -> None:
    """Keep libraries from filling the screen; Airflow would turn a GX import into hundreds of lines."""
    for name in ("great_expectations", "airflow", "alembic", "httpx", "dbt", "py.warnings", "task"):
        logging.getLogger(name).setLevel(logging.WARNING)


def ensure_database(settings: Settings) -> bool:
    """Create or migrate the metadata database when it is not of this Airflow version (6 s).

    Needs ``activate`` first. Returns whether there was anything to do.
    """
    stamp = settings.airflow / "database.version"
    wanted = version("apache-airflow")
    database = settings.airflow / "airflow.db"
    if database.exists() and stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return False
    from airflow.utils.db import initdb

    initdb()
    database.chmod(0o600)
    stamp.write_text(wanted, encoding="ascii")
    return True


def password_file(settings: Settings) -> Path:
    return settings.airflow / "passwords.json"


def ensure_password(settings: Settings) -> Path:
    """Make the administrator's password once; the file (mode 0600) that holds it."""
    path = password_file(settings)
    if not path.exists():
        _write_private(path, json.dumps({USER: secrets.token_urlsafe(12)}) + "\n")
    return path


def sole_driver(settings: Settings) -> FileLock:
    """The right to drive the DAGs of this lakehouse: held by `run` while it runs and by `up`.

    Raises:
        Busy: another process drives them; two drivers would run each task twice.
    """
    settings.airflow.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = FileLock(settings.airflow / "driver.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as e:
        raise Busy(
            "another `run` or `up` is driving the DAGs of this lakehouse",
            hint="with `up` running, drop files or trigger DAGs on its page; or stop it and try again",
            home=settings.home,
        ) from e
    return lock


def _secrets(home: Path) -> dict[str, str]:
    path = home / "secrets.json"
    if not path.exists():
        from base64 import urlsafe_b64encode

        made = {"jwt": secrets.token_urlsafe(32), "api": secrets.token_urlsafe(32)}
        made["fernet"] = urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii")
        _write_private(path, json.dumps(made) + "\n")
    loaded: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)

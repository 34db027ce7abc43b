"""Airflow's home: everything below the lakehouse, private, quiet, on this machine only."""

from __future__ import annotations

import json
import stat

import pytest

from catalog.errors import Busy
from catalog.settings import Settings
from lakehouse import airflow_env


def test_everything_lies_below_home_and_listens_here_only(settings: Settings) -> None:
    env = airflow_env.environment(settings, port=8123)
    assert env["AIRFLOW_HOME"] == str(settings.airflow)
    assert str(settings.airflow) in env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    assert str(settings.airflow) in env["AIRFLOW__LOGGING__BASE_LOG_FOLDER"]
    assert env["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert env["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:8123"
    assert env["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert env["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] == "False"
    assert env["LAKEHOUSE_HOME"] == str(settings.home)


def test_secrets_are_made_once_and_are_private(settings: Settings) -> None:
    first = airflow_env.environment(settings)
    assert airflow_env.environment(settings) == first
    for path in (settings.airflow / "secrets.json", airflow_env.ensure_password(settings)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.airflow.stat().st_mode) == 0o700
    password = json.loads(airflow_env.ensure_password(settings).read_text())[airflow_env.USER]
    assert len(password) >= 16
    assert password not in json.dumps(first)


def test_two_drivers_of_one_lakehouse_are_refused(settings: Settings) -> None:
    lock = airflow_env.sole_driver(settings)
    try:
        with pytest.raises(Busy, match="another `run` or `up`"):
            airflow_env.sole_driver(settings)
    finally:
        lock.release()
    airflow_env.sole_driver(settings).release()


def test_dags_folder_is_the_packaged_one() -> None:
    assert (airflow_env.dags_folder() / "feeds.py").exists()

"""What the doctor finds, and that it says how to cure it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from catalog.settings import Settings
from warehouse import doctor as room
from warehouse.access import decide, local_operator, record
from warehouse.doctor import Check, doctor
from warehouse.tables import table_lock


def named(settings: Settings, name: str) -> Check:
    (found,) = doctor(settings, only=(name,))
    return found


def test_a_fresh_home_is_well(settings: Settings) -> None:
    found = doctor(settings)
    assert [c for c in found if not c.ok] == []
    assert len(found) == len({c.name for c in found})
    assert not any(c.cure for c in found)


def test_a_home_that_is_not_there_is_well_and_not_made(tmp_path: Path) -> None:
    home = tmp_path / "a" / "b"
    assert all(c.ok for c in doctor(Settings(home=home, lake=str(home / "lake"))))
    assert not home.exists()


def sick(settings: Settings, name: str, word: str) -> None:
    found = named(settings, name)
    assert not found.ok
    assert word in found.detail
    assert found.cure


def test_keys_others_may_read(settings: Settings) -> None:
    key = settings.keys / "pseudonym.key"
    key.write_text("00")
    key.chmod(0o644)
    sick(settings, "keys", "pseudonym.key")
    key.chmod(0o600)
    assert named(settings, "keys").ok
    key.write_text("")
    sick(settings, "keys", "empty")


def test_folders_others_may_read(settings: Settings) -> None:
    settings.home.chmod(0o755)
    settings.keys.chmod(0o755)
    sick(settings, "home", "keys")


def test_a_broken_table(settings: Settings) -> None:
    path = Path(settings.table_path("mart", "hotline", "topics_monthly"))
    write_deltalake(str(path), pa.table({"x": [1]}))
    assert named(settings, "lake").detail == "1 tables"
    log = next((path / "_delta_log").glob("*.json"))
    log.write_text("not json")
    sick(settings, "lake", "hotline.topics_monthly")


def test_a_broken_contract(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "catalog" / "dictionary").mkdir(parents=True)
    (tmp_path / "catalog" / "dictionary" / "departments.yaml").write_text("a: {name: [")
    broken = settings.model_copy(update={"catalog_dir": tmp_path / "catalog"})
    sick(broken, "catalog", "YAML")


def test_a_delivery_that_was_never_loaded(settings: Settings) -> None:
    folder = settings.landing / "tax__arrears" / "r1"
    folder.mkdir(parents=True)
    (folder / "receipt.json").write_text("{}")
    sick(settings, "landings", "tax__arrears")
    (folder / "outcome.json").write_text("{}")
    assert named(settings, "landings").ok


def test_a_release_that_did_not_end(settings: Settings) -> None:
    (settings.releases / "daily_aqi" / ".working").mkdir(parents=True)
    sick(settings, "releases", "daily_aqi")
    with table_lock(settings, "release.daily_aqi"):  # somebody is at it
        assert named(settings, "releases").ok
        assert "release.daily_aqi" in named(settings, "locks").detail


def test_a_changed_audit_log(settings: Settings) -> None:
    record(settings, decide(local_operator(), ["a.b"], "p"))
    assert named(settings, "audit log").ok
    log = settings.home / "audit" / "log.jsonl"
    event = json.loads(log.read_text())
    log.write_text(json.dumps({**event, "actor": "somebody else"}) + "\n")
    sick(settings, "audit log", "faults")


def test_no_space(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "FREE_BYTES", 1 << 60)
    sick(settings, "disk", "GiB free")


def test_packages_are_those_asked_for(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.metadata, "requires", lambda name: ["duckdb>=99", "no-such-package-here"])
    sick(settings, "packages", "no-such-package-here is missing")
    assert "wanted >=99" in named(settings, "packages").detail


def test_an_extension_is_missing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "EXTENSIONS", ("delta", "nothing"))
    sick(settings, "duckdb extensions", "nothing")

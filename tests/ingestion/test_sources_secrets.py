"""Secrets are named, kept private, and never shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from ingestion.sources.secrets import KeyFileName, SecretFault, SecretName, read_secret, scrub


class Named(BaseModel):
    secret: SecretName = "env:X"
    key: KeyFileName = "file:x"


@pytest.mark.parametrize(
    "value", ["hunter2", "env:", "env:1A", "file:../x", "file:/etc/passwd", "file:a/b", "plain:x", ""]
)
def test_what_is_not_a_name_is_refused_without_repeating_it(value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Named(secret=value)
    assert "env:NAME" in caught.value.errors()[0]["msg"]
    assert len(value) < 5 or value not in caught.value.errors()[0]["msg"]


def test_a_key_file_is_a_file() -> None:
    with pytest.raises(ValidationError):
        Named(key="env:KEY")


def test_from_the_environment(tmp_path: Path) -> None:
    assert read_secret(tmp_path, "env:TOKEN", {"TOKEN": "t"}) == "t"
    with pytest.raises(SecretFault, match="no OTHER"):
        read_secret(tmp_path, "env:OTHER", {"TOKEN": "t"})


def test_from_a_file_only_its_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "sftp"
    path.write_text("geheim\n")
    path.chmod(0o644)
    with pytest.raises(SecretFault, match="read by others") as caught:
        read_secret(tmp_path, "file:sftp", {})
    assert "geheim" not in str(caught.value)
    path.chmod(0o600)
    assert read_secret(tmp_path, "file:sftp", {}) == "geheim"
    with pytest.raises(SecretFault, match="no secret file"):
        read_secret(tmp_path, "file:other", {})
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(SecretFault, match="regular file"):
        read_secret(tmp_path, "file:link", {})


def test_scrubbed_in_every_spelling() -> None:
    assert scrub("GET /?k=a%2Bb c\nwith a+b", ["a+b", None]) == "GET /?k=*** c with ***"
    assert len(scrub("x" * 1000, [])) == 300


def test_a_secret_in_a_contract_is_refused_and_not_repeated(
    build: Callable[[str], Any], contracts: dict[str, str]
) -> None:
    from catalog.errors import ContractError
    from ingestion.sources.registry import connector_of

    source = "{connector: sftp, host: h, user: u, folder: out, host_key: ssh-ed25519 AAAA, secret: hunter2}"
    house = build(contracts["readings"].replace("{connector: files, path: t/f/*}", source))
    with pytest.raises(ContractError) as caught:
        connector_of(house.catalog, house.catalog.feed("t__f"))
    assert "hunter2" not in str(caught.value)

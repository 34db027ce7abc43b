"""Sealed values: round trip under both ciphers, and every way in which one must not open."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from quality.cipher import DataKey, Opener, Sealer, sealed_by
from quality.data_keys import DataKeys, KeyErased
from quality.keys import EnvironmentKeyProvider, FileKeyProvider, KeyFault, provider_of

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SECRET = "110102198001010010 王小明"
CIPHERS: tuple[Any, ...] = ("aes-256-gcm", "sm4-gcm")


def key(algorithm: Any = "aes-256-gcm", key_id: str = "00" * 8) -> DataKey:
    return DataKey(key_id, algorithm, bytes(range(32)))


def keys(tmp_path: Path, **options: Any) -> DataKeys:
    return DataKeys(tmp_path / "vault", FileKeyProvider(tmp_path), **options)


@pytest.mark.parametrize("algorithm", CIPHERS)
def test_a_value_opens_as_it_was_sealed(algorithm: Any) -> None:
    made = key(algorithm)
    values = [SECRET.encode(), b"", None, os.urandom(5000)]
    sealed = Sealer(made, "a").seal(values)
    assert Opener(lambda _: made, "a").open(sealed) == values
    assert sealed[2] is None
    assert SECRET.encode() not in (sealed[0] or b"")
    assert sealed_by(sealed[0] or b"") == made.id
    assert len(set(Sealer(made, "a").seal([b"x"] * 100))) == 100, "a nonce each"
    text = Sealer(made, "a").seal_text([SECRET, None])
    assert Opener(lambda _: made, "a").open_text([*text, "{clear}"]) == [SECRET, None, "{clear}"]


@pytest.mark.parametrize("algorithm", CIPHERS)
@pytest.mark.parametrize("place", [0, 1, 9, 20, 21, 30, -1])
def test_a_value_with_one_changed_byte_does_not_open(algorithm: Any, place: int) -> None:
    (sealed,) = Sealer(key(algorithm), "a").seal([SECRET.encode()])
    changed = bytearray(sealed or b"")
    changed[place] ^= 255

    def find(key_id: str) -> DataKey:
        if key_id != "00" * 8:
            raise KeyFault("none of ours")
        return key(algorithm)

    with pytest.raises(KeyFault) as caught:
        Opener(find, "a").open([bytes(changed)])
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("algorithm", CIPHERS)
@pytest.mark.parametrize("length", [0, 1, 8, 9, 12, 21, 30, 36])
def test_a_value_cut_short_does_not_open(algorithm: Any, length: int) -> None:
    (sealed,) = Sealer(key(algorithm), "a").seal([SECRET.encode()])
    with pytest.raises(KeyFault):
        Opener(lambda _: key(algorithm), "a").open([(sealed or b"")[:length]])


@pytest.mark.parametrize("algorithm", CIPHERS)
def test_a_value_moved_to_another_context_does_not_open(algorithm: Any) -> None:
    sealed = Sealer(key(algorithm), "public_security__household").seal([SECRET.encode()])
    with pytest.raises(KeyFault, match="changed, or moved"):
        Opener(lambda _: key(algorithm), "hotline__work_orders").open(sealed)


def test_text_that_is_no_base64_does_not_open() -> None:
    with pytest.raises(KeyFault):
        Opener(lambda _: key(), "a").open_text(["sealed:###"])


def test_a_key_never_shows_itself() -> None:
    assert "0001" not in repr(key())
    with pytest.raises(KeyFault):
        DataKey("00", "aes-256-gcm", b"short")


def test_a_data_key_is_made_once_private_and_wrapped(tmp_path: Path) -> None:
    told: list[tuple[str, str, str]] = []
    made = keys(tmp_path, on_change=lambda *what: told.append(what)).current("a", algorithm=CIPHERS[0], now=NOW)
    again = keys(tmp_path).current("a", algorithm=CIPHERS[0], now=NOW)
    assert made == again
    assert told == [("created", "a", made.id)]
    file = tmp_path / "vault" / "a.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert made.secret.hex() not in file.read_text()
    assert keys(tmp_path).resources() == ["a"]


def test_a_rotated_key_with_old_data(tmp_path: Path) -> None:
    held = keys(tmp_path)
    old = held.current("a", algorithm=CIPHERS[0], now=NOW)
    sealed = Sealer(old, "a").seal([b"old"])
    new = held.rotate("a", algorithm=CIPHERS[0], now=NOW)
    sealed += Sealer(new, "a").seal([b"new"])
    fresh = keys(tmp_path)
    assert fresh.current("a", algorithm=CIPHERS[0], now=NOW).id == new.id != old.id
    assert Opener(lambda i: fresh.find("a", i), "a").open(sealed) == [b"old", b"new"]
    assert fresh.retire("a", now=NOW) == [old.id]
    with pytest.raises(KeyErased, match="erased on 2026-11-22"):
        Opener(lambda i: fresh.find("a", i), "a").open(sealed)


def test_another_cipher_gets_another_key(tmp_path: Path) -> None:
    first = keys(tmp_path).current("a", algorithm="aes-256-gcm", now=NOW)
    second = keys(tmp_path).current("a", algorithm="sm4-gcm", now=NOW)
    assert (first.algorithm, second.algorithm) == CIPHERS
    assert first.id != second.id


def test_a_lost_data_key_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(KeyFault, match="missing while values"):
        keys(tmp_path).current("a", algorithm=CIPHERS[0], now=NOW, create=False)


def test_a_lost_master_key_is_not_replaced(tmp_path: Path) -> None:
    keys(tmp_path).current("a", algorithm=CIPHERS[0], now=NOW)
    (tmp_path / "vault.v1.key").unlink()
    for resource in ("a", "b"):
        with pytest.raises(KeyFault, match="key file is missing"):
            keys(tmp_path).current(resource, algorithm=CIPHERS[0], now=NOW)
    assert not list(tmp_path.glob("vault.v*.key"))


def test_a_wrong_master_key_is_told_apart(tmp_path: Path) -> None:
    keys(tmp_path).current("a", algorithm=CIPHERS[0], now=NOW)
    file = tmp_path / "vault.v1.key"
    file.write_text("ab" * 32)
    with pytest.raises(KeyFault, match="does not belong to this master"):
        keys(tmp_path).current("a", algorithm=CIPHERS[0], now=NOW)


def test_a_data_key_file_readable_by_others_is_refused(tmp_path: Path) -> None:
    keys(tmp_path).current("a", algorithm=CIPHERS[0], now=NOW)
    (tmp_path / "vault" / "a.json").chmod(0o644)
    with pytest.raises(KeyFault, match="read by others"):
        keys(tmp_path).current("a", algorithm=CIPHERS[0], now=NOW)


def test_a_damaged_or_swapped_data_key_file_is_refused(tmp_path: Path) -> None:
    made = keys(tmp_path).current("a", algorithm=CIPHERS[0], now=NOW)
    file = tmp_path / "vault" / "a.json"
    file.with_name("b.json").write_text(file.read_text())
    file.with_name("b.json").chmod(0o600)
    with pytest.raises(KeyFault, match="is of a, not of b"):
        keys(tmp_path).find("b", made.id)
    file.write_text("{")
    with pytest.raises(KeyFault, match="damaged"):
        keys(tmp_path).find("a", made.id)


def test_erased_is_not_corrupt_and_the_next_key_is_another(tmp_path: Path) -> None:
    held = keys(tmp_path)
    made = held.current("a", algorithm=CIPHERS[0], now=NOW)
    assert held.erase("a", now=NOW) == [made.id]
    with pytest.raises(KeyErased, match="destroyed"):
        keys(tmp_path).find("a", made.id)
    assert "wrapped" not in (tmp_path / "vault" / "a.json").read_text()
    assert keys(tmp_path).current("a", algorithm=CIPHERS[0], now=NOW, create=False).id != made.id
    assert held.erase("never", now=NOW) == []


def test_a_new_master_wraps_every_key_again(tmp_path: Path) -> None:
    held = keys(tmp_path)
    made = held.current("a", algorithm=CIPHERS[0], now=NOW)
    FileKeyProvider(tmp_path).rotate("vault")
    assert held.rewrap("a") == 1
    (tmp_path / "vault.v1.key").unlink()
    assert keys(tmp_path).find("a", made.id) == made


def test_a_master_from_the_environment_is_rotated_beside_the_one_before(tmp_path: Path) -> None:
    env = {"LAKEHOUSE_KEY_VAULT": "ab" * 32}
    made = DataKeys(tmp_path, EnvironmentKeyProvider(env)).current("a", algorithm=CIPHERS[0], now=NOW)
    changed = {"LAKEHOUSE_KEY_VAULT": "cd" * 32}
    with pytest.raises(KeyFault, match="another key"):
        DataKeys(tmp_path, EnvironmentKeyProvider(changed)).find("a", made.id)
    both = {**changed, "LAKEHOUSE_KEY_VAULT_PREVIOUS": "ab" * 32}
    assert DataKeys(tmp_path, EnvironmentKeyProvider(both)).rewrap("a") == 1
    assert DataKeys(tmp_path, EnvironmentKeyProvider(changed)).find("a", made.id) == made


class Kms:
    """The shape of a KMS: it wraps by itself and hands out no key."""

    def current(self, name: str) -> str:
        return f"{name}/1"

    def wrap(self, key_id: str, data_key: bytes) -> bytes:
        return bytes(b ^ 0x5A for b in data_key)

    unwrap = wrap


def test_a_kms_is_named_by_its_factory(tmp_path: Path) -> None:
    provider = provider_of(f"{__name__}:Kms", tmp_path)
    made = DataKeys(tmp_path, provider).current("a", algorithm=CIPHERS[0], now=NOW)
    assert DataKeys(tmp_path, Kms()).find("a", made.id) == made
    assert not list(tmp_path.glob("*.key"))
    for wrong in ("nowhere:Kms", f"{__name__}:nothing", ""):
        with pytest.raises(KeyFault, match="no key provider"):
            provider_of(wrong, tmp_path)

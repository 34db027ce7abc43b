"""Keys: made once, private, wrapped and unwrapped under versions, and refused when they are not what they were."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from quality.keys import (
    EnvironmentKeyProvider,
    FileKeyProvider,
    KeyFault,
    KeyProvider,
    key_file,
    key_fingerprint,
    read_key_file,
    write_key_file,
)

KEY = bytes(range(32))


def test_a_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "x.key"
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: key_file(file), range(16)))
    assert made == {read_key_file(file)}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [p.name for p in file.parent.iterdir()] == ["x.key"]
    with pytest.raises(FileExistsError):
        write_key_file(file, KEY)


@pytest.mark.parametrize("fault", ["missing", "open to others", "damaged"])
def test_an_unusable_key_file_is_refused(tmp_path: Path, fault: str) -> None:
    file = tmp_path / "x.key"
    if fault != "missing":
        write_key_file(file, KEY)
    if fault == "open to others":
        file.chmod(0o640)
    if fault == "damaged":
        file.write_text("00ff")
    with pytest.raises(KeyFault) as caught:
        read_key_file(file)
    assert caught.value.hint
    assert KEY.hex() not in str(caught.value)


@pytest.mark.parametrize("kind", ["file", "environment"])
def test_data_keys_are_wrapped_and_unwrapped(tmp_path: Path, kind: str) -> None:
    made: KeyProvider = (
        FileKeyProvider(tmp_path) if kind == "file" else EnvironmentKeyProvider({"LAKEHOUSE_KEY_VAULT": KEY.hex()})
    )
    key_id = made.current("vault")
    wrapped = made.wrap(key_id, KEY)
    assert KEY not in wrapped
    assert made.unwrap(key_id, wrapped) == KEY
    with pytest.raises(KeyFault):
        made.unwrap(key_id, wrapped[:-1] + bytes([wrapped[-1] ^ 1]))


def test_a_rotated_key_still_unwraps_what_it_wrapped(tmp_path: Path) -> None:
    keys = FileKeyProvider(tmp_path)
    first = keys.current("vault")
    wrapped = keys.wrap(first, KEY)
    second = keys.rotate("vault")
    assert (first, second, keys.current("vault")) == ("vault.v1", "vault.v2", "vault.v2")
    assert keys.unwrap(first, wrapped) == KEY
    with pytest.raises(KeyFault, match="does not belong"):
        keys.unwrap(second, wrapped)


def test_another_key_in_the_environment_is_noticed() -> None:
    key_id = EnvironmentKeyProvider({"LAKEHOUSE_KEY_VAULT": KEY.hex()}).current("vault")
    assert key_id == f"vault.{key_fingerprint(KEY)}"
    with pytest.raises(KeyFault, match="another key"):
        EnvironmentKeyProvider({"LAKEHOUSE_KEY_VAULT": KEY[::-1].hex()}).unwrap(key_id, bytes(60))
    with pytest.raises(KeyFault, match="not a key"):
        EnvironmentKeyProvider({}).current("vault")

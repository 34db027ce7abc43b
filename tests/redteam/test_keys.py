"""Attempts on keys: find one, swap one, lose one."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.errors import LakehouseError
from quality.keys import FileKeyProvider, KeyFault
from quality.pseudonym import KEY_FILE, KeyRefused, PseudonymKey, load_key
from warehouse.grants import ClearRequest

SECRET = bytes(range(32))


def test_print_a_key() -> None:
    key = PseudonymKey(SECRET)
    assert SECRET.hex() not in f"{key!r} {key} {vars(PseudonymKey)}"


def test_pickle_a_key_into_a_task() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(PseudonymKey(SECRET))


def test_print_a_request_with_its_passphrase() -> None:
    assert "moat" not in repr(ClearRequest("x", "walks along the moat", "p"))


def test_find_the_key_in_sql_text() -> None:
    import duckdb

    con = duckdb.connect()
    PseudonymKey(SECRET).register(con)
    for sql in ("select * from duckdb_functions()", "select * from duckdb_settings()"):
        assert SECRET.hex() not in str(con.execute(sql).fetchall())


def test_open_with_another_master_key(tmp_path: Path) -> None:
    one, other = FileKeyProvider(tmp_path / "a"), FileKeyProvider(tmp_path / "b")
    wrapped = one.wrap(one.current("m"), SECRET)
    with pytest.raises(KeyFault) as caught:
        other.unwrap(other.current("m"), wrapped)
    assert SECRET.hex() not in str(caught.value)


def test_open_under_the_name_of_another_key(tmp_path: Path) -> None:
    keys = FileKeyProvider(tmp_path)
    first = keys.current("m")
    wrapped = keys.wrap(first, SECRET)
    second = keys.rotate("m")
    (tmp_path / f"{second}.key").write_bytes((tmp_path / f"{first}.key").read_bytes())
    with pytest.raises(KeyFault):
        keys.unwrap(second, wrapped)


def test_read_old_data_after_a_rotation(tmp_path: Path) -> None:
    keys = FileKeyProvider(tmp_path)
    first = keys.current("m")
    wrapped = keys.wrap(first, SECRET)
    assert keys.rotate("m") != first == "m.v1"
    assert keys.unwrap(first, wrapped) == SECRET
    assert keys.current("m") != first


def test_shadow_a_key_by_one_with_the_same_number(tmp_path: Path) -> None:
    keys = FileKeyProvider(tmp_path)
    wrapped = keys.wrap(keys.current("m"), SECRET)
    (tmp_path / "m.v01.key").write_text("00" * 32)
    (tmp_path / "m.v01.key").chmod(0o600)
    assert keys.current("m") == "m.v1"
    assert keys.unwrap("m.v1", wrapped) == SECRET


def test_change_wrapped_bytes(tmp_path: Path) -> None:
    keys = FileKeyProvider(tmp_path)
    wrapped = bytearray(keys.wrap(keys.current("m"), SECRET))
    wrapped[-1] ^= 1
    with pytest.raises(KeyFault):
        keys.unwrap("m.v1", bytes(wrapped))


def test_lose_a_master_key(tmp_path: Path) -> None:
    keys = FileKeyProvider(tmp_path)
    wrapped = keys.wrap(keys.current("m"), SECRET)
    (tmp_path / "m.v1.key").unlink()
    with pytest.raises(KeyFault):
        keys.unwrap("m.v1", wrapped)


def test_open_a_key_to_everybody(tmp_path: Path) -> None:
    load_key(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o644)
    with pytest.raises(KeyRefused, match="open to others"):
        load_key(tmp_path)
    keys = FileKeyProvider(tmp_path)
    (tmp_path / f"{keys.current('m')}.key").chmod(0o640)
    with pytest.raises(KeyFault):
        keys.wrap("m.v1", SECRET)


def test_lose_the_pseudonym_key_and_go_on(tmp_path: Path) -> None:
    with pytest.raises(KeyRefused, match="missing"):
        load_key(tmp_path, create=False)
    assert not (tmp_path / KEY_FILE).exists()


def test_swap_the_pseudonym_key_for_a_short_one(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("00" * 8)
    (tmp_path / KEY_FILE).chmod(0o600)
    with pytest.raises(KeyRefused) as caught:
        load_key(tmp_path)
    assert "0000" not in str(caught.value)


def test_give_a_passphrase_on_the_command_line(root: Path) -> None:
    """Whoever lists processes would read it."""
    done = subprocess.run(
        [sys.executable, "-m", "lakehouse.cli", "sql", "--clear", "--as", "x", "--passphrase", "y", "select 1"],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "No such option" in done.stderr


def test_make_two_keys_with_one_id() -> None:
    ids = {PseudonymKey(bytes([n]) * 32).key_id for n in range(256)}
    assert len(ids) == 256


def test_errors_of_keys_are_ours() -> None:
    assert issubclass(KeyFault, LakehouseError)
    assert issubclass(KeyRefused, LakehouseError)

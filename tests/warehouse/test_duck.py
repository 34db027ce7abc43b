"""Extensions are loaded from installed packages, and only with DuckDB's signature on them."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest

from warehouse import duck, verified


@pytest.fixture
def forged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An extension with one byte changed stands where ``excel`` is looked for."""
    data = bytearray(duck.extension_path("excel").read_bytes())
    data[len(data) // 2] ^= 1
    path = tmp_path / "excel.duckdb_extension"
    path.write_bytes(data)
    monkeypatch.setattr(duck, "extension_path", lambda name: path)
    return path


@pytest.mark.parametrize("house_only", [False, True])
def test_an_extension_that_was_changed_is_not_loaded(forged: Path, house_only: bool) -> None:
    with duck.connect(house_only=house_only) as con, pytest.raises(duckdb.IOException, match=r"(?i)signature"):
        duck.load_extension(con, "excel")


def test_a_file_that_changed_after_it_was_verified_is_verified_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "excel.duckdb_extension"
    data = duck.extension_path("excel").read_bytes()
    path.write_bytes(data)
    monkeypatch.setattr(duck, "extension_path", lambda name: path)
    for _ in range(2):
        with duck.connect(house_only=True) as con:
            duck.load_extension(con, "excel")
    path.unlink()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with duck.connect(house_only=True) as con, pytest.raises(duckdb.IOException):
        duck.load_extension(con, "excel")


def test_other_connections_take_signed_extensions_only() -> None:
    with duck.connect() as con:
        assert con.execute("SELECT current_setting('allow_unsigned_extensions')").fetchone() == (False,)


def test_what_was_verified_is_noted_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "site-packages" / "some.duckdb_extension"
    path.parent.mkdir()
    path.write_bytes(b"1")
    verified.note(path, verified.mark(path), tmp_path)
    assert not verified.is_noted(path, verified.mark(path), tmp_path), "changed just now: a second change may not show"
    settled = _settled(path)
    verified.note(path, settled, tmp_path)
    assert verified.is_noted(path, settled, tmp_path)
    path.write_bytes(b"2")
    os.utime(path, ns=(settled[3], settled[3]))
    assert not verified.is_noted(path, verified.mark(path), tmp_path), "size and time of writing alone are easily kept"


def test_a_note_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "some.duckdb_extension"
    path.write_bytes(b"1")
    settled = _settled(path)
    verified.note(path, settled, tmp_path)
    (tmp_path / verified.NAME).chmod(0o666)
    assert not verified.is_noted(path, settled, tmp_path)
    verified.note(path, settled, tmp_path)
    assert verified.is_noted(path, settled, tmp_path)
    (tmp_path / verified.NAME).write_text("[")
    assert not verified.is_noted(path, settled, tmp_path)


def test_files_outside_the_environment_are_not_noted(tmp_path: Path) -> None:
    path = tmp_path / "some.duckdb_extension"
    path.write_bytes(b"1")
    environment = tmp_path / "env"
    environment.mkdir()
    verified.note(path, _settled(path), environment)
    assert not (environment / verified.NAME).exists()


def _settled(path: Path) -> verified.Mark:
    """The file's mark, as though it had been changed an hour ago; waiting for that would take as long."""
    *rest, changed = verified.mark(path)
    return [*rest, changed - 3600 * 10**9]

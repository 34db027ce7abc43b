"""Extensions are loaded from installed packages, and only with DuckDB's signature on them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from warehouse import duck


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

"""Hashes of whole columns in native code: the same as of hmac, whatever the column looks like, and no sight of the key."""

from __future__ import annotations

import hmac

import pyarrow as pa
import pytest

from quality import native_hash
from quality.native_hash import ColumnHmac
from quality.pseudonym import NATIVE_ROWS, PseudonymKey

SECRET = bytes(range(32))
VALUES = ["11010519491231002X", None, "", "甲", "a" * 200, "11010519491231002X", "\0", None]


def made(secret: bytes = SECRET) -> ColumnHmac:
    padded = secret.ljust(64, b"\0")
    return ColumnHmac(bytes(b ^ 0x36 for b in padded), bytes(b ^ 0x5C for b in padded))


def expected(values: list[str | None]) -> list[str | None]:
    return [None if v is None else hmac.digest(SECRET, v.encode(), "sha256").hex() for v in values]


def test_agrees_with_hmac() -> None:
    first, second = made().hexadecimal([pa.array(VALUES), pa.array(VALUES[::-1])])
    first.validate(full=True)
    assert first.type == pa.string()
    assert first.to_pylist() == expected(VALUES)
    assert second.to_pylist() == expected(VALUES[::-1])


def test_of_a_part_of_a_column_and_of_none() -> None:
    column = pa.array(VALUES * 2).slice(3, 7)
    assert made().hexadecimal([column])[0].to_pylist() == expected((VALUES * 2)[3:10])
    assert made().hexadecimal([pa.array([], pa.string())])[0].to_pylist() == []
    assert made().hexadecimal([pa.nulls(3, pa.string())])[0].to_pylist() == [None] * 3


def test_columns_longer_than_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_hash, "STEP_ROWS", 5)
    values = [None if i % 4 == 1 else f"H{i}" for i in range(23)]
    assert made().hexadecimal([pa.array(values)])[0].to_pylist() == expected(values)


def test_a_pseudonym_is_the_same_whichever_way_it_is_made() -> None:
    key = PseudonymKey(SECRET)
    values = [f"H{i % 1000}" if i % 7 else None for i in range(NATIVE_ROWS)]
    column = pa.array(values)
    native = key.column(column)
    assert native.equals(pa.concat_arrays([key.column(column.slice(0, 50_000)), key.column(column.slice(50_000))]))
    assert key.columns([column], many=True)[0].equals(native)


def test_no_plan_shows_the_key() -> None:
    query = made()._query([pa.array(VALUES)])
    shown = f"{query.logical_plan().display_indent()}{query.optimized_logical_plan()}{query.execution_plan()}".lower()
    assert "sha256" in shown
    padded = SECRET.ljust(64, b"\0")
    for pad in (bytes(b ^ 0x36 for b in padded), bytes(b ^ 0x5C for b in padded)):
        assert pad.hex()[:16] not in shown
        assert ",".join(map(str, pad[:4])) not in shown.replace(" ", "")

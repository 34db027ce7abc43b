"""Pseudonyms: agreement with hmac, one spelling of one person, and a key that shows nowhere."""

from __future__ import annotations

import hmac
import os
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.pseudonym import ALL_DIGITS, DIGITS, NATIVE_ROWS, KeyRefused, PseudonymKey, load_key, pseudonym_sql

SECRET = bytes(range(32))
SPELLINGS = ["11010519491231002X", "11010519491231002x", " 11010519491231002X ", "110105491231002"]


@given(st.text(), st.sampled_from([DIGITS, ALL_DIGITS]))
def test_agrees_with_hmac(text: str, digits: int) -> None:
    if not any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        made = PseudonymKey(SECRET, digits).pseudonym(text)
        assert made == hmac.digest(SECRET, text.encode(), "sha256").hex()[:digits]


def test_a_known_value() -> None:
    """So that a change of the algorithm cannot pass unseen: stored pseudonyms would no longer match."""
    assert (
        PseudonymKey(SECRET).resident_key("11010519491231002X")
        == hmac.digest(SECRET, b"11010519491231002X", "sha256").hex()[:32]
    )
    assert PseudonymKey(SECRET).key_id == "4b62ae50"


def test_duckdb_agrees_and_spellings_meet() -> None:
    key = PseudonymKey(SECRET)
    con = duckdb.connect()
    key.register(con)
    rows = con.execute(
        f"select {pseudonym_sql('v')}, {pseudonym_sql('v', 'other_key')} from (select unnest($1) as v)",
        [[*SPELLINGS, None, "甲"]],
    ).fetchall()
    assert {r[0] for r in rows[:4]} == {key.resident_key(SPELLINGS[0])}
    assert rows[4] == (None, None)
    assert rows[5] == (key.pseudonym("甲"), key.pseudonym("甲"))
    assert len({r[1] for r in rows[:4]}) == 3  # other pseudonyms only lose blanks


def test_a_second_person_of_a_record_joins_the_first_of_another() -> None:
    key = PseudonymKey(SECRET)
    con = duckdb.connect()
    key.register(con)
    sql = f"SELECT {pseudonym_sql('v', 'guardian_resident_key')}, {pseudonym_sql('v', 'certificate_key')} FROM (SELECT ? AS v)"
    for spelling in SPELLINGS:
        guardian, certificate = con.execute(sql, [spelling]).fetchall()[0]
        assert guardian == key.resident_key(SPELLINGS[0])
        assert certificate == key.pseudonym(spelling.strip())


def test_works_on_a_cursor_and_a_file(tmp_path: Path) -> None:
    con = duckdb.connect(str(tmp_path / "t.duckdb"))
    PseudonymKey(SECRET).register(con)
    assert con.cursor().execute(f"select {pseudonym_sql(repr('a'))}").fetchall()


def test_the_key_shows_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys = tmp_path / "keys"
    key = load_key(keys)
    text, _ = (keys / "pseudonym.key").read_text().split()
    con = duckdb.connect()
    key.register(con)
    con.execute("create table t as select 'x' as v")
    con.execute("create table u as select " + pseudonym_sql("v") + " as k from t")
    shown = [
        repr(key),
        str(key),
        str(con.execute("explain analyze select " + pseudonym_sql("v") + " from t").fetchall()),
        str(con.execute("select * from duckdb_functions() where function_name like 'lakehouse%'").fetchall()),
        str(con.execute("select * from duckdb_settings()").fetchall()),
        str(con.execute("select * from u").fetchall()),
        caplog.text,
    ]
    secret = bytes.fromhex(text)
    for where in shown:
        assert text not in where
        assert repr(secret)[2:-1] not in where
        assert "".join(f"\\x{b:02X}" for b in secret) not in where
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    first = load_key(keys)
    path = keys / "pseudonym.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys.stat().st_mode & 0o777 == 0o700
    assert load_key(keys).key_id == first.key_id
    path.chmod(0o640)
    with pytest.raises(KeyRefused, match="open to others"):
        load_key(keys)
    path.chmod(0o600)
    path.write_text("not a key\n")
    with pytest.raises(KeyRefused, match="damaged") as caught:
        load_key(keys)
    assert "not a key" not in str(caught.value)


@pytest.mark.parametrize("rows", [3, NATIVE_ROWS])
def test_the_key_of_a_lake_of_before_goes_on_giving_what_it_gave(tmp_path: Path, rows: int) -> None:
    """Its file says no length; with shorter pseudonyms no table of the lake would join another any more."""
    new = load_key(tmp_path / "new")
    (tmp_path / "old").mkdir(mode=0o700)
    path = tmp_path / "old" / "pseudonym.key"
    path.write_text((tmp_path / "new" / "pseudonym.key").read_text().split()[0] + "\n")
    path.chmod(0o600)
    old = load_key(tmp_path / "old")
    values = pa.array([f"H{i}" for i in range(rows)])
    long, short = old.column(values).to_pylist(), new.column(values).to_pylist()
    assert long[:2] == [old.pseudonym("H0"), old.pseudonym("H1")]
    assert {len(v) for v in long} == {64}
    assert [v[:32] for v in long] == short
    assert old.pseudonym_sm3("甲")[:32] == new.pseudonym_sm3("甲")


@pytest.mark.parametrize("text", ["", "00", f"{'00' * 32} 16", f"{'00' * 32} x", f"{'00' * 32} 32 more"])
def test_a_key_file_that_says_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pseudonym.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyRefused):
        load_key(tmp_path)


def test_a_lost_key_is_not_replaced_silently(tmp_path: Path) -> None:
    with pytest.raises(KeyRefused, match="missing"):
        load_key(tmp_path, create=False)
    assert not list(tmp_path.iterdir())


def test_two_at_once_get_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: load_key(tmp_path).key_id, range(16)))
    assert len(ids) == 1
    assert os.listdir(tmp_path) == ["pseudonym.key"]


@pytest.mark.slow
def test_a_million_values_in_seconds() -> None:
    con = duckdb.connect()
    PseudonymKey(SECRET).register(con)
    con.execute("create table t as select (110102190000000000 + range)::varchar as v from range(1000000)")
    started = time.process_time()
    con.execute("create table u as select " + pseudonym_sql("v") + " as k from t")
    assert time.process_time() - started < 6  # about 1 s of processor time; room for a busy machine
    assert con.execute("select count(distinct k) from u").fetchone() == (1_000_000,)

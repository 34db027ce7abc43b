"""Connectors ``postgresql`` and ``mysql`` against real servers: full, incremental, compared, deletes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import ContractError
from ingestion.landing import landed_file, receipts_of
from ingestion.sources.pull import pull
from ingestion.sources.registry import connector_of
from ingestion.sources.state import State, state_folder
from tests.ingestion.conftest import NOW
from tests.ingestion.database_servers import PASSWORD, MariaDB, PostgreSQL
from tests.ingestion.source_support import Killed, kill_at, self_signed

pytestmark = [pytest.mark.server, pytest.mark.slow]
Build = Callable[[str], Any]

CONTRACT = """
title: 测试
provider: hotline
catalogue: {code: "2/99-0001", sharing: unconditional, opening: unconditional, update: daily}
source: SOURCE
format: {type: FORMAT}
load: {mode: upsert, key: [sensor_id]}
fields:
  sensor_id: {from: id, required: true}
  rain_mm: {from: mm, required: true}
ignore: [changed]
"""


@pytest.fixture(scope="module", params=[PostgreSQL, MariaDB])
def running(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param is MariaDB and (why := MariaDB.missing()):
        pytest.skip(why)
    made = request.param()
    yield made
    made.close()


@pytest.fixture
def db(running: Any) -> Any:
    """The server with an empty table ``t (id, mm, changed)`` that ``reader`` may read."""
    running.execute("drop table if exists t")
    running.execute("create table t (id varchar(40) primary key, mm decimal(10, 2), changed timestamp(3) null)"
                    if running.name == "mysql" else
                    "create table t (id varchar(40) primary key, mm numeric(10, 2), changed timestamptz(3))")  # fmt: skip
    running.execute(
        "grant select on src.t to reader@'127.0.0.1'" if running.name == "mysql" else "grant select on t to reader"
    )
    return running


@pytest.fixture
def feed(build: Build, db: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Make the house with further keys of ``source``."""
    monkeypatch.setenv("DB_PASSWORD", PASSWORD)

    def make(keys: str = "mode: full", *, load: str = "mode: upsert", form: str = "parquet") -> Any:
        source = (
            f"{{connector: {db.name}, host: 127.0.0.1, port: {db.port}, database: src, user: reader, "
            f"secret: env:DB_PASSWORD, table: t, tls: off, {keys}}}"
        )
        text = CONTRACT.replace("SOURCE", source).replace("FORMAT", form).replace("mode: upsert", load)
        return build(text)

    return make


def put(db: Any, *rows: tuple[str, float, str]) -> None:
    values = ", ".join(f"('{i}', {mm}, '{at}')" for i, mm, at in rows)
    replace = "replace into t values" if db.name == "mysql" else "insert into t values"
    after = "" if db.name == "mysql" else " on conflict (id) do update set mm = excluded.mm, changed = excluded.changed"
    db.execute(f"{replace} {values}{after}")


AT = "2026-07-31 08:00:00"


@pytest.mark.parametrize("form", ["parquet", "ndjson"])
def test_all_rows_and_nothing_when_nothing_changed(db: Any, feed: Callable[..., Any], form: str) -> None:
    put(db, ("A", 1.10, AT), ("B", 2, AT))
    house = feed(form=form)
    assert house.ingest().rows_loaded == 2
    assert house.rows("sensor_id, rain_mm") == [("A", 1.1), ("B", 2.0)]
    assert house.ingest_all() == []
    put(db, ("A", 3, AT))
    house.ingest()
    put(db, ("A", 1.10, AT))
    house.ingest()
    assert house.rows("rain_mm") == [(1.1,), (2.0,)]


@pytest.mark.parametrize("form", ["parquet", "ndjson"])
def test_the_same_rows_in_another_order_are_nothing_new(db: Any, feed: Callable[..., Any], form: str) -> None:
    put(db, *((f"S{n}", n, AT) for n in range(5)))
    house = feed(load="mode: snapshot", form=form)
    assert house.ingest().rows_loaded == 5
    db.execute("delete from t")
    put(db, *((f"S{n}", n, AT) for n in reversed(range(5))))
    assert house.ingest_all() == []
    put(db, ("S3", 2, AT), ("S2", 3, AT))
    assert house.ingest().rows_loaded == 5, "two values that changed places are news"


def test_killed_before_it_was_remembered_a_pull_is_known_again_in_another_order(
    db: Any, feed: Callable[..., Any]
) -> None:
    put(db, *((f"S{n}", n, AT) for n in range(5)))
    house = feed(load="mode: snapshot")
    with pytest.raises(Killed):
        house.ingest(checkpoint=kill_at("pull.landed"))
    db.execute("delete from t")
    put(db, *((f"S{n}", n, AT) for n in reversed(range(5))))
    assert [r.rows_loaded for r in house.ingest_all()] == [5]
    assert len(receipts_of(house.settings, "t__f")) == 1


def test_a_snapshot_follows_the_table(db: Any, feed: Callable[..., Any]) -> None:
    put(db, ("A", 1, AT), ("B", 2, AT))
    house = feed(load="mode: snapshot")
    house.ingest()
    db.execute("delete from t where id = 'A'")
    house.ingest()
    assert house.rows("sensor_id") == [("B",)]


def test_incremental_with_overlap_catches_what_was_committed_late(db: Any, feed: Callable[..., Any]) -> None:
    put(db, ("A", 1, "2026-07-31 08:00:00"), ("B", 2, "2026-07-31 09:00:00"), ("F", 9, "2037-01-01 00:00:00"))
    house = feed("mode: incremental, cursor: changed, overlap_seconds: 1800", form="ndjson")
    assert house.ingest().rows_found == 3
    put(db, ("C", 3, "2026-07-31 09:10:00"), ("L", 4, "2026-07-31 08:45:00"), ("X", 5, "2026-07-31 08:10:00"))
    assert house.ingest().rows_found == 4, "B again, C, L and the row from the future; neither A nor X"
    assert [r[0] for r in house.rows("sensor_id")] == ["A", "B", "C", "F", "L"]
    assert house.ingest_all() == []


def test_a_numeric_cursor(db: Any, feed: Callable[..., Any]) -> None:
    put(db, ("A", 1, AT), ("B", 2, AT))
    house = feed("mode: incremental, cursor: mm")
    house.ingest()
    put(db, ("C", 3, AT))
    assert house.ingest().rows_found == 2


def test_compared_rows_and_rows_that_are_gone(db: Any, feed: Callable[..., Any]) -> None:
    put(db, *((f"S{n:02d}", n, AT) for n in range(30)))
    house = feed("mode: compare", load="mode: upsert, deletes: remove")
    assert house.ingest().rows_found == 30
    assert house.ingest_all() == []
    put(db, ("S01", 99, AT), ("NEW", 5, AT))
    db.execute("delete from t where id in ('S02', 'S03')")
    changed, deleted = house.ingest_all()
    assert (changed.rows_found, changed.rows_loaded) == (2, 2)
    assert (deleted.rows_found, deleted.rows_loaded, deleted.about) == (2, 2, {"deletes": True})
    ids = [r[0] for r in house.rows("sensor_id")]
    assert len(ids) == 29
    assert not {"S02", "S03"} & set(ids)
    put(db, ("S02", 2, AT))
    house.ingest()
    db.execute("delete from t where id = 'S02'")
    assert house.ingest().rows_loaded == 1, "the same row gone again is news"
    assert not house.rows("sensor_id", where="sensor_id = 'S02'")


def test_deletes_are_counted_where_the_contract_keeps_rows(db: Any, feed: Callable[..., Any]) -> None:
    put(db, ("A", 1, AT), ("B", 2, AT))
    house = feed("mode: compare")
    house.ingest()
    db.execute("delete from t where id = 'A'")
    said: list[str] = []
    house.ingest_all(progress=said.append)
    assert any("1 gone (kept here" in line for line in said)
    assert len(house.rows()) == 2


def test_too_many_deletes_stop(db: Any, feed: Callable[..., Any]) -> None:
    put(db, *((f"S{n:02d}", n, AT) for n in range(40)))
    house = feed("mode: compare", load="mode: upsert, deletes: remove")
    house.ingest()
    db.execute("delete from t where id > 'S10'")
    assert "29 of 40 rows are gone at the source" in house.ingest().message
    assert len(house.rows()) == 40


@pytest.mark.parametrize(
    ("step", "occurrence"),
    [("pull.fetched", 1), ("pull.landed", 1), ("pull.fetched", 2), ("land.kept", 2), ("pull.landed", 2),
     ("pull.remembered", 2), ("load.planned", 2), ("load.removed", 1)],
)  # fmt: skip
def test_killed_anywhere_a_comparison_is_repeated(
    db: Any, feed: Callable[..., Any], step: str, occurrence: int
) -> None:
    put(db, *((f"S{n}", n, AT) for n in range(5)))
    house = feed("mode: compare", load="mode: upsert, deletes: remove")
    house.ingest()
    put(db, ("S1", 99, AT))
    db.execute("delete from t where id = 'S2'")
    left = occurrence

    def checkpoint(name: str) -> None:
        nonlocal left
        left -= name == step
        if name == step and left == 0:
            raise Killed

    try:
        house.ingest_all(checkpoint=checkpoint)
    except Killed:
        house.ingest_all()
    assert house.rows("sensor_id, rain_mm") == [("S0", 0.0), ("S1", 99.0), ("S3", 3.0), ("S4", 4.0)]
    assert house.ingest_all() == []


def test_a_wrong_password_is_said_without_it(
    db: Any, feed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_PASSWORD", "falsch-0815")
    result = feed().ingest()
    assert "refused the credentials" in result.message
    assert "falsch" not in str(result)


def test_down_and_back(db: Any, feed: Callable[..., Any]) -> None:
    put(db, ("A", 1, AT))
    house = feed()
    db.stop()
    result = house.ingest()
    assert result.error["error"] == "LH211"
    assert PASSWORD not in str(result)
    db.start()
    assert house.ingest().rows_loaded == 1


def test_tables_and_columns_that_are_not_there(db: Any, feed: Callable[..., Any]) -> None:
    assert "no column nope" in feed("columns: [id, nope]").ingest().message
    house = feed()
    db.execute("drop table t")
    assert "no table t" in house.ingest().message


def test_unencrypted_only_when_declared(db: Any, feed: Callable[..., Any], build: Build) -> None:
    house = feed()
    contract = house.catalog.files["t__f"]
    result = build(contract.read_text("utf-8").replace(" tls: off,", "")).ingest()
    assert "not encrypted as the contract asks" in result.message


@pytest.fixture(params=["postgresql", "mysql"])
def encrypting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Any, Path]]:
    """A server that encrypts, with a row in ``t``, and its certificate."""
    if request.param == "mysql" and (why := MariaDB.missing()):
        pytest.skip(why)
    if request.param == "postgresql" and PostgreSQL.encrypting() is None:
        pytest.skip("PostgreSQL from PyPI is built without TLS, and Debian's is not installed here")
    made: Any = MariaDB() if request.param == "mysql" else PostgreSQL(PostgreSQL.encrypting())
    certificate, key = self_signed(tmp_path)
    made.encrypt(certificate, key)
    made.execute("create table t (id varchar(40) primary key, mm decimal(10, 2))")
    made.execute("insert into t values ('A', 1)")
    made.execute(
        "grant select on src.t to reader@'127.0.0.1'" if made.name == "mysql" else "grant select on t to reader"
    )
    yield made, certificate
    made.close()


def test_certificates_are_verified(
    encrypting: tuple[Any, Path], build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_PASSWORD", PASSWORD)
    db, certificate = encrypting
    (tmp_path / "other").mkdir()
    stranger, _ = self_signed(tmp_path / "other")

    def pulled(keys: str, authority: Path | None = None) -> Any:
        source = (
            f"{{connector: {db.name}, host: 127.0.0.1, port: {db.port}, database: src, user: reader, "
            f"secret: env:DB_PASSWORD, table: t{keys}}}"
        )
        house = build(CONTRACT.replace("SOURCE", source).replace("FORMAT", "parquet").replace("ignore: [changed]", ""))
        if authority:
            (house.settings.keys / "ca.pem").write_bytes(authority.read_bytes())
            (house.settings.keys / "ca.pem").chmod(0o600)
        return pull(house.settings, house.catalog, "t__f", now=NOW)

    for refused in (pulled(""), pulled(", ca: file:ca.pem", stranger)):
        assert not refused.receipts
        assert "not encrypted as the contract asks" in str(refused.refused[0])
    assert pulled(", ca: file:ca.pem", certificate).receipts
    assert not pulled(", tls: off").refused


def test_values_keep_their_digits(db: Any, feed: Callable[..., Any]) -> None:
    kind = "decimal(50,5)" if db.name == "mysql" else "numeric"
    db.execute(f"alter table t add column big {kind}")
    put_big = "123456789012345678901234567890123456789012.12345"
    db.execute(f"insert into t values ('A', 1, '{AT}', {put_big})")
    house = feed("columns: [id, mm, big]", form="ndjson")
    pull(house.settings, house.catalog, "t__f", now=NOW)
    (line,) = landed_file(house.settings, receipts_of(house.settings, "t__f")[0]).read_text().splitlines()
    assert json.loads(line)["big"] == put_big


def test_the_state_holds_no_secret_and_is_private(db: Any, feed: Callable[..., Any]) -> None:
    put(db, ("A", 1, AT))
    house = feed("mode: compare")
    house.ingest()
    folder = state_folder(house.settings.home, "t__f")
    (keys,) = folder.glob("keys-*.parquet")
    assert keys.stat().st_mode & 0o777 == 0o600
    with State(folder) as state:
        assert PASSWORD not in str(state.cursor())
    for path in house.settings.home.rglob("*"):
        assert not path.is_file() or PASSWORD.encode() not in path.read_bytes(), path


def test_the_cursor_survives_a_kill_before_its_receipt(db: Any, feed: Callable[..., Any]) -> None:
    put(db, ("A", 1, AT))
    house = feed("mode: incremental, cursor: changed")
    with pytest.raises(Killed):
        house.ingest(checkpoint=kill_at("pull.fetched"))
    assert house.ingest(now=NOW + timedelta(hours=1)).rows_loaded == 1


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("mode: incremental", "cursor belongs to"),
        ("mode: full, cursor: changed", "cursor belongs to"),
        ("mode: full, tabel: x", "check its spelling"),
        ('mode: full, user: "a\'b"', "pattern"),
        ("mode: full, password: hunter2", "check its spelling"),
    ],
)
def test_wrong_contracts(build: Build, keys: str, said: str) -> None:
    source = f"{{connector: postgresql, host: h, database: d, secret: env:X, table: t, {'' if 'user' in keys else 'user: u, '}{keys}}}"
    house = build(CONTRACT.replace("SOURCE", source).replace("FORMAT", "parquet"))
    with pytest.raises(ContractError) as caught:
        connector_of(house.catalog, house.catalog.feed("t__f"))
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_format_the_connector_cannot_land_is_refused(build: Build) -> None:
    source = "{connector: mysql, host: h, database: d, user: u, secret: env:X, table: t}"
    house = build(CONTRACT.replace("SOURCE", source).replace("FORMAT", "csv"))
    with pytest.raises(ContractError, match="lands ndjson or parquet"):
        connector_of(house.catalog, house.catalog.feed("t__f"))

"""Connector ``s3`` against moto's S3 server."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from catalog.errors import ContractError
from ingestion.landing import receipts_of
from ingestion.sources.pull import pull
from ingestion.sources.registry import connector_of
from tests.ingestion.source_support import Killed, kill_at

pytestmark = pytest.mark.server
Build = Callable[[str], Any]
SECRET = "geheim/4711+x"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Store:
    """moto on a thread, with one bucket."""

    def __init__(self) -> None:
        import boto3
        from moto.server import ThreadedMotoServer

        self.port = free_port()
        self._server = lambda: ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self.running = self._server()
        self.running.start()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key=SECRET,
        )
        self.client.create_bucket(Bucket="exchange")

    def put(self, key: str, text: str) -> None:
        self.client.put_object(Bucket="exchange", Key=key, Body=text.encode())

    def stop(self) -> None:
        self.running.stop()

    def start(self) -> None:
        self.running = self._server()
        self.running.start()


@pytest.fixture(scope="module")
def running() -> Iterator[Store]:
    made = Store()
    yield made
    made.stop()


@pytest.fixture
def store(running: Store) -> Store:
    for page in running.client.get_paginator("list_objects_v2").paginate(Bucket="exchange"):
        for item in page.get("Contents", []):
            running.client.delete_object(Bucket="exchange", Key=item["Key"])
    return running


@pytest.fixture
def house(build: Build, contracts: dict[str, str], store: Store, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("S3_KEY", "key")
    monkeypatch.setenv("S3_SECRET", SECRET)
    made = build(contract(contracts, store))
    made.now = datetime.now(UTC) + timedelta(minutes=2)
    return made


def contract(contracts: dict[str, str], store: Store, **changes: str) -> str:
    keys = {
        "connector": "s3", "endpoint": store.endpoint, "tls": "off", "bucket": "exchange", "prefix": "tax/",
        "pattern": "'*.csv'", "access_key": "env:S3_KEY", "secret": "env:S3_SECRET", "timeout_seconds": "3", **changes,
    }  # fmt: skip
    source = "{" + ", ".join(f"{k}: {v}" for k, v in keys.items() if v) + "}"
    return contracts["readings"].replace("{connector: files, path: t/f/*}", source)


def test_taken_once_corrected_and_left_there(house: Any, store: Store) -> None:
    store.put("tax/2026/a.csv", "编号,雨量\nA,1\n")
    store.put("tax/b.txt", "no")
    store.put("other/c.csv", "no")
    result = house.ingest(now=house.now)
    assert (result.rows_loaded, result.file) == (1, "a.csv")
    assert house.ingest_all(now=house.now) == []
    store.put("tax/2026/a.csv", "编号,雨量\nB,1\n")
    assert house.ingest(now=house.now).rows_loaded == 1
    assert receipts_of(house.settings, "t__f")[0].source.endswith("/exchange/tax/2026/a.csv")


def test_the_etag_tells_versions_of_one_size_and_second(house: Any, store: Store) -> None:
    store.put("tax/a.csv", "编号,雨量\nA,1\n")
    house.ingest(now=house.now)
    store.put("tax/a.csv", "编号,雨量\nB,1\n")
    house.ingest(now=house.now)
    assert house.rows("sensor_id") == [("A",), ("B",)]


def test_down_and_back(house: Any, store: Store) -> None:
    store.put("tax/a.csv", "编号,雨量\nA,1\n")
    store.stop()
    result = house.ingest(now=house.now)
    assert (result.verdict, result.error["error"]) == ("stopped", "LH211")
    assert "connection refused" in result.message
    assert SECRET not in str(result)
    store.start()
    assert house.ingest(now=house.now).rows_loaded == 1


def test_a_bucket_that_is_not_there(build: Build, contracts: dict[str, str], store: Store, house: Any) -> None:
    house = build(contract(contracts, store, bucket="nowhere"))
    result = house.ingest()
    assert "no such bucket" in result.message
    assert result.error["error"] == "LH210"


def test_a_missing_secret_is_named(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("S3_SECRET")
    assert "the environment has no S3_SECRET" in house.ingest().message


def test_refused_credentials_are_said_without_them(
    build: Build, contracts: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """moto checks no signatures; a server that answers as S3 does refuses here."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<?xml version='1.0'?><Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>"
            self.send_response(403)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("S3_KEY", "key")
    monkeypatch.setenv("S3_SECRET", SECRET)

    class Where:
        endpoint = f"http://127.0.0.1:{server.server_port}"

    result = build(contract(contracts, Where())).ingest()  # type: ignore[arg-type]
    server.shutdown()
    assert "refused the credentials" in result.message
    assert SECRET not in str(result)


def test_hostile_keys_are_refused(house: Any, store: Store) -> None:
    store.put("tax/a.csv", "编号,雨量\nA,1\n")
    store.put("tax/x\\..\\b.csv", "编号,雨量\nB,1\n")
    results = house.ingest_all(now=house.now)
    assert [r.verdict for r in results] == ["passed", "stopped"]


@pytest.mark.parametrize("step", ["pull.fetched", "land.kept", "pull.landed", "pull.remembered"])
def test_killed_between_fetch_and_receipt(house: Any, store: Store, step: str) -> None:
    store.put("tax/a.csv", "编号,雨量\nA,1\n")
    with pytest.raises(Killed):
        house.ingest(checkpoint=kill_at(step), now=house.now)
    house.ingest_all(now=house.now)
    assert house.rows("sensor_id") == [("A",)]
    assert len([r for r in receipts_of(house.settings, "t__f") if not r.duplicate_of]) == 1


@pytest.mark.slow
def test_pages_of_a_long_listing_are_all_read(house: Any, store: Store) -> None:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    for n in range(1010):  # into the server's own store: a request each would take as long as all other tests here
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object("exchange", f"tax/{n:04d}.txt", b"x")
    store.put("tax/zzz.csv", "编号,雨量\nA,1\n")
    pulled = pull(house.settings, house.catalog, "t__f", now=house.now)
    assert [r.original_name for r in pulled.receipts] == ["zzz.csv"]


def test_plain_http_must_be_declared(build: Build, contracts: dict[str, str], store: Store) -> None:
    house = build(contract(contracts, store, tls=""))
    with pytest.raises(ContractError, match="tls: off"):
        connector_of(house.catalog, house.catalog.feed("t__f"))

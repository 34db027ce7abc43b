"""Connector ``http`` against a real server: paging, credentials, patience, answers that are refused."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from catalog.errors import ContractError
from ingestion.landing import landed_file, receipts_of
from ingestion.sources.http_client import retry_after
from ingestion.sources.pull import Pulled, pull
from ingestion.sources.registry import connector_of
from tests.ingestion.conftest import NOW
from tests.ingestion.source_support import Killed, kill_at

pytestmark = pytest.mark.server
Build = Callable[[str], Any]
KEY = "geheim+4711/=x"
Reply = tuple[int, dict[str, str], bytes]
Asked = Any


class Api:
    """A server whose answers the test gives; it remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer: Callable[[Any], Reply] = lambda _: ok([])
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # headers and body are sent one after the other: 40 ms an answer

            def do_GET(self) -> None:
                self.query = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
                self.form = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                api.asked.append(self)
                status, headers, body = api.answer(self)
                self.send_response(status)
                for name, value in {
                    "content-type": "application/json",
                    "content-length": str(len(body)),
                    **headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                if int(headers.get("content-length", len(body))) != len(body):
                    self.close_connection = True

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


def ok(document: Any, **headers: str) -> Reply:
    return 200, {k.replace("_", "-"): v for k, v in headers.items()}, json.dumps(document).encode()


def readings(*numbers: int) -> list[dict[str, Any]]:
    return [{"编号": f"S{n}", "雨量": n} for n in numbers]


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def feed(build: Build, contracts: dict[str, str], api: Api, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Make the house with further keys of ``source``."""
    monkeypatch.setenv("API_KEY", KEY)
    monkeypatch.setattr("ingestion.sources.retry.FIRST_PAUSE_SECONDS", 0.01)

    def make(keys: str = "", url: str = "/v1/readings", mode: str = "append") -> Any:
        source = f"{{connector: http, url: '{api.url}{url}', tls: off, per_second: 1000, timeout_seconds: 2{', ' if keys else ''}{keys}}}"
        text = contracts["readings"].replace("{connector: files, path: t/f/*}", source).replace("append", mode)
        return build(text.replace("{type: csv, encoding: auto}", "{type: ndjson}"))

    return make


def records_of(house: Any, number: int = -1) -> list[dict[str, Any]]:
    receipt = receipts_of(house.settings, "t__f")[number]
    return [json.loads(line) for line in landed_file(house.settings, receipt).read_text("utf-8").splitlines()]


def test_one_answer(api: Api, feed: Callable[..., Any]) -> None:
    api.answer = lambda _: ok({"data": {"items": readings(1, 2)}})
    house = feed("records: data.items, query: {status: closed, all: true}")
    assert house.ingest().rows_loaded == 2
    assert api.asked[0].query == {"status": "closed", "all": "true"}
    assert receipts_of(house.settings, "t__f")[0].source == f"{api.url}/v1/readings#1"
    assert house.ingest_all() == []


def test_what_goes_back_to_what_it_was_is_news(api: Api, feed: Callable[..., Any]) -> None:
    house = feed(mode="snapshot")
    for value in (1, 2, 1):
        api.answer = lambda _, v=value: ok([{"编号": "A", "雨量": v}])
        assert house.ingest().verdict == "passed"
        assert house.rows("rain_mm") == [(float(value),)]


def by_page(total: int, size: int, said: int | None = None) -> Callable[[Any], Reply]:
    def answer(asked: Any) -> Reply:
        first = (int(asked.query["page"]) - 1) * size
        return ok(
            {"total": total if said is None else said, "items": readings(*range(first, min(first + size, total)))}
        )

    return answer


@pytest.mark.parametrize("total", [0, 1, 9, 10, 11, 30, 35])
@pytest.mark.parametrize("with_total", [True, False])
def test_by_page_to_the_last(api: Api, feed: Callable[..., Any], total: int, with_total: bool) -> None:
    api.answer = by_page(total, 10)
    house = feed(f"records: items, paging: {{by: page, size: 10{', total: total' if with_total else ''}}}")
    pull(house.settings, house.catalog, "t__f", now=NOW)
    assert [r["雨量"] for r in records_of(house)] == list(range(total))


def test_by_offset_when_the_server_gives_fewer_than_asked(api: Api, feed: Callable[..., Any]) -> None:
    def answer(asked: Any) -> Reply:
        first = int(asked.query["offset"])
        assert asked.query["limit"] == "50"
        return ok({"n": 23, "items": readings(*range(first, min(first + 10, 23)))})

    api.answer = answer
    house = feed("records: items, paging: {by: offset, size: 50, total: n}")
    assert house.ingest().rows_loaded == 23


def test_by_cursor_link_and_url(api: Api, feed: Callable[..., Any]) -> None:
    def by_cursor(asked: Any) -> Reply:
        at = int(asked.query.get("cursor", 0))
        return ok({"items": readings(at), "meta": {"next": str(at + 1) if at < 3 else None}})

    def by_link(asked: Any) -> Reply:
        at = int(asked.query.get("p", 0))
        return ok(readings(at), **({"link": f'<?p={at + 1}>; rel="next", <?p=0>; rel="first"'} if at < 3 else {}))

    def by_url(asked: Any) -> Reply:
        at = int(asked.query.get("p", 0))
        return ok({"items": readings(at), "next": f"{api.url}/v1/readings?p={at + 1}" if at < 3 else ""})

    for keys, answer in (
        ("records: items, paging: {by: cursor, next: meta.next}", by_cursor),
        ("paging: {by: link}", by_link),
        ("records: items, paging: {by: url, next: next}", by_url),
    ):
        api.answer = answer
        house = feed(keys, mode="snapshot")
        pull(house.settings, house.catalog, "t__f", now=NOW)
        assert [r["雨量"] for r in records_of(house, 0)] == [0, 1, 2, 3], keys


def refused(house: Any, **options: Any) -> str:
    """The one error of a pull that landed nothing."""
    pulled: Pulled = pull(house.settings, house.catalog, "t__f", now=NOW, **options)
    assert pulled.receipts == []
    assert receipts_of(house.settings, "t__f") == []
    (error,) = pulled.refused
    assert KEY not in str(error)
    return str(error)


def test_a_page_that_repeats_is_refused(api: Api, feed: Callable[..., Any]) -> None:
    api.answer = lambda _: ok({"items": readings(*range(10))})
    assert "page 2 repeats page 1" in refused(feed("records: items, paging: {by: page, size: 10}"))


def test_a_round_of_pages_is_refused(api: Api, feed: Callable[..., Any]) -> None:
    def answer(asked: Any) -> Reply:
        at = int(asked.query.get("cursor", 0))
        return ok({"items": readings(at), "next": (at + 1) % 3 or 3})

    api.answer = answer
    assert "leads back" in refused(feed("records: items, paging: {by: cursor, next: next}"))


def test_fewer_records_than_promised_are_refused(api: Api, feed: Callable[..., Any]) -> None:
    api.answer = by_page(15, 10, said=20)
    assert "15 records were read and 20 were promised" in refused(
        feed("records: items, paging: {by: page, size: 10, total: total}")
    )


def test_a_cut_page_is_refused(api: Api, feed: Callable[..., Any]) -> None:
    whole = json.dumps(readings(1, 2, 3)).encode()
    api.answer = lambda _: (200, {"content-length": str(len(whole))}, whole[:-10])
    assert "RemoteProtocolError" in refused(feed("attempts: 2"))
    api.answer = lambda _: (200, {}, whole[:-10])
    assert "not JSON" in refused(feed())


def test_html_with_200_is_refused(api: Api, feed: Callable[..., Any]) -> None:
    api.answer = lambda _: (200, {"content-type": "text/html; charset=utf-8"}, b"<html>log in</html>")
    assert "not JSON (text/html" in refused(feed())


def test_an_error_object_with_200_is_refused(api: Api, feed: Callable[..., Any]) -> None:
    api.answer = lambda _: ok({"code": 500, "message": "busy"})
    assert "no list of records at data (there: code, message)" in refused(feed("records: data"))


def test_an_address_on_another_host_gets_no_credentials(api: Api, feed: Callable[..., Any]) -> None:
    api.answer = lambda _: ok({"items": readings(1), "next": "http://169.254.169.254/latest"})
    keys = "records: items, paging: {by: url, next: next}, auth: {by: header, name: X-Key, secret: env:API_KEY}"
    assert "leads to another host" in refused(feed(keys))


def test_a_redirect_is_not_followed(api: Api, feed: Callable[..., Any]) -> None:
    api.answer = lambda _: (302, {"location": "http://169.254.169.254/"}, b"")
    assert "answers 302" in refused(feed())


def test_an_answer_over_the_limit_is_refused(api: Api, feed: Callable[..., Any]) -> None:
    api.answer = lambda _: (200, {}, b"[" + b" " * (1 << 20) + b"]")
    assert "larger than 1 MB" in refused(feed("max_page_mb: 1"))


@pytest.mark.parametrize(
    ("auth", "check"),
    [
        ("{by: header, prefix: 'Bearer ', secret: env:API_KEY}", lambda a: a.headers["authorization"] == f"Bearer {KEY}"),
        ("{by: query, name: k, secret: env:API_KEY}", lambda a: a.query["k"] == KEY),
        ("{by: basic, user: u, secret: env:API_KEY}",
         lambda a: a.headers["authorization"] == "Basic " + base64.b64encode(f"u:{KEY}".encode()).decode()),
    ],
)  # fmt: skip
def test_credentials_and_their_refusal(
    api: Api, feed: Callable[..., Any], auth: str, check: Callable[[Any], bool], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    api.answer = lambda asked: ok(readings(1)) if check(asked) else (401, {}, b"{}")
    house = feed(f"auth: {auth}")
    said: list[str] = []
    assert house.ingest(progress=said.append).rows_loaded == 1
    api.answer = lambda _: (403, {}, KEY.encode())
    result = house.ingest()
    assert "credentials were refused (status 403)" in result.message
    shown = str(result) + str(said) + receipts_of(house.settings, "t__f")[0].model_dump_json()
    assert KEY not in shown
    ours = "\n".join(r.getMessage() for r in caplog.records if not r.name.startswith(("httpx", "httpcore")))
    assert KEY not in ours


def test_the_http_library_does_not_log_the_address(
    api: Api, feed: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    from urllib.parse import quote, quote_plus

    caplog.set_level("DEBUG")
    api.answer = lambda _: ok(readings(1))
    feed("auth: {by: query, name: k, secret: env:API_KEY}").ingest()
    assert not any(form in caplog.text for form in (KEY, quote(KEY, safe=""), quote_plus(KEY)))


def test_oauth_client_credentials_and_a_token_that_runs_out(api: Api, feed: Callable[..., Any]) -> None:
    tokens = iter(["t1", "t2"])
    valid = {"t1"}

    def answer(asked: Any) -> Reply:
        if asked.path == "/token":
            assert "grant_type=client_credentials" in asked.form
            assert asked.headers["authorization"].startswith("Basic ")
            return ok({"access_token": next(tokens), "expires_in": 3600})
        if asked.headers["authorization"].removeprefix("Bearer ") not in valid:
            return 401, {}, b"{}"
        if asked.query["page"] == "1":
            valid.clear()
            valid.add("t2")
        return by_page(15, 10)(asked)

    api.answer = answer
    auth = f"auth: {{by: oauth2, token_url: '{api.url}/token', client_id: xicheng, secret: env:API_KEY}}"
    house = feed(f"records: items, paging: {{by: page, size: 10}}, {auth}")
    assert house.ingest().rows_loaded == 15
    api.answer = lambda _: (400, {}, b'{"error": "invalid_client"}')
    assert "no token was given (status 400)" in house.ingest().message


def test_patience_is_what_the_server_asks_for(api: Api, feed: Callable[..., Any]) -> None:
    replies = iter([
        (429, {"retry-after": "7"}, b""),
        (503, {"retry-after": format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)}, b""),
        (502, {}, b""),
        ok(readings(1)),
    ])  # fmt: skip
    api.answer = lambda _: next(replies)
    waits: list[float] = []
    house = feed()
    assert len(pull(house.settings, house.catalog, "t__f", now=NOW, sleep=waits.append).receipts) == 1
    waits = [w for w in waits if w > 0.002]
    assert waits[0] == 7
    assert 36 <= waits[1] <= 41
    assert waits[2] < 1


def test_patience_ends(api: Api, feed: Callable[..., Any]) -> None:
    api.answer = lambda _: (429, {"retry-after": "3600"}, b"")
    assert "asks to wait 3600 s" in refused(feed(), sleep=lambda _: None)
    api.answer = lambda _: (503, {}, b"")
    house = feed("attempts: 3")
    api.asked.clear()
    assert "answers 503" in refused(house, sleep=lambda _: None)
    assert len(api.asked) == 3


def test_retry_after_in_both_forms() -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert retry_after("30", now) == 30
    assert retry_after("Sun, 22 Nov 2026 00:01:00 GMT", now) == 60
    assert retry_after("Sat, 21 Nov 2026 00:00:00 GMT", now) == 0
    assert retry_after("soon", now) is None
    assert retry_after(None, now) is None


def test_the_rate_is_kept(api: Api, feed: Callable[..., Any]) -> None:
    api.answer = by_page(40, 10)
    house = feed("records: items, paging: {by: page, size: 10, total: total}")
    contract = house.catalog.files["t__f"]
    contract.write_text(contract.read_text("utf-8").replace("per_second: 1000", "per_second: 2"), encoding="utf-8")
    from catalog.registry import load_catalog

    waits: list[float] = []
    pull(house.settings, load_catalog(house.catalog.root), "t__f", now=NOW, sleep=waits.append)
    assert len(waits) == 3
    assert all(0.3 < w <= 1.5 for w in waits)


def test_down_halfway_and_back(api: Api, feed: Callable[..., Any]) -> None:
    whole = by_page(25, 10)
    api.answer = lambda asked: whole(asked) if asked.query["page"] != "2" else (503, {}, b"")
    house = feed("records: items, paging: {by: page, size: 10}, attempts: 2")
    assert "answers 503" in refused(house)
    api.answer = whole
    assert house.ingest().rows_loaded == 25


def test_only_what_is_new_is_asked_for(api: Api, feed: Callable[..., Any]) -> None:
    keys = "since: {query: after, field: at, overlap_seconds: 600, start: '2026-07-01T00:00:00Z'}"
    moments = ["2026-07-31T10:00:00Z", "2026-07-31T09:00:00Z", "2099-01-01T00:00:00Z", "?"]
    api.answer = lambda _: ok([{"编号": f"S{n}", "雨量": n, "at": m} for n, m in enumerate(moments)])
    house = feed(keys)
    contract = house.catalog.files["t__f"]
    contract.write_text(contract.read_text("utf-8") + "ignore: [at]\n", encoding="utf-8")
    from catalog.registry import load_catalog

    house.catalog = load_catalog(house.catalog.root)
    assert house.ingest().rows_loaded == 4
    assert api.asked[-1].query["after"] == "2026-07-01T00:00:00Z"
    house.ingest_all()
    assert api.asked[-1].query["after"] == "2026-07-31T09:50:00Z"
    api.answer = lambda _: ok([])
    assert house.ingest_all() == []


def test_numbers_keep_their_digits(api: Api, feed: Callable[..., Any]) -> None:
    api.answer = lambda _: (
        200,
        {},
        '[{"编号":"A","雨量":1.10,"n":12345678901234567890.123456789,"i":123456789012345678901}]'.encode(),
    )
    house = feed()
    pull(house.settings, house.catalog, "t__f", now=NOW)
    (record,) = records_of(house)
    assert (record["雨量"], record["n"], record["i"]) == (
        "1.10",
        "12345678901234567890.123456789",
        123456789012345678901,
    )


@pytest.mark.parametrize("step", ["pull.fetched", "land.kept", "pull.landed", "pull.remembered"])
def test_killed_between_fetch_and_receipt(api: Api, feed: Callable[..., Any], step: str) -> None:
    api.answer = lambda _: ok(readings(1, 2))
    house = feed()
    with pytest.raises(Killed):
        house.ingest(checkpoint=kill_at(step))
    house.ingest_all()
    assert house.rows("sensor_id") == [("S1",), ("S2",)]
    assert len([r for r in receipts_of(house.settings, "t__f") if not r.duplicate_of]) == 1
    assert house.ingest_all() == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{connector: http, url: 'http://x/y'}", "tls: off"),
        ("{connector: http, url: 'https://u:p@x/y'}", "without user or password"),
        ("{connector: http, url: 'https://x/', headers: {Authorization: Bearer hunter2}}", "set by auth"),
        ("{connector: http, url: 'https://x/', auth: {by: header, secret: hunter2}}", "env:NAME"),
        ("{connector: http, url: 'https://x/', paging: {by: pages}}", "paging"),
        ("{connector: http, url: 'https://x/', since: {query: a}}", "add this field"),
    ],
)
def test_wrong_contracts(build: Build, contracts: dict[str, str], source: str, said: str) -> None:
    house = build(contracts["readings"].replace("{connector: files, path: t/f/*}", source))
    with pytest.raises(ContractError) as caught:
        connector_of(house.catalog, house.catalog.feed("t__f"))
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_certificate_nobody_vouches_for_is_refused(
    build: Build, contracts: dict[str, str], api: Api, tmp_path: Any
) -> None:
    import ssl

    from tests.ingestion.source_support import self_signed

    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    api.server.socket = context.wrap_socket(api.server.socket, server_side=True)
    api.answer = lambda _: ok(readings(1))
    url = api.url.replace("http:", "https:")

    def house(more: str = "") -> Any:
        text = contracts["readings"].replace("{type: csv, encoding: auto}", "{type: ndjson}")
        return build(text.replace("{connector: files, path: t/f/*}", f"{{connector: http, url: '{url}'{more}}}"))

    assert "certificate is not trusted" in house().ingest().message
    made = house(", ca: file:api_ca.pem")
    (made.settings.keys / "api_ca.pem").write_bytes(certificate.read_bytes())
    (made.settings.keys / "api_ca.pem").chmod(0o600)
    assert made.ingest().rows_loaded == 1

"""Connector ``sensorthings`` against a real service (django-ogc-sensorthings), and against a local one that answers as
OGC 18-088 says where the real one cannot: it does not order by phenomenonTime, names one datastream for a whole page
(1.2.0), and never lies on purpose."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from catalog.errors import ContractError
from ingestion.sources.pull import pull
from ingestion.sources.registry import connector_of
from tests.ingestion.conftest import NOW
from tests.ingestion.sensor_server import LARGEST_PAGE, SensorServer
from tests.ingestion.test_sources_http import Api, Reply, ok

pytestmark = pytest.mark.server
Build = Callable[[str], Any]
CONTRACT = """
title: 测试
provider: hotline
catalogue: {code: "2/99-0001", sharing: unconditional, opening: unconditional, update: hourly}
source: {connector: sensorthings, url: "URL/v1.1", tls: off, entities: Observations, per_second: 1000, size: 40,
  expand: "Datastream($select=name)", MORE}
format: {type: ndjson, flatten: true}
load: {mode: upsert, key: [sensor_id, observed_at], newest_by: observed_at}
fields:
  sensor_id: {from: Datastream.name, required: true}
  observed_at: {from: phenomenonTime, required: true}
  rain_mm: {from: result, required: true}
ignore: ["@iot.id", "@iot.selfLink", resultTime]
"""


class Service:
    """Observations of one datastream a minute; pages at most of ``cap``, whatever is asked."""

    def __init__(self, api: Api, count: int) -> None:
        self.api, self.cap = api, 30
        self.rows = [self._observation(n) for n in range(count)]
        api.answer = self.answer

    def _observation(self, n: int) -> dict[str, Any]:
        at = datetime(2026, 8, 1, tzinfo=UTC) + timedelta(minutes=n)
        return {
            "@iot.id": n, "@iot.selfLink": f"{self.api.url}/v1.1/Observations({n})", "result": n / 10,
            "phenomenonTime": at.isoformat().replace("+00:00", "Z"), "resultTime": None,
            "Datastream": {"name": f"雨量-{n % 3}"},
        }  # fmt: skip

    def answer(self, asked: Any) -> Reply:
        query = dict(asked.query)
        assert asked.path.startswith("/v1.1/Observations?")
        assert query["$expand"] == "Datastream($select=name)"
        rows = self.rows
        if found := re.search(r"phenomenonTime ge (\S+)", query.get("$filter", "")):
            rows = [r for r in rows if r["phenomenonTime"] >= found.group(1)]
        skip, top = int(query.get("$skip", 0)), min(int(query["$top"]), self.cap)
        page: dict[str, Any] = {"value": rows[skip : skip + top]}
        if skip + top < len(rows):
            page["@iot.nextLink"] = f"{self.api.url}/v1.1/Observations?{urlencode({**query, '$skip': skip + top})}"
        return ok(page)


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    yield made
    made.server.shutdown()


def house_of(build: Build, api: Api, more: str = "") -> Any:
    return build(CONTRACT.replace("URL", api.url).replace("MORE", more))


@pytest.fixture(scope="module")
def server() -> Iterator[SensorServer]:
    made = SensorServer()
    made.observe(range(230))
    yield made
    made.close()


def real(build: Build, server: SensorServer, more: str) -> Any:
    contract = CONTRACT.replace("URL/v1.1", server.url).replace("size: 40", f"size: {LARGEST_PAGE}")
    return build(contract.replace("entities: Observations, ", "").replace("MORE", more))


@pytest.mark.slow
def test_a_real_service_is_read_to_its_last_page(build: Build, server: SensorServer) -> None:
    house = real(build, server, f"entities: \"Datastreams('{server.streams[0]}')/Observations\"")
    assert house.ingest().rows_loaded == 115
    assert house.rows("DISTINCT sensor_id") == [("雨量-0",)]
    assert house.rows("max(rain_mm)") == [(22.8,)]


@pytest.mark.slow
def test_of_a_real_service_only_what_is_new_is_taken(build: Build, server: SensorServer) -> None:
    more = f"entities: \"Datastreams('{server.streams[1]}')/Observations\", filter: result ge 20, "
    house = real(build, server, more + "since: resultTime, overlap_seconds: 300")
    assert house.ingest().rows_loaded == 15  # 20.1, 20.3 … 22.9
    server.observe(range(230, 240))
    result = house.ingest()
    assert (result.rows_found, house.rows("count(*), max(rain_mm)")) == (8, [(20, 23.9)]), "five, and three again"


@pytest.mark.slow
def test_a_page_larger_than_the_service_gives_is_told(build: Build, server: SensorServer) -> None:
    house = build(CONTRACT.replace("URL/v1.1", server.url).replace("size: 40", "size: 101").replace("MORE", ""))
    done = pull(house.settings, house.catalog, house.feed_id, now=NOW, sleep=lambda _: None)
    assert "422" in str(done.refused[0])
    assert "size" in str(done.refused[0])


def test_every_page_is_read(build: Build, api: Api) -> None:
    Service(api, 100)
    house = house_of(build, api)
    assert house.ingest().rows_loaded == 100
    assert house.rows("count(*), max(rain_mm)") == [(100, 9.9)]
    assert house.rows("DISTINCT sensor_id") == [("雨量-0",), ("雨量-1",), ("雨量-2",)]
    assert house.ingest_all() == [], "the same bytes are no news"


def test_only_what_is_new_is_asked_for(build: Build, api: Api) -> None:
    service = Service(api, 60)
    house = house_of(build, api, "since: phenomenonTime, overlap_seconds: 300, filter: 'result ge 0'")
    assert house.ingest().rows_loaded == 60
    late = service.rows.pop(57)
    service.rows += [service._observation(n) for n in range(60, 65)]
    service.rows.append(late)
    result = house.ingest()
    assert (result.rows_found, house.rows("count(*)")) == (11, [(65,)]), "five new ones, and five minutes again"
    first = next(a for a in api.asked if "ge 2026" in a.query.get("$filter", ""))
    assert first.query["$filter"] == "(result ge 0) and phenomenonTime ge 2026-08-01T00:54:00Z"
    assert first.query["$orderby"] == "phenomenonTime asc"


def test_a_cursor_never_goes_back_nor_into_the_future(build: Build, api: Api) -> None:
    service = Service(api, 10)
    service.rows.append({**service._observation(10), "phenomenonTime": "2037-01-01T00:00:00Z"})
    house = house_of(build, api, "since: phenomenonTime")
    house.ingest()
    service.rows[:] = [service._observation(n) for n in range(3)]
    house.ingest_all()
    service.rows[:] = [service._observation(n) for n in range(12)]
    house.ingest()
    asked = [a.query["$filter"] for a in api.asked if "$filter" in a.query]
    assert asked == ["phenomenonTime ge 2026-08-01T00:09:00Z"] * 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, {"content-type": "text/html"}, b"<html>log in</html>"), "not JSON"),
        (ok({"error": {"message": "no such entity"}}), "no list of records at value"),
        (ok({"value": [{"@iot.id": 1}], "@iot.nextLink": "http://elsewhere.example/v1.1/Observations"}), "another host"),
        ((401, {}, b"{}"), "credentials were refused"),
    ],
)  # fmt: skip
def test_answers_that_are_refused(build: Build, api: Api, answer: Reply, said: str) -> None:
    api.answer = lambda _: answer
    house = house_of(build, api)
    done = pull(house.settings, house.catalog, house.feed_id, now=NOW, sleep=lambda _: None)
    assert said in str(done.refused[0])
    assert not done.receipts


@pytest.mark.parametrize("more", ["start: 2026-01-01", "since: phenomenonTime, start: '2026-01-01'", "since: name"])
def test_keys_are_checked(build: Build, api: Api, more: str) -> None:
    house = house_of(build, api, more)
    with pytest.raises(ContractError):
        connector_of(house.catalog, house.catalog.feed(house.feed_id))


@pytest.mark.parametrize("path", ["../Things", "Things?$filter=x", "Datastreams(1)/../Things", ""])
def test_hostile_paths_are_refused(build: Build, api: Api, path: str) -> None:
    house = build(
        CONTRACT.replace("URL", api.url).replace("MORE", "").replace("entities: Observations", f"entities: '{path}'")
    )
    with pytest.raises(ContractError, match="entities is a collection"):
        connector_of(house.catalog, house.catalog.feed(house.feed_id))

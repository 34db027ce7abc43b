"""Connector ``wfs`` against a real MapServer, and against answers no honest server gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ingestion.landing import receipts_of
from ingestion.sources.pull import pull
from tests.ingestion.conftest import NOW
from tests.ingestion.map_server import MapServer
from tests.ingestion.test_sources_http import Api

pytestmark = [pytest.mark.server, pytest.mark.slow]
Build = Callable[[str], Any]

CONTRACT = """
title: 测试
provider: hotline
catalogue: {code: "2/99-0001", sharing: unconditional, opening: unconditional, update: daily}
source: {connector: wfs, url: "URL", tls: off, feature_type: points, size: 40, per_second: 1000, MORE}
format: {type: vector, members: "page-*"}
load: {mode: upsert, key: [sensor_id]}
fields:
  sensor_id: {from: id, required: true}
  rain_mm: {from: mm, required: true}
  geom_cgcs2000: {from: geometry, required: true}
drift: {columns: evolve}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[MapServer]:
    if why := MapServer.missing():
        pytest.skip(why)
    made = MapServer()
    yield made
    made.close()


def house_of(build: Build, url: str, more: str = "output: gml") -> Any:
    return build(CONTRACT.replace("URL", url).replace("MORE", more))


@pytest.mark.parametrize(
    "more",
    [
        "output: gml",
        "output: geojson",
        "output: gml, crs: 'urn:ogc:def:crs:EPSG::4490'",
        "output: geojson, version: '1.1.0'",
    ],
)
def test_every_page_is_read_and_the_axes_are_right(build: Build, server: MapServer, more: str) -> None:
    from shapely import from_wkb

    server.serve(101)
    house = house_of(build, server.url, more)
    result = house.ingest()
    assert (result.rows_found, result.rows_loaded) == (101, 101), result
    rows = {r[0]: from_wkb(bytes(r[1])) for r in house.rows("sensor_id, geom_cgcs2000")}
    assert len(rows) == 101
    assert (rows["P100"].x, rows["P100"].y) == pytest.approx((116.37, 39.91), abs=1e-6)
    assert house.ingest_all() == [], "the same features are no news"
    server.serve(102)
    assert house.ingest().rows_found == 102


def test_what_the_service_does_not_have(build: Build, server: MapServer) -> None:
    server.serve(3)
    text = CONTRACT.replace("URL", server.url)
    wrong = pull_of(build(text.replace("feature_type: points", "feature_type: lakes").replace("MORE", "output: gml")))
    assert "no feature type lakes (there: ms:points" in wrong
    refused = pull_of(build(text.replace("MORE", "output: nonsense")))
    assert "refuses GetFeature: InvalidParameterValue" in refused


def pull_of(house: Any) -> str:
    """The one fault of a pull that brings nothing."""
    done = pull(house.settings, house.catalog, house.feed_id, now=NOW, sleep=lambda _: None)
    assert receipts_of(house.settings, house.feed_id) == []
    (fault,) = done.refused
    return str(fault)


CAPABILITIES = b"<WFS_Capabilities><FeatureTypeList><FeatureType><Name>points</Name></FeatureType></FeatureTypeList></WFS_Capabilities>"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"<html><body>log in", "the answer is not XML"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><FeatureCollection/>', "document type"),
        (b'<FeatureCollection numberMatched="5"><member/><member/></FeatureCollection>', "a page repeats"),
        (b'<FeatureCollection numberMatched="5"/>', "0 features were read and 5 were promised"),
        (b"<Other/>", "no collection of features"),
    ],
)
def test_answers_that_are_refused(build: Build, answer: bytes, said: str) -> None:
    api = Api()
    try:
        api.answer = lambda asked: (200, {}, CAPABILITIES if asked.query["REQUEST"] == "GetCapabilities" else answer)
        assert said in pull_of(house_of(build, f"{api.url}/wfs", "output: gml"))
    finally:
        api.server.shutdown()

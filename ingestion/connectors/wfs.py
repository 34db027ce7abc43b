"""``wfs``: features of an OGC Web Feature Service (1.1.0, 2.0.0), page by page, landed as one archive of its answers.

.. code-block:: yaml

    source:
      connector: wfs
      url: https://geo.example.gov.cn/wfs
      feature_type: plan:streets
    format: {type: vector, crs: auto}      # what the answer says of its system and the order of its axes holds
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterator
from typing import Any, ClassVar, Literal
from xml.etree import ElementTree
from xml.parsers import expat

from pydantic import Field, model_validator

from catalog.errors import SourceError
from ingestion.sources.base import Fetched, Pull
from ingestion.sources.http_auth import HttpAccess
from ingestion.sources.http_client import Client, Reply
from ingestion.sources.records import Delivery

NAME = r"^[^\x00-\x20<>&\"'?#/\\]{1,128}$"
GEOJSON = re.compile(r"json", re.IGNORECASE)
STAMP = re.compile(rb'timeStamp="[^"]*"')
"""Every answer bears its time; features that are the same are no news for that."""


class WfsParams(HttpAccess):
    """Attributes:
    url: of the service, without its own query words (SERVICE, REQUEST …).
    feature_type: as ``GetCapabilities`` names it.
    version: ``2.0.0`` pages with count and startIndex; ``1.1.0`` is asked for all at once, and for
        GeoJSON.
    output: ``gml``, ``geojson``, or the server's own word for a format.
    crs: system to ask for (``urn:ogc:def:crs:EPSG::4490``); none takes the server's own.
    bbox: only features that meet it: west, south, east, north, and the system's name if it is not the type's own.
    size: features a page.
    """

    accept: ClassVar[str] = "*/*"
    feature_type: str = Field(pattern=NAME)
    version: Literal["2.0.0", "1.1.0"] = "2.0.0"
    output: str = Field(default="gml", max_length=120)
    crs: str | None = Field(default=None, pattern=r"^[A-Za-z0-9:/._-]{1,120}$")
    bbox: tuple[float, float, float, float] | tuple[float, float, float, float, str] | None = None
    size: int = Field(default=1000, ge=1, le=100_000)

    @model_validator(mode="after")
    def _axes(self) -> WfsParams:
        if self.version == "1.1.0" and self.output != "geojson":
            raise ValueError("version 1.1.0 needs output: geojson; its GML does not always say which axis comes first")
        return self


class Wfs:
    name = "wfs"
    params = WfsParams
    formats: tuple[str, ...] = ("vector",)

    def place(self, params: WfsParams) -> str:
        return f"{params.url}#{params.feature_type}"

    def fetch(self, params: WfsParams, pull: Pull) -> Iterator[Fetched]:
        """All pages into one archive; it is landed only when as many features came as the service counts."""
        cursor = pull.state.cursor()
        delivery = Delivery(pull, self.place(params), cursor, ending="zip")
        digest = hashlib.sha256()
        with Client(params, pull) as client, zipfile.ZipFile(delivery.path, "w", zipfile.ZIP_DEFLATED) as archive:
            name, word = _offered(client, params)
            for number, page in enumerate(_pages(client, params, name, word), start=1):
                ending = "geojson" if GEOJSON.search(word) else "gml"
                digest.update(STAMP.sub(b"", page))
                archive.writestr(zipfile.ZipInfo(f"page-{number:06d}.{ending}"), page, zipfile.ZIP_DEFLATED)
        if digest.hexdigest() == cursor.get("features"):
            pull.say(f"{pull.feed.id}: nothing new")
            return
        yield from delivery.fetched({"features": digest.hexdigest()}, always=True, compare=False)


def _ask(client: Client, params: WfsParams, request: str, **more: Any) -> Reply:
    words = {"SERVICE": "WFS", "VERSION": params.version, "REQUEST": request, **more}
    reply = client.reply(params.url, words)
    if b"ExceptionReport" in reply.body[:4000]:
        code = re.search(rb'exceptionCode="([A-Za-z]{1,60})"', reply.body[:8000])
        raise SourceError(
            f"the service refuses {request}: {code.group(1).decode() if code else 'no code'}",
            hint="check source.feature_type, version, output and crs against its GetCapabilities", host=client.host,
        )  # fmt: skip
    return reply


def _offered(client: Client, params: WfsParams) -> tuple[str, str]:
    """The service's names of the feature type, which may have a prefix, and of the format."""
    root = _xml(client, _ask(client, params, "GetCapabilities").body)
    if _local(root) not in ("WFS_Capabilities", "Capabilities"):
        raise SourceError("there is no Web Feature Service", hint="check source.url", host=client.host)
    types = [(e.text or "").strip() for e in root.iter() if _local(e) == "Name" and e.text]
    alike = [t for t in types if params.feature_type in (t, t.rpartition(":")[2])]
    name = params.feature_type if params.feature_type in types else alike[0] if len(alike) == 1 else None
    if name is None:
        raise SourceError(
            f"the service has no feature type {params.feature_type} (there: {', '.join(types[:20])})",
            hint="correct source.feature_type", host=client.host,
        )  # fmt: skip
    offered = [
        (v.text or "").strip()
        for e in root.iter()
        if _local(e) == "Parameter" and (e.get("name") or "").lower() == "outputformat"
        for v in e.iter()
        if _local(v) == "Value"
    ]
    if params.output == "geojson":
        found = next((o for o in offered if GEOJSON.search(o)), None)
        if found is None:
            raise SourceError("the service gives no GeoJSON", hint="set source.output: gml", host=client.host)
        return name, found
    return name, "" if params.output == "gml" else params.output


def _pages(client: Client, params: WfsParams, name: str, word: str) -> Iterator[bytes]:
    two = params.version == "2.0.0"
    query: dict[str, Any] = {"TYPENAMES" if two else "TYPENAME": name}
    query |= {"OUTPUTFORMAT": word} if word else {}
    query |= {"SRSNAME": params.crs} if params.crs else {}
    query |= {"BBOX": ",".join(map(str, params.bbox))} if params.bbox else {}
    read, before = 0, ""
    promised = _promised(client, params, query) if two else None
    for number in range(params.max_pages):
        page = {"COUNT": params.size, "STARTINDEX": read} if two else {}
        body = _ask(client, params, "GetFeature", **query, **page).body
        returned, said = _counts(client, body, word)
        matched = promised if said is None else said
        same = hashlib.sha256(STAMP.sub(b"", body)).hexdigest()
        if number and returned and same == before:
            raise SourceError("a page repeats the one before", hint="the service cannot page: version: 1.1.0")
        read, before = read + returned, same
        if returned or not number:
            yield body
        # without a number the last page is the one that is empty: a server may give fewer than it was asked for
        if not two or (read >= matched if matched is not None else not returned):
            return
        if not returned:
            raise SourceError(
                f"{read} features were read and {matched} were promised",
                hint="the set changed meanwhile: pull again; nothing was landed", host=client.host,
            )  # fmt: skip
    raise SourceError(f"there are more than {params.max_pages} pages", hint="raise source.max_pages", host=client.host)


def _promised(client: Client, params: WfsParams, query: dict[str, Any]) -> int | None:
    """How many features there are, when the service counts them."""
    hits = {k: v for k, v in query.items() if k != "OUTPUTFORMAT"}
    return _number(
        _xml(client, _ask(client, params, "GetFeature", **hits, RESULTTYPE="hits").body).get("numberMatched")
    )


def _counts(client: Client, body: bytes, word: str) -> tuple[int, int | None]:
    """Features in an answer, and how many there are in all (None when it does not say)."""
    if GEOJSON.search(word):
        import json

        try:
            document = json.loads(body)
            return len(document["features"]), _number(document.get("numberMatched", document.get("totalFeatures")))
        except (ValueError, KeyError, TypeError) as e:
            raise _no_features(client) from e
    root = _xml(client, body)
    if _local(root) != "FeatureCollection":
        raise _no_features(client)
    held = [c for c in root if _local(c) in ("member", "featureMember")]
    held += [f for c in root if _local(c) == "featureMembers" for f in c]
    return len(held), _number(root.get("numberMatched"))


def _xml(client: Client, body: bytes) -> ElementTree.Element:
    try:
        return _parse(body)
    except expat.ExpatError as e:
        raise SourceError(
            "the answer is not XML", hint="an error page or a cut answer: ask the provider", host=client.host
        ) from e


def _parse(body: bytes) -> ElementTree.Element:
    """The document, names as ``namespace}local``; a document type, which may carry entities, is refused."""
    builder, parser = ElementTree.TreeBuilder(), expat.ParserCreate(namespace_separator="}")

    def doctype(*_: object) -> None:
        raise SourceError("the answer has a document type (DOCTYPE)", hint="ask the provider for answers without it")

    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.Parse(body, True)
    return builder.close()


def _no_features(client: Client) -> SourceError:
    return SourceError("the answer is no collection of features", hint="check source.output", host=client.host)


def _number(value: Any) -> int | None:
    return int(value) if str(value).isdigit() else None


def _local(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]


CONNECTOR = Wfs()

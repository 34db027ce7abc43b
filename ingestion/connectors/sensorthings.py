"""``sensorthings``: entities of an OGC SensorThings API (OGC 18-088, 1.0 and 1.1), page by page, as one NDJSON file.

.. code-block:: yaml

    source:
      connector: sensorthings
      url: https://sta.example.gov.cn/v1.1
      entities: Observations
      expand: Datastream($select=name;$expand=Thing($select=name))
      since: phenomenonTime
      overlap_seconds: 3600
    format: {type: ndjson, flatten: true}    # Datastream.Thing.name becomes a column
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from catalog.errors import SourceError
from ingestion.sources.base import Fetched, Pull
from ingestion.sources.http_auth import HttpAccess
from ingestion.sources.http_client import Client
from ingestion.sources.http_paging import pages
from ingestion.sources.http_params import HttpParams
from ingestion.sources.moments import Moment, later, parse_moment
from ingestion.sources.records import Delivery

_ENTITIES = re.compile(r"^[A-Za-z]+(\((\d+|'[A-Za-z0-9_-]+')\)/[A-Za-z]+)?$")


class SensorThingsParams(HttpAccess):
    """Attributes:
    url: of the service, with its version: ``…/v1.1``.
    entities: what is taken: ``Observations``, ``Things``, ``Datastreams(12)/Observations``.
    select, expand, filter: as the standard writes ``$select``, ``$expand``, ``$filter`` (9.3.3); nothing secret.
    since: the property that rises; only entities at or after the highest seen, less ``overlap_seconds``, are asked for.
    start: where the first pull begins; none takes all.
    size: entities a page (``$top``); the server may give fewer.
    """

    entities: str
    select: str | None = None
    expand: str | None = None
    filter: str | None = None
    since: Literal["phenomenonTime", "resultTime"] | None = None
    start: str | None = None
    overlap_seconds: float = Field(default=0, ge=0)
    size: int = Field(default=1000, ge=1, le=100_000)

    @field_validator("entities")
    @classmethod
    def _path(cls, value: str) -> str:
        if not _ENTITIES.match(value):
            raise ValueError("entities is a collection: Observations, or Datastreams(12)/Observations")
        return value

    @model_validator(mode="after")
    def _cursor(self) -> SensorThingsParams:
        if self.since is None and (self.start or self.overlap_seconds):
            raise ValueError("start and overlap_seconds belong to since")
        if self.start is not None and parse_moment(self.start).kind != "moment":
            raise ValueError("start is an ISO time with its zone")
        return self


class SensorThings:
    name = "sensorthings"
    params = SensorThingsParams
    formats: tuple[str, ...] = ("ndjson",)

    def place(self, params: SensorThingsParams) -> str:
        return f"{params.url.rstrip('/')}/{params.entities}"

    def fetch(self, params: SensorThingsParams, pull: Pull) -> Iterator[Fetched]:
        """All pages into one file; it is landed only when the last page was read."""
        cursor = pull.state.cursor()
        reached = parse_moment(cursor["since"]) if "since" in cursor else None
        delivery = Delivery(pull, self.place(params), cursor)
        asked = self._asked(params)
        with Client(asked, pull) as client, delivery.writing() as write:
            for records in pages(client, asked, self._query(params, reached)):
                for record in records:
                    write(_without_links(record))
                    if params.since is not None and isinstance(record, dict):
                        reached = later(reached, _instant(record.get(params.since)), pull.now)
        new = {"since": reached.text} if reached is not None else {}
        yield from delivery.fetched(new, always=params.since is None)

    def _asked(self, params: SensorThingsParams) -> HttpParams:
        """The keys of connector ``http`` that say the same."""
        own = params.model_dump(include=set(HttpAccess.model_fields))
        paging = {"by": "url", "next": "@iot.nextLink"}
        return HttpParams.model_validate({**own, "url": self.place(params), "records": "value", "paging": paging})

    def _query(self, params: SensorThingsParams, reached: Moment | None) -> dict[str, Any]:
        query: dict[str, Any] = {"$top": params.size}
        for name in ("select", "expand"):
            if (value := getattr(params, name)) is not None:
                query[f"${name}"] = value
        conditions = [f"({params.filter})"] if params.filter else []
        if params.since is not None:
            query["$orderby"] = f"{params.since} asc"
            start = reached.minus(timedelta(seconds=params.overlap_seconds)).text if reached else params.start
            if start is not None:
                if parse_moment(start).kind != "moment":
                    raise SourceError(
                        "the cursor is no time with a zone", hint="remove the feed's folder below connectors/"
                    )
                conditions.append(f"{params.since} ge {start}")
        if conditions:
            query["$filter"] = " and ".join(conditions)
        return query


def _without_links(record: Any) -> Any:
    """A record without the addresses of its related entities (8.2.2): they are of the service, one for each kind."""
    if not isinstance(record, dict):
        return record
    return {k: _without_links(v) for k, v in record.items() if not k.endswith("@iot.navigationLink")}


def _instant(value: Any) -> Any:
    """A time as it is, an interval's start."""
    return value.split("/")[0] if isinstance(value, str) else value


CONNECTOR = SensorThings()

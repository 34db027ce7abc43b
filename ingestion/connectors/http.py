"""``http``: records of an HTTP(S) interface that answers JSON, page by page, landed as one NDJSON file a pull.

.. code-block:: yaml

    source:
      connector: http
      url: https://api.example.gov.cn/v1/orders
      query: {status: closed}
      records: data.items
      paging: {by: page, size: 500, total: data.total}
      auth: {by: header, name: X-Api-Key, secret: env:ORDERS_KEY}
      since: {query: updated_after, field: updated_at, overlap_seconds: 600}
      per_second: 5
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from ingestion.sources.base import Fetched, Pull
from ingestion.sources.http_client import Client
from ingestion.sources.http_paging import pages
from ingestion.sources.http_params import HttpParams
from ingestion.sources.moments import Moment, later, parse_moment
from ingestion.sources.records import Delivery


class Http:
    name = "http"
    params = HttpParams
    formats: tuple[str, ...] = ("ndjson",)

    def place(self, params: HttpParams) -> str:
        parts = urlsplit(params.url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"

    def fetch(self, params: HttpParams, pull: Pull) -> Iterator[Fetched]:
        """All pages into one file; it is landed only when the last page was read."""
        cursor = pull.state.cursor()
        query = dict(params.query)
        reached: Moment | None = None
        if params.since is not None:
            start = cursor.get("since") or params.since.start
            reached = parse_moment(cursor["since"]) if "since" in cursor else None
            overlap = timedelta(seconds=params.since.overlap_seconds)
            if start is not None:
                query[params.since.query] = reached.minus(overlap).text if reached else start
        delivery = Delivery(pull, self.place(params), cursor)
        with Client(params, pull) as client, delivery.writing() as write:
            for number, records in enumerate(pages(client, params, query), start=1):
                for record in records:
                    write(record)
                    if params.since is not None:
                        reached = later(reached, _at(record, params.since.field), pull.now)
                if number % 50 == 0:
                    pull.say(f"{pull.feed.id}: {number} pages, {delivery.rows:,} records")
        new = {"since": reached.text} if reached is not None else {}
        yield from delivery.fetched(new, always=params.since is None)


def _at(record: Any, place: str) -> Any:
    for part in place.split("."):
        record = record.get(part) if isinstance(record, dict) else None
    return record


CONNECTOR = Http()

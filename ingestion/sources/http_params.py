"""What a contract says of an HTTP interface: where records are, how pages follow, what is asked for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ingestion.sources.base import Params
from ingestion.sources.http_auth import HttpAccess


class _Counted(Params):
    """Attributes:
    size: records a page; a shorter page is the last, unless ``total`` tells.
    size_query: parameter that asks for it; empty when the interface fixes it.
    total: dotted place of the number of all records; what is read must come to it.
    """

    size: int = Field(default=100, ge=1, le=100_000)
    size_query: str = ""
    total: str | None = None


class ByPage(_Counted):
    """``?page=1``, 2, 3 …"""

    by: Literal["page"]
    query: str = "page"
    first: int = Field(default=1, ge=0, le=1)
    size_query: str = "page_size"


class ByOffset(_Counted):
    """``?offset=0``, 100, 200 …"""

    by: Literal["offset"]
    query: str = "offset"
    size_query: str = "limit"


class ByCursor(Params):
    """Each answer holds the token of the next page at ``next``; the last one holds none."""

    by: Literal["cursor"]
    query: str = "cursor"
    next: str


class ByLink(Params):
    """The ``Link: <…>; rel="next"`` header (RFC 8288)."""

    by: Literal["link"]


class ByUrl(Params):
    """Each answer holds the address of the next page at ``next``; the last one holds none."""

    by: Literal["url"]
    next: str


Paging = Annotated[ByPage | ByOffset | ByCursor | ByLink | ByUrl, Field(discriminator="by")]


class Since(Params):
    """Asks only for what is newer than the last pull came to.

    Attributes:
        query: parameter that carries the moment or number.
        field: of a record, with the value that rises; dotted.
        overlap_seconds: how much earlier to ask (numbers: how much lower), for what was written late.
        start: what the first pull asks for; none asks for everything.
    """

    query: str
    field: str
    overlap_seconds: float = Field(default=0, ge=0)
    start: str | None = None


class HttpParams(HttpAccess):
    """Attributes:
    url: of the first page, without credentials.
    query: sent with every request; nothing secret stands here.
    records: dotted place of the list in an answer; empty: the answer is the list.
    paging: how the next page is found; none: one answer has all.
    since: ask for new records only; without it every pull takes all.
    """

    query: dict[str, str | int | float | bool] = Field(default_factory=dict)
    records: str = ""
    paging: Paging | None = None
    since: Since | None = None

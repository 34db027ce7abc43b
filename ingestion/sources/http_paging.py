"""How the next page is found, when the last one has been read, and what is refused on the way.

A page that repeats, a next address on another host, a declared total that was not reached, more
pages than allowed: the pull ends with an error and nothing of it is landed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

from catalog.errors import InputError, SourceError
from ingestion.formats.json import find_records
from ingestion.sources.http_client import Answer, Client
from ingestion.sources.http_params import ByCursor, ByLink, ByOffset, ByPage, HttpParams


def pages(client: Client, params: HttpParams, query: dict[str, Any]) -> Iterator[list[Any]]:
    """The records of every page, in order, to the last.

    Raises:
        SourceError: what is written above. SourceUnavailable: an answer did not come.
    """
    paging, url, asked = params.paging, params.url, dict(query)
    if isinstance(paging, ByPage | ByOffset):
        asked |= {paging.query: paging.first if isinstance(paging, ByPage) else 0}
        asked |= {paging.size_query: paging.size} if paging.size_query else {}
    read, before, seen = 0, "", set()
    for number in range(1, params.max_pages + 1):
        answer = client.get(url, asked)
        records = _records(answer, params, number)
        digest = _digest(records)
        if records and digest == before:
            raise _fault(client, f"page {number} repeats page {number - 1}", "check source.paging", number)
        read, before = read + len(records), digest
        yield records
        following = _next(answer, records, params, url, asked, read, client, number)
        if following is None:
            return
        url, asked = following
        place = (url, json.dumps(asked, sort_keys=True, default=str))
        if place in seen:
            raise _fault(client, f"page {number} leads back to an earlier one", "check source.paging", number)
        seen.add(place)
    raise _fault(client, f"there are more than {params.max_pages} pages", "raise source.max_pages", params.max_pages)


def _next(
    answer: Answer, records: list[Any], params: HttpParams, url: str, asked: dict[str, Any], read: int,
    client: Client, number: int,
) -> tuple[str, dict[str, Any]] | None:  # fmt: skip
    """Address and parameters of the next page, None after the last."""
    paging = params.paging
    if paging is None:
        return None
    if isinstance(paging, ByPage | ByOffset):
        total = _at(answer.document, paging.total) if paging.total else None
        if paging.total and total is None:
            raise _fault(client, f"page {number} has no {paging.total}", "correct source.paging.total", number)
        if total is not None and not records and read < int(total):
            raise _fault(
                client, f"{read} records were read and {int(total)} were promised",
                "the set changed meanwhile or pages are cut: pull again; nothing was landed", number,
            )  # fmt: skip
        if (read >= int(total)) if total is not None else (len(records) < paging.size):
            return None
        step = 1 if isinstance(paging, ByPage) else len(records)
        return url, {**asked, paging.query: int(asked[paging.query]) + step}
    if isinstance(paging, ByCursor):
        token = _at(answer.document, paging.next)
        return None if token in (None, "", False) else (url, {**asked, paging.query: token})
    link = answer.links.get("next") if isinstance(paging, ByLink) else _at(answer.document, paging.next)
    if not link:
        return None
    following = urljoin(url, str(link))
    if urlsplit(following)[:2] != urlsplit(params.url)[:2]:
        raise _fault(
            client, f"page {number} leads to another host", "credentials go to the contract's host only", number
        )
    return following, {}


def _records(answer: Answer, params: HttpParams, number: int) -> list[Any]:
    try:
        return find_records(answer.document, params.records)
    except InputError as e:
        keys = ", ".join(list(answer.document)[:10]) if isinstance(answer.document, dict) else "no object"
        raise SourceError(
            f"page {number} has no list of records at {params.records or 'its top'} (there: {keys})",
            hint="an error message of the interface, or correct source.records",
            url=urlsplit(params.url).netloc + urlsplit(params.url).path,
        ) from e


def _at(document: Any, place: str) -> Any:
    if isinstance(document, dict) and place in document:  # a key with a dot, as @iot.nextLink
        return document[place]
    for key in place.split("."):
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _digest(records: list[Any]) -> str:
    return hashlib.sha256(json.dumps(records, sort_keys=True, default=str).encode()).hexdigest()


def _fault(client: Client, message: str, hint: str, page: int) -> SourceError:
    return SourceError(message, hint=hint, host=client.host, page=page)

"""Requests to one interface: its credentials, its rate, and another try where that can help."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from catalog.errors import SourceError, SourceUnavailable
from ingestion.sources.base import Pull
from ingestion.sources.http_auth import Basic, ClientCredentials, HeaderKey, HttpAccess, QueryKey
from ingestion.sources.retry import pause_seconds
from ingestion.sources.secrets import private_file

if TYPE_CHECKING:
    import httpx

AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
LEEWAY_SECONDS = 30


@dataclass(frozen=True)
class Reply:
    """What came back, read whole."""

    status: int
    headers: Mapping[str, str]
    links: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """A page: its JSON document, and the addresses of its ``Link`` header by relation."""

    document: Any
    links: Mapping[str, str]


class Client:
    """Speaks to the host of one contract; use as a context."""

    def __init__(self, params: HttpAccess, pull: Pull) -> None:
        import ssl

        import httpx

        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)  # they log addresses, with a key in the query
        self._params, self._pull = params, pull
        authority = pull.key_file(params.ca)
        verify = ssl.create_default_context(cafile=str(private_file(authority)) if authority else None)
        self._http = httpx.Client(
            timeout=params.timeout_seconds, verify=verify, follow_redirects=False, trust_env=False,
            headers={"accept": params.accept, **params.headers},
        )  # fmt: skip
        self._secret = pull.secret(params.auth.secret) if params.auth else None
        self._token: tuple[str, float] | None = None
        self._next_at = 0.0
        self.host = urlsplit(params.url).netloc

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, url: str, query: dict[str, Any]) -> Answer:
        """The JSON answer to ``GET url?query``; see `reply`."""
        return self._answer(self.reply(url, query))

    def reply(self, url: str, query: dict[str, Any]) -> Reply:
        """What answers ``GET url?query`` with status 200.

        Raises:
            SourceUnavailable: no good answer within the attempts. SourceError: an answer that no repeat mends.
        """
        renewed = False
        for attempt in range(1, self._params.attempts + 1):
            last = attempt == self._params.attempts
            reply = self._send(url, query, last)
            if reply is not None and reply.status == 401 and self._token is not None and not renewed:
                self._token, renewed = None, True
                reply = self._send(url, query, last)
            if reply is None:
                self._pull.sleep(pause_seconds(attempt))
            elif reply.status in AGAIN and not last:
                self._pull.sleep(self._wait_for(reply, attempt))
            else:
                return self._good(reply)
        raise self._unavailable("no answer")

    def _send(self, url: str, query: dict[str, Any], last: bool) -> Reply | None:
        """One exchange at the allowed rate; None for a broken one that may be tried again."""
        import httpx

        self._pace()
        headers, own, auth = self._credentials()
        params = httpx.URL(url).params.merge({k: _plain(v) for k, v in {**query, **own}.items()})
        try:
            with self._http.stream("GET", url, params=params, headers=headers, auth=auth) as reply:
                links = {name: link["url"] for name, link in reply.links.items() if name and "url" in link}
                return Reply(reply.status_code, reply.headers, links, self._read(reply))
        except httpx.HTTPError as e:
            # never chained: the library's text has the whole URL, with a key in the query
            if "CERTIFICATE_VERIFY_FAILED" in str(e):
                raise self._fault(
                    "the server's certificate is not trusted",
                    "ask the provider for its authority, write it below keys/ and name it in source.ca",
                ) from None
            if last:
                raise self._unavailable(type(e).__name__) from None
            return None

    def _read(self, response: httpx.Response) -> bytes:
        limit, body = self._params.max_page_mb << 20, bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > limit:
                raise self._fault(
                    f"an answer is larger than {limit >> 20} MB", "ask for smaller pages, or raise source.max_page_mb"
                )
        return bytes(body)

    def _credentials(self) -> tuple[dict[str, str], dict[str, str], httpx.Auth | None]:
        """Headers, parameters and authentication that say who asks."""
        import httpx

        auth, secret = self._params.auth, self._secret or ""
        if isinstance(auth, HeaderKey):
            return {auth.name: auth.prefix + secret}, {}, None
        if isinstance(auth, QueryKey):
            return {}, {auth.name: secret}, None
        if isinstance(auth, Basic):
            return {}, {}, httpx.BasicAuth(auth.user, secret)
        if isinstance(auth, ClientCredentials):
            return {"authorization": f"Bearer {self._bearer(auth, secret)}"}, {}, None
        return {}, {}, None

    def _bearer(self, auth: ClientCredentials, secret: str) -> str:
        """The token, asked for when there is none or it runs out."""
        import httpx

        if self._token is not None and self._pull.clock() < self._token[1]:
            return self._token[0]
        form = {"grant_type": "client_credentials", **({"scope": auth.scope} if auth.scope else {})}
        if self._params.tls and not auth.token_url.startswith("https://"):
            raise self._fault("source.auth.token_url is not https", "use https, or declare tls: off")
        try:
            response = self._http.post(auth.token_url, data=form, auth=httpx.BasicAuth(auth.client_id, secret))
        except httpx.HTTPError as e:
            raise self._unavailable(f"the token address gives {type(e).__name__}") from None
        if response.status_code in AGAIN:
            raise self._unavailable(f"the token address answers {response.status_code}")
        try:
            data = response.json()
            token, seconds = str(data["access_token"]), float(data.get("expires_in") or 300)
        except (ValueError, KeyError, TypeError):
            raise self._fault(
                f"no token was given (status {response.status_code})", f"check source.auth.client_id and {auth.secret}"
            ) from None
        self._token = (token, self._pull.clock() + max(seconds - LEEWAY_SECONDS, seconds / 2))
        return token

    def _pace(self) -> None:
        now = self._pull.clock()
        if now < self._next_at:
            self._pull.sleep(self._next_at - now)
            now = max(now, self._next_at)
        self._next_at = now + 1 / self._params.per_second

    def _wait_for(self, reply: Reply, attempt: int) -> float:
        """Seconds to wait: what ``Retry-After`` says (seconds or a date), else the usual pause."""
        seconds = retry_after(reply.headers.get("retry-after"), datetime.now(UTC))
        if seconds is None:
            return pause_seconds(attempt)
        if seconds > self._params.max_wait_seconds:
            raise self._unavailable(
                f"it asks to wait {seconds:.0f} s, the contract allows {self._params.max_wait_seconds:g}"
            )
        self._pull.say(f"{self._pull.feed.id}: asked to wait {seconds:.0f} s")
        return seconds

    def _good(self, reply: Reply) -> Reply:
        if reply.status in (401, 403):
            name = self._params.auth.secret if self._params.auth else "source.auth"
            raise self._fault(f"the credentials were refused (status {reply.status})", f"check {name} and its rights")
        if reply.status in AGAIN:
            raise self._unavailable(f"it answers {reply.status}")
        if reply.status != 200:
            moved = reply.status // 100 == 3
            hint = (
                "write the new address into source.url"
                if moved
                else "check source.url, source.query and the size of a page"
            )
            raise self._fault(f"the interface answers {reply.status}", hint)
        return reply

    def _answer(self, reply: Reply) -> Answer:
        kind = reply.headers.get("content-type", "").split(";")[0].strip() or "nothing"
        try:
            return Answer(json.loads(reply.body, parse_float=_written), reply.links)
        except ValueError:
            # a page cut by the server or a log-in page with status 200
            raise self._fault(
                f"the answer is not JSON ({kind}, {len(reply.body):,} bytes)",
                "an error page or a cut answer: ask the provider; nothing of this pull was landed",
            ) from None

    def _fault(self, message: str, hint: str) -> SourceError:
        return SourceError(message, hint=hint, host=self.host, path=urlsplit(self._params.url).path)

    def _unavailable(self, reason: str) -> SourceUnavailable:
        return SourceUnavailable(
            f"the interface gives no good answer: {reason}",
            hint="the next pull asks again; check url and network when it lasts",
            host=self.host,
            path=urlsplit(self._params.url).path,
        )


def _written(text: str) -> float | str:
    """A number as it was written: as text where a double would change its digits."""
    value = float(text)
    return value if repr(value) == text else text


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds that ``Retry-After`` asks to wait (RFC 9110 10.2.3), None when it says nothing readable."""
    if not header:
        return None
    if header.strip().isdigit():
        return float(header.strip())
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())

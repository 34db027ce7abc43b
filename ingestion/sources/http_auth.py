"""How an interface is reached and told who asks: a key in a header or the query, basic, OAuth 2 (RFC 6749 4.4)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from ingestion.sources.base import Params
from ingestion.sources.secrets import SecretName


class HeaderKey(Params):
    """``name: <prefix><secret>`` with every request, e.g. name Authorization, prefix "Bearer "."""

    by: Literal["header"]
    name: str = Field(default="Authorization", pattern=r"^[A-Za-z0-9-]+$")
    prefix: str = ""
    secret: SecretName


class QueryKey(Params):
    """``?name=<secret>`` with every request; never part of what is logged."""

    by: Literal["query"]
    name: str
    secret: SecretName


class Basic(Params):
    """User and password (RFC 7617)."""

    by: Literal["basic"]
    user: str
    secret: SecretName


class ClientCredentials(Params):
    """A token from ``token_url``, asked for again when it runs out or is refused."""

    by: Literal["oauth2"]
    token_url: str = Field(pattern=r"^https?://[^@\s]+$")
    client_id: str
    secret: SecretName
    scope: str | None = None


Auth = Annotated[HeaderKey | QueryKey | Basic | ClientCredentials, Field(discriminator="by")]


class HttpAccess(Params):
    """Keys that every HTTP(S) interface has.

    Attributes:
        url: without credentials.
        headers: sent with every request; nothing secret stands here.
        per_second: requests at most.
        tls: false (``off``) allows an http:// URL. ca: file below keys/ with the authority to trust.
        timeout_seconds: of connecting and of every single answer.
        attempts: of one request, waits between them included in ``Retry-After``.
        max_pages, max_page_mb: a pull that goes beyond is refused.
    """

    accept: ClassVar[str] = "application/json"
    url: str
    headers: dict[str, str] = Field(default_factory=dict)
    auth: Auth | None = None
    per_second: float = Field(default=10, gt=0, le=1000)
    tls: bool = True
    ca: str | None = Field(default=None, pattern=r"^file:[A-Za-z0-9][A-Za-z0-9._-]*$")
    timeout_seconds: float = Field(default=30, gt=0, le=600)
    attempts: int = Field(default=5, ge=1, le=10)
    max_wait_seconds: float = Field(default=120, ge=0, le=3600)
    max_pages: int = Field(default=100_000, ge=1)
    max_page_mb: int = Field(default=64, ge=1, le=1024)

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.fragment:
            raise ValueError("url is an http(s) address without user or password")
        return value

    @field_validator("headers")
    @classmethod
    def _nothing_secret(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name.lower() in ("authorization", "proxy-authorization", "cookie", "x-api-key"):
                raise ValueError(f"{name} is set by auth:, with the secret named")
        return value

    @model_validator(mode="after")
    def _encrypted(self) -> HttpAccess:
        if self.tls == self.url.startswith("http://"):
            raise ValueError("an http:// url needs tls: off, an https:// one must not have it")
        return self

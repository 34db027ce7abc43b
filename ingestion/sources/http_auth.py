"""How an interface is told who asks: a key in a header or the query, basic, OAuth 2 (RFC 6749 4.4)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

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

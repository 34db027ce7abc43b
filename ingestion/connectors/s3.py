"""``s3``: objects below a prefix of an S3-compatible store (obstore, Rust).

.. code-block:: yaml

    source:
      connector: s3
      endpoint: https://oss.example.gov.cn
      bucket: exchange
      prefix: tax/arrears/
      pattern: "*.csv"
      access_key: env:OSS_ACCESS_KEY
      secret: env:OSS_SECRET_KEY
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from catalog.errors import SourceError, SourceUnavailable
from ingestion.sources.base import Fetched, Pull
from ingestion.sources.listing import FileParams, fetch_files
from ingestion.sources.secrets import SecretName, scrub
from ingestion.sources.state import RemoteFile

CHUNK = 8 << 20
_REASONS = ("connection refused", "dns error", "timed out", "connection reset", "connection closed")
"""What the library's text may say of a line; its own names of errors say little."""
_STATUS = re.compile(r"status(?: code)?[: ]+\"?(\d{3})", re.I)


class S3Params(FileParams):
    """Attributes:
    endpoint: URL of the store; ``https`` unless ``tls: off``.
    prefix: objects whose key begins so; names are relative to its last ``/``.
    path_style: ``https://endpoint/bucket/key`` instead of ``https://bucket.endpoint/key``.
    timeout_seconds: of connecting and of every single answer.
    """

    endpoint: str
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,62}$")
    prefix: str = ""
    region: str = "us-east-1"
    access_key: SecretName
    secret: SecretName
    path_style: bool = True
    tls: bool = True
    recursive: bool = True
    settle_seconds: float = Field(default=0, ge=0, le=86_400)
    timeout_seconds: float = Field(default=60, gt=0, le=3600)

    @field_validator("endpoint")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query:
            raise ValueError("endpoint is a URL of scheme and host, without credentials")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _encrypted(self) -> S3Params:
        if self.tls == self.endpoint.startswith("http://"):
            raise ValueError("an http:// endpoint needs tls: off, an https:// one must not have it")
        return self


class Bucket:
    """The objects below a prefix."""

    def __init__(self, params: S3Params, pull: Pull) -> None:
        from obstore.store import S3Store

        self._params = params
        key, secret = pull.secret(params.access_key), pull.secret(params.secret)
        self._secrets = (key, secret)
        self._base = params.prefix[: params.prefix.rfind("/") + 1]
        wait = timedelta(seconds=params.timeout_seconds)
        self._store = S3Store(
            params.bucket,
            endpoint=params.endpoint,
            region=params.region,
            access_key_id=key,
            secret_access_key=secret,
            virtual_hosted_style_request=not params.path_style,
            client_options={"timeout": wait, "connect_timeout": wait, "allow_http": not params.tls},
            retry_config={"max_retries": 3, "retry_timeout": wait},
        )

    def files(self) -> Iterator[RemoteFile]:
        import obstore

        try:
            for page in obstore.list(self._store, prefix=self._base or None, chunk_size=500):
                for meta in page:
                    file = self._remote(meta)
                    if self._wanted(file.name):
                        yield file
        except Exception as e:  # noqa: BLE001 - the library raises many kinds; each is told apart below
            raise self._fault(e) from None

    def fetch(self, file: RemoteFile, target: Path) -> None:
        import obstore

        try:
            answer = obstore.get(self._store, self._base + file.name)
            with target.open("wb") as out:
                for chunk in answer.stream(min_chunk_size=CHUNK):
                    out.write(chunk)
        except Exception as e:  # noqa: BLE001 - as above
            raise self._fault(e, file.name) from None

    def look(self, name: str) -> RemoteFile | None:
        import obstore

        try:
            return self._remote(obstore.head(self._store, self._base + name))
        except FileNotFoundError:
            return None
        except Exception as e:  # noqa: BLE001 - as above
            raise self._fault(e, name) from None

    def _wanted(self, name: str) -> bool:
        inside = (self._base + name).startswith(self._params.prefix)
        return bool(name) and inside and (self._params.recursive or "/" not in name)

    def _remote(self, meta: Any) -> RemoteFile:
        changed_ns = int(meta["last_modified"].astimezone(UTC).timestamp()) * 1_000_000_000
        return RemoteFile(meta["path"].removeprefix(self._base), meta["size"], changed_ns, meta["e_tag"] or "")

    def _fault(self, error: BaseException, name: str | None = None) -> SourceError:
        """``error`` in our words; the library's own text may hold the request, so little of it is kept."""
        where: dict[str, Any] = {"endpoint": self._params.endpoint, "bucket": self._params.bucket, "file": name}
        if isinstance(error, SourceError):
            return error
        text = scrub(error, self._secrets)
        kind = type(error).__name__
        found = _STATUS.search(str(error))
        status = int(found.group(1)) if found else 0
        if kind in ("PermissionDeniedError", "UnauthenticatedError") or status in (401, 403):
            return SourceError(
                "the store refused the credentials",
                hint=f"check {self._params.access_key} and {self._params.secret}, and the rights to list and read",
                **where,
            )
        if isinstance(error, FileNotFoundError) or status == 404:
            return SourceError(
                "there is no such bucket or object", hint="check source.bucket and source.prefix", **where
            )
        if isinstance(error, OSError) and error.errno is not None:
            raise error
        reason = next((r for r in _REASONS if r in str(error).lower()), kind)
        return SourceUnavailable(
            f"the store cannot be reached: {reason}{f', status {status}' if status else ''}"
            f"{', certificate not trusted' if 'certificate' in text.lower() else ''}",
            hint="the next pull goes on where this one stopped; check endpoint and network when it lasts",
            **where,
        )


class S3:
    name = "s3"
    params = S3Params
    formats: tuple[str, ...] = ()

    def place(self, params: S3Params) -> str:
        return f"s3://{params.bucket}/{params.prefix}"

    def fetch(self, params: S3Params, pull: Pull) -> Iterator[Fetched]:
        base = params.prefix[: params.prefix.rfind("/") + 1]
        host = urlsplit(params.endpoint).netloc
        yield from fetch_files(Bucket(params, pull), params, pull, f"s3://{host}/{params.bucket}/{base}".rstrip("/"))


CONNECTOR = S3()

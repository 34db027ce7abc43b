"""``sftp``: a folder of an SFTP server whose host key is pinned in the contract.

.. code-block:: yaml

    source:
      connector: sftp
      host: sftp.example.gov.cn
      user: xicheng
      secret: file:sftp_tax            # a password; or key: file:sftp_tax_key
      host_key: ssh-ed25519 AAAAC3…    # what `ssh-keyscan HOST` prints, after checking it with the provider
      folder: /outbox
      pattern: "*.csv"
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, field_validator, model_validator

from catalog.errors import SourceError, SourceUnavailable
from ingestion.sources.base import Fetched, Pull
from ingestion.sources.listing import FileParams, fetch_files
from ingestion.sources.retry import retried
from ingestion.sources.secrets import KeyFileName, SecretName, private_file, scrub
from ingestion.sources.state import RemoteFile

T = TypeVar("T")


class SftpParams(FileParams):
    """Attributes:
    host_key: one or more public keys of the server; no other is accepted.
    secret: password. key: private key file; passphrase: of that key.
    timeout_seconds: of connecting and of every single answer. transfer_timeout_seconds: of one file.
    """

    host: str = Field(pattern=r"^[A-Za-z0-9.:_-]+$")
    port: int = Field(default=22, ge=1, le=65535)
    user: str
    secret: SecretName | None = None
    key: KeyFileName | None = None
    passphrase: SecretName | None = None
    host_key: tuple[str, ...] = Field(min_length=1)
    folder: str
    timeout_seconds: float = Field(default=30, gt=0, le=600)
    transfer_timeout_seconds: float = Field(default=3600, gt=0, le=86_400)

    @field_validator("host_key", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("folder")
    @classmethod
    def _no_climbing(cls, value: str) -> str:
        if ".." in value.split("/"):
            raise ValueError("folder has no ..")
        return value.rstrip("/") or "/"

    @model_validator(mode="after")
    def _one_way_in(self) -> SftpParams:
        if (self.secret is None) == (self.key is None):
            raise ValueError("give either secret (a password) or key (a private key file)")
        return self


class SftpFolder:
    """A folder of an SFTP server, spoken to from ordinary code; connects again when the line was cut."""

    def __init__(self, params: SftpParams, pull: Pull) -> None:
        self._params, self._sleep = params, pull.sleep
        self._password = pull.secret(params.secret)
        self._passphrase = pull.secret(params.passphrase)
        self._key = pull.key_file(params.key)
        self._loop = asyncio.new_event_loop()
        self._connection: Any = None
        self._sftp: Any = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.abort()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def files(self) -> Iterator[RemoteFile]:
        """The listing as it comes; a line that is cut meanwhile ends the pull."""
        retried(self._connect, sleep=self._sleep)
        return self._walk("")

    def fetch(self, file: RemoteFile, target: Path) -> None:
        def once() -> None:
            self._connect()
            target.unlink(missing_ok=True)
            self._wait(self._sftp.get(self._path(file.name), str(target)), self._params.transfer_timeout_seconds)

        retried(once, sleep=self._sleep)

    def look(self, name: str) -> RemoteFile | None:
        def once() -> RemoteFile | None:
            self._connect()
            return _remote(name, self._wait(self._sftp.lstat(self._path(name))))

        return retried(once, sleep=self._sleep)

    def _walk(self, below: str) -> Iterator[RemoteFile]:
        import asyncssh

        entries: AsyncIterator[Any] = self._sftp.scandir(self._path(below))
        folders = []
        while True:
            try:
                entry = self._wait(_next(entries))
            except _End:
                break
            if entry.filename in (".", ".."):
                continue
            name = f"{below}{entry.filename}"
            if entry.attrs.type == asyncssh.FILEXFER_TYPE_DIRECTORY:
                folders.append(f"{name}/")
            elif (file := _remote(name, entry.attrs)) is not None:
                yield file
        if self._params.recursive:
            for folder in folders:
                if "/" not in folder[len(below) : -1] and "\\" not in folder:
                    yield from self._walk(folder)

    def _path(self, name: str) -> str:
        return f"{self._params.folder.rstrip('/')}/{name}".rstrip("/") or "/"

    def _connect(self) -> None:
        """A connection that is alive, made when there is none."""
        import asyncssh

        if self._connection is not None and not self._connection.is_closed():
            return
        logging.getLogger("asyncssh").setLevel(logging.WARNING)
        p = self._params
        keys = []
        if self._key is not None:
            try:
                keys = [asyncssh.read_private_key(private_file(self._key), self._passphrase)]
            except asyncssh.KeyImportError as e:
                raise SourceError(
                    f"keys/{self._key.name} is no private key, or its passphrase is another",
                    hint="write an OpenSSH private key there, or correct source.passphrase",
                ) from e
        try:
            pinned = [asyncssh.import_public_key(k) for k in p.host_key]
        except (asyncssh.KeyImportError, ValueError) as e:
            raise SourceError(
                "source.host_key is no public key", hint="write what ssh-keyscan prints after the host's name"
            ) from e
        opening = asyncssh.connect(
            p.host, p.port, username=p.user, password=self._password, client_keys=keys or None,
            known_hosts=(pinned, [], []), config=None, agent_path=None, x509_trusted_certs=None,
            gss_auth=False, gss_kex=False, connect_timeout=p.timeout_seconds, login_timeout=p.timeout_seconds,
            keepalive_interval=p.timeout_seconds,
            preferred_auth="publickey" if keys else "password,keyboard-interactive",
        )  # fmt: skip
        self._connection = self._wait(opening, p.timeout_seconds * 2)
        self._sftp = self._wait(self._connection.start_sftp_client())

    def _wait(self, coroutine: Awaitable[T], seconds: float | None = None) -> T:
        """The result of one exchange, within its time; faults in our words."""
        import asyncssh

        limit = seconds or self._params.timeout_seconds
        try:
            return self._loop.run_until_complete(asyncio.wait_for(coroutine, limit))
        except TimeoutError:
            self._drop()
            raise self._unavailable(f"no answer within {limit:g} s") from None
        except asyncssh.HostKeyNotVerifiable:
            raise self._fault(
                "the server shows another host key than the contract pins",
                "ask the provider whether the key was changed; if so, correct source.host_key",
            ) from None
        except asyncssh.PermissionDenied:
            raise self._fault(
                "the server refused the credentials", f"check source.user and {self._params.secret or self._params.key}"
            ) from None
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            raise self._fault(
                "the folder or file is not there", f"check source.folder ({self._params.folder})"
            ) from None
        except asyncssh.SFTPPermissionDenied:
            raise self._fault(
                "the server does not let this user read there", "ask the provider for read rights"
            ) from None
        except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, asyncssh.DisconnectError, OSError) as e:
            self._drop()
            raise self._unavailable(_reason(e, self._password, self._passphrase)) from None
        except asyncssh.SFTPError as e:
            raise self._fault(_reason(e, self._password, self._passphrase), "ask the provider") from None

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.abort()
        self._connection = None

    def _fault(self, message: str, hint: str) -> SourceError:
        return SourceError(message, hint=hint, host=self._params.host, port=self._params.port)

    def _unavailable(self, reason: str) -> SourceUnavailable:
        return SourceUnavailable(
            f"the SFTP server cannot be reached: {reason}",
            hint="the next pull goes on where this one stopped; check host, port and network when it lasts",
            host=self._params.host,
            port=self._params.port,
        )


class _End(Exception):
    """A listing is over; StopAsyncIteration cannot pass through an event loop."""


async def _next(entries: AsyncIterator[Any]) -> Any:
    try:
        return await anext(entries)
    except StopAsyncIteration:
        raise _End from None


def _reason(error: BaseException, *secrets: str | None) -> str:
    return scrub(getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__, secrets)


def _remote(name: str, attrs: Any) -> RemoteFile | None:
    import asyncssh

    if attrs.type not in (asyncssh.FILEXFER_TYPE_REGULAR, asyncssh.FILEXFER_TYPE_UNKNOWN) or attrs.size is None:
        return None
    return RemoteFile(name, attrs.size, (attrs.mtime or 0) * 1_000_000_000 + (getattr(attrs, "mtime_ns", 0) or 0))


class Sftp:
    name = "sftp"
    params = SftpParams
    formats: tuple[str, ...] = ()

    def place(self, params: SftpParams) -> str:
        return f"sftp://{params.host}:{params.port}{'' if params.folder.startswith('/') else '/~/'}{params.folder}"

    def fetch(self, params: SftpParams, pull: Pull) -> Iterator[Fetched]:
        remote = SftpFolder(params, pull)
        try:
            yield from fetch_files(remote, params, pull, self.place(params))
        finally:
            remote.close()


CONNECTOR = Sftp()

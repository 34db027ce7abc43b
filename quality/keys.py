"""Where keys come from, and envelope encryption: data keys wrapped by a master key.

A *master key* never touches data; it wraps *data keys*, one per resource (feed), which encrypt
columns. Wrapped data keys may lie beside the data; a master key comes from a provider:

* ``FileKeyProvider``: ``<home>/keys/<name>.key`` (64 hex digits, mode 0600), made on first use.
* ``EnvironmentKeyProvider``: ``LAKEHOUSE_KEY_<NAME>``, for containers and CI.
* any object with the shape of ``KeyProvider``: a KMS or HSM wraps and unwraps by itself and hands
  out no key; only ``wrap`` and ``unwrap`` are ever called on a provider.

Rotation makes a new master version and wraps every data key again; the data is not touched.
Destroying a data key makes what it encrypted unreadable (crypto-erase).
"""

from __future__ import annotations

import hashlib
import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import ClassVar, Protocol

from catalog.errors import LakehouseError

KEY_BYTES = 32


class KeyFault(LakehouseError):
    """A key is missing, unsafe, or not the one that encrypted."""

    code: ClassVar[str] = "LH311"


class KeyProvider(Protocol):
    """Wraps and unwraps data keys under a named, versioned master key."""

    def current(self, name: str) -> str:
        """Id of the master key version that wraps now; made on first use."""
        ...

    def wrap(self, key_id: str, data_key: bytes) -> bytes: ...

    def unwrap(self, key_id: str, wrapped: bytes) -> bytes: ...


def provider_of(setting: str, folder: Path) -> KeyProvider:
    """The provider a setting names: ``file``, ``environment``, or ``package.module:factory``.

    Args:
        folder: of the key files.

    Raises:
        KeyFault: there is no such provider.
    """
    if setting == "file":
        return FileKeyProvider(folder)
    if setting == "environment":
        return EnvironmentKeyProvider()
    module, _, name = setting.partition(":")
    try:
        made: KeyProvider = getattr(import_module(module), name)()
    except (ImportError, AttributeError, ValueError) as e:
        raise KeyFault(
            f"there is no key provider {setting!r}", hint="use file, environment, or package.module:factory"
        ) from e
    return made


class _LocalKeys(ABC):
    """Shared by providers that hold the master key in memory: AES-256-GCM wrapping."""

    @abstractmethod
    def _master(self, key_id: str) -> bytes:
        """The master key of that version; KeyFault when it is not there."""

    def wrap(self, key_id: str, data_key: bytes) -> bytes:
        """12-byte nonce and AES-256-GCM ciphertext; the key id is authenticated."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(12)
        return nonce + AESGCM(self._master(key_id)).encrypt(nonce, data_key, key_id.encode())

    def unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        """The data key; KeyFault when ``wrapped`` is not of this master key."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            return AESGCM(self._master(key_id)).decrypt(wrapped[:12], wrapped[12:], key_id.encode())
        except InvalidTag as e:
            raise KeyFault(
                "the wrapped data key does not belong to this master key",
                hint="restore the master key of this lake from its backup",
                key_id=key_id,
            ) from e


class FileKeyProvider(_LocalKeys):
    """Master keys as files ``<folder>/<name>.v<N>.key``; the highest version wraps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def current(self, name: str) -> str:
        if not self._versions(name):
            with suppress(FileExistsError):  # another process made the first version just now
                return self.rotate(name)
        return f"{name}.v{self._versions(name)[-1]}"

    def rotate(self, name: str) -> str:
        """Make the next master version; returns its id. Old versions stay to unwrap."""
        versions = self._versions(name)
        key_id = f"{name}.v{(versions[-1] if versions else 0) + 1}"
        write_key_file(self.folder / f"{key_id}.key", secrets.token_bytes(KEY_BYTES))
        return key_id

    def _versions(self, name: str) -> list[int]:
        found = (p.name[len(name) + 2 : -4] for p in self.folder.glob(f"{name}.v*.key"))
        return sorted(int(v) for v in found if v.isdigit())

    def _master(self, key_id: str) -> bytes:
        return read_key_file(self.folder / f"{key_id}.key")


class EnvironmentKeyProvider(_LocalKeys):
    """Master keys from ``LAKEHOUSE_KEY_<NAME>`` (64 hex digits); its id is a digest of the key.

    While a master is being rotated the one before stands in ``LAKEHOUSE_KEY_<NAME>_PREVIOUS``.
    """

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        self._env = os.environ if env is None else env

    def current(self, name: str) -> str:
        return f"{name}.{key_fingerprint(self._read(name))}"

    def _master(self, key_id: str) -> bytes:
        name, _, fingerprint = key_id.rpartition(".")
        held = [self._read(name)]
        if self._env.get(f"{_variable(name)}_PREVIOUS"):
            held.append(self._read(f"{name}_previous"))
        for key in held:
            if key_fingerprint(key) == fingerprint:
                return key
        hint = f"set the key that wrapped this data, while rotating as {_variable(name)}_PREVIOUS"
        raise KeyFault("the environment holds another key", hint=hint, key_id=key_id)

    def _read(self, name: str) -> bytes:
        variable = _variable(name)
        value = self._env.get(variable, "")
        return _parse_key(value, variable)


def _variable(name: str) -> str:
    return f"LAKEHOUSE_KEY_{name.upper()}"


def key_fingerprint(key: bytes) -> str:
    """Eight hex digits that name a key without telling it."""
    return hashlib.sha256(b"xicheng-lakehouse key id\x00" + key).hexdigest()[:8]


def write_key_file(file: Path, key: bytes) -> None:
    """Write a new key file, mode 0600, durable, whole or not at all; never overwrites one.

    Raises:
        FileExistsError: there is one.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as f:
            f.write(key.hex() + "\n")
            f.flush()
            os.fsync(f.fileno())
        os.link(draft, file)
    finally:
        draft.unlink(missing_ok=True)


def key_file(file: Path) -> bytes:
    """The key in ``file``, made on first use; when two processes make it at once, one key wins.

    Raises:
        KeyFault: malformed, or readable by others.
    """
    if not file.exists():
        with suppress(FileExistsError):
            write_key_file(file, secrets.token_bytes(KEY_BYTES))
    return read_key_file(file)


def read_key_file(file: Path) -> bytes:
    """A key from its file; KeyFault when it is missing, malformed, or readable by others."""
    if not file.exists():
        raise KeyFault("a key file is missing", hint="restore it from its backup", file=file)
    if file.stat().st_mode & 0o077:
        raise KeyFault("a key file can be read by others", hint="chmod 600 it, and rotate the key", file=file)
    return _parse_key(file.read_text(encoding="ascii").strip(), str(file))


def _parse_key(text: str, where: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyFault("not a key of 64 hex digits", hint="restore it from its backup", where=where)
    return key

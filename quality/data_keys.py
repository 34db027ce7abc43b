"""Data keys: versioned, a line of them for each resource (feed), wrapped by a master key: ``<folder>/<resource>.json``.

New values are sealed under the newest; older ones stay to read what they sealed. Erasing a resource destroys all of
its keys and leaves a note of their ids, so that reading says *erased*, not *corrupt*. Callers hold the resource's
lock while they create, rotate or erase; readers need none, a file is always whole.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quality.cipher import Algorithm, DataKey
from quality.keys import KEY_BYTES, KeyFault, KeyProvider

MASTER = "vault"
"""Name of the master key that wraps data keys."""


class KeyErased(KeyFault):
    """What is asked for was made unreadable on purpose: its data key was destroyed."""

    code: ClassVar[str] = "LH313"


class WrappedKey(BaseModel):
    """A data key as it is kept.

    Attributes:
        id: 16 hex digits, derived one way from the key.
        master: id of the master key version that wraps it.
        wrapped: Base64.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    algorithm: Algorithm
    created_at: datetime
    master: str
    wrapped: str


class KeyLine(BaseModel):
    """The keys of a resource, oldest first, and when those that are gone were erased."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resource: str
    keys: tuple[WrappedKey, ...] = ()
    erased: dict[str, datetime] = Field(default_factory=dict)


class DataKeys:
    """The data keys of a lakehouse.

    Args:
        folder: one file a resource, mode 0600.
        provider: wraps and unwraps.
        on_change: called with ``created``, ``rotated``, ``rewrapped``, ``retired`` or ``erased``, the resource and the
            key's id, after it happened.
    """

    def __init__(
        self, folder: Path, provider: KeyProvider, *, on_change: Callable[[str, str, str], None] | None = None
    ) -> None:
        self._folder, self._provider = folder, provider
        self._tell = on_change or (lambda _what, _resource, _id: None)
        self._unwrapped: dict[tuple[str, str], DataKey] = {}

    def line(self, resource: str) -> KeyLine | None:
        """What is kept of a resource's keys; None when it never had one.

        Raises:
            KeyFault: the file is damaged, or can be read by others.
        """
        file = self._file(resource)
        if not file.exists():
            return None
        if file.stat().st_mode & 0o077:
            raise KeyFault("a data key file can be read by others", hint="chmod 600 it, and rotate the key", file=file)
        try:
            found = KeyLine.model_validate_json(file.read_text(encoding="utf-8"))
        except (ValidationError, ValueError) as e:
            raise KeyFault("a data key file is damaged", hint="restore it from its backup", file=file) from e
        if found.resource != resource:
            raise KeyFault(
                f"a data key file is of {found.resource}, not of {resource}",
                hint="restore it from its backup",
                file=file,
            )
        return found

    def resources(self) -> list[str]:
        """Resources that have or had a key."""
        return sorted(p.stem for p in self._folder.glob("*.json"))

    def current(self, resource: str, *, algorithm: Algorithm, now: datetime, create: bool = True) -> DataKey:
        """The key that seals new values; made on first use, and when another cipher is asked for.

        Args:
            create: False when sealed values exist already: a new key would not open them.

        Raises:
            KeyFault: it is missing and not to be made, or its master key is.
        """
        line = self.line(resource)
        if line is None and not create:
            raise self._missing(resource)
        if line is None or not line.keys:
            return self._add(line or KeyLine(resource=resource), algorithm, now, "created")
        newest = line.keys[-1]
        if newest.algorithm != algorithm:
            return self._add(line, algorithm, now, "rotated")
        return self.find(resource, newest.id)

    def find(self, resource: str, key_id: str) -> DataKey:
        """The key of an id.

        Raises:
            KeyErased: it was destroyed on purpose.
            KeyFault: there is none, or its master key is missing or another one.
        """
        if (resource, key_id) in self._unwrapped:
            return self._unwrapped[resource, key_id]
        line = self.line(resource)
        if line is None:
            raise self._missing(resource)
        found = next((k for k in line.keys if k.id == key_id), None)
        if found is None and key_id in line.erased:
            raise KeyErased(
                f"these values of {resource} were erased on {line.erased[key_id]:%Y-%m-%d}: their key was destroyed",
                hint="they cannot be read again; new deliveries are sealed under a new key",
                resource=resource,
                key_id=key_id,
            )
        if found is None:
            raise KeyFault(
                f"a value was sealed under a key that is none of {resource}",
                hint="restore the data key file from its backup; or the value was moved here from another resource",
                resource=resource,
                key_id=key_id,
            )
        key = self._unwrap(found)
        self._unwrapped[resource, key_id] = key
        return key

    def rotate(self, resource: str, *, algorithm: Algorithm, now: datetime) -> DataKey:
        """A new key for new values; the old ones stay."""
        line = self.line(resource)
        if line is None:
            raise self._missing(resource)
        return self._add(line, algorithm, now, "rotated")

    def retire(self, resource: str, *, now: datetime) -> list[str]:
        """Destroy all keys but the newest, after everything was sealed anew; their ids."""
        line = self.line(resource)
        if line is None or len(line.keys) < 2:
            return []
        gone = [k.id for k in line.keys[:-1]]
        self._write(
            line.model_copy(update={"keys": line.keys[-1:], "erased": {**line.erased, **dict.fromkeys(gone, now)}})
        )
        self._forget(resource, gone, "retired")
        return gone

    def rewrap(self, resource: str) -> int:
        """Wrap every key of a resource under the newest master; how many."""
        line = self.line(resource)
        if line is None:
            return 0
        wrapped = [self._wrap(self._unwrap(k), k.created_at) for k in line.keys]
        self._write(line.model_copy(update={"keys": tuple(wrapped)}))
        for key in wrapped:
            self._tell("rewrapped", resource, key.id)
        return len(wrapped)

    def erase(self, resource: str, *, now: datetime) -> list[str]:
        """Destroy every key of a resource; the ids of those that were there."""
        line = self.line(resource)
        if line is None:
            return []
        gone = [k.id for k in line.keys]
        self._write(KeyLine(resource=resource, erased={**line.erased, **dict.fromkeys(gone, now)}))
        self._forget(resource, gone, "erased")
        return gone

    # ---

    def _file(self, resource: str) -> Path:
        return self._folder / f"{resource}.json"

    def _missing(self, resource: str) -> KeyFault:
        return KeyFault(
            f"the data key of {resource} is missing while values sealed with it exist",
            hint="restore it from its backup; without it they cannot be read again",
            file=self._file(resource),
        )

    def _forget(self, resource: str, key_ids: list[str], what: str) -> None:
        for key_id in key_ids:
            self._unwrapped.pop((resource, key_id), None)
            self._tell(what, resource, key_id)

    def _add(self, line: KeyLine, algorithm: Algorithm, now: datetime, what: str) -> DataKey:
        self._prove_master(line)
        secret = secrets.token_bytes(KEY_BYTES)
        key = DataKey(_key_id(secret), algorithm, secret)
        self._write(line.model_copy(update={"keys": (*line.keys, self._wrap(key, now))}))
        self._unwrapped[line.resource, key.id] = key
        self._tell(what, line.resource, key.id)
        return key

    def _prove_master(self, line: KeyLine) -> None:
        """Open one key first: where others exist, a missing master must not be replaced by a new one."""
        known = line.keys[-1:]
        if not known:
            lines = (self.line(r) for r in self.resources() if r != line.resource)
            known = next((found.keys[-1:] for found in lines if found and found.keys), ())
        for key in known:
            self._unwrap(key)

    def _wrap(self, key: DataKey, created_at: datetime) -> WrappedKey:
        master = self._provider.current(MASTER)
        wrapped = base64.b64encode(self._provider.wrap(master, key.secret)).decode()
        return WrappedKey(id=key.id, algorithm=key.algorithm, created_at=created_at, master=master, wrapped=wrapped)

    def _unwrap(self, kept: WrappedKey) -> DataKey:
        secret = self._provider.unwrap(kept.master, base64.b64decode(kept.wrapped))
        if _key_id(secret) != kept.id:
            raise KeyFault(
                "a data key is not the one its file names", hint="restore it from its backup", key_id=kept.id
            )
        return DataKey(kept.id, kept.algorithm, secret)

    def _write(self, line: KeyLine) -> None:
        """Replace the file whole, durably; what it held before is overwritten in place first."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = self._file(line.resource)
        draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
        old = os.open(file, os.O_WRONLY) if file.exists() else None
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as f:
                f.write(json.dumps(line.model_dump(mode="json"), indent=1) + "\n")
                f.flush()
                os.fsync(f.fileno())
            draft.replace(file)
            _sync(self._folder)
            if old is not None:
                os.pwrite(old, b"\0" * os.fstat(old).st_size, 0)
                os.fsync(old)
        finally:
            draft.unlink(missing_ok=True)
            if old is not None:
                os.close(old)


def _key_id(secret: bytes) -> str:
    return hashlib.sha256(b"xicheng-lakehouse data key id\x00" + secret).hexdigest()[:16]


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def describe(line: KeyLine) -> dict[str, Any]:
    """What may be shown of a resource's keys: ids, ciphers, ages; no key."""
    newest = line.keys[-1] if line.keys else None
    return {
        "key_id": newest.id if newest else "",
        "algorithm": newest.algorithm if newest else "",
        "created_at": newest.created_at if newest else None,
        "master": newest.master if newest else "",
        "keys": len(line.keys),
        "erased": len(line.erased),
    }

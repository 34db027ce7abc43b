"""The audit log: one event a line, each bound to the one before it, the newest always signed.

``<home>/audit/log.jsonl`` holds the events; a line carries ``prev``, the SHA-256 of the whole line
before it, so that changing, removing, reordering or inserting a line breaks the chain.
``heads.jsonl`` holds one Ed25519 signature for every append over (sequence, line hash, previous
head), so that cutting off the end shows too. The private key is ``<home>/keys/audit.key`` (0600);
``audit.pub`` stands beside the log for whoever verifies. Somebody who holds the key *and* both
files can roll both back: keep a head elsewhere (``AuditLog.head``) and hand it to the verifier.

``warehouse/audit_verify.py`` checks a log and shares no code with this module, on purpose.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import ContractError, LakehouseError
from catalog.settings import Settings
from catalog.yamlfile import read_yaml

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

GENESIS = "0" * 64


class AuditError(LakehouseError):
    """The log or its key cannot be used."""

    code = "LH700"


class AuditLog:
    """Appends events of one lakehouse.

    Args:
        settings: where the log and its key are.
        actor: who acts: a person, a role or a service; never empty.
    """

    def __init__(self, settings: Settings, *, actor: str) -> None:
        if not actor:
            raise AuditError("an audit event needs an actor", hint="pass the principal that acts")
        self.folder = settings.home / "audit"
        self.actor = actor
        self._key_file = settings.keys / "audit.key"
        self._events = _event_catalogue(settings.catalog_dir)

    def append(self, event: str, detail: Mapping[str, Any], *, at: datetime) -> int:
        """Append one event; returns its sequence number (from 1).

        Raises:
            ContractError: when the event is not catalogued or lacks a detail it must carry.
            AuditError: when the log is damaged at its end or the key file is unsafe.
        """
        return self.append_all([(event, detail)], at=at)

    def append_all(self, events: Sequence[tuple[str, Mapping[str, Any]]], *, at: datetime) -> int:
        """Append several events under one signature; returns the last sequence number."""
        from filelock import FileLock

        for event, detail in events:
            self._check(event, detail)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(self.folder / "log.lock", timeout=30):
            key = self._key()
            seq, prev = self._tail()
            lines = []
            for event, detail in events:
                seq += 1
                body = {
                    "seq": seq,
                    "at": at.isoformat(),
                    "actor": self.actor,
                    "event": event,
                    "detail": dict(detail),
                    "prev": prev,
                }
                line = json.dumps(body, ensure_ascii=False, sort_keys=True, default=str)
                prev = hashlib.sha256(line.encode()).hexdigest()
                lines.append(line)
            _append_lines(self.folder / "log.jsonl", lines)
            self._sign(key, seq, prev)
        return seq

    def head(self) -> dict[str, Any]:
        """The newest signed head: keep it elsewhere to notice a rolled-back log."""
        last = _last_line(self.folder / "heads.jsonl")
        return json.loads(last) if last else {"seq": 0, "hash": GENESIS}

    def _check(self, event: str, detail: Mapping[str, Any]) -> None:
        wanted = self._events.get(event)
        if wanted is None:
            raise ContractError(
                f"{event!r} is not a catalogued audit event", hint="add it to catalog/audit/events.yaml"
            )
        missing = [name for name in wanted if name not in detail]
        if missing:
            raise ContractError(
                f"audit event {event} lacks {', '.join(missing)}", hint="pass every detail it must carry"
            )

    def _tail(self) -> tuple[int, str]:
        last = _last_line(self.folder / "log.jsonl")
        if not last:
            return 0, GENESIS
        return json.loads(last)["seq"], hashlib.sha256(last).hexdigest()

    def _sign(self, key: Ed25519PrivateKey, seq: int, digest: str) -> None:
        last = _last_line(self.folder / "heads.jsonl")
        prev = hashlib.sha256(last).hexdigest() if last else GENESIS
        signature = key.sign(f"{seq}:{digest}:{prev}".encode())
        head = {"seq": seq, "hash": digest, "prev": prev, "signature": base64.b64encode(signature).decode()}
        _append_lines(self.folder / "heads.jsonl", [json.dumps(head, sort_keys=True)])

    def _key(self) -> Ed25519PrivateKey:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if not self._key_file.exists():
            if _last_line(self.folder / "log.jsonl"):
                raise AuditError(
                    "the audit key is gone but the log is not",
                    hint="restore keys/audit.key from its backup",
                    file=self._key_file,
                )
            self._key_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            key = Ed25519PrivateKey.generate()
            _write_private(
                self._key_file,
                key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                ),
            )
            public = key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            (self.folder / "audit.pub").write_bytes(public)
            return key
        if self._key_file.stat().st_mode & 0o077:
            raise AuditError("the audit key can be read by others", hint="chmod 600 it", file=self._key_file)
        loaded = serialization.load_pem_private_key(self._key_file.read_bytes(), password=None)
        if not isinstance(loaded, Ed25519PrivateKey):
            raise AuditError("not an Ed25519 key", hint="restore keys/audit.key from its backup", file=self._key_file)
        return loaded


def _event_catalogue(catalog_dir: Path) -> dict[str, list[str]]:
    data = read_yaml(catalog_dir / "audit" / "events.yaml").data
    return {event: list(entry["detail"]) for event, entry in data.items()}


def _append_lines(file: Path, lines: list[str]) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, "".join(line + "\n" for line in lines).encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _last_line(file: Path, block: int = 65536) -> bytes:
    """The last whole line without its newline; a line cut by a crash is removed first."""
    if not file.exists():
        return b""
    with file.open("rb+") as f:
        size = f.seek(0, os.SEEK_END)
        tail = b""
        start = size
        while start > 0:
            start = max(0, start - block)
            f.seek(start)
            tail = f.read(size - start)
            if tail.count(b"\n") > 1 or start == 0:
                break
        if tail and not tail.endswith(b"\n"):
            keep = tail.rfind(b"\n") + 1
            f.truncate(start + keep)
            tail = tail[:keep]
    lines = tail.splitlines()
    return lines[-1] if lines else b""


def _write_private(file: Path, content: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as f:
        f.write(content)
        f.flush()
        os.fsync(f.fileno())

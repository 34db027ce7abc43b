"""Encrypts single values: AES-256-GCM, or SM4-GCM (GB/T 32907-2016) where national ciphers are asked for.

A sealed value is ``version(1) ‖ key id(8) ‖ nonce(12) ‖ ciphertext ‖ tag(16)``. It names its data key, so that old
values stay readable after a rotation. What a value belongs to (its *context*, a feed) is authenticated: a value that
was moved to another place does not open. Nonces are random; one data key seals at most 2**32 values (NIST SP 800-38D
§8.3), which is what rotation is for.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from quality.keys import KEY_BYTES, KeyFault

Algorithm = Literal["aes-256-gcm", "sm4-gcm"]
_VERSIONS: dict[int, Algorithm] = {1: "aes-256-gcm", 2: "sm4-gcm"}
_ID, _NONCE, _TAG = 8, 12, 16
_HEAD = 1 + _ID + _NONCE
_Crypt = Callable[[bytes, bytes, bytes], bytes]
"""Nonce, text and context to the other text."""
TEXT_MARK = "sealed:"
"""What a sealed value begins with where a column holds text."""


@dataclass(frozen=True)
class DataKey:
    """A key and its name. The secret has 32 bytes; SM4 takes the first 16. Its text forms never show the secret."""

    id: str
    algorithm: Algorithm
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES or len(bytes.fromhex(self.id)) != _ID:
            raise KeyFault("a data key has 32 bytes and an id of 16 hex digits", hint="make it with DataKeys")


class Sealer:
    """Seals values under one data key.

    Args:
        context: what the values belong to, e.g. the feed; needed again to open them.
    """

    def __init__(self, key: DataKey, context: str) -> None:
        self._key, self._context = key, context.encode()
        version = next(v for v, name in _VERSIONS.items() if name == key.algorithm)
        self._head = bytes([version]) + bytes.fromhex(key.id)

    def seal(self, values: Sequence[bytes | None]) -> list[bytes | None]:
        """Sealed values in order; None stays None."""
        nonces = secrets.token_bytes(_NONCE * len(values))
        head, context = self._head, self._context
        seal = self._sealer()
        out: list[bytes | None] = []
        at = 0
        for value in values:
            nonce = nonces[at : at + _NONCE]
            at += _NONCE
            out.append(None if value is None else head + nonce + seal(nonce, value, context))
        return out

    def seal_text(self, values: Sequence[str | None]) -> list[str | None]:
        """Sealed values as text: `TEXT_MARK` and Base64."""
        sealed = self.seal([None if v is None else v.encode() for v in values])
        return [None if v is None else TEXT_MARK + base64.b64encode(v).decode() for v in sealed]

    def _sealer(self) -> _Crypt:
        if self._key.algorithm == "aes-256-gcm":
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            return AESGCM(self._key.secret).encrypt
        return _seal_sm4(self._key.secret)


class Opener:
    """Opens values, whichever data key sealed them.

    Args:
        find: the data key of an id (16 hex digits); raises KeyFault when there is none.
        context: what the values belong to.
    """

    def __init__(self, find: Callable[[str], DataKey], context: str) -> None:
        self._find, self._context = find, context
        self._openers: dict[bytes, _Crypt] = {}

    def open(self, values: Sequence[bytes | None]) -> list[bytes | None]:
        """Plain values in order; None stays None.

        Raises:
            KeyFault: a value was changed, moved here from elsewhere, or its key is not there.
        """
        from cryptography.exceptions import InvalidTag

        openers, context = self._openers, self._context.encode()
        out: list[bytes | None] = []
        try:
            for value in values:
                if value is None:
                    out.append(None)
                    continue
                start = value[: 1 + _ID]
                opener = openers.get(start) or self._opener(start)
                out.append(opener(value[1 + _ID : _HEAD], value[_HEAD:], context))
        except (InvalidTag, ValueError) as e:  # ValueError: cut too short to have a nonce
            raise self._damaged() from e
        return out

    def open_text(self, values: Sequence[str | None]) -> list[str | None]:
        """The texts of `Sealer.seal_text`; a text that was never sealed stays as it is."""
        return [v if v is None or not v.startswith(TEXT_MARK) else self._open_text(v) for v in values]

    def _open_text(self, value: str) -> str:
        try:
            sealed = base64.b64decode(value[len(TEXT_MARK) :], validate=True)
        except ValueError as e:
            raise self._damaged() from e
        return (self.open([sealed])[0] or b"").decode()

    def _opener(self, start: bytes) -> _Crypt:
        """What opens values that begin with this version and key id."""
        algorithm = _VERSIONS.get(start[0]) if len(start) == 1 + _ID else None
        if algorithm is None:
            raise KeyFault(
                "not a sealed value of this house", hint="restore the table from its backup", of=self._context
            )
        secret = self._find(start[1:].hex()).secret
        if algorithm == "aes-256-gcm":
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            made: _Crypt = AESGCM(secret).decrypt
        else:
            made = _open_sm4(secret)
        self._openers[start] = made
        return made

    def _damaged(self) -> KeyFault:
        return KeyFault(
            "a sealed value was changed, or moved here from elsewhere",
            hint="restore the table from its backup, and find out who could write it",
            of=self._context,
        )


def _seal_sm4(secret: bytes) -> _Crypt:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    sm4 = algorithms.SM4(secret[:16])

    def seal(nonce: bytes, plain: bytes, context: bytes) -> bytes:
        encryptor = Cipher(sm4, modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(context)
        return encryptor.update(plain) + encryptor.finalize() + encryptor.tag

    return seal


def _open_sm4(secret: bytes) -> _Crypt:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    sm4 = algorithms.SM4(secret[:16])

    def open_(nonce: bytes, sealed: bytes, context: bytes) -> bytes:
        if len(sealed) < _TAG or len(nonce) < _NONCE:
            raise InvalidTag
        decryptor = Cipher(sm4, modes.GCM(nonce, sealed[-_TAG:])).decryptor()
        decryptor.authenticate_additional_data(context)
        return decryptor.update(sealed[:-_TAG]) + decryptor.finalize()

    return open_


def sealed_by(value: bytes) -> str:
    """The id of the data key that sealed a value."""
    return value[1 : 1 + _ID].hex()

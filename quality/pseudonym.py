"""Keyed pseudonyms: HMAC-SHA256 or HMAC-SM3 of an identifier, so that registers join on a person nobody can name.

They are the first 128 bits of the HMAC (RFC 2104 section 5 asks for half of it at least): half as long in every table,
join and file, and still no two of a billion persons share one but by a chance of 10^-21. Keys of lakes made before say
nothing of a length and go on giving all 256.

The key is a file of the owner alone. It reaches DuckDB only inside a Python function, and DataFusion only among the
data it reads, never as SQL text, parameter, setting or plan, so no log, ``EXPLAIN`` or profile can show it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from catalog.errors import LakehouseError
from quality.identifiers import upgrade_resident_id, upgrade_resident_id_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    from cryptography.hazmat.primitives.hmac import HMAC

    from quality.native_hash import ColumnHmac

Algorithm = Literal["sha256", "sm3"]
KEY_FILE = "pseudonym.key"
FUNCTION = "lakehouse_pseudonym"
FUNCTION_SM3 = "lakehouse_pseudonym_sm3"
FUNCTION_KEY_ID = "lakehouse_key_id"
BLANKS = " \t\r\n\u00a0\u3000\ufeff"
"""Characters around a value that are no part of it."""
NATIVE_ROWS = 100_000
"""Rows from which native code is worth its import."""
DIGITS = 32
"""Hex digits of the pseudonyms of new keys."""
ALL_DIGITS = 64
_BLOCK = 64  # bytes of a SHA-256 block (FIPS 180-4), to which HMAC pads its key (RFC 2104)


class KeyRefused(LakehouseError):
    """The pseudonym key is missing, damaged, or readable by others than its owner."""

    code = "LH310"


class PseudonymKey:
    """A key, and the name it may be called by. Its text forms never show the key.

    Attributes:
        digits: hex digits of its pseudonyms, 32 or 64.
        key_id: eight hex digits, derived one way from the key; stored beside what the key made.
    """

    __slots__ = ("_inner", "_native", "_outer", "digits", "key_id")

    def __init__(self, secret: bytes, digits: int = DIGITS) -> None:
        if len(secret) != 32 or digits not in (DIGITS, ALL_DIGITS):
            raise KeyRefused(
                f"a pseudonym key has 32 bytes and gives {DIGITS} or {ALL_DIGITS} digits",
                hint="restore the key file from its backup",
            )
        self.digits = digits
        padded = secret.ljust(_BLOCK, b"\0")
        self._inner = bytes(b ^ 0x36 for b in padded)
        self._outer = bytes(b ^ 0x5C for b in padded)
        self._native: ColumnHmac | None = None
        self.key_id = hashlib.sha256(b"lakehouse pseudonym key id\0" + secret).hexdigest()[:8]

    def pseudonym(self, text: str) -> str:
        """HMAC-SHA256 (RFC 2104) of the UTF-8 text, its first ``digits`` in hex. As ``hmac.digest``, but faster."""
        sha256 = hashlib.sha256
        return sha256(self._outer + sha256(self._inner + text.encode()).digest()).hexdigest()[: self.digits]

    def pseudonym_sm3(self, text: str) -> str:
        """HMAC-SM3 (GB/T 32905-2016 in RFC 2104) of the UTF-8 text, its first ``digits`` in hex."""
        keyed = self._sm3()
        keyed.update(text.encode())
        return keyed.finalize().hex()[: self.digits]

    def _sm3(self) -> HMAC:
        from cryptography.hazmat.primitives.hashes import SM3
        from cryptography.hazmat.primitives.hmac import HMAC

        return HMAC(bytes(b ^ 0x36 for b in self._inner[:32]), SM3())

    def resident_key(self, resident_id: str) -> str:
        """The pseudonym of a resident ID in any spelling: blanks, small x and 15 digits make no difference."""
        return self.pseudonym(upgrade_resident_id(resident_id.strip(BLANKS)))

    def column(self, texts: Any) -> Any:
        """The pseudonyms of an Arrow column of normalised texts; NULL for NULL.

        Over large batches twice as fast as the registered function, which DuckDB calls for 2,048 rows at a time.
        """
        import pyarrow as pa

        if isinstance(texts, pa.ChunkedArray):
            texts = texts.combine_chunks()
        return self.columns([texts], many=len(texts) >= NATIVE_ROWS)[0]

    def columns(self, texts: Sequence[Any], *, many: bool) -> list[Any]:
        """The pseudonyms of several Arrow arrays of one length, each as of `column`.

        Args:
            many: so many rows are hashed, now or batch by batch, that native code is worth its import.
        """
        if not many:
            return [self._looped(t) for t in texts]
        if self._native is None:
            from quality.native_hash import ColumnHmac

            self._native = ColumnHmac(self._inner, self._outer, digits=self.digits)
        return self._native.hexadecimal(texts)

    def _looped(self, texts: Any) -> Any:
        import numpy as np
        import pyarrow as pa

        encoded = texts.dictionary_encode()  # a household's number stands in each of its rows, and is hashed once
        sha256, inner, outer, kept = hashlib.sha256, self._inner, self._outer, self.digits // 2
        values = encoded.dictionary.cast(pa.binary()).to_pylist()
        digests = b"".join([sha256(outer + sha256(inner + v).digest()).digest()[:kept] for v in values])
        offsets = np.arange(0, self.digits * len(values) + 1, self.digits, dtype=np.int32)
        made = pa.Array.from_buffers(
            pa.string(), len(values), [None, pa.py_buffer(offsets), pa.py_buffer(digests.hex().encode())]
        )
        return made.take(encoded.indices)

    def register(self, con: duckdb.DuckDBPyConnection) -> None:
        """Give ``con`` (and its cursors) the functions that `pseudonym_sql` calls. Once a connection."""
        import pyarrow as pa
        from duckdb.func import PythonUDFType

        fresh, digits = self._sm3(), self.digits  # the padded key is hashed once; copies go on from there

        def sm3(text: str) -> str:
            keyed = fresh.copy()
            keyed.update(text.encode())
            return keyed.finalize().hex()[:digits]

        def function_sm3(column: Any) -> Any:
            return pa.array([None if v is None else sm3(v) for v in column.to_pylist()], pa.string())

        key_id = self.key_id

        def function_key_id(column: Any) -> Any:
            return pa.array([key_id if valid else None for valid in column.is_valid().to_pylist()], pa.string())

        for name, made in ((FUNCTION, self.column), (FUNCTION_SM3, function_sm3), (FUNCTION_KEY_ID, function_key_id)):
            con.create_function(name, made, ["varchar"], "varchar", type=PythonUDFType.ARROW)

    def __repr__(self) -> str:
        return f"PseudonymKey({self.key_id})"

    def __reduce__(self) -> Any:
        raise TypeError("a pseudonym key is not pickled")


def pseudonym_sql(expr: str, name: str = "resident_key", *, algorithm: Algorithm = "sha256") -> str:
    """DuckDB expression of the pseudonym of ``expr`` on a connection that knows the key; NULL for NULL.

    Args:
        name: pseudonym column, e.g. ``resident_key``; tells how the value is normalised before hashing.
        algorithm: of the HMAC; pseudonyms of different ones never match.
    """
    function = FUNCTION_SM3 if algorithm == "sm3" else FUNCTION
    text = f"trim({expr}, '{BLANKS}')"
    return f"{function}({normalised_sql(text, name)})"


def is_pseudonym_sql(expr: str, *, with_key_id: bool = False) -> str:
    """DuckDB expression: whether a text has the form of a pseudonym, of a key of now or of before."""
    before = "[0-9a-f]{8}:" if with_key_id else ""
    half = f"[0-9a-f]{{{DIGITS}}}"
    return f"regexp_full_match({expr}, '{before}{half}({half})?')"


def normalised_sql(trimmed: str, name: str = "resident_key") -> str:
    """DuckDB expression of what is hashed, for a text without blanks at its ends; see `PseudonymKey.column`."""
    return upgrade_resident_id_sql(trimmed) if is_of_resident(name) else trimmed


def is_of_resident(name: str) -> bool:
    """Whether a pseudonym stands for a resident ID: ``resident_key``, and ``guardian_resident_key`` which joins it."""
    return name == "resident_key" or name.endswith("_resident_key")


def load_key(keys_dir: Path, *, create: bool = True) -> PseudonymKey:
    """The key in ``keys_dir/pseudonym.key``; made on first use, for its owner only (0600).

    The file holds 64 hex digits, and behind a blank how long the pseudonyms are; without that they are 64.

    Args:
        create: False when pseudonyms exist already: a new key would silently break every join with them.

    Raises:
        KeyRefused: missing and not to be created, damaged, or open to others.
    """
    path = keys_dir / KEY_FILE
    if not path.exists():
        if not create:
            raise KeyRefused(
                "the pseudonym key is missing while tables made with it exist",
                hint="restore keys/pseudonym.key from its backup; a new key would not match the stored pseudonyms",
                file=str(path),
            )
        _create(path)
    mode = path.stat()
    if stat.S_IMODE(mode.st_mode) & 0o077:
        raise KeyRefused(
            f"the pseudonym key is open to others (mode {stat.S_IMODE(mode.st_mode):04o})",
            hint=f"chmod 600 {path}; if others may have read it, treat it as disclosed",
            file=str(path),
        )
    if hasattr(os, "getuid") and mode.st_uid not in (os.getuid(), 0):
        raise KeyRefused("the pseudonym key belongs to another user", hint=f"chown it to {os.getuid()}", file=str(path))
    try:
        secret, *digits = path.read_text(encoding="ascii").split(maxsplit=1)
        return PseudonymKey(bytes.fromhex(secret), int(digits[0]) if digits else ALL_DIGITS)
    except ValueError as e:
        raise KeyRefused("the pseudonym key file is damaged", hint="restore it from its backup", file=str(path)) from e


def _create(path: Path) -> None:
    """Write a new key whole or not at all; when two processes try at once, one key wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as f:
            f.write(f"{secrets.token_hex(32)} {DIGITS}\n")
            f.flush()
            os.fsync(f.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)

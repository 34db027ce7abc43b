"""Secrets are named in contracts, never written there: ``env:NAME`` or ``file:name`` below ``keys/``."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from catalog.errors import SourceError

_REFERENCE = re.compile(r"^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:[A-Za-z0-9][A-Za-z0-9._-]*)$")
MAX_BYTES = 64 << 10


class SecretFault(SourceError):
    """A secret that a contract names is missing or readable by others."""

    code = "LH212"


def _is_reference(value: str) -> str:
    if not _REFERENCE.match(value):
        # the value is not repeated: somebody may have written the secret itself
        raise ValueError("a secret is named, never written: env:NAME, or file:name for a file below keys/")
    return value


def _is_file(value: str) -> str:
    if not value.startswith("file:") or not _REFERENCE.match(value):
        raise ValueError("name a file below keys/: file:name")
    return value


SecretName = Annotated[str, AfterValidator(_is_reference)]
KeyFileName = Annotated[str, AfterValidator(_is_file)]


def read_secret(keys: Path, reference: str, env: Mapping[str, str]) -> str:
    """The secret ``reference`` names, without the line end an editor leaves.

    Raises:
        SecretFault: it is not there, is empty, or its file may be read by others.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = env.get(name, "")
        if not value:
            raise SecretFault(f"the environment has no {name}", hint=f"set {name} where the lakehouse runs")
        return value
    path = keys / name
    private_file(path)
    value = path.read_text(encoding="utf-8").rstrip("\r\n")
    if not value:
        raise SecretFault(f"the secret file keys/{name} is empty", hint="write the secret into it")
    return value


def private_file(path: Path) -> Path:
    """``path`` when it is a small regular file that its owner alone can read.

    Raises:
        SecretFault: it is not.
    """
    try:
        info = path.lstat()
    except OSError as e:
        raise SecretFault(
            f"there is no secret file keys/{path.name}", hint=f"write it: install -m 600 /dev/stdin {path}"
        ) from e
    if not stat.S_ISREG(info.st_mode) or info.st_size > MAX_BYTES:
        raise SecretFault(f"keys/{path.name} is not a small regular file", hint="write the secret alone into it")
    if info.st_mode & 0o077:
        raise SecretFault(f"keys/{path.name} can be read by others", hint=f"chmod 600 {path}")
    return path


def scrub(text: object, secrets: Iterable[str | None]) -> str:
    """``text`` on one line, at most 300 characters, without any of the secrets."""
    from urllib.parse import quote, quote_plus

    clean = str(text)
    for secret in secrets:
        for form in {secret or "", quote(secret or "", safe=""), quote_plus(secret or "")} - {""}:
            clean = clean.replace(form, "***")
    return " ".join(clean.split())[:300]

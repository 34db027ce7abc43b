"""What the tests of all connectors share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tests.ingestion.conftest import NOW

LONG_AGO = NOW.timestamp() - 3600


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours may catch it."""


def kill_at(step: str) -> Callable[[str], None]:
    def checkpoint(name: str) -> None:
        if name == step:
            raise Killed

    return checkpoint


def put(path: Path, text: str, mtime: float = LONG_AGO) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    os.utime(path, (mtime, mtime))
    return path


def with_source(contract: str, source: str) -> str:
    return contract.replace("{connector: files, path: t/f/*}", source)

"""What the tests of exactly-once share: boundaries to die at, and a house put back to where it was."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingestion import stage as stage_module
from warehouse import delta


class Dead(BaseException):
    """The process is gone."""


class Boundaries:
    """Counts boundaries and dies at the one that is wished; dead, it lets nothing more through."""

    def __init__(self) -> None:
        self.at, self.count, self.dead, self.watching = 0, 0, False, False
        self.names: list[str] = []
        self.thread = threading.get_ident()

    def __call__(self, name: str) -> None:
        if not self.watching or threading.get_ident() != self.thread:
            return
        if self.dead:
            raise Dead
        self.count += 1
        self.names.append(name)
        if self.count == self.at:
            self.dead = True
            raise Dead

    def run(self, work: Callable[[], Any], at: int = 0) -> bool:
        """Do ``work`` and die at boundary ``at``; whether it did."""
        self.at, self.count, self.dead, self.watching, self.names = at, 0, False, True, []
        try:
            work()
        except Dead:
            return True
        finally:
            self.watching = False
        return False


@pytest.fixture
def boundaries(monkeypatch: pytest.MonkeyPatch) -> Boundaries:
    counted = Boundaries()

    def before(function: Callable[..., Any], name: str, *, after: bool = False) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            counted(name)
            result = function(*args, **kwargs)
            if after:
                counted(f"{name} done")
            return result

        return wrapped

    for name in ("fsync", "rename", "replace", "unlink"):
        monkeypatch.setattr(os, name, before(getattr(os, name), name))
    for name in ("write_deltalake", "_merge", "_create"):
        monkeypatch.setattr(delta, name, before(getattr(delta, name), name, after=True))
    # DuckDB's OpenSSL is for stages that spill, which these do not; checking its signature takes half of a load
    monkeypatch.setattr(stage_module, "load_extension", lambda con, name: None)
    return counted


def copied(house: Any, prepared: Path) -> None:
    """Put the home of a house back to what was copied from it."""
    shutil.rmtree(house.settings.home)
    shutil.copytree(prepared, house.settings.home)

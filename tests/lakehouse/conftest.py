"""The command line run in process, on a lakehouse of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


class Outcome:
    """Exit code and what was printed where."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "var"
    monkeypatch.setenv("LAKEHOUSE_HOME", str(folder))
    monkeypatch.delenv("LAKEHOUSE_LAKE", raising=False)
    monkeypatch.delenv("LAKEHOUSE_CATALOG", raising=False)
    return folder


@pytest.fixture
def cli(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """``cli("feed", "list", "--json")`` → Outcome."""
    from lakehouse.cli import main

    def call(*arguments: str | Path) -> Outcome:
        monkeypatch.setattr("sys.argv", ["lakehouse", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else 1
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    return call

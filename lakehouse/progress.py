"""One moving line for a person at a terminal, one line a step in a log, nothing for a program."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress


class Progress:
    """Steps of a known number, on standard error."""

    def __init__(self, *, total: int, silent: bool = False) -> None:
        self._console = Console(file=sys.stderr, quiet=silent)
        self._bar = RichProgress(
            SpinnerColumn(),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=silent or not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begin(self, text: str) -> None:
        """Say what is being done now."""
        self._bar.update(self._task, description=text)

    def advance(self, text: str) -> None:
        """One step is done; a log gets a line."""
        self._bar.update(self._task, advance=1, description=text)
        self.note(text)

    def note(self, text: str) -> None:
        """A line for the log of a run without a terminal."""
        if self._bar.disable:
            self._console.print(text, style="dim", highlight=False, markup=False)
        else:
            self.begin(text)

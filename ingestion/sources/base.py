"""The shape of a connector: typed keys of the contract, and a pull that yields files.

A connector never lands anything. It puts what it fetched below ``Pull.into`` and yields it;
``ingestion.sources.pull`` lands the file and only then, with the receipt durable, keeps the cursor.
A connector that is killed anywhere is simply asked again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from catalog.errors import LakehouseError
from catalog.model import Feed
from catalog.settings import Settings
from ingestion.sources.secrets import read_secret
from ingestion.sources.state import RemoteFile, State


class Params(BaseModel):
    """Base of a connector's keys in ``source:``; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Fetched:
    """One file that was fetched and is to be landed.

    Attributes:
        path: where it lies, below ``Pull.into``; its name is the name it is landed under.
        source: where it came from, for people; no secrets, the same in every attempt.
        remote: the file it is a copy of, remembered as seen when it has landed.
        cursor: what the state becomes when it has landed; None changes nothing.
        kept: files below ``Pull.into`` that move into the state when it has landed, by name.
        repeatable: the same bytes from another ``source`` are news (a value may go back to what it was).
        deletes: the file names rows by key that are gone at the source.
        about: counts for people, without values of rows.
    """

    path: Path
    source: str
    remote: RemoteFile | None = None
    cursor: Mapping[str, Any] | None = None
    kept: Mapping[str, Path] = field(default_factory=dict)
    repeatable: bool = False
    deletes: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Pull:
    """What a connector may use while it fetches.

    Attributes:
        into: an empty folder of this pull.
        refused: single files that cannot be taken; the others go on.
        say: a line for people.
        sleep, clock: waiting and a monotonic clock (s), replaced by tests.
    """

    settings: Settings
    feed: Feed
    state: State
    into: Path
    now: datetime
    env: Mapping[str, str]
    say: Callable[[str], None]
    refused: list[LakehouseError] = field(default_factory=list)
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def secret(self, reference: str | None) -> str | None:
        """The value a contract's ``env:NAME`` or ``file:name`` stands for; None for None."""
        return None if reference is None else read_secret(self.settings.keys, reference, self.env)

    def key_file(self, reference: str | None) -> Path | None:
        """The file below ``keys/`` that ``file:name`` names (a private key, a CA); None for None."""
        return None if reference is None else self.settings.keys / reference.removeprefix("file:")


class Connector(Protocol):
    """A kind of source.

    Attributes:
        name: as contracts write it; the name of the module.
        params: the model of its keys.
        formats: types of ``format:`` it can land; none: whatever the files are.
    """

    name: str
    params: type[Params]
    formats: tuple[str, ...]

    def place(self, params: Any) -> str:
        """Where it pulls from, for people: no secrets."""
        ...

    def fetch(self, params: Any, pull: Pull) -> Iterator[Fetched]:
        """Fetch what is new, one file after the other; each is landed before the next is asked for.

        Raises:
            SourceUnavailable: the source does not answer. SourceError: it answers what cannot be used.
        """
        ...

"""Links in another process, for who builds meanwhile: two threads of one Python take turns, two processes do not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from typing import Any

from catalog.errors import LakehouseError
from catalog.settings import Settings
from warehouse.linking.run import LinkResult


class LinkingEnded(LakehouseError):
    """The process that links ended without saying what it came to."""

    code = "LH331"


Progress = Callable[[str], None]


@contextmanager
def linking_beside(settings: Settings, *, now: datetime) -> Iterator[Callable[[Progress], LinkResult]]:
    """A process that gets ready to link; what is given has it do so, and returns when it has ended.

    A process that was not asked ends with nothing done.
    """
    args = [sys.executable, "-m", "warehouse.linking", now.isoformat()]
    with subprocess.Popen(
        args, env=os.environ | settings.as_env(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        yield partial(_link, process)


def link_beside(settings: Settings, *, now: datetime, progress: Progress = lambda _: None) -> LinkResult:
    """What `link_persons` does of what changed, in a process of its own; returns when it has ended.

    Raises:
        LakehouseError: of `link_persons`. LinkingEnded: the process was ended, or failed as no other run does.
    """
    with linking_beside(settings, now=now) as link:
        return link(progress)


def _link(process: subprocess.Popen[str], progress: Progress) -> LinkResult:
    told: dict[str, Any] = {}
    with suppress(BrokenPipeError):  # it has ended, and says so below by saying nothing
        if process.stdin:
            os.write(process.stdin.fileno(), b"link\n")
    for line in process.stdout or ():
        told |= json.loads(line)
        if "note" in told:
            progress(told.pop("note"))
    process.wait()
    if "error" in told:
        raise _error(told["error"])
    if "result" not in told:
        raise LinkingEnded(
            f"linking ended with {process.returncode} before it came to a result",
            hint="see what it wrote above, then run: lakehouse link run",
        )
    return LinkResult.model_validate(told["result"])


def _error(told: dict[str, Any]) -> LakehouseError:
    kinds, known = [LakehouseError], {}
    while kinds:
        kind = kinds.pop()
        known[kind.code] = kind
        kinds += kind.__subclasses__()
    return known.get(told["code"], LakehouseError)(told["message"], hint=told["hint"], **told["where"])

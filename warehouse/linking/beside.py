"""Links in another process, for who builds meanwhile: two threads of one Python take turns, two processes do not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

from catalog.errors import LakehouseError
from catalog.settings import Settings
from warehouse.linking.run import LinkResult


class LinkingEnded(LakehouseError):
    """The process that links ended without saying what it came to."""

    code = "LH331"


def link_beside(settings: Settings, *, now: datetime, progress: Callable[[str], None] = lambda _: None) -> LinkResult:
    """What `link_persons` does of what changed, in a process of its own; returns when it has ended.

    Raises:
        LakehouseError: of `link_persons`. LinkingEnded: the process was ended, or failed as no other run does.
    """
    args = [sys.executable, "-m", "warehouse.linking", now.isoformat()]
    told: dict[str, Any] = {}
    with subprocess.Popen(
        args, env=os.environ | settings.as_env(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        for line in process.stdout or ():
            told |= json.loads(line)
            if "note" in told:
                progress(told.pop("note"))
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

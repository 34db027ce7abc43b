"""Links the records that changed, in a process of its own: ``python -m warehouse.linking INSTANT``.

Settings come from the environment. It begins when a line comes in, and ends with nothing done when none does. What
happens is told as lines of JSON: ``note``, then ``result`` or ``error``.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from datetime import datetime
from typing import Any

from catalog.errors import LakehouseError
from catalog.registry import load_catalog
from catalog.settings import Settings
from warehouse.linking.run import link_persons


def main(instant: str) -> int:
    """Link as of ``instant`` (ISO 8601, UTC); the exit code is that of the error, if there is one."""
    _load_less()
    settings = Settings.from_env()
    try:
        result = link_persons(
            settings,
            load_catalog(settings.catalog_dir),
            now=datetime.fromisoformat(instant),
            progress=lambda text: _say("note", text),
        )
    except LakehouseError as e:
        where = {name: str(value) for name, value in e.where.items()}
        _say("error", {"code": e.code, "message": e.message, "hint": e.hint, "where": where})
        return e.exit_code
    _say("result", result.model_dump())
    return 0


class _Unused:
    """Finds no pandas: pyarrow and duckdb load it only to see that what they are given is no data frame."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(f"{name} is not loaded to link", name=name)


def _load_less() -> None:
    """Keep libraries from loading what nothing here uses, and Python from looking for garbage, of which a process that
    lives for seconds makes little: half a second of a day."""
    gc.disable()
    sys.meta_path.insert(0, _Unused())
    os.environ["PYPINYIN_NO_PHRASES"] = "1"  # characters are asked for one by one


def _say(kind: str, what: Any) -> None:
    sys.stdout.write(json.dumps({kind: what}, ensure_ascii=True) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    code = main(sys.argv[1]) if sys.stdin.readline() else 0
    sys.stderr.flush()
    os._exit(code)  # all is written, and what lies in memory need not be taken apart for that

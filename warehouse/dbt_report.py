"""What is kept of a build: one row a node in ``platform.builds``, with messages free of raw values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from catalog.settings import Settings

SCHEMA = pa.schema(
    [
        ("build_id", pa.string()),
        ("started_at", pa.timestamp("us", tz="UTC")),
        ("node", pa.string()),
        ("name", pa.string()),
        ("kind", pa.string()),
        ("layer", pa.string()),
        ("status", pa.string()),
        ("rows", pa.int64()),
        ("failures", pa.int64()),
        ("seconds", pa.float64()),
        ("message", pa.string()),
    ]
)
"""Row grain: one node of one build."""

_VALUE = re.compile(
    r"""(?ix)
    ((?:could\ not\ convert|cannot\ (?:cast|convert)|unable\ to\ (?:cast|convert)|casting|converting|conversion\ of)
      \s+(?:\w+\s+)*?) (?:'(?:[^']|'')*'|"[^"]*")          # Could not convert string '…' to INT32
    | ((?:field\ format|value|key|string|parse|parsing|input)\s*:?\s+) (?:'(?:[^']|'')*'|"[^"]*")
    | (duplicate\ key\s+) (?:'[^']*'|"[^"]*")
    """
)
_DIGITS = re.compile(r"\d[\d\- ]{5,}[\dXx]")
_RESIDENT = re.compile(r"(?<![\w.])\d{6,}[\dXx]?(?![\w.])")


def scrub(message: str) -> str:
    """``message`` without values of rows: engines quote the value they could not convert.

    Names of columns, files and types stay. A run of seven or more digits goes, wherever it stands.
    """
    text = _VALUE.sub(lambda m: next(g for g in m.groups() if g is not None) + "…", message)
    text = _DIGITS.sub("…", text)
    return _RESIDENT.sub("…", text).strip()


def write_run_log(settings: Settings, build_id: str, started_at: datetime, models: Sequence[Mapping[str, Any]]) -> None:
    """Add one row a node to ``platform.builds``."""
    from warehouse.delta import append_rows

    rows = [{**{k: m.get(k) for k in SCHEMA.names}, "build_id": build_id, "started_at": started_at} for m in models]
    if rows:
        append_rows(settings.platform_path("builds"), pa.Table.from_pylist(rows, schema=SCHEMA))

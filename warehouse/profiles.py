"""What built tables were like: numbers and distributions that later builds are held against.

Table ``platform.profiles``, one row a check and build that was not stopped. Categories are kept hashed, as shares.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from catalog.settings import Settings
from warehouse import duck
from warehouse.delta import append_rows, exists, scan_sql

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = "profiles"
REMEMBERED = 10
"""Builds that a new one is held against."""


class Profile(NamedTuple):
    """One measured number, or shares by category, of one suite and build."""

    suite: str
    code: str
    receipt: str
    measured_at: datetime
    value: float | Mapping[str, float]


def history(settings: Settings) -> dict[tuple[str, str], list[Any]]:
    """Suite and check code to the values of the last builds, newest first."""
    path = settings.platform_path(TABLE)
    if not exists(path):
        return {}
    with duck.connect() as con:
        rows = con.execute(
            f"SELECT suite, code, number, shares FROM {scan_sql(con, path)} "  # noqa: S608 - our own path
            "QUALIFY row_number() OVER (PARTITION BY suite, code ORDER BY measured_at DESC, receipt DESC) <= ? "
            "ORDER BY suite, code, measured_at DESC, receipt DESC",
            [REMEMBERED],
        ).fetchall()
    found: dict[tuple[str, str], list[Any]] = {}
    for suite, code, number, shares in rows:
        found.setdefault((suite, code), []).append(number if shares is None else json.loads(shares))
    return found


def remember(settings: Settings, profiles: Iterable[Profile]) -> None:
    """Add the profiles of a build."""
    import pyarrow as pa

    rows = [
        {
            **{k: getattr(p, k) for k in ("suite", "code", "receipt", "measured_at")},
            "number": None if isinstance(p.value, Mapping) else float(p.value),
            "shares": json.dumps(p.value, sort_keys=True) if isinstance(p.value, Mapping) else None,
        }
        for p in profiles
    ]
    if rows:
        append_rows(settings.platform_path(TABLE), pa.Table.from_pylist(rows, schema=schema()))


def schema() -> pa.Schema:
    """Schema of ``platform.profiles``; one row a check and build."""
    import pyarrow as pa

    text = pa.string()
    return pa.schema(
        [
            ("suite", text),
            ("code", text),
            ("receipt", text),
            ("measured_at", pa.timestamp("us", tz="UTC")),
            ("number", pa.float64()),
            ("shares", text),
        ]
    )

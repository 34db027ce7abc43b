"""Tables a build needs that SQL cannot compute: made by Python between the libraries and the marts that read them.

Each is a source ``platform.<name>`` (declared in ``models/staging/_platform.yml``), so models read it like any other
table, on any engine, and grades flow through it. It is made again when a table it is computed from has changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.settings import Settings
from warehouse.dbt_nodes import describe

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Computed:
    """How one table is made.

    Attributes:
        reads: layer, schema and name of the tables it is computed from.
        make: gives its rows.
    """

    reads: tuple[tuple[str, str, str], ...]
    make: Callable[[Settings], pa.Table]


def _seasonal(settings: Settings) -> pa.Table:
    import pyarrow as pa

    from warehouse.delta import rows_of
    from warehouse.seasonal import Point, adjust, schema

    series: dict[tuple[str, str, str], list[Point]] = {}
    seasonal = rows_of(
        settings.table_path("library", "macro_economy", "indicators"),
        "SELECT indicator_code FROM t WHERE is_seasonal AND frequency IN ('month', 'quarter')",
    )
    wanted = {r["indicator_code"] for r in seasonal}
    facts = rows_of(
        settings.table_path("library", "macro_economy", "growth"),
        "SELECT indicator_code, area_code, frequency, period, period_start, discrete_value, discrete_periods FROM t "
        "WHERE discrete_value IS NOT NULL AND frequency <> 'year' ORDER BY indicator_code, area_code, period_start",
    )
    for r in facts:
        if r["indicator_code"] in wanted:
            point = Point(r["period"], r["period_start"], r["discrete_value"], r["discrete_periods"])
            series.setdefault((r["indicator_code"], r["area_code"], r["frequency"]), []).append(point)
    rows = [
        {"indicator_code": code, "area_code": area, **row}
        for (code, area, frequency), points in series.items()
        for row in adjust(points, frequency)
    ]
    return pa.Table.from_pylist(rows, schema=schema())


COMPUTED: dict[str, Computed] = {
    "seasonal": Computed(
        reads=(("library", "macro_economy", "growth"), ("library", "macro_economy", "indicators")), make=_seasonal
    ),
}


def refresh(
    settings: Settings, manifest: Any, models: Iterable[str], *, before_write: Callable[[], None] = lambda: None
) -> list[str]:
    """Make again what ``models`` (``schema.table``, marts about to be built) read and what is out of date.

    Args:
        before_write: closes the build database: opened again, it has views of what was made here.

    Returns:
        Names of the tables that were made.
    """
    from warehouse.delta import ensure_table, rewrite
    from warehouse.stamps import last_change
    from warehouse.tables import table_lock

    made = []
    for name in _read_by(manifest, set(models)):
        entry = COMPUTED[name]
        inputs = [last_change(settings.table_path(*table)) for table in entry.reads]
        path = settings.platform_path(name)
        if None in inputs or _stamp(settings).get(name) == [*inputs, last_change(path)]:
            continue
        rows = entry.make(settings)
        before_write()
        with table_lock(settings, f"platform.{name}"):
            ensure_table(path, rows.schema)
            rewrite(path, rows.to_reader())
        _write_stamp(settings, name, [*inputs, last_change(path)])
        made.append(name)
    return made


def _read_by(manifest: Any, models: set[str]) -> list[str]:
    """Computed tables that the marts and extracts among ``models`` read, directly or through other models."""
    infos = {m.node: m for m in describe(manifest)}
    ends = [m.node for m in infos.values() if m.name in models and m.layer in ("mart", "extract")]
    seen: set[str] = set()
    while ends:
        node = ends.pop()
        if node not in seen:
            seen.add(node)
            ends += infos[node].depends_on if node in infos else ()
    return [n for n in COMPUTED if any(s.startswith("source.") and s.endswith(f".platform.{n}") for s in seen)]


def _file(settings: Settings) -> Path:
    return settings.build / "computed.json"


def _stamp(settings: Settings) -> dict[str, Any]:
    path = _file(settings)
    found: dict[str, Any] = json.loads(path.read_text(encoding="ascii")) if path.exists() else {}
    return found


def _write_stamp(settings: Settings, name: str, value: list[int | None]) -> None:
    part = _file(settings).with_suffix(".part")
    part.write_text(json.dumps({**_stamp(settings), name: value}, indent=1) + "\n", encoding="ascii")
    part.replace(_file(settings))

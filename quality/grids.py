"""Grid codes of points: BeiDou (GB/T 39409) and H3, for columns and for single codes."""

from __future__ import annotations

from typing import Any

import numpy as np

from catalog.errors import InputError
from quality import beidou_grid


def h3_cells(lon: Any, lat: Any, resolution: int) -> list[str]:
    """H3 cells of points (CGCS2000 degrees); empty where a point has none."""
    import h3

    cell = h3.latlng_to_cell
    x, y = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    good = (np.abs(x) <= 180) & (np.abs(y) <= 90)
    return [
        cell(b, a, resolution) if ok else "" for a, b, ok in zip(x.tolist(), y.tolist(), good.tolist(), strict=True)
    ]


def codes_of(lon: Any, lat: Any, *, beidou_level: int = 10, h3_level: int = 9) -> tuple[list[str], list[str]]:
    """BeiDou codes and H3 cells of points, empty where there is none."""
    return [str(c) for c in beidou_grid.encode(lon, lat, beidou_level).tolist()], h3_cells(lon, lat, h3_level)


def cell_of(code: str) -> dict[str, Any]:
    """What a BeiDou code or an H3 cell covers: kind, level, centre and, for BeiDou, its four sides.

    Raises:
        InputError: neither.
    """
    import h3

    text = code.strip()
    if h3.is_valid_cell(text.lower()):
        lat, lon = h3.cell_to_latlng(text.lower())
        return {"kind": "h3", "level": h3.get_resolution(text.lower()), "longitude": lon, "latitude": lat}
    if text[:1].upper() != "N":
        raise InputError("neither a BeiDou grid code nor an H3 cell", hint="N50J…, or 15 hexadecimal characters")
    cell = beidou_grid.decode(text)
    lon, lat = cell.centre
    sides = {"west": cell.west, "south": cell.south, "east": cell.east, "north": cell.north}
    return {"kind": "beidou", "level": cell.level, "longitude": lon, "latitude": lat, **sides}

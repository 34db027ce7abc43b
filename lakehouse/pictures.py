"""Maps and charts of what a run has built: one page of charts, the sensor marts and the base map as pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from catalog.errors import InputError
from catalog.settings import Settings
from lakehouse.context import utc_now

ECONOMY = "macro_economy.lights"
BASE = ("streets", "buildings", "poi")
"""Layers of the base map that a run draws; `lakehouse map` draws every one."""


@dataclass(frozen=True)
class Picture:
    """A map or a page of charts.

    Attributes:
        file: where it is, empty where there was nothing to show, as ``note`` says.
    """

    title: str
    file: str
    note: str = ""


def draw_pictures(settings: Settings, built: set[str]) -> list[Picture]:
    """Draw what reads one of the tables ``built`` (``schema.table``), anew and in place of what was there."""
    drawn = []
    for title, file, draw in _wanted(settings, built):
        try:
            draw(file)
        except InputError as e:  # a table of rows without a place, or of no month that ended
            drawn.append(Picture(title, "", str(e)))
        else:
            drawn.append(Picture(title, str(file)))
    return drawn


def _wanted(settings: Settings, built: set[str]) -> Iterator[tuple[str, Path, Callable[[Path], Any]]]:
    from warehouse.map_layers import LAYERS as BASE_LAYERS

    if ECONOMY in built:
        from lakehouse.drawing.economy_page import write_page

        page = settings.home / "reports" / "economy" / "economy.html"
        yield "宏观经济报告 · economy", page, lambda file: write_page(settings, file, now=utc_now())
    from lakehouse.drawing.sensing import LAYERS, draw_map

    for name, (schema, table, *_) in LAYERS.items():
        if f"{schema}.{table}" in built:
            yield f"感知 · {name}", settings.home / "maps" / f"{name}.png", partial(draw_map, settings, name)
    from lakehouse.drawing.layers import draw_layer

    for name in BASE:
        if BASE_LAYERS[name].table in built:
            title = f"底图 · {BASE_LAYERS[name].title}"
            yield title, settings.home / "maps" / f"{name}.png", partial(draw_layer, settings, name)

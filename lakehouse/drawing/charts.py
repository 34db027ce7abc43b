"""Charts of the macro-economy: a series, its terminal form, the lights as a strip, the composite indices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from lakehouse.drawing.style import PALETTE, QUIET

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lakehouse.economy import Series

BLOCKS = " ▁▂▃▄▅▆▇█"
FEW = 3


def draw_series(axes: Axes, series: Series, *, title: bool = True) -> None:
    """A series as a line, bars for growth; the adjusted line beside a discrete one."""
    starts: list[Any] = list(series.starts)
    if series.shown == "yoy":
        width = 300 if len(series.periods[0]) == 4 else 80 if "Q" in series.periods[0] else 22
        colours = [PALETTE[0] if v >= 0 else PALETTE[1] for v in series.values]
        axes.bar(starts, series.values, width=width, color=colours)
        axes.axhline(0, color=QUIET, linewidth=0.8)
    else:
        paired = bool(series.other)
        marker = "o" if len(starts) <= 40 and not paired else None
        axes.plot(
            starts, series.values, color="#b9c4cc" if paired else PALETTE[0], linewidth=1.2 if paired else 1.8,
            marker=marker, markersize=4, label="当期值" if paired else None,
        )  # fmt: skip
        if paired:
            at: list[Any] = [d for d, _ in series.other]
            axes.plot(at, [v for _, v in series.other], color=PALETTE[0], linewidth=1.8, label="季节调整")
            axes.legend(loc="upper left", fontsize=9)
    axes.margins(x=0.02)
    axes.yaxis.set_major_formatter("{x:,.6g}")
    if len(starts) <= FEW:  # months between would be told of a single year
        axes.set_xticks(starts, list(series.periods))
    if title:
        axes.set_title(series.title, fontsize=12, pad=10)


def draw_composites(axes: Axes, lines: dict[str, list[tuple[date, float]]]) -> None:
    """Composite indices by name; 100 is marked."""
    for colour, (name, points) in zip(PALETTE, lines.items(), strict=False):
        at: list[Any] = [d for d, _ in points]
        axes.plot(at, [v for _, v in points], color=colour, linewidth=1.8, label=name)
    axes.axhline(100, color=QUIET, linewidth=0.8, linestyle=":")
    axes.margins(x=0.02)
    axes.legend(loc="upper left", fontsize=9)


def terminal_chart(series: Series, *, width: int = 72, height: int = 10) -> str:
    """The series in text, oldest left: columns of blocks, the scale at the left, the ends of time below.

    A series longer than ``width`` shows its last periods.
    """
    values = series.values[-width:]
    periods = series.periods[-width:]
    low, high = min(values), max(values)
    if series.shown == "yoy":
        low, high = min(low, 0.0), max(high, 0.0)
    span = (high - low) or 1.0
    levels = [round((v - low) / span * (height * 8 - 1)) + 1 for v in values]
    each = max(1, min(3, width // len(values)))
    scale = [f"{high - span * row / max(height - 1, 1):,.6g}" for row in range(height)]
    margin = max(len(s) for s in scale)
    lines = [series.title]
    for row in range(height):
        floor = (height - 1 - row) * 8
        cells = "".join(BLOCKS[max(0, min(8, level - floor))] * max(1, each - 1) + " " * (each > 1) for level in levels)
        shown = scale[row] if row in (0, height // 2, height - 1) else ""
        lines.append(f"{shown:>{margin}} │{cells.rstrip()}")
    total = len(values) * each
    gap = max(1, total - len(periods[0]) - len(periods[-1]))
    lines.append(" " * margin + " └" + "─" * total)
    lines.append(" " * (margin + 2) + periods[0] + " " * gap + periods[-1])
    return "\n".join(lines)


def strip(rows: Sequence[dict[str, Any]], months: Sequence[str]) -> list[dict[str, Any]]:
    """The lights as lines for a table: indicator and one cell a month; composite last."""
    names: dict[str, dict[str, dict[str, Any]]] = {}
    for r in rows:
        names.setdefault(r["indicator_name"], {})[r["period"]] = r
    ordered = sorted(names, key=lambda n: (n == "综合景气", n))
    return [{"name": n, "cells": [names[n].get(m) for m in months]} for n in ordered]

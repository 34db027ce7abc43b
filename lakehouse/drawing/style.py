"""Figures in the house's manner: a Chinese font from the environment, quiet axes, the same bytes from the same data.

A fresh machine has no Chinese font, so one comes with the environment (Noto Sans SC, SIL Open Font License). Files
carry letters as outlines and look the same everywhere; SVG for a page keeps letters as text in the reader's font.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET, RULE = "#2b2b2b", "#6f6f6f", "#d9d9d9"
PALETTE = ("#1f5f8b", "#c05b3c", "#4f7d4a", "#8a6d9e", "#b08d2f", "#5a8f9c", "#a0506d", "#7a7a7a")
GREENS = ("#2f6b3a", "#7fae5b", "#b3c46a", "#4f9b86")
READERS_FONTS = ("PingFang SC", "Microsoft YaHei", "Noto Sans SC", "Noto Sans CJK SC", "sans-serif")
"""Fonts a reader's machine may have, for SVG inside a page."""
PICTURES = (".png", ".svg")
DPI = 144


@cache
def _font() -> str:
    """Name of the Chinese font, known to matplotlib from now on."""
    from matplotlib import font_manager
    from pylopdf_fonts_zh_cn import sans_path

    font_manager.fontManager.addfont(str(sans_path()))
    return str(font_manager.FontProperties(fname=str(sans_path())).get_name())


def settings() -> dict[str, Any]:
    """matplotlib's settings for every picture of ours."""
    return {
        "font.family": [_font(), "DejaVu Sans"],
        "font.size": 10,
        "axes.unicode_minus": False,
        "axes.edgecolor": RULE,
        "axes.labelcolor": QUIET,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlecolor": INK,
        "axes.titlelocation": "left",
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#ececec",
        "grid.linewidth": 0.8,
        "xtick.color": QUIET,
        "ytick.color": QUIET,
        "text.color": INK,
        "legend.frameon": False,
        "figure.facecolor": "white",
    }


@contextmanager
def picture(width_in: float = 8.0, height_in: float = 4.2) -> Iterator[tuple[Figure, Axes]]:
    """An empty figure with one pair of axes, to be drawn and saved while the context is open.

    It belongs to no window. matplotlib's settings outside are left as they are.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    wanted: Any = settings()
    with matplotlib.rc_context(wanted):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure, figure.add_subplot()


def save(figure: Figure, path: Path) -> Path:
    """Write ``figure`` as PNG or SVG, as the path's suffix says; atomic.

    Raises:
        InputError: another suffix.
    """
    suffix = path.suffix.lower()
    if suffix not in PICTURES:
        raise InputError(
            f"a picture is {' or '.join(PICTURES)}, not {suffix or 'without suffix'}", hint="--out NAME.png"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(_bytes(figure, suffix[1:], outlines=True))
    part.replace(path)
    return path


def inline_svg(figure: Figure, label: str) -> str:
    """``figure`` as an SVG element for an HTML page, described by ``label`` for those who cannot see it."""
    from xml.sax.saxutils import escape, quoteattr

    text = _bytes(figure, "svg", outlines=False).decode("utf-8")
    text = text[text.index("<svg") :]
    own = f"'{_font()}'"
    text = text.replace(own, ", ".join(f"'{f}'" if f != "sans-serif" else f for f in READERS_FONTS))
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    head = f'<svg role="img" aria-label={quoteattr(label)} style="max-width:100%;height:auto"'
    return text.replace("<svg", head, 1).replace("<defs>", f"<title>{escape(label)}</title><defs>", 1)


def _bytes(figure: Figure, kind: str, *, outlines: bool) -> bytes:
    import matplotlib

    out = io.BytesIO()
    quiet: dict[str, Any] = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    wanted: Any = {"svg.fonttype": "path" if outlines else "none", "svg.hashsalt": "lakehouse"}
    with matplotlib.rc_context(wanted):
        figure.savefig(out, format=kind, dpi=DPI, metadata=quiet)
    return out.getvalue()

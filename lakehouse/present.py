"""What a person or a program sees: rich tables, or JSON on standard output; errors on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_STATE_STYLE = {
    "passed": "green",
    "ok": "green",
    "success": "green",
    "pass": "green",
    "warned": "yellow",
    "warn": "yellow",
    "late": "yellow",
    "never": "yellow",
    "duplicate": "dim",
    "empty": "dim",
    "unchanged": "dim",
    "stopped": "bold red",
    "failed": "bold red",
    "error": "bold red",
    "fail": "bold red",
}


def console(*, stderr: bool = False) -> Console:
    """A console that is plain when its output is not a terminal."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 160
    return Console(stderr=stderr, width=width, soft_wrap=False)


def plain(value: Any) -> Any:
    """``value`` as JSON can hold it; dates in ISO 8601, decimals as numbers."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if hasattr(value, "model_dump"):
        return plain(value.model_dump())
    if hasattr(value, "__dataclass_fields__"):
        return {k: plain(getattr(value, k)) for k in value.__dataclass_fields__}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    return value


def print_json(value: Any) -> None:
    """One JSON document on standard output, Chinese unescaped."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, indent=2, default=str) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, caption: str = "") -> None:
    """A table; numbers to the right, states in colour."""
    from rich.table import Table
    from rich.text import Text

    rows = [tuple(r) for r in rows]
    table = Table(title=title, caption=caption or None, title_justify="left", caption_justify="left")
    for i, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(r[i], int | float | Decimal) or r[i] is None for r in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(v), style=_STATE_STYLE.get(str(v), "")) for v in row))
    console().print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return str(value)


def note(text: str) -> None:
    """A line for people, on standard error so that it never mixes with results."""
    console(stderr=True).print(text, style="dim", highlight=False)

"""Reads the macro-economy library for plots and the report: an indicator by code or name, its values, its findings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from catalog.errors import InputError, UnknownName
from warehouse.delta import rows_of

if TYPE_CHECKING:
    from catalog.settings import Settings

DISTRICT = "110102"
SHOWN = {"value": "数值", "discrete": "当期值", "yoy": "同比", "adjusted": "季节调整"}


@dataclass(frozen=True)
class Series:
    """One indicator of one area: dates (start of each period), values and what is plotted beside them.

    ``other`` is the adjusted series next to a discrete one, empty otherwise.
    """

    code: str
    name: str
    unit: str
    area: str
    shown: str
    periods: tuple[str, ...]
    starts: tuple[date, ...]
    values: tuple[float, ...]
    other: tuple[tuple[date, float], ...] = ()

    @property
    def title(self) -> str:
        return f"{self.name} · {SHOWN[self.shown]}（{'%' if self.shown == 'yoy' else self.unit}）"


def find_indicator(settings: Settings, text: str) -> dict[str, Any]:
    """The catalogue entry of a code, a name, or the only name that contains ``text``.

    Raises:
        UnknownName: none or several; the hint names those that come near.
    """
    rows = library(settings, "indicators", "SELECT * FROM t ORDER BY observations_count DESC, indicator_code")
    exact = [r for r in rows if text in (r["indicator_code"], r["indicator_name"])]
    near = exact or [r for r in rows if text in r["indicator_name"] or text in r["indicator_code"]]
    if len(near) == 1 or exact:
        return near[0]
    names = "、".join(f"{r['indicator_name']}（{r['indicator_code']}）" for r in (near or rows)[:8])
    raise UnknownName(
        f"{'several indicators contain' if near else 'there is no indicator'} {text[:40]!r}",
        hint=f"{names or 'lakehouse run builds the library'}",
    )


def read_series(settings: Settings, text: str, *, area: str | None = None, shown: str = "value") -> Series:
    """What is to be plotted of an indicator.

    Args:
        area: area code, by default the district's, or the nation's where the district has none.
        shown: ``value``, ``discrete`` (of a cumulative series), ``yoy`` or ``adjusted``.

    Raises:
        UnknownName: no such indicator or area. InputError: nothing of the kind to plot.
    """
    kind = find_indicator(settings, text)
    code = kind["indicator_code"]
    facts = library(
        settings, "growth",
        "SELECT area_code, period, period_start, value, discrete_value / discrete_periods AS discrete, yoy_pct FROM t "
        "WHERE indicator_code = ? ORDER BY area_code, period_start", [code],
    )  # fmt: skip
    areas = sorted({r["area_code"] for r in facts})
    if area is not None and area not in areas:
        raise UnknownName(f"{code} has no values of area {area!r}", hint=f"there are {', '.join(areas) or 'none'}")
    chosen = area or (DISTRICT if DISTRICT in areas else areas[0] if areas else "")
    own = [r for r in facts if r["area_code"] == chosen]
    other: tuple[tuple[date, float], ...] = ()
    if shown in ("adjusted", "discrete"):
        made = mart(
            settings, "seasonally_adjusted",
            "SELECT period, period_start, value, adjusted_value FROM t WHERE indicator_code = ? AND area_code = ? "
            "ORDER BY period_start", [code, chosen],
        )  # fmt: skip
        if shown == "adjusted":
            own = [{**r, "adjusted": r["value"]} for r in made]
        other = tuple((r["period_start"], r["adjusted_value"]) for r in made)
    key = {"value": "value", "discrete": "discrete", "yoy": "yoy_pct", "adjusted": "adjusted"}[shown]
    kept = [r for r in own if r[key] is not None]
    if not kept:
        raise InputError(f"{code} has no {shown} to plot", hint=f"--show {' | '.join(SHOWN)}")
    return Series(
        code=code,
        name=kind["indicator_name"],
        unit=kind["unit"] or "",
        area=chosen,
        shown=shown,
        periods=tuple(r["period"] for r in kept),
        starts=tuple(r["period_start"] for r in kept),
        values=tuple(float(r[key]) for r in kept),
        other=other,
    )


def library(settings: Settings, table: str, sql: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
    """Rows of a table of the library, called ``t``."""
    return rows_of(settings.table_path("library", "macro_economy", table), sql, parameters or [])


def mart(settings: Settings, table: str, sql: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
    """Rows of a mart of the schema, called ``t``."""
    return rows_of(settings.table_path("mart", "macro_economy", table), sql, parameters or [])

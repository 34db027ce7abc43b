"""Fields that are made of several source columns: points, dates in parts, years written wide."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from catalog.model import Element
from catalog.registry import Catalog
from ingestion.detect import header_key
from ingestion.sniffing.model import Column, Sample

_LON = re.compile(r"经度|longitude|lng|long$|lon(?!g)|^x$")
_LAT_OF = {"经度": "纬度", "longitude": "latitude", "lng": "lat", "long": "lat", "lon": "lat", "x": "y"}
_DATE_PARTS = {"year": ("year", "年", "年份"), "month": ("month", "月", "月份"), "day": ("day", "日")}
_HOUR = ("hour", "时", "小时")
_YEAR = re.compile(r"^([0-9]{4})(年?)$")


class Composed(NamedTuple):
    """Fields made from several columns.

    Attributes:
        fields: field name to what the contract says of it.
        elements: elements of their own that they need.
        used: source columns they take.
        unpivot: the format's unpivot, if years stand side by side.
    """

    fields: dict[str, dict[str, Any]]
    elements: dict[str, Element]
    used: frozenset[str]
    notes: tuple[str, ...] = ()
    unpivot: dict[str, str] | None = None


def compose(sample: Sample, catalog: Catalog) -> Composed:
    """Everything in ``sample`` that several columns say together."""
    parts = (_point(sample, catalog), _date(sample.columns), _wide(sample.columns, catalog))
    return Composed(
        fields={k: v for p in parts for k, v in p.fields.items()},
        elements={k: v for p in parts for k, v in p.elements.items()},
        used=frozenset(u for p in parts for u in p.used),
        notes=tuple(n for p in parts for n in p.notes),
        unpivot=parts[2].unpivot,
    )


_NOTHING = Composed({}, {}, frozenset())


def _point(sample: Sample, catalog: Catalog) -> Composed:
    columns = sample.columns
    if "geom_cgcs2000" not in catalog.elements or any(c.type == "geometry" for c in columns):
        return _NOTHING
    by_key = {header_key(c.name): c for c in columns}
    pairs = []
    for key, column in by_key.items():
        found = _LON.search(key)
        mate = by_key.get(key.replace(found.group(), _LAT_OF[found.group()])) if found else None
        if mate is None or mate is column:
            continue
        if _within(column, 73, 136) and _within(mate, 3, 54):
            pairs.append((column, mate, ""))
        elif _within(mate, 73, 136) and _within(column, 3, 54):
            pairs.append((mate, column, f"{column.name} 与 {mate.name} 的经纬度写反了，已对调"))
    if not pairs:
        return _NOTHING
    order = ("EPSG:4490", "EPSG:4326", "GCJ02", "BD09", None)
    x, y, note = min(pairs, key=lambda p: (bool(p[2]), order.index(_crs(p[0].name))))
    crs = "EPSG:4326" if sample.records.startswith("gpx/") else _crs(x.name)  # GPX is WGS 84 by its definition
    notes = [note] if note else []
    if crs is None:
        notes.append(f"{x.name}、{y.name} 未注明坐标系，暂按 GCJ02；如为国家大地坐标请改为 EPSG:4490")
    field = {"x": x.name, "y": y.name, "crs": crs or "GCJ02"}
    return Composed({"geom_cgcs2000": field}, {}, frozenset({x.name, y.name}), tuple(notes))


def _within(column: Column, low: float, high: float) -> bool:
    if column.type not in ("decimal", "double", "integer") or not column.filled:
        return False
    good = sum(n for v, n in column.values.items() if re.fullmatch(r"-?\d+(\.\d+)?", v) and low <= float(v) <= high)
    return good >= 0.9 * column.filled


def _crs(header: str) -> str | None:
    key = header_key(header)
    for mark, crs in (
        ("gcj", "GCJ02"),
        ("bd", "BD09"),
        ("wgs", "EPSG:4326"),
        ("gps", "EPSG:4326"),
        ("2000", "EPSG:4490"),
    ):
        if mark in key:
            return crs
    return None


def _date(columns: Sequence[Column]) -> Composed:
    by_key = {header_key(c.name): c.name for c in columns if c.type == "integer"}
    found = [next((by_key[k] for k in keys if k in by_key), None) for keys in _DATE_PARTS.values()]
    if None in found:
        return _NOTHING
    year, month, day = found
    hour = next((by_key[k] for k in _HOUR if k in by_key), None)
    used = frozenset(n for n in (year, month, day, hour) if n)
    template, style = f"{{{year}}}-{{{month}}}-{{{day}}}", "%Y-%m-%d"
    if not hour:
        own = Element(label="日期", type="date", grade=1)
        return Composed({"record_date": {"template": template, "formats": [style]}}, {"record_date": own}, used)
    field = {"template": f"{template} {{{hour}}}", "formats": [style + " %H"]}
    return Composed({"recorded_at": field}, {"recorded_at": Element(label="时间", type="timestamp", grade=1)}, used)


def _wide(columns: Sequence[Column], catalog: Catalog) -> Composed:
    years = [c for c in columns if _YEAR.match(header_key(c.name))]
    numeric = [c for c in years if c.type in ("integer", "decimal", "double") or not c.filled]
    if len(years) < 3 or len(numeric) < len(years) or not {"period_year", "indicator_value"} <= set(catalog.elements):
        return _NOTHING
    ending = "年" if header_key(years[0].name).endswith("年") else ""
    fields: Mapping[str, dict[str, Any]] = {
        "period_year": {"from": "period_year", "required": True},
        "indicator_value": {"from": "value"},
    }
    return Composed(
        dict(fields),
        {},
        frozenset(c.name for c in years),
        (f"{len(years)} 个年份列转为行（period_year、indicator_value）",),
        {"columns": f"^([0-9]{{4}}){ending}$", "name": "period_year", "value": "value"},
    )

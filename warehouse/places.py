"""The places of the spatiotemporal library for programs: polygons of areas, and divisions on a day."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import InputError, UnknownName
from catalog.settings import Settings
from warehouse import duck
from warehouse.tables import resolve

if TYPE_CHECKING:
    import duckdb


def district_polygon(settings: Settings) -> Any:
    """The district as one shapely polygon: the union of its street polygons, CGCS2000.

    Raises:
        UnknownName: no divisions are built, or none of them has a polygon.
    """
    import shapely

    return shapely.union_all(shapely.make_valid(list(area_polygons(settings, "street").values())))


def area_polygons(settings: Settings, level: str) -> dict[str, Any]:
    """Code to shapely polygon of the current streets or communities that have one, CGCS2000.

    Args:
        level: ``street`` or ``community``.

    Raises:
        UnknownName: no divisions are built, or none of this level has a polygon.
    """
    import shapely

    rows = _rows(
        settings,
        "spatiotemporal.divisions",
        "SELECT division_code, geom_cgcs2000 FROM {table} "
        "WHERE level = $level AND is_current AND geom_cgcs2000 IS NOT NULL ORDER BY division_code",
        {"level": level},
    )
    if not rows:
        raise UnknownName(
            f"no {level} has a polygon",
            hint="ingest planning__divisions, then `lakehouse build -s spatiotemporal__divisions`",
        )
    return {code: shapely.from_wkb(shape) for code, shape in rows}


def polygon_of_file(path: Path) -> Any:
    """The union of the polygons of a GeoJSON file, as CGCS2000 (WGS 84 taken as the same degrees).

    Raises:
        InputError: no such file, no JSON, or no polygon in it.
    """
    import json

    import shapely

    try:
        text = path.read_text(encoding="utf-8")
        shapes = shapely.get_parts(shapely.from_geojson(text))
    except OSError as e:
        raise InputError(f"{path.name} cannot be read", hint="give the path of a GeoJSON file") from e
    except (shapely.errors.GEOSException, UnicodeDecodeError, json.JSONDecodeError) as e:
        raise InputError(
            f"{path.name} is no GeoJSON", hint="an area is a Polygon, MultiPolygon or collection of them"
        ) from e
    areas = [s for s in shapes if s.geom_type in ("Polygon", "MultiPolygon") and not s.is_empty]
    if not areas:
        raise InputError(f"{path.name} has no polygon", hint="an area is a Polygon or MultiPolygon")
    return shapely.union_all(shapely.make_valid(areas))


def division_on(settings: Settings, division: str, on: date) -> list[dict[str, Any]]:
    """Divisions of a code or name, whether each held on a day, and the changes it took part in.

    Args:
        division: a code of 6, 9 or 12 digits, or a name (``宣武区``).
        on: the day.

    Returns:
        one object a division: code, name, level, valid_from, valid_to (exclusive), ``is_valid`` (None where the lists
        at hand do not tell), ``changes`` as sentences.

    Raises:
        UnknownName: no such code or name, or the library is not built.
    """
    names = ("division_code", "division_name", "level", "valid_from", "valid_to", "certain_from", "certain_to")
    found = _rows(
        settings,
        "spatiotemporal.divisions",
        f"SELECT {', '.join(names)} FROM {{table}} WHERE division_code = $it OR division_name = $it ORDER BY 1, 4",  # noqa: S608
        {"it": division},
    )
    if not found:
        raise UnknownName(f"there is no division {division!r}", hint="a code of 6, 9 or 12 digits, or the full name")
    out = []
    for row in found:
        r = dict(zip(names, row, strict=True))
        valid = _held(r, on)
        out.append({
            **{k: r[k] for k in names[:3]}, "valid_from": r["valid_from"], "valid_to": r["valid_to"], "on": on,
            "is_valid": valid, "changes": _changes(settings, r["division_code"]),
        })  # fmt: skip
    return out


def _held(r: dict[str, Any], on: date) -> bool | None:
    if on < r["valid_from"] or (r["valid_to"] is not None and on >= r["valid_to"]):
        return False
    since = r["certain_from"] is None or on >= r["certain_from"]
    until = r["valid_to"] is None or (r["certain_to"] is not None and on < r["certain_to"])
    return True if since and until else None


KINDS = {"merge": "并入", "split": "分出", "recode": "换码为", "establish": "设立", "abolish": "撤销"}


def _changes(settings: Settings, code: str) -> list[str]:
    rows = _rows(
        settings,
        "spatiotemporal.division_changes",
        "SELECT kind, from_code, from_name, to_code, to_name, not_before_date, not_after_date, is_documented "
        "FROM {table} WHERE from_code = $code OR to_code = $code ORDER BY not_before_date, change_code",
        {"code": code},
    )
    out = []
    for kind, from_code, from_name, to_code, to_name, first, last, documented in rows:
        when = f"{first}" if first == last else f"{first} 至 {last} 之间"
        parts = [
            f"{from_code} {from_name}" if from_code else "",
            KINDS[kind],
            f"{to_code} {to_name}" if to_code else "",
        ]
        out.append(f"{when}：{' '.join(p for p in parts if p)}{'' if documented else '（未查到批准文件）'}")
    return out


def _rows(settings: Settings, table: str, sql: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Rows of one library table; ``{table}`` in ``sql`` is its Delta scan, values are parameters."""
    con = open_table(settings)
    try:
        return con.execute(sql.replace("{table}", scan(settings, table)), values).fetchall()
    finally:
        con.close()


def open_table(settings: Settings) -> duckdb.DuckDBPyConnection:
    """A connection that reads Delta tables."""
    con = duck.connect()
    duck.load_extension(con, "delta")
    return con


def scan(settings: Settings, table: str) -> str:
    """``schema.table`` as a table function of DuckDB.

    Raises:
        UnknownName: no such table.
    """
    return f"delta_scan({duck.literal(resolve(settings, table).path)})"

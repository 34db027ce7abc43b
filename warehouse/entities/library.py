"""The names the lake knows: the library's, and those that registers have brought since it was built."""

# ruff: noqa: S608 - table and column names are of this file, paths are literals
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from catalog.errors import UnknownName
from catalog.settings import Settings
from warehouse.entities.matcher import THRESHOLD, EntityMatcher, Kind, KnownName, Match

if TYPE_CHECKING:
    import duckdb

NAMES = ("library", "legal_entity", "names")
"""Layer, schema and table of the library's names."""
REGISTERS = (
    "market_supervision__enterprises",
    "civil_affairs__social_organisations",
    "staffing__institutions",
)
"""Feeds that register organisations: each row is a code and the name it has now."""
LISTS = ("market_supervision__listed_companies",)
"""Feeds that name organisations with their codes, without registering them."""


def known_names(settings: Settings) -> list[KnownName]:
    """Every name with a code: of ``legal_entity.names``, then of the registers' feed tables as they stand.

    The feed tables alone are enough: a lake whose libraries were not built yet can match.

    Raises:
        UnknownName: neither a library nor a register is there.
    """
    from warehouse.delta import exists
    from warehouse.duck import connect

    found: dict[tuple[str, str], KnownName] = {}
    with connect(house_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        path = settings.table_path(*NAMES)
        if exists(path):
            found.update(_of_library(con, path))
        sources: list[tuple[str, Kind]] = [(f, "alias") for f in LISTS]
        sources += [(f, "registered") for f in REGISTERS]
        for feed, kind in sources:
            path = settings.feed_path(feed)
            if exists(path):
                for uscc, name in _rows(con, "uscc, entity_name", path, "uscc IS NOT NULL AND entity_name IS NOT NULL"):
                    if kind == "registered" or (uscc, name) not in found:
                        found.pop((uscc, name), None)  # said anew: a register's name of today comes last
                        found[uscc, name] = KnownName(uscc, name, kind)
    if not found:
        raise UnknownName(
            "no organisation has a name here yet",
            hint=f"load a register first: lakehouse ingest {REGISTERS[0]} --file <its file>",
        )
    return list(found.values())


def library_names(settings: Settings) -> list[KnownName]:
    """The names of ``legal_entity.names`` alone; none when it was not built."""
    from warehouse.delta import exists
    from warehouse.duck import connect

    path = settings.table_path(*NAMES)
    if not exists(path):
        return []
    with connect(house_only=True) as con:
        return list(_of_library(con, path).values())


def match_names(settings: Settings, names: Sequence[str | None], *, threshold: float = THRESHOLD) -> list[Match | None]:
    """Who each name belongs to; None when nobody, or when it cannot be told.

    For more than one call keep an `EntityMatcher` over `known_names`.

    Args:
        threshold: least confidence of a match that is given.

    Raises:
        UnknownName: no register is loaded.
    """
    return EntityMatcher(known_names(settings), threshold=threshold).match(names)


def _of_library(con: duckdb.DuckDBPyConnection, path: str) -> dict[tuple[str, str], KnownName]:
    rows = map(KnownName._make, _rows(con, "uscc, entity_name, name_kind", path, "entity_name IS NOT NULL"))
    return {row[:2]: row for row in rows}


def _rows(con: duckdb.DuckDBPyConnection, columns: str, path: str, where: str) -> Iterable[tuple[Any, ...]]:
    from warehouse.delta import scan_sql

    found = con.execute(f"SELECT {columns} FROM {scan_sql(con, path)} WHERE {where} ORDER BY ALL").to_arrow_table()
    return zip(*(column.to_pylist() for column in found.columns), strict=True)

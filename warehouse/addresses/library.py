"""The address book of a lake: what its libraries know of addresses, ready for matching."""

# ruff: noqa: S608 - table and column names are of this file, paths are literals
from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from catalog.errors import UnknownName
from catalog.settings import Settings
from quality.addresses.book import AddressBook, Alias, Area, Community, Standard, make_book
from quality.addresses.communities import CommunityNames
from quality.addresses.match import Matcher
from quality.collecting import uncollected

if TYPE_CHECKING:
    import duckdb

STANDARDS = ("library", "spatiotemporal", "addresses")
AREAS = ("library", "spatiotemporal", "address_areas")
ALIASES = ("library", "spatiotemporal", "address_aliases")
DIVISIONS = ("library", "spatiotemporal", "divisions")

TABLES = {
    STANDARDS: "address_code, standard_address, lane_name, house_number, compound_name, street_code, community_code, "
    "longitude_cgcs2000, latitude_cgcs2000, located_street_code",
    AREAS: "area_id, name, alias, number_stem, number_from, number_to, number_kind, parity, building, community_code, "
    "community_name",
    ALIASES: "alias_name, number_stem, number, building, address_code",
    DIVISIONS: "division_code, longitude_cgcs2000, latitude_cgcs2000",
}
"""What the book is read from, and the columns of each."""


def communities(settings: Settings, *, current: bool = True) -> list[Community]:
    """The communities of the code list with their streets; with ``current`` only those that exist today."""
    from catalog.registry import load_catalog

    catalog = load_catalog(settings.catalog_dir)
    streets = {c.code: c.name.removesuffix("街道") for c in catalog.code_list("streets").values}
    return [
        Community(c.code, c.name, c.parent or "", streets.get(c.parent or "", ""))
        for c in catalog.code_list("communities").values
        if not (current and c.valid_to)
    ]


def community_names(settings: Settings) -> CommunityNames:
    """The communities by the names lists print."""
    return CommunityNames(communities(settings, current=False))


def load_book(settings: Settings) -> AddressBook:
    """The book of the tables that are there; an empty one in a lake without libraries."""
    from warehouse.duck import connect

    with connect(house_only=True) as con:
        standards = map(Standard._make, _rows(con, settings, STANDARDS, _OF_STANDARD))
        areas = [Area(*(_text(v, i) for i, v in enumerate(row))) for row in _rows(con, settings, AREAS)]
        aliases = [Alias(*row) for row in _rows(con, settings, ALIASES)]
        middles = {code: middle for code, *middle in _rows(con, settings, DIVISIONS) if middle[0] is not None}
    listed = [Community(*c[:4], *middles.get(c.code, ())) for c in communities(settings)]
    return make_book(standards, areas, listed, aliases)


def newest_book(settings: Settings) -> AddressBook:
    """The same for who asks often: read once in a process, until a table behind it has another version."""
    with _READING:
        return _book_at(settings, versions(settings))


_READING = Lock()


@lru_cache(maxsize=1)  # the book of a district is 120 MB, and one lake is all a process needs
def _book_at(settings: Settings, versions: tuple[int, ...]) -> AddressBook:
    with uncollected():
        return load_book(settings)


def load_matcher(settings: Settings, *, answer_from: float | None = None) -> Matcher:
    """A matcher over the lake's book, for many questions.

    Args:
        answer_from: least confidence of any answer; the defaults are ``match.ANSWER_FROM`` and ``COMMUNITY_FROM``.

    Raises:
        UnknownName: neither standard addresses nor areas were built.
    """
    book = load_book(settings)
    if not book.standards and not book.spans:
        raise UnknownName(
            "the address library is empty",
            hint="load planning__address_points, planning__residential_compounds or education__enrolment_areas, "
            "then `lakehouse build`",
        )
    return Matcher(book) if answer_from is None else Matcher(book, answer_from=answer_from, community_from=answer_from)


def versions(settings: Settings) -> tuple[int, ...]:
    """Versions of the tables behind the book; -1 for one that is not there."""
    from warehouse.log_state import version

    return tuple(version(settings.table_path(*table)) for table in TABLES)


_OF_STANDARD = (
    "address_code, standard_address, coalesce(lane_name, ''), coalesce(house_number, ''), coalesce(compound_name, ''), "
    "coalesce(nullif(street_code, ''), located_street_code, ''), coalesce(community_code, ''), "
    "longitude_cgcs2000, latitude_cgcs2000"
)
"""The fields of `Standard`, in SQL: texts that are not known are empty."""


def _text(value: Any, place: int) -> Any:
    """Numbers may be unknown; texts are empty then."""
    return value if value is not None or Area._fields[place] in ("lo", "hi", "parity") else ""


def _rows(
    con: duckdb.DuckDBPyConnection, settings: Settings, table: tuple[str, str, str], columns: str = ""
) -> Iterable[tuple[Any, ...]]:
    """Rows of a table, ordered by all ``columns``; by default those of `TABLES`."""
    from warehouse.delta import exists, scan_sql

    path = settings.table_path(*table)
    if not exists(path):
        return []
    sql = f"SELECT {columns or TABLES[table]} FROM {scan_sql(con, path)} ORDER BY ALL"
    found = con.execute(sql).to_arrow_table()  # by columns: a row at a time takes thrice the time
    return zip(*(column.to_pylist() for column in found.columns), strict=True)

"""Addresses inside SQL: the functions behind the macros ``address_match``, ``address_pieces`` and ``address_parse``."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from catalog.settings import Settings
from quality.collecting import uncollected

if TYPE_CHECKING:
    import duckdb

    from quality.addresses.match import Matcher

MATCH = "lakehouse_address_match"
PIECES = "lakehouse_address_pieces"
PARSE = "lakehouse_address_parse"
AT = "lakehouse_address_at"


def register(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Give ``con`` four functions; each answers with JSON.

    ``lakehouse_address_match(text, street_code, community_code)``: what ``quality.addresses.match.Match`` holds, NULL
    for nothing found. It looks into ``spatiotemporal.addresses``, ``address_areas`` and ``address_aliases`` as they
    stand: a model that calls it depends on them. ``lakehouse_address_pieces(text, printed_community)``: a list of
    pieces of an area. ``lakehouse_address_parse(text)``: the elements of one address.
    ``lakehouse_address_at(longitude, latitude)``: the nearest standard address, reading the same tables.
    """
    from duckdb.func import FunctionNullHandling, PythonUDFType

    index = _Index(settings)
    text = "VARCHAR"
    functions: tuple[tuple[str, Callable[..., Any], list[Any], str], ...] = (
        (MATCH, index.match, [text, text, text], text),
        (PIECES, index.pieces, [text, text], "VARCHAR[]"),
        (PARSE, parse_texts, [text], text),
        (AT, index.at, ["DOUBLE", "DOUBLE"], text),
    )
    for name, function, arguments, returns in functions:
        con.create_function(
            name,
            function,
            arguments,
            returns,
            type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL,
        )


def register_for_readers(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Give ``con`` the functions a reader's statement may call, by their short names.

    ``address_match(text)``, ``address_at(longitude, latitude)`` and ``address_parse(text)`` answer with JSON:
    ``address_match('西城区砖塔胡同11号')->>'community_name'``.
    """
    from duckdb.func import FunctionNullHandling, PythonUDFType

    index = _Index(settings)
    functions: tuple[tuple[str, Callable[..., Any], list[Any]], ...] = (
        ("address_match", index.match_text, ["VARCHAR"]),
        ("address_parse", parse_texts, ["VARCHAR"]),
        ("address_at", index.at, ["DOUBLE", "DOUBLE"]),
    )
    for name, function, arguments in functions:
        con.create_function(
            name,
            function,
            arguments,
            "VARCHAR",
            type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL,
        )


class _Index:
    """The matcher over the newest versions of the tables, made when first asked and when they have changed.

    What it was asked is remembered by each; the book is the process's.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        # threads that are in here at once push each other off the interpreter: it takes them twice the time
        self._turn = threading.Lock()
        self._matcher: Matcher | None = None

    def match(self, texts: pa.ChunkedArray, streets: pa.ChunkedArray, communities: pa.ChunkedArray) -> pa.Array:
        """One answer a text, with what is known of its street and community."""
        asked = (texts.to_pylist(), streets.to_pylist(), communities.to_pylist())
        with self._turn, uncollected():
            return _strings(map(vars, self._current().match_many(*asked)))

    def match_text(self, texts: pa.ChunkedArray) -> pa.Array:
        """One answer a text, nothing else being known."""
        return _strings(map(vars, self._current().match_many(texts.to_pylist())))

    def pieces(self, texts: pa.ChunkedArray, printed: pa.ChunkedArray) -> pa.Array:
        """The pieces of each area, with the community its list prints."""
        from quality.addresses.areas import pieces
        from quality.addresses.communities import printed_name
        from warehouse.addresses.library import communities, community_names

        names = community_names(self._settings)
        current = {c.code: c.name for c in communities(self._settings)}
        found = []
        for text, community in zip(texts.to_pylist(), printed.to_pylist(), strict=True):
            code = names.code(community) or ""
            place = {
                "community_code": code if code in current else None,
                "community_name": current.get(code) or printed_name(community) or None,
            }
            found.append([json.dumps(vars(p) | place, ensure_ascii=False) for p in pieces(text) if p.name])
        return pa.array(found, pa.list_(pa.string()))

    def at(self, longitudes: pa.ChunkedArray, latitudes: pa.ChunkedArray) -> pa.Array:
        """What is at each point; NULL for none."""
        ask = self._current().reverse
        points = zip(longitudes.to_pylist(), latitudes.to_pylist(), strict=True)
        found = (None if x is None or y is None else ask(x, y) for x, y in points)
        return _strings(vars(m) if m else None for m in found)

    def _current(self) -> Matcher:
        from quality.addresses.match import Matcher
        from warehouse.addresses.library import newest_book

        with self._lock:
            book = newest_book(self._settings)
            if self._matcher is None or self._matcher.book is not book:
                self._matcher = Matcher(book)
            return self._matcher


def parse_texts(texts: pa.ChunkedArray) -> pa.Array:
    """The elements of each address, with what follows the name as one text (``local``)."""
    from quality.addresses.parse import parse, split

    def elements(text: str | None) -> dict[str, Any]:
        found = parse(text).model_dump()
        found["lane_name"], found["local"] = split(text)
        return found

    return _each(texts, elements)


def _each(texts: pa.ChunkedArray, function: Callable[[str | None], dict[str, Any]]) -> pa.Array:
    return _strings(function(t) for t in texts.to_pylist())


def _strings(found: Iterable[Mapping[str, Any] | None]) -> pa.Array:
    """JSON of what is known of each; NULL where nothing is."""
    kept = ({k: v for k, v in f.items() if v not in _NOTHING} if f else None for f in found)
    return pa.array([_ENCODER.encode(f) if f else None for f in kept], pa.string())


_NOTHING = ("", None)
_ENCODER = json.JSONEncoder(ensure_ascii=False)

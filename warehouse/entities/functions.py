"""The name matcher inside dbt builds: the SQL function behind the macro ``entity_match``."""

from __future__ import annotations

import threading
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from catalog.settings import Settings
from quality.collecting import uncollected

if TYPE_CHECKING:
    import duckdb

    from warehouse.entities.matcher import Match

FUNCTION = "lakehouse_entity_match"


def register(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Give ``con`` the function ``lakehouse_entity_match(name)``.

    It answers with JSON (``uscc``, ``entity_name``, ``confidence``, ``method``) or NULL. It looks names up in
    ``legal_entity.names`` as that table stands, so a model that calls it depends on that model.
    """
    from duckdb.func import FunctionNullHandling, PythonUDFType

    index = _Index(settings)
    # DuckDB evaluates the annotations of what it is given, and here they are names for the type checker only
    con.create_function(
        FUNCTION,
        lambda names: index.answer(names),
        ["VARCHAR"],
        "VARCHAR",
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,  # a name of nobody is answered with NULL
    )


class _Index:
    """The matcher over the newest version of the names, made when first asked and when the table has changed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        # threads that are in here at once push each other off the interpreter: it takes them twice the time
        self._turn = threading.Lock()
        self._version: int | None = None
        self._matcher: Any = None

    def answer(self, names: pa.ChunkedArray) -> pa.Array:
        """One answer a name."""
        with self._turn, uncollected():
            found = self._current().match(names.to_pylist())
            return pa.array([_text(m) if m else None for m in found], pa.string())

    def _current(self) -> Any:
        from warehouse.entities.library import NAMES, library_names
        from warehouse.entities.matcher import EntityMatcher
        from warehouse.log_state import version

        path = self._settings.table_path(*NAMES)
        with self._lock:
            now = version(path)
            if self._matcher is None or now != self._version:
                self._matcher, self._version = EntityMatcher(library_names(self._settings)), now
            return self._matcher


def _text(m: Match) -> str:
    """JSON of a match; put together here, in a fifth of the time that ``dumps`` takes for so small an object."""
    uscc, name = encode_basestring(m.uscc), encode_basestring(m.entity_name)
    return f'{{"uscc": {uscc}, "entity_name": {name}, "confidence": {m.confidence!r}, "method": "{m.method}"}}'

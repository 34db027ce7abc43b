"""DuckDB connections: extensions come as installed Python packages, never from the network or a home folder."""

from __future__ import annotations

import re
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import LakehouseError
from warehouse.verified import is_noted, mark, note

if TYPE_CHECKING:
    import duckdb


class ExtensionMissing(LakehouseError):
    """A DuckDB extension is not installed for this version of DuckDB."""

    code = "LH600"


VERIFIED_ONCE: dict[str, Any] = {"allow_unsigned_extensions": True}
"""Configuration of a connection on which only the house's own statements run: `load_extension` sees to it that DuckDB
verifies an extension's signature, but once a file instead of once a connection (0.05 to 0.2 s of a core each)."""
_verified: set[tuple[str, ...]] = set()
_verifying = threading.Lock()


def connect(
    *, memory: str = "2GB", threads: int | None = None, spill: Path | None = None, house_only: bool = False
) -> duckdb.DuckDBPyConnection:
    """A private in-memory DuckDB that installs nothing by itself and shows instants in Beijing time.

    Args:
        memory: limit of the buffer manager, DuckDB notation.
        threads: default one a core.
        spill: folder for what does not fit in memory; none spills nothing.
        house_only: no statement of anybody else will run on it; see `VERIFIED_ONCE`.
    """
    import duckdb

    config: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": memory,
        "temp_directory": str(spill) if spill else "",
        "python_enable_replacements": False,
    }
    if threads:
        config["threads"] = threads
    if house_only:
        config |= VERIFIED_ONCE
    con = duckdb.connect(":memory:", config=config)
    con.execute("SET TimeZone = 'Asia/Shanghai'")
    return con


def extension_path(name: str) -> Path:
    """The file of extension ``name`` for the DuckDB that is installed.

    Raises:
        ExtensionMissing: no package has it.
    """
    import duckdb

    spec = find_spec(f"duckdb_extension_{name}")
    if spec and spec.submodule_search_locations:
        for folder in spec.submodule_search_locations:
            path = Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
            if path.is_file():
                return path
    raise ExtensionMissing(
        f"DuckDB extension {name} is not installed for DuckDB {duckdb.__version__}",
        hint=f"pip install duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__}",
        extension=name,
    )


def load_extension(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load extension ``name`` into ``con`` from its package; its signature is checked by DuckDB.

    Raises:
        ExtensionMissing: no package has it. duckdb.Error: its signature is not DuckDB's.
    """
    path = extension_path(name)
    allowed = con.execute("SELECT current_setting('allow_unsigned_extensions')").fetchone()
    if allowed and allowed[0]:
        _verify(path)
    con.execute(f"LOAD {literal(str(path))}")


def _verify(path: Path) -> None:
    """Have DuckDB check the signature of an extension's file that it has not verified as it is now."""
    import duckdb

    seen = mark(path)
    file = (str(path), *map(str, seen))
    with _verifying:
        if file in _verified:
            return
        if not is_noted(path, seen):
            with duckdb.connect(":memory:", config={"autoinstall_known_extensions": False}) as strict:
                strict.execute(f"LOAD {literal(str(path))}")
            note(path, seen)
        _verified.add(file)


def quote(identifier: str) -> str:
    """``identifier`` as a quoted SQL name."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """``text`` as a SQL string, for the few statements that take no parameters (views, settings, LOAD)."""
    return "'" + text.replace("'", "''") + "'"


WHOLE = "lakehouse_whole"
_SEVERAL_PIPELINES = re.compile(r"\b(UNION|RIGHT|RIGHT_SEMI|RIGHT_ANTI|OUTER|FULL)\b")
"""What a plan says of them."""


def streamable(con: duckdb.DuckDBPyConnection, query: str) -> str:
    """A query of the same rows that can be read while it runs.

    DuckDB 1.5 may wait for ever when several pipelines feed a result that is read as it comes, which every result of
    ``execute`` is: each waits for room that only the end of another would make. Unions, and joins that give their
    unmatched rows last, are made a temporary table first, ``WHOLE``.

    Args:
        query: one statement that gives rows; one that has no plan (``describe``, ``show``) is left as it is.
    """
    import duckdb

    try:
        plan = "".join(str(text) for _, text in con.execute(f"explain {query}").fetchall())
    except duckdb.ParserException:
        return query
    if not _SEVERAL_PIPELINES.search(plan):
        return query
    con.execute(f"create or replace temporary table {WHOLE} as {query}")
    return f"from {WHOLE}"

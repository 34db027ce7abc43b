"""What the functions of a build know, as digests: a table of their answers holds as long as its digest does.

A model that asks one function for every row notes the digest in its commit. The next build takes the answers of rows
that ask the same from the table itself, and asks only what is new (``dbt_project/macros/kept_answers.sql``).
"""

# ruff: noqa: S608 - names are of this project, paths are literals
from __future__ import annotations

import json
import os
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

from catalog.errors import UnknownName
from catalog.settings import Settings
from warehouse import log_state

ADDRESSES, ADDRESS_PARTS, ENTITY_NAMES = "addresses", "address_parts", "entity_names"
_HOUSE = Path(__file__).resolve().parent.parent
_LIBRARIES = ("numpy", "opencc", "pypinyin", "rapidfuzz")
"""What the matchers are made with: another version may answer otherwise."""


def knowledge(settings: Settings, kind: str) -> str:
    """The digest of what answers of a kind are made from: the tables behind them, the code lists, and the code.

    Args:
        kind: ``addresses`` (the address book), ``address_parts`` (how an address is read, without any book) or
            ``entity_names`` (the names of organisations).

    Raises:
        UnknownName: there is no such kind.
    """
    from warehouse.addresses.library import TABLES, communities
    from warehouse.entities.library import NAMES

    code: tuple[str, ...]
    if kind == ADDRESSES:
        told, tables, code = repr(communities(settings)), TABLES, ("quality/addresses", "warehouse/addresses")
    elif kind == ADDRESS_PARTS:
        told, tables, code = repr(communities(settings)), {}, ("quality/addresses", "warehouse/addresses")
    elif kind == ENTITY_NAMES:
        told, tables, code = "", {NAMES: "uscc, entity_name, name_kind"}, ("warehouse/entities",)
    else:
        raise UnknownName(f"no answers are of kind {kind}", hint=f"kinds: {ADDRESSES}, {ADDRESS_PARTS}, {ENTITY_NAMES}")
    digest = sha256(told.encode())
    digest.update(_code(code))
    for table, columns in tables.items():
        path = settings.table_path(*table)
        digest.update(_content(settings.build, path, columns, log_state.version(path)).encode())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=4)  # what this process answers with does not change in it
def _code(folders: tuple[str, ...]) -> bytes:
    digest = sha256()
    for file in sorted(f for folder in folders for f in (_HOUSE / folder).glob("*.py")):
        digest.update(file.read_bytes())
    for library in _LIBRARIES:
        digest.update(version(library).encode())
    return digest.digest()


@lru_cache(maxsize=16)
def _content(build: Path, path: str, columns: str, at: int) -> str:
    """A digest of the rows whatever their order: a table built again from the same rows is the same knowledge.

    It is kept in the build's folder, as long as the table stands at that version of itself.
    """
    if at < 0:
        return ""
    from deltalake import DeltaTable

    known, names = build / "knowledge.json", "/".join(Path(path).parts[-3:])
    table = [DeltaTable(path).metadata().id, at, columns]
    kept = _kept(known).get(names, {})
    if kept.get("table") != table:
        kept = {"table": table, "rows": _rows_digest(path, columns)}
        with _WRITING:  # models of one build ask at once
            build.mkdir(parents=True, exist_ok=True)
            draft = known.with_suffix(f".{os.getpid()}")
            draft.write_text(json.dumps({**_kept(known), names: kept}), encoding="utf-8")
            draft.replace(known)
    return str(kept["rows"])


_WRITING = Lock()


def _kept(known: Path) -> dict[str, dict[str, Any]]:
    try:
        return dict(json.loads(known.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):  # not there, or cut short by a crash: all is read again
        return {}


def _rows_digest(path: str, columns: str) -> str:
    from warehouse.delta import scan_sql
    from warehouse.duck import connect

    with connect(house_only=True) as con:
        sql = f"SELECT count(*), bit_xor(hash({columns})), sum(hash({columns})) FROM {scan_sql(con, path)}"
        return repr(con.execute(sql).fetchone())

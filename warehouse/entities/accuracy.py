"""How well records of organisations were linked, against a truth beside the files (the demo's ``entity_records.csv``).

Only records that reached a feed table count: what quarantine holds cannot be linked. A record of a firm that is in no
register of the district is right when it stays unlinked.
"""

# ruff: noqa: S608 - names are constants, paths are literals
from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from catalog.errors import InputError
from catalog.settings import Settings

RECORDS, ENTITIES = "entity_records.csv", "entities.csv"


class KindLine(BaseModel):
    """Records whose name, or code, is of one kind: how many, linked rightly, linked wrongly, left unlinked wrongly."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    records: int
    right: int
    wrong: int
    missed: int


class EntityAccuracy(BaseModel):
    """Counts over records: ``right`` linked as the truth says, ``found`` linked at all, ``true`` to be linked.

    Attributes:
        names_right, names_found, names_true: the same of records linked by their name alone, or that had nothing else.
        name_kinds, code_kinds: the same by how name and code were written.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    records: int
    right: int
    found: int
    true: int
    names_right: int
    names_found: int
    names_true: int
    name_kinds: list[KindLine]
    code_kinds: list[KindLine]

    def scores(self) -> dict[str, float]:
        """Precision, recall and F1 of all records, and of those by name only."""
        made = {}
        for label, right, found, true in (
            ("entities", self.right, self.found, self.true),
            ("entities_by_name", self.names_right, self.names_found, self.names_true),
        ):
            made[f"{label}_precision"] = round(right / found, 5) if found else 1.0
            made[f"{label}_recall"] = round(right / true, 5) if true else 1.0
            made[f"{label}_f1"] = round(2 * right / (found + true), 5) if found + true else 1.0
        return made


def measured_entities(settings: Settings, truth: Path) -> EntityAccuracy | None:
    """`measure_entities`, or None for a lake without organisations or a truth about people only."""
    from warehouse.delta import exists

    there = exists(settings.table_path("library", "legal_entity", "sources")) and (truth / RECORDS).is_file()
    return measure_entities(settings, truth) if there else None


def measure_entities(settings: Settings, truth: Path) -> EntityAccuracy:
    """Compare ``legal_entity.sources`` with the truth.

    Raises:
        InputError: the truth or the library is not there.
    """
    from warehouse.delta import exists, scan_sql
    from warehouse.duck import connect

    path = settings.table_path("library", "legal_entity", "sources")
    if not exists(path) or not (truth / RECORDS).is_file():
        raise InputError(
            f"there is no {'legal_entity.sources' if not exists(path) else truth / RECORDS} to compare",
            hint="build the libraries; the truth is written by `lakehouse demo generate`",
        )
    codes = {e["entity"]: e["uscc"] for e in _read(truth / ENTITIES)}
    meant = {(r["feed"], r["record"]): r for r in _read(truth / RECORDS)}
    with connect() as con:
        rows = con.execute(f"SELECT feed_id, record_id, uscc, link_method FROM {scan_sql(con, path)}").fetchall()
    total: dict[str, int] = defaultdict(int)
    kinds: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for feed, record, uscc, method in rows:
        one = meant.get((feed, record))
        if one is None:
            continue
        true = codes.get(one["entity"])
        right, wrong, missed = _outcome(uscc, true)
        by_name = (method or "name_none").startswith("name_")
        for prefix in ("", "names_") if by_name else ("",):
            total[f"{prefix}right"] += right
            total[f"{prefix}found"] += uscc is not None
            total[f"{prefix}true"] += true is not None
        total["records"] += 1
        for key in (("name", one["name_kind"]), ("code", one["code_kind"] or "no_code_column")):
            for i, n in enumerate((1, right, wrong, missed)):
                kinds[key][i] += n
    return EntityAccuracy(
        **{name: total[name] for name in EntityAccuracy.model_fields if name not in ("name_kinds", "code_kinds")},
        name_kinds=_lines(kinds, "name"),
        code_kinds=_lines(kinds, "code"),
    )


def _outcome(uscc: str | None, true: str | None) -> tuple[int, int, int]:
    return int(uscc is not None and uscc == true), int(uscc is not None and uscc != true), int(bool(true) and not uscc)


def _lines(kinds: dict[tuple[str, str], list[int]], of: str) -> list[KindLine]:
    return [
        KindLine(kind=kind, records=n, right=right, wrong=wrong, missed=missed)
        for (what, kind), (n, right, wrong, missed) in sorted(kinds.items())
        if what == of
    ]


def _read(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))

"""Values in clear: only for an enrolled person who signs the statement and holds a grant for it.

The grant decides (``catalog/grants/*.yaml``); the person's passphrase proves who asks (``warehouse.approvals``), and
the signature over the request stands in the audit log. Tables of grade 4 are never given in clear.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

from catalog.errors import ContractError
from catalog.grants import Grant, load_grants
from catalog.registry import Catalog
from catalog.settings import Settings
from warehouse import access
from warehouse.masking import highest_grade
from warehouse.model_grades import column_meta
from warehouse.tables import TableRef

BEIJING = timezone(timedelta(hours=8))
LAYERS = ("feed", "quarantine", "library", "mart")
"""Layers whose values can be granted."""


@dataclass(frozen=True)
class ClearRequest:
    """Who wants values in clear, and what for.

    Attributes:
        person: id in ``dictionary/people.yaml``.
        purpose: exactly as the grant states it.
    """

    person: str
    passphrase: str
    purpose: str

    def __repr__(self) -> str:
        return f"ClearRequest({self.person!r})"


@dataclass(frozen=True)
class ClearDecision:
    """Which columns of which tables are given in clear, under which grants, and the person's signature."""

    columns: dict[str, frozenset[str]]
    grants: tuple[str, ...]
    signature: str


def decide_clear(
    settings: Settings,
    catalog: Catalog,
    request: ClearRequest,
    tables: Sequence[tuple[TableRef, Sequence[str], Sequence[int]]],
    statement_sha256: str,
    *,
    now: datetime,
) -> ClearDecision:
    """What ``request`` gives; every table must be covered.

    Args:
        tables: each with its columns and their grades.

    Raises:
        ApprovalRefused: not enrolled, or not this person's passphrase.
        AccessDenied: a table is not granted to this person for this purpose today, or is of grade 4.
    """
    from warehouse.approvals import sign

    signed = {
        "person": request.person,
        "purpose": request.purpose.strip(),
        "statement": statement_sha256,
        "tables": [ref.sql_name for ref, _, _ in tables],
        "at": now.isoformat(),
    }
    payload = json.dumps(signed, sort_keys=True, ensure_ascii=False).encode()
    signature = sign(settings, request.person, request.passphrase, payload, now=now)
    held = _held(settings, request, now)
    given: dict[str, frozenset[str]] = {}
    for ref, columns, grades in tables:
        names = frozenset(_granted(catalog, ref, columns, grades, held.values()))
        if not names:
            raise _denied(request, ref.sql_name, _why(catalog, ref, held))
        given[ref.sql_name] = names
    used = tuple(g.id for g in held.values() if any(t in given for t in g.tables))
    return ClearDecision(given, used, signature)


def check_grants(settings: Settings, catalog: Catalog) -> dict[str, Grant]:
    """Every grant, held to the tables and columns there are.

    Raises:
        ContractError: a grant names what is not there, or what may not be granted.
    """
    grants = load_grants(settings.catalog_dir)
    for grant in grants.values():
        for table, columns in grant.tables.items():
            layer, known = _columns(catalog, table)
            schema, name = table.split(".", 1)
            ref = TableRef(layer, schema, name, "")
            if not known:
                raise _fault(settings, grant, f"there is no table {table}", "name a feed.…, a library or a mart")
            if highest_grade(catalog, ref) >= 4:
                raise _fault(settings, grant, f"{table} is of grade 4", "rows of grade 4 leave as counts only")
            for column in () if columns == "*" else columns:
                if column not in known:
                    raise _fault(settings, grant, f"{table} has no column {column}", f"it has {', '.join(known)}")
                if known[column] > grant.max_grade:
                    text = f"{table}.{column} is of grade {known[column]}, above max_grade {grant.max_grade}"
                    raise _fault(settings, grant, text, "leave the column out")
    return grants


def _held(settings: Settings, request: ClearRequest, now: datetime) -> dict[str, Grant]:
    """Grants of this person for this purpose that hold today."""
    today: date = now.astimezone(BEIJING).date()
    grants = load_grants(settings.catalog_dir)
    mine = {k: g for k, g in grants.items() if g.principal == request.person and g.holds(today)}
    return {k: g for k, g in mine.items() if g.purpose == request.purpose.strip()}


def _granted(
    catalog: Catalog, ref: TableRef, columns: Sequence[str], grades: Sequence[int], held: Iterable[Grant]
) -> Iterable[str]:
    if ref.layer not in LAYERS or highest_grade(catalog, ref) >= 4:
        return
    for grant in held:
        wanted = grant.tables.get(ref.sql_name, ())
        for name, grade in zip(columns, grades, strict=True):
            if grade <= grant.max_grade and (wanted == "*" or name in wanted):
                yield name


def _why(catalog: Catalog, ref: TableRef, held: dict[str, Grant]) -> str:
    if highest_grade(catalog, ref) >= 4:
        return "grade 4 is never given in clear"
    return "no grant of this person for this purpose names it" if held else "no grant for this purpose holds today"


def _denied(request: ClearRequest, table: str, reason: str) -> access.AccessDenied:
    return access.AccessDenied(
        f"{request.person} may not read {table} in clear",
        hint="a grant in catalog/grants names person, table, purpose and days; without --clear values are masked",
        reason=reason,
    )


def _columns(catalog: Catalog, table: str) -> tuple[str, dict[str, int]]:
    schema, name = table.split(".", 1)
    if schema in ("feed", "history", "quarantine") and name in catalog.feeds:
        grades: dict[str, int] = {f.name: f.grade for f in catalog.fields(name)}
        return "feed" if schema == "history" else schema, grades if schema != "quarantine" else {
            "raw": catalog.grade(name)
        }
    return "library", {name: int(meta.get("grade") or 4) for name, meta in column_meta(table).items()}


def _fault(settings: Settings, grant: Grant, message: str, hint: str) -> ContractError:
    file = settings.catalog_dir / "grants" / f"{grant.id}.yaml"
    return ContractError(f"grant {grant.id}: {message}", hint=hint, file=str(file))


def statement_hash(sql: str) -> str:
    """What stands for a statement in the audit log."""
    return hashlib.sha256(sql.encode()).hexdigest()

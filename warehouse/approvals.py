"""Who asked that a product may leave, and who agreed: signed, dated, and checked anew at every release.

Grade 1 and 2 leave without approval. Grade 3 (of the table or of any column, before masks) needs one person other
than the one who asked; grade 4 needs two. ``platform.approvals`` only grows: request, approve, refuse, revoke.

What is enforced. A row counts only when it is signed by the key of a person of ``dictionary/people.yaml``; that key
is derived from a passphrase nobody else knows, so neither the account that runs the lakehouse nor an editor of the
table can approve for somebody. An approval covers one declaration of the product (any change of it asks anew), its
recipients and a span of days. Refusals and revocations also stand in the audit log, so removing their rows from the
table revives nothing. What is not: who may change people.yaml can appoint approvers, and who owns the machine can
change this program; both are matters of review, and of the audit log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from catalog.errors import ReleaseRefused, UnknownName
from catalog.model import Product
from catalog.people import Person, Role, load_people
from catalog.registry import Catalog
from catalog.settings import Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

TABLE = "approvals"
APPROVERS = {1: 0, 2: 0, 3: 1, 4: 2}
"""Persons other than the one who asks, for each grade."""
MAX_DAYS = 366
PASSPHRASE = 14
"""Fewest characters: a public key lets anybody try passphrases, at the price of one scrypt each."""
_ACTS: dict[Role, str] = {
    "request": "request releases",
    "approve": "approve releases",
    "reveal": "look into the vault",
}
State = Literal["open", "approved", "refused", "revoked", "expired", "outdated"]
_SIGNED = ("product", "declaration", "grade", "recipients", "purpose", "legal_basis", "expires_at")
"""What an approval repeats of its request."""
_COLUMNS = ("request", "action", *_SIGNED, "person", "at", "comment", "signature")


class ApprovalRefused(ReleaseRefused):
    """A request, approval or release that the rules of approval do not allow."""

    code = "LH521"


class Request(BaseModel):
    """A request and what became of it.

    Attributes:
        declaration: hash of the product as it was asked for.
        state: ``outdated``: the product was changed since; ``open``: approvals are missing.
        missing: how many.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    product: str
    recipients: tuple[str, ...]
    purpose: str
    legal_basis: str
    grade: int
    declaration: str
    requester: str
    at: datetime
    expires_at: datetime
    approvers: tuple[str, ...]
    state: State
    missing: int


# --- persons ----------------------------------------------------------------------------------------------------


def public_key(person_id: str, passphrase: str) -> str:
    """The key to put into people.yaml for a passphrase.

    Raises:
        ApprovalRefused: the passphrase is short.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = _private_key(person_id, passphrase)
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def _private_key(person_id: str, passphrase: str) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if len(passphrase) < PASSPHRASE or len(set(passphrase)) < 6:
        raise ApprovalRefused(
            f"a passphrase has at least {PASSPHRASE} characters", hint="several words nobody would guess together"
        )
    salt = b"xicheng-lakehouse person\0" + person_id.encode()
    seed = hashlib.scrypt(passphrase.encode(), salt=salt, n=2**15, r=8, p=1, maxmem=2**26, dklen=32)
    return Ed25519PrivateKey.from_private_bytes(seed)


def sign(settings: Settings, person_id: str, passphrase: str, payload: bytes, *, now: datetime) -> str:
    """The signature of an enrolled person, hexadecimal; for reading in clear (``warehouse.grants``).

    Raises:
        ApprovalRefused: nobody of that name is enrolled today, or it is not their passphrase.
    """
    return signer(load_people(settings.catalog_dir), person_id, passphrase, None, now).sign(payload).hex()


def signer(
    people: Mapping[str, Person], person_id: str, passphrase: str, role: Role | None, now: datetime
) -> Ed25519PrivateKey:
    """The key of a person who may act in ``role`` today; None: whatever their roles.

    Raises:
        ApprovalRefused: they may not, or the passphrase is not theirs.
    """
    person = people.get(person_id)
    may = person is not None and (role is None or role in person.roles) and now.date().isoformat() <= person.valid_to
    if person is None or not may:
        raise ApprovalRefused(
            f"{person_id} may not {_ACTS[role]}" if role else f"{person_id} is not enrolled",
            hint="persons and roles stand in catalog/dictionary/people.yaml",
            person=person_id,
        )
    if public_key(person_id, passphrase) != person.public_key:
        raise ApprovalRefused("that is not this person's passphrase", hint="enter it again", person=person_id)
    return _private_key(person_id, passphrase)


# --- actions ----------------------------------------------------------------------------------------------------


def request(
    settings: Settings,
    catalog: Catalog,
    product_id: str,
    *,
    person: str,
    passphrase: str,
    now: datetime,
    recipients: Iterable[str] = (),
    purpose: str = "",
    days: int = 90,
) -> Request:
    """Ask that a product may leave.

    Args:
        person: who asks; signs with ``passphrase``.
        recipients: some of the product's, default all.
        purpose: what for, default the product's.
        days: how long approvals of this request hold.

    Raises:
        ApprovalRefused: not this person, not these recipients, or too long.
    """
    product = catalog.product(product_id)
    key = signer(load_people(settings.catalog_dir), person, passphrase, "request", now)
    wanted = tuple(dict.fromkeys(recipients)) or product.recipients
    if strangers := [r for r in wanted if r not in product.recipients]:
        raise ApprovalRefused(
            f"{', '.join(strangers)} is no recipient of {product_id}",
            hint=f"its recipients are {', '.join(product.recipients)}; others are added to the product first",
        )
    if not 1 <= days <= MAX_DAYS:
        raise ApprovalRefused(f"an approval holds 1 to {MAX_DAYS} days", hint="ask again when it ends")
    expires_at = (now + timedelta(days=days)).astimezone(UTC)
    row: dict[str, Any] = {
        "action": "request",
        "product": product_id,
        "declaration": declaration(product),
        "grade": approval_grade(catalog, product),
        "recipients": ",".join(wanted),
        "purpose": purpose.strip() or product.purpose,
        "legal_basis": product.legal_basis,
        "person": person,
        "at": now.astimezone(UTC),
        "expires_at": expires_at,
        "comment": "",
    }
    row["request"] = f"R{now:%Y%m%d}-{hashlib.sha256(_payload({**row, 'request': ''})).hexdigest()[:10]}"
    detail = {
        "request": row["request"],
        "product": product_id,
        "recipients": list(wanted),
        "purpose": row["purpose"],
        "expires_at": expires_at.isoformat(),
    }
    return _append(settings, catalog, row, key, "release.requested", detail, now)


def approve(
    settings: Settings,
    catalog: Catalog,
    request_id: str,
    *,
    person: str,
    passphrase: str,
    now: datetime,
    comment: str = "",
) -> Request:
    """Agree to a request.

    Raises:
        UnknownName: no such request.
        ApprovalRefused: the person asked for it themselves, agreed already, or it is not open.
    """
    key = signer(load_people(settings.catalog_dir), person, passphrase, "approve", now)
    found = get(settings, catalog, request_id, now=now)
    if found.requester == person:
        raise ApprovalRefused("who asked for a release does not approve it", hint="another person approves it")
    if person in found.approvers:
        raise ApprovalRefused(f"{person} approved it already", hint="the next approval is of somebody else")
    if found.state not in ("open", "approved"):
        raise ApprovalRefused(f"request {request_id} is {found.state}", hint="ask for the release anew")
    row = _answer(found, "approve", person, comment, now)
    detail = {"request": found.id, "product": found.product, "approver": person}
    return _append(settings, catalog, row, key, "release.approved", detail, now)


def reject(
    settings: Settings,
    catalog: Catalog,
    request_id: str,
    *,
    person: str,
    passphrase: str,
    now: datetime,
    comment: str,
) -> Request:
    """Refuse an open request, or revoke an approved one; for good. Approvers may, and who asked.

    Raises:
        UnknownName: no such request.
        ApprovalRefused: no reason is given, the person may not, or it has ended already.
    """
    found = get(settings, catalog, request_id, now=now)
    role: Literal["request", "approve"] = "request" if person == found.requester else "approve"
    key = signer(load_people(settings.catalog_dir), person, passphrase, role, now)
    if not comment.strip():
        raise ApprovalRefused("a refusal says why", hint="give --comment")
    if found.state in ("refused", "revoked"):
        raise ApprovalRefused(f"request {request_id} is {found.state}", hint="there is nothing left to refuse")
    action = "revoke" if found.state == "approved" else "refuse"
    row = _answer(found, action, person, comment, now)
    detail = {"request": found.id, "product": found.product, "action": action, "reason": comment}
    return _append(settings, catalog, row, key, "release.rejected", detail, now)


def require(settings: Settings, catalog: Catalog, product: Product, *, now: datetime) -> list[dict[str, Any]]:
    """What allows ``product`` to leave now; empty when its grade needs no approval.

    Returns:
        Requests with ``request``, ``requester``, ``approvers`` and ``expires_at``, for the manifest.

    Raises:
        ApprovalRefused: a recipient is not covered by an approved request that still holds.
    """
    grade = approval_grade(catalog, product)
    if APPROVERS[grade] == 0:
        return []
    held = [
        r
        for r in requests(settings, catalog, now=now)
        # Approvers agreed to a grade: when the table rose to a higher one since, they are asked anew.
        if r.product == product.id and r.state == "approved" and r.grade >= grade
    ]
    missing = [who for who in product.recipients if not any(who in r.recipients for r in held)]
    if missing:
        raise ApprovalRefused(
            f"product {product.id} is of grade {grade} and not approved for {', '.join(missing)}",
            hint=f"lakehouse release request {product.id}, then {APPROVERS[grade]} other person(s) approve it",
            product=product.id,
            grade=grade,
        )
    return [
        {
            "request": r.id,
            "requester": r.requester,
            "approvers": list(r.approvers),
            "recipients": list(r.recipients),
            "expires_at": r.expires_at.isoformat(),
        }
        for r in held
    ]


def approval_grade(catalog: Catalog, product: Product) -> int:
    """The highest grade of the product's table, of the columns it takes or filters by, before masks."""
    from warehouse.model_grades import table_grade

    grades = [table_grade(product.table) or 1]
    for name, spec in product.columns.items():
        element = catalog.elements.get(spec.from_ or name)
        grades += [spec.grade or 1, element.grade if element else 1]
    grades += [e.grade for name in product.where if (e := catalog.elements.get(name))]
    if product.private_counts and (e := catalog.elements.get(product.private_counts.person)):
        grades.append(e.grade)
    return max(grades)


def declaration(product: Product) -> str:
    """A hash of everything the product's file says; an approval holds for it alone."""
    text = json.dumps(product.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


# --- what is kept -----------------------------------------------------------------------------------------------


def requests(settings: Settings, catalog: Catalog, *, now: datetime) -> list[Request]:
    """Every request with its state, oldest first; rows whose signature is wrong count as absent."""
    people = load_people(settings.catalog_dir)
    rows = [row for row in _rows(settings) if _is_genuine(row, people)]
    ended = _rejected_in_log(settings)
    made = [row for row in rows if row["action"] == "request"]
    return [_state(row, [r for r in rows if r["request"] == row["request"]], ended, catalog, now) for row in made]


def get(settings: Settings, catalog: Catalog, request_id: str, *, now: datetime) -> Request:
    """One request.

    Raises:
        UnknownName: no such request.
    """
    for found in requests(settings, catalog, now=now):
        if found.id == request_id:
            return found
    raise UnknownName(f"there is no request {request_id!r}", hint="lakehouse release list shows them")


def _state(
    row: dict[str, Any], rows: list[dict[str, Any]], ended: Mapping[str, str], catalog: Catalog, now: datetime
) -> Request:
    # An approver signs the whole request: rows that differ from it in anything approve something else.
    same = [r for r in rows if all(r[c] == row[c] for c in _SIGNED)]
    approvers = tuple(
        dict.fromkeys(r["person"] for r in same if r["action"] == "approve" and r["person"] != row["person"])
    )
    missing = max(0, APPROVERS[row["grade"]] - len(approvers))
    product = catalog.products.get(row["product"])
    actions = {r["action"] for r in rows} | {ended.get(row["request"], "")}
    state: State = "open" if missing else "approved"
    if "refuse" in actions:
        state = "refused"
    elif "revoke" in actions:
        state = "revoked"
    elif now >= row["expires_at"]:
        state = "expired"
    elif product is None or declaration(product) != row["declaration"]:
        state = "outdated"
    return Request(
        id=row["request"],
        product=row["product"],
        recipients=tuple(row["recipients"].split(",")),
        purpose=row["purpose"],
        legal_basis=row["legal_basis"],
        grade=row["grade"],
        declaration=row["declaration"],
        requester=row["person"],
        at=row["at"],
        expires_at=row["expires_at"],
        approvers=approvers,
        state=state,
        missing=missing if state == "open" else 0,
    )


def _answer(found: Request, action: str, person: str, comment: str, now: datetime) -> dict[str, Any]:
    return {
        "request": found.id,
        "action": action,
        "product": found.product,
        "declaration": found.declaration,
        "grade": found.grade,
        "recipients": ",".join(found.recipients),
        "purpose": found.purpose,
        "legal_basis": found.legal_basis,
        "person": person,
        "at": now.astimezone(UTC),
        "expires_at": found.expires_at,
        "comment": comment.strip(),
    }


def _append(
    settings: Settings,
    catalog: Catalog,
    row: dict[str, Any],
    key: Ed25519PrivateKey,
    event: str,
    detail: dict[str, Any],
    now: datetime,
) -> Request:
    """Event, then row: one that dies in between has refused already, but not yet approved."""
    import pyarrow as pa

    from warehouse.audit import AuditLog
    from warehouse.delta import append_rows
    from warehouse.tables import table_lock

    signed = {**row, "signature": key.sign(_payload(row)).hex()}
    AuditLog(settings, actor=f"person:{row['person']}").append(event, detail, at=now)
    with table_lock(settings, f"platform.{TABLE}"):
        append_rows(settings.platform_path(TABLE), pa.Table.from_pylist([signed], schema=_schema()))
    return get(settings, catalog, row["request"], now=now)


def _payload(row: Mapping[str, Any]) -> bytes:
    """What is signed: every column but the signature."""
    plain = {k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items() if k != "signature"}
    return json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()


def _is_genuine(row: dict[str, Any], people: Mapping[str, Person]) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    person = people.get(row["person"])
    needed = "approve" if row["action"] == "approve" else "request"
    if person is None or row["at"].date().isoformat() > person.valid_to:
        return False
    if row["action"] in ("request", "approve") and needed not in person.roles:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(person.public_key)).verify(
            bytes.fromhex(row["signature"]), _payload(row)
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def _rejected_in_log(settings: Settings) -> dict[str, str]:
    """Request to ``refuse`` or ``revoke``, from the audit log."""
    log: Path = settings.home / "audit" / "log.jsonl"
    if not log.exists():
        return {}
    found = {}
    with log.open("rb") as f:
        for line in f:
            if b'"release.rejected"' in line:
                event = json.loads(line)
                if event["event"] == "release.rejected":
                    found[event["detail"]["request"]] = event["detail"]["action"]
    return found


def _rows(settings: Settings) -> list[dict[str, Any]]:
    from warehouse import duck
    from warehouse.delta import exists

    path = settings.platform_path(TABLE)
    if not exists(path):
        return []
    with duck.connect() as con:
        duck.load_extension(con, "delta")
        con.execute("SET TimeZone = 'UTC'")
        columns = ", ".join(duck.quote(c) for c in _COLUMNS)
        relation = f"delta_scan({duck.literal(path)})"
        sql = f'SELECT {columns} FROM {relation} ORDER BY "at", "request", "person"'  # noqa: S608 - our own names
        found = con.execute(sql)
        return found.to_arrow_table().to_pylist()


def _schema() -> Any:
    import pyarrow as pa

    instants = ("at", "expires_at")
    kinds = {name: pa.timestamp("us", "UTC") if name in instants else pa.string() for name in _COLUMNS}
    return pa.schema([(name, pa.int64() if name == "grade" else kind) for name, kind in kinds.items()])

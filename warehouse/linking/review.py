"""Pairs that no threshold settles, and what persons decide of them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from catalog.errors import LakehouseError, UnknownName
from catalog.settings import Settings
from warehouse.access import local_operator
from warehouse.audit import AuditLog
from warehouse.linking import store
from warehouse.tables import table_lock


class DecisionRefused(LakehouseError):
    """A decision lacks its ground."""

    code = "LH331"
    exit_code = 2


class Record(BaseModel):
    """A person of a record of a register; ``key`` is the record's number there, or a pseudonym."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    feed: str
    key: str
    role: str

    @property
    def shown(self) -> str:
        """Short enough for a table."""
        key = self.key if len(self.key) <= 20 else f"{self.key[:12]}…"
        return f"{self.feed} {key}" + ("" if self.role == "self" else f" {self.role}")


class Review(BaseModel):
    """A pair that waits. ``weight``: log2 of the odds that both are one person; ``agreement``: level by comparison."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    review: str
    a: Record
    b: Record
    weight: float
    agreement: dict[str, str]
    found_at: datetime


class Decision(BaseModel):
    """What a person decided of a pair."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    review: str
    verdict: Literal["same", "different"]
    decided_by: str
    decided_at: datetime


def open_reviews(settings: Settings) -> list[Review]:
    """Pairs that wait for a decision, the closest first."""
    decided = {d["review"] for d in store.read(settings, store.DECISIONS)}
    rows = store.read(settings, store.REVIEWS, "ORDER BY weight DESC, review")
    return [
        Review(
            review=r["review"],
            a=Record(feed=r["feed_a"], key=r["key_a"], role=r["role_a"]),
            b=Record(feed=r["feed_b"], key=r["key_b"], role=r["role_b"]),
            weight=round(r["weight"], 2),
            agreement=json.loads(r["agreement"]),
            found_at=r["found_at"],
        )
        for r in rows
        if r["review"] not in decided
    ]


def decide(
    settings: Settings,
    review: str,
    verdict: Literal["same", "different"],
    *,
    reason: str,
    now: datetime,
    person: str | None = None,
    passphrase: str = "",
) -> Decision:
    """Keep what a person decided of a pair; an event of the audit log. The next run obeys.

    Args:
        review: id of a pair that waits, or was decided before: the last decision holds.
        reason: on what ground; read by many, so without personal values.
        person: who decides, enrolled in ``dictionary/people.yaml``, and signs with ``passphrase``; None: the account
            that runs this, which is all that can then be said. A name nobody signed for is not taken.

    Raises:
        UnknownName: there is no such pair. DecisionRefused: no reason is given.
        ApprovalRefused: not an enrolled person, or not their passphrase.
        ObjectionRefused: the reason holds a personal value.
    """
    from warehouse.approvals import sign
    from warehouse.objections import checked_text

    if len(reason.strip()) < 4:
        raise DecisionRefused("a decision needs its ground", hint="say why, in at least four characters")
    text = checked_text(reason)
    known = [*store.read(settings, store.DECISIONS), *store.read(settings, store.REVIEWS)]
    pair = next((r for r in known if r["review"] == review), None)
    if pair is None:
        raise UnknownName(f"no pair {review!r} waits", hint="lakehouse link review list")
    by = local_operator().id if person is None else f"person:{person}"
    payload = "\n".join(("linking.decided", review, verdict, text, by, now.isoformat())).encode()
    signature = "" if person is None else sign(settings, person, passphrase, payload, now=now)
    refs = {n: pair[n] for n in ("feed_a", "key_a", "role_a", "feed_b", "key_b", "role_b")}
    row = {"review": review, **refs, "verdict": verdict, "decided_by": by, "reason": text, "decided_at": now}
    with table_lock(settings, "platform.person_decisions"):
        detail = {"review": review, "verdict": verdict, "by": by, "signature": signature}
        AuditLog(settings, actor=local_operator().id).append("linking.decided", detail, at=now)
        store.append(settings, store.DECISIONS, [row])
    return Decision(review=review, verdict=verdict, decided_by=by, decided_at=now)

"""The one place where it is decided whether somebody may read a table, and where that decision is kept.

Every path that hands out rows (SQL, publishing, serving) asks ``decide`` and records its answer before it reads.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from catalog.errors import LakehouseError
from catalog.settings import Settings

NEVER = frozenset({"vault"})
"""Schemas nobody reads through an access decision: identifiers leave the vault through its own door only."""


class AccessDenied(LakehouseError):
    """The access decision was no."""

    code = "LH510"
    exit_code = 7


class Principal(BaseModel):
    """Who asks. ``operator`` is the account that runs this lakehouse on this machine and owns its files.

    Whoever it is, values of grade 3 and 4 are masked (``warehouse.masking``) unless a grant says otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: Literal["operator", "unknown"] = "unknown"


class Decision(BaseModel):
    """An answer of ``decide``, kept as one event.

    Attributes:
        tables: ``schema.table`` names asked for, sorted.
        purpose: what the rows are for, in words or as ``product:<id>``.
        refused: the tables that may not be read; any one of them refuses the whole request.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    principal: str
    tables: tuple[str, ...]
    purpose: str
    allowed: bool
    refused: tuple[str, ...]
    reason: str

    def require(self) -> Decision:
        """This decision, when it is yes.

        Raises:
            AccessDenied: it is no.
        """
        if self.allowed:
            return self
        raise AccessDenied(
            f"{self.principal} may not read {', '.join(self.refused)}",
            hint="ask the table's steward for a grant",
            reason=self.reason,
        )


def local_operator() -> Principal:
    """The operating-system account of this process."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in some containers
        name = f"uid-{os.getuid()}"
    return Principal(id=f"local:{name}", kind="operator")


def decide(
    principal: Principal, tables: Iterable[str], purpose: str, *, now: datetime | None = None, linking: bool = False
) -> Decision:
    """Whether ``principal`` may read all of ``tables``; nothing is granted unless a rule here says so.

    Args:
        principal: who asks.
        tables: ``schema.table`` names; existence is not looked at, so that a refusal tells nothing.
        purpose: what for.
        now: time of the decision (UTC), default the clock.
        linking: asked by ``warehouse.vault`` for its own stream inside the house, which no statement reaches.
    """
    asked = tuple(sorted(set(tables)))
    operator = principal.kind == "operator"
    refused = tuple(t for t in asked if not operator or (t.split(".", 1)[0].lower() in NEVER and not linking))
    reason = f"local operator {'links inside the house' if linking else 'reads every table, masked from grade 3 on'}"
    if not operator:
        reason = "no grant names this principal"
    return Decision(
        at=now or datetime.now(UTC),
        principal=principal.id,
        tables=asked,
        purpose=purpose,
        allowed=not refused,
        refused=refused,
        reason="the vault is read by no statement" if operator and refused else reason,
    )


def record(settings: Settings, decision: Decision, **detail: Any) -> None:
    """Append the decision to the audit log; a read that cannot be recorded does not happen.

    Args:
        detail: identifiers of the request (a statement's hash, a product); never its text or values.
    """
    from warehouse.audit import AuditLog

    AuditLog(settings, actor=decision.principal).append_all([event_of(decision, **detail)], at=decision.at)


def event_of(decision: Decision, **detail: Any) -> tuple[str, dict[str, Any]]:
    """The event that `record` appends, for who appends others with it."""
    return "access.decided", {**decision.model_dump(mode="json", exclude={"at"}), **detail}

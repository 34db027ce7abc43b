"""Objections of departments to what the scorecard holds against them: raised, answered, kept for good.

``platform.objections`` only grows: one row an action. An accepted objection takes the failures of one rule, feed and
month out of the score at the next build; a rejected one stays to be read with its answer. Reasons are read by many, so
a text that holds an identity number, a telephone or a bank card is refused, never stored.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from catalog.errors import LakehouseError, UnknownName
from catalog.people import load_people
from catalog.registry import Catalog
from catalog.settings import Settings
from warehouse import duck

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = "objections"
LONGEST = 500
"""Characters of a reason."""
PERSONAL = 3
"""From this grade on a value may not stand in a reason."""
_HEADER = "身份证号、手机、银行卡号"
"""Name of the scanned column: it makes the scanner believe a single number, as a cautious reader would."""
_COLUMNS = ("objection", "action", "feed", "rule_code", "month", "department", "actor", "reason", "acted_at")


class ObjectionRefused(LakehouseError):
    """An objection or answer that the rules do not allow; nothing was kept."""

    code = "LH530"
    exit_code = 2


class Objection(BaseModel):
    """An objection and what became of it.

    Attributes:
        month: first day of the month it is about. ``rule_code``: of one feed.
        state: ``open`` until somebody answers.
        answered_by, answer: empty while open.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    feed: str
    rule_code: str
    month: date
    department: str
    reason: str
    raised_at: datetime
    state: Literal["open", "accepted", "rejected"]
    answered_by: str = ""
    answer: str = ""
    answered_at: datetime | None = None


def month_of(text: str) -> date:
    """The first day of ``YYYY-MM``.

    Raises:
        ObjectionRefused: not a month.
    """
    try:
        return datetime.strptime(text, "%Y-%m").date()
    except ValueError as e:
        raise ObjectionRefused(f"{text[:20]!r} is not a month", hint="write it as 2026-06") from e


def raise_objection(
    settings: Settings,
    catalog: Catalog,
    feed_id: str,
    *,
    rule_code: str,
    month: date,
    department: str,
    reason: str,
    now: datetime,
) -> Objection:
    """Object to the failures of one rule of one feed in one month.

    Args:
        department: who objects; only the feed's provider may.

    Raises:
        UnknownName: no such feed or department.
        ObjectionRefused: not its provider, no such failure in the scorecard, objected to already, or the reason is
            empty, too long or holds personal values.
    """
    from warehouse.tables import table_lock

    feed = catalog.feed(feed_id)
    if department not in catalog.departments:
        raise UnknownName(f"there is no department {department!r}", hint="see catalog/dictionary/departments.yaml")
    if feed.provider != department:
        raise ObjectionRefused(
            f"{feed_id} is provided by {feed.provider}", hint="its provider alone objects", feed=feed_id
        )
    text = checked_text(reason)
    _must_be_held_against(settings, feed_id, rule_code, month)
    with table_lock(settings, f"platform.{TABLE}"):
        for known in objections(settings, month=month):
            if (known.feed, known.rule_code) == (feed_id, rule_code) and known.state != "rejected":
                raise ObjectionRefused(
                    f"objection {known.id} about the same is {known.state}",
                    hint="lakehouse quality objections shows it",
                )
        digest = hashlib.sha256(f"{feed_id}|{rule_code}|{month}|{now.isoformat()}".encode()).hexdigest()
        row: dict[str, Any] = {
            "objection": f"O{now:%Y%m%d}-{digest[:10]}",
            "action": "raised",
            "feed": feed_id,
            "rule_code": rule_code,
            "month": month,
            "department": department,
            "actor": department,
            "reason": text,
            "acted_at": now,
        }
        detail = {k: str(row[k]) for k in ("objection", "feed", "rule_code", "month", "department")}
        _keep(settings, row, "objection.raised", detail, now)
    return get(settings, row["objection"])


def answer(
    settings: Settings, catalog: Catalog, objection_id: str, *, accept: bool, person: str, reason: str, now: datetime
) -> Objection:
    """Accept or reject an open objection; once, for good.

    Args:
        person: who answers; nobody of the department that objected.

    Raises:
        UnknownName: no such objection.
        ObjectionRefused: answered already, answered by who objected, or the reason is empty or holds personal values.
    """
    from warehouse.tables import table_lock

    text = checked_text(reason)
    who = checked_text(person)
    with table_lock(settings, f"platform.{TABLE}"):
        found = get(settings, objection_id)
        if found.state != "open":
            raise ObjectionRefused(f"objection {objection_id} is {found.state}", hint="an answer is final")
        known = load_people(settings.catalog_dir).get(who)
        if who == found.department or (known is not None and known.department == found.department):
            raise ObjectionRefused("who objects does not answer it", hint="somebody of another department answers")
        row = {
            "objection": found.id,
            "action": "accepted" if accept else "rejected",
            "feed": found.feed,
            "rule_code": found.rule_code,
            "month": found.month,
            "department": found.department,
            "actor": who,
            "reason": text,
            "acted_at": now,
        }
        detail = {"objection": found.id, "action": row["action"], "answered_by": who}
        _keep(settings, row, "objection.answered", detail, now)
    return get(settings, objection_id)


def checked_text(text: str) -> str:
    """``text`` trimmed, when it may be kept and shown.

    Raises:
        ObjectionRefused: empty, too long, or with a value of grade 3 or 4; the message names the kind, not the value.
    """
    from quality.scanner import scan_table

    text = " ".join(text.split())
    if not text or len(text) > LONGEST:
        raise ObjectionRefused(
            f"a text has 1 to {LONGEST} characters", hint="say what is wrong, in one or two sentences"
        )
    con = duck.connect(memory="200MB", threads=1)
    try:
        con.execute(f"CREATE TABLE said ({duck.quote(_HEADER)} VARCHAR)")
        con.execute("INSERT INTO said VALUES (?)", [text])
        kinds = sorted({f.kind for f in scan_table(con, "said") if f.grade >= PERSONAL})
    finally:
        con.close()
    if kinds:
        raise ObjectionRefused(
            f"the text holds a personal value ({', '.join(kinds)})",
            hint="name receipt and row number instead; the platform finds the row",
            kinds=", ".join(kinds),
        )
    return text


def objections(settings: Settings, *, month: date | None = None) -> list[Objection]:
    """Every objection, or those about one month, oldest first."""
    rows = _rows(settings)
    made: dict[str, dict[str, Any]] = {
        row["objection"]: {
            "id": row["objection"],
            "state": "open",
            "raised_at": row["acted_at"],
            **{k: row[k] for k in ("feed", "rule_code", "month", "department", "reason")},
        }
        for row in rows
        if row["action"] == "raised"
    }
    for row in rows:
        if row["action"] != "raised" and made[row["objection"]]["state"] == "open":
            made[row["objection"]].update(
                state=row["action"], answered_by=row["actor"], answer=row["reason"], answered_at=row["acted_at"]
            )
    found = [Objection.model_validate(fields) for fields in made.values()]
    return [o for o in found if month is None or o.month == month]


def get(settings: Settings, objection_id: str) -> Objection:
    """One objection.

    Raises:
        UnknownName: no such objection.
    """
    for found in objections(settings):
        if found.id == objection_id:
            return found
    raise UnknownName(f"there is no objection {objection_id!r}", hint="lakehouse quality objections shows them")


def failing_rules(settings: Settings, feed_id: str, month: date) -> list[str]:
    """Codes the scorecard holds against the provider of a feed in a month, excused ones too."""
    from warehouse.delta import rows_of

    sql = (
        "SELECT DISTINCT rule_code FROM t WHERE feed_id = ? AND month = ? AND party = 'source' AND failed_count > 0 "
        "ORDER BY rule_code"
    )
    path = settings.table_path("mart", "quality", "rule_results")
    return [r["rule_code"] for r in rows_of(path, sql, [feed_id, month])]


def _must_be_held_against(settings: Settings, feed_id: str, rule_code: str, month: date) -> None:
    """The scorecard must hold failures of the rule against the department."""
    failing = failing_rules(settings, feed_id, month)
    if rule_code not in failing:
        named = f"it holds {', '.join(failing)}" if failing else "it holds nothing against it"
        raise ObjectionRefused(
            f"the scorecard of {month:%Y-%m} does not hold {rule_code!r} against {feed_id}",
            hint=f"{named}; lakehouse quality report builds it anew",
            feed=feed_id,
            rule=rule_code,
        )


def _keep(settings: Settings, row: dict[str, Any], event: str, detail: dict[str, Any], now: datetime) -> None:
    """Event, then row: an action the audit log does not know of counts nowhere."""
    import pyarrow as pa

    from warehouse.access import local_operator
    from warehouse.audit import AuditLog
    from warehouse.delta import append_rows

    # the name in the row is stated; the account that ran this is known
    AuditLog(settings, actor=local_operator().id).append(event, detail, at=now)
    append_rows(settings.platform_path(TABLE), pa.Table.from_pylist([row], schema=schema()))


def schema() -> pa.Schema:
    """Of ``platform.objections``; one row an action."""
    import pyarrow as pa

    kinds = {"month": pa.date32(), "acted_at": pa.timestamp("us", "UTC")}
    return pa.schema([(name, kinds.get(name, pa.string())) for name in _COLUMNS])


def _rows(settings: Settings) -> list[dict[str, Any]]:
    from warehouse.delta import rows_of

    return rows_of(settings.platform_path(TABLE), "SELECT * FROM t ORDER BY acted_at, objection")

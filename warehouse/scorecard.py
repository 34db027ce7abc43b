"""Reads the scores dbt computed: feeds, departments, libraries, and the scorecard of a month."""

# ruff: noqa: S608 - columns and conditions stand here, values are parameters
from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from catalog.errors import UnknownName
from catalog.registry import Catalog
from catalog.scoring import load_scoring
from catalog.settings import Settings
from quality.scorecard.model import (
    DIMENSIONS,
    BrokenRule,
    DepartmentCard,
    FeedLine,
    Late,
    Line,
    ObjectionLine,
    Scorecard,
)
from warehouse.delta import rows_of

BEIJING = ZoneInfo("Asia/Shanghai")
HISTORY = 12
"""Months a trend shows."""
LIBRARIES = {
    "population": "人口库",
    "legal_entity": "法人库",
    "spatiotemporal": "时空库",
    "macro_economy": "宏观经济库",
}
Subject = Literal["feed", "department", "library"]
_MARTS: dict[Subject, tuple[str, str]] = {
    "feed": ("feed_scorecard", "feed_id"),
    "department": ("department_scorecard", "department_code"),
    "library": ("library_scores", "library"),
}


def scores(settings: Settings, subject: Subject, month: date | None = None) -> list[dict[str, Any]]:
    """Scores of all subjects of a kind in a month, the newest by default, as dbt computed them; best first."""
    return _scores(settings, subject, "month = ?", [month or _newest(settings)])


def scores_of(settings: Settings, subject: Subject, name: str) -> list[dict[str, Any]]:
    """Scores of one subject through its months, newest first.

    Raises:
        UnknownName: it has none.
    """
    found = _scores(settings, subject, f"{_MARTS[subject][1]} = ?", [name])
    if not found:
        raise UnknownName(f"{subject} {name!r} has no scores", hint=f"lakehouse quality scores --{subject} lists them")
    return found


def _scores(settings: Settings, subject: Subject, condition: str, parameters: list[Any]) -> list[dict[str, Any]]:
    table, key = _MARTS[subject]
    columns = ", ".join(f"{d}_score AS {d}" for d in DIMENSIONS)
    sql = (
        f"SELECT {key} AS id, month, {columns}, total_score AS total, previous_score AS previous, change FROM t "
        f"WHERE {condition} ORDER BY month DESC, total_score DESC NULLS LAST, {key}"
    )
    return _mart(settings, table, sql, parameters)


def read_scorecard(settings: Settings, catalog: Catalog, *, month: date | None = None, now: datetime) -> Scorecard:
    """The scorecard of a month, the newest by default, without examples.

    Raises:
        UnknownName: there is no score of that month.
    """
    month = month or _newest(settings)
    scoring = load_scoring(catalog.root)
    held = [d for d in scoring.dimensions if d.valid_from <= month <= d.valid_to]
    worst = _worst(settings, month)
    departments = _departments(settings, catalog, month, worst)
    if not departments:
        raise UnknownName(
            f"there is no scorecard of {month:%Y-%m}",
            hint=f"there are {', '.join(f'{m:%Y-%m}' for m in months(settings))}",
        )
    trends = _histories(settings, "library", month)
    seen = {r["feed_id"] for r in _mart(settings, "feed_scorecard", "SELECT DISTINCT feed_id FROM t")}
    return Scorecard(
        month=month,
        built_at=now.astimezone(BEIJING),
        is_complete=f"{now.astimezone(BEIJING):%Y-%m}" > f"{month:%Y-%m}",
        weights={d.dimension: d.weight for d in held},
        weights_source="、".join(dict.fromkeys(d.source for d in held)),
        labels={d: scoring.label(d) for d in DIMENSIONS},
        departments=departments,
        libraries=tuple(
            Line(title=LIBRARIES.get(r["id"], r["id"]), history=trends.get(r["id"], ()), **_line(r))
            for r in sorted(scores(settings, "library", month), key=lambda r: r["id"])
        ),
        worst=tuple(w for w in worst if w.rank_in_month <= 10),
        silent=tuple(f.title for f in catalog.feeds.values() if f.id not in seen),
    )


def months(settings: Settings) -> list[date]:
    """Months that have scores, oldest first."""
    return [r["month"] for r in _mart(settings, "department_scorecard", "SELECT DISTINCT month FROM t ORDER BY month")]


def last_month(now: datetime) -> date:
    """The first day of the month before, in Beijing."""
    local = now.astimezone(BEIJING)
    return date(local.year - (local.month == 1), (local.month - 2) % 12 + 1, 1)


def month_receipts(settings: Settings, month: date) -> dict[str, set[str]]:
    """Feed to the receipts of its deliveries in a month."""
    out: dict[str, set[str]] = {}
    for r in _mart(settings, "deliveries", "SELECT feed_id, receipt FROM t WHERE month = ?", [month]):
        out.setdefault(r["feed_id"], set()).add(r["receipt"])
    return out


def _newest(settings: Settings) -> date:
    known = months(settings)
    if not known:
        raise UnknownName(
            "there is no scorecard yet", hint="lakehouse ingest, then lakehouse quality report, which builds it"
        )
    return known[-1]


def _mart(settings: Settings, table: str, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
    return rows_of(settings.table_path("mart", "quality", table), sql, parameters)


def _line(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "scores": {d: row[d] for d in DIMENSIONS},
        **{k: row[k] for k in ("total", "previous", "change")},
    }


def _histories(settings: Settings, subject: Subject, month: date) -> dict[str, tuple[tuple[date, float | None], ...]]:
    table, key = _MARTS[subject]
    out: dict[str, list[tuple[date, float | None]]] = {}
    sql = f"SELECT {key} AS id, month, total_score AS total FROM t WHERE month <= ? ORDER BY month"
    for r in _mart(settings, table, sql, [month]):
        out.setdefault(r["id"], []).append((r["month"], r["total"]))
    return {k: tuple(v[-HISTORY:]) for k, v in out.items()}


def _departments(
    settings: Settings, catalog: Catalog, month: date, worst: list[BrokenRule]
) -> tuple[DepartmentCard, ...]:
    from warehouse.objections import objections

    columns = ", ".join(f"{d}_score AS {d}" for d in DIMENSIONS)
    both = (
        f"SELECT * EXCLUDE (month), {columns}, total_score AS total, previous_score AS previous FROM t "
        "WHERE month = ? ORDER BY total_score DESC NULLS LAST, "
    )
    feeds = _mart(settings, "feed_scorecard", both + "feed_id", [month])
    late = _late(settings, catalog, month)
    raised = objections(settings, month=month)
    trends = _histories(settings, "department", month)
    feed_trends = _histories(settings, "feed", month)
    out = []
    for r in _mart(settings, "department_scorecard", both + "department_code", [month]):
        code = r["department_code"]
        own = [f for f in feeds if f["department_code"] == code]
        card = DepartmentCard(
            title=catalog.departments[code].name if code in catalog.departments else r["department_name"],
            rank=r["rank_in_month"],
            feeds=tuple(_feed(f, feed_trends) for f in own),
            late_deliveries=tuple(d for d in late if d.feed in {f["feed_id"] for f in own}),
            worst=tuple(sorted((w for w in worst if w.department == code), key=lambda w: w.rank_in_department))[:10],
            objections=tuple(
                ObjectionLine(**o.model_dump(exclude={"month", "answered_at"})) for o in raised if o.department == code
            ),
            history=trends.get(code, ()),
            **_counts(r),
            **_line({**r, "id": code}),
        )
        out.append(card)
    return tuple(out)


def _feed(row: dict[str, Any], trends: dict[str, tuple[tuple[date, float | None], ...]]) -> FeedLine:
    return FeedLine(
        title=row["title"],
        department=row["department_code"],
        history=trends.get(row["feed_id"], ()),
        **_counts(row),
        **_line({**row, "id": row["feed_id"]}),
    )


def _counts(row: dict[str, Any]) -> dict[str, Any]:
    counted: dict[str, Any] = {k: row[f"{k}_count"] for k in ("deliveries", "stopped", "late")}
    return {**counted, "rows_found": row["rows_found"], "rows_quarantined": row["rows_quarantined"]}


def _late(settings: Settings, catalog: Catalog, month: date) -> list[Late]:
    sql = (
        "SELECT feed_id AS feed, receipt, file_name AS file, landed_at, late_hours FROM t "
        "WHERE month = ? AND late_hours > 0 ORDER BY late_hours DESC, receipt"
    )
    return [
        Late(title=catalog.feeds[r["feed"]].title if r["feed"] in catalog.feeds else r["feed"], **r)
        for r in _mart(settings, "deliveries", sql, [month])
    ]


def _worst(settings: Settings, month: date) -> list[BrokenRule]:
    sql = (
        "SELECT feed_id AS feed, title, department_code AS department, department_name, rule_code AS code, message, "
        "dimension, severity, party, failed_count AS failed, checks_count AS checks, affected_rows AS rows, share_pct, "
        "rank_in_month, rank_in_department, is_excused FROM t WHERE month = ? ORDER BY rank_in_month"
    )
    return [BrokenRule.model_validate(r) for r in _mart(settings, "worst_rules", sql, [month])]

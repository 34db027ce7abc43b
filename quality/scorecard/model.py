"""What a scorecard shows. Numbers come from the marts of schema ``quality``; nothing is computed here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from pydantic import BaseModel, ConfigDict

DIMENSIONS = ("completeness", "validity", "uniqueness", "consistency", "timeliness", "accuracy")

Scores = Mapping[str, float | None]
"""Dimension to score, 0 to 100; None where it was not assessed."""


class Shown(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Line(Shown):
    """A subject in a month.

    Attributes:
        previous, change: total of the month before, and the difference; None in its first month.
        history: months up to this one with their totals, oldest first.
    """

    id: str
    title: str
    scores: dict[str, float | None]
    total: float | None
    previous: float | None = None
    change: float | None = None
    history: tuple[tuple[date, float | None], ...] = ()


class FeedLine(Line):
    department: str
    deliveries: int
    stopped: int
    late: int
    rows_found: int
    rows_quarantined: int


class Late(Shown):
    """A delivery that came later than agreed."""

    feed: str
    title: str
    receipt: str
    file: str
    landed_at: datetime
    late_hours: float


class Example(Shown):
    """A rejected row, masked. ``shown``: source column to what may be seen of its value."""

    receipt: str
    row_number: int
    reason: str
    shown: dict[str, str]


class BrokenRule(Shown):
    """A rule that was broken in the month.

    Attributes:
        failed, checks: deliveries in which it failed, of those it was asked of.
        rows: rows it rejected or warned of; of a batch rule that stopped, the rows of the batch.
        is_excused: an objection was accepted; it does not count.
    """

    feed: str
    title: str
    department: str
    department_name: str
    code: str
    message: str
    dimension: str
    severity: str
    party: str
    failed: int
    checks: int
    rows: int
    share_pct: float | None
    rank_in_month: int
    rank_in_department: int
    is_excused: bool
    examples: tuple[Example, ...] = ()


class ObjectionLine(Shown):
    id: str
    feed: str
    rule_code: str
    department: str
    reason: str
    raised_at: datetime
    state: str
    answered_by: str
    answer: str


class DepartmentCard(Line):
    """A department. ``late_deliveries``, ``worst``, ``objections``: of its feeds in this month."""

    rank: int | None
    feeds: tuple[FeedLine, ...]
    deliveries: int
    stopped: int
    late: int
    rows_found: int
    rows_quarantined: int
    late_deliveries: tuple[Late, ...] = ()
    worst: tuple[BrokenRule, ...] = ()
    objections: tuple[ObjectionLine, ...] = ()


class Scorecard(Shown):
    """A month. ``weights``: dimension to per cent; ``labels``: dimension to Chinese name.

    ``is_complete``: the month was over when the scores were built.
    """

    month: date
    built_at: datetime
    is_complete: bool
    weights: dict[str, float]
    weights_source: str
    labels: dict[str, str]
    departments: tuple[DepartmentCard, ...]
    libraries: tuple[Line, ...]
    worst: tuple[BrokenRule, ...]
    silent: tuple[str, ...] = ()
    """Titles of feeds that have never delivered."""

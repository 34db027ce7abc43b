"""Values a cursor may hold, and how to step back from one: numbers, moments with or without zone, dates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from catalog.errors import SourceError

BEIJING = timezone(timedelta(hours=8))
_NUMBER = re.compile(r"^-?\d{1,18}(\.\d{1,9})?$")


@dataclass(frozen=True)
class Moment:
    """A cursor's value.

    Attributes:
        text: as the source writes it.
        value: comparable with others of the same ``kind``.
        kind: ``number``, ``moment`` (with zone), ``local time``, ``date``.
    """

    text: str
    value: Any
    kind: str

    def minus(self, overlap: timedelta) -> Moment:
        """So much earlier; of a number, its seconds lower; of a date, whole days and at least one for any overlap."""
        if not overlap:
            return self
        if self.kind == "number":
            step = overlap.total_seconds()
            value = self.value - (int(step) if step.is_integer() and isinstance(self.value, int) else step)
            return Moment(str(value), value, self.kind)
        if self.kind == "date":
            day = self.value - max(timedelta(days=1), timedelta(days=-(-overlap.total_seconds() // 86_400)))
            return Moment(day.date().isoformat(), day, self.kind)
        earlier = self.value - overlap
        text = earlier.isoformat(sep="T" if "T" in self.text else " ")
        return Moment(text.replace("+00:00", "Z") if self.text.endswith("Z") else text, earlier, self.kind)


def later(reached: Moment | None, value: Any, now: datetime) -> Moment | None:
    """The cursor after a record with ``value``: never back, and never to what cannot be read or lies ahead of now.

    A day ahead is allowed, for clocks and zones. The record itself is not judged here.

    Raises:
        SourceError: the value is of another kind than those before.
    """
    try:
        moment = parse_moment(value)
    except SourceError:
        return reached
    if reached is not None and moment.kind != reached.kind:
        raise SourceError(
            f"the cursor was a {reached.kind} and is now a {moment.kind}",
            hint="name another cursor; to start over remove the feed's folder below connectors/",
        )
    if isinstance(moment.value, datetime):
        latest = now + timedelta(days=1)
        if moment.value.tzinfo is None:
            latest = latest.astimezone(BEIJING).replace(tzinfo=None)
        if moment.value > latest:
            return reached
    return moment if reached is None or moment.value > reached.value else reached


def parse_moment(value: Any) -> Moment:
    """``value`` as a cursor's value.

    Raises:
        SourceError: it is neither a number nor a date or time in ISO form.
    """
    text = str(value).strip()
    if isinstance(value, bool):
        pass
    elif _NUMBER.match(text):
        return Moment(text, float(text) if "." in text else int(text), "number")
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            if len(text) == 10:
                return Moment(text, moment, "date")
            return Moment(text, moment, "moment" if moment.tzinfo else "local time")
    raise SourceError(
        "the cursor is neither a number nor an ISO date or time",
        hint="name another column or field as cursor, or pull without one",
    )

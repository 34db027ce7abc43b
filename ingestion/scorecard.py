"""Writes the monthly scorecard: scores from the marts, examples from quarantine (masked), page and workbook."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion.quarantine import QuarantinedRow, browse
from quality.scorecard.model import BrokenRule, Example, Scorecard
from quality.scorecard.page import render_page
from quality.scorecard.workbook import write_workbook
from warehouse.scorecard import month_receipts, read_scorecard

SCORES = "tag:quality"
TRUTH = "truth"
"""Folder of the home in which the demo says what is wrong where."""
EXAMPLES = 3
"""Rows shown a rule."""
LOOKED_AT = 400
"""Rows of a feed's quarantine that are looked through for examples, the newest deliveries first."""


class Report(BaseModel):
    """Where the scorecard of a month lies, and its ranking: department, rank, total."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    month: date
    page: Path
    workbook: Path
    ranking: tuple[tuple[str, int | None, float | None], ...]


def reports_dir(settings: Settings) -> Path:
    return settings.home / "reports" / "quality"


def build_report(
    settings: Settings,
    catalog: Catalog,
    *,
    now: datetime,
    month: date | None = None,
    out: Path | None = None,
    tests: bool = True,
) -> Report:
    """Take in the truth of the demo where there is one, build the scores anew, and write the report of a month.

    Args:
        tests: run the data tests of the scores too.

    Raises:
        BuildFailed: a model of the scores failed. UnknownName: there is no score of that month.
    """
    from warehouse.dbt_build import build

    take_truth(settings, now=now)
    build(settings, select=[SCORES], exclude=None if tests else ["resource_type:test"], now=now).raise_for_failure()
    return write_report(settings, catalog, now=now, month=month, out=out)


def take_truth(settings: Settings, *, now: datetime) -> None:
    """Take in the truth beside the demo's files, against which accuracy is scored, where there is one."""
    from warehouse.truths import record_truths

    truth = settings.home / TRUTH
    if (truth / "files.csv").is_file():
        record_truths(settings, truth, now=now)


def write_report(
    settings: Settings, catalog: Catalog, *, now: datetime, month: date | None = None, out: Path | None = None
) -> Report:
    """Write ``index.html`` and ``scorecard.xlsx`` of a month, the newest by default, as the marts have it now.

    Args:
        out: folder, default ``<home>/reports/quality/<month>``.

    Raises:
        UnknownName: there is no score of that month.
    """
    card = with_examples(settings, catalog, read_scorecard(settings, catalog, month=month, now=now))
    folder = out or reports_dir(settings) / f"{card.month:%Y-%m}"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    page, workbook = folder / "index.html", folder / "scorecard.xlsx"
    draft = folder / f".draft-{secrets.token_hex(4)}"
    draft.write_text(render_page(card), encoding="utf-8")
    draft.chmod(0o600)
    os.replace(draft, page)
    write_workbook(card, draft)
    draft.chmod(0o600)
    os.replace(draft, workbook)
    ranking = tuple((d.id, d.rank, d.total) for d in card.departments)
    return Report(month=card.month, page=page, workbook=workbook, ranking=ranking)


def with_examples(settings: Settings, catalog: Catalog, card: Scorecard) -> Scorecard:
    """``card`` with a few masked rows for each broken rule of a department; warnings leave none, their rows loaded."""
    receipts = month_receipts(settings, card.month)
    departments = []
    for department in card.departments:
        kept = {
            feed: _rejected(settings, catalog, feed, receipts.get(feed, set()))
            for feed in sorted({w.feed for w in department.worst if w.rows and w.severity not in ("warn", "skip")})
        }
        worst = tuple(_illustrated(w, kept.get(w.feed, ())) for w in department.worst)
        departments.append(department.model_copy(update={"worst": worst}))
    return card.model_copy(update={"departments": tuple(departments)})


def _rejected(settings: Settings, catalog: Catalog, feed: str, receipts: set[str]) -> list[QuarantinedRow]:
    """Rejected rows of deliveries of the month, masked: the newest, or those of one receipt of an older month."""
    if feed not in catalog.feeds:
        return []
    found = [r for r in browse(settings, catalog, feed, limit=LOOKED_AT) if r.receipt in receipts]
    if not found and receipts:
        found = browse(settings, catalog, feed, limit=LOOKED_AT, receipt=max(receipts))
    return found


def _illustrated(rule: BrokenRule, rows: Sequence[QuarantinedRow]) -> BrokenRule:
    chosen = [r for r in rows if rule.code in r.rules][:EXAMPLES]
    examples = tuple(
        Example(receipt=r.receipt, row_number=r.row_number, reason=r.reason, shown=dict(r.shown)) for r in chosen
    )
    return rule.model_copy(update={"examples": examples})

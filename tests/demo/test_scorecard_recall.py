"""Every kind of fault the demo injects stands among the failing rules of the scorecard, with masked examples."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from datetime import UTC, date, datetime

import pytest

from catalog.registry import Catalog
from catalog.settings import Settings
from tests.demo.conftest import District

NOW = datetime(2026, 7, 1, tzinfo=UTC)
JULY = date(2026, 7, 1)
NO_RULE = {"footer", "resent_record", "no_value"}
"""What is no fault of a record: lines below the table, records sent again on purpose, empty cells of wide sheets."""


@pytest.mark.slow
def test_every_injected_fault_class_is_in_the_failing_rules(
    district: District, catalog: Catalog, settings: Settings
) -> None:
    from ingestion.load import ingest
    from ingestion.scorecard import build_report, with_examples
    from quality.rules import compile_rules
    from warehouse.scorecard import failing_rules, read_scorecard, rows_of

    shutil.copytree(district.drop, settings.drop, dirs_exist_ok=True)
    shutil.copytree(district.truth, settings.home / "truth")
    for feed in catalog.feeds:
        ingest(settings, catalog, feed, now=NOW)
    report = build_report(settings, catalog, now=NOW)
    failing = {feed: set(failing_rules(settings, feed, JULY)) for feed in catalog.feeds}

    loads = rows_of(settings.platform_path("loads"), "SELECT source, receipt FROM t WHERE verdict <> 'duplicate'")
    receipts = {load["source"]: load["receipt"] for load in loads}
    rejected: dict[tuple[str, str, int], set[str]] = defaultdict(set)
    for feed in catalog.feeds:
        for row in rows_of(settings.quarantine_path(feed), "SELECT receipt, row_number, rules FROM t"):
            rejected[feed, row["receipt"], row["row_number"]] |= set(row["rules"])
    classes: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for fault in district.table("faults.csv"):
        feed, name, expected = fault["feed"], fault["fault"], fault["expected"]
        if name in NO_RULE or expected == "loaded":
            continue
        rules = {r.code for r in compile_rules(catalog, feed) if _reads(catalog, feed, r.columns, fault["column"])}
        if expected == "quarantined":
            found = rejected[feed, receipts[fault["file"]], int(fault["row"])]
        elif name == "duplicate_row":
            found = {"duplicate"}
        elif expected == "warned":
            found = rules
        else:
            continue  # a repeat of a record that another fault spoilt: nobody sees it
        classes[feed, name].append(bool(found & failing[feed]))
    assert len(classes) > 70
    recall = {k: sum(v) / len(v) for k, v in classes.items()}
    assert {k: r for k, r in recall.items() if r < 1} == {}

    card = read_scorecard(settings, catalog, now=NOW)
    assert all(d.scores["accuracy"] is not None and 80 < d.scores["accuracy"] < 100 for d in card.departments)
    examples = [e for d in with_examples(settings, catalog, card).departments for w in d.worst for e in w.examples]
    assert len(examples) > 50
    page = report.page.read_text(encoding="utf-8")
    assert "样例" in page
    numbers = set(re.findall(r"(?<!\d)\d{11,18}[Xx]?", page))
    persons = district.table("residents.csv")
    assert not numbers & {p["resident_id"] for p in persons}
    assert not numbers & {p["phone"].replace("-", "") for p in persons}
    assert not re.search(r"\d{6}(?:19|20)\d{2}[01]\d[0-3]\d{4}[\dXx]|(?<!\d)1[3-9]\d{9}(?!\d)", page)


def _reads(catalog: Catalog, feed: str, columns: tuple[str, ...], source: str) -> bool:
    """Whether a rule on ``columns`` reads the source column."""
    fields = {f.name: f.spec for f in catalog.fields(feed)}
    return any(source in fields[c].from_ or source in (fields[c].x, fields[c].y) for c in columns if c in fields)

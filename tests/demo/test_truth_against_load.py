"""What the truth says is wrong is exactly what the contracts' rules find, record by record."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from catalog.registry import Catalog
from catalog.settings import Settings
from tests.demo.conftest import District

if TYPE_CHECKING:
    from ingestion.results import LoadResult

NOW = datetime(2026, 7, 1, tzinfo=UTC)
JULY = date(2026, 7, 1)
NO_RULE = {"footer", "resent_record", "no_value"}
"""What is no fault of a record: lines below the table, records sent again on purpose, empty cells of wide sheets."""


@pytest.mark.slow
def test_the_rules_reject_exactly_the_records_the_truth_names(
    district: District, catalog: Catalog, settings: Settings
) -> None:
    from ingestion.stage import stage
    from quality.rules import compile_rules

    expected: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for r in district.table("faults.csv"):
        expected[r["file"]][r["expected"]].add(int(r["row"]))
    wrong = {}
    for f in district.table("files.csv"):
        if f["copy_of"]:
            continue
        feed = catalog.feed(f["feed"])
        rules = compile_rules(catalog, feed)
        path = district.drop / f["file"]
        with stage(settings, catalog, feed, path, receipt="r", loaded_at=NOW, rules=rules) as staged:
            rejected = staged.con.execute("SELECT DISTINCT _row_number FROM staged WHERE _state = 1").fetchall()
            found = {n for (n,) in rejected}
            ok = staged.rows_found == int(f["rows"]) and staged.rows_quarantined == int(f["quarantined"])
        if not ok or found != expected[f["file"]]["quarantined"]:
            wrong[f["file"]] = sorted(found ^ expected[f["file"]]["quarantined"])[:5]
    assert wrong == {}


@dataclass(frozen=True)
class Loaded:
    """A lake into which the whole district was delivered once; treat it as read-only."""

    settings: Settings
    results: dict[str, list[LoadResult]]


@pytest.fixture(scope="module")
def loaded(district: District, catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    from ingestion.load import ingest

    home = tmp_path_factory.mktemp("loaded") / "var"
    settings = Settings(home=home, lake=str(home / "lake"))
    settings.make_dirs()
    shutil.copytree(district.drop, settings.drop, dirs_exist_ok=True)
    shutil.copytree(district.truth, settings.home / "truth")
    return Loaded(settings, {feed: ingest(settings, catalog, feed, now=NOW) for feed in catalog.feeds})


@pytest.mark.slow
def test_loading_in_sending_order_gives_what_the_truth_foresees(
    district: District, catalog: Catalog, loaded: Loaded
) -> None:
    from deltalake import DeltaTable

    settings = loaded.settings
    expected = {f["file"]: f for f in district.table("files.csv")}
    columns = ("rows", "loaded", "quarantined", "skipped")
    wrong: dict[str, object] = {}
    for feed_id, totals in district.summary.feeds.items():
        folder = catalog.feed(feed_id).source.path.rpartition("/")[0]
        for r in loaded.results[feed_id]:
            truth = tuple(int(expected[f"{folder}/{r.file}"][c]) for c in columns)
            got = (r.rows_found, r.rows_loaded, r.rows_quarantined, r.rows_skipped)
            if got != truth:
                wrong[f"{feed_id}/{r.file}"] = (r.verdict, got, truth)
        rows = DeltaTable(settings.feed_path(feed_id)).count()
        if rows != totals.table_rows:
            wrong[feed_id] = (rows, totals.table_rows)
    assert wrong == {}


@pytest.mark.slow
def test_every_injected_fault_class_is_in_the_failing_rules(
    district: District, catalog: Catalog, loaded: Loaded
) -> None:
    """Every kind of fault the demo injects stands among the failing rules of the scorecard, with masked examples."""
    from ingestion.scorecard import build_report, with_examples
    from quality.rules import compile_rules
    from warehouse.delta import rows_of
    from warehouse.objections import failing_rules
    from warehouse.scorecard import read_scorecard

    settings = loaded.settings
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

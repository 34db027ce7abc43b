"""What the truth says is wrong is exactly what the contracts' rules find, record by record."""

from __future__ import annotations

import shutil
from collections import defaultdict
from datetime import UTC, datetime

import pytest

from catalog.registry import Catalog
from catalog.settings import Settings
from tests.demo.conftest import District

NOW = datetime(2026, 7, 1, tzinfo=UTC)


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


@pytest.mark.slow
def test_loading_in_sending_order_gives_what_the_truth_foresees(
    district: District, catalog: Catalog, settings: Settings
) -> None:
    from deltalake import DeltaTable

    from ingestion.load import ingest

    shutil.copytree(district.drop, settings.drop, dirs_exist_ok=True)
    expected = {f["file"]: f for f in district.table("files.csv")}
    columns = ("rows", "loaded", "quarantined", "skipped")
    wrong: dict[str, object] = {}
    for feed_id, totals in district.summary.feeds.items():
        folder = catalog.feed(feed_id).source.path.rpartition("/")[0]
        for r in ingest(settings, catalog, feed_id, now=NOW):
            truth = tuple(int(expected[f"{folder}/{r.file}"][c]) for c in columns)
            got = (r.rows_found, r.rows_loaded, r.rows_quarantined, r.rows_skipped)
            if got != truth:
                wrong[f"{feed_id}/{r.file}"] = (r.verdict, got, truth)
        rows = DeltaTable(settings.feed_path(feed_id)).count()
        if rows != totals.table_rows:
            wrong[feed_id] = (rows, totals.table_rows)
    assert wrong == {}

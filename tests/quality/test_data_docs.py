"""Data Docs: pages that need no network, and hold counts only."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from catalog.registry import Catalog
from catalog.settings import Settings
from quality.data_docs import KEPT, DocsNotLocal, _in_chinese, _local, build_docs, docs_dir
from quality.gate import run_gate
from quality.rules import compile_rules

from .support import stats

NOW = datetime(2026, 1, 2, tzinfo=UTC)
FEED = "statistics__cpi"
CANARY = "2025-04"


def run(settings: Settings, catalog: Catalog, receipt: str, now: datetime = NOW) -> None:
    feed = catalog.feed(FEED)
    con = duckdb.connect()
    con.execute(
        f"""create table accepted as select '{CANARY}' period_month, 99.9::decimal(8,3) cpi_national_yoy100,
        100::decimal(8,3) cpi_city_yoy100, 99.7::decimal(8,3) cpi_rural_yoy100"""
    )
    batch = replace(
        stats(rows_found=3, rows_accepted=1, rows_quarantined=2),
        feed=FEED,
        receipt=receipt,
        row_failures={"cpi_city_yoy100.range": 2},
    )
    rules = compile_rules(catalog, feed, as_of=now)
    folder = docs_dir(settings)
    run_gate(con, "accepted", catalog=catalog, feed=feed, rules=rules, batch=batch, now=now, docs_dir=folder)


@pytest.mark.slow
def test_pages_are_local_and_count_only(settings: Settings, catalog: Catalog) -> None:
    run(settings, catalog, "20260102-a")
    index = build_docs(settings)
    pages = sorted(docs_dir(settings).rglob("*.html"))
    assert [p.relative_to(docs_dir(settings)).as_posix() for p in pages] == ["index.html", f"{FEED}/20260102-a.html"]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", text)
        assert "<script" not in text
        assert CANARY not in text
        assert "居民消费价格指数" in text or "CPI" in text or catalog.feed(FEED).title in text
        for link in re.findall(r'href="([^"#]+)"', text):
            assert (page.parent / link).exists(), link
    text = pages[1].read_text(encoding="utf-8")
    assert "cpi_city_yoy100.range" in text
    assert "隔离该行" in text
    assert "Great Expectations" in text
    broken = _in_chinese(
        "\n\n$unexpected_count unexpected values found. $unexpected_percent of $element_count total rows.", {}
    )
    assert broken.strip() == "不符合 $unexpected_count 行，占 $element_count 行的 $unexpected_percent"
    assert "通过" in index.read_text(encoding="utf-8")


@pytest.mark.slow
def test_only_new_results_are_rendered_and_old_ones_go(settings: Settings, catalog: Catalog) -> None:
    run(settings, catalog, "20260102-a")
    build_docs(settings)
    page = docs_dir(settings) / FEED / "20260102-a.html"
    first = page.stat().st_mtime_ns
    run(settings, catalog, "20260103-b", datetime(2026, 1, 3, tzinfo=UTC))
    build_docs(settings)
    assert page.stat().st_mtime_ns == first
    kept = docs_dir(settings) / ".results" / FEED
    source = (kept / "20260103-b.json").read_text(encoding="utf-8")
    for n in range(KEPT):
        (kept / f"x{n:02}.json").write_text(source.replace("20260103-b", f"x{n:02}"), encoding="utf-8")
    build_docs(settings)
    assert len(list(kept.glob("*.json"))) == KEPT
    assert not page.exists()


def test_an_empty_house_has_an_index(settings: Settings) -> None:
    text = build_docs(settings).read_text(encoding="utf-8")
    assert "还没有检查结果" in text


@pytest.mark.parametrize(
    "html",
    ['<script src="https://cdn.example/x.js">', "<link href=//cdn.example/x.css>", "<style>@import 'x'</style>"],
)
def test_a_page_that_needs_the_network_is_refused(html: str) -> None:
    with pytest.raises(DocsNotLocal):
        _local(html)


def test_assets_are_part_of_the_package(root: Path) -> None:
    for name in ("page.j2", "index.j2", "data_docs.css"):
        assert (root / "quality" / "assets" / name).is_file()

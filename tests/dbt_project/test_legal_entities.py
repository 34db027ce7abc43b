"""The legal-entity library over a generated district: who each record is about, and what bad input does to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from catalog.registry import Catalog
from catalog.settings import Settings

pytestmark = pytest.mark.slow
NOW = datetime(2026, 7, 1, tzinfo=UTC)
LIBRARY = [f"+legal_entity__{t}" for t in ("entities", "branches", "persons", "shareholders")]


@pytest.mark.parametrize("faults", [0.1])
def test_records_are_linked_as_the_truth_says(
    settings: Settings, catalog: Catalog, faults: float, read: Callable[[str], list[tuple[Any, ...]]], tmp_path: Path
) -> None:
    """At five times the usual rate of faults: no wrong link of a hundred, and nearly all there are."""
    from demo import generate
    from ingestion.load import ingest
    from warehouse.dbt_build import build
    from warehouse.entities.accuracy import measure_entities

    generate(settings.drop, tmp_path / "truth", residents=3000, seed=int(datetime.now(UTC).timestamp()), faults=faults)
    for feed in catalog.feeds:
        if feed.split("__")[0] in ("market_supervision", "tax", "government_services", "staffing") or feed in (
            "social_security__employers",
            "civil_affairs__social_organisations",
        ):
            ingest(settings, catalog, feed, now=NOW)
    build(settings, select=LIBRARY).raise_for_failure()
    found = measure_entities(settings, tmp_path / "truth")
    scores = found.scores()
    assert found.records > 500
    assert scores["entities_precision"] >= 0.99, found
    assert scores["entities_f1"] >= 0.98, found
    kinds = {k.kind: k for k in found.code_kinds}
    assert kinds["scientific"].records
    assert kinds["scientific"].wrong == 0
    assert {k.kind: k for k in found.name_kinds}["stranger"].wrong <= 1
    assert read(
        "select count(*) from legal_entity.sources where entity_code_kind = 'scientific' and link_method = 'uscc'"
    ) == [(0,)]
    assert read("select count(*) from legal_entity.branches where parent_uscc is not null")[0][0] > 3
    assert read("select count(*) from legal_entity.names where name_kind = 'former'")[0][0] > 5
    assert read("select count(*) from legal_entity.shareholders where is_in_ring")[0][0] >= 2


def test_lists_without_a_register_and_names_out_of_bounds(
    settings: Settings, fill: Callable[..., None], read: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    """An empty register takes nothing away from lists; two firms of one name, and a name of 200 characters, stay apart."""
    from warehouse.dbt_build import build

    a, b, c = "91110102101379136C", "91110106102167290A", "91110107802286266J"
    fill(
        "market_supervision__enterprises",
        [
            {"uscc": a, "entity_name": "北京双胞商贸有限公司", "registration_date": date(1990, 1, 1)},
            {"uscc": b, "entity_name": "北京双胞商贸有限公司", "registration_date": date(1991, 1, 1)},
            {"uscc": c, "entity_name": "北京独一" + "长" * 180 + "公司", "registration_date": date(1992, 1, 1)},
        ],
    )
    fill(
        "market_supervision__abnormal_list",
        [
            {"entity_name": "北京双胞商贸有限公司", "listed_date": date(2020, 1, 1)},
            {"entity_name": "北京独一" + "长" * 180 + "公司", "listed_date": date(2020, 1, 2)},
            {"entity_name": "北京某某" + "长" * 196, "listed_date": date(2020, 1, 3)},
        ],
    )
    fill(
        "social_security__employers",
        [
            {
                "employer_number": "1",
                "entity_name": "北京双胞商贸有限公司",
                "org_code": a[8:17],
                "entity_code_kind": "org_code_15",
            }
        ],
    )
    build(settings, select=["+legal_entity__abnormal_list"]).raise_for_failure()
    linked = dict(read("select listed_date, uscc from legal_entity.abnormal_list"))
    assert linked == {date(2020, 1, 1): None, date(2020, 1, 2): c, date(2020, 1, 3): None}
    assert read("select uscc, link_method from legal_entity.sources where feed_id = 'social_security__employers'") == [
        (a, "org_code")
    ]
    fill("market_supervision__enterprises", [])
    build(settings, select=["+legal_entity__abnormal_list"]).raise_for_failure()
    assert read("select count(*) from legal_entity.abnormal_list") == [(3,)]

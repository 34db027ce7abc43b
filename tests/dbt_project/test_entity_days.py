"""A day of organisations comes to what making everything anew comes to, and leaves alone what it says nothing of."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from catalog.registry import Catalog
from catalog.settings import Settings
from tests.dbt_project.test_kept_answers import book
from warehouse.delta import commit_once, delete_once
from warehouse.schema import feed_schema

pytestmark = pytest.mark.slow
ENTERPRISES, EMPLOYERS, ABNORMAL, SHAREHOLDERS = (
    "market_supervision__enterprises", "social_security__employers", "market_supervision__abnormal_list",
    "market_supervision__shareholders",
)  # fmt: skip
A, B, C, D = "91110102101379136C", "91110106102167290A", "91110107802286266J", "91110102MA01XYZ12H"
TWIN, ROCK, LAKE = "北京双胞商贸有限公司", "北京磐石科技有限公司", "北京镜湖文化有限公司"
TABLES = ("record_codes", "names", "name_links", "identifiers", "sources", "abnormal_list", "penalties", "persons",
          "entity_addresses", "ownership")  # fmt: skip


def test_a_day_comes_to_what_everything_anew_comes_to(
    settings: Settings, catalog: Catalog, fill: Callable[..., None], read: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    from warehouse.dbt_build import build
    from warehouse.tables import list_tables

    loads = 0

    def upsert(rows: list[dict[str, Any]], mode: Any = "merge") -> None:
        nonlocal loads
        loads += 1
        stamps = {"_receipt": f"r{loads}", "_loaded_at": datetime(2026, 6, 1, tzinfo=UTC) + timedelta(days=loads)}
        table = pa.Table.from_pylist([r | stamps for r in rows], schema=feed_schema(catalog, ENTERPRISES))
        commit_once(settings.feed_path(ENTERPRISES), table, mode=mode, app_id="t", version=loads, merge_key=["uscc"])

    def firm(uscc: str, name: str, door: int) -> dict[str, Any]:
        return {"uscc": uscc, "entity_name": name, "entity_address": f"西城区白云胡同{door}号",
                "registration_date": date(1990, 1, 1), "district_name": "西城"}  # fmt: skip

    def made(*, full: bool = False) -> dict[str, list[tuple[Any, ...]]]:
        select = [f"legal_entity__{t}" for t in TABLES]
        build(settings, select=select, exclude=["test_type:data"], full_refresh=full).raise_for_failure()
        tables = [t for t in list_tables(settings) if t.schema == "legal_entity"]
        return {t.name: sorted(read(f"select * from legal_entity.{t.name}"), key=repr) for t in tables}

    def versions() -> dict[str, int]:
        return {t.name: DeltaTable(t.path).version() for t in list_tables(settings) if t.layer == "library"}

    book(settings, range(1, 9))
    upsert([firm(A, TWIN, 1), firm(B, ROCK, 2), firm(C, LAKE, 3)])
    fill(EMPLOYERS, [{"employer_number": str(i), "entity_name": n} for i, n in enumerate((TWIN, ROCK, LAKE))])
    fill(ABNORMAL, [{"entity_name": n, "listed_date": date(2020, 1, 1)} for n in (TWIN, LAKE, "北京无名氏公司")])
    owned = [{"source_record_id": "1", "uscc": A, "shareholder_uscc": B, "shareholding_pct": Decimal(60)}]
    fill(SHAREHOLDERS, owned)
    first = made()
    assert {row[2] for row in first["abnormal_list"]} == {A, C, None}
    assert [row[:3] for row in first["ownership"]] == [("entity", B, A)]
    stood = versions()
    fill(SHAREHOLDERS, [row | {"_receipt": "again"} for row in owned])
    # ROCK takes the name of another, LAKE is gone, a firm is founded, TWIN moves, an entry leaves a list
    upsert([firm(B, TWIN, 2), firm(D, "北京新芽咨询有限公司", 4), firm(A, TWIN, 9)])
    delete_once(settings.feed_path(ENTERPRISES), pa.table({"uscc": [C]}), key=["uscc"], app_id="t", version=loads + 1)
    fill(ABNORMAL, [{"entity_name": n, "listed_date": date(2020, 1, 1)} for n in (TWIN, "北京新芽咨询公司")])
    by_day = made()
    linked = {row[0]: row[2] for row in by_day["abnormal_list"]}
    assert linked == {TWIN: None, "北京新芽咨询公司": D}
    assert {row[0] for row in by_day["entity_addresses"]} == {A, B, D}
    changed = {name for name, version in versions().items() if stood.get(name) != version}
    assert {"names", "name_links", "entity_addresses", "sources", "abnormal_list"} <= changed
    assert not {"persons", "penalties", "ownership"} & changed
    noted = DeltaTable(settings.table_path("library", "legal_entity", "ownership")).history(1)[0]["made_from_versions"]
    version, rows = json.loads(noted)[f"feed/feed/{SHAREHOLDERS}"]  # told by its rows
    assert version < DeltaTable(settings.feed_path(SHAREHOLDERS)).version()
    assert rows.startswith("1:")
    assert made(full=True) == by_day

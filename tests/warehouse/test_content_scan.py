"""The weekly scan holds what tables hold against the grades of their columns, and writes it down."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
from deltalake import write_deltalake

from catalog.registry import Catalog
from catalog.settings import Settings
from tests.delta_rows import rows_of
from tests.ingestion.conftest import resident_id
from warehouse.content_scan import scan_all

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_a_library_column_that_holds_ids_is_reported_and_a_clean_one_passes(
    settings: Settings, catalog: Catalog
) -> None:
    names = {"entity_name": ["店" + resident_id(i) if i < 3 else "西城商店" for i in range(9)]}
    write_deltalake(settings.table_path("library", "legal_entity", "entities"), pa.table(names))
    write_deltalake(settings.table_path("mart", "hotline", "topics"), pa.table({"topic": ["噪声"]}))
    done = {s.table: s for s in scan_all(settings, catalog, now=NOW)}
    (fault,) = done["legal_entity.entities"].too_high
    assert (fault.code, fault.unexpected, fault.party) == ("entity_name.content_grade", 3, "platform")
    assert "110102" not in fault.message
    assert done["hotline.topics"].too_high == ()
    rows = rows_of(settings.platform_path("validations")).to_pylist()
    assert {(r["suite"], r["success"]) for r in rows} == {
        ("scan:legal_entity.entities", False),
        ("scan:hotline.topics", True),
    }

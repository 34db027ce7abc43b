"""The checkpoint of releases: what is stopped leaves nothing behind but its record."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from catalog.errors import ReleaseRefused
from catalog.registry import Catalog
from catalog.settings import Settings
from quality.data_docs import build_docs, docs_dir
from quality.masks.base import Mask
from warehouse import approvals, release_watermark
from warehouse.duck import VERIFIED_ONCE, load_extension
from warehouse.publish import publish, releases_of
from warehouse.release_gate import compile_release
from warehouse.release_plan import make_plan

from .test_publish import NOW, Make, make, one, people  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow
RESIDENT_ID = "11010519491231002X"
GROUPS = {"street": {"grade": 1}, "birth": {"grade": 1}, "sex_code": {"grade": 2}}
ANONYMITY = {"quasi": ["street", "birth", "sex_code"], "k": 5}


def rows_of(settings: Settings, where: str) -> list[tuple[Any, ...]]:
    path = settings.platform_path("validations")
    with duckdb.connect(config=VERIFIED_ONCE) as con:
        load_extension(con, "delta")
        return con.execute(
            "select code, success, severity, dimension, party, unexpected, receipt, message "
            f"from delta_scan('{path}') where suite = 'release:sample' and {where} order by checked_at"
        ).fetchall()


def crowd(settings: Settings, *, lonely: int = 0) -> None:
    """Forty persons in groups of ten by street, birth year and sex, and ``lonely`` whom these three columns name."""
    persons = [("月坛", "1990", str(i % 2 + 1)) for i in range(20)] + [
        ("广外", "1980", str(i % 2 + 1)) for i in range(20)
    ]
    persons += [("月坛", str(date(1949, 12, 31) + timedelta(days=i)), "2") for i in range(lonely)]
    street, birth, sex = zip(*persons, strict=True)
    table = pa.table({"street": street, "birth": birth, "sex_code": sex})
    write_deltalake(
        settings.table_path("library", "population", "people"), table, mode="overwrite", schema_mode="overwrite"
    )


def test_a_release_passes_its_gate_on_the_record(settings: Settings, make: Make) -> None:  # noqa: F811
    release = one(settings, make())
    assert release.status == "released"
    asked = {r[0]: r[1] for r in rows_of(settings, "true")}
    assert asked == dict.fromkeys(["columns_declared", "not_empty", "row_count_shift", "content_scanned"], True)
    build_docs(settings)
    assert "release:sample" in (docs_dir(settings) / "index.html").read_text(encoding="utf-8")


def test_a_join_that_names_persons_is_refused(settings: Settings, make: Make) -> None:  # noqa: F811
    crowd(settings, lonely=3)
    catalog = make(columns=GROUPS, order_by=["street"], anonymity=ANONYMITY)
    with pytest.raises(ReleaseRefused, match="k-anonymity"):
        one(settings, catalog)
    assert releases_of(settings, "sample") == []
    ((code, success, severity, _, party, unexpected, _, message),) = rows_of(settings, "code = 'k_anonymity'")
    assert (code, success, severity, party, unexpected) == ("k_anonymity", False, "stop", "platform", 3)
    assert "（3 组，共 7 组）" in message


def test_k_that_drops_after_an_update_leaves_the_last_release(settings: Settings, make: Make) -> None:  # noqa: F811
    crowd(settings)
    catalog = make(columns=GROUPS, order_by=["street"], anonymity=ANONYMITY)
    first = one(settings, catalog)
    crowd(settings, lonely=1)
    (second,) = publish(settings, catalog, now=NOW + timedelta(hours=1))
    assert second.status == "refused"
    assert [p.name for p in releases_of(settings, "sample")] == [first.version]
    assert [r[1] for r in rows_of(settings, "code = 'k_anonymity'")] == [True, False]


def test_a_mask_that_was_not_applied_is_seen(
    settings: Settings, make: Make, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    catalog = make(columns={"record_number": {"grade": 1}, "person_name": {"mask": "partial_name"}}, max_grade=2)
    monkeypatch.setattr(approvals, "require", lambda *args, **kwargs: [])
    assert one(settings, catalog).status == "released"
    monkeypatch.setattr(Mask, "sql", lambda self, expr, params=None: expr)
    write_deltalake(settings.table_path("library", "population", "people"), people(13), mode="overwrite")
    with pytest.raises(ReleaseRefused, match="person_name"):
        one(settings, catalog, at=NOW + timedelta(hours=1))
    (last,) = rows_of(settings, "code = 'person_name.mask_applied' and not success")
    assert (last[2], last[5]) == ("stop", 13)
    assert "欧阳修" not in last[7]
    assert len(releases_of(settings, "sample")) == 1


def test_content_above_the_grade_is_recorded_without_values(settings: Settings, make: Make) -> None:  # noqa: F811
    table = people(12).set_column(1, "remark", [[RESIDENT_ID] * 12])
    write_deltalake(settings.table_path("library", "population", "people"), table, mode="overwrite")
    with pytest.raises(ReleaseRefused, match="remark"):
        one(settings, make())
    ((*_, message),) = rows_of(settings, "code = 'content_scanned'")
    assert "列 remark：公民身份号码 12 处" in message
    assert RESIDENT_ID not in message
    assert not [p for p in docs_dir(settings).rglob("*.json") if RESIDENT_ID in p.read_text(encoding="utf-8")]


def test_a_copy_without_its_watermark_is_not_released(
    settings: Settings, make: Make, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    write_deltalake(settings.table_path("library", "population", "people"), people(400), mode="overwrite")
    catalog = make(watermark={"arrears_cny": {"digits": 3, "min": 0}})
    monkeypatch.setattr(release_watermark, "_is_named", lambda job, recipient, key: False)
    with pytest.raises(ReleaseRefused, match="does not carry its watermark"):
        one(settings, catalog)
    ((_, success, severity, *_),) = rows_of(settings, "code = 'watermark_present'")
    assert (success, severity) == (False, "stop")
    assert releases_of(settings, "sample") == []


def test_every_product_has_a_complete_suite(catalog: Catalog) -> None:
    for product in catalog.products.values():
        types = {spec.from_ or name: "VARCHAR" for name, spec in product.columns.items()}
        types |= dict.fromkeys(product.where, "VARCHAR")
        types |= {name: "BLOB" for name in types if name.startswith("geom")}
        suite = compile_release(make_plan(catalog, product, types), is_marked=bool(product.watermark), had_rows=True)
        assert {"columns_declared", "not_empty", "content_scanned"} <= {r.code for r in suite}
        assert all(r.severity and r.dimension and r.party and r.message_zh for r in suite)
        assert ("k_anonymity" in {r.code for r in suite}) == bool(product.anonymity)

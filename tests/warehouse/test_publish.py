"""What leaves: chosen, masked, checked, versioned, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import stat
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from catalog.errors import ContractError, ReleaseRefused, UnknownName
from catalog.registry import Catalog
from catalog.settings import Settings
from tests.delta_rows import rows_of
from tests.warehouse.publish_support import COLUMNS, NOW, Make, make, one, people, read_csv
from warehouse import approvals, release_files, release_formats
from warehouse import publish as publishing
from warehouse.access import AccessDenied, Principal
from warehouse.publish import last_release, publish, releases_of, version_number
from warehouse.release_plan import make_plan

pytestmark = pytest.mark.slow  # many small loads: a minute in all with the others of its kind
__all__ = ["make"]


def test_release_holds_every_format_and_says_what_it_is(settings: Settings, make: Make) -> None:
    release = one(settings, make())
    assert (release.status, release.version, release.rows) == ("released", "2026-11-22.1", 12)
    folder = settings.releases / "sample" / "2026-11-22.1"
    names = {p.name for p in folder.iterdir()}
    assert names == {"sample.csv", "sample.xlsx", "sample.parquet", "dictionary.csv", "CHANGES.md", "manifest.json"}
    manifest = json.loads((folder / "manifest.json").read_text())
    for listed in manifest["files"]:
        content = (folder / listed["name"]).read_bytes()
        assert listed["sha256"] == hashlib.sha256(content).hexdigest()
        assert listed["bytes"] == len(content)
    assert manifest["source"] == {"table": "population.people", "layer": "library", "version": 0}
    assert (manifest["purpose"], manifest["recipients"]) == ("检验", ["civil_affairs"])
    assert {p.name for p in (settings.releases / "sample").iterdir()} == {"2026-11-22.1"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o600}
    assert "首次发布" in (folder / "CHANGES.md").read_text()


def test_csv_is_for_people_with_spreadsheets(settings: Settings, make: Make) -> None:
    release = one(settings, make())
    assert release.folder is not None
    rows = read_csv(release.folder / "sample.csv")
    assert [r["remark"] for r in rows[:10]] == [
        "张三丰",
        "'=HYPERLINK(1)",
        "-",
        "'@sum",
        "李,四\n五",
        '引"号',
        "",
        "",
        "'+86 10",
        "-12.5",
    ]
    assert rows[0]["decision_date"] == "1899-01-01"
    assert rows[0]["updated_at"] == "2026-11-22T09:30:00+08:00"
    assert rows[1]["updated_at"] == "2026-11-22T09:30:00.000001+08:00"
    assert rows[3]["arrears_cny"] == "0.30000000000000004"
    assert rows[0]["order_number"] == "9007199254740993"


def test_xlsx_has_chinese_heads_dictionary_and_no_formula(settings: Settings, make: Make) -> None:
    release = one(settings, make())
    assert release.folder is not None
    book = openpyxl.load_workbook(release.folder / "sample.xlsx")
    sheet = book["数据"]
    assert [c.value for c in sheet[1]][:2] == ["序号", "备注"]
    assert [c.value for c in sheet[2]][:2] == ["record_number", "remark"]
    assert sheet.max_row == 14
    assert sheet["B4"].value == "=HYPERLINK(1)"
    assert sheet["B4"].data_type == "s"
    assert sheet["C4"].value == datetime(2026, 1, 1)
    assert sheet["C3"].value == "1899-01-01"
    assert sheet["G3"].value == "9007199254740993"
    assert [c.value for c in book["数据字典"][1]] == [
        "列名",
        "中文名",
        "类型",
        "单位",
        "代码表",
        "级别",
        "脱敏",
        "说明",
    ]
    assert book["数据字典"].max_row == len(COLUMNS) + 1


def test_extract_table_and_log_are_written_once(settings: Settings, make: Make) -> None:
    one(settings, make())
    table = DeltaTable(settings.table_path("extract", "extract", "sample"))
    assert rows_of(table).num_rows == 12
    log = rows_of(settings.platform_path("releases")).to_pylist()
    assert [(r["product"], r["version"], r["rows"], r["grade"]) for r in log] == [("sample", "2026-11-22.1", 12, 1)]
    again = one(settings, make(), at=NOW + timedelta(days=1))
    assert again.status == "unchanged"
    assert again.version == "2026-11-22.1"
    assert DeltaTable(settings.table_path("extract", "extract", "sample")).version() == table.version()
    assert rows_of(settings.platform_path("releases")).num_rows == 1
    events = [json.loads(line)["event"] for line in (settings.home / "audit" / "log.jsonl").read_text().splitlines()]
    assert events == ["access.decided", "release.published", "access.decided"]


def test_new_content_makes_a_new_version_with_its_changes(settings: Settings, make: Make) -> None:
    one(settings, make())
    path = settings.table_path("library", "population", "people")
    changed = people(13).slice(1).set_column(1, "remark", pa.array(["改了", *people(13)["remark"].to_pylist()[2:]]))
    write_deltalake(path, changed, mode="overwrite")
    release = one(settings, make())
    assert (release.status, release.version) == ("released", "2026-11-22.2")
    assert release.changes == {"added": 1, "removed": 1, "changed": 1}
    assert release.folder is not None
    text = (release.folder / "CHANGES.md").read_text()
    assert "2026-11-22.1" in text
    assert "按键 record_number" in text
    assert [p.name for p in releases_of(settings, "sample")] == ["2026-11-22.1", "2026-11-22.2"]


@pytest.mark.parametrize("formats", [["csv"], ["parquet"]])
def test_changes_without_a_key_compare_whole_rows(settings: Settings, make: Make, formats: list[str]) -> None:
    columns = {"remark": {}, "is_current": {"grade": 1}}
    one(settings, make(formats=formats, columns=columns, order_by=[]))
    write_deltalake(settings.table_path("library", "population", "people"), people(11), mode="overwrite")
    release = one(settings, make(formats=formats, columns={**columns, "tax_kind": {"from": "remark"}}, order_by=[]))
    assert release.changes == {"added": 0, "removed": 1}
    assert release.folder is not None
    assert "新增列：tax_kind" in (release.folder / "CHANGES.md").read_text()


def test_a_changed_declaration_is_a_new_version(settings: Settings, make: Make) -> None:
    one(settings, make())
    assert one(settings, make(purpose="另一目的")).version == "2026-11-22.2"


@pytest.mark.slow
def test_versions_only_rise(settings: Settings, make: Make) -> None:
    one(settings, make())
    earlier = one(settings, make(purpose="b"), at=NOW - timedelta(days=9))
    assert earlier.version == "2026-11-22.2"
    assert one(settings, make(purpose="c"), version="2027-01-01.1").version == "2027-01-01.1"
    with pytest.raises(ReleaseRefused, match="not above"):
        one(settings, make(purpose="d"), version="2026-12-01.1")
    with pytest.raises(ReleaseRefused, match="not a release version"):
        one(settings, make(purpose="d"), version="../../x")
    assert version_number("2026-11-22.10") > version_number("2026-11-22.9")


@pytest.mark.slow
def test_a_version_number_is_not_used_again_after_its_folder_was_removed(settings: Settings, make: Make) -> None:
    import shutil

    one(settings, make())
    shutil.rmtree(settings.releases / "sample")
    assert one(settings, make()).version == "2026-11-22.2"


def test_filters_are_parameters(settings: Settings, make: Make) -> None:
    where = {"is_current": {"eq": True}, "remark": {"ne": "x' OR 1=1 --"}, "record_number": {"ge": 2, "lt": 9}}
    release = one(settings, make(where=where))
    assert release.folder is not None
    assert [r["record_number"] for r in read_csv(release.folder / "sample.csv")] == ["2", "4", "6", "8"]
    chosen = one(settings, make(where={"record_number": {"in": [1, 3]}}))
    assert chosen.rows == 2


def test_an_empty_release_is_a_release(settings: Settings, make: Make) -> None:
    release = one(settings, make(where={"record_number": {"lt": 0}}))
    assert (release.status, release.rows) == ("released", 0)


@pytest.fixture
def approved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Masked columns of grade 3 need an approval; how it is given stands in test_approvals."""
    monkeypatch.setattr(approvals, "APPROVERS", dict.fromkeys((1, 2, 3, 4), 0))


@pytest.mark.usefixtures("approved")
def test_masks_lower_the_grade_and_are_applied(settings: Settings, make: Make) -> None:
    columns = {**COLUMNS, "person_name": {}, "birth_date": {}}
    release = one(settings, make(columns=columns))
    assert release.folder is not None
    for file in release.folder.iterdir():
        assert "欧阳修".encode() not in file.read_bytes()
    manifest = json.loads((release.folder / "manifest.json").read_text())
    assert manifest["masks"] == {"person_name": "partial_name", "birth_date": "year_only"}
    assert manifest["grade"] == 2
    assert "1990" in read_csv(release.folder / "sample.csv")[0]["birth_date"]
    assert "01-0" not in read_csv(release.folder / "sample.csv")[0]["birth_date"]
    assert "欧阳修" not in pq.read_table(release.folder / "sample.parquet")["person_name"].to_pylist()


@pytest.mark.usefixtures("approved")
def test_a_keyed_mask_gives_stable_pseudonyms(settings: Settings, make: Make) -> None:
    columns = {
        "record_number": {"grade": 1},
        "person_name": {"mask": "hash"},
        "order_number": {"grade": 3, "mask": "hash"},
    }
    release = one(settings, make(columns=columns))
    assert release.folder is not None
    rows = read_csv(release.folder / "sample.csv")
    assert {len(r["person_name"]) for r in rows} == {32}
    assert len({r["person_name"] for r in rows}) == 1
    assert len({r["order_number"] for r in rows}) == 12
    assert one(settings, make(columns=columns)).status == "unchanged"


def test_a_weaker_or_unknown_mask_is_refused(settings: Settings, make: Make) -> None:
    with pytest.raises(ContractError, match="no mask"):
        one(settings, make(columns={"person_name": {"mask": "paint"}}, order_by=[]))
    with pytest.raises(ContractError, match="mask hash"):
        one(settings, make(columns={"person_name": {"mask": "hash", "mask_params": {"key": "x"}}}, order_by=[]))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "missing column": ({"columns": {"nothing": {"grade": 1}}}, "no column"),
    "grade unknown": ({"columns": {"record_number": {}}}, "grade is not known"),
    "grade lowered by hand": ({"columns": {"birth_date": {"grade": 1, "mask": "year_only"}}}, "below grade 3"),
    "grade above the bound": ({"columns": {"birth_date": {}}, "max_grade": 1}, "above the product's bound"),
    "declared grade above the bound": ({"columns": {"remark": {"grade": 3}}}, "above the product's bound"),
    "no purpose": ({"purpose": " "}, "no purpose"),
    "no legal basis": ({"legal_basis": ""}, "no legal_basis"),
    "no recipient": ({"recipients": []}, "no recipient"),
    "public but not open": ({"recipients": ["public"]}, "opening is none"),
    "order by what does not leave": ({"order_by": ["birth_date"]}, "not released"),
    "filter on a missing column": ({"where": {"nope": {"eq": 1}}}, "lacks"),
    "unknown operator": ({"where": {"remark": {"like": "x"}}}, "cannot be used"),
    "operator with a list": ({"where": {"remark": {"eq": ["x"]}}}, "cannot be used"),
    "geometry format without geometry": ({"formats": ["geojson"]}, "geometry format"),
    "tiles without geometry": ({"formats": ["pmtiles"]}, "geometry format"),
    "no columns": ({"columns": {}, "order_by": []}, "no columns"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_a_row_is_read(settings: Settings, make: Make, name: str) -> None:
    over, message = REFUSED[name]
    with pytest.raises(ReleaseRefused, match=message) as caught:
        one(settings, make(**({"order_by": []} | over)))
    assert caught.value.hint
    assert not releases_of(settings, "sample")
    assert not list((settings.releases / "sample").glob(".*"))
    last = json.loads((settings.home / "audit" / "log.jsonl").read_text().splitlines()[-1])
    assert last["event"] == "release.refused"


def test_a_direct_identifier_needs_a_mask(catalog: Catalog, make: Make) -> None:
    bare = catalog.elements["person_name"].model_copy(update={"mask": None, "grade": 2})
    broken = make(columns={"person_name": {}}, order_by=[])
    broken = broken.model_copy(update={"elements": {**catalog.elements, "person_name": bare}})
    with pytest.raises(ReleaseRefused, match="direct identifier"):
        make_plan(broken, broken.products["sample"], {"person_name": "VARCHAR"})


def test_missing_table_is_named(settings: Settings, make: Make) -> None:
    with pytest.raises(UnknownName, match=r"population\.peopel") as caught:
        one(settings, make(table="population.peopel"))
    assert "population.people" in caught.value.hint


def test_content_beats_names(settings: Settings, make: Make) -> None:
    """A resident ID in a column declared harmless stops the release, even inside a longer token."""
    valid = "11010219491231002"
    weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
    check = "10X98765432"[sum(int(d) * w for d, w in zip(valid, weights, strict=True)) % 11]
    table = people(12).set_column(1, "remark", pa.array(["x"] * 11 + [f"L{valid}{check}00"]))
    write_deltalake(settings.table_path("library", "population", "people"), table, mode="overwrite")
    with pytest.raises(ReleaseRefused, match="remark") as caught:
        one(settings, make())
    assert valid not in str(caught.value)
    assert not releases_of(settings, "sample")


def test_unknown_principal_may_not_publish(settings: Settings, make: Make) -> None:
    with pytest.raises(AccessDenied):
        one(settings, make(), principal=Principal(id="somebody"))


@pytest.mark.slow
def test_all_products_one_refusal_does_not_stop_the_others(settings: Settings, make: Make) -> None:
    good = make()
    bad = make(id="other", columns={"record_number": {}})
    both = good.model_copy(update={"products": {**bad.products, **good.products}})
    done = publish(settings, both, now=NOW)
    assert [(r.product, r.status) for r in done] == [("other", "refused"), ("sample", "released")]
    assert "grade is not known" in done[0].message


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet"])
def test_a_file_that_differs_when_read_back_is_not_released(
    settings: Settings, make: Make, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    suffix, writer, check = release_files.FILES[kind]

    def damaged(job: release_formats.Job, path: Path) -> None:
        fewer = job.canonical.with_name(".fewer")
        sql = f"COPY (FROM {job.rows_sql} LIMIT 11) TO '{fewer}' (FORMAT parquet)"
        job.con.execute(sql)
        writer(release_formats.Job(job.con, job.plan, fewer, job.types, job.dictionary), path)
        fewer.unlink()

    monkeypatch.setitem(release_files.FILES, kind, (suffix, damaged, check))
    with pytest.raises(ReleaseRefused, match="read back"):
        one(settings, make())
    assert not releases_of(settings, "sample")


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


@pytest.mark.slow
@pytest.mark.parametrize("step", ["write_files", "_write_copies", "_write_manifest", "_finish"])
def test_killed_between_steps_leaves_whole_releases_only(
    settings: Settings, make: Make, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(publishing, step, die)
        patch.setattr(publishing.shutil, "rmtree", lambda *a, **k: None)  # a killed process cleans nothing
        with pytest.raises(Killed):
            one(settings, make())
    for folder in releases_of(settings, "sample"):
        assert (folder / "sample.csv").is_file()
        assert (folder / "manifest.json").is_file()
    release = one(settings, make())
    assert release.status == ("unchanged" if step == "_finish" else "released")
    assert release.version == "2026-11-22.1"
    assert rows_of(settings.table_path("extract", "extract", "sample")).num_rows == 12
    assert rows_of(settings.platform_path("releases")).num_rows == 1
    assert {p.name for p in (settings.releases / "sample").iterdir()} == {"2026-11-22.1"}


def test_last_release_of_nothing(settings: Settings) -> None:
    assert last_release(settings, "sample") == (None, None)


def test_every_product_asks_for_columns_its_model_declares(catalog: Catalog, root: Path) -> None:
    """A renamed column of a model is found here, not on the night of the release."""
    import yaml

    declared: dict[str, set[str]] = {}
    for file in (root / "dbt_project" / "models").rglob("_*.yml"):
        for model in (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("models", []):
            schema, _, table = model["name"].partition("__")
            declared[f"{schema}.{table}"] = {c["name"] for c in model.get("columns", [])}
    for product in catalog.products.values():
        wanted = {c.from_ or name for name, c in product.columns.items()} | set(product.where)
        assert wanted <= declared[product.table], product.id


def test_every_product_of_the_catalog_is_plannable(catalog: Catalog) -> None:
    """Each product's own declaration passes, given the columns it asks for."""
    assert catalog.products
    for product in catalog.products.values():
        wanted = {c.from_ or name for name, c in product.columns.items()} | set(product.where)
        types = {name: "BLOB" if name.startswith("geom") else "VARCHAR" for name in wanted}
        plan = make_plan(catalog, product, types)
        assert plan.grade <= product.max_grade

"""Attempts to lower a grade by what contracts and models say. None needs a lake."""

from __future__ import annotations

import os
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.errors import ContractError
from catalog.registry import Catalog, load_catalog
from quality.lineage import GradeReport, ModelSpec, check
from warehouse.grade_check import check_products, feed_relations, mask_forms
from warehouse.grants import check_grants
from warehouse.masking import column_views
from warehouse.tables import TableRef

ON = date(2026, 11, 22)


@pytest.fixture
def copy(tmp_path: Path, root: Path) -> Path:
    folder = tmp_path / "catalog"
    shutil.copytree(root / "catalog", folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return folder


def change(folder: Path, feed: str, **fields: Any) -> None:
    file = folder / "feeds" / f"{feed}.yaml"
    data = yaml.safe_load(file.read_text(encoding="utf-8"))
    data["fields"].update(fields.pop("fields", {}))
    data.update(fields)
    file.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")


def build(catalog: Catalog, sql: str, grade: int = 1, name: str = "mart.stolen", **columns: int) -> GradeReport:
    spec = ModelSpec.model_validate({"name": name, "file": "x.sql", "sql": sql, "grade": grade, "columns": columns})
    return check([spec], feed_relations(catalog), catalog.grading, on=ON, masks=mask_forms())


def test_forget_a_grade(copy: Path) -> None:
    change(copy, "tax/arrears", elements={"owner_id": {"label": "业主证件"}}, fields={"owner_id": {"from": "业主证件"}})
    with pytest.raises(ContractError, match="grade"):
        load_catalog(copy)


def test_lower_a_grade_without_a_reason(copy: Path) -> None:
    change(copy, "public_security/household", fields={"birth_date": {"from": "出生日期", "grade": 1}})
    with pytest.raises(ContractError, match="below grade 3"):
        load_catalog(copy)


def test_lower_a_direct_identifier_with_a_reason(copy: Path) -> None:
    lowered = {"from": "姓名", "grade": 1, "grade_reason": "方便"}
    change(copy, "public_security/household", fields={"person_name": lowered})
    ref = TableRef("feed", "feed", "public_security__household", "")
    view = column_views(load_catalog(copy), ref, [("person_name", "VARCHAR")], salt="s")[0]
    assert view.is_masked


def test_grade_an_element_below_its_category(copy: Path) -> None:
    file = copy / "dictionary" / "elements.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("rules: [{rule: resident_id}], grade: 3", "rules: [{rule: resident_id}], grade: 1"))
    with pytest.raises(ContractError, match="below grade"):
        load_catalog(copy)


def test_take_a_mask_away_from_an_element(copy: Path) -> None:
    """Without its mask a value is not shown at all."""
    file = copy / "dictionary" / "elements.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("mask: partial_name", 'mask: ""'), encoding="utf-8")
    ref = TableRef("feed", "feed", "public_security__household", "")
    view = column_views(load_catalog(copy), ref, [("person_name", "VARCHAR")], salt="s")[0]
    assert view.is_masked


def test_let_unknown_columns_evolve_into_a_table(catalog: Catalog) -> None:
    ref = TableRef("feed", "feed", "public_security__household", "")
    view = column_views(catalog, ref, [("身份证号2", "VARCHAR")], salt="s")[0]
    assert view.expression == "CAST(NULL AS VARCHAR)"


def test_lower_a_column_silently_in_a_model(catalog: Catalog) -> None:
    found = build(catalog, "select birth_date from feed.public_security__household", birth_date=1)
    assert [p.kind for p in found.problems][:1] == ["silent"]


def test_rename_a_column_in_a_model(catalog: Catalog) -> None:
    found = build(
        catalog,
        "select registered_address as standard_address from feed.public_security__household",
        standard_address=1,
    )
    assert found.problems


def test_wrap_a_column_in_text_functions(catalog: Catalog) -> None:
    sql = "select upper(substr('x' || registered_address, 2)) as remark from feed.public_security__household"
    assert build(catalog, sql, remark=1).problems


def test_hide_a_column_in_a_case(catalog: Catalog) -> None:
    sql = (
        "select case when birth_date > date '1950-01-01' then 1 else 0 end as flag from feed.public_security__household"
    )
    assert build(catalog, sql, flag=1).problems


def test_hide_a_column_in_an_aggregate(catalog: Catalog) -> None:
    sql = "select community_code, max(registered_address) as a from feed.public_security__household group by 1"
    assert build(catalog, sql, community_code=1, a=1).problems


def test_bypass_staging_by_an_inlined_model(catalog: Catalog) -> None:
    sql = "with __dbt__cte__x as (select birth_date as d from feed.public_security__household) select d from __dbt__cte__x"
    assert build(catalog, sql, d=1).problems


def test_read_a_table_nobody_knows(catalog: Catalog) -> None:
    assert build(catalog, "select * from read_parquet('lake/feed/**/*.parquet')", x=1).problems
    assert build(catalog, "select x from vault.public_security__household", x=1).problems


def test_count_single_persons_as_a_statistic(catalog: Catalog) -> None:
    sql = "select resident_key, count(*) as n from feed.public_security__household group by resident_key"
    assert build(catalog, sql, resident_key=1, n=1).problems


def test_leave_a_column_ungraded(catalog: Catalog) -> None:
    spec = {
        "name": "mart.x",
        "file": "x.sql",
        "sql": "select sex_code from feed.public_security__household",
        "grade": 2,
    }
    found = check(
        [ModelSpec.model_validate({**spec, "columns": {"sex_code": None}})],
        feed_relations(catalog), catalog.grading, on=ON, masks=mask_forms(),
    )  # fmt: skip
    assert [p.kind for p in found.problems] == ["ungraded"]


def test_join_registers_and_call_it_grade_two(catalog: Catalog) -> None:
    sql = """
        select h.resident_key, h.sex_code, h.ethnic_code, h.education_code, h.marital_code, f.arrival_date
        from feed.public_security__household h join feed.public_security__floating_population f
        on h.resident_key = f.resident_key
    """
    columns = {"sex_code": 2, "ethnic_code": 2, "education_code": 2, "marital_code": 2, "arrival_date": 2}
    found = build(catalog, sql, grade=2, resident_key=3, **columns)
    assert {p.kind for p in found.problems} & {"table", "combination"}


def test_call_a_raw_value_a_pseudonym(catalog: Catalog) -> None:
    """A column of that name is shown only where a value has a pseudonym's form."""
    import duckdb

    ref = TableRef("library", "population", "residents", "")
    view = column_views(catalog, ref, [("resident_key", "VARCHAR")], salt="s")[0]
    sql = f"select {view.expression} from (values ('11010219470319741X'), (repeat('ab', 32))) v(resident_key)"
    assert duckdb.sql(sql).fetchall() == [(None,), ("ab" * 32,)]


def test_read_the_rooms_callers_speak_of(catalog: Catalog) -> None:
    """Where something happened is written to the room, and in the title, too: that is where the caller lives."""
    import duckdb

    told = "北京市西城区墨池街118号院北楼3单元505室"
    feed, mart = (
        TableRef("feed", "feed", "hotline__work_orders", ""),
        TableRef("mart", "hotline", "order_addresses", ""),
    )
    views = column_views(catalog, feed, [("incident_address", "VARCHAR"), ("order_title", "VARCHAR")], salt="s")
    views += column_views(catalog, mart, [("address_text", "VARCHAR")], salt="s")
    for view in views:
        sql = f"select {view.expression} from (select $1 as {view.name})"
        ((shown,),) = duckdb.execute(sql, [told]).fetchall()
        assert "505" not in (shown or "")
        assert "118" not in (shown or "")


@pytest.mark.slow
def test_put_ids_into_a_seed(tmp_path: Path, root: Path) -> None:
    from tests.redteam.canaries import PERSONS
    from warehouse.project_scan import scan_project

    project = tmp_path / "dbt_project"
    shutil.copytree(root / "dbt_project", project, ignore=shutil.ignore_patterns("target", "dbt_packages"))
    scan_project(project)
    (project / "seeds" / "codes__more.csv").write_text(f"code,name\n{PERSONS[0].resident_id},x\n", encoding="utf-8")
    with pytest.raises(ContractError, match="codes__more"):
        scan_project(project)


def test_change_a_seed_after_the_project_was_looked_through(tmp_path: Path) -> None:
    from warehouse.project_scan import state_of

    seed = tmp_path / "seeds" / "codes__more.csv"
    seed.parent.mkdir()
    seed.write_text("code,name\n1,x\n", encoding="utf-8")
    times, before = seed.stat(), state_of(tmp_path)
    assert state_of(tmp_path) == before
    seed.write_text("code,name\n2,x\n", encoding="utf-8")
    os.utime(seed, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert state_of(tmp_path) != before


def test_write_an_id_or_phone_into_a_model(tmp_path: Path) -> None:
    from tests.redteam.canaries import PERSONS
    from warehouse.project_scan import scan_project

    for text in (PERSONS[0].resident_id, f"{PERSONS[0].resident_id}F0", PERSONS[0].phone):
        model = tmp_path / "models" / "mart__x.sql"
        model.parent.mkdir(exist_ok=True)
        model.write_text(f"select '{text}' as x", encoding="utf-8")
        with pytest.raises(ContractError, match="mart__x") as caught:
            scan_project(tmp_path)
        assert text not in str(caught.value)


def test_copy_a_table_by_a_hook(tmp_path: Path) -> None:
    from warehouse.project_scan import scan_project

    for text in (
        "{{ config(post_hook=\"copy (select * from x) to 'y.csv'\") }} select 1 as x",
        "{{ config(pre_hook='attach x') }} select 1 as x",
        "{% do run_query('copy x to y') %} select 1 as x",
        "{% call statement('x') %} copy x to y {% endcall %} select 1 as x",
        "select * from read_csv('x')",
    ):
        model = tmp_path / "models" / "mart__x.sql"
        model.parent.mkdir(exist_ok=True)
        model.write_text(text, encoding="utf-8")
        with pytest.raises(ContractError, match="mart__x"):
            scan_project(tmp_path)


def test_copy_a_table_when_a_run_ends(tmp_path: Path) -> None:
    from warehouse.project_scan import scan_project

    (tmp_path / "dbt_project.yml").write_text("name: x\non-run-end: \"copy x to 'y'\"\n", encoding="utf-8")
    with pytest.raises(ContractError, match="on-run-end"):
        scan_project(tmp_path)


def refused(folder: Path, text: str, name: str = "models/mart__x.sql") -> str:
    """What the look through a project says of one file in it."""
    from warehouse.project_scan import scan_project

    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ContractError) as caught:
        scan_project(folder)
    file.unlink()
    return str(caught.value)


def test_run_a_query_under_another_name(tmp_path: Path) -> None:
    """`run_query` put together, called over two lines, or reached through what dbt hands to a model."""
    for text in (
        "{{ context['run_' ~ 'query']('copy x to y') }}",
        "{% set q = dbt['run_' ~ 'query'] %}{{ q('copy x to y') }}",
        "{% do adapter.add_query('copy x to y') %} select 1 as x",
        "{% call\nstatement('x') %} copy x to y {% endcall %} select 1 as x",
        "{{ builtins.ref }} select 1 as x",
        "{% do modules.os %} select 1 as x",
        "{{ log(graph.nodes, info=true) }} select 1 as x",
    ):
        assert "may run or read something" in refused(tmp_path, text)
    assert "may run or read" in refused(
        tmp_path, "{% test t(model) %}{{ load_result('x') }}{% endtest %}", "tests/g.sql"
    )
    assert "may run or read" in refused(
        tmp_path, "models: [{name: x, description: \"{{ env_var('A') }}\"}]", "models/x.yml"
    )


def test_name_a_hook_by_parts(tmp_path: Path) -> None:
    assert "none of them is a hook" in refused(tmp_path, "{{ config(**{'pre_' ~ 'hook': 'copy'}) }} select 1 as x")
    text = 'models: [{name: x, config: {"post\\x2dhook": "copy x to y"}}]'
    assert "post-hook runs SQL" in refused(tmp_path, text, "models/x.yml")


def test_hang_a_hook_on_every_model(tmp_path: Path) -> None:
    text = "name: x\nmodels: {x: {marts: {+post-hook: \"copy x to 'y'\"}}}\n"
    assert "+post-hook runs SQL" in refused(tmp_path, text, "dbt_project.yml")


def test_read_models_from_a_folder_nobody_looks_through(tmp_path: Path) -> None:
    for key in ("model-paths", "test-paths", "macro-paths"):
        text = f"name: x\n{key}: [models, elsewhere]\n"
        assert f"{key} names a folder" in refused(tmp_path, text, "dbt_project.yml")


def test_write_a_model_in_python(tmp_path: Path) -> None:
    text = "def model(dbt, session):\n    return open('keys/pseudonym.key').read()\n"
    assert "models are SQL" in refused(tmp_path, text, "models/mart__x.py")


def test_read_the_environment_into_a_model(tmp_path: Path) -> None:
    assert "env_var" in refused(tmp_path, "select '{{ env_var('LAKEHOUSE_PASSPHRASE') }}' as x")
    refused(tmp_path, "select getenv('LAKEHOUSE_PASSPHRASE') as x")


def test_read_a_file_by_functions_lineage_does_not_know(catalog: Catalog) -> None:
    for sql in (
        "select x from st_read('lake/landing/x.csv')",
        "select x from 'lake/landing/x.csv'",
        "select x from read_csv/**/('x')",
        "select (select x from st_read('x')) as x",
        "select unnest((from st_read('x'))) as x",
        "select x from query_table('feed.public_security__household')",
        "select x from query('select 1 as x')",
    ):
        assert {p.kind for p in build(catalog, sql, x=1).problems} == {"untraceable"}


def test_release_above_the_bound_by_the_grade_of_the_model(catalog: Catalog) -> None:
    from catalog.model import Product

    sql = "select birth_date as remark from feed.public_security__household"
    report = build(catalog, sql, grade=3, name="mart.people", remark=3)
    product = Product.model_validate(
        {
            "id": "x", "title": "x", "owner": "health", "table": "mart.people", "purpose": "x", "legal_basis": "x",
            "recipients": ["health"], "columns": {"remark": {}}, "formats": ["csv"],
        }
    )  # fmt: skip
    assert check_products(report, catalog.model_copy(update={"products": {"x": product}}))


def test_grant_oneself_a_table_of_grade_four(copy: Path) -> None:
    from catalog.settings import Settings

    (copy / "grants").mkdir(exist_ok=True)
    text = "principal: me\ntables: {population.residents: '*'}\npurpose: 只是好奇\nlegal_basis: 没有依据\n"
    (copy / "grants" / "me.yaml").write_text(text + "valid_from: 2026-01-01\nvalid_to: 2026-12-31\n", encoding="utf-8")
    with pytest.raises(ContractError, match="grade 4"):
        check_grants(Settings(home=copy, lake="x", catalog_dir=copy), load_catalog(copy))

"""No model is built that lowers a grade silently or has none: on the real project, and on one that tries."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from catalog.errors import ContractError, ReleaseRefused
from catalog.model import Product
from catalog.registry import Catalog
from catalog.settings import Settings
from quality.lineage import GradeRefused, GradeReport
from warehouse import dbt_build, grade_check
from warehouse.dbt_build import PROJECT, build, grade_report
from warehouse.delta import exists
from warehouse.grade_check import check_products, feed_relations, mask_forms, remember_checked, was_checked
from warehouse.model_grades import column_grades
from warehouse.release_plan import make_plan

ON = date(2026, 7, 1)
Project = Callable[..., Path]


def test_feeds_say_who_may_be_identified(catalog: Catalog) -> None:
    household = feed_relations(catalog)["feed.public_security__household"]
    key = household.columns["resident_key"]
    assert (key.grade, key.direct, set(key.registers)) == (3, True, {"public_security__household"})
    assert household.columns["sex_code"].quasi == {"sex_code"}
    assert household.columns["_receipt"].grade == 1
    assert not household.columns["community_code"].identifies
    assert household.about_persons
    assert not feed_relations(catalog)["feed.ecology__air_hourly"].about_persons


def test_masks_are_recognised_by_their_sql() -> None:
    forms = mask_forms()
    assert forms["year_only"][1] == 2
    assert "drop" not in forms  # it uses nothing of its value: what is left is a literal


def test_passed_checks_are_remembered_and_a_cut_file_is_not_trusted(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not was_checked(settings, "a")
    for digest in ("a", "b", *map(str, range(60))):
        remember_checked(settings, digest)
    assert was_checked(settings, "a")  # this process knows
    monkeypatch.setattr(grade_check, "_passed", set())  # another process reads the file
    assert was_checked(settings, "59")
    assert not was_checked(settings, "a")
    (settings.build / "graded.json").write_text('["59', encoding="utf-8")
    assert not was_checked(settings, "59")


@pytest.fixture(scope="module")
def report(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> GradeReport:
    home = tmp_path_factory.mktemp("graded")
    return grade_report(Settings(home=home / "var", lake=str(home / "var" / "lake")), catalog, on=ON)


@pytest.mark.slow
def test_the_real_project_holds_its_grades(report: GradeReport, catalog: Catalog) -> None:
    assert [p.message for p in report.problems] == []
    assert len(report.tables) > 25
    assert check_products(report, catalog) == []
    residents = report.table("population.residents")
    assert residents
    assert (residents.computed, residents.raised_by) == (4, "joined_registers")
    counts = report.table("population.community_counts")
    assert counts
    persons = next(c for c in counts.columns if c.column == "persons_count")
    assert persons.grade == 1
    assert "small_cells" in persons.lowered
    links = report.table("legal_entity.name_links")
    assert links
    code = next(c for c in links.columns if c.column == "uscc")
    assert code.lowered[-1] == "statutory_disclosure"


@pytest.mark.slow
def test_a_product_cannot_state_a_grade_below_its_table(report: GradeReport, catalog: Catalog) -> None:
    text = {
        "id": "stolen",
        "title": "t",
        "owner": "hotline",
        "table": "population.residents",
        "purpose": "p",
        "legal_basis": "l",
        "recipients": ["tax"],
        "formats": ["csv"],
        "max_grade": 2,
        "columns": {"household_key": {"grade": 1}, "birth_date": {"mask": "year_only"}, "kind": {"grade": 2}},
    }
    product = Product.model_validate(text)
    found = check_products(report, catalog.model_copy(update={"products": {"stolen": product}}))
    assert [p.column for p in found] == ["household_key"]


def test_a_release_counts_a_column_with_the_grade_of_its_model(catalog: Catalog) -> None:
    spec: dict[str, Any] = {
        "id": "stolen",
        "title": "t",
        "owner": "hotline",
        "table": "population.residents",
        "purpose": "p",
        "legal_basis": "l",
        "recipients": ["tax"],
        "formats": ["csv"],
        "max_grade": 2,
        "columns": {"household_key": {"grade": 1}},
    }
    with pytest.raises(ReleaseRefused, match="grade 3 is above"):
        make_plan(catalog, Product.model_validate(spec), {"household_key": "VARCHAR"})
    spec["columns"] = {"birth_date": {"mask": "year_only"}}
    spec["max_grade"] = 1
    with pytest.raises(ReleaseRefused, match="grade 2 is above"):  # a mask that does not lower enough
        make_plan(catalog, Product.model_validate(spec), {"birth_date": "DATE"})
    assert column_grades("population.residents")["birth_date"] == 3
    assert column_grades("no.model") == {}


STAGING = """
    select resident_key, sex_code, ethnic_code, birth_date, community_code
    from {{ source('feed', 'public_security__household') }}"""
YML = """
    sources:
      - {name: feed, tables: [{name: public_security__household}]}
    models:
      - name: staging__people
        config: {meta: {grade: 3}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project of one staging view and one library model ``lib__people`` with the given SQL and yml."""

    def make(sql: str, yml: str) -> Path:
        root = tmp_path / "dbt"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(PROJECT / "macros", root / "macros")
        for name in ("dbt_project.yml", "profiles.yml"):
            shutil.copy(PROJECT / name, root)
        files = {
            "models/staging/staging__people.sql": STAGING,
            "models/library/lib__people.sql": sql,
            "models/models.yml": YML.rstrip() + "\n" + yml,
        }
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(dedent(text), encoding="utf-8")
        return root

    return make


def columns(grade: int, **grades: int | str) -> str:
    lines = [f"      - name: lib__people\n        config: {{meta: {{grade: {grade}}}}}\n        columns:"]
    lines += [f"          - {{name: {name}, config: {{meta: {{{meta}}}}}}}" for name, meta in grades.items()]
    return "\n".join(lines) + "\n"


BORN = "select sex_code, birth_date as born from {{ ref('staging__people') }}"
REFUSED = {
    "silent lowering": (
        BORN,
        columns(2, sex_code="grade: 2", born="grade: 2"),
        "lib.people.born (declared 2) ← staging.people.birth_date ← feed.public_security__household.birth_date (grade 3)",
    ),
    "forgotten column": (BORN, columns(3, sex_code="grade: 2", born="label: x"), "lib.people.born has no grade"),
    "forgotten table": (BORN, "", "lib.people has no grade"),
    "re-identifying join": (
        "select a.community_code, a.sex_code, date_trunc('month', a.birth_date) as born, b.ethnic_code "
        "from {{ ref('staging__people') }} as a inner join {{ ref('staging__people') }} as b "
        "on a.resident_key = b.resident_key",
        columns(2, community_code="grade: 1", sex_code="grade: 2", born="grade: 2", ethnic_code="grade: 2"),
        "lib.people.born (declared 2)",
    ),
    "unregistered lowering": (
        BORN,
        columns(2, sex_code="grade: 2", born="grade: 2, lowered: {from: 3, by: trust_me, reason: 已经口头说过可以}"),
        "not registered",
    ),
}


@pytest.mark.slow
def test_what_breaks_its_grades_is_not_built(project: Project, settings: Settings) -> None:
    for name, (sql, yml, says) in REFUSED.items():
        with pytest.raises(GradeRefused) as e:
            build(settings, project=project(sql, yml))
        assert says in str(e.value), name
        assert not exists(settings.table_path("library", "lib", "people")), name


@pytest.mark.slow
def test_a_meta_that_cannot_be_read_names_its_model(project: Project, settings: Settings) -> None:
    for meta in ("grade: 5", "grade: high", "grade: 2, lowered: {from: 3, by: statutory_disclosure}"):
        with pytest.raises(ContractError, match="the meta of model lib__people"):
            build(settings, project=project(BORN, columns(3, sex_code="grade: 2", born=meta)))


@pytest.mark.slow
def test_an_unchanged_project_is_checked_once_and_a_changed_one_again(
    project: Project, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []
    real = dbt_build._compile
    monkeypatch.setattr(dbt_build, "_compile", lambda *a: compiled.append("compiled") or real(*a))
    good = project(BORN, columns(3, sex_code="grade: 2", born="grade: 3"))
    assert build(settings, project=good).ok
    assert build(settings, project=good).ok
    assert len(compiled) == 1
    assert build(settings, select=["lib__people"], project=good).ok
    assert len(compiled) == 1  # the same models, whether selected or all
    with pytest.raises(GradeRefused):
        build(settings, project=project(BORN, columns(3, sex_code="grade: 2", born="grade: 2")))

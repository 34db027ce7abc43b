"""Grades as data: replaceable without code, dated and sourced; nothing ungraded loads."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import get_args

import pytest

from catalog.errors import ContractError, UnknownName
from catalog.grading import Grading, Object, Stage, load_grading
from catalog.registry import Catalog, load_catalog

ON = date(2026, 7, 1)
DAY_BEFORE, DAY = date(2025, 10, 31), date(2025, 11, 1)


@pytest.fixture
def grading(catalog: Catalog) -> Grading:
    return catalog.grading


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    target = tmp_path / "catalog"
    for part in ("feeds", "dictionary", "codes", "grading", "products"):
        shutil.copytree(root / "catalog" / part, target / part)
    return target


def spoil(path: Path, old: str, new: str) -> int:
    """Replace text once; the 1-based line it stood on."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


@pytest.mark.parametrize(
    ("object_", "degrees"),
    [
        ("person", (1, 2, 3, 4)),
        ("organisation", (1, 2, 3, 4)),
        ("public_interest", (1, 2, 3, 4)),
        ("national_security", (1, 3, 4, 4)),
    ],
)
def test_levels_rise_with_the_degree_of_harm(grading: Grading, object_: str, degrees: tuple[int, ...]) -> None:
    found = tuple(grading.level(object_, degree, ON) for degree in ("none", "slight", "serious", "very_serious"))
    assert found == degrees


def test_both_scales_are_kept(grading: Grading, catalog: Catalog) -> None:
    assert grading.level("national_security", "serious", ON) == 4
    assert grading.national("national_security", "serious", ON) == "core"
    assert grading.national("person", "very_serious", ON) == "general"
    for element in catalog.elements.values():
        assert element.grade in grading.levels.levels
        assert element.national in grading.levels.national_levels


def test_what_is_not_set_is_said(grading: Grading) -> None:
    for object_, degree, on in [
        ("planet", "slight", ON),
        ("person", "awful", ON),
        ("person", "slight", date(2000, 1, 1)),
    ]:
        with pytest.raises(UnknownName):
            grading.level(object_, degree, on)
    with pytest.raises(UnknownName, match="stage"):
        grading.controls(1, "burn", on=ON)
    with pytest.raises(UnknownName) as e:
        grading.category("生物识")
    assert "生物识别" in e.value.hint


def test_the_classification_of_the_resident_id_depends_on_the_date(grading: Grading, catalog: Catalog) -> None:
    element = catalog.elements["resident_id"]
    assert grading.is_sensitive(element, DAY_BEFORE)
    assert not grading.is_sensitive(element, DAY)
    assert element.grade == 3
    category = grading.category("公民身份号码")
    assert category is grading.category("resident_id_number")
    assert category.on(date(2019, 1, 1)) is None


def test_the_seven_classes_of_sensitive_personal_information(grading: Grading) -> None:
    seven = {"生物识别", "宗教信仰", "特定身份", "医疗健康", "金融账户", "行踪轨迹", "不满十四周岁未成年人信息"}
    now = {c.label: c.on(ON) for c in grading.categories.values()}
    assert {label for label, period in now.items() if period and period.sensitive} == seven
    assert all(period and period.grade >= 3 for label, period in now.items() if label in seven)


def test_periods_of_one_category_do_not_overlap(grading: Grading) -> None:
    for name, category in grading.categories.items():
        for before, after in zip(category.periods, category.periods[1:], strict=False):
            assert before.valid_to is not None, name
            assert (after.valid_from - before.valid_to).days == 1, name


@pytest.mark.parametrize("stage", get_args(Stage))
def test_controls_grow_with_the_level(grading: Grading, stage: str) -> None:
    counts = [len(grading.controls(level, stage, on=ON)) for level in (1, 2, 3, 4)]
    assert counts[0] >= 1
    if stage != "share":  # what may be shared freely at grade 1 may not be above it
        assert counts == sorted(counts)
    assert not grading.controls(3, stage, on=date(2000, 1, 1))


def test_every_control_names_code_and_tests_that_exist(grading: Grading, root: Path) -> None:
    assert len({c.id for c in grading.all_controls}) == len(grading.all_controls) >= 30
    for control in grading.all_controls:
        for path in (*(control.enforced_by or ()), *control.tested_by):
            assert (root / path).is_file(), f"{control.id}: {path}"
        assert all(path.startswith("tests/") for path in control.tested_by), control.id
        assert control.text


def test_everything_is_dated_and_sourced_and_claims_no_conformity(grading: Grading, root: Path) -> None:
    dated = [*grading.levels.matrix, *grading.all_controls, *grading.combinations.rules]
    dated += [p for c in grading.categories.values() for p in c.periods]
    low = grading.lowerings
    dated += [*low.expressions, *low.statistics, low.suppression, *low.reviewed]
    assert all(d.source and d.valid_from for d in dated)
    files = sorted((root / "catalog" / "grading").glob("*.yaml"))
    assert len(files) == 8
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert "DB11/T 1918-2021" in text, file.name
        assert "不声明符合" in text, file.name


def test_every_object_has_a_row(grading: Grading) -> None:
    assert {row.object for row in grading.levels.matrix} == set(get_args(Object))


def test_elements_of_persons_say_their_category(catalog: Catalog) -> None:
    for name, element in catalog.elements.items():
        if element.identifier == "direct":
            assert element.category, name


def test_a_contract_that_forgets_a_grade_does_not_load(copy: Path) -> None:
    file = copy / "feeds" / "tax" / "arrears.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text + "elements:\n  tax_office: {label: 税务所}\n", encoding="utf-8")
    with pytest.raises(ContractError) as e:
        load_catalog(copy)
    assert e.value.where["file"] == str(file)
    assert e.value.where["field"] == "elements.tax_office.grade"
    assert e.value.where["line"] == text.count("\n") + 2
    assert "add this field" in e.value.hint


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("dictionary/elements.yaml", "category: 个人通信", "category: 个人通讯", "no category"),
        ("dictionary/elements.yaml", "label: 联系电话, max_length: 40, rules: [{rule: phone}], grade: 3", "label: 联系电话, max_length: 40, rules: [{rule: phone}], grade: 2", "below grade 3 of category"),
        ("dictionary/elements.yaml", "label: 性别, codes: sex, grade: 2", "label: 性别, codes: sex", "Field required"),
        ("grading/levels.yaml", "very_serious: 4}, national", "very_serious: 5}, national", "1, 2, 3 or 4"),
        ("grading/levels.yaml", "none: 1, slight: 2, ", "slight: 2, ", "needs a level for each"),
        ("grading/aggregation.yaml", "street_code,", "street_kode,", "no data element"),
        ("grading/lowering.yaml", "lowers: {4: 2, 3: 2}", "lowers: {3: 3}", "below the grade before"),
        ("grading/lowering.yaml", "id: month_of_date", "id: presence", "same id"),
        ("grading/controls.yaml", "enforced_by: [warehouse/sqlguard.py, warehouse/query.py]", "enforced_by: null", "say why"),
        ("grading/controls.yaml", "id: use.purpose, stage: use", "id: use.purpose, stage: share", "begin with its stage"),
        ("grading/categories.yaml", "sensitive: true, grade: 4, valid_from: 2021-11-01, ", "sensitive: true, grade: 4, ", "Field required"),
    ],
)  # fmt: skip
def test_wrong_grading_names_file_and_line(copy: Path, file: str, old: str, new: str, says: str) -> None:
    line = spoil(copy / file, old, new)
    with pytest.raises(ContractError) as e:
        load_catalog(copy)
    assert e.value.where["file"] == str(copy / file)
    assert says in str(e.value)
    if "model" not in says and e.value.where["field"] != "(file)":
        assert e.value.where["line"] <= line


def test_a_catalog_without_grading_does_not_load(copy: Path) -> None:
    (copy / "grading" / "levels.yaml").unlink()
    with pytest.raises(ContractError, match="missing"):
        load_catalog(copy)


def test_the_official_table_can_be_dropped_in(copy: Path) -> None:
    """A new matrix from a day on: the old one holds before, no code changes."""
    file = copy / "grading" / "levels.yaml"
    text = file.read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if "object: person" in line)
    old = row.replace("valid_from: 2022-04-01", "valid_from: 2022-04-01, valid_to: 2026-12-31")
    new = row.replace("slight: 2", "slight: 3").replace("valid_from: 2022-04-01", "valid_from: 2027-01-01")
    file.write_text(text.replace(row, f"{old}\n{new}"), encoding="utf-8")
    grading = load_grading(copy / "grading")
    assert grading.level("person", "slight", date(2026, 12, 31)) == 2
    assert grading.level("person", "slight", date(2027, 1, 1)) == 3

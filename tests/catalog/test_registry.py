"""The catalog loads, and says file, line, field and cure when something is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from catalog.errors import ContractError, UnknownName
from catalog.registry import Catalog, load_catalog

FIXED_IDS = {
    "public_security__household",
    "public_security__floating_population",
    "market_supervision__enterprises",
    "market_supervision__penalties",
    "planning__divisions",
    "planning__address_points",
    "ecology__air_hourly",
    "water__rain_gauges",
    "hotline__work_orders",
    "hotline__messages",
    "statistics__indicators",
    "statistics__cpi",
    "tax__arrears",
    "market_supervision__listed_companies",
    "city_sensing__sensors",
    "city_sensing__gateway",
    "planning__communities",
    "education__enrolment_areas",
    "planning__residential_compounds",
    "statistics__progress",
    "statistics__price_indices",
    "statistics__national_series",
    "statistics__household_survey",
    "statistics__bulletin",
    "statistics__district_comparison",
}


@pytest.fixture
def copy(tmp_path: Path, root: Path) -> Path:
    """A catalog folder a test may spoil."""
    target = tmp_path / "catalog"
    for part in ("feeds", "dictionary", "codes", "grading", "products"):
        shutil.copytree(root / "catalog" / part, target / part)
    return target


def spoil(file: Path, old: str, new: str) -> int:
    """Replace ``old`` in ``file``; returns the line it stood on."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) >= 1, old
    line = text[: text.index(old)].count("\n") + 1
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return line


def test_every_fixed_id_is_there(catalog: Catalog) -> None:
    assert set(catalog.feeds) >= FIXED_IDS


def test_fields_take_type_label_grade_and_rules_from_their_element(catalog: Catalog) -> None:
    fields = {f.name: f for f in catalog.fields("public_security__household")}
    resident = fields["resident_id"]
    assert (resident.label, resident.type, resident.grade, resident.mask) == ("公民身份号码", "string", 3, "partial_id")
    assert [r.rule for r in resident.rules] == ["resident_id"]
    assert fields["community_code"].code_list == "communities"


def test_a_feed_table_takes_the_highest_grade_of_its_columns(catalog: Catalog) -> None:
    assert catalog.grade("public_security__household") == 3
    assert catalog.grade("ecology__air_hourly") == 1


def test_code_lists_hold_what_their_standards_hold(catalog: Catalog) -> None:
    assert len(catalog.code_list("streets").values) == 15
    assert len(catalog.code_list("communities").values) == 263
    assert len([c for c in catalog.code_list("industry").values if not c.parent]) == 20
    assert len([c for c in catalog.code_list("industry").values if c.parent]) == 97
    assert {c.parent for c in catalog.code_list("communities").values} == set(catalog.code_list("streets").codes)
    assert catalog.code_list("ethnic_group").by_name()["满族"] == "11"


@pytest.mark.parametrize(
    ("file", "old", "new", "says", "cure"),
    [
        ("feeds/tax/arrears.yaml", "title:", "titel:", "titel", "spelling"),
        ("feeds/tax/arrears.yaml", "mode: snapshot", "mode: replace", "snapshot", "one of"),
        ("feeds/tax/arrears.yaml", "provider: tax", "provider: taxx", "unknown department", "departments.yaml"),
        ("feeds/tax/arrears.yaml", "tax_kind: {", "tax_sort: {", "no data element", "dictionary/elements.yaml"),
        ("feeds/statistics/cpi.yaml", "key: [period_month]", "key: [month]", "load names field 'month'", ""),
        ("feeds/statistics/indicators.yaml", 'code: "1/04-0001"', 'code: "1/04-0002"', "already that of", "next free"),
        ("feeds/statistics/cpi.yaml", 'code: "1/04-0002"', "code: x", "pattern", ""),
        ("feeds/hotline/work_orders.yaml", "path: hotline/work_orders/*.csv", "path: ../secret/*", "inside the drop", ""),
        ("feeds/hotline/work_orders.yaml", "phone: {from: 来电号码}", "phone: {from: 来电号码, grade: 1}", "below grade 3", "grade_reason"),
        ("feeds/hotline/work_orders.yaml", "legal_basis: 《北京市接诉即办工作条例》, ", "", "sharing_condition", ""),
        ("dictionary/elements.yaml", "codes: sex,", "codes: sexes,", "unknown code list", "codes/"),
        ("dictionary/elements.yaml", "grade: 1}", "grade: 7}", "1, 2, 3 or 4", "one of"),
    ],
)  # fmt: skip
def test_a_wrong_contract_names_file_line_and_cure(
    copy: Path, file: str, old: str, new: str, says: str, cure: str
) -> None:
    line = spoil(copy / file, old, new)
    with pytest.raises(ContractError) as e:
        load_catalog(copy)
    assert e.value.where["file"] == str(copy / file)
    assert abs(e.value.where["line"] - line) <= 1
    assert says in str(e.value)
    assert cure in e.value.hint


def test_bad_yaml_and_repeated_keys_name_the_line(copy: Path) -> None:
    file = copy / "feeds" / "tax" / "arrears.yaml"
    good = file.read_text(encoding="utf-8")
    file.write_text(good + "title: again\n", encoding="utf-8")
    with pytest.raises(ContractError, match="stands twice") as e:
        load_catalog(copy)
    assert e.value.where["line"] == good.count("\n") + 1
    file.write_text("title: [open\n", encoding="utf-8")
    with pytest.raises(ContractError, match="not valid YAML"):
        load_catalog(copy)
    file.write_bytes("title: 北京市西城区欠税公告".encode("gb18030"))
    with pytest.raises(ContractError, match="UTF-8"):
        load_catalog(copy)


def test_a_ragged_or_repeated_code_list_is_refused(copy: Path) -> None:
    file = copy / "codes" / "sex.csv"
    file.write_text(file.read_text(encoding="utf-8") + "1,男,,,\n", encoding="utf-8")
    with pytest.raises(ContractError, match="repeated code") as e:
        load_catalog(copy)
    assert e.value.where["line"] == 6


def test_a_feed_may_bring_elements_of_its_own_but_not_redefine_the_house(copy: Path) -> None:
    file = copy / "feeds" / "tax" / "arrears.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text + "elements:\n  tax_office: {label: 税务所, grade: 1}\n", encoding="utf-8")
    assert load_catalog(copy).feed("tax__arrears").elements["tax_office"].label == "税务所"
    file.write_text(text + "elements:\n  uscc: {label: 税务所, grade: 1}\n", encoding="utf-8")
    with pytest.raises(ContractError, match="in the dictionary already"):
        load_catalog(copy)


def test_an_unknown_feed_offers_near_names(catalog: Catalog) -> None:
    with pytest.raises(UnknownName) as e:
        catalog.feed("tax__arears")
    assert "tax__arrears" in e.value.hint

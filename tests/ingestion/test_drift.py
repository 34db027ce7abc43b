"""What a delivery that differs leads to: freeze, evolve, discard_value, quarantine; by contract, type and field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from catalog.errors import ContractError

pytestmark = pytest.mark.slow

Build = Callable[[str], Any]

DATED = """
format: {type: csv, encoding: auto}
load: {mode: append, key: [sensor_id]}
drift: DRIFT
elements:
  test_fitted_date: {label: 安装日期, type: date, grade: 1}
  test_sex_mark: {label: 类别, codes: sex, grade: 1}
fields:
  sensor_id: {from: 编号, required: true}
  rain_mm: {from: 雨量}
  test_fitted_date: {from: 安装日期FIELD}
  test_sex_mark: {from: 类别}
"""
FILE = "编号,雨量,安装日期,类别\nA,1.5,2024-01-02,1\nB,多,2024-13-40,7\nC,2,2024-02-03,2\n"


def house_of(build: Build, contracts: dict[str, str], drift: str, field: str = "") -> Any:
    return build(contracts["head"] + DATED.replace("DRIFT", drift).replace("FIELD", field))


def rows(house: Any) -> list[tuple[Any, ...]]:
    return [tuple(map(str, r)) for r in house.rows("sensor_id, rain_mm, test_fitted_date, test_sex_mark")]


def test_types_and_codes_by_default_go_to_quarantine(build: Build, contracts: dict[str, str]) -> None:
    house = house_of(build, contracts, "{}")
    result = house.send(FILE)
    assert (result.rows_loaded, result.rows_quarantined) == (2, 1)
    assert set(result.reasons) == {"rain_mm.type", "test_fitted_date.type", "test_sex_mark.code_list"}


def test_an_action_for_each_data_type_and_field(build: Build, contracts: dict[str, str]) -> None:
    drift = "{types: {default: quarantine, double: discard_value, date: evolve}, codes: evolve}"
    house = house_of(build, contracts, drift)
    result = house.send(FILE)
    assert (result.rows_loaded, result.rows_quarantined) == (3, 0)
    assert rows(house)[1] == ("B", "None", "None", "7")
    assert house.rows("x_test_fitted_date_text", where="sensor_id = 'B'") == [("2024-13-40",)]
    assert house.rows("x_test_fitted_date_text", where="sensor_id <> 'B'") == [(None,), (None,)]
    assert result.warnings == {"rain_mm.type": 1, "test_fitted_date.type": 1, "test_sex_mark.code_list": 1}

    house = house_of(build, contracts, drift, ", drift: quarantine")
    assert house.send(FILE.replace("B", "D"), "b.csv").reasons == {"test_fitted_date.type": 1}


@pytest.mark.parametrize("drift", ["{types: freeze}", "{codes: freeze}"])
def test_freeze_stops_the_delivery_and_names_the_rule(build: Build, contracts: dict[str, str], drift: str) -> None:
    house = house_of(build, contracts, drift)
    result = house.send(FILE)
    assert (result.verdict, result.rows_loaded) == ("stopped", 0)
    assert result.error
    assert "LH201" in result.message
    assert f"lakehouse feed drift {house.feed_id} " in result.message
    assert ("rain_mm.type: 1 rows" if "types" in drift else "test_sex_mark.code_list: 1 rows") in result.message
    assert house.rows() == []
    assert house.send(FILE.replace("B,多,2024-13-40,7\n", ""), "b.csv").rows_loaded == 2


def test_an_unknown_column_by_each_action(build: Build, contracts: dict[str, str]) -> None:
    more = "编号,雨量,安装日期,类别,海拔\nA,1,2024-01-02,1,\nB,2,2024-01-03,2,45\n"
    assert house_of(build, contracts, "{}").send(more).verdict == "stopped"
    house = house_of(build, contracts, "{columns: discard_value}")
    result = house.send(more, "b.csv")
    assert (result.rows_loaded, result.about["unknown_columns"]) == (2, ["海拔"])
    house = house_of(build, contracts, "{columns: quarantine}")
    result = house.send(more.replace("A,", "C,").replace("B,", "D,"), "c.csv")
    assert (result.rows_loaded, result.reasons) == (1, {"unknown_column": 1})
    assert house.rows("reasons", "quarantine") == [("合同没有的列中有内容",)]
    from ingestion.quarantine import replay
    from tests.ingestion.conftest import NOW

    assert replay(house.settings, house.catalog, house.feed_id, now=NOW).rows_quarantined == 1
    house = house_of(build, contracts, "{columns: evolve}")
    assert house.send(more.replace("A,", "E,").replace("B,", "F,"), "d.csv").rows_loaded == 2
    assert house.rows("x_海拔", where="sensor_id = 'F'") == [("45",)]
    assert replay(house.settings, house.catalog, house.feed_id, now=NOW).rows_loaded == 1


def test_a_missing_column_by_field(build: Build, contracts: dict[str, str]) -> None:
    less = "编号,雨量,类别\nA,1,1\n"
    assert house_of(build, contracts, "{}").send(less).verdict == "stopped"
    house = house_of(build, contracts, "{}", ", drift: {missing: discard_value}")
    assert house.send(less, "b.csv").rows_loaded == 1
    assert rows(house) == [("A", "1.0", "None", "1")]


def test_a_direct_identifier_cannot_evolve(build: Build, contracts: dict[str, str]) -> None:
    from quality.rules import compile_rules

    element = "elements: {card: {label: 卡号, type: integer, grade: 3, identifier: direct, category: 金融账户}}"
    text = contracts["readings"].replace("load:", f"drift: {{types: evolve}}\n{element}\nload:")
    house = build(text + "  card: {from: 卡号}\n")
    with pytest.raises(ContractError, match="cannot evolve"):
        compile_rules(house.catalog, house.feed_id)


REPORTED = """
format: {type: csv, encoding: auto}
load: {mode: upsert, key: [sensor_id]}   # 一站一行
elements:
  test_fitted_date: {label: 安装日期, type: date, grade: 1}
  test_site_label: {label: 站点, max_length: 50, grade: 1}
  test_sex_mark: {label: 类别, codes: sex, grade: 1}
  test_stage_m: {label: 水位, type: decimal, unit: m, grade: 1}
fields:
  sensor_id: {from: 编号, required: true}
  test_site_label: {from: 站点名称}  # 以竣工图为准
  test_fitted_date: {from: 安装日期, formats: ["%Y-%m-%d"]}
  test_sex_mark: {from: 类别}
  test_stage_m: {from: 水位}
"""


def _file(header: str, dates: str, more: str = "", kinds: str = "12") -> str:
    lines = [header]
    for i in range(30):
        date = f"2024-01-{i % 28 + 1:02d}" if dates == "iso" else f"2024年1月{i % 28 + 1}日"
        lines.append(f"S{i:03d},泵站{i},{date},{kinds[i % len(kinds)]},{i / 10}{more and f',{more}'}")
    return "\n".join(lines) + "\n"


def _reported(build: Build, contracts: dict[str, str]) -> tuple[Any, Any]:
    from ingestion.drift_report import drift_report

    house = build(contracts["head"] + REPORTED)
    assert house.send(_file("编号,站点名称,安装日期,类别,水位", "iso"), "1.csv").rows_loaded == 30
    assert drift_report(house.settings, house.catalog, house.feed_id).changes == ()
    return house, lambda: drift_report(house.settings, house.catalog, house.feed_id)


def test_the_report_names_renamed_new_and_missing_columns_since_when(build: Build, contracts: dict[str, str]) -> None:
    house, report = _reported(build, contracts)
    changed = _file("编号,泵站名,安装日期,类别,水位,负责人电话", "iso", "13800138000")
    assert house.send(changed, "2.csv").verdict == "stopped"
    second = report()
    assert house.send(changed.replace("S000", "S900"), "3.csv").verdict == "stopped"
    third = report()
    found = {(c.kind, c.column, c.field) for c in third.changes}
    assert ("column_renamed", "泵站名", "test_site_label") in found
    assert any(k == "column_new" and c == "负责人电话" for k, c, _ in found)
    assert {c.since for c in third.changes} == {second.receipt}
    assert third.deliveries == 3
    assert "-  test_site_label: {from: 站点名称}" in third.diff
    assert "+  test_site_label: {from: [站点名称, 泵站名]}  # 以竣工图为准" in third.diff
    assert "13800138000" not in third.model_dump_json()


def test_the_proposed_contract_lints_and_takes_the_delivery(build: Build, contracts: dict[str, str]) -> None:
    from catalog.registry import load_catalog
    from ingestion.contract_files import replace_contract

    house, report = _reported(build, contracts)
    changed = _file("编号,站名称,安装日期,类别", "cn", kinds="男女").replace("水位", "")
    changed = "\n".join(line.rpartition(",")[0] if i else line for i, line in enumerate(changed.splitlines())) + "\n"
    assert house.send(changed, "2.csv").verdict == "stopped"
    told = report()
    kinds = {c.kind for c in told.changes}
    assert kinds == {"column_renamed", "column_missing", "types"}, told.changes
    replace_contract(house.settings.catalog_dir, house.catalog.feed(house.feed_id), told.contract)
    house.catalog = load_catalog(house.settings.catalog_dir)
    assert house.send(changed, "2.csv").rows_loaded == 30
    assert house.rows("count(test_stage_m), min(test_fitted_date)::varchar") == [(0, "2024-01-01")]


def test_new_codes_and_a_new_encoding_are_told(build: Build, contracts: dict[str, str]) -> None:
    house, report = _reported(build, contracts)
    header = "编号,站点名称,安装日期,类别,水位"
    house.drop("2.csv", _file(header, "iso", kinds="128"), "gb18030")
    assert house.ingest().rows_quarantined == 10
    told = report()
    assert [(c.kind, c.field) for c in told.changes] == [("codes", "test_sex_mark"), ("layout", "")]
    assert "8" in told.changes[0].message
    assert "gb18030" in told.changes[1].message
    assert told.diff == ""


def test_an_edit_keeps_what_a_person_wrote() -> None:
    from ingestion.contract_edit import add_lines, change_field

    text = 'a: 1  # x\nfields:\n  one:\n    from: 甲\n    required: true\n  two: {from: "乙"}  # y\nrules: [r]\n'
    assert change_field(text, "one", {"from": ["甲", "丙"]}) == (
        'a: 1  # x\nfields:\n  one:\n    {from: [甲, 丙], required: true}\n  two: {from: "乙"}  # y\nrules: [r]\n'
    )
    assert add_lines(text, "fields", {"three": {"from": "丁"}}).splitlines()[6] == "  three: {from: 丁}"
    assert "elements:\n  e: {grade: 1}\nfields:" in add_lines(text, "elements", {"e": {"grade": 1}})

"""What a delivery that differs leads to: freeze, evolve, discard_value, quarantine; by contract, type and field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from catalog.errors import ContractError

Build = Callable[[str], Any]

DATED = """
format: {type: csv, encoding: auto}
load: {mode: append, key: [sensor_id]}
drift: DRIFT
elements:
  installed_date: {label: 安装日期, type: date, grade: 1}
  sex_kind: {label: 类别, codes: sex, grade: 1}
fields:
  sensor_id: {from: 编号, required: true}
  rain_mm: {from: 雨量}
  installed_date: {from: 安装日期FIELD}
  sex_kind: {from: 类别}
"""
FILE = "编号,雨量,安装日期,类别\nA,1.5,2024-01-02,1\nB,多,2024-13-40,7\nC,2,2024-02-03,2\n"


def house_of(build: Build, contracts: dict[str, str], drift: str, field: str = "") -> Any:
    return build(contracts["head"] + DATED.replace("DRIFT", drift).replace("FIELD", field))


def rows(house: Any) -> list[tuple[Any, ...]]:
    return [tuple(map(str, r)) for r in house.rows("sensor_id, rain_mm, installed_date, sex_kind")]


def test_types_and_codes_by_default_go_to_quarantine(build: Build, contracts: dict[str, str]) -> None:
    house = house_of(build, contracts, "{}")
    result = house.send(FILE)
    assert (result.rows_loaded, result.rows_quarantined) == (2, 1)
    assert set(result.reasons) == {"rain_mm.type", "installed_date.type", "sex_kind.code_list"}


def test_an_action_for_each_data_type_and_field(build: Build, contracts: dict[str, str]) -> None:
    drift = "{types: {default: quarantine, double: discard_value, date: evolve}, codes: evolve}"
    house = house_of(build, contracts, drift)
    result = house.send(FILE)
    assert (result.rows_loaded, result.rows_quarantined) == (3, 0)
    assert rows(house)[1] == ("B", "None", "None", "7")
    assert house.rows("x_installed_date_text", where="sensor_id = 'B'") == [("2024-13-40",)]
    assert house.rows("x_installed_date_text", where="sensor_id <> 'B'") == [(None,), (None,)]
    assert result.warnings == {"rain_mm.type": 1, "installed_date.type": 1, "sex_kind.code_list": 1}

    house = house_of(build, contracts, drift, ", drift: quarantine")
    assert house.send(FILE.replace("B", "D"), "b.csv").reasons == {"installed_date.type": 1}


@pytest.mark.parametrize("drift", ["{types: freeze}", "{codes: freeze}"])
def test_freeze_stops_the_delivery_and_names_the_rule(build: Build, contracts: dict[str, str], drift: str) -> None:
    house = house_of(build, contracts, drift)
    result = house.send(FILE)
    assert (result.verdict, result.rows_loaded) == ("stopped", 0)
    assert result.error
    assert "LH201" in result.message
    assert ("rain_mm.type: 1 rows" if "types" in drift else "sex_kind.code_list: 1 rows") in result.message
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

    element = 'elements: {card: {label: 卡号, type: integer, grade: 3, identifier: direct, category: 金融账户}}'
    text = contracts["readings"].replace("load:", f"drift: {{types: evolve}}\n{element}\nload:")
    house = build(text + "  card: {from: 卡号}\n")
    with pytest.raises(ContractError, match="cannot evolve"):
        compile_rules(house.catalog, house.feed_id)

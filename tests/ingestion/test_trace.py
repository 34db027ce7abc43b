"""The story of a row, whatever became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catalog.errors import UnknownName
from ingestion.corrections import fix
from ingestion.trace import find, trace
from tests.ingestion.conftest import NOW, PEOPLE_HEADER, person, resident_id

pytestmark = pytest.mark.slow


def story(house: Any, row: int, receipt: str = "") -> Any:
    return trace(house.settings, house.catalog, house.feed_id, receipt, row)


@pytest.fixture
def told(people: Any) -> Any:
    rows = [person(1), person(2, 出生日期="1980年"), person(3, 性别="外"), person(4), person(4)]
    people.send("\n".join([PEOPLE_HEADER, *rows]) + "\n", "1.csv")
    return people


def test_loaded_then_replaced(told: Any) -> None:
    before = story(told, 1)
    assert before.state == "loaded"
    assert {s.step for s in before.steps} == {"arrived", "landed", "record", "loaded", "feed"}
    assert any("1.csv" in s.message for s in before.steps)
    told.send("\n".join([PEOPLE_HEADER, person(1, 性别="女", 更新时间="2026-07-03 08:00:00")]) + "\n", "2.csv")
    after = story(told, 1, before.receipt)
    assert after.state == "replaced"
    assert any("不再在表中" in s.message for s in after.steps)
    assert story(told, 1).state == "loaded"


def test_quarantined_corrected_and_skipped(told: Any) -> None:
    assert (story(told, 3).state, story(told, 3).rules) == ("quarantined", ("sex_code.code_list",))
    assert story(told, 2).state == "quarantined"
    fix(told.settings, told.catalog, told.feed_id, "出生日期", r"(\d+)年", r"\1-01-01", now=NOW)
    mended = story(told, 2)
    assert mended.state == "loaded"
    assert any(s.step == "closed" and "fix:" in s.message for s in mended.steps)
    twin = {story(told, 4).state, story(told, 5).state}
    assert twin == {"loaded", "skipped"}


def test_no_value_of_a_person_is_told(told: Any) -> None:
    text = story(told, 2).model_dump_json()
    assert resident_id(2) not in text
    assert "王小2" not in text
    assert "1980年" not in text


def test_found_by_a_column_of_the_feed_table(told: Any) -> None:
    found = find(told.settings, told.catalog, told.feed_id, {"sex_code": "1"})
    assert [n for _, n in found] == [1]
    with pytest.raises(UnknownName, match="no column"):
        find(told.settings, told.catalog, told.feed_id, {"resident_id": "1"})
    with pytest.raises(UnknownName, match="no record 99"):
        story(told, 99)
    with pytest.raises(UnknownName, match="no receipt begins"):
        story(told, 1, "1999")


def test_a_feed_reaches_the_tables_whose_models_read_it(root: Path) -> None:
    from warehouse.reach import tables_of

    reached = tables_of("public_security__household", root / "dbt_project")
    assert "population.residents" in reached
    assert not any(t.startswith("staging.") for t in reached)
    assert tables_of("no__such_feed", root / "dbt_project") == []

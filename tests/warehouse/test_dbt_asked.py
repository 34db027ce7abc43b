"""No question is asked twice of the same rows, and none is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from warehouse.dbt_build import BuildResult

from .test_dbt_build import DAY1, House, make_project

pytestmark = pytest.mark.slow
SOURCE_TEST = "source_not_null_input_rows_v"
YML = """
    sources:
      - name: input
        schema: feed
        meta: {grade: 1}
        tables:
          - name: rows
            columns: [{name: k}, {name: v, data_tests: [{not_null: {config: {tags: [source_test]}}}]}, {name: part}]
    models:
      - name: lib__people
        config: {meta: {key: [k], grade: 1}}
        columns:
          - {name: k, data_type: integer, meta: {grade: 1}, data_tests: [unique, not_null]}
          - name: v
            data_type: varchar
            meta: {grade: 1}
            data_tests:
              - unique
              - not_null
              - accepted_values: {arguments: {values: [a, b, c]}}
              - not_null: {name: v_of_p, config: {where: "part = 'p'"}}
              - not_null: {name: v_but_one, config: {error_if: "> 1"}}
          - {name: part, data_type: varchar, meta: {grade: 1}}
    """
FILES = {
    "models/staging/staging__rows.sql": "select k, v, part from {{ source('input', 'rows') }}",
    "models/library/lib__people.sql": "select k, v, part from {{ ref('staging__rows') }}",
    "models/models.yml": YML,
}
ROWS = ((1, "a", "p"), (2, "b", "p"), (3, "c", "q"))


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path / "var", make_project(tmp_path / "dbt", FILES))
    house.put(*ROWS)
    return house


def asked(result: BuildResult) -> set[str]:
    """Names of the data tests dbt asked."""
    return {m.name for m in result.models if m.kind == "test"}


def test_the_gate_asks_what_it_can_and_dbt_the_rest(house: House) -> None:
    result = house.build(now=DAY1)
    assert result.ok
    assert asked(result) == {"unique_lib__people_v", "v_of_p", "v_but_one", SOURCE_TEST}
    codes = {c for (c,) in house.rows("platform", "platform.validations", "code")}
    assert {"key_unique", "k.key_not_null", "v.not_null", "v.code_list"} <= codes


def test_what_dbt_does_not_ask_is_stopped_all_the_same(house: House) -> None:
    assert house.build(now=DAY1).ok
    house.put(*ROWS, (3, "z", "q"))
    (verdict,) = house.build(now=DAY1).stopped
    assert "主键（k）重复" in verdict.reason
    assert "v：" in verdict.reason
    assert house.rows("library", "lib.people", "k") == [(1,), (2,), (3,)]


def test_a_source_test_is_asked_once_and_again_when_it_failed_or_came_back(house: House) -> None:
    house.put((1, "a", "p"), (2, None, "q"))  # type: ignore[arg-type]
    assert SOURCE_TEST in {m.name for m in house.build(now=DAY1).failed}
    house.put(*ROWS)
    assert SOURCE_TEST in asked(house.build(now=DAY1))
    assert SOURCE_TEST not in asked(house.build(now=DAY1))
    yml = house.project / "models" / "models.yml"
    text = yml.read_text(encoding="utf-8")
    yml.write_text(text.replace(", data_tests: [{not_null: {config: {tags: [source_test]}}}]", ""), encoding="utf-8")
    house.build(now=DAY1)
    yml.write_text(text, encoding="utf-8")
    assert SOURCE_TEST in asked(house.build(now=DAY1))


def test_what_was_asked_is_asked_anew_when_nobody_can_read_it(house: House) -> None:
    house.build(now=DAY1)
    (house.settings.build / "asked.json").write_text("[", encoding="utf-8")
    assert SOURCE_TEST in asked(house.build(now=DAY1))

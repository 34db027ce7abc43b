"""Libraries and marts are asked before anybody builds on them: what is stopped is not read."""

from __future__ import annotations

from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from deltalake import DeltaTable

from catalog.errors import ContractError, GateStopped
from catalog.registry import Catalog
from quality.table_models import read_models
from warehouse import gate_ahead
from warehouse.checkpoints import check_built, made_from
from warehouse.dbt_build import BuildResult
from warehouse.profiles import history

from .test_dbt_build import DAY1, House, make_project

pytestmark = pytest.mark.slow
GOOD = ((1, "a", "p"), (2, "b", "p"), (3, "c", "p"))
RESIDENT_ID = "11010519491231002X"
FILES = {
    "models/staging/staging__rows.sql": "select k, v, part from {{ source('input', 'rows') }}",
    "models/library/lib__homes.sql": "select k as home from {{ ref('staging__rows') }} where part = 'p'",
    "models/library/lib__people.sql": "select k, v, k as home from {{ ref('staging__rows') }}",
    "models/library/lib__counts.sql": "select count(*) as n from {{ ref('lib__people') }}",
    "models/marts/mart__people.sql": "select k, v from {{ ref('lib__people') }}",
    "models/models.yml": """
        sources:
          - {name: input, schema: feed, meta: {grade: 1}, tables: [{name: rows, columns: [{name: k}, {name: v}, {name: part}]}]}
        models:
          - name: lib__homes
            config: {meta: {key: [home], grade: 1}}
            columns: [{name: home, data_type: integer, meta: {grade: 1}}]
          - name: lib__people
            description: 人员
            config: {meta: {key: [k], grade: 1, quality: [{rule: reference, column: home, to: lib.homes, party: source}]}}
            columns:
              - {name: k, data_type: integer, meta: {grade: 1}}
              - {name: v, data_type: varchar, meta: {grade: 1}, data_tests: [unique]}
              - {name: home, data_type: integer, meta: {grade: 1}}
          - name: lib__counts
            config: {meta: {grade: 1}}
            columns: [{name: n, data_type: bigint, meta: {grade: 1}}]
          - name: mart__people
            config: {meta: {key: [k], grade: 1}}
            columns: [{name: k, data_type: integer, meta: {grade: 1}}, {name: v, data_type: varchar, meta: {grade: 1}}]
        """,
}  # fmt: skip


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, BuildResult]:
    root = tmp_path_factory.mktemp("gates")
    house = House(root / "var", make_project(root / "dbt", FILES))
    house.put(*GOOD)
    return house, house.build(now=DAY1)


@pytest.fixture
def house(first: tuple[House, BuildResult]) -> House:
    first[0].put(*GOOD)
    return first[0]


def states(result: BuildResult) -> dict[str, str]:
    return {m.name: m.status for m in result.models if m.kind == "model"}


def validations(house: House, where: str) -> list[Any]:
    columns = "suite, code, success, severity, dimension, party, unexpected, message"
    found = house.rows("platform", "platform.validations", columns)
    return [row for row in found if where in row]


def test_a_good_build_passes_its_gates_and_is_remembered(first: tuple[House, BuildResult]) -> None:
    house, result = first
    assert result.ok
    assert {v.suite: v.verdict for v in result.verdicts} == {
        "library:lib.homes": "passed",
        "library:lib.people": "passed",
        "library:lib.counts": "passed",
        "mart:mart.people": "passed",
    }
    assert history(house.settings)[("library:lib.people", "row_count_shift")][0] == 3
    assert validations(house, "home.reference")[0][:3] == ("library:lib.people", "home.reference", True)
    assert (house.settings.home / "data_docs" / ".results" / "library_lib.people").is_dir()


def test_a_broken_reference_stops_the_build_and_the_old_table_is_read(house: House) -> None:
    version = DeltaTable(house.path("mart", "mart", "people")).version()
    house.put(*GOOD, (4, "d", "q"))
    result = house.build(now=DAY1)
    assert not result.ok
    found = states(result)
    assert found["lib.people"] == "stopped"
    assert (found["lib.counts"], found["mart.people"]) == ("skipped", "skipped")
    assert found["lib.homes"] == "success"
    assert house.rows("library", "lib.people", "k") == [(1,), (2,), (3,)]
    assert house.rows("library", "lib.counts", "n") == [(3,)]
    assert DeltaTable(house.path("mart", "mart", "people")).version() == version
    with pytest.raises(
        GateStopped, match=r"lib\.people：home\.reference：home：在 lib\.homes 中找不到对应记录（1 行）"
    ):
        result.raise_for_failure()
    assert GateStopped.exit_code == 4
    (stopped,) = [r for r in validations(house, "home.reference") if not r[2]]
    assert stopped[3:7] == ("stop", "consistency", "source", 1)
    log = house.rows("platform", "platform.builds", "name, status")
    assert ("lib.people", "stopped") in log


def test_a_resident_id_in_a_column_of_grade_1_is_stopped_without_being_shown(house: House) -> None:
    house.put((1, RESIDENT_ID, "p"), (2, "b", "p"), (3, "c", "p"))
    result = house.build(now=DAY1)
    (stopped,) = result.stopped
    assert "列 v：公民身份号码 1 处" in stopped.reason
    assert stopped.restored
    assert house.rows("library", "lib.people", "v") == [("a",), ("b",), ("c",)]
    texts = [result.model_dump_json(), str(validations(house, "no_identifiers"))]
    texts += [p.read_text(encoding="utf-8") for p in (house.settings.home / "data_docs").rglob("library*/*.json")]
    assert len(texts) > 3
    assert not [t for t in texts if RESIDENT_ID in t]


def test_a_failed_data_test_puts_the_table_back_too(house: House) -> None:
    house.put((1, "b", "p"), (2, "b", "p"), (3, "c", "p"))
    result = house.build(now=DAY1)
    assert not result.ok
    assert house.rows("library", "lib.people", "v") == [("a",), ("b",), ("c",)]
    assert states(result)["mart.people"] == "skipped"


def test_a_table_that_was_never_good_is_empty(tmp_path: Path) -> None:
    house = House(tmp_path / "var", make_project(tmp_path / "dbt", FILES))
    house.put((1, "a", "q"))
    result = house.build("+lib__people", "lib__homes", now=DAY1)
    assert [v.name for v in result.stopped] == ["lib.people"]
    assert house.rows("library", "lib.people", "k") == []


def test_checking_asks_again_without_building(house: House, catalog: Catalog) -> None:
    project = house.project
    found = check_built(house.settings, catalog, ["lib.people"], receipt="check-1", now=DAY1, project=project)
    assert [(v.suite, v.verdict, v.rows) for v in found] == [("library:lib.people", "passed", 3)]


class Watched:
    """An `Ahead` over the library tables of a house, and the suites it has asked."""

    def __init__(self, house: House, catalog: Catalog, monkeypatch: pytest.MonkeyPatch, fails: bool = False) -> None:
        self.asked: Queue[str] = Queue()
        really = gate_ahead.ask

        def told(settings: Any, suites: Any, *args: Any, **more: Any) -> Any:
            try:
                if fails:
                    raise OSError("the disk is gone")
                return really(settings, suites, *args, **more)
            finally:
                self.asked.put(suites[0].subject)

        monkeypatch.setattr(gate_ahead, "ask", told)
        tables = ["lib.homes", "lib.people", "lib.counts"]
        models = read_models(house.project)
        self.ahead = gate_ahead.Ahead(house.settings, catalog, models, tables, receipt="build-1", now=DAY1)

    def next(self) -> str:
        return self.asked.get(timeout=60)


def test_a_suite_is_asked_once_what_it_refers_to_is_built(
    house: House, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(house, catalog, monkeypatch)
    for table in ("lib.people", "staging.rows", "lib.counts", "lib.homes"):
        watched.ahead.built(table)
    assert [watched.next(), watched.next()] == ["lib.counts", "lib.homes"]
    assert watched.next() == "lib.people"
    watched.ahead.stop()
    found = watched.ahead.verdicts()
    assert {name: a.verdict.gate.verdict for name, a in found.items()} == dict.fromkeys(found, "passed")
    assert len(found) == 3
    DeltaTable(house.path("library", "lib", "homes")).update({"home": "home"})
    assert set(watched.ahead.verdicts()) == {"lib.counts"}


def test_a_suite_that_cannot_be_asked_ahead_fails_the_build(
    house: House, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(house, catalog, monkeypatch, fails=True)
    watched.ahead.built("lib.homes")
    assert watched.next() == "lib.homes"
    watched.ahead.stop()
    with pytest.raises(OSError, match="the disk is gone"):
        watched.ahead.verdicts()


def test_a_rule_that_cannot_be_compiled_is_told_before_anything_is_built(tmp_path: Path) -> None:
    files = {**FILES, "models/models.yml": FILES["models/models.yml"].replace("rule: reference", "rule: refrence")}
    house = House(tmp_path / "var", make_project(tmp_path / "dbt", files))
    house.put(*GOOD)
    with pytest.raises(ContractError, match="did you mean reference"):
        house.build()


def test_what_is_made_from_a_stopped_table_goes_with_it() -> None:
    class Model:
        def __init__(self, *parents: str) -> None:
            self.parents = parents

    models: Any = {"a": Model(), "b": Model("a"), "c": Model("b"), "d": Model()}
    assert made_from({"a"}, models, ["a", "b", "c", "d"]) == ["a", "b", "c"]
    assert made_from({"b"}, models, ["a", "c"]) == ["c"]

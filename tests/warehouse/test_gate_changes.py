"""A table that was asked before is asked about its changes: the answers are those all of its rows would give."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from catalog.registry import Catalog
from catalog.settings import Settings
from quality.table_models import TableModel, read_models
from warehouse import duck
from warehouse.answers import last_answers, remember_answers
from warehouse.checkpoints import ask, check_built, path_of, suites_of
from warehouse.delta import replace_table
from warehouse.gate_changes import Asked, ChangesGate
from warehouse.profiles import Profile, remember
from warehouse.row_changes import change_rows, mark_rows

from .test_dbt_build import make_project

NOW = datetime(2026, 11, 22, tzinfo=UTC)
PEOPLE, HOMES = "lib.people", "lib.homes"
RESIDENT_ID, MOBILE = "11010519491231002X", "13801234567"
FILES = {
    "models/library/lib__homes.sql": "select 1",
    "models/staging/staging__gauges.sql": "select 1 from {{ source('feed', 'water__rain_gauges') }}",
    "models/library/lib__people.sql": "select 1 from {{ ref('lib__homes') }} cross join {{ ref('staging__gauges') }}",
    "models/models.yml": """
        models:
          - name: lib__homes
            config: {meta: {key: [home], grade: 1}}
            columns: [{name: home, data_type: varchar, meta: {grade: 1}}]
          - name: lib__people
            config:
              meta:
                key: [k, part]
                grade: 1
                quality:
                  - {rule: flag_raised, column: is_odd}
                  - {rule: mean_shift, column: score, max_change_pct: 500}
                  - {rule: identifiers_valid, column: uscc, kind: uscc}
            columns:
              - {name: k, data_type: integer, meta: {grade: 1}}
              - {name: part, data_type: varchar, meta: {grade: 1}}
              - {name: v, data_type: varchar, meta: {grade: 1}, data_tests: [not_null]}
              - name: code
                data_type: varchar
                meta: {grade: 1}
                data_tests: [{accepted_values: {arguments: {values: [a, b]}}}]
              - name: home
                data_type: varchar
                meta: {grade: 1}
                data_tests: [{relationships: {arguments: {to: ref('lib__homes'), field: home}}}]
              - {name: is_odd, data_type: boolean, meta: {grade: 1}}
              - {name: score, data_type: double, meta: {grade: 1}}
              - {name: uscc, data_type: varchar, meta: {grade: 1}}
        """,
}
SCHEMA = pa.schema(
    [("k", pa.int64()), *((n, pa.string()) for n in ("part", "v", "code", "home")),
     ("is_odd", pa.bool_()), ("score", pa.float64()), ("uscc", pa.string())]
)  # fmt: skip


def person(k: int, home: int = 0, **other: Any) -> dict[str, Any]:
    made = {"k": k, "part": "p", "v": f"the {k}th", "code": "ab"[k % 2], "home": f"h{home}", "is_odd": False}
    return {**made, "score": float(k), "uscc": "91350100M000100Y43", **other}


def people(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def homes(*numbers: int) -> pa.Table:
    return pa.table({"home": pa.array([f"h{n}" for n in numbers], pa.string())})


class Lake:
    """Two tables, and the gate of both."""

    def __init__(self, settings: Settings, catalog: Catalog, project: Path) -> None:
        self.settings, self.catalog, self.now, self.project = settings, catalog, NOW, project
        self.models: dict[str, TableModel] = read_models(project)

    def path(self, table: str) -> str:
        return path_of(self.settings, self.models[table])

    def change(self, table: str, gone: str, rows: pa.Table | None = None) -> None:
        """As a build does it."""
        with duck.connect(house_only=True) as con:
            marked = mark_rows(con, DeltaTable(self.path(table)), gone)
            assert marked is not None
            change_rows(marked, rows.to_reader() if rows is not None else None, note={"why": "test"})

    def versions(self) -> dict[str, int]:
        return {t: DeltaTable(self.path(t)).version() for t in (HOMES, PEOPLE)}

    def restore(self, versions: dict[str, int]) -> None:
        for table, version in versions.items():
            if DeltaTable(self.path(table)).version() != version:
                DeltaTable(self.path(table)).restore(version)

    def ask(self, *, whole: bool = False) -> dict[str, Asked]:
        """What the gate says; nothing is kept."""
        suites = suites_of(self.settings, self.catalog, list(self.models.values()), self.now)
        with ChangesGate(self.settings, self.models, {} if whole else last_answers(self.settings)) as changes:
            found = ask(self.settings, suites, self.models, receipt="r", now=self.now, changes=changes)
        return {a.verdict.suite.subject: a for a in found}

    def quick(self, table: str) -> Asked | None:
        """What is answered from the changes alone, None where all rows have to be asked."""
        suites = suites_of(self.settings, self.catalog, [self.models[table]], self.now)
        with ChangesGate(self.settings, self.models, last_answers(self.settings)) as changes:
            return changes.ask(suites[0], receipt="r", now=self.now)

    def keep(self, found: dict[str, Asked]) -> None:
        self.now += timedelta(days=1)
        remember_answers(self.settings, [a.answered for a in found.values() if a.answered], f"b{self.now}", self.now)
        profiles = [(a.verdict.suite.suite, a.verdict.profile) for a in found.values()]
        remember(self.settings, [Profile(s, c, f"b{self.now}", self.now, n) for s, p in profiles for c, n in p.items()])


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, catalog: Catalog) -> Lake:
    root = tmp_path_factory.mktemp("changes")
    settings = Settings(home=root / "var", lake=str(root / "var" / "lake"))
    settings.make_dirs()
    lake = Lake(settings, catalog, make_project(root / "dbt", FILES))
    write_deltalake(lake.path(HOMES), homes(*range(20)))
    write_deltalake(lake.path(PEOPLE), people(*(person(k, k % 20) for k in range(200))))
    found = lake.ask()
    assert {a.verdict.gate.verdict for a in found.values()} == {"passed"}
    lake.keep(found)
    return lake


@pytest.fixture
def lake(asked: Lake, tmp_path: Path) -> Lake:
    """As it was asked."""
    shutil.copytree(asked.settings.home, tmp_path / "var")
    settings = Settings(home=tmp_path / "var", lake=str(tmp_path / "var" / "lake"))
    lake = Lake(settings, asked.catalog, asked.project)
    lake.now = asked.now
    return lake


def same(quick: Asked, whole: Asked) -> None:
    differ = [(a, b) for a, b in zip(quick.verdict.gate.results, whole.verdict.gate.results, strict=True) if a != b]
    assert not differ
    assert quick.verdict.gate == whole.verdict.gate
    assert quick.verdict.profile == whole.verdict.profile
    assert quick.verdict.answers == whole.verdict.answers
    assert _timeless(quick.verdict.document.to_json_dict()) == _timeless(whole.verdict.document.to_json_dict())


def _timeless(document: dict[str, Any]) -> Any:
    meta = {k: v for k, v in document["meta"].items() if k not in ("batch_markers", "run_id", "validation_time")}
    by_rule = {r["expectation_config"]["meta"]["rule"]: r for r in document["results"]}
    assert {*document["meta"]} - {*meta} == {"batch_markers", "run_id", "validation_time"}
    return {**document, "meta": meta, "results": by_rule}


def test_a_clean_change_is_answered_from_itself_as_all_rows_would(lake: Lake) -> None:
    lake.change(PEOPLE, "k IN (3, 4)", people(person(3, 7, v="new"), person(900, 1)))
    quick = lake.quick(PEOPLE)
    assert quick is not None
    same(quick, lake.ask(whole=True)[PEOPLE])
    assert quick.verdict.gate.rows == 200
    assert quick.verdict.gate.verdict == "passed"


def test_a_feed_that_is_late_is_told_with_what_has_changed(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warehouse.status.late_feeds", lambda *_: {"water__rain_gauges": 50.0})
    lake.change(PEOPLE, "k = 3", people(person(3, v="new")))
    quick = lake.quick(PEOPLE)
    assert quick is not None
    assert quick.verdict.gate.reason == "inputs_fresh：所依据的资源已逾期（water__rain_gauges 已 50 小时）"
    same(quick, lake.ask(whole=True)[PEOPLE])


FAULTS: dict[str, tuple[Callable[[Lake], None], str]] = {
    "a value is missing": (lambda k: k.change(PEOPLE, "k = 3", people(person(3, v=None))), "v.not_null"),
    "a part of the key is missing": (lambda k: k.change(PEOPLE, "false", people(person(3, part=None))),
                                     "part.key_not_null"),
    "a code is of no list": (lambda k: k.change(PEOPLE, "k = 3", people(person(3, code="c"))), "code.code_list"),
    "a flag is raised": (lambda k: k.change(PEOPLE, "k = 3", people(person(3, is_odd=True))), "is_odd.flag_raised"),
    "a number is wrong": (lambda k: k.change(PEOPLE, "k = 3", people(person(3, uscc="91350100M000100Y44"))),
                          "uscc.identifiers_valid"),
    "a new key is an old one": (lambda k: k.change(PEOPLE, "k = 3", people(person(4))), "key_unique"),
    "two new keys are one": (lambda k: k.change(PEOPLE, "k = 3", people(person(3), person(3))), "key_unique"),
    "a new row leads nowhere": (lambda k: k.change(PEOPLE, "k = 3", people(person(3, 99))), "home.reference"),
    "what old rows lead to is gone": (lambda k: k.change(HOMES, "home = 'h5'"), "home.reference"),
    "what old rows lead to is renamed": (lambda k: k.change(HOMES, "home = 'h5'", homes(55)), "home.reference"),
    "what old rows lead to is gone from a file written anew": (
        lambda k: DeltaTable(k.path(HOMES)).delete("home = 'h5'"), "home.reference"),
    "what old rows lead to is gone from a table written anew": (
        lambda k: write_deltalake(k.path(HOMES), homes(*range(5), *range(6, 20)), mode="overwrite"), "home.reference"),
    "an identifier stands in a text": (lambda k: k.change(PEOPLE, "k = 3", people(person(3, v=f"see {RESIDENT_ID}"))),
                                       "no_identifiers"),
    "a bank card stands in a text": (lambda k: k.change(PEOPLE, "k = 3", people(person(3, v="6222021234567890128"))),
                                     "content.identifiers"),
    "a row appended is wrong": (lambda k: write_deltalake(k.path(PEOPLE), people(person(900, v=None)), mode="append"),
                                "v.not_null"),
    "a row changed by deltalake is wrong": (lambda k: DeltaTable(k.path(PEOPLE)).update({"v": "NULL"}, predicate="k = 9"),
                                            "v.not_null"),
    "a table written anew is wrong": (
        lambda k: write_deltalake(k.path(PEOPLE), people(person(1), person(1)), mode="overwrite"), "key_unique"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_found_as_by_asking_all(lake: Lake, fault: str) -> None:
    make, code = FAULTS[fault]
    make(lake)
    lake.change(PEOPLE, "k = 100", people(person(100, v="and something else that is right")))
    assert lake.quick(PEOPLE) is None
    whole = lake.ask(whole=True)
    assert code in {r.code for r in whole[PEOPLE].verdict.gate.results if not r.success}
    homes_quick = lake.quick(HOMES)
    assert homes_quick is not None
    same(homes_quick, whole[HOMES])


def test_a_column_that_is_gone_breaks_the_check_and_not_the_build(lake: Lake) -> None:
    rows = people(*(person(k) for k in range(5))).drop_columns(["v"])
    write_deltalake(lake.path(PEOPLE), rows, mode="overwrite", schema_mode="overwrite")
    assert lake.quick(PEOPLE) is None
    (broken, *_) = [r for r in lake.ask()[PEOPLE].verdict.gate.results if r.exception]
    assert (broken.severity, broken.party, broken.success) == ("stop", "platform", False)


def test_a_line_that_is_broken_tells_nothing(lake: Lake) -> None:
    before = lake.versions()
    lake.change(PEOPLE, "k = 3")
    assert lake.quick(PEOPLE) is not None
    lake.restore(before)
    assert lake.quick(PEOPLE) is None, "put back"
    lake.keep(lake.ask())
    assert lake.quick(PEOPLE) is not None
    rows = people(*(person(k) for k in range(60)))
    replace_table(lake.path(PEOPLE), rows.to_reader())
    for n in range(8):  # more versions than the other had
        lake.change(PEOPLE, f"k = {n}")
    assert lake.quick(PEOPLE) is None, "another table"
    lake.keep(lake.ask())
    DeltaTable(lake.path(PEOPLE)).alter.add_columns(_field("more"))
    assert lake.quick(PEOPLE) is None, "of other columns"


def _field(name: str) -> Any:
    from deltalake.schema import Field, PrimitiveType

    return Field(name, PrimitiveType("string"))


def test_another_suite_is_asked_of_all_rows(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lake.quick(PEOPLE) is not None
    text = FILES["models/models.yml"]
    other = {**FILES, "models/models.yml": text.replace("values: [a, b]", "values: [a, b, c]")}
    monkeypatch.setattr(lake, "models", read_models(make_project(tmp_path / "dbt", other)))
    assert lake.quick(PEOPLE) is None
    assert lake.quick(HOMES) is not None


def test_a_check_by_hand_asks_all_rows_and_a_build_the_changes(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    import quality.table_gate as table_gate

    really, whole = table_gate.run_table_suites, []

    def told(con: Any, suites: Any, **more: Any) -> Any:
        whole.extend(s.subject for s in suites)
        return really(con, suites, **more)

    monkeypatch.setattr(table_gate, "run_table_suites", told)
    lake.change(PEOPLE, "k = 3", people(person(3, v="other")))
    given = {"now": lake.now + timedelta(hours=1), "project": lake.project}
    for receipt, build, expected in (("build-1", True, []), ("check-1", False, [HOMES, PEOPLE])):
        found = check_built(lake.settings, lake.catalog, receipt=receipt, remember_profiles=build, **given)  # type: ignore[arg-type]
        assert [(v.verdict, v.rows) for v in found] == [("passed", 20), ("passed", 200)]
        assert sorted(whole) == expected


@pytest.mark.slow
def test_whatever_happens_the_answers_are_those_of_all_rows(lake: Lake) -> None:
    chance, answered = random.Random(), 0
    for turn in range(8):
        before = lake.versions()
        for _ in range(chance.randint(1, 3)):
            _anything(lake, chance, turn)
        quick = {t: lake.quick(t) for t in (HOMES, PEOPLE)}
        whole = lake.ask(whole=True)
        for table, found in quick.items():
            if found is not None:
                answered += 1
                same(found, whole[table])
        if any(a.verdict.gate.verdict == "stopped" for a in whole.values()):
            lake.restore(before)
        else:
            lake.keep({t: quick[t] or whole[t] for t in whole})
    assert answered >= 3


def _anything(lake: Lake, chance: random.Random, turn: int) -> None:
    """A change of one of the tables, and now and then a wrong one."""
    k = chance.randrange(200)
    row = person(
        k, chance.randrange(20), v=chance.choice(["x", "y" * 30, f"N{turn}"]), score=float(chance.randrange(99))
    )
    fault = chance.choice([{}] * 6 + [{"v": None}, {"code": "z"}, {"home": "h99"}, {"v": RESIDENT_ID}, {"v": MOBILE}])
    path = lake.path(PEOPLE)
    changes: list[Callable[[], Any]] = [
        lambda: lake.change(PEOPLE, f"k = {k}", people({**row, **fault})),
        lambda: lake.change(PEOPLE, f"k = {k} OR k = {k + 1}"),
        lambda: lake.change(HOMES, "home = 'h3'", homes(3)),
        lambda: lake.change(HOMES, f"home = 'h{chance.randrange(40)}'"),
        lambda: lake.change(HOMES, f"home = 'h{40 + turn}'", homes(40 + turn)),
        lambda: write_deltalake(path, people(person(1000 + 7 * turn + chance.randrange(7), **fault)), mode="append"),
        lambda: DeltaTable(path).delete(f"k = {k}"),
        lambda: DeltaTable(path).update({"v": "'z'"}, predicate=f"k = {k}"),
        lambda: DeltaTable(path).optimize.compact(),
        lambda: write_deltalake(path, people(*(person(i, i % 3) for i in range(150))), mode="overwrite"),
        lambda: None,
    ]
    chance.choices(changes, [6, 3, 2, 1, 2, 3, 1, 1, 1, 1, 1])[0]()

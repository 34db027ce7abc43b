"""Table rules: every fixture of every rule through Great Expectations, and every compiled suite is complete."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import duckdb
import pytest

from catalog.errors import ContractError
from catalog.model import Dimension, Party
from quality.masks import all_masks
from quality.table_gate import TableSuite, run_table_suites
from quality.table_models import TableModel, compile_model, read_models
from quality.table_rules import TableContext, TableRuleUse, all_table_rules, compile_table_rule, relation_of
from quality.table_rules.base import TableExample, TableFixture

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def put(con: duckdb.DuckDBPyConnection, name: str, example: TableExample, fixture: TableFixture) -> None:
    columns = ", ".join(f'"{c.name}" {c.type}' for c in example.columns)
    con.execute(f'create table "{name}" ({columns})')
    for row in fixture.rows:
        con.execute(f'insert into "{name}" values ({", ".join("?" * len(row))})', list(row))


def cases() -> list[tuple[str, TableExample, TableFixture]]:
    return [(r.name, e, f) for r in all_table_rules().values() for e in r.examples for f in e.fixtures]


@pytest.mark.slow
def test_every_fixture_through_great_expectations() -> None:
    con = duckdb.connect()
    suites, expected = [], []
    for i, (rule, example, fixture) in enumerate(cases()):
        name = f"t{i}"
        put(con, name, example, fixture)
        for other, (column, values) in fixture.others.items():
            con.execute(f'create or replace table "{relation_of(other)}_{i}" ("{column}" varchar)')
            con.executemany(f'insert into "{relation_of(other)}_{i}" values (?)', [[v] for v in values])
        context = TableContext(
            "s.t", example.checkpoint, name, {c.name: c for c in example.columns},
            example.key, example.inputs, example.masks,
        )  # fmt: skip
        params: dict[str, Any] = dict(example.params)
        if fixture.others:
            params["to"] = f"{params['to']}_{i}"
        rules = compile_table_rule(TableRuleUse(rule=rule, params=params), context)
        evidence = {r.code: fixture.evidence for r in rules}
        suites.append(TableSuite(f"{rule}: {fixture.reason}", f"library:{name}", name, tuple(rules), "", evidence))
        expected.append(set(fixture.fails))
    verdicts = run_table_suites(con, suites, receipt="test", now=NOW)
    for suite, fails, verdict in zip(suites, expected, verdicts, strict=True):
        broken = [r.exception for r in verdict.gate.results if r.exception]
        assert not broken, (suite.subject, broken)
        assert {r.code for r in verdict.gate.results if not r.success} == fails, suite.subject


def test_every_rule_has_good_and_bad_fixtures() -> None:
    for rule in all_table_rules().values():
        fixtures = [f for e in rule.examples for f in e.fixtures]
        assert {bool(f.fails) for f in fixtures} == {True, False}, rule.name


def test_every_mask_says_what_comes_out_of_it() -> None:
    """The expected value of each fixture holds; a value that the mask changes does not, but for rounding masks."""
    con = duckdb.connect()
    for mask in all_masks().values():
        caught = 0
        for fixture in mask.fixtures:
            holds = f"select {mask.holds_sql('v', fixture.params)} from (select ?::varchar as v)"
            (good,) = con.execute(holds, [fixture.expected]).fetchone() or (None,)
            assert good is True, (mask.name, fixture.reason)
            if fixture.value is not None and str(fixture.value) != str(fixture.expected):
                (raw,) = con.execute(holds, [str(fixture.value)]).fetchone() or (None,)
                caught += raw is False
        assert caught or mask.name == "noise", mask.name


def test_every_compiled_suite_says_severity_dimension_and_party() -> None:
    models = read_models()
    assert len(models) >= 19
    for model in models.values():
        suite = compile_model(model)
        codes = [r.code for r in suite]
        assert len(codes) == len(set(codes))
        assert {"key_unique", "row_count_shift"} <= set(codes)
        for rule in suite:
            assert rule.severity in ("warn", "stop"), rule
            assert rule.dimension in get_args(Dimension), rule
            assert rule.party in get_args(Party), rule
            assert any("一" <= c <= "鿿" for c in rule.message_zh), rule


def test_suites_follow_from_the_yml() -> None:
    residents = {r.code: r for r in compile_model(read_models()["population.residents"])}
    households = {r.code: r for r in compile_model(read_models()["population.households"])}
    assert households["head_key.reference"].needs == ("population.residents",)
    assert residents["sex_code.code_list"].severity == "stop"
    assert "sex_code.distribution_shift" in residents
    assert "public_security__household" in read_models()["population.residents"].inputs
    assert read_models()["hotline.street_monthly"].inputs == ("hotline__work_orders",)


YML = """
models:
  - name: lib__things
    config: {{meta: {{grain: k, key: [k], grade: 1, quality: {quality}}}}}
    columns:
      - {{name: k, data_type: varchar}}
      - {{name: v, data_type: varchar, data_tests: [not_null: {{config: {{severity: warn}}}}]}}
"""


def project(tmp_path: Path, quality: str) -> TableModel:
    folder = tmp_path / "models" / "library"
    folder.mkdir(parents=True)
    (folder / "lib__things.sql").write_text("select 1", encoding="utf-8")
    (folder / "_lib.yml").write_text(YML.format(quality=quality), encoding="utf-8")
    return read_models(tmp_path)["lib.things"]


def test_a_model_declares_rules_as_data(tmp_path: Path) -> None:
    declared = "[{rule: k_anonymity, quasi: [v], k: 3, severity: warn, party: source, dimension: accuracy}, not_empty]"
    suite = {r.code: r for r in compile_model(project(tmp_path, declared))}
    rule = suite["k_anonymity"]
    assert (rule.severity, rule.party, rule.dimension) == ("warn", "source", "accuracy")
    assert suite["not_empty"].severity == "stop"
    assert suite["v.not_null"].severity == "warn"


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("[{rule: k_anonimity, quasi: [v], k: 3}]", "did you mean k_anonymity"),
        ("[{rule: k_anonymity, quasi: [w], k: 3}]", "no column 'w'"),
        ("[{rule: k_anonymity, quasi: [v], k: 1}]", "greater than or equal to 2"),
        ("[{rule: k_anonymity, quasi: [v], k: 3, kk: 4}]", "its parameters are"),
        ("[{rule: not_empty, severity: reject}]", "'warn' or 'stop'"),
        ("[{rule: mask_applied}]", "not asked at library"),
        ("[not_empty, not_empty]", "two rules would be called"),
        ("{rule: not_empty}", "quality is a list"),
    ],
)
def test_a_wrong_declaration_names_its_line(tmp_path: Path, declared: str, said: str) -> None:
    with pytest.raises(ContractError) as caught:
        compile_model(project(tmp_path, declared))
    assert said in str(caught.value)
    assert caught.value.where["file"].endswith("_lib.yml")
    assert int(caught.value.where["line"]) == 4

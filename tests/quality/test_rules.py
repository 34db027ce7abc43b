"""Every rule by its fixtures, and the compile of contracts."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from catalog.errors import ContractError
from catalog.model import RuleUse
from catalog.registry import Catalog, load_catalog
from quality.rules import BatchRule, RowRule, all_rules, compile_rules, compile_use
from quality.rules.base import Column, Example, RuleContext, RuleRefused
from quality.rules.registry import _params
from warehouse.duck import VERIFIED_ONCE, load_extension
from warehouse.schema import duckdb_type

from .support import compile_example, row_examples, stage, stats

ROWS = list(row_examples())
BATCH = [r for r in all_rules().values() if isinstance(r, BatchRule)]


@pytest.mark.parametrize(("rule", "example"), [e[1:] for e in ROWS], ids=[e[0] for e in ROWS])
def test_row_rule_fixtures(rule: RowRule, example: Example) -> None:
    compiled = compile_example(rule, example)
    con = duckdb.connect(config=VERIFIED_ONCE)
    for extension in {e for c in compiled for e in c.extensions}:
        load_extension(con, extension)
    stage(con, "staged", example)
    selected = ", ".join(c.failing_sql for c in compiled)
    for fixture, found in zip(
        example.fixtures, con.execute(f"select {selected} from staged order by _row_number").fetchall(), strict=True
    ):
        assert None not in found, f"{rule.name}: a failing expression was NULL for: {fixture.reason}"
        failed = {c.code.split(".", 1)[1] for c, bad in zip(compiled, found, strict=True) if bad}
        assert failed == set(fixture.fails), fixture.reason


@pytest.mark.parametrize("rule", BATCH, ids=lambda r: r.name)
def test_batch_rule_fixtures(rule: BatchRule) -> None:
    params = _params(rule, rule.example)
    for fixture in rule.fixtures:
        finding = rule.judge(params, stats(**fixture.changes), fixture.observed)
        assert finding.success is not fixture.fails, fixture.reason
        assert finding.message


def test_every_rule_shows_a_pass_and_a_failure() -> None:
    for _, rule, example in ROWS:
        assert any(f.fails for f in example.fixtures), rule.name
        assert any(not f.fails for f in example.fixtures), rule.name
    for rule in BATCH:
        assert {f.fails for f in rule.fixtures} == {True, False}, rule.name


def test_the_whole_catalog_compiles(catalog: Catalog) -> None:
    assert catalog.feeds
    for feed in catalog.feeds.values():
        rules = compile_rules(catalog, feed)
        codes = [r.code for r in rules]
        assert len(codes) == len(set(codes))
        assert "row_accounting" in codes
        assert all(r.failing_sql for r in rules if r.scope == "row")
        assert all(r.message_zh for r in rules)


@pytest.mark.slow
def test_every_failing_expression_of_every_contract_binds(catalog: Catalog) -> None:
    con = duckdb.connect(config=VERIFIED_ONCE)
    load_extension(con, "spatial")
    for feed_id in catalog.feeds:
        fields = catalog.fields(catalog.feed(feed_id))
        kinds = {f.name: duckdb_type(f.type, f.precision, f.scale) for f in fields}
        typed = ", ".join(f'"{name}" {kind}, "{name}__raw" varchar' for name, kind in kinds.items())
        con.execute(f"create or replace table staged (_row_number bigint, {typed})")
        con.execute("insert into staged (_row_number) values (1)")
        rules = [r for r in compile_rules(catalog, feed_id) if r.scope == "row"]
        row = con.execute(f"select {', '.join(r.failing_sql for r in rules)} from staged").fetchone()
        assert row is not None
        failed = {r.rule for r, bad in zip(rules, row, strict=True) if bad}
        assert None not in row
        assert failed <= {"required", "one_of_required"}, feed_id


def test_codes_are_stable_names(catalog: Catalog) -> None:
    codes = {r.code: r for r in compile_rules(catalog, "public_security__household")}
    assert {
        "resident_id.format",
        "resident_id.checksum",
        "resident_id.required",
        "birth_date.type",
        "birth_date.matches_id",
        "birth_date.not_future",
        "sex_code.code_list",
        "phone.phone",
        "key_unique",
        "max_quarantine_pct",
    } <= set(codes)
    assert codes["birth_date.matches_id"].severity == "warn"
    assert codes["max_quarantine_pct"].severity == "stop"
    assert codes["key_unique"].party == "platform"
    assert codes["resident_id.checksum"].grade >= 3


def test_discarded_values_warn(catalog: Catalog) -> None:
    rules = {r.code: r for r in compile_rules(catalog, "ecology__air_hourly")}
    assert rules["pm25_ugm3.type"].discards
    assert rules["pm25_ugm3.type"].severity == "warn"
    assert rules["pm25_ugm3.range"].severity == "reject"


def _catalog_with(tmp_path: Path, root: Path, feed: dict[str, Any]) -> Catalog:
    home = tmp_path / "catalog"
    (home / "feeds" / "water").mkdir(parents=True)
    for folder in ("dictionary", "codes"):
        (home / folder).symlink_to(root / "catalog" / folder)
    for folder in ("grading", "audit", "products"):
        if (root / "catalog" / folder).exists() and folder != "products":
            (home / folder).symlink_to(root / "catalog" / folder)
    text = yaml.safe_dump(feed, allow_unicode=True, sort_keys=False)
    (home / "feeds" / "water" / "probe.yaml").write_text(text, encoding="utf-8")
    return load_catalog(home)


def _feed(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "title": "试验",
        "provider": "water",
        "catalogue": {"code": "3/99-9999", "sharing": "unconditional", "opening": "none", "update": "daily"},
        "source": {"path": "water/probe/*.csv"},
        "format": {"type": "csv"},
        "load": {"mode": "snapshot"},
        "fields": {"sensor_id": {"from": "编号"}, "rain_mm": {"from": "雨量"}},
    }
    return {**base, **changes}


REFUSED = [
    ({"rules": [{"rule": "row_cuont_change", "max_drop_pct": 20}]}, "no rule", "row_count_change"),
    ({"rules": [{"rule": "row_count_change", "max_drop": 20}]}, "max_drop", "max_drop_pct"),
    ({"rules": [{"rule": "min_rows", "rows": "many"}]}, "rows", "rows"),
    ({"rules": [{"rule": "a_le_b", "a": "rain_mm", "b": "nowhere"}]}, "nowhere", "sensor_id"),
    ({"rules": [{"rule": "a_le_b", "a": "rain_mm", "b": "sensor_id"}]}, "cannot express", "double"),
    ({"rules": [{"rule": "key_unique"}]}, "no load key", "load.key"),
    ({"rules": [{"rule": "uscc"}]}, "one field", "under the field"),
    ({"rules": [{"rule": "min_rows", "rows": 1}, {"rule": "min_rows", "rows": 2}]}, "two rules", "remove"),
    (
        {"fields": {"rain_mm": {"from": "雨量", "rules": [{"rule": "uscc"}]}}},
        "cannot be expressed",
        "string",
    ),
    (
        {"fields": {"sensor_id": {"from": "编号", "rules": [{"rule": "phone", "severity": "stop"}]}}},
        "severity stop",
        "max_quarantine_pct",
    ),
    (
        {"fields": {"sensor_id": {"from": "编号", "rules": [{"rule": "pattern", "pattern": "(?=a)"}]}}},
        "RE2",
        "pattern",
    ),
]


@pytest.mark.parametrize(("changes", "says", "cure"), REFUSED, ids=[r[1] for r in REFUSED])
def test_a_wrong_rule_names_file_line_and_cure(
    changes: dict[str, Any], says: str, cure: str, tmp_path: Path, root: Path
) -> None:
    catalog = _catalog_with(tmp_path, root, _feed(**changes))
    with pytest.raises(ContractError) as caught:
        compile_rules(catalog, "water__probe")
    error = caught.value
    assert says in error.message
    assert cure in error.hint
    line = int(error.where["line"])
    assert str(error.where["file"]).endswith("probe.yaml")
    text = Path(str(error.where["file"])).read_text(encoding="utf-8").splitlines()
    assert "rule" in text[line - 1]


def test_a_contract_overrides_what_its_element_implies(tmp_path: Path, root: Path) -> None:
    fields = {"uscc": {"from": "代码", "rules": [{"rule": "uscc", "severity": "warn"}]}}
    rules = {r.code: r for r in compile_rules(_catalog_with(tmp_path, root, _feed(fields=fields)), "water__probe")}
    assert rules["uscc.checksum"].severity == "warn"
    assert rules["uscc.not_scientific"].severity == "reject"


def test_a_new_rule_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import quality.rules
    from quality.rules import registry

    (tmp_path / "always.py").write_text(
        "from quality.rules.base import *\n"
        "from quality.rules.base import Check, RowRule, RuleParams, sql_expectation\n"
        "def checks(context, params):\n"
        "    return [Check('always', (context.own(),), 'true', '总是', sql_expectation('true'))]\n"
        "RULE = RowRule(name='always', title='总是', dimension='validity', checks=checks, examples=(),"
        " types=('string',))\n"
    )
    column = Column("x", "甲", "string")
    try:
        with monkeypatch.context() as patched:
            patched.setattr(quality.rules, "__path__", [*quality.rules.__path__, str(tmp_path)])
            registry.all_rules.cache_clear()
            (rule,) = compile_use(RuleUse(rule="always"), RuleContext(columns={"x": column}), column)
            assert rule.code == "x.always"
    finally:
        registry.all_rules.cache_clear()
        sys.modules.pop("quality.rules.always", None)
    with pytest.raises(RuleRefused):
        compile_use(RuleUse(rule="always"), RuleContext(columns={"x": column}), column)
    assert importlib.util.find_spec("quality.rules.always") is None

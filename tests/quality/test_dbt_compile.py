"""The dbt sources file and the reports compiled from contracts."""

from __future__ import annotations

import yaml

from catalog.registry import Catalog
from quality.dbt_compile import HEADER, compile_report, sources_yaml
from quality.rules import all_rules
from quality.rules.reference import rule_reference
from warehouse.schema import feed_columns


def test_sources_are_deterministic_and_marked_generated(catalog: Catalog) -> None:
    text = sources_yaml(catalog)
    assert text == sources_yaml(catalog)
    assert text.startswith(HEADER)


def test_sources_carry_every_column_with_label_and_grade(catalog: Catalog) -> None:
    (source,) = yaml.safe_load(sources_yaml(catalog))["sources"]
    assert source["name"] == "feed"
    tables = {t["name"]: t for t in source["tables"]}
    assert set(tables) == set(catalog.feeds)
    for feed_id, table in tables.items():
        assert [c["name"] for c in table["columns"]] == [c.name for c in feed_columns(catalog, feed_id)]
        assert table["config"]["meta"]["grade"] == catalog.grade(feed_id)
        for column in table["columns"]:
            assert column["description"]
            if not column["name"].startswith("_"):
                assert column["config"]["meta"]["label"]
                assert 1 <= column["config"]["meta"]["grade"] <= 4


def test_tests_follow_the_rules(catalog: Catalog) -> None:
    (source,) = yaml.safe_load(sources_yaml(catalog))["sources"]
    household = next(t for t in source["tables"] if t["name"] == "public_security__household")
    columns = {c["name"]: c for c in household["columns"]}
    assert [next(iter(t)) for t in columns["resident_key"]["data_tests"]] == ["not_null", "unique"]
    assert "resident_id" not in columns
    (sex,) = columns["sex_code"]["data_tests"]
    assert set(sex["accepted_values"]["arguments"]["values"]) == {"0", "1", "2", "9"}
    assert columns["resident_key"]["config"]["meta"]["grade"] == 2


def test_the_report_says_where_each_rule_is_enforced(catalog: Catalog) -> None:
    report = compile_report(catalog)
    assert {r["feed"] for r in report} == set(catalog.feeds)
    assert all("gate" in r["targets"] for r in report)
    assert all("rows" in r["targets"] or "batch" in r["targets"] for r in report)
    checksum = next(r for r in report if r["code"] == "resident_id.checksum")
    assert "dbt" not in checksum["targets"]


def test_the_reference_names_every_rule_and_feed(catalog: Catalog) -> None:
    text = rule_reference(catalog)
    assert all(f"| `{name}` |" in text for name in all_rules())
    assert all(f"## {feed_id}" in text for feed_id in catalog.feeds)
    assert "PydanticUndefined" not in text

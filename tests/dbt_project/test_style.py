"""Every model says what it is, staging alone reads feeds, and the SQL runs on DuckDB and on Spark."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml
from sqlglot import exp

from catalog.registry import Catalog
from warehouse.schema import SYSTEM_COLUMNS

# Functions Spark 3.5 has but sqlglot has no class for; st_* come from Apache Sedona.
SPARK_FUNCTIONS = {"unix_micros", "bround", "pmod", "st_x", "st_y", "st_contains", "st_geomfromwkb", "st_areaspheroid"}
SPARK_FUNCTIONS |= {"translate", "last_day", "day", "concat_ws", "xxhash64"}
SPARK_FUNCTIONS |= {"st_isvalid", "st_makevalid", "st_asbinary", "st_pointonsurface", "st_lengthspheroid"}
SPARK_FUNCTIONS |= {"st_intersects", "st_intersection", "st_difference", "st_union_aggr"}
# Our own, which an engine must be given: warehouse/addresses/functions.py gives them to DuckDB.
SPARK_FUNCTIONS |= {f"lakehouse_address_{name}" for name in ("match", "pieces", "parse", "at")}
SPARK_FUNCTIONS |= {"lakehouse_entity_match"}  # warehouse/entities/functions.py
MODELS = sorted(p.stem for p in (Path(__file__).resolve().parents[2] / "dbt_project" / "models").rglob("*.sql"))


def test_there_are_models() -> None:
    assert len(MODELS) > 25


def test_every_model_is_described_and_nothing_else_is(
    model_files: dict[str, Path], properties: dict[str, dict[str, Any]]
) -> None:
    assert set(model_files) == set(properties)


@pytest.mark.parametrize("name", MODELS)
def test_model_states_grain_key_owner_and_grade(
    name: str, properties: dict[str, dict[str, Any]], catalog: Catalog
) -> None:
    model = properties[name]
    meta = model["config"]["meta"]
    assert model["description"]
    assert meta["grain"]
    assert isinstance(meta["key"], list)
    assert meta["owner"] in catalog.departments
    assert meta["grade"] in (1, 2, 3, 4)


@pytest.mark.parametrize("name", [m for m in MODELS if not m.startswith("staging__")])
def test_tables_have_contracts_labels_grades_and_key_tests(name: str, properties: dict[str, dict[str, Any]]) -> None:
    model = properties[name]
    meta, columns = model["config"]["meta"], {c["name"]: c for c in model["columns"]}
    assert model["config"]["contract"] == {"enforced": True}
    for column in columns.values():
        assert column["data_type"], column["name"]
        assert column["config"]["meta"]["label"], column["name"]
        assert column["config"]["meta"]["grade"] in (1, 2, 3, 4), column["name"]
    assert meta["grade"] >= max(c["config"]["meta"]["grade"] for c in columns.values())
    key = meta["key"]
    assert key
    assert all("not_null" in columns[k].get("data_tests", []) for k in key)
    if len(key) == 1:
        assert "unique" in columns[key[0]]["data_tests"]
    else:
        assert {"unique_key": {"arguments": {"columns": key}}} in model["data_tests"]


@pytest.mark.parametrize("name", [m for m in MODELS if not m.startswith("staging__")])
def test_columns_keep_the_grade_of_their_element(
    name: str, properties: dict[str, dict[str, Any]], catalog: Catalog
) -> None:
    for column in properties[name]["columns"]:
        element = catalog.elements.get(column["name"])
        if element is not None:
            meta = column["config"]["meta"]
            assert meta["grade"] >= element.grade or meta.get("grade_reason"), column["name"]
            assert element.identifier != "direct", f"{column['name']} names a person"


@pytest.mark.slow
def test_staging_is_one_view_a_feed_and_leaves_direct_identifiers_behind(
    model_files: dict[str, Path], properties: dict[str, dict[str, Any]], catalog: Catalog, render: Any
) -> None:
    staged = {n.removeprefix("staging__") for n in model_files if n.startswith("staging__")}
    staged -= {n for n in staged if n.startswith("platform__")}
    assert staged == set(catalog.feeds)
    for feed_id, feed in catalog.feeds.items():
        tree = sqlglot.parse_one(render(f"staging__{feed_id}", "duckdb"), read="duckdb")
        assert [t.sql() for t in tree.find_all(exp.Table)] == [f"feed.{feed_id}"]
        columns = [c.name for c in tree.selects]
        expected: list[str] = []
        grade = 1
        for field in catalog.fields(feed):
            if field.element.pseudonym:
                expected.append(field.element.pseudonym)
                grade = max(grade, field.grade)
            elif field.element.identifier != "direct":
                expected.append(field.name)
                grade = max(grade, field.grade)
        assert columns == [*expected, "_receipt", "_loaded_at"], feed_id
        meta = properties[f"staging__{feed_id}"]["config"]["meta"]
        assert meta["grade"] == grade, feed_id
        assert meta["owner"] == feed.provider


def test_staging_alone_reads_feeds(model_files: dict[str, Path]) -> None:
    for name, path in model_files.items():
        if not name.startswith("staging__"):
            assert not re.search(r"\bsource\s*\(", path.read_text(encoding="utf-8")), name


def test_products_name_columns_that_exist(catalog: Catalog, properties: dict[str, dict[str, Any]]) -> None:
    for product in catalog.products.values():
        model = properties[product.table.replace(".", "__")]
        there = {c["name"] for c in model["columns"]}
        wanted = {c.from_ or name for name, c in product.columns.items()} | set(product.where)
        assert wanted <= there, product.id


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["duckdb", "spark"])
@pytest.mark.parametrize("name", MODELS)
def test_sql_is_portable(name: str, engine: str, render: Callable[[str, str], str]) -> None:
    sql = render(name, engine)
    tree = sqlglot.parse_one(sql, read=engine)
    assert not list(tree.find_all(exp.Qualify)), "QUALIFY"
    assert not re.search(r"\b(group by all|order by all|asof|pivot|unpivot)\b", sql, re.I)
    assert "::" not in sql
    for star in tree.find_all(exp.Star):
        assert not any(star.args.get(word) for word in ("except_", "replace")), "EXCLUDE or REPLACE"
    outer = tree.selects if isinstance(tree, exp.Query) else []
    assert outer
    assert not any(isinstance(c, exp.Star) or c.is_star for c in outer), "outer select *"
    assert all(c.output_name for c in outer), "a column without a name"
    if engine == "spark":
        unknown = {f.name.lower() for f in tree.find_all(exp.Anonymous)} - SPARK_FUNCTIONS
        assert not unknown


@pytest.mark.slow
def test_contract_columns_are_the_columns_of_the_query(
    properties: dict[str, dict[str, Any]], render: Callable[[str, str], str]
) -> None:
    for name, model in properties.items():
        if not name.startswith("staging__"):
            tree = sqlglot.parse_one(render(name, "duckdb"), read="duckdb")
            assert [c.output_name for c in tree.selects] == [c["name"] for c in model["columns"]], name


def test_rule_tables_are_dated_and_sourced(project: Path) -> None:
    seeds = yaml.safe_load((project / "seeds" / "_seeds.yml").read_text(encoding="utf-8"))["seeds"]
    compiled = ("codes__", "scoring__")
    own = [s for s in seeds if not s["name"].startswith(compiled)]
    assert len(own) == len([p for p in (project / "seeds").glob("*.csv") if not p.name.startswith(compiled)])
    for seed in own:
        lines = (project / "seeds" / f"{seed['name']}.csv").read_text(encoding="utf-8").splitlines()
        header = lines[0].split(",")
        assert header[-3:] == ["valid_from", "valid_to", "source"], seed["name"]
        assert set(seed["config"]["column_types"]) == set(header), seed["name"]
        assert all(",," not in line and not line.endswith(",") for line in lines), "dbt unit tests cannot read NULL"


def test_what_is_told_by_content_reads_nothing_that_a_load_writes(model_files: dict[str, Path]) -> None:
    """A table with ``stands='content'`` stays as it is when a feed was delivered again as it was."""
    by_content = [p.read_text(encoding="utf-8") for p in model_files.values() if "stands='content'" in p.read_text()]
    assert by_content
    assert not [text for text in by_content for column in SYSTEM_COLUMNS if column.name in text]


def test_a_name_is_its_own_key_only_where_making_the_key_changes_nothing(
    models: Any, render: Callable[[str, str], str]
) -> None:
    """``name_key`` looks first whether there is anything to do: of every character there is, and of names."""
    made = re.search(
        r"(case when regexp_full_match\(entity_name, .*?) as name_key", render("legal_entity__names", "duckdb")
    )
    assert made is not None
    plain = re.search(r"else\s+(.*)\s+end$", made.group(1), re.DOTALL)
    assert plain is not None
    names = "select chr(i::int) as entity_name from range(1, 65536) r(i) where i not between 55296 and 57343"
    more = (
        "select unnest(['北京甲（集团）公司', '甲 乙', '甲\u3000乙', 'ａbc公司', '甲\n公司', null, '', '甲(乙)公司B9'])"
    )
    told = models.rows(
        f"select count(*), count(*) filter ({made.group(1)} is distinct from {plain.group(1)}), "
        f"count(*) filter ({made.group(1)} is distinct from entity_name) from ({names} union all {more})"
    )
    assert told[0][0] > 60_000
    assert told[0][1] == 0
    assert told[0][2] > 1_000

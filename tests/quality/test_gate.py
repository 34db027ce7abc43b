"""The gate on Great Expectations: it agrees with the row split, and no error inside it passes for a verdict."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from catalog.registry import Catalog
from quality.gate import run_gate
from quality.gx_context import Stated, run_suite
from quality.rules import BatchStats, CompiledRule, compile_rules
from quality.rules.base import sql_expectation
from quality.verdict import GateResult, validations_schema
from warehouse.duck import VERIFIED_ONCE, load_extension
from warehouse.schema import duckdb_type

from .support import compile_example, row_examples, stage, stats

pytestmark = pytest.mark.slow
NOW = datetime(2026, 1, 2, tzinfo=UTC)
FEED = "water__rain_gauges"
CANARY = "雨量站金丝雀"


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute(
        """create table accepted (sensor_id varchar, sensor_name varchar, geom_cgcs2000 blob,
        observed_at timestamptz, rain_mm double, sequence_number bigint, battery_pct double)"""
    )
    return con


def fill(con: duckdb.DuckDBPyConnection, rows: int) -> None:
    con.execute(
        f"""insert into accepted select 'g' || range, '{CANARY}', null,
        timestamptz '2026-01-01 08:00:00+08' + to_minutes(range::int), 0.5, range, 88.0 from range({rows})"""
    )


def gate(
    con: Any, catalog: Catalog, docs: Path | None = None, rules: tuple[CompiledRule, ...] = (), **changes: Any
) -> GateResult:
    feed = catalog.feed(FEED)
    batch: BatchStats = replace(stats(rows_found=3, rows_accepted=3), **changes)
    compiled = rules or compile_rules(catalog, feed, as_of=NOW)
    return run_gate(con, "accepted", catalog=catalog, feed=feed, rules=compiled, batch=batch, now=NOW, docs_dir=docs)


def test_row_split_and_great_expectations_agree() -> None:
    """Every fixture of every rule: as many rows break the expectation as the failing expression selects."""
    for name, rule, example in row_examples():
        compiled = compile_example(rule, example)
        con = duckdb.connect(config=VERIFIED_ONCE)
        for extension in {e for c in compiled for e in c.extensions}:
            load_extension(con, extension)
        stage(con, "staged", example)
        stated = [Stated(c.code, c.expectation, c.message_zh, True, {}) for c in compiled]
        answers, _ = run_suite(con, "staged", name, stated)
        for c in compiled:
            failing = con.execute(f"select count(*) from staged where {c.failing_sql}").fetchone()
            answer = answers[c.code]
            assert answer.exception is None, (name, answer.exception)
            if rule.name == "type":
                # a value that could not be read is NULL in the table the gate sees: only NaN remains to be found
                assert answer.unexpected == 1
                continue
            assert failing is not None
            assert answer.unexpected == failing[0], (name, c.code)
            assert answer.success is (failing[0] == 0), (name, c.code)


def test_the_suite_of_every_contract_runs(catalog: Catalog) -> None:
    """On an empty table of the contract's types: every expectation exists and answers."""
    for feed in catalog.feeds.values():
        con = duckdb.connect()
        fields = catalog.fields(feed)
        columns = ", ".join(f'"{f.name}" {duckdb_type(f.type, f.precision, f.scale)}' for f in fields)
        con.execute(f"create table accepted ({columns})")
        rules = compile_rules(catalog, feed, as_of=NOW)
        batch = replace(stats(), feed=feed.id)
        result = run_gate(con, "accepted", catalog=catalog, feed=feed, rules=rules, batch=batch, now=NOW)
        assert [r.code for r in result.results] == [r.code for r in rules]
        assert not [r.code for r in result.results if r.exception], feed.id


def test_a_good_batch_passes_and_is_recorded(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    fill(con, 3)
    result = gate(con, catalog, previous_rows=3)
    assert (result.verdict, result.reason) == ("passed", "")
    table = result.to_arrow()
    assert table.schema == validations_schema()
    assert table.num_rows == len(compile_rules(catalog, FEED))
    assert set(table.column("success").to_pylist()) == {True}
    assert {"observed_at.required", "rain_mm.range", "key_unique", "row_accounting"} <= set(
        table.column("code").to_pylist()
    )


def test_an_accepted_row_that_breaks_a_rule_stops_the_batch(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    fill(con, 3)
    con.execute("update accepted set rain_mm = -1 where sensor_id = 'g1'")
    result = gate(con, catalog)
    assert result.verdict == "stopped"
    (broken,) = [r for r in result.results if not r.success]
    assert (broken.code, broken.party, broken.unexpected) == ("rain_mm.range", "platform", 1)
    assert "平台故障" in result.reason


def test_rejected_rows_are_recorded_and_pass(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    fill(con, 3)
    result = gate(con, catalog, rows_found=10, rows_quarantined=7, row_failures={"rain_mm.range": 7})
    assert result.verdict == "passed"
    (broken,) = [r for r in result.results if not r.success]
    assert (broken.unexpected, broken.evaluated, broken.share) == (7, 10, 0.7)
    assert broken.party == "source"


def test_lost_rows_and_repeated_keys_stop(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    fill(con, 3)
    lost = gate(con, catalog, rows_found=5)
    assert (lost.verdict, [r.code for r in lost.results if not r.success]) == ("stopped", ["row_accounting"])
    con.execute("update accepted set sensor_id = 'g0', observed_at = '2026-01-01 00:00:00+00', sequence_number = 0")
    twice = gate(con, catalog)
    assert twice.verdict == "stopped"
    assert "key_unique" in twice.reason


def test_a_stop_rule_stops_and_a_warning_warns(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    fill(con, 3)
    rules = compile_rules(catalog, FEED, as_of=NOW)
    warn = tuple(replace(r, severity="warn") if r.code == "rain_mm.range" else r for r in rules)
    con.execute("update accepted set rain_mm = 900 where sensor_id = 'g1'")
    warned = gate(con, catalog, rules=warn)
    assert warned.verdict == "warned"
    assert "rain_mm.range" in warned.reason


def test_an_exception_inside_an_expectation_stops(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, tmp_path: Path
) -> None:
    fill(con, 3)
    rules = list(compile_rules(catalog, FEED, as_of=NOW))
    one = next(i for i, r in enumerate(rules) if r.code == "rain_mm.type")
    broken_sql = "sensor_name::int = 1"  # DuckDB quotes the value it could not convert
    rules[one] = replace(rules[one], expectation=sql_expectation(broken_sql), severity="warn")
    result = gate(con, catalog, docs=tmp_path, rules=tuple(rules))
    assert result.verdict == "stopped"
    broken = next(r for r in result.results if r.code == "rain_mm.type")
    assert (broken.severity, broken.party) == ("stop", "platform")
    assert broken.exception
    assert CANARY not in str(result.results)
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and CANARY in p.read_text(encoding="utf-8")]
    others = [r for r in result.results if r.code != "rain_mm.type"]
    assert all(r.success for r in others)


@pytest.mark.parametrize("broken", [{"measure_sql": "max(nothing)", "measure_hashed": None}, {"measure_hashed": "no"}])
def test_a_batch_measure_that_breaks_stops(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, broken: dict[str, Any]
) -> None:
    fill(con, 3)
    rules = [replace(r, **broken) if r.code == "key_unique" else r for r in compile_rules(catalog, FEED)]
    result = gate(con, catalog, rules=tuple(rules))
    assert result.verdict == "stopped"
    assert next(r for r in result.results if r.code == "key_unique").exception == "BinderException"


@pytest.mark.parametrize("hashed", ["1::UBIGINT", "(sequence_number // 2)::UBIGINT", None])
def test_rows_of_one_hash_are_not_taken_for_alike(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, hashed: str | None
) -> None:
    fill(con, 4)
    rules = [
        replace(r, measure_hashed=hashed) if r.code == "key_unique" else r
        for r in compile_rules(catalog, FEED, as_of=NOW)
    ]
    keys = next(r for r in gate(con, catalog, rules=tuple(rules)).results if r.code == "key_unique")
    assert (keys.success, keys.observed) == (True, 0)
    con.execute("insert into accepted select * from accepted where sequence_number = 2")
    keys = next(r for r in gate(con, catalog, rules=tuple(rules)).results if r.code == "key_unique")
    assert (keys.success, keys.observed) == (False, 1)


def test_a_missing_column_is_a_platform_fault(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    fill(con, 3)
    con.execute("alter table accepted drop column rain_mm")
    result = gate(con, catalog)
    assert result.verdict == "stopped"
    assert {r.code for r in result.results if r.exception} >= {"rain_mm.range", "rain_mm.type"}


def test_an_empty_batch_is_judged(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    result = gate(con, catalog, rows_found=0, rows_accepted=0)
    assert result.verdict == "passed", result.reason


def test_a_file_that_is_open_in_this_process(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "batch.duckdb"
    con = duckdb.connect(str(path))
    con.execute("create table base as select 1")
    con.execute(
        """create view accepted as select 'g1' sensor_id, 'n' sensor_name, null::blob geom_cgcs2000,
        timestamptz '2026-01-01 08:00:00+08' observed_at, 0.5::double rain_mm, 1::bigint sequence_number,
        88.0::double battery_pct"""
    )
    result = gate(path, catalog, rows_found=1, rows_accepted=1)
    assert result.verdict == "passed", result.reason
    assert con.execute("select count(*) from accepted").fetchone() == (1,)


def test_no_value_of_a_row_is_kept(con: duckdb.DuckDBPyConnection, catalog: Catalog, tmp_path: Path) -> None:
    fill(con, 3)
    rules = tuple(
        replace(r, expectation=sql_expectation(f"sensor_name = '{'x'}' or rain_mm = 0.5"))
        if r.code == "rain_mm.type"
        else r
        for r in compile_rules(catalog, FEED, as_of=NOW)
    )
    con.execute("update accepted set battery_pct = 123.25")
    result = gate(con, catalog, docs=tmp_path, rules=rules)
    assert result.verdict == "stopped"
    (kept,) = tmp_path.rglob("*.json")
    text = kept.read_text(encoding="utf-8")
    for where in (text, str(result.results), str(result.to_arrow().to_pylist())):
        assert CANARY not in where
        assert "123.25" not in where
    assert json.loads(text)["rows_accepted"] == 3


def test_great_expectations_stays_out_of_home_and_quiet(tmp_path: Path, root: Path) -> None:
    code = """
import duckdb
from quality.gx_context import Stated, run_suite
from quality.rules.base import expectation
con = duckdb.connect(); con.execute("create table t as select 1 as a")
answers, _ = run_suite(con, "t", "s", [
    Stated("a.required", expectation("expect_column_values_to_not_be_null", column="a"), "必填", True, {})])
assert answers["a.required"].success
"""
    env = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")
    assert list(tmp_path.iterdir()) == []

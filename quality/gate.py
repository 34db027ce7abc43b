"""The gate: a batch is visible only after its contract's Great Expectations suite has been asked.

Rows that fail were taken out before (`CompiledRule.failing_sql`); here the accepted rows must satisfy every
expectation compiled from the same rules, and the batch as a whole its batch rules. Results carry counts, never values.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.model import Feed
from catalog.registry import Catalog
from quality.distinct import repeated_hashes
from quality.gx_context import Answer, Stated, run_suite
from quality.rules import BatchStats, CompiledRule, Finding, all_rules
from quality.rules.base import BatchRule
from quality.sql import literal, quote
from quality.verdict import CheckResult, GateResult, platform_fault, verdict_of

if TYPE_CHECKING:
    import duckdb

_SPLIT_FAULT = "平台故障：入库行中仍有 {count} 行不符合“{message}”，行筛选与闸门不一致"
log = logging.getLogger("lakehouse.quality")


def run_gate(
    database: Path | duckdb.DuckDBPyConnection,
    table: str,
    *,
    catalog: Catalog,
    feed: Feed,
    rules: Sequence[CompiledRule],
    batch: BatchStats,
    now: datetime,
    docs_dir: Path | None = None,
) -> GateResult:
    """Ask the suite of ``feed`` about a batch.

    Args:
        database: a DuckDB file that may be open in this very process (never in another), or an open connection.
        table: table or view with the accepted rows, typed columns by field name.
        docs_dir: folder of Data Docs; the result waits there until `quality.data_docs.build_docs` renders it.

    Returns:
        ``stopped`` when a stop rule fails, a check breaks, or an accepted row breaks a rejecting rule; ``warned`` when
        a warning rule has something to say; else ``passed``. A failing rule is never raised.
    """
    import duckdb

    con = database.cursor() if isinstance(database, duckdb.DuckDBPyConnection) else duckdb.connect(str(database))
    try:
        _load_extensions(con, rules)
        findings = _measure(con, table, rules, batch)
        stated = [_state(rule, findings.get(rule.code)) for rule in rules]
        answers, document = run_suite(con, table, feed.id, stated)
    finally:
        con.close()
    results = tuple(_judge(rule, answers.get(rule.code), findings.get(rule.code), batch, now) for rule in rules)
    verdict, reason = verdict_of(results)
    gate = GateResult(verdict=verdict, results=results, reason=reason, rows=batch.rows_accepted)
    if docs_dir is not None:
        from quality.data_docs import keep

        labels = {f.name: f.label for f in catalog.fields(feed)}
        keep(docs_dir, feed, gate, batch, document, now, labels)
    return gate


def _load_extensions(con: duckdb.DuckDBPyConnection, rules: Sequence[CompiledRule]) -> None:
    """Load what rules need from the installed packages' files; nothing is downloaded or copied into a home folder."""
    needed = {e for rule in rules for e in rule.extensions}
    if needed:
        loaded = con.execute("SELECT extension_name FROM duckdb_extensions() WHERE loaded").fetchall()
        for name in sorted(needed - {row[0] for row in loaded}):
            folder = files(f"duckdb_extension_{name}") / "extensions"
            (path,) = (p for d in folder.iterdir() for p in d.iterdir() if p.name == f"{name}.duckdb_extension")
            con.execute(f"LOAD {literal(str(path))}")


def _measure(
    con: duckdb.DuckDBPyConnection, table: str, rules: Sequence[CompiledRule], batch: BatchStats
) -> dict[str, Finding | Exception]:
    """Every batch rule's number, each in its own statement so that an error names its rule."""
    import duckdb

    found: dict[str, Finding | Exception] = {}
    for rule in rules:
        if rule.scope != "batch":
            continue
        definition = all_rules()[rule.rule]
        assert isinstance(definition, BatchRule)
        try:
            found[rule.code] = definition.judge(rule.params, batch, _observed(con, table, rule))
        except duckdb.Error as e:
            log.error("batch rule %s of %s broke: %s", rule.code, batch.feed, type(e).__name__)
            found[rule.code] = e
    return found


def _observed(con: duckdb.DuckDBPyConnection, table: str, rule: CompiledRule) -> float | None:
    """The number of one batch rule, None when it is about the statistics only or there is nothing to measure."""
    if rule.measure_sql is None:
        return None
    if rule.measure_hashed is not None:
        repeated = repeated_hashes(con, rule.measure_hashed, quote(table))
        if repeated is not None and not len(repeated):
            return 0.0
    row = con.execute(f"SELECT ({rule.measure_sql}) FROM {quote(table)}").fetchone()  # noqa: S608
    return None if row is None or row[0] is None else float(row[0])


def _state(rule: CompiledRule, finding: Finding | Exception | None) -> Stated:
    expectation = rule.expectation
    if expectation["type"] == "expect_batch_measure_to_be_between":
        expectation = {"type": expectation["type"], "kwargs": {"measure": rule.code, "holds": False}}
        if isinstance(finding, Finding):
            limits = {"observed": finding.observed, "minimum": finding.minimum, "maximum": finding.maximum}
            expectation["kwargs"].update(limits, holds=finding.success)
    if expectation["type"] == "expect_no_row_to_break_rule":
        expectation = {"type": expectation["type"], "kwargs": {**expectation["kwargs"], "column": rule.columns[0]}}
    return Stated(
        code=rule.code,
        expectation=expectation,
        message=rule.message_zh,
        critical=rule.severity != "warn",
        meta={
            "severity": rule.severity,
            "party": rule.party,
            "dimension": rule.dimension,
            "columns": list(rule.columns),
            "grade": rule.grade,
        },
    )


def _judge(
    rule: CompiledRule, answer: Answer | None, finding: Finding | Exception | None, batch: BatchStats, now: datetime
) -> CheckResult:
    base = CheckResult(
        feed=batch.feed,
        receipt=batch.receipt,
        suite=batch.feed,
        code=rule.code,
        rule=rule.rule,
        label=rule.label,
        dimension=rule.dimension,
        severity=rule.severity,
        party=rule.party,
        scope=rule.scope,
        success=True,
        evaluated=None,
        unexpected=None,
        share=None,
        observed=None,
        minimum=None,
        maximum=None,
        message=rule.message_zh,
        exception=None,
        grade=rule.grade,
        checked_at=now,
    )
    broken = _broken(answer, finding)
    if broken is not None:
        return platform_fault(base, broken)
    assert answer is not None
    if isinstance(finding, Finding):
        message = finding.message if finding.success else f"{rule.message_zh}：{finding.message}"
        return replace(
            base,
            success=finding.success and answer.success,
            observed=finding.observed,
            minimum=finding.minimum,
            maximum=finding.maximum,
            message=message,
        )
    return _judge_rows(base, rule, answer, batch)


def _broken(answer: Answer | None, finding: Finding | Exception | None) -> str | None:
    """The kind of error that kept a check from answering."""
    if isinstance(finding, Exception):
        return type(finding).__name__
    if answer is None:
        return "no answer"
    return answer.exception


def _judge_rows(base: CheckResult, rule: CompiledRule, answer: Answer, batch: BatchStats) -> CheckResult:
    left = answer.unexpected or 0
    if left and rule.severity != "warn":
        message = _SPLIT_FAULT.format(count=left, message=rule.message_zh)
        return replace(
            base,
            success=False,
            severity="stop",
            party="platform",
            evaluated=answer.evaluated,
            unexpected=left,
            message=message,
        )
    failing = batch.row_failures.get(rule.code, left)
    share = failing / batch.rows_found if batch.rows_found else 0.0
    return replace(base, success=failing == 0, evaluated=batch.rows_found, unexpected=failing, share=share)

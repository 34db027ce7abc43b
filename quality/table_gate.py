"""The gate of built tables and of releases: suites asked through Great Expectations, answers made into verdicts."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from quality.gx_context import Answer, Stated, Suite, great_expectations, run_suites
from quality.table_rules.base import CompiledTableRule
from quality.verdict import CheckResult, GateResult, platform_fault, verdict_of

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger("lakehouse.quality")
_KINDS = {
    "resident_id": "公民身份号码",
    "resident_id_15": "15 位身份号码",
    "mobile": "手机号码",
    "bank_card": "银行卡号",
    "person_name": "姓名",
    "address": "住址",
    "plate": "车牌号",
    "coordinate": "坐标",
    "uscc": "统一社会信用代码",
    "fixed_phone": "固定电话",
}
_CONTENT = {"no_identifiers", "sensitive_content", "content_scanned"}


@dataclass(frozen=True)
class TableSuite:
    """What is asked about one relation.

    Attributes:
        subject: ``schema.table`` or product, in column ``feed`` of ``platform.validations``.
        suite: ``library:…``, ``mart:…`` or ``release:…``.
        relation: view in DuckDB's main schema.
        evidence: check code, or name of evidence, to arguments added to the expectation.
    """

    subject: str
    suite: str
    relation: str
    rules: tuple[CompiledTableRule, ...]
    title: str = ""
    evidence: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class TableVerdict:
    """What became of one suite.

    Attributes:
        profile: check code to the number or shares that later builds compare with.
        answers: by rule code.
    """

    suite: TableSuite
    gate: GateResult
    document: Any
    profile: Mapping[str, Any]
    answers: Mapping[str, Answer] = field(default_factory=dict)


def run_table_suites(
    con: duckdb.DuckDBPyConnection, suites: Sequence[TableSuite], *, receipt: str, now: datetime
) -> list[TableVerdict]:
    """Ask every suite, in one context of Great Expectations.

    Args:
        con: has the relations as views of its main schema.
        receipt: of the build or release, for ``platform.validations``.
    """
    if not suites:
        return []
    stated = [Suite(s.relation, s.suite, [state(rule, s) for rule in s.rules]) for s in suites]
    great_expectations(tables=True)
    asked = run_suites(con, stated)
    found = zip(suites, asked, strict=True)
    return [verdict_from(s, answers, document, receipt, now) for s, (answers, document) in found]


def state(rule: CompiledTableRule, suite: TableSuite) -> Stated:
    """A rule of ``suite`` with its evidence, as it is asked."""
    added = suite.evidence.get(rule.code) or suite.evidence.get(rule.evidence) or {}
    return Stated(
        code=rule.code,
        expectation={"type": rule.expectation["type"], "kwargs": {**rule.expectation["kwargs"], **added}},
        message=rule.message_zh,
        critical=rule.severity == "stop",
        meta={
            "severity": rule.severity,
            "party": rule.party,
            "dimension": rule.dimension,
            "columns": list(rule.columns),
            "grade": rule.grade,
        },
    )


def verdict_from(
    suite: TableSuite, answers: Mapping[str, Answer], document: Any, receipt: str, now: datetime
) -> TableVerdict:
    """What follows from answers, by rule code; a rule without one stops, by a fault of the platform.

    Args:
        document: the validation result for the Data Docs.
    """
    results = tuple(_judge(rule, answers.get(rule.code), suite, receipt, now) for rule in suite.rules)
    verdict, reason = verdict_of(results)
    rows = max((r.evaluated or 0 for r in results), default=0)
    profile = {
        rule.code: answer.details if rule.rule == "distribution_shift" else answer.observed
        for rule in suite.rules
        if rule.evidence == "history" and (answer := answers.get(rule.code)) is not None and answer.exception is None
    }
    gate = GateResult(verdict=verdict, results=results, reason=reason, rows=rows)
    return TableVerdict(suite, gate, document, {k: v for k, v in profile.items() if v is not None}, dict(answers))


def _judge(
    rule: CompiledTableRule, answer: Answer | None, suite: TableSuite, receipt: str, now: datetime
) -> CheckResult:
    base = CheckResult(
        feed=suite.subject,
        receipt=receipt,
        suite=suite.suite,
        code=rule.code,
        rule=rule.rule,
        label=rule.label,
        dimension=rule.dimension,
        severity=rule.severity,
        party=rule.party,
        scope="batch",
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
    broken = "no answer" if answer is None else answer.exception
    if answer is None or broken is not None:
        log.error("check %s of %s broke: %s", rule.code, suite.suite, broken)
        return platform_fault(base, broken or "no answer")
    share = answer.unexpected / answer.evaluated if answer.unexpected is not None and answer.evaluated else None
    return replace(
        base,
        success=answer.success,
        evaluated=answer.evaluated,
        unexpected=answer.unexpected,
        share=min(share, 1.0) if share is not None else None,
        observed=answer.observed if answer.observed is not None else _as_float(answer.unexpected),
        message=rule.message_zh if answer.success else _said(rule, answer),
    )


def _as_float(number: int | None) -> float | None:
    return None if number is None else float(number)


def _said(rule: CompiledTableRule, answer: Answer) -> str:
    """The rule's message with the numbers of this failure."""
    if rule.rule in _CONTENT:
        places = (key.rpartition(" ") for key in answer.details)
        found = [f"列 {c}：{_KINDS.get(k, k)} {answer.details[f'{c} {k}']:,.0f} 处" for c, _, k in places]
        return f"{rule.message_zh}（{'；'.join(found)}）"
    if rule.rule == "inputs_fresh":
        late = "、".join(f"{feed} 已 {hours:.0f} 小时" for feed, hours in answer.details.items())
        return f"{rule.message_zh}（{late}）"
    if rule.rule in ("k_anonymity", "l_diversity"):
        failing, groups = answer.details.get("failing", 0), answer.details.get("groups", 0)
        return f"{rule.message_zh}（{failing:,.0f} 组，共 {groups:,.0f} 组）"
    if "change_pct" in answer.details:
        return f"{rule.message_zh}（{answer.observed or 0:,.6g}，变化 {answer.details['change_pct']:+.1f}%）"
    if answer.unexpected is not None:
        return f"{rule.message_zh}（{answer.unexpected:,} 行）"
    return f"{rule.message_zh}（{answer.observed:,.4g}）" if answer.observed is not None else rule.message_zh

"""What a gate says: one result a rule, and the verdict they come to. Counts only, no value of a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from catalog.model import Dimension, Party, Severity
from quality.rules.base import Scope

if TYPE_CHECKING:
    import pyarrow as pa

Verdict = Literal["passed", "warned", "stopped"]
_PLATFORM_FAULT = "平台故障：检查本身出错（{kind}），整批停下；请联系平台维护人员，来源数据未被判错"


@dataclass(frozen=True)
class CheckResult:
    """One rule of one batch; a row of ``platform.validations``.

    Attributes:
        severity: ``stop`` also when the check itself broke, whatever the contract says.
        party: whose fault a breach is; ``platform`` when the check itself broke.
        success: nothing found failed. A rejected row is a failure of its rule although the batch passes.
        evaluated, unexpected, share: row rules: rows found, rows failing, and their quotient (0-1).
        observed, minimum, maximum: batch rules: the measured number and its limits.
        exception: kind of error inside the check.
    """

    feed: str
    receipt: str
    suite: str
    code: str
    rule: str
    label: str
    dimension: Dimension
    severity: Severity
    party: Party
    scope: Scope
    success: bool
    evaluated: int | None
    unexpected: int | None
    share: float | None
    observed: float | None
    minimum: float | None
    maximum: float | None
    message: str
    exception: str | None
    grade: int
    checked_at: datetime


@dataclass(frozen=True)
class GateResult:
    """What the gate says of a batch. ``reason``: Chinese, why it was stopped or warned, empty when it passed."""

    verdict: Verdict
    results: tuple[CheckResult, ...]
    reason: str
    rows: int

    def to_arrow(self) -> pa.Table:
        """The results as rows of ``platform.validations``, also when there are none."""
        import pyarrow as pa

        schema = validations_schema()
        return pa.Table.from_pylist([r.__dict__ for r in self.results], schema=schema)


def validations_schema() -> pa.Schema:
    """Schema of ``platform.validations``; one row a rule and batch."""
    import pyarrow as pa

    text, number = pa.string(), pa.float64()
    return pa.schema(
        [
            *((name, text) for name in ("feed", "receipt", "suite", "code", "rule", "label")),
            *((name, text) for name in ("dimension", "severity", "party", "scope")),
            ("success", pa.bool_()),
            ("evaluated", pa.int64()),
            ("unexpected", pa.int64()),
            *((name, number) for name in ("share", "observed", "minimum", "maximum")),
            ("message", text),
            ("exception", text),
            ("grade", pa.int64()),
            ("checked_at", pa.timestamp("us", tz="UTC")),
        ]
    )


def platform_fault(base: CheckResult, broken: str) -> CheckResult:
    """``base`` as the answer of a check that broke: it stops, and nobody but the platform is to blame."""
    return replace(
        base,
        success=False,
        severity="stop",
        party="platform",
        exception=broken,
        message=_PLATFORM_FAULT.format(kind=broken),
    )


def verdict_of(results: Sequence[CheckResult]) -> tuple[Verdict, str]:
    """The verdict of all results of a suite and, unless it passed, why."""
    stopped = [r for r in results if not r.success and r.severity == "stop"]
    if stopped:
        return "stopped", "；".join(f"{r.code}：{r.message}" for r in stopped)
    warned = [r for r in results if not r.success and r.severity == "warn"]
    if warned:
        return "warned", "；".join(f"{r.code}：{r.message}" for r in warned)
    return "passed", ""

"""The checkpoint of releases: the rows and files about to leave are asked the suite of their product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import ReleaseRefused
from catalog.model import Product
from catalog.settings import Settings
from quality.masks import all_masks
from quality.table_rules import CompiledTableRule, TableColumn, TableContext, TableRuleUse, compile_table_rule
from warehouse.checkpoints import record
from warehouse.release_formats import Job, csv_relation
from warehouse.release_plan import Plan
from warehouse.release_scan import refuse_content, scan_release
from warehouse.release_watermark import Copy, refuse_unmarked

if TYPE_CHECKING:
    from quality.verdict import GateResult

ROWS, FILE = "release_rows", "release_file"


def compile_release(
    plan: Plan, *, geometries: Sequence[str] = (), is_marked: bool = False, had_rows: bool = False
) -> tuple[CompiledTableRule, ...]:
    """The suite of a product: what is declared of its columns, masks, groups and watermark.

    Args:
        geometries: columns whose bytes hold no text.
        is_marked: each copy carries a watermark.
        had_rows: the last release was not empty, so this one may not be.
    """
    product = plan.product
    columns = {c.name: TableColumn(c.name, c.label, grade=c.grade) for c in plan.columns}  # type: ignore[arg-type]
    masks = {
        c.name: (c.mask, product.columns[c.name].mask_params)
        for c in plan.columns
        if c.mask in all_masks() and c.name in product.columns
    }
    context = TableContext(product.id, "release", ROWS, columns, product.order_by, masks=masks)
    texts = {name: c for name, c in columns.items() if name not in geometries}
    looked = TableContext(product.id, "release", ROWS, texts)
    uses = [
        TableRuleUse(rule="columns_declared", params={"columns": list(columns)}),
        TableRuleUse(rule="not_empty", severity="stop" if had_rows else "warn"),
        TableRuleUse(rule="row_count_shift"),
        TableRuleUse(rule="mask_applied"),
        *([TableRuleUse(rule="watermark_present")] if is_marked else []),
        *_groups(product),
    ]
    compiled = [rule for use in uses for rule in compile_table_rule(use, context)]
    return (*compiled, *compile_table_rule(TableRuleUse(rule="content_scanned"), looked))


def _groups(product: Product) -> list[TableRuleUse]:
    spec = product.anonymity
    if spec is None:
        return []
    shared = {"quasi": list(spec.quasi), "count": spec.count}
    uses = [TableRuleUse(rule="k_anonymity", params={**shared, "k": spec.k})]
    if spec.sensitive and spec.l > 1:
        uses.append(TableRuleUse(rule="l_diversity", params={**shared, "sensitive": spec.sensitive, "l": spec.l}))
    return uses


class ReleaseGate:
    """Asks the suite about each copy of one release, and keeps every answer, also of a release that is refused."""

    def __init__(self, settings: Settings, version: str, now: datetime, last: Mapping[str, Any] | None) -> None:
        self._settings, self._version, self._now = settings, version, now
        self._rows_before = int(last["rows"]) if last else None
        self.asked = self.failed = 0
        self.verdict = "passed"

    def check(self, copy: Copy) -> list[dict[str, Any]]:
        """Scan and ask a copy that was written; returns what the scanner found.

        Raises:
            ReleaseRefused: it may not leave; every answer is kept.
        """
        findings = scan_release(copy.job, copy.files)
        asked = self.ask(copy.job, copy.files, findings, recipient=copy.recipient, is_marked=copy.is_named)
        refuse_content(copy.job, findings)
        refuse_unmarked(copy)
        _require(asked, copy.job)
        return findings

    def ask(
        self,
        job: Job,
        files: Mapping[str, Path],
        findings: Sequence[Mapping[str, Any]] | None,
        *,
        recipient: str = "",
        is_marked: bool | None = None,
    ) -> GateResult:
        """Ask about one copy.

        Args:
            files: format to file; the CSV is asked for its columns where there is one.
            findings: what the scanner found in the bytes, None to scan the rows now.
            recipient: whose copy it is.
            is_marked: whether reading the copy back named its recipient alone; None for a copy without a mark.
        """
        from quality.table_gate import TableSuite, run_table_suites

        product, con = job.plan.product, job.con
        con.execute(f"CREATE OR REPLACE VIEW {ROWS} AS FROM {job.rows_sql}")
        con.execute(f"CREATE OR REPLACE VIEW {FILE} AS FROM {csv_relation(files['csv']) if 'csv' in files else ROWS}")
        geometries = [c for c in job.types if job.is_geometry(c)]
        rules = compile_release(
            job.plan, geometries=geometries, is_marked=is_marked is not None, had_rows=bool(self._rows_before)
        )
        evidence: dict[str, dict[str, Any]] = {"watermark": {"observed": float(bool(is_marked))}}
        if self._rows_before is not None:
            evidence["row_count_shift"] = {"history": [float(self._rows_before)]}
        if findings is not None:
            found = [[f["column"], f["kind"], f["hits"], f["grade"]] for f in findings]
            evidence["content"] = {"found": found}
        suite = TableSuite(product.id, f"release:{product.id}", FILE, rules, product.title, evidence)
        receipt = f"{self._version}-{self._now:%H%M%S}{f'-{recipient}' if recipient else ''}"
        (verdict,) = run_table_suites(con, [suite], receipt=receipt, now=self._now)
        labels = {c.name: c.label for c in job.plan.columns}
        record(self._settings, [verdict], receipt, self._now, {suite.suite: labels})
        gate = verdict.gate
        self.asked += len(gate.results)
        self.failed += sum(not r.success for r in gate.results)
        self.verdict = max(self.verdict, gate.verdict, key=("passed", "warned", "stopped").index)
        return gate

    def described(self) -> dict[str, Any]:
        """For the manifest."""
        return {"verdict": self.verdict, "rules": self.asked, "failed": self.failed}


def _require(gate: GateResult, job: Job) -> None:
    """Refuse a copy that its suite stopped.

    Raises:
        ReleaseRefused: with the reason in Chinese.
    """
    if gate.verdict == "stopped":
        product = job.plan.product
        raise ReleaseRefused(
            f"product {product.id} is stopped by its gate: {gate.reason}",
            hint="nothing was released and the last release stays; see the Data Docs for every rule",
            product=product.id,
        )

"""The content scan at arrival: what a column holds may not be graded higher than the column says.

Content beats names: resident IDs stand in credit-code columns of real open data. Every text column declared below
the grade the scanner could find is looked at before anything of a delivery is visible. Where a hundredth or more of
a column's values is graded higher, or the column as a whole is (names, home addresses, illnesses), the batch is
stopped; below that the rows that hold it go to quarantine and the others load.
"""

# ruff: noqa: S608 - every name comes from a validated contract and is quoted
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from catalog.model import ResolvedField
from catalog.settings import Settings
from ingestion.landing import Receipt
from ingestion.stage import CONTENT_RULE, Staged
from quality.scanner import ColumnFinding, scan_table
from quality.scanner_kinds import CELL_KINDS, GAP, GRADES, KIND_LABELS
from quality.sql import literal, quote

if TYPE_CHECKING:
    import duckdb

    from quality.verdict import CheckResult, GateResult

STOP_SHARE = 0.01
"""From this share of a column's values on the batch is stopped; below it the rows are quarantined."""
SAMPLE_ROWS = 100_000
"""Larger deliveries are sampled first: of content in a thousandth of the values about a hundred are then seen
(missed with a chance of e^-100), and what is seen is counted in every row. Numbers that say enough by themselves are
looked for in every row all the same, by `ONE_IS_ENOUGH`: a sample does not see five IDs in a million."""
ONE_IS_ENOUGH = f"[0-9]{{6}}{GAP}?(?:19|20)[0-9]{{6}}{GAP}?[0-9]{{3}}[0-9Xx]|1[3-9][0-9]{{9}}"
"""The common forms of a resident ID and of a mobile number; whether they are any is judged by the scanner then."""
ONE_LENGTH = 11
"""Characters of the shorter, the mobile number."""
EXTRA_GRADE = 1
"""Columns a drifting source added carry no grade yet and are held to the lowest."""
HIGHEST = max(GRADES.values())
_CELLS = "_content_cells"


@dataclass(frozen=True)
class ContentCheck:
    """What was found above its grade. ``reason``: Chinese, why the batch stops, empty when it does not."""

    results: tuple[CheckResult, ...] = ()
    reason: str = ""

    def on(self, gate: GateResult) -> GateResult:
        """The gate's answer with these results among it."""
        if not self.results:
            return gate
        if self.reason:
            reasons = [self.reason, gate.reason] if gate.verdict == "stopped" else [self.reason]
            gate = replace(gate, verdict="stopped", reason="；".join(reasons))
        return replace(gate, results=(*gate.results, *self.results))


def check_content(
    staged: Staged, at: datetime, *, remember_raw: Callable[[], None] | None = None, may_stop: bool = True
) -> ContentCheck:
    """Look at the accepted rows; rows with single graded values are put among the losers (quarantined).

    Args:
        at: the day for which somebody is under age, and the time of the results.
        remember_raw: keeps the raw values of the losers; called when there are any.
        may_stop: False puts every such row apart instead of stopping (a replay has no batch to stop).
    """
    con = staged.con
    fields = {f.name: f for f in staged.plan.fields if f.type == "string" and not f.code_list and f.grade < HIGHEST}
    grades: dict[str, int] = {n: f.grade for n, f in fields.items()} | dict.fromkeys(staged.plan.kept, EXTRA_GRADE)
    if not grades or not staged.rows_accepted:
        return ContentCheck()
    headers = {n: f"{n} {f.label}" for n, f in fields.items()}
    columns = ", ".join(quote(n) for n in grades)
    rows = "staged WHERE _state = 0 AND rowid NOT IN (SELECT r FROM _losers)"
    con.execute(f"CREATE OR REPLACE TEMP VIEW _content AS SELECT rowid AS _r, {columns} FROM {rows}")
    suspects = list(grades)
    if staged.rows_accepted > SAMPLE_ROWS:
        every = staged.rows_accepted // SAMPLE_ROWS + 1
        con.execute(f"CREATE OR REPLACE TEMP VIEW _sample AS SELECT * FROM _content WHERE hash(_r) % {every} = 0")
        seen = scan_table(con, "_sample", columns=suspects, headers=headers, on=at.date(), key="_r")
        suspects = [c for c in grades if any(f.column == c and f.grade > grades[c] for f in seen)]
        suspects += _with_numbers(con, [c for c in grades if c not in suspects])
    con.execute(f"CREATE OR REPLACE TEMP TABLE {_CELLS} (cell BIGINT, col VARCHAR, kind VARCHAR)")
    found = scan_table(con, "_content", columns=suspects, headers=headers, on=at.date(), key="_r", cells=_CELLS)
    worst: dict[str, ColumnFinding] = {}
    for finding in found:
        if finding.grade > grades[finding.column]:
            worst.setdefault(finding.column, finding)
    results = tuple(_result(staged, f, grades[f.column], fields, at, may_stop) for f in worst.values())
    if not all(_stops(f, may_stop) for f in worst.values()):
        _set_apart(con, grades, worst, may_stop)
        if remember_raw is not None:
            remember_raw()
        staged.view()
    stops = [r for r in results if r.severity == "stop"]
    return ContentCheck(results, "；".join(f"{r.code}：{r.message}" for r in stops))


def _with_numbers(con: duckdb.DuckDBPyConnection, columns: list[str]) -> list[str]:
    """Columns in which anything has the form of an ID or mobile number, wherever it stands."""
    if not columns:
        return []
    # one CASE in another: what is too short, in bytes and then in characters, never comes to the regular expression
    forms = ", ".join(
        f"bool_or(CASE WHEN strlen({c}) >= {ONE_LENGTH} THEN CASE WHEN length({c}) >= {ONE_LENGTH} "
        f"THEN regexp_matches({c}, '{ONE_IS_ENOUGH}') END END)"
        for c in map(quote, columns)
    )
    found = con.execute(f"SELECT {forms} FROM _content").fetchall()[0]
    return [c for c, yes in zip(columns, found, strict=True) if yes]


def report(settings: Settings, receipt: Receipt, check: ContentCheck, at: datetime) -> None:
    """Write an audit event for every column that held more than it may."""
    if not check.results:
        return
    from warehouse.audit import AuditLog

    events = [
        (
            "content.graded_higher",
            {
                "feed": receipt.feed,
                "receipt": receipt.id,
                "column": r.code.removesuffix(f".{CONTENT_RULE}"),
                "hits": r.unexpected,
                "share": r.share,
                "declared": r.grade,
                "found": int(r.observed or 0),
                "verdict": "stopped" if r.severity == "stop" else "quarantined",
            },
        )
        for r in check.results
    ]
    AuditLog(settings, actor="ingestion").append_all(events, at=at)


def _stops(finding: ColumnFinding, may_stop: bool) -> bool:
    return finding.kind not in CELL_KINDS or (may_stop and finding.share >= STOP_SHARE)


def _set_apart(
    con: duckdb.DuckDBPyConnection, grades: Mapping[str, int], worst: Mapping[str, ColumnFinding], may_stop: bool
) -> None:
    """Put the rows of columns that do not stop the batch among the losers, each under one column's rule."""
    columns = [c for c, f in worst.items() if not _stops(f, may_stop)]
    graver = " OR ".join(
        f"(col = {literal(c)} AND kind IN ({', '.join(literal(k) for k in CELL_KINDS if GRADES[k] > grades[c])}))"
        for c in columns
    )
    con.execute(
        f"INSERT INTO _losers SELECT s.rowid, s._row_number, s._part, min(h.col) || '.{CONTENT_RULE}' "
        f"FROM {_CELLS} h JOIN staged s ON s.rowid = h.cell WHERE {graver} GROUP BY 1, 2, 3"
    )


def _result(
    staged: Staged, f: ColumnFinding, declared: int, fields: Mapping[str, ResolvedField], at: datetime, may_stop: bool
) -> CheckResult:
    from quality.verdict import CheckResult

    label = fields[f.column].label if f.column in fields else f.column
    stops = _stops(f, may_stop)
    message = (
        f"字段 {f.column}（{label}）申报为 {declared} 级，其中 {f.hits} 个值（{f.share:.2%}）是{KIND_LABELS[f.kind]}，"
        f"应为 {f.grade} 级；{'整批停下' if stops else '这些行已隔离'}。"
        "请把该字段改用相应数据元或提高定级，或由提供方去除这些内容后重报"
    )
    return CheckResult(
        feed=staged.feed.id,
        receipt=staged.receipt,
        suite=staged.feed.id,
        code=f"{f.column}.{CONTENT_RULE}",
        rule=CONTENT_RULE,
        label=label,
        dimension="validity",
        severity="stop" if stops else "reject",
        party="source",
        scope="batch" if stops else "row",
        success=False,
        evaluated=staged.rows_found,
        unexpected=f.hits,
        share=f.share,
        observed=float(f.grade),
        minimum=None,
        maximum=float(declared),
        message=message,
        exception=None,
        grade=declared,
        checked_at=at,
    )

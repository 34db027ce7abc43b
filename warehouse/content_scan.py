"""The weekly scan: what libraries, marts and extracts hold, against the grades their columns declare.

What a delivery brought was looked at when it arrived; this finds what came in below the sample, what a model brought
together, and what a changed scanner knows now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from catalog.registry import Catalog
from catalog.settings import Settings
from quality.scanner import ColumnFinding, scan_table
from quality.scanner_kinds import KIND_LABELS
from quality.verdict import CheckResult, validations_schema
from warehouse import duck
from warehouse.model_grades import column_grades, table_grade
from warehouse.tables import TableRef, list_tables, table_lock

LAYERS = ("library", "mart", "extract")


@dataclass(frozen=True)
class TableScan:
    """What one table holds.

    Attributes:
        table: ``schema.table``; rows: of its present version.
        findings: all of them; too_high: those graded higher than their column declares.
    """

    table: str
    rows: int
    findings: tuple[ColumnFinding, ...]
    too_high: tuple[CheckResult, ...]


def scan_all(
    settings: Settings, catalog: Catalog, *, now: datetime, on_table: Callable[[TableScan], None] | None = None
) -> list[TableScan]:
    """Scan every table of the layers that are read, and write one result a table and fault to ``platform.validations``.

    Args:
        now: the day for which somebody is under age, and the time of the results.
        on_table: called after each table.
    """
    import pyarrow as pa

    from warehouse.delta import append_rows

    done: list[TableScan] = []
    results: list[CheckResult] = []
    for ref in list_tables(settings):
        if ref.layer not in LAYERS:
            continue
        scan = _scan(catalog, ref, now)
        done.append(scan)
        results += scan.too_high or (_result(ref, None, 0, scan.rows, now),)
        if on_table is not None:
            on_table(scan)
    if results:
        rows = pa.Table.from_pylist([r.__dict__ for r in results], schema=validations_schema())
        with table_lock(settings, "platform.validations"):
            append_rows(settings.platform_path("validations"), rows)
    return done


def _scan(catalog: Catalog, ref: TableRef, now: datetime) -> TableScan:
    from warehouse.delta import row_count, scan_sql

    con = duck.connect()
    try:
        con.execute(f"CREATE TEMP VIEW looked_at AS SELECT * FROM {scan_sql(con, ref.path)}")  # noqa: S608
        findings = scan_table(con, "looked_at", on=now.date())
    finally:
        con.close()
    rows = row_count(ref.path)
    grades, whole = column_grades(ref.sql_name), table_grade(ref.sql_name) or 1
    product = catalog.products.get(ref.name) if ref.layer == "extract" else None
    too_high: dict[str, CheckResult] = {}
    for finding in findings:
        declared = product.max_grade if product else grades.get(finding.column, whole)
        if finding.grade > declared:
            too_high.setdefault(finding.column, _result(ref, finding, declared, rows, now))
    return TableScan(ref.sql_name, rows, tuple(findings), tuple(too_high.values()))


def _result(ref: TableRef, found: ColumnFinding | None, declared: int, rows: int, now: datetime) -> CheckResult:
    """The result of a table, or of one column that holds too much; the house's own fault, not a source's."""
    column = found.column if found else ""
    message = "内容级别不高于申报级别"
    if found:
        message = (
            f"{ref.sql_name} 的列 {column} 申报为 {declared} 级，其中 {found.hits} 个值（{found.share:.2%}）是"
            f"{KIND_LABELS[found.kind]}，应为 {found.grade} 级；请提高定级、在模型中遮蔽，或更正来源"
        )
    return CheckResult(
        feed=ref.sql_name,
        receipt=f"scan:{now:%Y%m%dT%H%M%SZ}",
        suite=f"scan:{ref.sql_name}",
        code=f"{column}.content_grade" if found else "content_grade",
        rule="content_grade",
        label=column or ref.sql_name,
        dimension="validity",
        severity="stop",
        party="platform",
        scope="batch",
        success=found is None,
        evaluated=rows,
        unexpected=found.hits if found else 0,
        share=found.share if found else 0.0,
        observed=float(found.grade) if found else None,
        minimum=None,
        maximum=float(declared) if found else None,
        message=message,
        exception=None,
        grade=declared or 1,
        checked_at=now,
    )

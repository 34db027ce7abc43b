"""Looks at the very bytes that are about to leave, whatever the declared grades say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from catalog.errors import ReleaseRefused
from warehouse.duck import quote
from warehouse.release_formats import Job, csv_relation

PERSONAL_GRADE = 3


def scan_release(job: Job, files: dict[str, Path]) -> list[dict[str, Any]]:
    """Scan the written values; returns column, kind, hits and grade of what was found.

    The CSV is scanned where there is one, as text like anybody will read it; every other file was compared with
    the same rows value by value.
    """
    from quality.scanner import scan_table

    relation = csv_relation(files["csv"]) if "csv" in files else job.rows_sql
    columns = ", ".join(quote(c) for c in job.types if not job.is_geometry(c))
    job.con.execute(f"CREATE OR REPLACE TEMP VIEW leaving AS SELECT {columns} FROM {relation}")  # noqa: S608
    found = scan_table(job.con, "leaving")
    return [{"column": f.column, "kind": f.kind, "hits": f.hits, "grade": f.grade} for f in found]


def refuse_content(job: Job, findings: list[dict[str, Any]]) -> None:
    """Hold what was found against the declared grades.

    Raises:
        ReleaseRefused: a column holds personal data of a higher grade than it is released with.
    """
    grades = {c.name: c.grade for c in job.plan.columns}
    for finding in findings:
        if finding["grade"] >= PERSONAL_GRADE and finding["grade"] > grades[finding["column"]]:
            raise ReleaseRefused(
                f"column {finding['column']} holds {finding['hits']} values that look like {finding['kind']}",
                hint="mask or drop the column, or correct its data; nothing was released",
                product=job.plan.product.id,
                column=finding["column"],
                grade=finding["grade"],
            )


def check_groups(job: Job) -> dict[str, Any]:
    """Hold the rows about to leave against the product's ``anonymity``; returns what was found.

    Raises:
        ReleaseRefused: a group is smaller than ``k`` or its sensitive value can be read off it.
    """
    from quality.anonymity import examine

    product = job.plan.product
    assert product.anonymity is not None
    spec = product.anonymity
    found = examine(job.con, job.rows_sql, spec)
    if not found.ok:
        fault = f"{found.below_k} groups of fewer than {spec.k} persons (k-anonymity)"
        if not found.below_k:
            fault = f"{found.below_l} groups with fewer than {spec.l} values of {spec.sensitive} (l-diversity)"
        raise ReleaseRefused(
            f"product {product.id} may not leave: by {', '.join(spec.quasi)} it has {fault}",
            hint="generalise or drop one of these columns, or set suppress: true",
            product=product.id,
            smallest=found.smallest,
        )
    return {**spec.model_dump(), "groups": found.groups, "smallest": found.smallest}

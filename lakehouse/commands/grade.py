"""Commands on grades: what flows where, and whether the models hold to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse.context import both, leave, utc_now

if TYPE_CHECKING:
    from catalog.registry import Catalog
    from quality.lineage import ColumnGrade, GradeReport, TableGrade

app = typer.Typer(
    help="Grades: lineage, check, controls (after DB11/T 1918-2021; no conformity is claimed).",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


def _report() -> tuple[GradeReport, Catalog]:
    from warehouse.dbt_build import grade_report

    settings, catalog = both()
    return grade_report(settings, catalog, on=utc_now().date()), catalog


@app.command()
def check(as_json: Json = False) -> None:
    """Hold every model, and every product, to the grades that flow into it. Nothing is built."""
    from lakehouse.present import print_json, print_table
    from warehouse.grade_check import check_products

    report, catalog = _report()
    problems = [*report.problems, *check_products(report, catalog)]
    if as_json:
        tables = [{**t.model_dump(exclude={"columns", "predicates"}), "columns": len(t.columns)} for t in report.tables]
        print_json({"tables": tables, "problems": problems})
    else:
        rows = [(t.table, t.declared, t.computed, len(t.columns), t.raised_by) for t in report.tables]
        title = f"grades of {len(rows)} models: {len(problems)} problems"
        print_table(title, ("table", "declared", "computed", "columns", "raised by"), rows)
        for problem in problems:
            typer.echo(f"✗ {problem.message}\n  → {problem.hint}", err=True)
    leave(2 if problems else 0)


@app.command()
def lineage(
    model: Annotated[str, typer.Argument(help="schema.table or schema.table.column")],
    as_json: Json = False,
) -> None:
    """Show which columns a model's columns derive from, their grades, and what lowered them."""
    from lakehouse.present import print_json, print_table

    table, columns = _find(_report()[0], model)
    if as_json:
        print_json({**table.model_dump(), "columns": columns})
        return
    title = f"{table.table}: grade {table.declared}"
    if table.raised_by:
        title += f", raised to {table.computed} by {table.raised_by} ({', '.join(table.quasi)})"
    rows = [(c.column, c.grade, c.computed, ", ".join(c.lowered), _origins(c)) for c in columns]
    predicates = ", ".join(f"{name} ({grade})" for name, grade in sorted(table.predicates.items()))
    caption = f"rows are chosen by: {predicates}" if predicates else ""
    print_table(title, ("column", "grade", "computed", "lowered by", "derives from"), rows, caption=caption)
    if len(columns) == 1:
        typer.echo(columns[0].path)


@app.command()
def controls(
    level: Annotated[int, typer.Argument(min=1, max=4)],
    stage: Annotated[str | None, typer.Argument(help="collect, store, share, use or destroy; default all")] = None,
    as_json: Json = False,
) -> None:
    """List what must be done with data of a level, and the code and tests that do it."""
    from lakehouse.present import print_json, print_table

    _, catalog = both()
    grading = catalog.grading
    found = grading.controls(level, stage, on=utc_now().date())
    if as_json:
        print_json(found)
        return
    rows = [(grading.stages[c.stage], c.id, c.text, "\n".join(c.enforced_by or ()) or f"（{c.why}）") for c in found]
    title = f"{grading.levels.levels[level].label}: {len(rows)} controls"  # type: ignore[index]
    print_table(title, ("阶段", "编号", "要求", "由何实施"), rows)


def _find(report: GradeReport, name: str) -> tuple[TableGrade, tuple[ColumnGrade, ...]]:
    """A model, and the columns asked for; UnknownName lists near ones."""
    from difflib import get_close_matches

    from catalog.errors import UnknownName

    wanted = name.replace("__", ".", 1) if "__" in name.split(".")[0] else name  # a model's file name will do
    for table in report.tables:
        if wanted == table.table:
            return table, table.columns
        if wanted.startswith(f"{table.table}."):
            columns = tuple(c for c in table.columns if c.column == wanted.removeprefix(f"{table.table}."))
            if columns:
                return table, columns
    names = [t.table for t in report.tables] + [f"{c.table}.{c.column}" for t in report.tables for c in t.columns]
    near = get_close_matches(wanted, names, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else "lakehouse grade check lists them"
    raise UnknownName(f"there is no model or column {name!r}", hint=hint)


def _origins(column: ColumnGrade) -> str:
    return "\n".join(f"{name} ({grade})" for name, grade in column.inputs.items())


@app.command()
def scan(
    target: Annotated[
        str | None, typer.Argument(metavar="FILE|TABLE", help="A file, or schema.table of the lake.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every library, mart and extract, against its grades.")] = False,
    as_json: Json = False,
) -> None:
    """Say what personal content a file or table holds, by its values; examples are masked.

    With --all, exit code 1 when a column holds more than its grade; results go to platform.validations.
    """
    from pathlib import Path

    from catalog.errors import UnknownName
    from ingestion.scan import scan_file, scan_lake_table
    from lakehouse.context import get_settings
    from lakehouse.present import note, print_json, print_table

    if every == bool(target):
        raise UnknownName("give a file, a table, or --all", hint="lakehouse grade scan --all")
    if target is None:
        _scan_all(as_json)
        return
    if Path(target).is_file():
        findings, rows, complete = scan_file(Path(target))
    else:
        findings, rows = scan_lake_table(get_settings(), target)
        complete = True
    if as_json:
        print_json(findings)
        return
    print_table(
        f"{target}: {rows} rows",
        ("column", "kind", "hits", "share", "grade", "examples (masked)"),
        [(f.column, f.kind, f.hits, round(f.share, 4), f.grade, "、".join(f.examples_masked)) for f in findings],
    )
    if not complete:
        note(f"only the first {rows} records were looked at")


def _scan_all(as_json: bool) -> None:
    from lakehouse.present import print_json, print_table
    from warehouse.content_scan import scan_all

    settings, catalog = both()
    done = scan_all(settings, catalog, now=utc_now())
    too_high = [r for s in done for r in s.too_high]
    if as_json:
        print_json(
            {
                "tables": [{"table": s.table, "rows": s.rows, "findings": s.findings} for s in done],
                "too_high": [{"table": r.feed, "message": r.message, "declared": r.grade} for r in too_high],
            }
        )
    else:
        rows = [
            (s.table, s.rows, ", ".join(f"{f.column}: {f.kind}" for f in s.findings), len(s.too_high)) for s in done
        ]
        print_table(
            f"{len(done)} tables, {len(too_high)} columns above their grade",
            ("table", "rows", "found", "above its grade"),
            rows,
        )
        for result in too_high:
            typer.echo(f"✗ {result.message}", err=True)
    leave(1 if too_high else 0)

"""Commands on the catalog: lint and compile."""

from __future__ import annotations

from typing import Annotated

import typer

from lakehouse.context import both, leave

app = typer.Typer(help="Contracts, dictionary, code lists.", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


@app.command()
def lint(as_json: Json = False) -> None:
    """Check every contract, compile every target, and say which compiled files are stale."""
    from ingestion.sources.registry import connector_of
    from lakehouse.compiled import ROOT, stale_files
    from lakehouse.present import print_json, print_table
    from quality.rules import compile_rules
    from warehouse.grants import check_grants
    from warehouse.model_grades import PROJECT
    from warehouse.project_scan import scan_project
    from warehouse.schema import feed_schema

    settings, catalog = both()
    rows = []
    for feed in catalog.feeds.values():
        rules = compile_rules(catalog, feed)
        connector_of(catalog, feed)
        schema = feed_schema(catalog, feed)
        rows.append((feed.id, len(feed.fields), len(schema), len(rules), catalog.grade(feed)))
    grants = check_grants(settings, catalog)
    scan_project(PROJECT)
    stale = stale_files(catalog) if settings.catalog_dir == ROOT / "catalog" else []
    if as_json:
        print_json(
            {
                "feeds": [dict(zip(("feed", "fields", "columns", "rules", "grade"), r, strict=True)) for r in rows],
                "elements": len(catalog.elements),
                "code_lists": len(catalog.code_lists),
                "products": len(catalog.products),
                "grants": len(grants),
                "stale": stale,
            }
        )
    else:
        print_table(
            f"catalog: {len(rows)} feeds, {len(catalog.elements)} elements, {len(catalog.code_lists)} code lists, "
            f"{len(catalog.products)} products, {len(grants)} grants",
            ("feed", "fields", "columns", "rules", "grade"),
            rows,
        )
        for path in stale:
            typer.echo(f"stale: {path} → lakehouse catalog compile", err=True)
    leave(2 if stale else 0)


@app.command("compile")
def compile_catalog(as_json: Json = False) -> None:
    """Write the compiled files (dbt sources, code seeds, DAG index, feed reference)."""
    from lakehouse.compiled import write_compiled
    from lakehouse.present import print_json

    _, catalog = both()
    changed = write_compiled(catalog)
    if as_json:
        print_json({"written": changed})
    else:
        for path in changed:
            typer.echo(f"written: {path}")
        if not changed:
            typer.echo("everything was up to date")

"""Commands on legal entities: match."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lakehouse.context import get_settings

app = typer.Typer(help="Legal entities.", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


class OutEncoding(StrEnum):
    """How the output is written; ``utf-8-sig`` opens in Excel with a double click."""

    utf8 = "utf-8"
    excel = "utf-8-sig"
    gb18030 = "gb18030"


@app.callback()
def _group() -> None:
    """Legal entities."""


@app.command()
def match(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A list: CSV in any encoding, or a workbook.")],
    column: Annotated[str, typer.Option("--column", help="Heading of the column with the names.")],
    out: Annotated[Path, typer.Option("--out", help="CSV to write: every record, and three columns more.")],
    threshold: Annotated[float, typer.Option(min=0.8, max=1.0, help="Least confidence of a match.")] = 0.9,
    encoding: Annotated[OutEncoding, typer.Option(help="Of the output.")] = OutEncoding.utf8,
    as_json: Json = False,
) -> None:
    """Write a list again with the credit code, registered name and confidence of each name; empty when unsure."""
    from ingestion.entity_lists import match_list
    from lakehouse.present import note, print_json, print_table
    from warehouse.entities.library import known_names
    from warehouse.entities.matcher import EntityMatcher

    matcher = EntityMatcher(known_names(get_settings()), threshold=threshold)
    done = match_list(file, out, column=column, matcher=matcher, encoding=encoding.value)
    if as_json:
        print_json(done)
        return
    print_table(
        "名称匹配 · entity match",
        ("rows", "matched", "unmatched", "empty", *done.by_method),
        [(done.rows, done.matched, done.unmatched, done.empty, *done.by_method.values())],
        caption=f"{done.out}；库内名称 {len(matcher):,} 个",
    )
    note(f"{done.names_per_s:,} names/s")

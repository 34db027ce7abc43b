"""``lakehouse``: the front door. Every command has ``--json`` and an exit code that means something.

Exit codes: 0 done; 1 something failed; 2 wrong name, argument or contract; 3 the input cannot be read;
4 a gate stopped a batch; 5 another process holds the table; 6 the query was refused;
7 the reader has no grant; 8 a release was refused.
Commands import what they need inside their body: ``lakehouse --help`` stays under 0.3 s.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from lakehouse.commands import address as address_commands
from lakehouse.commands import audit as audit_commands
from lakehouse.commands import catalog as catalog_commands
from lakehouse.commands import data, feed, grade
from lakehouse.commands import destroy as destroy_commands
from lakehouse.commands import economy as economy_commands
from lakehouse.commands import entity as entity_commands
from lakehouse.commands import geo as geo_commands
from lakehouse.commands import link as link_commands
from lakehouse.commands import quality as quality_commands
from lakehouse.commands import release as release_commands
from lakehouse.commands import report as report_commands
from lakehouse.commands import stream as stream_commands
from lakehouse.commands import vault as vault_commands

app = typer.Typer(
    help="西城数据湖仓 · the Xicheng lakehouse: feeds in, libraries and marts, extracts out.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(feed.app, name="feed")
app.add_typer(catalog_commands.app, name="catalog")
app.add_typer(grade.app, name="grade")
app.add_typer(address_commands.app, name="address")
app.add_typer(quality_commands.app, name="quality")
app.add_typer(release_commands.app, name="release")
app.add_typer(release_commands.watermark_app, name="watermark")
app.add_typer(vault_commands.app, name="vault")
app.add_typer(audit_commands.app, name="audit")
app.add_typer(destroy_commands.app, name="destroy")
app.add_typer(entity_commands.app, name="entity")
app.add_typer(economy_commands.app, name="economy")
app.add_typer(economy_commands.sensing_app, name="sensing")
app.add_typer(link_commands.app, name="link")
app.add_typer(report_commands.app, name="report")
app.add_typer(geo_commands.app, name="geo")
app.command("map")(geo_commands.draw)
app.add_typer(data.demo_app, name="demo")
data.register(app)
app.command()(economy_commands.plot)
stream_commands.register(app, data.demo_app)


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(version("xicheng-lakehouse"))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """西城数据湖仓 · the Xicheng lakehouse: feeds in, libraries and marts, extracts out."""


def main() -> None:
    """Run a command; a LakehouseError becomes one clear message and its exit code."""
    from catalog.errors import LakehouseError

    os.umask(0o077)  # whatever a command writes is its owner's alone
    try:
        app()
    except LakehouseError as e:
        if "--json" in sys.argv:
            from lakehouse.present import print_json

            print_json(e.as_dict())
        else:
            from rich.text import Text

            from lakehouse.present import console

            err = console(stderr=True)
            err.print(Text(f"✗ [{e.code}] {e.message}", style="bold red"))
            for name, value in e.where.items():
                err.print(Text(f"    {name}: {value}"))
            if e.hint:
                err.print(Text(f"  → {e.hint}", style="yellow"))
        sys.exit(e.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("stopped; run the same command again, it continues safely\n")
        sys.exit(130)


if __name__ == "__main__":
    main()

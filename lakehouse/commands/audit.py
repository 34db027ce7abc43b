"""Commands on the audit log: verify it, and print the head worth keeping elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer

from lakehouse.context import get_settings, leave

app = typer.Typer(help="The hash-chained audit log.", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


@app.command()
def verify(
    expect_head: Annotated[str | None, typer.Option(metavar="SEQ:HASH", help="A head kept elsewhere.")] = None,
    as_json: Json = False,
) -> None:
    """Find any changed, removed, reordered or added event; exit 1 when there is one."""
    from lakehouse.present import print_json
    from warehouse.audit_verify import verify as examine

    faults, events = examine(get_settings().home / "audit", expect_head)
    if as_json:
        print_json({"events": events, "faults": faults, "ok": not faults})
    else:
        for fault in faults:
            typer.echo(f"FAULT {fault}")
        typer.echo(f"{events} events, {len(faults)} faults")
    leave(1 if faults else 0)


@app.command()
def head(as_json: Json = False) -> None:
    """The newest signed head as SEQ:HASH: keep it elsewhere to notice a rolled-back log."""
    from lakehouse.present import print_json
    from warehouse.audit import AuditLog

    newest = AuditLog(get_settings(), actor="reader").head()
    if as_json:
        print_json({"seq": newest["seq"], "hash": newest["hash"]})
    else:
        typer.echo(f"{newest['seq']}:{newest['hash']}")

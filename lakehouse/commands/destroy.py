"""Commands that destroy: one person on request, and what is past its retention."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lakehouse.context import both, utc_now

app = typer.Typer(
    help="Destroy: what is past its retention, and a person on request.", no_args_is_help=True, rich_markup_mode=None
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would go; change nothing.")]


@app.command()
def person(
    resident_id_file: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="A file of mode 0600 with one resident ID, or - for stdin.")
    ] = None,
    resident_key: Annotated[str | None, typer.Option(help="The pseudonym, in place of the ID.")] = None,
    person_key: Annotated[
        str | None, typer.Option(help="The key of linking, for a person no register knows a number of.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Legal ground or request.")] = ...,  # type: ignore[assignment]
    by: Annotated[str, typer.Option(metavar="PERSON", help="Who does it.")] = ...,  # type: ignore[assignment]
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Erase one person from tables, history, quarantine, landing and releases; verify every byte; certify.

    The ID is never an argument: it would stay in the shell's history. Exit 2 when there is no trace of the person.
    """
    from catalog.errors import UnknownName
    from ingestion.destroy import erase_person, person_of
    from lakehouse.present import note, print_json, print_table

    settings, catalog = both()
    number = _read_id(resident_id_file) if resident_id_file else None
    given = {"resident_id": number, "resident_key": resident_key, "person_key": person_key}
    if sum(v is not None for v in given.values()) != 1:
        raise UnknownName("one person is named in one way", hint="--resident-id-file, --resident-key or --person-key")
    who = person_of(settings, catalog, **given)
    done = erase_person(
        settings, catalog, who, reason=reason, by=by, now=utc_now(), dry_run=dry_run,
        progress=None if as_json else note,
    )  # fmt: skip
    if as_json:
        print_json(done)
        return
    columns = ("table", "rows_before", "rows_removed", "cells_blanked", "versions_purged")
    print_table(
        "would be erased" if dry_run else f"erased: {done['rows_removed']} rows, {done['cells_blanked']} cells",
        ("table", "rows before", "rows", "cells", "versions purged"),
        [[t[c] for c in columns] for t in done["tables"]],
    )
    for one in done["linked"]:
        note(f"{one['feed']}: {one['records']} records by linking, {one['unnumbered']} of them without a number")
    if not dry_run:
        note(f"verified: no trace in any file; certificate in {done['folder']}")
        note("counts that were made of these rows are renewed by the next lakehouse build")
    for text in done["out_of_reach"]:
        note(f"out of reach: {text}")


@app.command()
def expired(dry_run: DryRun = False, as_json: Json = False) -> None:
    """Destroy delivered bytes, quarantined rows and old versions that are past their retention."""
    from ingestion.expire import expire
    from lakehouse.present import print_json, print_table

    settings, catalog = both()
    done = expire(settings, catalog, now=utc_now(), dry_run=dry_run)
    if as_json:
        print_json({"dry_run": dry_run, "feeds": done})
        return
    print_table(
        f"{'would be destroyed' if dry_run else 'destroyed'} in {len(done)} feeds",
        ("feed", "kept days", "landing files", "quarantined rows", "table files"),
        [(e.feed, e.keep_days, len(e.landing), e.quarantine_rows, len(e.files)) for e in done],
    )


def _read_id(source: str) -> str:
    """The one line of a private file, or of stdin.

    Raises:
        InputError: others may read the file, or it has more than one line.
    """
    import sys

    from catalog.errors import InputError

    if source == "-":
        text = sys.stdin.read()
    else:
        path = Path(source)
        if not path.is_file():
            raise InputError("the file does not exist", hint="write the number into a file of mode 0600", file=source)
        if path.stat().st_mode & 0o077:
            raise InputError("others can read this file", hint="chmod 600 it", file=source)
        text = path.read_text(encoding="utf-8")
    lines = text.split()
    if len(lines) != 1:
        raise InputError("one resident ID is expected", hint="one number on one line")
    return lines[0]

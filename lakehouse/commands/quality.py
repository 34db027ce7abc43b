"""Commands on scores: quality scores, report, object, answer, objections."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse.context import both, get_settings, utc_now

if TYPE_CHECKING:
    from warehouse.objections import Objection
    from warehouse.scorecard import Subject

app = typer.Typer(help="Quality scores, scorecard, objections.", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Month = Annotated[str | None, typer.Option(metavar="YYYY-MM", help="Default the newest.")]
Reason = Annotated[str, typer.Option(help="Why; read by many: receipt and row number, never personal values.")]


@app.command()
def scores(
    subject: Annotated[str | None, typer.Argument(metavar="[ID]", help="One of them, through its months.")] = None,
    feed: Annotated[bool, typer.Option("--feed", help="Of feeds.")] = False,
    department: Annotated[bool, typer.Option("--department", help="Of departments (default).")] = False,
    library: Annotated[bool, typer.Option("--library", help="Of base libraries.")] = False,
    month: Month = None,
    as_json: Json = False,
) -> None:
    """Scores of a month, or of one subject through its months."""
    from catalog.errors import UnknownName
    from lakehouse.present import print_json, print_table
    from warehouse.objections import month_of
    from warehouse.scorecard import scores as read
    from warehouse.scorecard import scores_of

    settings, catalog = both()
    if feed + department + library > 1:
        raise UnknownName("these are scores of different things", hint="give one of --feed, --department, --library")
    kind: Subject = "feed" if feed else "library" if library else "department"
    if subject is None:
        rows = read(settings, kind, month_of(month) if month else None)
    else:
        rows = scores_of(settings, kind, subject)
    if as_json:
        print_json(rows)
        return
    from catalog.scoring import load_scoring
    from quality.scorecard.model import DIMENSIONS

    labels = [load_scoring(catalog.root).label(d) for d in DIMENSIONS]
    print_table(
        "质量得分 · quality scores",
        ("id", "month", *labels, "总分", "上月", "变化"),
        [
            (r["id"], f"{r['month']:%Y-%m}", *(r[d] for d in DIMENSIONS), r["total"], r["previous"], r["change"])
            for r in rows
        ],
        caption="空白为未评；口径见 docs/quality.md",
    )


@app.command()
def report(
    month: Month = None,
    out: Annotated[Path | None, typer.Option(help="Folder; default <home>/reports/quality/<month>.")] = None,
    as_json: Json = False,
) -> None:
    """Build the scores anew and write the scorecard: index.html (offline) and scorecard.xlsx."""
    from ingestion.scorecard import build_report
    from lakehouse.present import note, print_json
    from warehouse.objections import month_of

    settings, catalog = both()
    made = build_report(settings, catalog, now=utc_now(), month=month_of(month) if month else None, out=out)
    if as_json:
        print_json(made)
        return
    typer.echo(made.page)
    typer.echo(made.workbook)
    note("；".join(f"{rank or '—'} {name} {total}" for name, rank, total in made.ranking))


@app.command("object")
def object_(
    feed: Annotated[str, typer.Argument(metavar="FEED")],
    rule: Annotated[str, typer.Option(help="Code of the rule, as the scorecard shows it.")],
    month: Annotated[str, typer.Option(metavar="YYYY-MM")],
    by: Annotated[str, typer.Option(metavar="DEPARTMENT", help="Who objects: the provider of the feed.")],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Object to what the scorecard holds against a department."""
    from warehouse.objections import month_of, raise_objection

    settings, catalog = both()
    made = raise_objection(
        settings,
        catalog,
        feed,
        rule_code=rule,
        month=month_of(month),
        department=by,
        reason=reason,
        now=utc_now(),
    )
    _show(made, as_json)


@app.command()
def answer(
    objection: Annotated[str, typer.Argument(metavar="ID", help="As `quality objections` shows it.")],
    accept: Annotated[bool, typer.Option("--accept/--reject", help="Accepted: the failures no longer count.")],
    by: Annotated[str, typer.Option(metavar="PERSON", help="Who answers; nobody of the department that objected.")],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Accept or reject an objection, for good; the next `quality report` counts accordingly."""
    from warehouse.objections import answer as reply

    settings, catalog = both()
    _show(reply(settings, catalog, objection, accept=accept, person=by, reason=reason, now=utc_now()), as_json)


@app.command("objections")
def list_objections(month: Month = None, as_json: Json = False) -> None:
    """Every objection and its answer."""
    from lakehouse.present import print_json, print_table
    from quality.scorecard.words import STATES
    from warehouse.objections import month_of, objections

    found = objections(get_settings(), month=month_of(month) if month else None)
    if as_json:
        print_json(found)
        return
    print_table(
        "质量异议 · objections",
        ("id", "feed", "rule", "month", "by", "reason", "state", "answered by", "answer"),
        [
            [o.id, o.feed, o.rule_code, f"{o.month:%Y-%m}", o.department, o.reason, STATES[o.state], *_answer(o)]
            for o in found
        ],
    )


def _answer(found: Objection) -> tuple[str, str]:
    return found.answered_by, found.answer


def _show(made: Objection, as_json: bool) -> None:
    from lakehouse.present import note, print_json

    if as_json:
        print_json(made)
        return
    typer.echo(made.id)
    note(f"{made.feed} {made.rule_code} {made.month:%Y-%m}: {made.state}")

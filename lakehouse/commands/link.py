"""Commands on the linking of persons: run, review list, review decide."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer

from lakehouse.context import both, get_settings, utc_now

app = typer.Typer(help="Which records are one person.", no_args_is_help=True, rich_markup_mode=None)
review_app = typer.Typer(help="Pairs a person has to decide.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(review_app, name="review")
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


class Decided(StrEnum):
    """What a person says of a pair."""

    same = "same"
    different = "different"


@app.command()
def run(
    full: Annotated[bool, typer.Option("--full", help="Compare all records anew; keys of persons stay.")] = False,
    accept_drop: Annotated[
        list[str] | None, typer.Option("--accept-drop", metavar="FEED", help="A register that may have shrunk.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Link the records of all registers of persons, those that changed or all of them; then build the library."""
    from lakehouse.present import note, print_json, print_table
    from warehouse.linking.run import link_persons

    settings, catalog = both()
    done = link_persons(
        settings,
        catalog,
        now=utc_now(),
        full=full,
        accept_drop=tuple(accept_drop or ()),
        progress=None if as_json else note,
    )
    if as_json:
        print_json(done)
        return
    row = done.model_dump()
    print_table("人员比对 · linking", tuple(row), [tuple(row.values())])
    note("lakehouse build -s staging__platform__person_links+" if done.mode != "unchanged" else "nothing changed")


@review_app.command("list")
def review_list(
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the closest first.")] = 20,
    as_json: Json = False,
) -> None:
    """Pairs between the two thresholds: which records, and what agrees; values are seen with `vault show`."""
    from lakehouse.present import print_json, print_table
    from warehouse.linking.review import open_reviews

    found = open_reviews(get_settings())
    if as_json:
        print_json(found[:limit])
        return
    print_table(
        f"待复核 · {len(found)} pairs",
        ("review", "record", "record", "weight", "agreement"),
        [
            (r.review, r.a.shown, r.b.shown, r.weight, "；".join(f"{k}: {v}" for k, v in r.agreement.items()))
            for r in found[:limit]
        ],
        caption="lakehouse link review decide REVIEW same|different --reason TEXT",
    )


@review_app.command("decide")
def review_decide(
    review: Annotated[str, typer.Argument(metavar="REVIEW", help="Id from `review list`.")],
    verdict: Annotated[Decided, typer.Argument(help="One person, or two.")],
    reason: Annotated[str, typer.Option(help="On what ground; no personal values.")],
    person: Annotated[
        str | None,
        typer.Option(
            "--as", help="Your id in catalog/dictionary/people.yaml; you sign. Default: this account decides."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Decide a pair for good: every later run obeys, until the pair is decided again."""
    from lakehouse.present import note, print_json
    from warehouse.linking.review import decide

    passphrase = ""
    if person is not None:  # never an option: it would stay in the shell's history
        passphrase = os.environ.get("LAKEHOUSE_PASSPHRASE") or typer.prompt("passphrase", hide_input=True, err=True)
    made = decide(
        get_settings(), review, verdict.value, reason=reason, now=utc_now(), person=person, passphrase=passphrase
    )
    if as_json:
        print_json(made)
    else:
        note(f"{made.review}: {made.verdict}；下次比对（lakehouse link run）起生效")

"""Commands of use: release enrol, request, approve, reject, list; watermark detect."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse.context import both, leave, utc_now

if TYPE_CHECKING:
    from warehouse.approvals import Request

app = typer.Typer(help="Who may have which product: ask, approve, refuse.", no_args_is_help=True, rich_markup_mode=None)
watermark_app = typer.Typer(help="Whose copy is this?", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Person = Annotated[str, typer.Option("--as", help="Your id in catalog/dictionary/people.yaml; you sign with it.")]
Passphrase = Annotated[
    str,
    typer.Option(
        envvar="LAKEHOUSE_PASSPHRASE",
        prompt="passphrase",
        hide_input=True,
        help="Asked for when not in the environment; never put it on the command line.",
    ),
]
RequestId = Annotated[str, typer.Argument(metavar="REQUEST", help="As `release list` shows it, e.g. R20261122-….")]
Comment = Annotated[str, typer.Option(help="Why; kept in the table and the audit log.")]


@app.command()
def enrol(
    person: Annotated[str, typer.Argument(help="Your id, e.g. zhang_san.")],
    passphrase: Annotated[
        str,
        typer.Option(envvar="LAKEHOUSE_PASSPHRASE", prompt="new passphrase", hide_input=True, confirmation_prompt=True),
    ],
    as_json: Json = False,
) -> None:
    """Print the public key of your passphrase, for catalog/dictionary/people.yaml; nothing is stored."""
    from lakehouse.present import print_json
    from warehouse.approvals import public_key

    key = public_key(person, passphrase)
    if as_json:
        print_json({"person": person, "public_key": key})
    else:
        typer.echo(key)


@app.command()
def request(
    product: Annotated[str, typer.Argument(metavar="PRODUCT")],
    person: Person,
    passphrase: Passphrase,
    recipient: Annotated[list[str] | None, typer.Option(help="One of the product's recipients; default all.")] = None,
    purpose: Annotated[str, typer.Option(help="What for; default the product's purpose.")] = "",
    days: Annotated[int, typer.Option(help="How long approvals hold.")] = 90,
    as_json: Json = False,
) -> None:
    """Ask that a product of grade 3 or 4 may leave."""
    from warehouse import approvals

    settings, catalog = both()
    _show(
        approvals.request(
            settings,
            catalog,
            product,
            person=person,
            passphrase=passphrase,
            now=utc_now(),
            recipients=recipient or (),
            purpose=purpose,
            days=days,
        ),
        as_json,
    )


@app.command()
def approve(
    request_id: RequestId, person: Person, passphrase: Passphrase, comment: Comment = "", as_json: Json = False
) -> None:
    """Agree to somebody else's request."""
    from warehouse import approvals

    settings, catalog = both()
    found = approvals.approve(
        settings, catalog, request_id, person=person, passphrase=passphrase, now=utc_now(), comment=comment
    )
    _show(found, as_json)


@app.command()
def reject(
    request_id: RequestId, person: Person, passphrase: Passphrase, comment: Comment, as_json: Json = False
) -> None:
    """Refuse a request, or revoke an approval; for good."""
    from warehouse import approvals

    settings, catalog = both()
    found = approvals.reject(
        settings, catalog, request_id, person=person, passphrase=passphrase, now=utc_now(), comment=comment
    )
    _show(found, as_json)


@app.command("list")
def list_requests(as_json: Json = False) -> None:
    """Every request and its state."""
    from lakehouse.present import print_json, print_table
    from warehouse import approvals

    settings, catalog = both()
    found = approvals.requests(settings, catalog, now=utc_now())
    if as_json:
        print_json(found)
        return
    print_table(
        "发布申请 · release requests",
        ("request", "product", "grade", "recipients", "purpose", "requester", "approvers", "state", "missing", "until"),
        [
            (
                r.id,
                r.product,
                r.grade,
                "、".join(r.recipients),
                r.purpose,
                r.requester,
                "、".join(r.approvers),
                r.state,
                r.missing,
                r.expires_at,
            )
            for r in found
        ],
    )


@watermark_app.command()
def detect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, text, XLSX, XLS or Parquet that turned up.")],
    product: Annotated[str | None, typer.Option(help="Only copies of this product; default all.")] = None,
    as_json: Json = False,
) -> None:
    """Name the recipient whose copy a file is, or say unsure (exit code 1)."""
    from lakehouse.present import note, print_json, print_table
    from warehouse.release_watermark import who_leaked

    settings, catalog = both()
    matches = who_leaked(settings, catalog, file, product)
    named = [m for m in matches if m.is_named]
    if as_json:
        print_json(
            {
                "verdict": "named" if named else "unsure",
                "named": [{"product": m.product, "recipient": m.recipient} for m in named],
                "matches": [m._asdict() for m in matches],
            }
        )
    else:
        print_table(
            "水印检测 · watermark",
            ("product", "recipient", "z", "matched", "tested", "chance", "named"),
            [(m.product, m.recipient, m.z, m.matched, m.tested, f"{m.chance:.1e}", m.is_named) for m in matches[:10]],
        )
        if named:
            note("this is the copy of " + ", ".join(f"{m.recipient} ({m.product})" for m in named))
        else:
            note("unsure: no recipient fits better than chance allows; nobody is named")
    leave(0 if named else 1)


def _show(found: Request, as_json: bool) -> None:
    from lakehouse.present import note, print_json

    if as_json:
        print_json(found)
        return
    missing = f", {found.missing} approval(s) missing" if found.missing else ""
    typer.echo(found.id)
    note(f"{found.product}, grade {found.grade}: {found.state}{missing}")

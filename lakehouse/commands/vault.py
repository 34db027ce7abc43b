"""Commands on the vault: show, status, rotate, erase, migrate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse.context import both, leave, utc_now

if TYPE_CHECKING:
    from warehouse.vault_care import VaultState

app = typer.Typer(
    help="Direct identifiers of persons: sealed, opened for a purpose.", no_args_is_help=True, rich_markup_mode=None
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
FeedId = Annotated[str, typer.Argument(metavar="FEED")]


@app.command()
def show(
    feed_id: FeedId,
    key: Annotated[
        list[str],
        typer.Option("--key", metavar="COLUMN=VALUE", help="What names the record; VALUE - asks for it, unseen."),
    ],
    purpose: Annotated[str, typer.Option(help="What for; kept in the audit log.")],
    person: Annotated[str, typer.Option("--as", help="Your id in catalog/dictionary/people.yaml (role reveal).")],
    passphrase: Annotated[
        str,
        typer.Option(
            envvar="LAKEHOUSE_PASSPHRASE",
            prompt="passphrase",
            hide_input=True,
            help="Asked for when not in the environment; never put it on the command line.",
        ),
    ],
    as_json: Json = False,
) -> None:
    """Show the direct identifiers of one record; who, what for and how many rows goes into the audit log."""
    from lakehouse.present import note, print_json, print_table
    from warehouse import vault_reveal

    where: dict[str, str] = {}
    for pair in key:
        name, _, value = pair.partition("=")
        where[name] = typer.prompt(name, hide_input=True) if value == "-" else value
    settings, catalog = both()
    rows = vault_reveal.show(
        settings, catalog, feed_id, where=where, purpose=purpose, person=person, passphrase=passphrase, now=utc_now()
    )
    if as_json:
        print_json(rows)
    elif rows:
        print_table(f"保险库 · vault.{feed_id}", tuple(rows[0]), [tuple(r.values()) for r in rows])
    else:
        note("no such record")


@app.command()
def status(as_json: Json = False) -> None:
    """What the vault holds, under which keys, how old they are; exit 1 when a key is missing or values stand clear."""
    from warehouse import vault_care

    settings, catalog = both()
    found = vault_care.status(settings, catalog, now=utc_now())
    _show(found, as_json)
    leave(1 if any(s.state in ("fault", "clear") for s in found) else 0)


@app.command()
def rotate(
    feed_id: Annotated[str | None, typer.Argument(metavar="[FEED]", help="Default: every feed with a key.")] = None,
    master: Annotated[bool, typer.Option("--master", help="A new master key; data keys are wrapped anew.")] = False,
    reencrypt: Annotated[
        bool, typer.Option("--reencrypt", help="Seal old values anew too, and destroy the old data keys.")
    ] = False,
    as_json: Json = False,
) -> None:
    """New data keys for new values; old values stay readable."""
    from warehouse import vault_care

    settings, catalog = both()
    found = vault_care.rotate(settings, catalog, feed_id, now=utc_now(), master=master, reencrypt=reencrypt)
    _show(found, as_json)


@app.command()
def erase(
    feed_id: FeedId,
    yes: Annotated[bool, typer.Option("--yes", help="Yes: what is erased can never be read again.")] = False,
    as_json: Json = False,
) -> None:
    """Destroy the data keys of a feed: its direct identifiers can never be read again (crypto-erase)."""
    from lakehouse.present import note
    from warehouse import vault_care

    settings, catalog = both()
    catalog.feed(feed_id)
    if not yes:
        note(f"this destroys the keys of vault.{feed_id} for good; run it again with --yes")
        leave(2)
    _show([vault_care.erase(settings, catalog, feed_id, now=utc_now())], as_json)


@app.command()
def migrate(as_json: Json = False) -> None:
    """Move direct identifiers out of feed tables that were loaded before there was a vault."""
    from lakehouse.present import note
    from warehouse import vault_care

    settings, catalog = both()
    moved = vault_care.migrate(settings, catalog, now=utc_now())
    if not moved and not as_json:
        note("nothing stands in clear")
        return
    _show(moved, as_json)


def _show(found: list[VaultState], as_json: bool) -> None:
    from lakehouse.present import print_json, print_table

    if as_json:
        print_json(found)
        return
    print_table(
        "保险库 · vault",
        ("feed", "columns", "rows", "state", "key", "cipher", "keys", "age days", "master", "detail"),
        [
            (
                s.feed,
                "、".join(s.columns),
                s.rows,
                s.state,
                s.key_id,
                s.algorithm,
                s.keys,
                s.age_days,
                s.master,
                s.detail,
            )
            for s in found
        ],
    )

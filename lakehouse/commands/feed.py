"""Commands on feeds: list, show, new, quarantine, correct, fix, replay, drift."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse.context import both, leave, utc_now

if TYPE_CHECKING:
    from catalog.model import Feed
    from ingestion.quarantine import ReplayResult

app = typer.Typer(help="Feeds: contracts, quarantine, replay.", no_args_is_help=True, rich_markup_mode=None)
FeedId = Annotated[str, typer.Argument(metavar="FEED", help="Feed id, e.g. tax__arrears.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


@app.command("list")
def list_feeds(as_json: Json = False) -> None:
    """All contracts."""
    from ingestion.sources.registry import connector_of
    from lakehouse.present import print_json, print_table

    def place(feed: Feed) -> str:
        connector, params = connector_of(catalog, feed)
        return connector.place(params)

    _, catalog = both()
    rows = [
        {
            "feed": f.id,
            "title": f.title,
            "provider": catalog.departments[f.provider].name,
            "update": f.catalogue.update,
            "sharing": f.catalogue.sharing,
            "mode": f.load.mode,
            "grade": catalog.grade(f),
            "path": f.source.path,
            "connector": f.source.connector,
            "source": place(f),
        }
        for f in catalog.feeds.values()
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(
            "feeds",
            ("feed", "名称", "提供方", "更新", "共享", "方式", "级别", "connector", "source"),
            [tuple(v for k, v in r.items() if k != "path") for r in rows],
        )


@app.command()
def show(feed_id: FeedId, as_json: Json = False) -> None:
    """One contract: its fields, what they mean, and every rule that will be checked."""
    from lakehouse.present import note, print_json, print_table
    from quality.rules import compile_rules

    _, catalog = both()
    feed = catalog.feed(feed_id)
    fields = catalog.fields(feed)
    rules = compile_rules(catalog, feed)
    if as_json:
        print_json(
            {
                "feed": feed.model_dump(by_alias=True),
                "fields": [
                    {"name": f.name, "label": f.label, "type": f.type, "grade": f.grade, "mask": f.mask} for f in fields
                ],
                "rules": [
                    {
                        "code": r.code,
                        "severity": r.severity,
                        "dimension": r.dimension,
                        "party": r.party,
                        "message": r.message_zh,
                    }
                    for r in rules
                ],
            }
        )
        return
    print_table(
        f"{feed.id} · {feed.title}",
        ("列", "中文名", "来源", "类型", "单位", "代码表", "级别", "必填"),
        [
            (
                f.name,
                f.label,
                " / ".join(f.spec.from_) or f.spec.template or f"{f.spec.x}, {f.spec.y}",
                f.type,
                f.unit,
                f.code_list,
                f.grade,
                f.required,
            )
            for f in fields
        ],
    )
    print_table(
        "rules",
        ("code", "severity", "dimension", "party", "message"),
        [(r.code, r.severity, r.dimension, r.party, r.message_zh) for r in rules],
    )
    note(f"contract: {catalog.files[feed.id]}")


@app.command()
def new(
    sample: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file the department sent.")],
    department: Annotated[
        str, typer.Option("--department", "-d", help="Department id (see dictionary/departments.yaml).")
    ],
    obj: Annotated[
        str | None, typer.Option("--object", "-o", help="Object name; default from the file's name.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Chinese title; default from the file's name.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a contract of the same id.")] = False,
    as_json: Json = False,
) -> None:
    """Look at a sample and write its contract."""
    from ingestion.contract_edit import difference
    from ingestion.contract_files import write_contract
    from ingestion.new_feed import propose
    from ingestion.sniff import sniff
    from lakehouse.compiled import ROOT, write_compiled
    from lakehouse.present import note, print_json, print_table

    settings, catalog = both()
    found = sniff(sample, catalog=catalog)
    proposal = propose(found, department=department, object=obj, title=title, catalog=catalog)
    if not as_json:
        print_table(
            f"{sample.name}: {found.kind}, {found.encoding or ''}, header row {found.header_row}, {found.rows} rows",
            ("来源列", "字段", "类型", "级别", "空值", "示例（已脱敏）", "说明"),
            proposal.preview,
        )
        there = settings.catalog_dir / "feeds" / department / f"{proposal.object}.yaml"
        before = there.read_text(encoding="utf-8") if there.exists() else ""
        typer.echo(
            difference(before, proposal.contract_yaml, f"{department}/{there.name}")
            if before
            else proposal.contract_yaml
        )
        for line in proposal.notes:
            note(line)
    if not (yes or as_json) and not typer.confirm("write this contract?"):
        leave(0)
    path = write_contract(settings.catalog_dir, proposal, force=force)
    if settings.catalog_dir == ROOT / "catalog":
        from catalog.registry import load_catalog

        write_compiled(load_catalog(settings.catalog_dir), ROOT)
    if as_json:
        print_json(
            {"feed": proposal.feed_id, "file": path, "notes": list(proposal.notes), "contract": proposal.contract_yaml}
        )
    else:
        note(f"written: {path}; next: lakehouse ingest {proposal.feed_id} --file {sample}")


@app.command()
def quarantine(
    feed_id: FeedId,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 20,
    receipt: Annotated[str | None, typer.Option(help="Only the rows of this delivery.")] = None,
    export: Annotated[
        Path | None, typer.Option("--export", help="Write all rows, with reasons, into this XLSX for the department.")
    ] = None,
    person: Annotated[
        str, typer.Option("--as", help="With --export: you sign (role reveal), and values are as they were sent.")
    ] = "",
    purpose: Annotated[str, typer.Option(help="With --as: what for; kept in the audit log.")] = "",
    as_json: Json = False,
) -> None:
    """Rejected rows with receipt, row number, rule and reason; raw personal values are masked."""
    from ingestion.quarantine import browse
    from lakehouse.present import note, print_json, print_table

    settings, catalog = both()
    catalog.feed(feed_id)
    if export is not None:
        from ingestion.corrections import export as write

        done = write(
            settings, catalog, feed_id, export, now=utc_now(), receipt=receipt, person=person,
            passphrase=_passphrase() if person else "", purpose=purpose,
        )  # fmt: skip
        if as_json:
            print_json(done)
        else:
            note(f"{done.rows} rows written to {done.file}; {done.masked} values masked" + (
                "; to correct, export with --as and --purpose" if done.masked
                else f"; when it comes back: lakehouse feed correct {feed_id} FILE"
            ))  # fmt: skip
        return
    rows = browse(settings, catalog, feed_id, limit=limit, receipt=receipt)
    if as_json:
        print_json(rows)
    else:
        print_table(
            f"quarantine.{feed_id}",
            ("receipt", "row", "rules", "原因", "values (masked)"),
            [(r.receipt, r.row_number, ", ".join(r.rules), r.reason, r.shown) for r in rows],
            caption=f"after mending contract or rules: lakehouse feed replay {feed_id}",
        )


def _passphrase() -> str:
    import os

    return os.environ.get("LAKEHOUSE_PASSPHRASE") or str(typer.prompt("passphrase", hide_input=True, err=True))


@app.command()
def correct(
    feed_id: FeedId,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The workbook, corrected.")],
    as_json: Json = False,
) -> None:
    """Take a workbook of rejected rows that the department corrected; rows that pass are loaded and closed."""
    from ingestion.corrections import correct as take
    from lakehouse.present import note, print_json, print_table

    settings, catalog = both()
    done = take(settings, catalog, feed_id, file, now=utc_now())
    if as_json:
        print_json(done)
    else:
        print_table(
            f"校核纠错 · {feed_id}",
            ("rows", "loaded", "still quarantined", "skipped", "withdrawn", "unchanged", "unknown"),
            [
                (
                    done.rows, done.rows_loaded, done.rows_quarantined, done.rows_skipped, done.rows_withdrawn,
                    done.rows_unchanged, done.rows_unknown,
                )
            ],
        )  # fmt: skip
        if done.rows_quarantined:
            note(f"still wrong; see why: lakehouse feed quarantine {feed_id}")
        if done.rows_unknown:
            note(
                f"{done.rows_unknown} rows do not wait in the quarantine: closed by a correction or delivery since; "
                f"see: lakehouse feed trace {feed_id} --row RECEIPT:ROW"
            )


@app.command()
def fix(
    feed_id: FeedId,
    column: Annotated[str, typer.Option(help="Source column.")],
    pattern: Annotated[str, typer.Option(help="Regular expression that the whole value matches.")],
    to: Annotated[str, typer.Option(help=r"What it is read as; may name groups, e.g. \1.")],
    as_json: Json = False,
) -> None:
    """Correct rejected rows by a rule; rows that then pass are loaded. What comes daily belongs in the contract."""
    from ingestion.corrections import fix as mend

    settings, catalog = both()
    _show_replay(feed_id, mend(settings, catalog, feed_id, column, pattern, to, now=utc_now()), as_json)


@app.command()
def trace(
    feed_id: FeedId,
    row: Annotated[
        str, typer.Option(metavar="[RECEIPT:]N", help="The N-th record of a delivery; default the newest delivery.")
    ] = "",
    key: Annotated[
        list[str] | None, typer.Option("--key", metavar="COLUMN=VALUE", help="Or: the row of the feed table.")
    ] = None,
    as_json: Json = False,
) -> None:
    """The whole story of one row: delivery, rules, quarantine, corrections, table versions, releases."""
    from ingestion.trace import find
    from ingestion.trace import trace as tell
    from lakehouse.present import note, print_json, print_table

    settings, catalog = both()
    if bool(row) == bool(key):
        raise typer.BadParameter("give either --row or --key")
    receipt, _, number = row.rpartition(":")
    if row and not number.isdigit():
        raise typer.BadParameter("--row is [RECEIPT:]N")
    where = dict(pair.partition("=")[::2] for pair in key or ())
    places = find(settings, catalog, feed_id, where) if key else [(receipt, int(number))]
    stories = [tell(settings, catalog, feed_id, *place) for place in places]
    if as_json:
        print_json(stories)
        return
    if not stories:
        note("no such row in the feed table; one that was rejected is named by --row")
    for story in stories:
        print_table(
            f"{feed_id} · {story.receipt}:{story.row_number} · {story.state}",
            ("at (UTC)", "step", "说明"),
            [(s.at, s.step, s.message) for s in story.steps],
            caption=f"{story.values}  表：{'、'.join(story.tables) or '—'}",
        )


@app.command()
def replay(feed_id: FeedId, as_json: Json = False) -> None:
    """Send quarantined rows through the contract again; rows that now pass are loaded."""
    from ingestion.quarantine import replay as again

    settings, catalog = both()
    _show_replay(feed_id, again(settings, catalog, feed_id, now=utc_now()), as_json)


def _show_replay(feed_id: str, result: ReplayResult, as_json: bool) -> None:
    from lakehouse.present import print_json, print_table

    if as_json:
        print_json(result)
    else:
        print_table(
            f"replay {feed_id}",
            ("tried", "loaded", "still quarantined", "skipped"),
            [(result.rows_found, result.rows_loaded, result.rows_quarantined, result.rows_skipped)],
        )


@app.command()
def drift(
    feed_id: FeedId,
    write: Annotated[bool, typer.Option("--write", help="Put the proposed contract in place, when it lints.")] = False,
    as_json: Json = False,
) -> None:
    """What changed in the deliveries, since which receipt, and the contract's change that would take it."""
    from ingestion.contract_files import replace_contract
    from ingestion.drift_report import drift_report
    from lakehouse.present import note, print_json, print_table

    settings, catalog = both()
    report = drift_report(settings, catalog, feed_id)
    if write and report.diff:
        replace_contract(settings.catalog_dir, catalog.feed(feed_id), report.contract)
    if as_json:
        print_json(report)
        return
    print_table(
        f"漂移 · {feed_id}",
        ("kind", "列", "字段", "since", "arrived", "说明"),
        [(c.kind, c.column, c.field, c.since, c.since_at, c.message) for c in report.changes],
        caption=f"newest {report.receipt or '—'}, compared with {report.compared_with or '—'}",
    )
    if report.diff:
        typer.echo(report.diff)
        note("written; compile it: lakehouse catalog compile" if write else "to take it: the same with --write")

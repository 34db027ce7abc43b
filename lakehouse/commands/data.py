"""Commands on data: run, up, ingest, build, check, publish, sql, status, doctor, demo."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lakehouse.context import both, get_settings, leave, utc_now

Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
demo_app = typer.Typer(help="A synthetic district.", no_args_is_help=True, rich_markup_mode=None)


class SqlFormat(StrEnum):
    """How ``sql`` prints a result."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def register(app: typer.Typer) -> None:
    """Put these commands at the top level of ``app``."""
    for command in (run, up, ingest, backfill, build, check, publish, sql, status, doctor):
        app.command()(command)


def run(
    residents: Annotated[int, typer.Option(min=100, help="Size of the demo district.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Seed of the demo district.")] = 1,
    as_json: Json = False,
) -> None:
    """Do the whole day: (demo files →) feeds → libraries → marts → releases, through the Airflow DAGs."""
    from lakehouse.runner import run_all

    settings, catalog = both()
    summary = run_all(settings, catalog, residents=residents, seed=seed, as_json=as_json)
    if as_json:
        from lakehouse.present import print_json

        print_json(summary)
    leave(0 if summary.ok else 1)


def up(port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8080) -> None:
    """Start Airflow on 127.0.0.1 with all DAGs; Ctrl-C stops it."""
    from lakehouse.runner import up as start

    settings, catalog = both()
    leave(start(settings, catalog, port=port))


@demo_app.command("generate")
def demo_generate(
    residents: Annotated[int, typer.Option(min=100, help="Residents of the district.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 1,
    as_of: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day of the data.")] = datetime(
        2026, 6, 30
    ),
    faults: Annotated[float, typer.Option(min=0, max=0.5, help="Share of faulty rows.")] = 0.02,
    days: Annotated[int, typer.Option(min=0, max=366, help="Daily deliveries of the registers of persons.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for the files; default the drop folder.")] = None,
    as_json: Json = False,
) -> None:
    """Write a synthetic district's files into the drop folder, the truth beside them."""
    from demo import generate
    from lakehouse.present import note, plain, print_json, print_table

    settings = get_settings()
    target = out or settings.drop
    truth = (out.parent if out else settings.home) / "truth"
    summary = generate(
        target,
        truth=truth,
        residents=residents,
        seed=seed,
        as_of=as_of.date(),
        faults=faults,
        days=days,
        on_progress=None if as_json else note,
    )
    if as_json:
        print_json(summary)
        return
    rows = [
        (feed, entry["rows"], entry["expected_loaded"], entry["expected_quarantined"], entry["expected_skipped"])
        for feed, entry in plain(summary)["feeds"].items()
    ]
    print_table(
        "演示区数据 · demo district",
        ("feed", "rows", "should load", "should quarantine", "should skip"),
        rows,
        caption=f"files: {target}  truth: {truth}",
    )


def ingest(
    feed_id: Annotated[str, typer.Argument(metavar="FEED", help="Feed id, e.g. public_security__household.")],
    file: Annotated[
        Path | None, typer.Option("--file", help="A file anywhere; default: what waits in the drop folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Land, check and load deliveries of one feed."""
    from ingestion.load import ingest as load
    from lakehouse.present import note, plain, print_json, print_table

    settings, catalog = both()
    results = load(settings, catalog, feed_id, file=file, now=utc_now(), progress=None if as_json else note)
    if any(r.verdict in ("passed", "warned", "stopped") for r in results):
        from quality.data_docs import build_docs

        build_docs(settings)
    if as_json:
        shown = [_counts_first(plain(r)) for r in results]
        print_json(shown[0] if file is not None and len(shown) == 1 else shown)
    elif not results:
        from ingestion.sources.registry import connector_of

        connector, params = connector_of(catalog, catalog.feed(feed_id))
        below = f" (below {settings.drop.parent})" if connector.name == "files" else ""
        note(f"nothing new for {feed_id} in {connector.place(params)}{below}")
    else:
        print_table(
            f"{feed_id} · {catalog.feed(feed_id).title}",
            ("file", "receipt", "found", "loaded", "quarantined", "skipped", "verdict", "message"),
            [
                (
                    r.file,
                    r.receipt,
                    r.rows_found,
                    r.rows_loaded,
                    r.rows_quarantined,
                    r.rows_skipped,
                    r.verdict,
                    r.message,
                )
                for r in results
            ],
        )
        for r in results:
            if r.rows_quarantined:
                note(f"see why: lakehouse feed quarantine {feed_id}")
                break
    unreadable = any(r.error for r in results)
    leave(3 if unreadable else 4 if any(r.verdict == "stopped" for r in results) else 0)


def _counts_first(result: dict[str, Any]) -> dict[str, Any]:
    """A load result with the seven keys other tools read in front."""
    first = ("feed", "receipt", "rows_found", "rows_loaded", "rows_quarantined", "rows_skipped", "verdict")
    return {**{k: result[k] for k in first}, **result}


def backfill(
    feed_id: Annotated[str, typer.Argument(metavar="FEED", help="Feed id, e.g. tax__arrears.")],
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day of arrival (UTC).")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day of arrival.")],
    pull: Annotated[bool, typer.Option("--pull", help="Ask the source again from that day, too.")] = False,
    as_json: Json = False,
) -> None:
    """Load deliveries of past days once more, as the contract reads them now."""
    from ingestion.backfill import backfill as again
    from ingestion.backfill import rewind
    from ingestion.load import ingest as load
    from lakehouse.present import note, plain, print_json, print_table

    settings, catalog = both()
    say = None if as_json else note
    done = again(settings, catalog, feed_id, first.date(), last.date(), now=utc_now(), progress=say)
    pulled = []
    if pull and rewind(settings, catalog.feed(feed_id), first.date()):
        pulled = load(settings, catalog, feed_id, now=utc_now(), progress=say)
    if as_json:
        print_json({"deliveries": done, "pulled": [_counts_first(plain(r)) for r in pulled]})
        return
    print_table(
        f"回灌 · {feed_id}",
        ("receipt", "file", "found", "loaded", "quarantined", "skipped", "removed", "note"),
        [
            (r.receipt, r.file, r.rows_found, r.rows_loaded, r.rows_quarantined, r.rows_skipped, r.rows_removed, r.note)
            for r in done
        ],
        caption=f"{len(pulled)} deliveries pulled again" if pull else "",
    )


def build(
    select: Annotated[list[str] | None, typer.Option("--select", "-s", help="dbt selectors, e.g. tag:mart.")] = None,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Rebuild incremental tables from nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Build libraries and marts with dbt; without --select, after linking the records of persons that changed."""
    from lakehouse.present import note, print_json, print_table
    from warehouse.dbt_build import build as dbt_build
    from warehouse.linked_build import link_and_build

    settings, catalog = both()

    def show(event: Any) -> None:
        note(str(event))

    on_event = None if as_json else show
    if select:
        result = dbt_build(settings, select=select, full_refresh=full_refresh, on_event=on_event)
    else:
        result = link_and_build(
            settings,
            catalog,
            now=utc_now(),
            full_refresh=full_refresh,
            progress=None if as_json else note,
            on_event=on_event,
        )
    if result.verdicts:
        from quality.data_docs import build_docs

        build_docs(settings)
    if as_json:
        print_json(result)
    else:
        print_table(
            "dbt build",
            ("node", "status", "rows", "seconds", "message"),
            [
                (m.name, m.status, m.rows, m.seconds, m.message)
                for m in result.models
                if m.kind != "test" or m.status != "pass"
            ],
        )
        _show_verdicts(result.verdicts, settings)
    leave(4 if result.stopped else 0 if result.ok else 1)


def _show_verdicts(verdicts: list[Any], settings: Any) -> None:
    """What the suites of libraries, marts or releases said."""
    from lakehouse.present import print_table

    if verdicts:
        print_table(
            "质量闸门 · gates",
            ("table", "verdict", "rules", "failed", "rows", "reason"),
            [(v.suite, v.verdict, v.rules, v.failed, v.rows, v.reason) for v in verdicts],
            caption=f"Data Docs: {settings.home / 'data_docs' / 'index.html'}",
        )


def check(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[FEED|TABLE]", help="One feed, library table or mart; default all that have data."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the Great Expectations suites over feed tables, libraries and marts as they stand now."""
    from lakehouse.present import print_json, print_table
    from warehouse.check import check_feeds, check_tables

    settings, catalog = both()
    now = utc_now()
    is_table = bool(name) and "." in str(name)
    feeds = [] if is_table else check_feeds(settings, catalog, [str(name)] if name else None, now=now)
    tables = check_tables(settings, catalog, [str(name)] if name else None, now=now) if is_table or not name else []
    results: list[Any] = [*feeds, *tables]
    if as_json:
        print_json(results)
    else:
        if feeds:
            print_table(
                "quality check",
                ("feed", "verdict", "rules", "failed", "rows", "worst"),
                [(r.feed, r.verdict, r.rules, r.failed, r.rows, r.worst) for r in feeds],
                caption=f"Data Docs: {settings.home / 'data_docs' / 'index.html'}",
            )
        _show_verdicts(tables, settings)
    leave(4 if any(r.verdict == "stopped" for r in results) else 0)


def publish(
    product: Annotated[str | None, typer.Argument(metavar="[PRODUCT]", help="One product; default all.")] = None,
    list_products: Annotated[bool, typer.Option("--list", help="Only list the products.")] = False,
    as_json: Json = False,
) -> None:
    """Write a new release of a product (or of all) when its content changed."""
    from lakehouse.present import print_json, print_table

    settings, catalog = both()
    if list_products:
        rows = [
            (p.id, p.title, p.table, "、".join(p.recipients), ", ".join(p.formats)) for p in catalog.products.values()
        ]
        if as_json:
            print_json(
                [dict(zip(("product", "title", "table", "recipients", "formats"), r, strict=True)) for r in rows]
            )
        else:
            print_table("products", ("product", "名称", "table", "recipients", "formats"), rows)
        return
    from warehouse.publish import publish as release

    releases = release(settings, catalog, product, now=utc_now())
    if any(r.status != "unchanged" for r in releases):
        from quality.data_docs import build_docs

        build_docs(settings)
    if as_json:
        print_json(releases)
    else:
        print_table(
            "releases",
            ("product", "version", "rows", "state", "folder"),
            [(r.product, r.version, r.rows, r.status, r.folder) for r in releases],
        )


def sql(
    statement: Annotated[str, typer.Argument(metavar="SQL", help="One read-only statement over schema.table.")],
    output_format: Annotated[SqlFormat, typer.Option("--format", help="How to print the result.")] = SqlFormat.table,
    out: Annotated[Path | None, typer.Option("--out", help="Write the result to this file.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows.")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Granted values in clear; needs --as and --purpose.")] = False,
    person: Annotated[
        str, typer.Option("--as", help="With --clear: your id in catalog/dictionary/people.yaml; you sign with it.")
    ] = "",
    purpose: Annotated[str, typer.Option(help="With --clear: the purpose your grant states.")] = "",
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
            help="Tables as they stood at the end of this day, or then (UTC).",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask the lakehouse: one SELECT over all Delta tables, locked down, values of grade 3 and 4 masked.

    Which columns were masked is said on standard error (with --json as one JSON line).
    """
    from warehouse.output import write_result
    from warehouse.query import run_sql

    settings = get_settings()
    request = _clear_request(person, purpose) if clear else None
    result = run_sql(settings, statement, limit=limit, clear=request, as_of=_instant(as_of))
    if result.masked:
        _say_masked(result.masked, as_json)
    write_result(result, "json" if as_json else output_format.value, out=out)


def _instant(as_of: datetime | None) -> datetime | None:
    """The last instant of a day (UTC), or the one that was named."""
    from datetime import UTC, time, timedelta

    if as_of is None:
        return None
    at = as_of.replace(tzinfo=UTC)
    return at + timedelta(days=1, microseconds=-1) if as_of.time() == time() else at


def _clear_request(person: str, purpose: str) -> Any:
    """Who asks for values in clear; the passphrase comes from the environment or is asked for."""
    import os

    from warehouse.grants import ClearRequest

    if not person or not purpose:
        raise typer.BadParameter("--clear needs --as and --purpose")
    passphrase = os.environ.get("LAKEHOUSE_PASSPHRASE") or typer.prompt("passphrase", hide_input=True, err=True)
    return ClearRequest(person, passphrase, purpose)


def _say_masked(columns: tuple[str, ...], as_json: bool) -> None:
    import json

    said = json.dumps({"masked": columns}) if as_json else f"masked: {', '.join(columns)}"
    typer.echo(said, err=True)


def status(as_json: Json = False) -> None:
    """What arrived when, against each contract's SLA."""
    from lakehouse.present import print_json, print_table
    from warehouse.status import status as feed_status

    settings, catalog = both()
    rows = feed_status(settings, catalog, now=utc_now())
    if as_json:
        print_json(rows)
        return
    print_table(
        "feeds",
        ("feed", "名称", "state", "last arrival (UTC)", "age h", "max h", "rows", "quarantined", "last verdict"),
        [
            (
                r.feed,
                r.title,
                r.state,
                r.last_arrival,
                r.age_hours,
                r.max_age_hours,
                r.rows,
                r.quarantined_open,
                r.last_verdict,
            )
            for r in rows
        ],
    )


def doctor(as_json: Json = False) -> None:
    """Is everything here that is needed? Versions, extensions, keys, disk, catalog, unfinished work."""
    from lakehouse.present import print_json, print_table
    from warehouse.doctor import doctor as examine

    settings = get_settings()
    checks = examine(settings)
    if as_json:
        print_json(checks)
    else:
        print_table("doctor", ("check", "ok", "detail", "cure"), [(c.name, c.ok, c.detail, c.cure) for c in checks])
    leave(0 if all(c.ok for c in checks) else 1)

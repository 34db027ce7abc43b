"""Commands on addresses: parse, match, geocode, review, confirm."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lakehouse.context import get_settings, leave, utc_now

app = typer.Typer(help="Addresses: take apart, match, locate.", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


class OutEncoding(StrEnum):
    """How the output is written; ``utf-8-sig`` opens in Excel with a double click."""

    utf8 = "utf-8"
    excel = "utf-8-sig"
    gb18030 = "gb18030"


@app.command()
def parse(text: Annotated[str, typer.Argument(help="One address.")], as_json: Json = False) -> None:
    """Take one address apart: area, lane or compound, number, building, unit, floor, room."""
    from quality.addresses.parse import parse as take_apart

    _show("地址要素 · elements", take_apart(text).model_dump(), as_json)


@app.command()
def match(
    text: Annotated[str, typer.Argument(metavar="TEXT|FILE", help="One address; with --column, a list of them.")],
    column: Annotated[str, typer.Option("--column", help="FILE is a list: heading of its column of addresses.")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="CSV to write: every record, and eight columns more.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Least confidence of an answer; default 0.81, of a community alone 0.86."),
    ] = None,
    encoding: Annotated[OutEncoding, typer.Option(help="Of the output.")] = OutEncoding.utf8,
    as_json: Json = False,
) -> None:
    """Standard address, community and position of one address or of a list; empty when unsure."""
    from lakehouse.address_library import fresh_matcher
    from lakehouse.present import note, print_json, print_table

    if bool(column) != bool(out):
        raise typer.BadParameter("a list needs both --column and --out")
    matcher = fresh_matcher(get_settings(), answer_from=threshold, note=note)
    if out is None:
        found = matcher.match(text)
        _show("地址匹配 · match", found.model_dump(), as_json)
        leave(0 if found.how else 1)
        return
    from ingestion.address_lists import match_list

    done = match_list(Path(text), out, column=column, matcher=matcher, encoding=encoding.value)
    if as_json:
        print_json(done)
        return
    print_table(
        "地址匹配 · address match",
        ("rows", "address", "community", *done.by_method, *(f"no: {r}" for r in done.unanswered)),
        [(done.rows, done.addresses, done.communities, *done.by_method.values(), *done.unanswered.values())],
        caption=str(done.out),
    )
    note(f"{done.rows_per_s:,} rows/s")


@app.command()
def geocode(
    text: Annotated[str, typer.Argument(help="An address, or with --reverse `longitude,latitude` in CGCS2000.")],
    reverse: Annotated[bool, typer.Option("--reverse", help="TEXT is a point: the nearest address of it.")] = False,
    as_json: Json = False,
) -> None:
    """Where an address is (CGCS2000, degrees, and how far off that may be), or what is at a point."""
    from lakehouse.address_library import fresh_matcher
    from lakehouse.present import note

    matcher = fresh_matcher(get_settings(), answer_from=None, note=note)
    if reverse:
        place = matcher.reverse(*_point(text))
        _show("逆地理编码 · reverse", place.model_dump() if place else {}, as_json)
        leave(0 if place else 1)
        return
    found = matcher.match(text)
    keys = ("longitude", "latitude", "accuracy_m", "standard_address", "address_id", "confidence")
    _show("地理编码 · geocode", {k: getattr(found, k) for k in keys}, as_json)
    leave(0 if found.longitude is not None else 1)


@app.command()
def confirm(
    text: Annotated[str, typer.Argument(help="The address as it was written.")],
    address_id: Annotated[str, typer.Argument(help="The standard address it means.")],
    person: Annotated[str, typer.Option("--as", help="Who says so; recorded.")],
    as_json: Json = False,
) -> None:
    """Say which standard address a writing means; the next build learns it as an alias."""
    from warehouse.addresses.confirm import confirm as keep

    _show("确认 · confirmed", keep(get_settings(), text, address_id, by=person, now=utc_now()).model_dump(), as_json)


def _point(text: str) -> tuple[float, float]:
    try:
        longitude, latitude = (float(part) for part in text.replace("，", ",").split(","))
    except ValueError:
        raise typer.BadParameter("a point is written 116.36,39.91: longitude, comma, latitude") from None
    return longitude, latitude


def _show(title: str, values: dict[str, Any], as_json: bool) -> None:
    from lakehouse.present import print_json, print_table

    if as_json:
        print_json(values)
    else:
        print_table(title, ("", ""), [(k, str(v)) for k, v in values.items() if v not in ("", None)])

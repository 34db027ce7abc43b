"""Commands on the macro-economy and the sensors: plot, economy list, economy report, sensing map."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lakehouse.context import get_settings, utc_now

app = typer.Typer(help="The macro-economy library.", no_args_is_help=True, rich_markup_mode=None)
sensing_app = typer.Typer(help="Maps of the sensor marts.", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


class Shown(StrEnum):
    """What ``plot`` shows of an indicator."""

    value = "value"
    discrete = "discrete"
    yoy = "yoy"
    adjusted = "adjusted"


def plot(
    indicator: Annotated[str, typer.Argument(metavar="INDICATOR", help="Code, name, or a part of the name.")],
    area: Annotated[str | None, typer.Option(help="Area code; default the district, else what there is.")] = None,
    show: Annotated[
        Shown, typer.Option(help="The values, the discrete ones, growth on a year, or adjusted.")
    ] = Shown.value,
    out: Annotated[Path | None, typer.Option(help="A .png or .svg; default: a chart in the terminal.")] = None,
    as_json: Json = False,
) -> None:
    """Plot an indicator of the macro-economy library."""
    from lakehouse.economy import read_series

    series = read_series(get_settings(), indicator, area=area, shown=show.value)
    if out is not None:
        from lakehouse.drawing.charts import draw_series
        from lakehouse.drawing.style import picture, save

        with picture() as (figure, axes):
            draw_series(axes, series)
            save(figure, out)
    if as_json:
        from lakehouse.present import print_json

        print_json({"indicator": series.code, "area": series.area, "unit": series.unit, "shown": series.shown,
                    "periods": series.periods, "values": series.values, "out": out})  # fmt: skip
    elif out is not None:
        typer.echo(str(out))
    else:
        from lakehouse.drawing.charts import terminal_chart

        typer.echo(terminal_chart(series))


@app.command("list")
def list_indicators(as_json: Json = False) -> None:
    """List the indicators that have values."""
    from lakehouse.economy import library
    from lakehouse.present import print_json, print_table

    rows = library(
        get_settings(),
        "indicators",
        "SELECT indicator_code, indicator_name, unit, frequency, first_period, last_period FROM t "
        "WHERE observations_count > 0 ORDER BY frequency, indicator_code",
    )
    if as_json:
        print_json(rows)
        return
    names = ("indicator_code", "indicator_name", "unit", "frequency", "first_period", "last_period")
    print_table("宏观指标", names, [tuple(r[n] for n in names) for r in rows])


@app.command()
def report(
    out: Annotated[
        Path | None, typer.Option(help="The page; default reports/economy/economy.html of the home.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the report of the macro-economy: charts, lights, findings, revisions on one offline page."""
    from lakehouse.drawing.economy_page import write_page
    from lakehouse.present import print_json

    settings = get_settings()
    page = write_page(settings, out or settings.home / "reports" / "economy" / "economy.html", now=utc_now())
    if as_json:
        print_json({"page": page})
    else:
        typer.echo(str(page))


@sensing_app.command("map")
def sensing_map(
    layer: Annotated[str, typer.Argument(metavar="LAYER", help="air, rain, ponding, manholes, noise or presence.")],
    out: Annotated[Path | None, typer.Option(help="A .png or .svg; default maps/LAYER.png of the home.")] = None,
    as_json: Json = False,
) -> None:
    """Draw a sensor mart on the map of the streets."""
    from lakehouse.drawing.sensing import draw_map
    from lakehouse.present import print_json

    settings = get_settings()
    path = out or settings.home / "maps" / f"{Path(layer).name}.png"
    shown = draw_map(settings, layer, path)
    if as_json:
        print_json({"map": path, "layer": layer, "points": shown})
    else:
        typer.echo(f"{path}  ({shown} points)")

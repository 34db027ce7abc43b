"""Commands on places: geo convert, grid, detect, code, locate, layers, export; map."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakehouse.context import get_settings, utc_now

if TYPE_CHECKING:
    from quality.coordinates import Array

app = typer.Typer(help="Coordinates, grids, divisions.", no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Number = Annotated[float | None, typer.Argument(help="Degrees or metres; put -- before a negative one.")]
File = Annotated[Path | None, typer.Option("--file", help="A CSV in place of two numbers.")]
Out = Annotated[Path | None, typer.Option("--out", help="Where the CSV with the new columns goes.")]
XColumn = Annotated[str, typer.Option("--x", help="Its column of longitude (easting).")]
YColumn = Annotated[str, typer.Option("--y", help="Its column of latitude (northing); as --x: one column lng,lat.")]
SYSTEMS = "WGS84, CGCS2000, GCJ02, BD09, GK117, GK39, EPSG:…"


@app.command()
def convert(
    x: Number = None,
    y: Number = None,
    source: Annotated[str, typer.Option("--from", help=SYSTEMS)] = "GCJ02",
    target: Annotated[str, typer.Option("--to", help=SYSTEMS)] = "CGCS2000",
    file: File = None,
    x_column: XColumn = "longitude",
    y_column: YColumn = "latitude",
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Convert a point, or two columns of a CSV (adds x_<system>, y_<system>); exact to a centimetre."""
    from catalog.errors import InputError
    from lakehouse.geo_files import texts

    def run(a: Array, b: Array) -> tuple[Array, Array]:
        from pyproj.exceptions import CRSError

        from quality.coordinates import convert as change

        try:
            return change(a, b, source, target)
        except CRSError as e:
            raise InputError(
                "one of the coordinate systems is unknown", hint=SYSTEMS, source=source, target=target
            ) from e

    names = tuple(f"{axis}_{target.lower().replace(':', '_')}" for axis in "xy")
    if file is not None:
        _file(file, x_column, y_column, out, names, lambda a, b: [texts(v, 9) for v in run(a, b)], as_json=as_json)
        return
    import numpy as np

    a, b = _two(x, y)
    east, north = (float(v[0]) for v in run(np.array([a]), np.array([b])))
    _say({"x": round(east, 9), "y": round(north, 9), "crs": target}, f"{east:.9f} {north:.9f}", as_json=as_json)


@app.command()
def grid(
    x: Number = None,
    y: Number = None,
    level: Annotated[int, typer.Option(min=1, max=10, help="BeiDou level: 6 is 2″ (60 m), 10 is 1.5 cm.")] = 10,
    h3_level: Annotated[int, typer.Option("--h3", min=0, max=15, help="H3 resolution: 9 is 0.1 km².")] = 9,
    crs: Annotated[str, typer.Option("--from", help=SYSTEMS)] = "CGCS2000",
    code: Annotated[str | None, typer.Option(help="A BeiDou code or H3 cell to decode.")] = None,
    file: File = None,
    x_column: XColumn = "longitude",
    y_column: YColumn = "latitude",
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Give a point's BeiDou grid code (GB/T 39409, levels as remembered) and H3 cell, or decode one."""
    import numpy as np

    from quality.coordinates import to_cgcs2000
    from quality.grids import cell_of, codes_of

    if code is not None:
        cell = cell_of(code)
        _say(cell, " ".join(f"{k}={v}" for k, v in cell.items()), as_json=as_json)
        return

    def make(a: Array, b: Array) -> list[Any]:
        return list(codes_of(*to_cgcs2000(a, b, crs), beidou_level=level, h3_level=h3_level))

    if file is not None:
        _file(file, x_column, y_column, out, ("beidou_code", "h3_cell"), make, as_json=as_json)
        return
    a, b = _two(x, y)
    beidou, cells = make(np.array([a]), np.array([b]))
    _say({"beidou_code": beidou[0], "h3_cell": cells[0]}, f"{beidou[0] or '-'} {cells[0] or '-'}", as_json=as_json)


@app.command()
def detect(
    file: Annotated[Path, typer.Argument(help="A CSV with points of the district.")],
    x_column: XColumn = "longitude",
    y_column: YColumn = "latitude",
    declared: Annotated[str, typer.Option(help="The system its sender states.")] = "",
    area: Annotated[Path | None, typer.Option(help="District as GeoJSON; default the lake's street polygons.")] = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Tell the coordinate system of unlabelled points, and which points are 0,0, swapped, or outside."""
    import numpy as np

    from lakehouse.geo_files import add_columns, read_points
    from quality.crs_detect import detect as tell
    from quality.crs_detect import flag_points
    from warehouse.places import district_polygon, polygon_of_file

    district = polygon_of_file(area) if area else district_polygon(get_settings())
    parts = list(read_points(file, x_column, y_column))
    x, y = (np.concatenate([getattr(p, axis) for p in parts]) for axis in "xy")
    found = tell(x, y, district, declared=declared)
    if out is not None:
        best = found.candidates[0].crs
        add_columns(
            file, x_column, y_column, out, ("coordinate_flag",),
            lambda a, b: [flag_points(a, b, best, district, swapped=found.swapped).tolist()],
        )  # fmt: skip
    if as_json:
        from lakehouse.present import print_json

        print_json(found)
        return
    typer.echo(f"{found.crs or '无法判定 undecided'}{'，经纬度颠倒 swapped' if found.swapped else ''}")
    for c in found.candidates:
        typer.echo(f"  {c.crs}: {c.inside_pct} % 落在区内 inside the district")
    typer.echo("  " + "  ".join(f"{k} {n}" for k, n in sorted(found.flags.items())))
    if found.contradicts:
        typer.echo(f"  与声明不符 contradicts the declared {found.contradicts}")


@app.command()
def code(
    division: Annotated[str, typer.Argument(help="A division code of 6, 9 or 12 digits, or a name.")],
    on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day that is asked about; default today.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say whether a division's code held on a day, and what it became or came from."""
    from warehouse.places import division_on

    day = (on or utc_now()).date()
    rows = division_on(get_settings(), division, day)
    if as_json:
        from lakehouse.present import print_json

        print_json(rows)
        return
    words = {True: "有效 valid", False: "无效 not valid", None: "无法确定 not known"}
    for r in rows:
        span = f"{r['valid_from'] or '…'} – {r['valid_to'] or '…'}"
        typer.echo(f"{r['division_code']} {r['division_name']} ({r['level']}, {span}): {words[r['is_valid']]}")
        for change in r["changes"]:
            typer.echo(f"  {change}")


def draw(
    layer: Annotated[str, typer.Argument(help="A layer; `lakehouse geo layers` lists them.")],
    out: Annotated[Path, typer.Option("--out", help="NAME.png or NAME.svg.")],
    on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="What was in force on that day; default now.")
    ] = None,
    colour: Annotated[str, typer.Option("--by", help="Column that colours; default the layer's own.")] = "",
    as_json: Json = False,
) -> None:
    """Draw a layer of the base map."""
    from lakehouse.drawing.layers import draw_layer

    count = draw_layer(get_settings(), layer, out, on=on.date() if on else None, colour=colour)
    _say({"layer": layer, "shapes": count, "out": str(out)}, f"{layer}: {count} shapes: {out}", as_json=as_json)


@app.command()
def export(
    layer: Annotated[str, typer.Argument(help="A layer; `lakehouse geo layers` lists them.")],
    out: Annotated[Path, typer.Option("--out", help="NAME.parquet (GeoParquet), .geojson or .pmtiles.")],
    on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="What was in force on that day; default now.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a layer as GeoParquet, GeoJSON or PMTiles."""
    from warehouse.map_layers import write_layer

    count = write_layer(get_settings(), layer, out, on=on.date() if on else None)
    _say({"layer": layer, "shapes": count, "out": str(out)}, f"{layer}: {count} shapes: {out}", as_json=as_json)


@app.command()
def layers(as_json: Json = False) -> None:
    """List the layers of the base map."""
    from lakehouse.present import print_json, print_table
    from warehouse.map_layers import LAYERS

    if as_json:
        print_json([{"layer": n, "title": it.title, "table": it.table} for n, it in LAYERS.items()])
    else:
        print_table(
            "底图图层 · layers", ("layer", "title", "table"), [(n, i.title, i.table) for n, i in LAYERS.items()]
        )


@app.command()
def locate(
    file: Annotated[Path, typer.Argument(help="A CSV with points.")],
    out: Annotated[Path, typer.Option("--out", help="Where the CSV with the two codes goes.")],
    x_column: XColumn = "longitude",
    y_column: YColumn = "latitude",
    crs: Annotated[str, typer.Option("--from", help=SYSTEMS)] = "CGCS2000",
    as_json: Json = False,
) -> None:
    """Add the street and community that each point of a CSV lies in; empty outside the district."""
    import numpy as np

    from quality.areas import AreaIndex
    from quality.coordinates import to_cgcs2000
    from warehouse.places import area_polygons

    made = []
    for level in ("street", "community"):
        found = area_polygons(get_settings(), level)
        made.append((AreaIndex(list(found.values())), np.array([*found, ""])))

    def codes(a: Array, b: Array) -> list[Any]:
        lon, lat = to_cgcs2000(a, b, crs)
        return [names[index.locate(lon, lat)].tolist() for index, names in made]

    _file(file, x_column, y_column, out, ("street_code", "community_code"), codes, as_json=as_json)


def _two(x: float | None, y: float | None) -> tuple[float, float]:
    from catalog.errors import InputError

    if x is None or y is None:
        raise InputError("two numbers are needed: longitude, then latitude", hint="or --file CSV --x … --y … --out …")
    return x, y


def _file(
    file: Path, x: str, y: str, out: Path | None, names: tuple[str, ...], make: Any, *, as_json: bool
) -> None:  # fmt: skip
    from catalog.errors import InputError
    from lakehouse.geo_files import add_columns

    if out is None:
        raise InputError("--out is missing", hint="--out NAME.csv")
    rows, empty = add_columns(file, x, y, out, names, make)
    _say(
        {"rows": rows, "without": empty, "out": str(out)},
        f"{rows} rows, {empty} without a result: {out}",
        as_json=as_json,
    )


def _say(value: dict[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        from lakehouse.present import print_json

        print_json(value)
    else:
        typer.echo(text)

"""Places: GCJ-02 to CGCS2000 of ten million points, and which of 263 communities each of ten million points lies in.

The yardstick of the conversion is what is commonly done, one step that errs by up to 1.8 m; that of the areas is
DuckDB's spatial join of the same points and polygons.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np


def _points(rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.uniform(116.32, 116.397, rows), rng.uniform(39.869, 39.97, rows)


def _communities() -> list[Any]:
    """263 polygons with some 60 corners each, as surveyed boundaries have."""
    from datetime import date

    import shapely

    from demo.geometry import community_polygons
    from demo.world import make_world

    world = make_world(seed=1, as_of=date(2026, 6, 30), residents=1000, faults=0.0)
    return [shapely.segmentize(p, 0.0003) for p in community_polygons(world).values()]


def convert(rows: int) -> float:
    """Seconds of the exact inverse."""
    from quality.coordinates import to_cgcs2000

    x, y = _points(rows)
    started = time.perf_counter()
    to_cgcs2000(x, y, "GCJ02")
    return time.perf_counter() - started


def one_step(rows: int) -> float:
    """Seconds of the inverse in one step."""
    from quality.coordinates import wgs84_to_gcj02

    x, y = _points(rows)
    started = time.perf_counter()
    there = wgs84_to_gcj02(x, y)
    _ = 2 * x - there[0], 2 * y - there[1]
    return time.perf_counter() - started


def locate(rows: int) -> float:
    """Seconds of index and questions."""
    from quality.areas import AreaIndex

    polygons, (x, y) = _communities(), _points(rows)
    started = time.perf_counter()
    found = AreaIndex(polygons).locate(x, y)
    seconds = time.perf_counter() - started
    assert 0.5 < (found >= 0).mean() < 1
    return seconds


def spatial_join(rows: int) -> float:
    """Seconds of DuckDB's spatial join."""
    import pyarrow as pa

    from warehouse.duck import connect, load_extension

    polygons, (x, y) = _communities(), _points(rows)
    con = connect(memory="6GB")
    load_extension(con, "spatial")
    con.register("points", pa.table({"x": x, "y": y}))
    con.register("shapes", pa.table({"code": range(len(polygons)), "g": [p.wkb for p in polygons]}))
    con.execute("create table areas as select code, st_geomfromwkb(g) as g from shapes")
    started = time.perf_counter()
    con.execute("select count(*) from points join areas on st_contains(areas.g, st_point(x, y))").fetchall()
    return time.perf_counter() - started


def run(scale: float = 1.0) -> list[dict[str, Any]]:
    """The rows of the report."""
    from bench.harness import compare

    rows, here = int(10_000_000 * scale), "bench.bench_geo"
    args = {"rows": rows}
    return [
        compare(f"GCJ-02 to CGCS2000, {rows:,} points, seconds", ours=f"{here}:convert", args=args, rows=rows,
                target=10 * max(scale, 0.05)),
        compare(f"GCJ-02 to CGCS2000, {rows:,} points / one step", ours=f"{here}:convert",
                yardstick=f"{here}:one_step", args=args, rows=rows, target=4.5),
        compare(f"{rows:,} points in 263 communities, seconds", ours=f"{here}:locate", args=args, rows=rows,
                target=10 * max(scale, 0.1)),
        compare(f"{rows:,} points in 263 communities / DuckDB spatial", ours=f"{here}:locate",
                yardstick=f"{here}:spatial_join", args=args, rows=rows, target=0.5, runs=1),
    ]  # fmt: skip

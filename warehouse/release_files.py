"""Which file formats a release has, and the writing of all that a product asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from warehouse.release_formats import (
    Job,
    check_csv,
    check_geojson,
    check_geoparquet,
    check_parquet,
    check_xlsx,
    sync,
    write_csv,
    write_geojson,
    write_geoparquet,
    write_parquet,
    write_xlsx,
)
from warehouse.release_tiles import check_pmtiles, write_pmtiles

Writer = Callable[[Job, Path], None]
FILES: dict[str, tuple[str, Writer, Writer]] = {
    "csv": (".csv", write_csv, check_csv),
    "xlsx": (".xlsx", write_xlsx, check_xlsx),
    "parquet": (".parquet", write_parquet, check_parquet),
    "geojson": (".geojson", write_geojson, check_geojson),
    "geoparquet": (".geo.parquet", write_geoparquet, check_geoparquet),
    "pmtiles": (".pmtiles", write_pmtiles, check_pmtiles),
}
"""Format to its suffix, writer, and the check that reads the written bytes back."""


def write_files(job: Job, folder: Path) -> dict[str, Path]:
    """Write and check every file format of the product; returns format to file.

    Raises:
        ReleaseRefused: a file read back differs from the rows, or cannot hold them.
    """
    made: dict[str, Path] = {}
    for kind in job.plan.product.formats:
        if kind == "delta":
            continue
        suffix, writer, check = FILES[kind]
        path = folder / f"{job.plan.product.id}{suffix}"
        writer(job, path)
        check(job, path)
        path.chmod(0o600)
        sync(path)
        made[kind] = path
    return made

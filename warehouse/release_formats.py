"""The files of a release, written from one Parquet file of its rows and then read back and compared.

Every writer streams: memory does not grow with the number of rows. Texts are the same in every format: instants in
Beijing time with their offset, dates in ISO 8601, geometries as WKT.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import ReleaseRefused
from quality.formulas import RISKY
from warehouse.duck import literal, quote
from warehouse.output import jsonable
from warehouse.release_plan import Plan, geometry_column
from warehouse.release_private import Digest

if TYPE_CHECKING:
    import duckdb
    from xlsxwriter.format import Format

BOM = b"\xef\xbb\xbf"
EXCEL_ROWS = 1_048_576
EXCEL_TEXT = 32_767
FIRST_EXCEL_DAY = date(1900, 3, 1)
"""Days before it have no, or a wrong, number in a worksheet."""
HEADER_ROWS = 2
CHUNK = 5_000
# A spreadsheet runs a text that begins so as a formula (OWASP, CSV injection); a plain number is left alone.
_FORMULA = literal("^[" + RISKY.replace("-", "\\-") + "]")
_NUMBER = "'^[+-]?[0-9]+(\\.[0-9]+)?$|^-+$'"
CGCS2000_NOTE = "坐标系为 CGCS2000（EPSG:4490），经度在前；与 WGS 84 相差在厘米级，按 RFC 7946 直接使用。"


@dataclass(frozen=True)
class Job:
    """What a writer needs: the rows (``canonical``), their columns, and where to write."""

    con: duckdb.DuckDBPyConnection
    plan: Plan
    canonical: Path
    types: dict[str, str]
    dictionary: list[dict[str, Any]]

    @property
    def rows_sql(self) -> str:
        return parquet_relation(self.canonical)

    def is_geometry(self, column: str) -> bool:
        return self.types[column] == "BLOB" and column.startswith("geom")


def parquet_relation(path: Path) -> str:
    return f"read_parquet({literal(str(path))})"


def csv_relation(path: Path) -> str:
    """A released CSV as texts; an empty field is NULL, a quoted empty one is an empty text."""
    return (
        f"read_csv({literal(str(path))}, header = true, all_varchar = true, delim = ',', quote = '\"', "
        "escape = '\"', nullstr = '', allow_quoted_nulls = false, auto_detect = false, max_line_size = 33554432, "
        f"columns = {_csv_columns(path)})"
    )


def text_expression(column: str, type_name: str, *, geometry: bool = False) -> str:
    """The text of a value as every file shows it."""
    name = quote(column)
    if geometry:
        return f"st_astext(st_geomfromwkb({name}))"
    if type_name == "TIMESTAMP WITH TIME ZONE":
        local = f"({name} AT TIME ZONE 'Asia/Shanghai')"
        return f"replace({local}::VARCHAR, ' ', 'T') || '+08:00'"
    if type_name.startswith("TIMESTAMP"):
        return f"replace({name}::VARCHAR, ' ', 'T')"
    if type_name == "BLOB":
        return f"hex({name})"
    if type_name.endswith("[]") or type_name.startswith(("STRUCT", "MAP")):
        return f"to_json({name})::VARCHAR"
    return f"{name}::VARCHAR"


def csv_expression(column: str, type_name: str, *, geometry: bool = False) -> str:
    """The text of a value in a CSV that a spreadsheet may open: no text becomes a formula."""
    text = text_expression(column, type_name, geometry=geometry)
    if type_name != "VARCHAR":
        return text
    risky = f"regexp_matches({text}, {_FORMULA}) AND NOT regexp_matches({text}, {_NUMBER})"
    return f"CASE WHEN {risky} THEN '''' || {text} ELSE {text} END"


def digest(con: duckdb.DuckDBPyConnection, relation: str, expressions: list[str]) -> Digest:
    """Count and order-free checksum of the rows of ``relation`` as given by text expressions."""
    texts = ", ".join(f"coalesce({e}, chr(30))" for e in expressions)
    row = con.execute(
        "SELECT count(*), coalesce(bit_xor(h), 0)::VARCHAR, "  # noqa: S608 - expressions are made here
        "coalesce(sum((h & 9223372036854775807)::BIGINT), 0)::VARCHAR "
        f"FROM (SELECT md5_number(concat_ws(chr(31), {texts})) AS h FROM {relation})"
    ).fetchone()
    assert row is not None
    return int(row[0]), str(row[1]), str(row[2])


# --- csv -----------------------------------------------------------------------------------------------------


def write_csv(job: Job, path: Path) -> None:
    """UTF-8 with BOM, so that a spreadsheet reads Chinese; formula-injection guarded."""
    columns = ", ".join(
        f"{csv_expression(c, t, geometry=job.is_geometry(c))} AS {quote(c)}" for c, t in job.types.items()
    )
    bare = path.with_suffix(".bare")
    job.con.execute(
        f"COPY (SELECT {columns} FROM {job.rows_sql}) "  # noqa: S608 - quoted names
        f"TO {literal(str(bare))} (FORMAT csv, HEADER, DELIMITER ',', QUOTE '\"', ESCAPE '\"')"
    )
    with bare.open("rb") as source, path.open("wb") as target:
        target.write(BOM)
        shutil.copyfileobj(source, target, 1 << 20)
    bare.unlink()


def check_csv(job: Job, path: Path) -> None:
    expected = [csv_expression(c, t, geometry=job.is_geometry(c)) for c, t in job.types.items()]
    _same(job, path, digest(job.con, job.rows_sql, expected), digest(job.con, csv_relation(path), _names(job)))


def _csv_columns(path: Path) -> str:
    import csv

    with path.open(encoding="utf-8-sig", newline="") as f:
        header = next(csv.reader(f))
    return "{" + ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header) + "}"


# --- parquet, geoparquet, delta ------------------------------------------------------------------------------


def write_parquet(job: Job, path: Path) -> None:
    shutil.copyfile(job.canonical, path)


def check_parquet(job: Job, path: Path) -> None:
    got = digest(job.con, parquet_relation(path), _exact(job))
    _same(job, path, digest(job.con, job.rows_sql, _exact(job)), got)


def write_geoparquet(job: Job, path: Path) -> None:
    """GeoParquet 1.1: WKB, CRS as PROJJSON of EPSG:4490, geometry types and bounds."""
    import pyarrow.parquet as pq
    import pyproj

    column = geometry_of(job)
    kinds, bounds = _extent(job, column)
    meta = {
        "version": "1.1.0",
        "primary_column": column,
        "columns": {
            column: {
                "encoding": "WKB",
                "geometry_types": kinds,
                "crs": pyproj.CRS.from_epsg(4490).to_json_dict(),
                **({"bbox": bounds} if bounds else {}),
            }
        },
    }
    source = pq.ParquetFile(job.canonical)
    schema = source.schema_arrow.with_metadata({b"geo": json.dumps(meta).encode()})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in source.iter_batches(batch_size=CHUNK):
            writer.write_batch(batch.replace_schema_metadata(schema.metadata))


def check_geoparquet(job: Job, path: Path) -> None:
    described = job.con.execute(f"DESCRIBE FROM {parquet_relation(path)}").fetchall()
    became = {name for name, kind, *_ in described if kind.startswith("GEOMETRY")}
    got = [f"hex(st_aswkb({quote(c)}))" if c in became else e for c, e in zip(job.types, _exact(job), strict=True)]
    _same(job, path, digest(job.con, job.rows_sql, _exact(job)), digest(job.con, parquet_relation(path), got))


def check_delta(job: Job, path: str) -> None:
    got = digest(job.con, f"delta_scan({literal(path)})", _exact(job))
    _same(job, Path(path), digest(job.con, job.rows_sql, _exact(job)), got)


def _extent(job: Job, column: str) -> tuple[list[str], list[float]]:
    import shapely

    kinds: set[str] = set()
    bounds: list[float] = []
    for chunk in chunks_of(job, [quote(column)]):
        made = shapely.from_wkb([row[0] for row in chunk if row[0] is not None])
        kinds |= {g.geom_type for g in made if not g.is_empty}
        if not len(made):  # a product without rows has no bounds
            continue
        box = shapely.total_bounds(made)
        if len(made) and not any(v != v for v in box):
            low = [min(a, b) for a, b in zip(bounds[:2] or box[:2], box[:2], strict=True)]
            high = [max(a, b) for a, b in zip(bounds[2:] or box[2:], box[2:], strict=True)]
            bounds = [float(v) for v in (*low, *high)]
    return sorted(kinds), bounds


# --- geojson -------------------------------------------------------------------------------------------------


def write_geojson(job: Job, path: Path) -> None:
    """RFC 7946: longitude first, outer rings counter-clockwise, one feature a line."""
    with path.open("w", encoding="utf-8", newline="\n") as out:
        head = {"type": "FeatureCollection", "name": job.plan.product.id, "description": CGCS2000_NOTE}
        out.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "features": [')
        for n, (geometry, properties) in enumerate(_features(job)):
            out.write(",\n" if n else "\n")
            out.write(f'{{"type": "Feature", "geometry": {geometry}, "properties": {properties}}}')
        out.write("\n]}\n")


def check_geojson(job: Job, path: Path) -> None:
    expected = _features(job)
    count = 0
    with path.open(encoding="utf-8") as f:
        next(f)
        for line in f:
            if line.startswith("]}"):
                break
            feature = json.loads(line.rstrip().rstrip(","))
            wanted = next(expected, None)
            if wanted is None or feature["geometry"] != json.loads(wanted[0]):
                raise differs(job, path)
            if feature["properties"] != json.loads(wanted[1]):
                raise differs(job, path)
            count += 1
    if next(expected, None) is not None:
        raise differs(job, path)


def _features(job: Job) -> Iterator[tuple[str, str]]:
    """Geometry and properties of each row as JSON texts."""
    import shapely

    geometry = geometry_of(job)
    names, texts = properties_of(job)
    for chunk in chunks_of(job, [quote(geometry), *texts]):
        made = shapely.orient_polygons(shapely.force_2d(shapely.from_wkb([row[0] for row in chunk])))
        for row, text in zip(chunk, shapely.to_geojson(made), strict=True):
            properties = dict(zip(names, (jsonable(v) for v in row[1:]), strict=True))
            yield text or "null", json.dumps(properties, ensure_ascii=False)


def properties_of(job: Job) -> tuple[list[str], list[str]]:
    """The columns that go with a shape as its properties, and the expressions that give them."""
    geometry = geometry_of(job)
    names = [c for c in job.types if c != geometry]
    texts = [
        text_expression(c, job.types[c], geometry=job.is_geometry(c))
        if job.types[c].startswith(("TIMESTAMP", "BLOB"))
        else quote(c)
        for c in names
    ]
    return names, texts


# --- xlsx ----------------------------------------------------------------------------------------------------


def write_xlsx(job: Job, path: Path) -> None:
    """Sheet 数据 with Chinese names over column names, and sheet 数据字典; geometries stay out."""
    import xlsxwriter

    columns = _excel_columns(job)
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(path, {**options, "tmpdir": str(path.parent)})
    try:
        bold = book.add_format({"bold": True, "bg_color": "#DDEBF7", "text_wrap": True, "valign": "top"})
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet = book.add_worksheet("数据")
        labels = {c.name: c.label + (f"（{c.unit}）" if c.unit else "") for c in job.plan.columns}
        for i, name in enumerate(columns):
            sheet.set_column(i, i, _width(labels[name], job.types[name]))
        sheet.freeze_panes(HEADER_ROWS, 0)
        for i, name in enumerate(columns):
            sheet.write_string(0, i, labels[name], bold)
        for i, name in enumerate(columns):
            sheet.write_string(1, i, name, bold)
        row_number = HEADER_ROWS
        for chunk in chunks_of(job, [_excel_value(c, job.types[c]) for c in columns]):
            for row in chunk:
                if row_number >= EXCEL_ROWS:
                    raise ReleaseRefused(
                        f"product {job.plan.product.id} has more rows than a worksheet holds",
                        hint="remove xlsx from its formats, or filter rows with where",
                        product=job.plan.product.id,
                    )
                _write_row(job, sheet, row_number, row, day)
                row_number += 1
        sheet.autofilter(1, 0, max(row_number - 1, 1), len(columns) - 1)
        _dictionary_sheet(book, job.dictionary, bold)
    finally:
        book.close()


def check_xlsx(job: Job, path: Path) -> None:
    columns = _excel_columns(job)
    rows = digest(job.con, job.rows_sql, ["''"])[0]
    expected = [_excel_text(c, job.types[c]) for c in columns]
    got = []
    for c in columns:
        number = _is_number(job.types[c])
        got.append(f"printf('%.14g', {quote(c)}::DOUBLE)" if number else f"nullif({quote(c)}, '')")
    last = f"{_letters(len(columns))}{max(rows + HEADER_ROWS, 3)}"
    relation = (
        f"read_xlsx({literal(str(path))}, sheet = '数据', header = true, all_varchar = true, "
        f"stop_at_empty = false, range = 'A2:{last}')"
    )
    if rows == 0:
        relation = f"(SELECT * FROM {relation} LIMIT 0)"  # noqa: S608
    _same(job, path, digest(job.con, job.rows_sql, expected), digest(job.con, relation, got))


def _excel_columns(job: Job) -> list[str]:
    return [c for c in job.types if not job.is_geometry(c)]


def _is_number(type_name: str) -> bool:
    return type_name in ("DOUBLE", "FLOAT", "TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER") or (
        type_name.startswith("DECIMAL")
    )


def _excel_value(column: str, type_name: str) -> str:
    """What the writer is given: numbers, dates and booleans as such, all else as clean text.

    A worksheet keeps 15 digits, so a wide integer is text.
    """
    if _is_number(type_name):
        return f"CASE WHEN isfinite({quote(column)}::DOUBLE) THEN {quote(column)}::DOUBLE END"
    if type_name in ("DATE", "BOOLEAN"):
        return quote(column)
    text = text_expression(column, type_name)
    clean = f"regexp_replace(replace({text}, chr(13) || chr(10), chr(10)), '[\\x00-\\x08\\x0b-\\x1f]', '', 'g')"
    return f"nullif({clean}, '')"


def _excel_text(column: str, type_name: str) -> str:
    """The text ``read_xlsx`` should give back for a value."""
    if _is_number(type_name):
        return f"printf('%.14g', {_excel_value(column, type_name)})"
    if type_name == "DATE":
        serial = f"({quote(column)} - DATE '1899-12-30')::VARCHAR"
        return f"CASE WHEN {quote(column)} < DATE '1900-03-01' THEN {quote(column)}::VARCHAR ELSE {serial} END"
    if type_name == "BOOLEAN":
        return f"{quote(column)}::INTEGER::VARCHAR"
    return _excel_value(column, type_name)


def _write_row(job: Job, sheet: Any, number: int, row: tuple[Any, ...], day: Format) -> None:
    for i, value in enumerate(row):
        if value is None:
            continue
        if isinstance(value, bool):
            sheet.write_boolean(number, i, value)
        elif isinstance(value, int | float):
            sheet.write_number(number, i, value)
        elif isinstance(value, date) and value < FIRST_EXCEL_DAY:
            sheet.write_string(number, i, value.isoformat())
        elif isinstance(value, date):
            sheet.write_datetime(number, i, datetime(value.year, value.month, value.day), day)
        elif sheet.write_string(number, i, value) != 0:
            raise ReleaseRefused(
                f"product {job.plan.product.id} has a text longer than a worksheet cell holds ({EXCEL_TEXT})",
                hint="remove xlsx from its formats, or drop the column",
                product=job.plan.product.id,
                row=number - HEADER_ROWS + 1,
            )


def _dictionary_sheet(book: Any, dictionary: list[dict[str, Any]], bold: Format) -> None:
    sheet = book.add_worksheet("数据字典")
    heads = list(dictionary[0])
    sheet.set_column(0, len(heads) - 1, 16)
    for i, name in enumerate(heads):
        sheet.write_string(0, i, name, bold)
    for n, row in enumerate(dictionary, start=1):
        for i, name in enumerate(heads):
            sheet.write_string(n, i, str(row[name]))


def _width(label: str, type_name: str) -> float:
    wide = sum(2 if ord(ch) > 127 else 1 for ch in label)
    return float(min(40, max(wide + 2, 12, 26 if type_name.startswith("TIMESTAMP") else 0)))


def _letters(number: int) -> str:
    text = ""
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(65 + rest) + text
    return text


# --- for all of them -----------------------------------------------------------------------------------------


def sync(path: Path) -> None:
    """Make a file or folder durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def geometry_of(job: Job) -> str:
    """The column whose shapes a geometry format draws.

    Raises:
        ReleaseRefused: there is none.
    """
    column = geometry_column(job.plan.columns, {c.origin: job.types[c.name] for c in job.plan.columns})
    if column is None:
        raise ReleaseRefused(
            f"product {job.plan.product.id} has no geometry column",
            hint="drop geojson, geoparquet and pmtiles from its formats",
            product=job.plan.product.id,
        )
    return column.name


def chunks_of(job: Job, expressions: list[str]) -> Iterator[list[tuple[Any, ...]]]:
    """Expressions over the rows, ``CHUNK`` rows at a time, in the release's order."""
    cursor = job.con.cursor()
    cursor.execute(f"SELECT {', '.join(expressions)} FROM {job.rows_sql}")  # noqa: S608 - quoted names
    yield from iter(partial(cursor.fetchmany, CHUNK), [])
    cursor.close()


def _names(job: Job) -> list[str]:
    return [quote(c) for c in job.types]


def _exact(job: Job) -> list[str]:
    return [text_expression(c, t) for c, t in job.types.items()]


def _same(job: Job, path: Path, expected: Digest, got: Digest) -> None:
    if expected != got:
        raise differs(job, path, expected[0], got[0])


def differs(job: Job, path: Path, expected: int | None = None, got: int | None = None) -> ReleaseRefused:
    return ReleaseRefused(
        f"{path.name}, read back, is not what was to be released",
        hint="nothing was released; report this with the product and its table version",
        product=job.plan.product.id,
        rows_expected=expected,
        rows_found=got,
    )

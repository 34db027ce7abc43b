"""How a delivered file is written: the ``format`` section of a contract."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from catalog.frozen import Model


class Unpivot(Model):
    """Turns wide columns into rows: every column whose header matches becomes (name, value).

    ``columns`` is a regular expression; its first group, if any, is the value of ``name``.
    """

    columns: str
    name: str = "period"
    value: str = "value"


class FixedColumn(Model):
    """A column of a fixed-width record: from ``start`` (1-based), ``width`` bytes or characters long."""

    name: str
    start: int = Field(ge=1)
    width: int = Field(ge=1)


class Format(Model):
    """How a delivered file is written. See docs/formats.md.

    Any type may come in a gzip, zip or tar archive: its members, in name order, are one delivery.

    Attributes:
        type: ``csv``, ``fixed``, ``excel`` (xlsx, xls and the XML of Excel 2003, whatever the file is called,
            and web pages with a table under such a name), ``json``, ``ndjson``, ``xml``, ``dbf``, ``parquet``
            or ``vector`` (GeoJSON, zipped Shapefile, GeoPackage, KML, KMZ, GML, told apart by content).
        encoding: ``auto`` or a Python codec name; declared wins over detected.
        header_row: 1-based, or ``auto``: the first row that carries the contract's columns. Of a header of
            several rows, its first.
        header_rows: rows of the header; their texts are joined by ``header_join``, groups above to parts below.
        sheet: index or name of the one sheet taken; ``sheets`` (``all``, names, or a regular expression)
            takes several, or several layers of a map, as one delivery.
        part_column: name of a column made of the sheet, layer or archive member a record stands in.
        members: glob of the members of an archive that are taken; the others are left and named.
        footer: regular expression; a row whose first filled cell matches is skipped as footer.
        records: dotted path of the record list inside a JSON document, of an object whose members are the records with
            ``*`` as its last step; path of the record element in XML.
        names: dotted path of the list of column names in a JSON document whose records are lists of values; one step
            further where the names are a member of each item (``fields.name``). Without it, the names are the first
            record (``header_row``).
        flatten: JSON objects inside a record become columns ``outer.inner``.
        explode: dotted path of a list inside a JSON record: one row an item, with the record's other columns beside the
            item's (``path.member``, or ``path`` where items are plain; ``path.#`` is the item's place).
        columns: the columns of a fixed-width record, counted in ``positions``.
        crs: ``auto`` or ``EPSG:…``, ``GCJ02``, ``BD09`` (vector files and coordinate columns).
        free_text: column in which an unescaped delimiter is rejoined.
        record_cells: cells of a delimited record where the header has another number: missing ones at the end are no
            values, surplus ones must be empty. Without it, such records are set apart.
        max_uncompressed_mb, max_ratio: what an archive may unpack to, and how many times its size.
    """

    type: Literal["csv", "fixed", "excel", "json", "ndjson", "xml", "dbf", "parquet", "vector"]
    encoding: str = "auto"
    delimiter: str = ","
    quote: str = '"'
    header_row: int | Literal["auto"] = "auto"
    header_rows: int = Field(default=1, ge=1, le=5)
    header_join: str = "_"
    sheet: str | int = 0
    sheets: str | tuple[str, ...] | None = None
    part_column: str | None = None
    members: str | None = None
    footer: str | None = None
    records: str = ""
    names: str = ""
    flatten: bool = False
    explode: str = ""
    columns: tuple[FixedColumn, ...] = ()
    positions: Literal["bytes", "characters"] = "bytes"
    unpivot: Unpivot | None = None
    null_values: tuple[str, ...] = ("",)
    crs: str = "auto"
    free_text: str | None = None
    record_cells: int | None = Field(default=None, ge=1)
    max_columns: int = 2000
    max_uncompressed_mb: int = 4096
    max_ratio: int = 250

    @model_validator(mode="after")
    def _fits_its_type(self) -> Format:
        if (self.type == "fixed") != bool(self.columns):
            raise ValueError("format.columns are needed for type fixed, and only there")
        names = [c.name for c in self.columns]
        if len(set(names)) < len(names):
            raise ValueError("format.columns repeats a name")
        ends = [(c.start, c.start + c.width) for c in sorted(self.columns, key=lambda c: c.start)]
        if any(end > start for (_, end), (start, _) in pairwise(ends)):
            raise ValueError("format.columns overlap")
        if self.header_rows > 1 and (self.type not in ("csv", "excel") or self.header_row == 0):
            raise ValueError("header_rows is for csv and excel with a header")
        if self.record_cells is not None and self.type != "csv":
            raise ValueError("record_cells is for csv")
        if self.sheets is not None and self.type not in ("excel", "vector"):
            raise ValueError("sheets is for excel and vector")
        if (self.flatten or self.explode) and self.type not in ("json", "ndjson"):
            raise ValueError("flatten and explode are for json and ndjson")
        if self.names and (self.type != "json" or self.explode or self.flatten):
            raise ValueError("names is for json whose records are lists, which have nothing to flatten or explode")
        if isinstance(self.sheets, str):
            try:
                re.compile(self.sheets)
            except re.error as e:
                raise ValueError(f"sheets: not a regular expression: {e}") from e
        return self

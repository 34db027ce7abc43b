"""What is known of a sample file after it was sniffed; plain data, safe to show."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from catalog.model import Model
from quality.scanner_kinds import Kind

SniffedType = Literal["string", "integer", "decimal", "double", "boolean", "date", "timestamp", "geometry"]


class Finding(Model):
    """Sensitive values met inside a column.

    Attributes:
        kind: ``resident_id``, ``resident_id_masked``, ``phone``, ``uscc``, ``bank_card``.
        hits: values that hold one.
        share: hits among filled values, 0-1.
    """

    kind: str
    hits: int
    share: float


class Column(Model):
    """One source column of a sample.

    Attributes:
        name: source name, cleaned; ``列<n>`` where the file has none.
        position: 1-based.
        share: part of the filled values that read as ``type``, 0-1.
        formats: strptime formats of a date or timestamp, commonest first.
        form: ``percent``, ``thousands``, ``money``, ``unit`` where numbers are written as text; ``date_cn``,
            ``excel_date``, ``month``, ``year`` where periods are.
        unit: unit of measure named in the header, e.g. 万元; of ``unit`` and ``money`` that of the cells.
        decimals: most digits after the point.
        digits: most digits before the point.
        null_tokens: texts that stand for "no value" here.
        content, content_grade: gravest kind of content that the scanner every delivery passes finds in a text column,
            and the grade it gives.
        element, code_list, grade: what the column is taken for, once a catalog was given.
        examples: up to three values, personal parts masked.
        values: distinct values with their counts, never dumped or shown.
    """

    name: str
    position: int
    type: SniffedType = "string"
    share: float = 1.0
    formats: tuple[str, ...] = ()
    form: str = ""
    unit: str = ""
    decimals: int = 0
    digits: int = 0
    filled: int = 0
    empty: int = 0
    distinct: int = 0
    unique: bool = False
    is_counter: bool = False
    max_length: int = 0
    null_tokens: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    examples: tuple[str, ...] = ()
    note: str = ""
    content: Kind | None = None
    content_grade: int = 0
    element: str = ""
    code_list: str = ""
    grade: int = 0
    values: dict[str, int] = Field(default_factory=dict, repr=False, exclude=True)

    def has(self, kind: str) -> bool:
        """Whether values of a sensitive kind were met here."""
        return any(f.kind == kind for f in self.findings)


class Sample(Model):
    """A delivered file as it was found.

    Attributes:
        kind: what the bytes are (``detect.Kind``); ``format`` the contract's format type.
        packed: kind of the archive it came in; ``kind`` is then that of its members.
        options: what the contract's format needs besides.
        header_row: 1-based; 0 when the file has no header.
        rows: data records found (without header, blank rows and footer), ``complete`` when all were read.
        ragged: records with more or fewer cells than the header.
        free_text: the column whose unescaped delimiters most likely made records ragged.
        junk_columns: empty columns without a name that were cut.
        footer: regular expression of the footer rows, ``footer_rows`` how many.
        candidate_keys: unique single columns, or pairs when there is none; best first.
        notes: what a person should know, in Chinese.
    """

    file: str
    kind: str
    packed: str = ""
    format: str
    options: dict[str, Any] = Field(default_factory=dict)
    size: int
    encoding: str = ""
    delimiter: str = ""
    sheet: int | str = 0
    records: str = ""
    crs: str = ""
    header_row: int = 0
    rows: int = 0
    complete: bool = True
    blank_rows: int = 0
    ragged: int = 0
    free_text: str = ""
    junk_columns: int = 0
    footer: str | None = None
    footer_rows: int = 0
    columns: tuple[Column, ...]
    candidate_keys: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()

    def column(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)

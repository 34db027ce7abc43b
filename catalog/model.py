"""The shape of everything declared in ``catalog/``: frozen models, unknown keys refused.

A *data element* (数据元) is declared once in ``dictionary/elements.yaml``; a feed's field
refers to it by name and may override explicitly. ``Feed.fields`` holds what the YAML says,
``catalog.registry.Catalog.fields(feed)`` what it means after the dictionary is applied.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from catalog.drift import Drift, FieldDrift
from catalog.format import FixedColumn, Format, Unpivot
from catalog.frozen import Model

__all__ = ["Drift", "FieldDrift", "FixedColumn", "Format", "Model", "Unpivot"]  # the rest is defined here

NAME = re.compile(r"^[a-z][a-z0-9_]{0,62}$")

DataType = Literal["string", "integer", "decimal", "double", "boolean", "date", "timestamp", "geometry"]
Grade = Literal[1, 2, 3, 4]
"""Level after DB11/T 1918-2021 (1 lowest). The text of the standard was not available; see docs."""
NationalLevel = Literal["general", "important", "core"]
"""Level after GB/T 43697-2024."""
Severity = Literal["warn", "reject", "stop"]
Party = Literal["source", "platform"]
Dimension = Literal["completeness", "validity", "uniqueness", "consistency", "timeliness", "accuracy"]


class RuleUse(Model):
    """A rule applied to a row or a batch: ``{rule: name, severity: …, party: …, <parameters>}``.

    Severity: ``warn`` records, ``reject`` sends the row to quarantine, ``stop`` stops the batch.
    """

    rule: str
    severity: Severity = "reject"
    party: Party = "source"
    params: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _collect_params(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"rule": data}
        if isinstance(data, dict) and "params" not in data:
            own = {k: v for k, v in data.items() if k in ("rule", "severity", "party")}
            return {**own, "params": {k: v for k, v in data.items() if k not in own}}
        return data


class Element(Model):
    """A data element: type, meaning, validity, grade and mask of a column, for the whole house.

    Attributes:
        label: Chinese name shown to people.
        precision, scale: digits of a ``decimal``.
        unit: unit of measure; the element's name ends with it (``_m2``, ``_cny``, ``_ugm3``).
        codes: code list whose codes are the only values allowed.
        pattern: regular expression (RE2) the whole value must match.
        min, max: bounds of a number, or ISO date bounds of a date; inclusive.
        max_length: characters of a string.
        rules: further row rules on the value (``resident_id``, ``uscc`` …).
        grade: level 1-4; ``national``: level after GB/T 43697.
        category: kind of personal or sensitive information, empty when none.
        identifier: ``direct`` names a person by itself: its values go to the vault, never to the feed table;
            ``quasi`` does in combination.
        pseudonym: name of the keyed pseudonym column that stands for a direct identifier.
        mask: mask applied whenever the value leaves in an extract, unless a product says stronger.
        source: standard and clause.
        authority: feeds whose word counts when registers disagree (一数一源), the first most; feeds of one inner list
            are equals, of which the newest statement counts.
    """

    label: str
    type: DataType = "string"
    precision: int = 18
    scale: int = 2
    unit: str | None = None
    codes: str | None = None
    pattern: str | None = None
    min: float | str | None = None
    max: float | str | None = None
    max_length: int | None = None
    rules: tuple[RuleUse, ...] = ()
    grade: Grade
    national: NationalLevel = "general"
    category: str = ""
    identifier: Literal["none", "quasi", "direct"] = "none"
    pseudonym: str | None = None
    mask: str | None = None
    description: str = ""
    source: str = ""
    authority: tuple[str | tuple[str, ...], ...] = ()

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as e:
                raise ValueError(f"not a regular expression: {e}") from e
        return value


class Department(Model):
    """A provider or recipient of data. ``uscc`` is the provider code (提供方代码) where known."""

    name: str
    short: str = ""
    uscc: str | None = None
    contact: str = ""


class Code(Model):
    code: str
    name: str
    parent: str = ""
    valid_from: str = ""
    valid_to: str = ""


class CodeList(Model):
    """A list of codes with its standard; rows in ``codes/<id>.csv``, meta in ``codes/index.yaml``."""

    id: str
    title: str
    source: str
    values: tuple[Code, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(v.code for v in self.values)

    def by_name(self) -> dict[str, str]:
        """Name to code; the latest row wins where a name was used for several codes in time."""
        return {v.name: v.code for v in self.values}


class CatalogueEntry(Model):
    """Core metadata of a government information resource (编制指南(试行) 2017, on GB/T 21063)."""

    code: str = Field(pattern=r"^[1-3]/[0-9]{2}-[0-9]{4,}$")
    sharing: Literal["unconditional", "conditional", "none"]
    sharing_condition: str = ""
    opening: Literal["unconditional", "conditional", "none"]
    legal_basis: str = ""
    update: Literal["realtime", "hourly", "daily", "weekly", "monthly", "quarterly", "yearly", "irregular"]
    abstract: str = ""

    @model_validator(mode="after")
    def _reasons(self) -> CatalogueEntry:
        if self.sharing == "conditional" and not (self.sharing_condition or self.legal_basis):
            raise ValueError("sharing: conditional needs sharing_condition or legal_basis")
        if self.sharing == "none" and not self.legal_basis:
            raise ValueError("sharing: none needs the law or decree in legal_basis")
        return self


STREAMS = frozenset({"mqtt"})
"""Connectors whose messages ``lakehouse collect`` takes."""


class Source(Model):
    """Where deliveries come from: ``{connector: name, <its own keys>}``.

    Attributes:
        connector: a module of ``ingestion/connectors``; ``files`` takes a glob below the drop folder.
        path: that glob; of ``files``, and of streams for files of messages that a gateway kept.
        params: the keys of any other connector, checked by the connector itself (``catalog lint``, every pull).
    """

    connector: str = Field(default="files", pattern=NAME.pattern)
    path: str = ""
    params: dict[str, Any] = Field(default_factory=dict)

    @property
    def is_stream(self) -> bool:
        """Whether messages are taken by a collector that runs all the time."""
        return self.connector in STREAMS

    @property
    def is_dropped(self) -> bool:
        """Whether the feed's files come into the drop folder; otherwise its connector pulls them."""
        return self.connector == "files" or self.is_stream

    @model_validator(mode="before")
    @classmethod
    def _collect_params(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "params" in data or data.get("connector", "files") == "files":
            return data
        own = {k: v for k, v in data.items() if k in ("connector", "path")}
        return {**own, "params": {k: v for k, v in data.items() if k not in own}}

    @model_validator(mode="after")
    def _whose(self) -> Source:
        if self.connector == "files" and self.params:
            raise ValueError("connector files has no key but path")
        if not self.is_dropped and self.path:
            raise ValueError(f"path belongs to connector files; see docs/sources.md for the keys of {self.connector}")
        return self

    @field_validator("path")
    @classmethod
    def _inside(cls, value: str) -> str:
        if value.startswith(("/", "\\")) or ".." in value.split("/"):
            raise ValueError("path must stay inside the drop folder")
        return value


class Load(Model):
    """How a batch meets what is there.

    ``snapshot`` replaces the table, ``append`` adds rows whose key is new, ``upsert`` replaces
    rows by key when ``newest_by`` is not older.

    ``history``: every version of a row is kept in ``history.<feed>`` with ``valid_from`` and ``valid_to``.

    ``deletes``: rows that a comparing connector finds gone at the source are kept as they are, kept and marked with
    ``_deleted_at``, or removed by key.
    """

    mode: Literal["snapshot", "append", "upsert"]
    key: tuple[str, ...] = ()
    newest_by: str | None = None
    partition_by: tuple[str, ...] = ()
    deletes: Literal["keep", "mark", "remove"] = "keep"
    history: bool = False

    @model_validator(mode="after")
    def _key(self) -> Load:
        if self.deletes != "keep" and self.mode != "upsert":
            raise ValueError(f"deletes: {self.deletes} belongs to mode upsert; a snapshot removes by itself")
        if self.history and (self.mode == "append" or not self.key):
            raise ValueError("history: true belongs to mode upsert, or to snapshot with a key")
        if self.mode != "snapshot" and not self.key:
            raise ValueError(f"load mode {self.mode} needs a key")
        return self


class Sla(Model):
    arrive_by: str | None = Field(default=None, pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    max_age_hours: float = 24 * 366
    retries: int = 2
    timeout_minutes: int = 60


class Retention(Model):
    """How long deliveries are kept, where the grade's own period does not fit; ``basis``: law, decree or agreement."""

    keep_days: int = Field(ge=7)
    basis: str = Field(min_length=2)


class FieldSpec(Model):
    """A field as a contract writes it: where it comes from, and only what differs from its element.

    Attributes:
        element: data element, default the field's own name.
        from_ (``from``): source column, or several names it may carry (aliases, first is canonical).
        template: composes several source columns, e.g. ``"{year}-{month}-{day} {hour}"``.
        codes: raw value to code, e.g. ``{男: "1"}``; values of the code list itself always pass,
            and so do its names when ``code_names`` is true.
        formats: strptime formats of a date or timestamp, tried in order; ISO when empty.
        timezone: of naive timestamps; stored as UTC.
        parse: name of a parser for text forms (``capital_amount_10k``, ``capital_currency``, ``number_cn`` …).
        derived: the value is what ``parse`` finds in a source column that is another field's; where it finds none,
            there is none, and that is no fault of the row.
        multiply: factor from the source's unit to the element's.
        required: an empty value breaks the rule.
        null_values: texts that mean "no value", besides the format's.
        crs: the field is a geometry built from ``x`` and ``y`` source columns in this CRS.
        drift: what an unreadable value, an unknown code or a missing column leads to, in place of the contract's.
    """

    element: str | None = None
    from_: tuple[str, ...] = Field(default=(), alias="from")
    template: str | None = None
    codes: dict[str, str] = Field(default_factory=dict)
    code_names: bool = True
    formats: tuple[str, ...] = ()
    timezone: str = "Asia/Shanghai"
    parse: str | None = None
    derived: bool = False
    multiply: float | None = None
    required: bool = False
    null_values: tuple[str, ...] = ()
    x: str | None = None
    y: str | None = None
    crs: str | None = None
    rules: tuple[RuleUse, ...] = ()
    drift: FieldDrift | None = None
    label: str | None = None
    type: DataType | None = None
    grade: Grade | None = None
    grade_reason: str = ""
    mask: str | None = None
    description: str = ""

    @field_validator("from_", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_origin(self) -> FieldSpec:
        origins = [bool(self.from_), self.template is not None, self.x is not None]
        if sum(origins) != 1:
            raise ValueError("a field needs exactly one of from, template, or x with y")
        if (self.x is None) != (self.y is None):
            raise ValueError("x and y go together")
        if self.derived and not self.parse:
            raise ValueError("a derived field needs parse")
        return self


class Feed(Model):
    """One government information resource: everything there is to know about one delivery.

    Row grain of the feed table: one accepted record of the source per ``load.key``.
    """

    id: str
    department: str
    object: str
    title: str
    provider: str
    catalogue: CatalogueEntry
    source: Source
    format: Format
    load: Load
    drift: Drift = Drift()
    sla: Sla = Sla()
    retention: Retention | None = None
    elements: dict[str, Element] = Field(default_factory=dict)
    """Elements only this feed has; promote one to the dictionary when a second feed needs it."""
    fields: dict[str, FieldSpec]
    rules: tuple[RuleUse, ...] = ()
    ignore: tuple[str, ...] = ()
    """Source columns known and not taken."""
    optional_columns: bool = False
    """True when a delivery may lack columns whose fields are not required."""

    @model_validator(mode="after")
    def _consistent(self) -> Feed:
        for name in (self.department, self.object, *self.fields):
            if not NAME.match(name):
                raise ValueError(f"{name!r} is not a lower-case identifier")
            if name.startswith("_"):
                raise ValueError(f"{name!r}: a leading underscore is reserved")
        if self.load.history and {"valid_from", "valid_to"} & set(self.fields):
            raise ValueError("valid_from and valid_to are columns of the history; call the fields otherwise")
        return self


class ResolvedField(Model):
    """A field after its element was applied; the only form the other rooms read."""

    name: str
    element: Element
    spec: FieldSpec
    label: str
    type: DataType
    precision: int
    scale: int
    unit: str | None
    code_list: str | None
    grade: Grade
    mask: str | None
    required: bool
    rules: tuple[RuleUse, ...]
    """The element's rules, then the field's own."""


class ProductColumn(Model):
    """A column that leaves: named, labelled, and masked when its element asks for it."""

    from_: str | None = Field(default=None, alias="from")
    label: str | None = None
    mask: str | None = None
    mask_params: dict[str, Any] = Field(default_factory=dict)
    grade: Grade | None = None
    description: str = ""
    unit: str | None = None


class Carrier(Model):
    """How a column may carry the watermark of a recipient's copy, and how little of it may change.

    Attributes:
        digits: decimals of a number whose last one carries: a value changes by at most one and a half of
            that digit (by one, when it has no more decimals).
        punctuation: brackets and semicolons of a text become all full-width or all half-width.
        min, max: bounds a marked number keeps; inclusive.
    """

    digits: int | None = Field(default=None, ge=0, le=9)
    punctuation: bool = False
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Carrier:
        if (self.digits is None) != self.punctuation:
            raise ValueError("a carrier has either digits or punctuation: true")
        return self


class Anonymity(Model):
    """What must hold of the very rows that leave: nobody stands alone.

    Attributes:
        quasi: released columns that name somebody in combination; equal values form a group.
        k: fewest persons of a group.
        count: released column that holds the persons of a row; without it a row is a person.
        sensitive: released column of which a group must not betray the value.
        l: fewest distinct values of ``sensitive`` in a group.
        suppress: rows of smaller groups do not leave; otherwise the release is refused.
    """

    quasi: tuple[str, ...] = Field(min_length=1)
    k: int = Field(ge=2)
    count: str | None = None
    sensitive: str | None = None
    l: int = Field(default=1, ge=1)  # noqa: E741 - its name in the literature
    suppress: bool = False


class PrivateCounts(Model):
    """Grade-4 rows leave only so: counted, with noise, small cells left out, within a budget.

    Attributes:
        count: name of the released count; the product's columns are what is counted by.
        person: column of the table that tells persons apart; somebody in several cells is refused.
        epsilon: privacy loss of one release (differential privacy, Laplace mechanism).
        budget: sum of epsilon all releases of this product may spend in a calendar year (Beijing).
        k: a noisy count below it does not leave.
    """

    count: str = "persons_count"
    person: str
    epsilon: float = Field(gt=0, le=2)
    budget: float = Field(gt=0, le=20)
    k: int = Field(default=10, ge=5)


class Product(Model):
    """An extract: chosen columns of one table, for named recipients and one purpose.

    Attributes:
        table: ``schema.table`` of a library or mart.
        columns: output column to its origin; a column not named does not leave.
        where: equality or comparison filters, ``{column: {op: value}}``; ops eq, ne, lt, le, gt, ge, in.
        formats: ``csv`` (UTF-8 with BOM for Excel), ``xlsx``, ``parquet``, ``geojson``, ``geoparquet``,
            ``pmtiles`` (vector tiles for web maps), ``delta``.
    """

    id: str
    title: str
    owner: str
    table: str = Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")
    purpose: str
    legal_basis: str
    recipients: tuple[str, ...]
    sharing: Literal["unconditional", "conditional", "none"] = "conditional"
    opening: Literal["unconditional", "conditional", "none"] = "none"
    update: str = "daily"
    columns: dict[str, ProductColumn]
    where: dict[str, dict[str, Any]] = Field(default_factory=dict)
    order_by: tuple[str, ...] = ()
    formats: tuple[Literal["csv", "xlsx", "parquet", "geojson", "geoparquet", "pmtiles", "delta"], ...]
    max_grade: Grade = 2
    description: str = ""
    licence: str = ""
    watermark: dict[str, Carrier] = Field(default_factory=dict)
    """Released columns that carry the mark of each recipient's file copy; none: all copies are alike."""
    anonymity: Anonymity | None = None
    private_counts: PrivateCounts | None = None

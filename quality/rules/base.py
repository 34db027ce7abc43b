"""What a rule is. One file a rule in this folder, each with one ``RULE``; `quality.rules.registry` finds them.

A **row rule** gives checks: a DuckDB expression that is true for a row that fails and never NULL, and the Great
Expectations expectation that says the same. It speaks about *staged* columns: ``"field"`` is typed, ``"field__raw"``
is the delivered text (NULL when the delivery has no value). Values outside a code list stay in the typed column.

A **batch rule** gives a measure: a number about the batch (from its statistics, or an aggregate over its accepted
rows), held against limits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import date, datetime
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from catalog.model import DataType, Dimension, Party, Severity
from quality.sql import quote

Scope = Literal["row", "batch"]
ALL_TYPES: tuple[DataType, ...] = (
    "string",
    "integer",
    "decimal",
    "double",
    "boolean",
    "date",
    "timestamp",
    "geometry",
)


class RuleParams(BaseModel):
    """Parameters of a rule as a contract writes them; unknown ones are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RuleRefused(ValueError):
    """A rule cannot be applied as written; ``cure`` says how it could. The registry adds file and line."""

    def __init__(self, message: str, cure: str) -> None:
        super().__init__(message)
        self.cure = cure


@dataclass(frozen=True)
class Column:
    """A staged column as rules see it."""

    name: str
    label: str
    type: DataType
    codes: tuple[str, ...] = ()
    grade: int = 1
    duckdb_type: str = "VARCHAR"

    @property
    def sql(self) -> str:
        return quote(self.name)

    @property
    def raw(self) -> str:
        return quote(f"{self.name}__raw")


@dataclass(frozen=True)
class RuleContext:
    """Where a rule is applied.

    Attributes:
        columns: all columns of the feed by name.
        field: the column the rule hangs on, None for a rule of the whole feed.
        key: the feed's load key.
        as_of: the instant the batch is judged at, for rules about the future; None asks DuckDB's clock.
    """

    columns: Mapping[str, Column]
    field: Column | None = None
    key: tuple[str, ...] = ()
    as_of: datetime | None = None

    def column(self, name: str, *types: DataType) -> Column:
        """The column ``name``; RuleRefused when it is missing or not of one of ``types``."""
        if name not in self.columns:
            raise RuleRefused(
                f"there is no field {name!r} in this feed", f"one of: {', '.join(self.columns) or 'none'}"
            )
        found = self.columns[name]
        if types and found.type not in types:
            raise RuleRefused(
                f"field {name!r} is of type {found.type}, which this rule cannot express",
                f"use it on {', '.join(types)}",
            )
        return found

    def own(self) -> Column:
        """The column the rule hangs on."""
        if self.field is None:
            raise RuleRefused("this rule is about one field", "write it under the field, or add field: <name>")
        return self.field


class Check(NamedTuple):
    """One thing a row rule looks at.

    Attributes:
        code: last part of the rule code, or the whole code when it contains a dot.
        failing_sql: true for a failing row, never NULL.
        message: Chinese reason, without values.
        expectation: ``{"type": …, "kwargs": …}`` of Great Expectations, see `expectation` and `sql_expectation`.
    """

    code: str
    columns: tuple[Column, ...]
    failing_sql: str
    message: str
    expectation: dict[str, Any]
    extensions: tuple[str, ...] = ()


class Fixture(NamedTuple):
    """One row and whether it fails, with the reason: the executable specification of a row rule."""

    row: dict[str, Any]
    fails: tuple[str, ...]
    """Codes (last parts) of the checks that fail; empty for a good row."""
    reason: str


@dataclass(frozen=True)
class Example:
    """How fixtures apply a rule: its columns, the field it hangs on, its parameters."""

    columns: tuple[Column, ...]
    fixtures: tuple[Fixture, ...]
    field: str | None = None
    params: dict[str, Any] = dataclass_field(default_factory=dict)
    as_of: datetime | None = None


@dataclass(frozen=True)
class RowRule:
    """A rule on rows.

    Attributes:
        title: Chinese name in reference and reports.
        types: data types of the field it can hang on; empty for a rule of the whole feed.
        checks: compiles the rule; raises RuleRefused when it cannot be expressed.
    """

    scope: ClassVar[Scope] = "row"

    name: str
    title: str
    dimension: Dimension
    checks: Callable[[RuleContext, Any], list[Check]]
    examples: tuple[Example, ...]
    params: type[RuleParams] = RuleParams
    types: tuple[DataType, ...] = ()
    party: Party = "source"


@dataclass(frozen=True)
class BatchStats:
    """What ingestion knows of a batch when the gate is asked. found = accepted + quarantined + skipped.

    Attributes:
        rows_skipped: duplicates inside the batch, and rows older than what is there.
        previous_rows: rows of the previous delivery (snapshot: of the table), None for the first.
        arrived_at: arrival of the delivery.
        row_failures: rows found that failed, by rule code, before any row was taken out.
    """

    feed: str
    receipt: str
    rows_found: int
    rows_accepted: int
    rows_quarantined: int
    rows_skipped: int
    arrived_at: datetime
    previous_rows: int | None = None
    row_failures: Mapping[str, int] = dataclass_field(default_factory=dict)


class Finding(NamedTuple):
    """A measured batch rule: the number, its limits, and a Chinese sentence."""

    success: bool
    observed: float | None
    minimum: float | None
    maximum: float | None
    message: str


class BatchFixture(NamedTuple):
    """Statistics (or a measured number) and whether the batch fails, with the reason."""

    changes: dict[str, Any]
    observed: float | None
    fails: bool
    reason: str


class Measure(NamedTuple):
    """What a batch rule needs from the accepted rows.

    Attributes:
        sql: DuckDB aggregate over the accepted rows, None when the statistics are enough. May name the variable
            ``:arrived_at``.
        hashed: a hash of each row that counts, NULL for others: where no two are the same, the measure is 0 and need
            not be taken.
        expectation: a native expectation that says the same, or None to record the finding itself.
    """

    code: str
    columns: tuple[Column, ...] = ()
    sql: str | None = None
    expectation: dict[str, Any] | None = None
    message: str = ""
    hashed: str | None = None


@dataclass(frozen=True)
class BatchRule:
    """A rule on a whole batch.

    Attributes:
        measure: what to count, compiled once.
        judge: (params, stats, measured number) to a Finding.
    """

    scope: ClassVar[Scope] = "batch"

    name: str
    title: str
    dimension: Dimension
    measure: Callable[[RuleContext, Any], Measure]
    judge: Callable[[Any, BatchStats, float | None], Finding]
    fixtures: tuple[BatchFixture, ...]
    params: type[RuleParams] = RuleParams
    example: dict[str, Any] = dataclass_field(default_factory=dict)
    party: Party = "source"


@dataclass(frozen=True)
class CompiledRule:
    """A rule of one feed, ready for every target.

    Attributes:
        code: unique in the feed and stable: ``resident_id.checksum``, ``birth_date.required``.
        failing_sql: row rules: DuckDB boolean over the staged columns, never NULL. Project it (SELECT list), do not
            put it into WHERE or CASE: common parts are only shared in a projection.
        measure_sql, measure_hashed: batch rules: see `Measure`.
        expectation: ``{"type": …, "kwargs": …}``.
        discards: a failing row is kept and its value in ``columns[0]`` becomes NULL (drift: discard_value).
        frozen: a failing row stops the whole delivery (drift: freeze).
        keeps_text: a failing row is kept, its text goes to a column of its own (drift: evolve).
        grade: highest grade of the columns.
        extensions: DuckDB extensions ``failing_sql`` needs.
    """

    code: str
    rule: str
    columns: tuple[str, ...]
    severity: Severity
    party: Party
    dimension: Dimension
    scope: Scope
    failing_sql: str
    message_zh: str
    expectation: dict[str, Any]
    label: str
    params: RuleParams
    measure_sql: str | None = None
    measure_hashed: str | None = None
    discards: bool = False
    frozen: bool = False
    keeps_text: bool = False
    grade: int = 1
    extensions: tuple[str, ...] = ()


def expectation(kind: str, **kwargs: Any) -> dict[str, Any]:
    """A native expectation of Great Expectations by its snake-case type."""
    return {"type": kind, "kwargs": kwargs}


def sql_expectation(failing_sql: str) -> dict[str, Any]:
    """The expectation that no row satisfies ``failing_sql``, for what Great Expectations has no word for."""
    return {"type": "expect_no_row_to_break_rule", "kwargs": {"failing_sql": failing_sql}}


def not_null_and(column: Column, condition: str) -> str:
    """A failing expression that spares empty values and is never NULL."""
    return f"coalesce({column.sql} IS NOT NULL AND {condition}, false)"


def as_bound(column: Column, value: float | int | str) -> float | int | date:
    """A bound of a contract as a value of the column's type; RuleRefused when it is none."""
    if column.type in ("date", "timestamp"):
        try:
            return date.fromisoformat(str(value))
        except ValueError as e:
            raise RuleRefused(f"{value!r} is not a date", 'write it as "YYYY-MM-DD"') from e
    if isinstance(value, str):
        try:
            return float(value) if "." in value else int(value)
        except ValueError as e:
            raise RuleRefused(f"{value!r} is not a number", "write a plain number") from e
    return value

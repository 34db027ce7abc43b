"""What a table rule is. One file a rule in this folder, each with one ``RULE``; `…registry` finds them.

A table rule is about a library table, a mart, or the rows of a release as a whole, once it is built. It compiles to
checks: each an expectation of Great Expectations that counts inside DuckDB, with a Chinese message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, Literal, NamedTuple

from catalog.model import Dimension, Grade, Party
from quality.rules.base import RuleParams, RuleRefused, expectation
from quality.sql import quote

__all__ = [
    "Asked",
    "Checkpoint",
    "CompiledTableRule",
    "RuleParams",
    "RuleRefused",
    "TableCheck",
    "TableColumn",
    "TableContext",
    "TableExample",
    "TableFixture",
    "TableRule",
    "expectation",
    "relation_of",
]

Checkpoint = Literal["library", "mart", "release"]
TableSeverity = Literal["warn", "stop"]
Asked = Literal["rows", "key", "reference", "identifiers", "sample", "table", "count", "inputs", "whole"]
"""How a table is asked that was asked before. ``rows``: each by itself, an aggregate counts those that fail. ``key``,
``reference``: new rows against all. ``identifiers``, ``sample``: the content of new rows. ``table``: a statement of all
rows gives the numbers. ``count``: of rows. ``inputs``: nothing but the evidence. ``whole``: all over again."""
BUILT: tuple[Checkpoint, ...] = ("library", "mart")


@dataclass(frozen=True)
class TableColumn:
    """A column as table rules see it. ``type``: DuckDB's name in small letters, as the model declares it."""

    name: str
    label: str
    type: str = "varchar"
    grade: Grade = 1

    @property
    def sql(self) -> str:
        return quote(self.name)

    @property
    def is_text(self) -> bool:
        return self.type.startswith(("varchar", "text", "string", "char"))


@dataclass(frozen=True)
class TableContext:
    """Where a rule is applied.

    Attributes:
        table: ``schema.table`` or, at release, the product's id.
        relation: name of the view of its rows, unquoted, in DuckDB's main schema.
        key: columns that tell rows apart.
        inputs: feeds that flow into the table.
        masks: at release, masked column to its mask's name and parameters.
    """

    table: str
    checkpoint: Checkpoint
    relation: str
    columns: Mapping[str, TableColumn]
    key: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    masks: Mapping[str, tuple[str, Mapping[str, Any]]] = dataclass_field(default_factory=dict)

    def column(self, name: str) -> TableColumn:
        """The column ``name``; RuleRefused when it is missing."""
        if name not in self.columns:
            raise RuleRefused(
                f"there is no column {name!r} in {self.table}", f"one of: {', '.join(self.columns) or 'none'}"
            )
        return self.columns[name]

    @property
    def texts(self) -> list[TableColumn]:
        return [c for c in self.columns.values() if c.is_text]


class TableCheck(NamedTuple):
    """One thing a table rule looks at.

    Attributes:
        code: unique in the suite and stable.
        message: Chinese, what is not right; without values.
        needs: other tables (``schema.table``) the expectation reads.
        evidence: name of what the caller adds to the expectation's arguments: ``inputs``, ``watermark``, or
            ``history`` (numbers of earlier builds of the same check, which are then kept).
        severity: where one rule has graver and lighter checks; what is declared goes before it.
        asked: how new rows can be asked alone; ``field``: of a reference, the column it leads to.
    """

    code: str
    columns: tuple[TableColumn, ...]
    message: str
    expectation: dict[str, Any]
    needs: tuple[str, ...] = ()
    evidence: str = ""
    severity: TableSeverity | None = None
    asked: Asked = "whole"
    field: str = ""


class TableFixture(NamedTuple):
    """Rows of the example's columns, and which checks (by code) fail, with the reason.

    Attributes:
        evidence: arguments added to the expectation, as the caller would.
        others: other tables the rule reads: ``schema.table`` to column and values.
    """

    rows: tuple[tuple[Any, ...], ...]
    fails: tuple[str, ...]
    reason: str
    evidence: dict[str, Any] = {}  # noqa: RUF012 - never changed
    others: dict[str, tuple[str, tuple[Any, ...]]] = {}  # noqa: RUF012 - never changed


@dataclass(frozen=True)
class TableExample:
    """How fixtures apply a rule."""

    columns: tuple[TableColumn, ...]
    fixtures: tuple[TableFixture, ...]
    params: dict[str, Any] = dataclass_field(default_factory=dict)
    key: tuple[str, ...] = ()
    checkpoint: Checkpoint = "library"
    inputs: tuple[str, ...] = ()
    masks: dict[str, tuple[str, dict[str, Any]]] = dataclass_field(default_factory=dict)


@dataclass(frozen=True)
class TableRule:
    """A rule on a whole table.

    Attributes:
        title: Chinese name in reference and reports.
        severity, party: unless the model or product says otherwise.
        checks: compiles the rule; no check where it has nothing to look at; raises RuleRefused when it cannot be
            expressed.
        at: checkpoints that may ask it.
        implied: asked without being written.
    """

    name: str
    title: str
    dimension: Dimension
    severity: TableSeverity
    party: Party
    checks: Callable[[TableContext, Any], list[TableCheck]]
    examples: tuple[TableExample, ...]
    params: type[RuleParams] = RuleParams
    at: tuple[Checkpoint, ...] = BUILT
    implied: bool = False


@dataclass(frozen=True)
class CompiledTableRule:
    """A rule of one table or product, ready for Great Expectations."""

    code: str
    rule: str
    columns: tuple[str, ...]
    severity: TableSeverity
    party: Party
    dimension: Dimension
    message_zh: str
    expectation: dict[str, Any]
    label: str
    grade: int
    needs: tuple[str, ...]
    evidence: str
    asked: Asked
    field: str


def relation_of(table: str) -> str:
    """The view's name of ``schema.table``."""
    return table.replace(".", "__")

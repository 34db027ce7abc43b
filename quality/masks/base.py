"""What a mask is. One file a mask in this folder, each with one ``MASK``; `quality.masks.registry` finds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from catalog.errors import ContractError
from catalog.model import Grade

Value = str | int | float | date | datetime | None


class MaskParams(BaseModel):
    """Parameters of a mask as a product writes them (``mask_params``); unknown ones are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class MaskFixture(NamedTuple):
    """A value, what must come out, and why."""

    value: Value
    expected: Value
    reason: str
    params: dict[str, Any] = {}  # noqa: RUF012 - never changed


@dataclass(frozen=True)
class Mask:
    """A registered way to take detail out of a value; only a mask lowers a grade.

    Attributes:
        lowers_to: grade of the masked value at most (DB11/T 1918 scale).
        reference: Python form; ``sql`` agrees with it.
        expression: (DuckDB expression, params) to the masked DuckDB expression; NULL stays NULL.
        keyed: needs the pseudonym key registered on the connection (`quality.pseudonym.PseudonymKey.register`).
        takes: the kind of value it is for; a number or a date is given to it as such.
        holds: (DuckDB text expression, params) to the condition that every masked value satisfies; without it a
            masked value is one that masking again leaves as it is.
        keeps: what can still be told from the masked value, in Chinese.
    """

    name: str
    title: str
    lowers_to: Grade
    keeps: str
    reference: Callable[[Value, Any], Value]
    expression: Callable[[str, Any], str]
    fixtures: tuple[MaskFixture, ...]
    params: type[MaskParams] = MaskParams
    keyed: bool = False
    takes: Literal["text", "date", "number"] = "text"
    holds: Callable[[str, Any], str] | None = None

    def checked(self, params: Mapping[str, Any] | None = None) -> MaskParams:
        """``params`` as this mask's own; ContractError names the parameter and those it knows."""
        try:
            return self.params.model_validate(dict(params or {}))
        except ValidationError as e:
            fault = e.errors()[0]
            place = ".".join(str(p) for p in fault["loc"])
            known = ", ".join(self.params.model_fields) or "none"
            message = f"mask {self.name}, {place}: {fault['msg'].removeprefix('Value error, ')}"
            raise ContractError(message, hint=f"its parameters are: {known}", mask=self.name) from e

    def sql(self, expr: str, params: Mapping[str, Any] | None = None) -> str:
        """The masked form of a DuckDB expression.

        Args:
            expr: a quoted column, or an expression over validated columns; VARCHAR unless the mask says otherwise.
        """
        return self.expression(f"({expr})", self.checked(params))

    def holds_sql(self, column: str, params: Mapping[str, Any] | None = None) -> str:
        """A DuckDB condition, never NULL: the released value of ``column`` (quoted) can have come out of this mask."""
        text, checked = f"({column}::VARCHAR)", self.checked(params)
        condition = self.holds(text, checked) if self.holds else f"{self.expression(text, checked)} = {text}"
        return f"({column} IS NULL OR coalesce({condition}, false))"

    def apply(self, value: Value, params: Mapping[str, Any] | None = None) -> Value:
        """The masked value, in Python."""
        return None if value is None else self.reference(value, self.checked(params))

"""Who may see which values in clear, for what and until when: ``grants/*.yaml``. There is none by default.

A grant does nothing by itself: its principal must be enrolled (``dictionary/people.yaml``) and sign every read.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from catalog.model import NAME, Model
from catalog.yamlfile import read_yaml, validate

MAX_DAYS = 366
TableName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")]


class Grant(Model):
    """Leave to read columns in clear with ``lakehouse sql --clear``.

    Attributes:
        id: the file's name.
        principal: a person's id in ``dictionary/people.yaml``.
        tables: ``schema.table`` to the columns given; ``"*"``: every column up to ``max_grade``.
        max_grade: ceiling on every column, listed or not; grade 4 is never granted.
        purpose: the reader must state exactly this.
        valid_from, valid_to: first and last day (Beijing), a year at most.
    """

    id: str
    principal: str = Field(pattern=NAME.pattern)
    tables: dict[TableName, tuple[str, ...] | Literal["*"]] = Field(min_length=1)
    max_grade: Literal[2, 3] = 3
    purpose: str = Field(min_length=4)
    legal_basis: str = Field(min_length=4)
    valid_from: date
    valid_to: date

    @model_validator(mode="after")
    def _span(self) -> Grant:
        days = (self.valid_to - self.valid_from).days
        if not 0 <= days < MAX_DAYS:
            raise ValueError(f"valid_to is 0 to {MAX_DAYS - 1} days after valid_from, not {days}")
        if any(columns == () for columns in self.tables.values()):
            raise ValueError('a table without columns grants nothing: list them, or write "*"')
        return self

    def holds(self, on: date) -> bool:
        return self.valid_from <= on <= self.valid_to


def load_grants(catalog_dir: Path) -> dict[str, Grant]:
    """Grant id (file name) to grant.

    Raises:
        ContractError: with file, line and field, for the first that is wrong.
    """
    found = {}
    for path in sorted((catalog_dir / "grants").glob("*.yaml")):
        source = read_yaml(path)
        data = source.data if isinstance(source.data, dict) else {}
        found[path.stem] = validate(Grant, source, {**data, "id": path.stem})
    return found

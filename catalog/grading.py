"""Grades as data: levels, categories of personal information, controls, and what raises or lowers a grade.

Everything here is read from ``catalog/grading/*.yaml`` and can be replaced without code. The scale is that of
DB11/T 1918-2021, whose text was not available: the tables are working proposals and no conformity is claimed.
The level after GB/T 43697-2024 stands beside it; neither is derived from the other.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, model_validator

from catalog.errors import ContractError, UnknownName
from catalog.model import Element, Grade, Model, NationalLevel
from catalog.yamlfile import read_yaml, validate

Object = Literal["person", "organisation", "public_interest", "national_security"]
Degree = Literal["none", "slight", "serious", "very_serious"]
Stage = Literal["collect", "store", "share", "use", "destroy"]
Keeps = Literal["keep", "drop"]
Steps = dict[Annotated[int, Field(ge=1, le=4)], Annotated[int, Field(ge=1, le=4)]]
"""Grade before to grade after."""


class Dated(Model):
    """Something that holds from one day to another (both included; no ``valid_to``: until further notice)."""

    valid_from: date
    valid_to: date | None = None
    source: str = Field(min_length=2)

    def holds(self, on: date) -> bool:
        return self.valid_from <= on and (self.valid_to is None or on <= self.valid_to)


class Level(Model):
    label: str
    meaning: str
    examples: str = ""


class MatrixRow(Dated):
    """The level for each degree of harm to one object, on both scales."""

    object: Object
    levels: dict[Degree, Grade]
    national: dict[Degree, NationalLevel]


class CategoryPeriod(Dated):
    """How a category was treated in a time: ``sensitive`` in law, and the least ``grade`` of its elements."""

    sensitive: bool
    grade: Grade


class Category(Model):
    """A kind of personal or sensitive information."""

    label: str
    group: str
    periods: tuple[CategoryPeriod, ...] = Field(min_length=1)

    def on(self, day: date) -> CategoryPeriod | None:
        """How the category is treated on ``day``; None before it was named anywhere."""
        return next((p for p in self.periods if p.holds(day)), None)


class Control(Dated):
    """Something that must be done with data of certain levels at a stage.

    Attributes:
        enforced_by: modules that do it, None when no code does (``why`` says why).
        tested_by: test files that prove it.
    """

    id: str
    stage: Stage
    levels: tuple[Grade, ...] = Field(min_length=1)
    text: str
    enforced_by: tuple[str, ...] | None
    tested_by: tuple[str, ...]
    why: str = ""

    @model_validator(mode="after")
    def _accounted_for(self) -> Control:
        if not self.id.startswith(f"{self.stage}."):
            raise ValueError(f"id {self.id!r} does not begin with its stage, {self.stage}.")
        if self.enforced_by is None and not self.why:
            raise ValueError("enforced_by is null: say why")
        if self.enforced_by is not None and not (self.enforced_by and self.tested_by):
            raise ValueError("an enforced control names its modules and its tests")
        return self


class CombinationRule(Dated):
    """Raises a table to ``raises_to`` when rows about persons hold at least ``quasi_min`` identifying columns
    that come from at least ``registers_min`` feeds."""

    id: str
    title: str
    quasi_min: int = Field(ge=2)
    registers_min: int = Field(ge=1)
    raises_to: Grade


class Lowering(Dated):
    """A registered way to a lower grade; a grade that ``lowers`` does not name stays."""

    id: str
    title: str
    lowers: Steps

    @model_validator(mode="after")
    def _lowers(self) -> Lowering:
        if any(after >= before for before, after in self.lowers.items()):
            raise ValueError("lowers: every grade after is below the grade before")
        return self


class ExpressionLowering(Lowering):
    """SQL forms (DuckDB) that take detail out of ``{x}``; ``quasi``: whether the result still helps to identify."""

    forms: tuple[str, ...] = Field(min_length=1)
    quasi: Keeps


class StatisticLowering(Dated):
    """Aggregate functions over groups. Rows about persons are lowered less than others."""

    id: str
    title: str
    functions: tuple[str, ...] = Field(min_length=1)
    lowers_persons: Steps
    lowers_others: Steps


class Suppression(Lowering):
    """What is gained when groups of fewer than ``minimum`` are not given."""

    minimum: int = Field(ge=2)


class Lowerings(Model):
    """All registered lowerings; nothing else lowers a grade."""

    note: str
    expressions: tuple[ExpressionLowering, ...]
    statistics: tuple[StatisticLowering, ...]
    suppression: Suppression
    reviewed: tuple[Lowering, ...]

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Lowerings:
        ids = [self.suppression.id, *(e.id for e in self.expressions), *(e.id for e in self.statistics)]
        ids += [e.id for e in self.reviewed]
        if len(ids) != len(set(ids)):
            raise ValueError("two lowerings have the same id")
        return self


class Combinations(Model):
    """``places``: elements that say where; together they count as one quasi-identifier of the person in the row."""

    note: str
    places: tuple[str, ...]
    rules: tuple[CombinationRule, ...]


class Levels(Model):
    note: str
    levels: dict[Grade, Level]
    objects: dict[Object, str]
    degrees: dict[Degree, str]
    national_levels: dict[NationalLevel, str]
    matrix: tuple[MatrixRow, ...]

    @model_validator(mode="after")
    def _complete(self) -> Levels:
        if set(self.levels) != {1, 2, 3, 4}:
            raise ValueError("levels: exactly 1, 2, 3 and 4")
        for row in self.matrix:
            if set(row.levels) != set(self.degrees) or set(row.national) != set(self.degrees):
                raise ValueError(f"matrix: {row.object} needs a level for each of {', '.join(self.degrees)}")
        if {row.object for row in self.matrix} != set(self.objects):
            raise ValueError("matrix: a row for every object")
        return self


class Categories(Model):
    note: str
    categories: dict[str, Category]


class Controls(Model):
    note: str
    stages: dict[Stage, str]
    controls: tuple[Control, ...]

    @model_validator(mode="before")
    @classmethod
    def _dates_of_the_file(cls, data: Any) -> Any:
        """``valid_from`` and ``source`` of the file hold for every control that does not say its own."""
        if not isinstance(data, dict):
            return data
        shared = {k: data[k] for k in ("valid_from", "valid_to", "source") if k in data}
        own = {k: v for k, v in data.items() if k not in shared}
        return {**own, "controls": [{**shared, **c} for c in data.get("controls") or ()]}


class Retentions(Model):
    """Days that deliveries of a feed are kept, by its grade (``retention.yaml``)."""

    note: str = ""
    valid_from: date
    source: str
    keep_days: dict[int, int]

    @model_validator(mode="after")
    def _every_grade(self) -> Retentions:
        if set(self.keep_days) != {1, 2, 3, 4} or min(self.keep_days.values()) < 7:
            raise ValueError("keep_days needs grades 1 to 4, at least 7 days each")
        return self


class Grading(Model):
    """The whole of ``catalog/grading/``."""

    levels: Levels
    categories: dict[str, Category]
    stages: dict[Stage, str]
    all_controls: tuple[Control, ...]
    combinations: Combinations
    lowerings: Lowerings
    retention: Retentions

    def level(self, object_: str, degree: str, on: date) -> int:
        """The level (1-4) for harm of ``degree`` to ``object_`` by the matrix in force on a day."""
        return self._row(object_, on).levels[self._degree(degree)]

    def national(self, object_: str, degree: str, on: date) -> NationalLevel:
        """The level after GB/T 43697-2024 for the same harm."""
        return self._row(object_, on).national[self._degree(degree)]

    def controls(self, level: int, stage: str | None = None, *, on: date) -> tuple[Control, ...]:
        """The controls of a level, at one stage or at all of them, in force on a day."""
        if stage is not None and stage not in self.stages:
            raise UnknownName(f"there is no stage {stage!r}", hint=f"known ones: {', '.join(self.stages)}")
        wanted = (c for c in self.all_controls if level in c.levels and stage in (None, c.stage))
        return tuple(c for c in wanted if c.holds(on))

    def category(self, name: str) -> Category:
        """A category by id or label; UnknownName lists near ones."""
        found = self.categories.get(name) or next((c for c in self.categories.values() if c.label == name), None)
        if found is None:
            from difflib import get_close_matches

            names = [*self.categories, *(c.label for c in self.categories.values())]
            near = get_close_matches(name, names, n=3)
            hint = f"did you mean {', '.join(near)}?" if near else "see catalog/grading/categories.yaml"
            raise UnknownName(f"there is no category {name!r}", hint=hint)
        return found

    def is_sensitive(self, element: Element, on: date) -> bool:
        """Whether an element is sensitive personal information on a day."""
        period = self.category(element.category).on(on) if element.category else None
        return period is not None and period.sensitive

    def _row(self, object_: str, on: date) -> MatrixRow:
        for row in self.levels.matrix:
            if row.object == object_ and row.holds(on):
                return row
        raise UnknownName(
            f"no level is set for harm to {object_!r} on {on}", hint=f"known objects: {', '.join(self.levels.objects)}"
        )

    def _degree(self, degree: str) -> Any:
        if degree not in self.levels.degrees:
            raise UnknownName(f"there is no degree {degree!r}", hint=f"known ones: {', '.join(self.levels.degrees)}")
        return degree


M = TypeVar("M", bound=Model)


def load_grading(folder: Path) -> Grading:
    """Read ``catalog/grading/``.

    Raises:
        ContractError: with file, line and cure, for the first file that is wrong or missing.
    """

    def read(name: str, model: type[M]) -> M:
        if not (folder / name).exists():
            raise ContractError(f"grading/{name} is missing", hint="nothing loads ungraded", file=str(folder / name))
        source = read_yaml(folder / name)
        return validate(model, source, source.data)

    controls = read("controls.yaml", Controls)
    return Grading(
        levels=read("levels.yaml", Levels),
        categories=read("categories.yaml", Categories).categories,
        stages=controls.stages,
        all_controls=controls.controls,
        combinations=read("aggregation.yaml", Combinations),
        lowerings=read("lowering.yaml", Lowerings),
        retention=read("retention.yaml", Retentions),
    )

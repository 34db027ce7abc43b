"""Grades flow by column lineage: the grade of an output is the highest of its inputs unless a registered lowering
took detail out, and a table whose rows describe persons by many columns is raised.

``check`` walks models in the order they read each other and compares what flows in with what each declares. A model
that would lower a grade silently is a problem, told with the path from the column back to the feed it comes from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from catalog.errors import LakehouseError
from catalog.grading import Combinations, Grading, Lowerings
from catalog.model import Grade
from quality.flow import NOTHING, Flow, Place
from quality.lineage_sql import LineageError, Policy, Relation, Trace, output_names, policy, tables_of, trace

REASON = 6
"""Characters a reason has at least; fewer say nothing."""


class GradeRefused(LakehouseError):
    """A model would be built with a grade that its inputs do not allow, or with none."""

    code = "LH641"
    exit_code = 7


class Lowered(BaseModel):
    """A reviewed lowering as a model's column states it: ``lowered: {from: 3, by: <id>, reason: …}``."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    from_: Grade = Field(alias="from")
    by: str
    reason: str = Field(min_length=REASON)


class ModelSpec(BaseModel):
    """A model as it is about to be built.

    Attributes:
        name: ``schema.table``; ``file``: where its author looks.
        sql: compiled SQL.
        grade: declared grade of the table.
        columns: declared grade of each column, None where the model states none; empty when it lists no columns.
        lowered: column to what the model says of its lowering.
        key: columns that tell its rows apart.
        view: a view without a list of columns takes the grades that flow in.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    file: str = ""
    sql: str
    grade: Grade | None
    columns: dict[str, Grade | None] = Field(default_factory=dict)
    lowered: dict[str, Lowered] = Field(default_factory=dict)
    key: tuple[str, ...] = ()
    view: bool = False


class ColumnGrade(BaseModel):
    """The grade of one column.

    Attributes:
        declared: by the model, None where it states none; ``computed``: what flows in; ``grade``: what holds.
        lowered: ids of the lowerings on the way, the reviewed one last.
        inputs: ``schema.table.column`` it derives from, each with the grade it contributes.
        path: the way of the highest grade back to its feed.
    """

    model_config = ConfigDict(frozen=True)

    table: str
    column: str
    declared: int | None
    computed: int
    grade: int
    lowered: tuple[str, ...]
    inputs: dict[str, int]
    path: str


class TableGrade(BaseModel):
    """The grade of one model: of its columns, and of them together (``raised_by``).

    Attributes:
        predicates: columns that decide which rows there are, with their grades; not values of any column.
    """

    model_config = ConfigDict(frozen=True)

    table: str
    declared: int | None
    computed: int
    raised_by: str
    quasi: tuple[str, ...]
    predicates: dict[str, int]
    columns: tuple[ColumnGrade, ...]


class Problem(BaseModel):
    """Why a model may not be built. ``kind``: untraceable, ungraded, silent, review, table or combination."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["untraceable", "ungraded", "silent", "review", "table", "combination"]
    table: str
    column: str = ""
    file: str = ""
    message: str
    path: str = ""
    hint: str


class GradeReport(BaseModel):
    """Grades of all models in the order they were walked, and everything wrong with them."""

    model_config = ConfigDict(frozen=True)

    tables: tuple[TableGrade, ...]
    problems: tuple[Problem, ...]

    def table(self, name: str) -> TableGrade | None:
        return next((t for t in self.tables if t.table == name), None)

    def raise_for_problems(self) -> None:
        """Raise GradeRefused with the first problem, and how many more there are."""
        if not self.problems:
            return
        first = self.problems[0]
        more = f" — and {len(self.problems) - 1} more" if len(self.problems) > 1 else ""
        raise GradeRefused(
            f"{first.message}{more}",
            hint=first.hint,
            model=first.table,
            column=first.column or None,
            path=first.path or None,
            file=first.file or None,
        )


def source(name: str, columns: Mapping[str, Flow], key: Iterable[str] = ()) -> Relation:
    """A table lineage starts from; each column's flow says its grade, and whom it may identify."""
    based = {column: _based(name, column, flow) for column, flow in columns.items()}
    return Relation(name=name, columns=based, key=frozenset((name, k) for k in key))


def check(
    models: Sequence[ModelSpec],
    sources: Mapping[str, Relation],
    grading: Grading,
    *,
    on: date,
    masks: Mapping[str, tuple[str, int]] | None = None,
) -> GradeReport:
    """Compute the grades of all models and compare them with what they declare.

    Args:
        sources: what models read that is not a model: feeds and seeds, by ``schema.table``.
        masks: mask name to its SQL over a column ``x``, and the grade it lowers to.
    """
    walk = _Walk(sources, grading, policy(grading.lowerings, on, masks), on)
    for model in _in_order(models, walk.problems):
        walk.take(model)
    return GradeReport(tables=tuple(walk.tables.values()), problems=tuple(walk.problems))


def _in_order(models: Sequence[ModelSpec], problems: list[Problem]) -> list[ModelSpec]:
    by_name = {m.name: m for m in models}
    graph: dict[str, set[str]] = {}
    for model in models:
        try:
            graph[model.name] = (tables_of(model.sql) & set(by_name)) - {model.name}
        except LineageError:
            graph[model.name] = set()  # said again, with its cause, when its turn comes
    try:
        return [by_name[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as e:
        circle = " ← ".join(e.args[1])
        hint = "break the circle"
        problems.append(
            Problem(kind="untraceable", table=e.args[1][0], message=f"models read each other: {circle}", hint=hint)
        )
        return []


class _Walk:
    def __init__(self, sources: Mapping[str, Relation], grading: Grading, rules: Policy, on: date) -> None:
        self.relations: dict[str, Relation] = dict(sources)
        self.lowerings: Lowerings = grading.lowerings
        self.combinations: Combinations = grading.combinations
        self.rules, self.on = rules, on
        self.problems: list[Problem] = []
        self.tables: dict[str, TableGrade] = {}
        self.worst: dict[Place, Place | None] = {}

    def take(self, model: ModelSpec) -> None:
        if model.grade is None:
            self._say(model, "ungraded", f"{model.name} has no grade", hint="state meta.grade in its yml")
        try:
            declared = dict.fromkeys(output_names(model.sql), model.grade) | model.columns
            own = source(model.name, {c: Flow(grade=g or 1) for c, g in declared.items()}, model.key)
            found = trace(model.sql, {**self.relations, model.name: own}, self.rules)
        except LineageError as e:
            self._say(model, "untraceable", f"{model.name} cannot be traced: {e.message}", hint=e.hint)
            flows = {c: Flow(grade=g or 4) for c, g in model.columns.items()}
            found = Trace(columns=flows, predicates={})
        columns = tuple(self._column(model, name, flow) for name, flow in found.columns.items())
        based = {c.column: replace(found.columns[c.column], grade=c.grade) for c in columns}
        self.relations[model.name] = source(model.name, based, model.key)
        self._table(model, found, columns)

    def _column(self, model: ModelSpec, name: str, flow: Flow) -> ColumnGrade:
        self.worst[(model.name, name)] = max(
            flow.inputs, key=lambda place: (flow.inputs[place], self._grade(place)), default=None
        )
        declared = model.columns.get(name)
        if declared is None and not model.columns and not model.view:
            declared = model.grade
        elif declared is None and (model.columns or not model.view):
            hint = "state meta.grade on the column in the model's yml"
            self._say(model, "ungraded", f"{model.name}.{name} has no grade", column=name, hint=hint)
        path = self._path(model.name, name, declared)
        grade, lowered = max(declared or 1, flow.grade), flow.lowered
        review = model.lowered.get(name)
        if review is not None and self._reviewed(model, name, flow, declared, review):
            grade, lowered = declared or flow.grade, (*lowered, review.by)
        elif review is None and declared is not None and declared < flow.grade:
            self._say(
                model,
                "silent",
                f"{model.name}.{name} is declared grade {declared}, but grade {flow.grade} flows into it: {path}",
                column=name,
                path=path,
                hint=f"declare grade {flow.grade}, apply a registered mask or statistic, or state lowered:",
            )
        return ColumnGrade(
            table=model.name,
            column=name,
            declared=declared,
            computed=flow.grade,
            grade=grade,
            lowered=lowered,
            inputs={".".join(place): g for place, g in flow.inputs.items()},
            path=path,
        )

    def _reviewed(self, model: ModelSpec, name: str, flow: Flow, declared: int | None, review: Lowered) -> bool:
        """Whether a stated lowering is registered, still fits what flows in, and allows the declared grade."""
        known = {rule.id: rule for rule in self.lowerings.reviewed if rule.holds(self.on)}
        rule = known.get(review.by)
        if rule is None:
            message, hint = f"lowering {review.by!r} is not registered", f"registered: {', '.join(known) or 'none'}"
        elif review.from_ != flow.grade:
            message = f"it was reviewed for grade {review.from_}, but grade {flow.grade} flows in now"
            hint = "review it again, or remove lowered:"
        elif declared is None or declared < rule.lowers.get(flow.grade, flow.grade):
            least = rule.lowers.get(flow.grade, flow.grade)
            message, hint = f"{review.by} lowers {flow.grade} to {least} at most", f"declare grade {least}"
        elif declared >= flow.grade:
            message, hint = "nothing is lowered", "remove lowered:"
        else:
            return True
        path = self._path(model.name, name, declared)
        self._say(model, "review", f"{model.name}.{name}: {message}: {path}", column=name, path=path, hint=hint)
        return False

    def _table(self, model: ModelSpec, found: Trace, columns: tuple[ColumnGrade, ...]) -> None:
        highest = max((c.grade for c in columns), default=1)
        quasi, registers = self._persons(found.columns)
        computed, by, title = highest, "", ""
        for rule in self.combinations.rules:
            met = rule.holds(self.on) and len(quasi) >= rule.quasi_min and registers >= rule.registers_min
            if met and rule.raises_to > computed:
                computed, by, title = rule.raises_to, rule.id, rule.title
        worst = max(columns, key=lambda c: c.declared or c.grade, default=None)
        stated = (worst.declared or worst.grade) if worst else 1
        if worst is not None and model.grade is not None and model.grade < stated:
            message = (
                f"{model.name} is declared grade {model.grade}, but its column {worst.column} is of grade {stated}"
            )
            self._say(model, "table", message, path=worst.path, hint=f"declare grade {stated}")
        elif model.grade is not None and by and model.grade < computed:
            message = (
                f"{model.name} is declared grade {model.grade}, but {', '.join(quasi)} stand together in a row about "
                f"a person, which raises it to {computed} ({by}: {title})"
            )
            hint = f"declare grade {computed}, leave columns out, generalise them, or count with small cells suppressed"
            self._say(model, "combination", message, path="; ".join(self._witnesses(model, found.columns)), hint=hint)
        self.tables[model.name] = TableGrade(
            table=model.name,
            declared=model.grade,
            computed=computed,
            raised_by=by,
            quasi=quasi,
            predicates={".".join(place): g for place, g in found.predicates.items()},
            columns=columns,
        )

    def _persons(self, columns: Mapping[str, Flow]) -> tuple[tuple[str, ...], int]:
        """Elements that identify the person a row is about (all places as one), and how many feeds they are from."""
        places = set(self.combinations.places)
        identifying = {name for flow in columns.values() for name in flow.quasi}
        if not any(flow.identifies for flow in columns.values()) or not identifying - places:
            return (), 0
        if identifying & places or places & set(columns):
            identifying = (identifying - places) | {"place"}
        feeds = {feed for flow in columns.values() for feed in flow.registers}
        return tuple(sorted(identifying)), len(feeds)

    def _witnesses(self, model: ModelSpec, columns: Mapping[str, Flow]) -> list[str]:
        return [self._path(model.name, c, model.columns.get(c)) for c, flow in columns.items() if flow.identifies][:4]

    def _path(self, table: str, column: str, declared: int | None) -> str:
        """``a.b.c (declared 2) ← staging.d.c ← feed.d.c (grade 3)``: the way of the highest grade."""
        parts = [f"{table}.{column}" + (f" (declared {declared})" if declared is not None else "")]
        place, seen = self.worst.get((table, column)), {(table, column)}
        while place is not None and place not in seen:
            seen.add(place)
            parts.append(".".join(place))
            if place not in self.worst:
                parts[-1] += f" (grade {self._grade(place)})"
            place = self.worst.get(place)
        return " ← ".join(parts)

    def _grade(self, place: Place) -> int:
        """The grade of an input before anything lowered it."""
        columns = self.relations[place[0]].columns if place[0] in self.relations else {}
        return columns.get(place[1], columns.get("*", NOTHING)).grade

    def _say(self, model: ModelSpec, kind: str, message: str, *, column: str = "", path: str = "", hint: str) -> None:
        self.problems.append(
            Problem.model_validate(
                {
                    "kind": kind,
                    "table": model.name,
                    "column": column,
                    "file": model.file,
                    "message": message,
                    "path": path,
                    "hint": hint,
                }
            )
        )


def _based(table: str, column: str, flow: Flow) -> Flow:
    """A column of a table as the next statement reads it: an origin of its own."""
    place = (table, column)
    return replace(flow, inputs={place: flow.grade}, keys=frozenset({place}), lowered=())

"""Column lineage of one SELECT: which columns each output derives from, and the grade that reaches it.

What counts. The *value* counts: everything an output's expression computes with, the conditions of its CASEs and
FILTERs, and the order of a ranking. Predicates (WHERE, JOIN, GROUP BY, PARTITION BY) say which rows there are, not
what a value is: they are recorded apart, and count only for a count of rows. A literal is of grade 1. Only a
registered lowering (``catalog/grading/lowering.yaml``, masks) lowers a grade; what cannot be traced is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.schema import MappingSchema

from catalog.errors import LakehouseError
from catalog.grading import Keeps, Lowerings, StatisticLowering, Suppression
from quality.flow import NOTHING, Flow, Place, combine, lower

DIALECT = "duckdb"
_STAYS = (exp.Alias, exp.Cast, exp.Coalesce, exp.Paren, exp.Subquery)
"""What leaves a count a count and a place a place; ``n * 100 >= 5`` suppresses nothing."""
PERSONAL = 3
"""A group key of this grade stands for one person or household: a statistic over it lowers nothing."""


class LineageError(LakehouseError):
    """A statement whose columns cannot be traced; nothing untraced is graded."""

    code = "LH640"
    exit_code = 7


@dataclass(frozen=True)
class Relation:
    """What a statement reads: its columns with what travels in them, and the columns that tell its rows apart.

    A table whose columns are not known has the one column ``*``, which stands for each of them; a statement that
    reads such a table besides others can be traced only when it says which column is whose.
    """

    name: str
    columns: Mapping[str, Flow]
    key: frozenset[Place] = frozenset()

    @property
    def about_persons(self) -> bool:
        return any(flow.identifies for flow in self.columns.values())


@dataclass(frozen=True)
class Form:
    """A registered lowering with its parsed form; ``x`` stands for the value."""

    id: str
    tree: exp.Expr
    grades: Mapping[int, int]
    quasi: Keeps


@dataclass(frozen=True)
class Policy:
    """The lowerings in force on a day, ready for use."""

    forms: tuple[Form, ...]
    statistics: tuple[StatisticLowering, ...]
    suppression: Suppression | None

    @cached_property
    def functions(self) -> dict[str, StatisticLowering]:
        """Class name of the SQL function to the statistic it is."""
        found = {}
        for rule in self.statistics:
            for name in rule.functions:
                found[type(sqlglot.parse_one(f"{name}(x)", read=DIALECT)).__name__] = rule
        return found


def policy(lowerings: Lowerings, on: date, masks: Mapping[str, tuple[str, int]] | None = None) -> Policy:
    """Compile the registered lowerings.

    Args:
        masks: mask name to its SQL over a column ``x`` and the grade it lowers to at most.
    """
    forms = [
        Form(rule.id, _form(text.replace("{x}", "x")), rule.lowers, rule.quasi)
        for rule in lowerings.expressions
        if rule.holds(on)
        for text in rule.forms
    ]
    for name, (sql, grade) in (masks or {}).items():
        forms.insert(0, Form(f"mask:{name}", _form(sql), dict.fromkeys(range(grade + 1, 5), grade), "keep"))
    return Policy(
        forms=tuple(forms),
        statistics=tuple(rule for rule in lowerings.statistics if rule.holds(on)),
        suppression=lowerings.suppression if lowerings.suppression.holds(on) else None,
    )


def _form(sql: str) -> exp.Expr:
    return sqlglot.parse_one(sql, read=DIALECT)


@dataclass(frozen=True)
class Trace:
    """What a statement yields.

    Attributes:
        columns: output column to its flow, in order.
        predicates: columns that decide which rows there are, with their grades.
    """

    columns: dict[str, Flow]
    predicates: Mapping[Place, int]


def tables_of(sql: str) -> set[str]:
    """``schema.table`` of everything a statement reads."""
    tree = _parse(sql)
    ctes = {cte.alias_or_name for cte in tree.find_all(exp.CTE)}
    return {_name(t) for t in tree.find_all(exp.Table) if t.name and (t.db or t.name not in ctes)}


def output_names(sql: str) -> list[str]:
    """Columns a statement names in its outermost SELECT; those behind a ``*`` are not among them."""
    return [c.alias_or_name.lower() for c in _parse(sql).selects if not c.is_star]


def trace(sql: str, relations: Mapping[str, Relation], rules: Policy) -> Trace:
    """Trace one SELECT.

    Args:
        sql: DuckDB SQL as dbt compiled it.
        relations: ``schema.table`` to what is known of it; a table that is not there is refused.

    Raises:
        LineageError: it cannot be parsed, reads an unknown table or column, or is not traceable.
    """
    tree = _parse(sql)
    schema: dict[str, Any] = {}
    known = not any(_generates(t) for t in tree.find_all(exp.Table))
    for name in tables_of(sql):
        if name not in relations:
            raise LineageError(f"it reads {name}, which has no grades", hint="read a model, a seed or a source")
        if "*" in relations[name].columns:
            known = False
            continue
        db, table = name.split(".", 1)
        schema.setdefault(db, {})[table] = dict.fromkeys(relations[name].columns, "varchar")
    try:
        tree = qualify(
            tree,
            schema=MappingSchema(schema, dialect=DIALECT),
            dialect=DIALECT,
            quote_identifiers=False,
            validate_qualify_columns=known,
            allow_partial_qualification=not known,
        )
        scopes = traverse_scope(tree)
    except SqlglotError as e:
        why = str(e).splitlines()[0]
        raise LineageError(f"its columns cannot be resolved: {why}", hint="name every column by its table") from e
    return _Tracer(relations, rules).run(scopes)


def _parse(sql: str) -> exp.Query:
    try:
        tree = sqlglot.parse_one(sql, read=DIALECT)
    except SqlglotError as e:
        raise LineageError("it is not SQL that can be read", hint=str(e).splitlines()[0]) from e
    if not isinstance(tree, exp.Query):
        raise LineageError("it is not a SELECT", hint="a model is one SELECT")
    for table in tree.find_all(exp.Table):
        table.set("catalog", None)
    return tree


def _generates(table: Any) -> bool:
    """Whether a table function makes rows of its arguments alone, like ``range(10)``."""
    return isinstance(table, exp.Table) and isinstance(table.this, exp.GenerateSeries)


def _name(table: exp.Table) -> str:
    return f"{table.db}.{table.name}".lower() if table.db else table.name.lower()


class _Tracer:
    def __init__(self, relations: Mapping[str, Relation], rules: Policy) -> None:
        self.relations, self.rules = relations, rules
        self.outputs: dict[int, dict[str, Flow]] = {}  # by id of a scope
        self.rows: dict[int, Flow] = {}
        self.about: dict[int, bool] = {}
        self.by_query: dict[int, Scope] = {}
        self.guarded: dict[int, set[str]] = {}
        self.having: set[int] = set()

    def run(self, scopes: list[Scope]) -> Trace:
        for scope in scopes:
            self.by_query[id(scope.expression)] = scope
        for scope in scopes:
            self._scope(scope)
        root = scopes[-1]
        rows = combine(self.rows[id(s)] for s in scopes)
        return Trace(columns=self.outputs[id(root)], predicates=dict(rows.inputs))

    # --- one scope

    def _scope(self, scope: Scope) -> None:
        query = scope.expression
        if isinstance(query, exp.SetOperation):
            self._union(scope)
        elif isinstance(query, exp.Select):
            self._select(scope, query)
        else:  # VALUES, UNNEST, LATERAL, table functions: every column may hold anything that is in there
            flow = combine(self._value(child, scope) for child in query.iter_expressions())
            self.outputs[id(scope)] = {"*": flow}
            self.rows[id(scope)], self.about[id(scope)] = NOTHING, False

    def _union(self, scope: Scope) -> None:
        sides = [self._done(child) for child in scope.set_operation_scopes]
        names = list(sides[0])
        if any(len(side) != len(names) for side in sides):
            raise LineageError("the sides of a UNION have different columns", hint="give both the same columns")
        columns = zip(*(side.values() for side in sides), strict=True)
        self.outputs[id(scope)] = {name: combine(flows) for name, flows in zip(names, columns, strict=True)}
        self.rows[id(scope)] = combine(self.rows[id(child)] for child in scope.set_operation_scopes)
        self.about[id(scope)] = any(self.about[id(child)] for child in scope.set_operation_scopes)

    def _done(self, scope: Scope) -> dict[str, Flow]:
        if id(scope) not in self.outputs:
            raise LineageError("a recursive WITH cannot be traced", hint="write it without recursion")
        return self.outputs[id(scope)]

    def _select(self, scope: Scope, query: exp.Select) -> None:
        read = [source for _, source in scope.selected_sources.values()]
        for part in read:
            if isinstance(part, Scope):
                self._done(part)
        self.about[id(scope)] = any(
            self.about[id(s)] if isinstance(s, Scope) else self._relation(s).about_persons for s in read
        )
        self.guarded[id(scope)] = self._guarded_sources(scope, query)
        parts: list[exp.Expr] = [join.args["on"] for join in query.args.get("joins") or () if join.args.get("on")]
        parts += [query.args[k].this for k in ("where", "qualify") if query.args.get(k)]
        parts += self._group_keys(query)
        inherited = [self.rows[id(s)] for s in read if isinstance(s, Scope)]
        self.rows[id(scope)] = combine([*inherited, *(self._value(p, scope) for p in parts)])
        having = query.args.get("having")
        if having is not None:
            held = self._large_enough(having.this)
            if any(isinstance(g, exp.Count) and self._counts_rows(g, scope) for g in held):
                self.having.add(id(scope))
            self.rows[id(scope)] = combine([self.rows[id(scope)], self._value(having.this, scope)])
        if any(c.is_star for c in query.selects):
            raise LineageError("it selects * of a table whose columns are not known", hint="name the columns")
        self.outputs[id(scope)] = {c.alias_or_name.lower(): self._value(c, scope) for c in query.selects}

    def _relation(self, table: Any) -> Relation:
        if _generates(table):
            return Relation("", {"*": NOTHING})
        found = self.relations.get(_name(table)) if isinstance(table, exp.Table) else None
        if found is None:
            raise LineageError(
                "it reads a table function, which has no grades", hint="read a model, a seed or a source"
            )
        return found

    def _group_keys(self, query: exp.Expr) -> list[exp.Expr]:
        group = query.args.get("group")
        if group is None or not isinstance(query, exp.Select):
            return []
        parts = [e for key in ("expressions", "grouping_sets", "cube", "rollup") for e in group.args.get(key) or ()]
        return [query.selects[int(p.name) - 1].unalias() if _is_position(p) else p for p in parts]

    # --- one expression

    def _value(self, e: exp.Expr, scope: Scope) -> Flow:
        if self._small_cell_test(e):
            tested = self._value(e.this, scope)
            if tested.count:
                return self._suppressed(tested)
        for form in self.rules.forms:
            bound = match(form.tree, e)
            if bound is not None:
                return lower(self._value(bound, scope), form.id, form.grades, quasi=form.quasi)
        if isinstance(e, exp.Column):
            return self._column(e, scope)
        if isinstance(e, exp.Query) and not isinstance(e, exp.Subquery):
            return self._subquery(e)
        if isinstance(e, exp.Window):
            return self._window(e, scope)
        if isinstance(e, exp.Filter) and type(e.this).__name__ in self.rules.functions:
            return self._statistic(e.this, scope, extra=self._value(e.expression, scope))
        if isinstance(e, exp.AggFunc) and type(e).__name__ in self.rules.functions:
            return self._statistic(e, scope)
        if isinstance(e, exp.Case):
            return self._case(e, scope)
        if isinstance(e, exp.EQ | exp.LT | exp.LTE) and isinstance(e.expression, exp.Literal):
            place = self._value(e.this, scope)
            if place.ranking:
                self.rows[id(scope)] = combine([self.rows.get(id(scope), NOTHING), place])
                return NOTHING
        flow = combine(self._value(child, scope) for child in e.iter_expressions())
        return flow if isinstance(e, _STAYS) else replace(flow, count=False, ranking=False)

    def _column(self, column: exp.Column, scope: Scope) -> Flow:
        at, source = self._source(column, scope)
        name = column.name.lower()
        if isinstance(source, Scope):
            there = self._done(source)
            flow = there.get(name, there.get("*"))
            if flow is None and isinstance(source.expression, exp.Lateral):
                flow = combine(there.values())
        else:
            known = self._relation(source).columns
            flow = known.get(name, known.get("*"))
        if flow is None:
            raise LineageError(f"column {column.sql()} is not known", hint="name a column of the table")
        if column.table in self.guarded.get(id(at), ()) and flow.statistic:
            return self._suppressed(flow)
        return flow

    def _source(self, column: exp.Column, scope: Scope) -> tuple[Scope, Any]:
        """The scope and the table, WITH or subquery a column belongs to."""
        if not column.table and len(scope.selected_sources) == 1:
            return scope, next(source for _, source in scope.selected_sources.values())
        at: Scope | None = scope
        while at is not None:
            if column.table in at.sources:
                return at, at.sources[column.table]
            at = at.parent
        raise LineageError(f"column {column.sql()} belongs to no one table", hint="name its table")

    def _subquery(self, query: exp.Expr) -> Flow:
        scope = self.by_query.get(id(query))
        if scope is None:
            raise LineageError("a subquery cannot be traced", hint="write it as a WITH")
        return combine([*self._done(scope).values(), self.rows[id(scope)]])

    def _window(self, e: exp.Window, scope: Scope) -> Flow:
        """A function over a window: its argument; for a ranking the order; for a count of rows the partition."""
        inner = e.this
        argument = combine(self._value(child, scope) for child in inner.iter_expressions())
        order = e.args.get("order")
        if argument == NOTHING and isinstance(inner, exp.Count):
            parts = [*(e.args.get("partition_by") or ())]
            return combine([self.rows.get(id(scope), NOTHING), *(self._value(p, scope) for p in parts)])
        if argument == NOTHING and order is not None:
            return replace(self._value(order, scope), keys=frozenset(), ranking=True)
        return argument

    def _statistic(self, e: exp.Expr, scope: Scope, extra: Flow = NOTHING) -> Flow:
        """A registered aggregate: lowered, unless its groups are single persons or single rows."""
        rule = self.rules.functions[type(e).__name__]
        argument = combine([extra, *(self._value(child, scope) for child in e.iter_expressions())])
        keys = combine(self._value(key, scope) for key in self._group_keys(scope.expression))
        apart = self._apart(keys)
        single = bool(apart & {table for table, _ in argument.inputs})
        if isinstance(e, exp.Count):
            tables = {table for table, _ in self.rows.get(id(scope), NOTHING).inputs}
            single = single or (bool(tables) and tables <= apart)
            argument = combine([argument, replace(self.rows.get(id(scope), NOTHING), count=False, ranking=False)])
        persons = self.about.get(id(scope), False) or argument.identifies
        if single or keys.direct or keys.grade >= PERSONAL:
            return argument
        flow = lower(argument, rule.id, rule.lowers_persons if persons else rule.lowers_others, quasi="drop")
        if not persons:
            return flow
        flow = replace(flow, statistic=True, count=self._counts_rows(e, scope))
        return self._suppressed(flow) if id(scope) in self.having else flow

    def _counts_rows(self, e: exp.Expr, scope: Scope) -> bool:
        """Whether an aggregate counts rows or persons; the number of distinct streets says nothing of how many."""
        if isinstance(e, exp.Count) and isinstance(e.this, exp.Distinct):
            return combine(self._value(x, scope) for x in e.this.expressions).direct
        return isinstance(e, exp.Count | exp.CountIf)

    def _apart(self, keys: Flow) -> set[str]:
        """Tables of which a group holds one row: their whole key is among the group keys."""
        tables = {t for t, _ in keys.keys if t in self.relations}
        return {t for t in tables if self.relations[t].key and self.relations[t].key <= keys.keys}

    # --- small cells

    def _suppressed(self, flow: Flow) -> Flow:
        rule = self.rules.suppression
        if rule is None:
            return flow
        return replace(lower(flow, rule.id, rule.lowers, quasi="drop"), count=False, statistic=False)

    def _small_cell_test(self, e: exp.Expr) -> bool:
        """``n >= 5``, ``n < 5``: says of a count only what its suppression shows anyway."""
        if isinstance(e, exp.Is):
            return isinstance(e.expression, exp.Null)
        bound = _bound(e)
        return self.rules.suppression is not None and bound is not None and bound >= self.rules.suppression.minimum

    def _large_enough(self, condition: exp.Expr) -> Iterator[exp.Expr]:
        """What a condition, or one of its ANDed parts, holds to the minimum or more."""
        if isinstance(condition, exp.Paren):
            yield from self._large_enough(condition.this)
        elif isinstance(condition, exp.And):
            yield from self._large_enough(condition.left)
            yield from self._large_enough(condition.right)
        elif isinstance(condition, exp.GTE | exp.GT) and self._small_cell_test(condition):
            yield _bare(condition.this)

    def _guarded_sources(self, scope: Scope, query: exp.Select) -> set[str]:
        """Sources whose small groups the WHERE leaves out."""
        where = query.args.get("where")
        self.guarded[id(scope)] = set()
        found = set()
        for what in self._large_enough(where.this) if where is not None else ():
            if isinstance(what, exp.Column) and self._column(what, scope).count:
                found.add(what.table)
        return found

    def _case(self, e: exp.Case, scope: Scope) -> Flow:
        parts = [self._value(e.this, scope)] if e.this is not None else []
        for branch in e.args["ifs"]:
            parts.append(self._value(branch.this, scope))
            result = branch.args["true"]
            flow = self._value(result, scope)
            held = self._large_enough(branch.this)
            guards = [g for g in held if isinstance(g, exp.Column | exp.Count) and self._value(g, scope).count]
            if flow.statistic and any(_sources(g) == _sources(result) for g in guards):
                flow = self._suppressed(flow)
            parts.append(flow)
        default = e.args.get("default")
        whole = combine([*parts, self._value(default, scope) if default is not None else NOTHING])
        return replace(whole, count=False, ranking=False)


def _bare(e: exp.Expr) -> exp.Expr:
    while isinstance(e, exp.Paren | exp.Cast):
        e = e.this
    return e


def _sources(e: exp.Expr) -> set[str]:
    """Tables an expression reads; aggregates of one scope share their groups whatever they read."""
    return {"(group)"} if e.find(exp.AggFunc) else {c.table for c in e.find_all(exp.Column)}


def _bound(e: exp.Expr) -> int | None:
    """The least count that ``e`` separates from smaller ones, None when it is no such comparison."""
    if not isinstance(e, exp.GTE | exp.GT | exp.LT | exp.LTE):
        return None
    literal = e.expression
    if not (isinstance(literal, exp.Literal) and not literal.is_string and literal.name.isdigit()):
        return None
    return int(literal.name) + (1 if isinstance(e, exp.GT | exp.LTE) else 0)


def _is_position(e: exp.Expr) -> bool:
    return isinstance(e, exp.Literal) and not e.is_string


def match(form: Any, e: Any) -> exp.Expr | None:
    """What ``x`` of a form stands for in ``e``, None when ``e`` has another form."""
    bound: list[exp.Expr] = []
    return bound[0] if _match(form, e, bound) and bound else None


def _match(form: Any, e: Any, bound: list[exp.Expr]) -> bool:
    while isinstance(form, exp.Paren):
        form = form.this
    while isinstance(e, exp.Paren):
        e = e.this
    if isinstance(form, exp.Column) and form.name == "x" and isinstance(e, exp.Expr):
        if bound and bound[0] != e:
            return False
        bound[:] = [e]
        return True
    if isinstance(form, list) and isinstance(e, list):
        return len(form) == len(e) and all(_match(a, b, bound) for a, b in zip(form, e, strict=True))
    if isinstance(form, exp.Expr) and isinstance(e, exp.Expr):
        names = {k for node in (form, e) for k, v in node.args.items() if v not in (None, False, [])}
        return type(form) is type(e) and all(_match(form.args.get(k), e.args.get(k), bound) for k in names)
    return bool(form == e)

"""Finds the rules by their files, and compiles what a contract says into `CompiledRule`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from pydantic import ValidationError

from catalog.drift import action_on_code, action_on_type
from catalog.errors import ContractError
from catalog.model import Feed, ResolvedField, RuleUse
from catalog.registry import Catalog
from catalog.yamlfile import Loc, YamlFile, read_yaml
from quality.rules.base import (
    BatchRule,
    Check,
    Column,
    CompiledRule,
    RowRule,
    RuleContext,
    RuleParams,
    RuleRefused,
)

_NOT_RULES = {"base", "registry", "reference"}
_DUCKDB = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "geometry": "BLOB",
}


@lru_cache(maxsize=1)
def all_rules() -> dict[str, RowRule | BatchRule]:
    """Every rule by name, one a file of this folder."""
    out: dict[str, RowRule | BatchRule] = {}
    package = import_module("quality.rules")
    for module in sorted(iter_modules(package.__path__), key=lambda m: m.name):
        if module.name not in _NOT_RULES:
            rule = import_module(f"quality.rules.{module.name}").RULE
            if rule.name != module.name:
                raise RuntimeError(f"rule file {module.name}.py declares {rule.name!r}")
            out[rule.name] = rule
    return out


def compile_rules(catalog: Catalog, feed: Feed | str, *, as_of: datetime | None = None) -> tuple[CompiledRule, ...]:
    """All rules of a feed: implied by types, elements and key, then those written, in contract order.

    Args:
        as_of: the instant "future" is measured from (arrival of the batch); None leaves it to DuckDB's clock.

    Raises:
        ContractError: an unknown rule, wrong parameters, or a rule its field's type cannot express.
    """
    feed = catalog.feed(feed) if isinstance(feed, str) else feed
    fields = catalog.fields(feed)
    by_name = {f.name: f for f in fields}
    columns = {f.name: _column(catalog, f) for f in fields}
    context = RuleContext(columns=columns, key=feed.load.key, as_of=as_of)
    out: dict[str, CompiledRule] = {}
    written: set[str] = set()
    for use, at, field_name in _uses(feed, fields):
        own = "rules" in at and at[0] != "elements"
        try:
            compiled = [
                _drifted(feed, by_name, rule)
                for rule in _compile(use, context, columns.get(field_name) if field_name else None)
            ]
        except RuleRefused as e:
            raise _error(catalog, feed, at, str(e), e.cure) from e
        for rule in compiled:
            # a contract may override what its elements imply, but not say two things itself
            if rule.code in written:
                raise _error(catalog, feed, at, f"two rules would be called {rule.code!r}", "remove one of the two")
            if own:
                written.add(rule.code)
            out[rule.code] = rule
    return tuple(out.values())


def compile_use(use: RuleUse, context: RuleContext, field: Column | None = None) -> list[CompiledRule]:
    """One rule applied in one place; RuleRefused when it cannot be. The entrance for tests and other targets."""
    return _compile(use, context, field)


def _uses(feed: Feed, fields: tuple[ResolvedField, ...]) -> Iterator[tuple[RuleUse, Loc, str | None]]:
    """Every rule with its place in the contract and the field it hangs on."""
    for f in fields:
        for use in _implied(f, is_key=f.name in feed.load.key):
            yield use, ("fields", f.name), f.name
        for i, use in enumerate(f.rules):
            n_element = len(f.element.rules)
            own = i >= n_element
            at: Loc = ("fields", f.name, "rules", i - n_element) if own else ("elements", _element(f), "rules", i)
            yield use, at, f.name
    for i, use in enumerate(feed.rules):
        yield use, ("rules", i), None
    yield RuleUse(rule="row_accounting", severity="stop", party="platform"), ("load",), None
    if feed.load.key:
        yield RuleUse(rule="key_unique", severity="stop", party="platform"), ("load", "key"), None


def _implied(f: ResolvedField, *, is_key: bool) -> Iterator[RuleUse]:
    element = f.element
    if f.type != "string":
        yield RuleUse(rule="type")
    if f.required or is_key:
        yield RuleUse(rule="required")
    if f.code_list:
        yield RuleUse(rule="code_list")
    if element.pattern and f.type == "string":
        yield RuleUse(rule="pattern", params={"pattern": element.pattern})
    bounds = {k: v for k, v in (("min", element.min), ("max", element.max)) if v is not None}
    if bounds:
        yield RuleUse(rule="range", params=bounds)
    if element.max_length and f.type == "string" and not f.code_list:
        yield RuleUse(rule="max_length", params={"characters": element.max_length})


def _compile(use: RuleUse, context: RuleContext, field: Column | None) -> list[CompiledRule]:
    rules = all_rules()
    if use.rule not in rules:
        near = get_close_matches(use.rule, rules, n=3)
        cure = f"did you mean {', '.join(near)}?" if near else f"known rules: {', '.join(rules)}"
        raise RuleRefused(f"there is no rule {use.rule!r}", cure)
    rule = rules[use.rule]
    given = dict(use.params)
    if isinstance(rule, RowRule) and rule.types:
        if field is None and "field" in given:
            field = context.column(str(given.pop("field")))
        if field is not None and field.type not in rule.types:
            raise RuleRefused(
                f"rule {rule.name} cannot be expressed on field {field.name!r} of type {field.type}",
                f"it works on {', '.join(rule.types)}; remove the rule or change the type",
            )
    params = _params(rule, given)
    here = RuleContext(columns=context.columns, field=field, key=context.key, as_of=context.as_of)
    if isinstance(rule, BatchRule):
        return [_compile_batch(rule, use, here, params)]
    if use.severity == "stop":
        raise RuleRefused(
            f"row rule {rule.name} with severity stop", "use reject or warn, and max_quarantine_pct to stop the batch"
        )
    return [_compile_row(rule, use, here, params, check) for check in rule.checks(here, params)]


def _compile_row(rule: RowRule, use: RuleUse, here: RuleContext, params: RuleParams, check: Check) -> CompiledRule:
    code = check.code if "." in check.code else f"{check.columns[0].name}.{check.code}"
    return CompiledRule(
        code=code,
        rule=rule.name,
        columns=tuple(c.name for c in check.columns),
        severity=use.severity,
        party=use.party,
        dimension=rule.dimension,
        scope="row",
        failing_sql=check.failing_sql,
        message_zh=check.message,
        expectation=check.expectation,
        label="、".join(c.label for c in check.columns),
        params=params,
        grade=max((c.grade for c in check.columns), default=1),
        extensions=check.extensions,
    )


def _compile_batch(rule: BatchRule, use: RuleUse, here: RuleContext, params: RuleParams) -> CompiledRule:
    measure = rule.measure(here, params)
    # a batch has no rows to send to quarantine: to reject a batch is to stop it
    severity = "stop" if use.severity == "reject" else use.severity
    return CompiledRule(
        code=measure.code,
        rule=rule.name,
        columns=tuple(c.name for c in measure.columns),
        severity=severity,
        party=use.party,
        dimension=rule.dimension,
        scope="batch",
        failing_sql="",
        message_zh=measure.message or rule.title,
        expectation=measure.expectation or {"type": "expect_batch_measure_to_be_between", "kwargs": {}},
        label="、".join(c.label for c in measure.columns) or rule.title,
        params=params,
        measure_sql=measure.sql,
        measure_hashed=measure.hashed,
        grade=max((c.grade for c in measure.columns), default=1),
    )


def _params(rule: RowRule | BatchRule, given: dict[str, Any]) -> RuleParams:
    try:
        return rule.params.model_validate(given)
    except ValidationError as e:
        fault = e.errors()[0]
        place = ".".join(str(p) for p in fault["loc"]) or "parameters"
        known = ", ".join(_signature(rule)) or "none"
        message = fault["msg"].removeprefix("Value error, ")
        raise RuleRefused(f"rule {rule.name}, {place}: {message}", f"its parameters are: {known}") from e


def _signature(rule: RowRule | BatchRule) -> Iterator[str]:
    for name, info in rule.params.model_fields.items():
        yield name if info.is_required() else f"{name} (default {info.default!r})"


def _drifted(feed: Feed, fields: Mapping[str, ResolvedField], rule: CompiledRule) -> CompiledRule:
    """What the drift policy makes of a rule on a type or a code list; rows that are kept are still counted."""
    if rule.rule not in ("type", "code_list"):
        return rule
    field = fields[rule.columns[0]]
    if rule.rule == "type":
        action = action_on_type(feed.drift, field.type, field.spec.drift)
    else:
        action = action_on_code(feed.drift, field.spec.drift)
    if action == "evolve" and field.element.identifier == "direct":
        raise RuleRefused("a direct identifier cannot evolve: its text would stand clear", "use quarantine")
    if action == "freeze":
        return replace(rule, frozen=True)
    if action == "evolve":
        return replace(rule, severity="warn", keeps_text=rule.rule == "type")
    return replace(rule, severity="warn", discards=True) if action == "discard_value" else rule


def _column(catalog: Catalog, f: ResolvedField) -> Column:
    codes = tuple(dict.fromkeys(catalog.code_list(f.code_list).codes)) if f.code_list else ()
    sql_type = f"DECIMAL({f.precision},{f.scale})" if f.type == "decimal" else _DUCKDB[f.type]
    return Column(name=f.name, label=f.label, type=f.type, codes=codes, grade=f.grade, duckdb_type=sql_type)


def _element(f: ResolvedField) -> str:
    return f.spec.element or f.name


def _error(catalog: Catalog, feed: Feed, at: Loc, message: str, cure: str) -> ContractError:
    path = catalog.files.get(feed.id)
    if at[0] == "elements":
        # a shared element stands in the dictionary, one a single feed has in its own contract
        shared = read_yaml(catalog.root / "dictionary" / "elements.yaml")
        if at[1:] in shared.lines:
            return shared.error(at[1:], message, cure)
    if path is None:
        return ContractError(message, hint=cure, feed=feed.id, field=".".join(str(p) for p in at))
    source: YamlFile = read_yaml(path)
    return source.error(at, message, cure)

"""Finds the table rules by their files, and compiles uses of them."""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from catalog.model import Dimension, Party
from quality.table_rules.base import (
    CompiledTableRule,
    RuleParams,
    RuleRefused,
    TableCheck,
    TableContext,
    TableRule,
    TableSeverity,
)

_NOT_RULES = {"base", "registry"}
_OWN = ("rule", "severity", "party", "dimension")


class TableRuleUse(BaseModel):
    """A table rule as a model's yml writes it: ``{rule: …, severity: …, party: …, dimension: …, <parameters>}``.

    Severity: ``warn`` records, ``stop`` stops the layer. What is not given is as the rule says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str
    severity: TableSeverity | None = None
    party: Party | None = None
    dimension: Dimension | None = None
    params: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _collect_params(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"rule": data}
        if isinstance(data, dict) and "params" not in data:
            own = {k: v for k, v in data.items() if k in _OWN}
            return {**own, "params": {k: v for k, v in data.items() if k not in own}}
        return data


@lru_cache(maxsize=1)
def all_table_rules() -> dict[str, TableRule]:
    """Every table rule by name, one a file of this folder."""
    out: dict[str, TableRule] = {}
    for module in sorted(iter_modules(import_module("quality.table_rules").__path__), key=lambda m: m.name):
        if module.name not in _NOT_RULES:
            rule = import_module(f"quality.table_rules.{module.name}").RULE
            if rule.name != module.name:
                raise RuntimeError(f"rule file {module.name}.py declares {rule.name!r}")
            out[rule.name] = rule
    return out


def compile_table_rule(use: TableRuleUse, context: TableContext) -> list[CompiledTableRule]:
    """One rule applied to one table or release.

    Raises:
        RuleRefused: an unknown rule, wrong parameters, a column that is not there, or the wrong checkpoint.
    """
    rules = all_table_rules()
    if use.rule not in rules:
        near = get_close_matches(use.rule, rules, n=3)
        cure = f"did you mean {', '.join(near)}?" if near else f"known rules: {', '.join(rules)}"
        raise RuleRefused(f"there is no table rule {use.rule!r}", cure)
    rule = rules[use.rule]
    if context.checkpoint not in rule.at:
        raise RuleRefused(
            f"table rule {rule.name} is not asked at {context.checkpoint}", f"it is asked at {', '.join(rule.at)}"
        )
    return [_compiled(rule, use, check) for check in rule.checks(context, _params(rule, use.params))]


def _compiled(rule: TableRule, use: TableRuleUse, check: TableCheck) -> CompiledTableRule:
    return CompiledTableRule(
        code=check.code,
        rule=rule.name,
        columns=tuple(c.name for c in check.columns),
        severity=use.severity or check.severity or rule.severity,
        party=use.party or rule.party,
        dimension=use.dimension or rule.dimension,
        message_zh=check.message,
        expectation=check.expectation,
        label="、".join(c.label for c in check.columns) if len(check.columns) <= 4 else rule.title,
        grade=max((c.grade for c in check.columns), default=1),
        needs=check.needs,
        evidence=check.evidence,
        asked=check.asked,
        field=check.field,
    )


def _params(rule: TableRule, given: dict[str, Any]) -> RuleParams:
    try:
        return rule.params.model_validate(given)
    except ValidationError as e:
        fault = e.errors()[0]
        place = ".".join(str(p) for p in fault["loc"]) or "parameters"
        known = ", ".join(_parameter(n, rule) for n in rule.params.model_fields) or "none"
        message = fault["msg"].removeprefix("Value error, ")
        raise RuleRefused(f"table rule {rule.name}, {place}: {message}", f"its parameters are: {known}") from e


def _parameter(name: str, rule: TableRule) -> str:
    info = rule.params.model_fields[name]
    return name if info.is_required() else f"{name} (default {info.default!r})"

"""Rules on rows and batches: one file a rule, compiled from contracts for every target."""

from quality.rules.base import BatchRule, BatchStats, CompiledRule, Finding, RowRule
from quality.rules.registry import all_rules, compile_rules, compile_use

__all__ = [
    "BatchRule",
    "BatchStats",
    "CompiledRule",
    "Finding",
    "RowRule",
    "all_rules",
    "compile_rules",
    "compile_use",
]

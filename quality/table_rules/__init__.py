"""Rules on built tables and releases: one file a rule, compiled from dbt's yml and from products."""

from quality.table_rules.base import CompiledTableRule, TableColumn, TableContext, TableRule, relation_of
from quality.table_rules.registry import TableRuleUse, all_table_rules, compile_table_rule

__all__ = [
    "CompiledTableRule",
    "TableColumn",
    "TableContext",
    "TableRule",
    "TableRuleUse",
    "all_table_rules",
    "compile_table_rule",
    "relation_of",
]

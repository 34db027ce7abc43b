"""Reads a SQL statement with the very parser that will run it, and refuses all but one read-only statement.

DuckDB serialises its own syntax tree (``json_serialize_sql``), so there is no second dialect whose reading could
differ. The tree is walked node by node against allow-lists: statement kinds, nodes, functions, and tables, which
must be written ``schema.table`` or be named by a WITH in scope.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog.errors import QueryRefused
from warehouse import duck
from warehouse.sql_functions import ADDRESS_FUNCTIONS, INSTEAD, SCALAR_FUNCTIONS, TABLE_FUNCTIONS

if TYPE_CHECKING:
    import duckdb

MAX_CHARACTERS = 100_000
MAX_PAD = 10_000
LIST_TABLES = frozenset({'"tables"', "tables", "__show_tables_expanded"})

NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
REFERENCES = frozenset(
    {"EMPTY", "BASE_TABLE", "JOIN", "SUBQUERY", "TABLE_FUNCTION", "EXPRESSION_LIST", "PIVOT", "SHOW_REF"}
)
EXPRESSIONS = frozenset(
    {"BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION"}
    | {"LAMBDA", "LAMBDA_REF", "OPERATOR", "POSITIONAL_REFERENCE", "STAR", "SUBQUERY", "WINDOW", "DEFAULT", "TYPE"}
)
_READ_ONLY = "write one SELECT, WITH, VALUES, DESCRIBE, SUMMARIZE or SHOW TABLES statement"
_NO_FILES = "name tables of the lake as schema.table; `SHOW TABLES` lists them"


@dataclass(frozen=True)
class Statement:
    """What a statement that passed needs.

    Attributes:
        sql: the text as given.
        tables: (schema, table) in lower case, sorted.
        spatial: it calls a function of the spatial extension.
        addresses: it calls a function over the address library, whose table stands among ``tables`` then.
        lists_tables: it is SHOW TABLES, which the caller answers itself.
    """

    sql: str
    tables: tuple[tuple[str, str], ...]
    spatial: bool
    addresses: bool
    lists_tables: bool


def check(con: duckdb.DuckDBPyConnection, sql: str) -> Statement:
    """The one read-only statement in ``sql``; nothing of it is run.

    Raises:
        QueryRefused: it does not parse, is not exactly one such statement, or asks for more than rows of tables.
    """
    statement = _parse(con, sql)
    walk = _Walk(statement["node"])
    walk.run()
    return Statement(sql, tuple(sorted(walk.tables)), walk.spatial, walk.addresses, walk.lists_tables)


def _parse(con: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    if len(sql) > MAX_CHARACTERS:
        raise QueryRefused(f"the statement is longer than {MAX_CHARACTERS} characters", hint="shorten it")
    if "\x00" in sql:
        raise QueryRefused("the statement contains a NUL character", hint="remove it")
    # A literal, not a parameter: binding one makes DuckDB's Python client import pandas (1.5 s).
    # A standard SQL string has no escape but the doubled quote, and NUL was refused above.
    row = con.execute(f"SELECT json_serialize_sql({duck.literal(sql)})").fetchone()
    tree: dict[str, Any] = json.loads(row[0]) if row else {}
    if tree.get("error"):
        if tree.get("error_type") == "not implemented":
            raise QueryRefused("only one read-only statement may be run", hint=_READ_ONLY)
        raise QueryRefused(
            f"not valid SQL: {tree.get('error_message', '')}", hint="check the statement", position=tree.get("position")
        )
    statements = tree["statements"]
    if len(statements) != 1:
        count = "an empty text" if not statements else f"{len(statements)} statements"
        raise QueryRefused(f"{count} was given; exactly one statement is run", hint=_READ_ONLY)
    found: dict[str, Any] = statements[0]
    return found


class _Walk:
    """Visits every node once; keeps the WITH names that are in scope at each."""

    def __init__(self, root: dict[str, Any]) -> None:
        self.root = root
        self.tables: set[tuple[str, str]] = set()
        self.spatial = False
        self.addresses = False
        self.lists_tables = False
        self._stack: list[tuple[Any, frozenset[str]]] = [(root, frozenset())]

    def run(self) -> None:
        # A stack of our own: the nesting of a statement must not meet Python's recursion limit.
        while self._stack:
            item, scope = self._stack.pop()
            if isinstance(item, list):
                self._stack.extend((child, scope) for child in item)
            elif isinstance(item, dict):
                self._visit(item, scope)

    def _visit(self, node: dict[str, Any], scope: frozenset[str]) -> None:
        self._known(node)
        if "function_name" in node and node.get("type") != "TABLE_FUNCTION":
            self._function(node)
        kind = node.get("type")
        if kind == "BASE_TABLE":
            self._table(node, scope)
        elif kind == "TABLE_FUNCTION" and isinstance(node.get("function"), dict):
            self._table_function(node["function"], scope)
            node = {k: v for k, v in node.items() if k != "function"}
        elif kind == "SHOW_REF":
            self._show(node)
        elif node.get("class") == "CONSTANT":
            return
        if "cte_map" in node:
            scope = self._ctes(node, scope)
            node = {k: v for k, v in node.items() if k != "cte_map"}
        self._stack.extend((child, scope) for child in node.values() if isinstance(child, dict | list))

    def _known(self, node: dict[str, Any]) -> None:
        if "class" in node:
            known = node["class"] in EXPRESSIONS
        elif "cte_map" in node:
            known = node.get("type") in NODES
        elif "alias" in node and "sample" in node:
            known = node.get("type") in REFERENCES
        else:
            return
        if not known:
            if node.get("class") == "PARAMETER":
                raise QueryRefused("the statement has a parameter but no value for it", hint="write the value itself")
            raise QueryRefused(f"{node.get('class') or node.get('type')} is not allowed here", hint=_READ_ONLY)

    def _ctes(self, node: dict[str, Any], scope: frozenset[str]) -> frozenset[str]:
        for entry in node["cte_map"]["map"]:
            name, body = str(entry["key"]).lower(), entry["value"]
            inner = (body.get("query") or {}).get("node") or {}
            own = scope | {name} if inner.get("type") == "RECURSIVE_CTE_NODE" else scope
            self._stack.append((body, own))
            scope = scope | {name}
        return scope

    def _table(self, node: dict[str, Any], scope: frozenset[str]) -> None:
        schema, name = str(node["schema_name"]).lower(), str(node["table_name"]).lower()
        if node.get("at_clause"):
            raise QueryRefused("earlier versions of a table may not be read here", hint="remove AT (…)")
        if node.get("catalog_name"):
            raise QueryRefused("a table has two names here, schema.table", hint=_NO_FILES)
        if schema:
            self.tables.add((schema, name))
        elif name not in scope:
            raise QueryRefused(
                f"{node['table_name']!r} is not a table of the lake: a table is written schema.table", hint=_NO_FILES
            )

    def _function(self, node: dict[str, Any]) -> None:
        name = str(node["function_name"]).lower()
        # The grammar itself writes main.list_apply, main.trim and the like.
        qualified = [q for q in (node.get("catalog"), node.get("schema")) if q and q != "main"]
        if (name not in SCALAR_FUNCTIONS and name != "unnest") or qualified:
            shown = ".".join([*qualified, name])
            raise QueryRefused(f"function {shown!r} is not allowed", hint=INSTEAD.get(name, _NO_FILES), function=shown)
        if name in ("lpad", "rpad", "bar"):
            self._bounded(node, name)
        self.spatial = self.spatial or name.startswith("st_")
        if name in ADDRESS_FUNCTIONS:
            self.addresses = True
            self.tables.add(("spatiotemporal", "addresses"))

    def _bounded(self, node: dict[str, Any], name: str) -> None:
        # These allocate what their argument says, beyond the engine's memory limit.
        arguments = node.get("children", [])
        width = arguments[3 if name == "bar" else 1] if len(arguments) > (3 if name == "bar" else 1) else None
        if width is None and name == "bar":
            return
        value = width.get("value", {}).get("value") if width and width.get("class") == "CONSTANT" else None
        if not isinstance(value, int) or value > MAX_PAD:
            raise QueryRefused(f"the width of {name} must be a number up to {MAX_PAD}", hint="write a smaller width")

    def _table_function(self, call: dict[str, Any], scope: frozenset[str]) -> None:
        name = str(call.get("function_name", "")).lower()
        qualified = call.get("catalog") or call.get("schema")
        if call.get("class") != "FUNCTION" or name not in TABLE_FUNCTIONS or qualified:
            raise QueryRefused(f"table function {name!r} is not allowed", hint=_NO_FILES, function=name)
        self._stack.extend((child, scope) for child in call.values() if isinstance(child, dict | list))

    def _show(self, node: dict[str, Any]) -> None:
        if node.get("query"):
            return  # DESCRIBE or SUMMARIZE: its inner query is walked like any other
        top = self.root.get("from_table") is node
        if top and node.get("table_name") in LIST_TABLES and not node.get("catalog_name"):
            self.lists_tables = True
            return
        raise QueryRefused("only SHOW TABLES by itself is allowed", hint=_READ_ONLY)

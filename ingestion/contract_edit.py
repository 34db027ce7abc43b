"""Changes to the text of a contract that leave everything else in it as a person wrote it.

A change replaces the text of one node, found by the marks of the YAML parser, or adds a line to a section.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import yaml

from catalog.errors import ContractError


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**9, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def change_field(text: str, field: str, changes: Mapping[str, Any]) -> str:
    """``text`` with keys of one field set.

    Raises:
        ContractError: the contract has no such field.
    """
    node = _child(_child(_root(text), "fields"), field)
    if node is None:
        raise ContractError(f"the contract has no field {field!r}", hint="name a field of the contract", field=field)
    start, end = node.start_mark.index, node.end_mark.index
    written = text[start:end]
    tail = written[len(written.rstrip()) :]
    value = yaml.safe_load(written if node.flow_style else _dedented(text, node)) or {}
    return text[:start] + flow({**value, **changes}) + tail + text[end:]


def add_lines(text: str, section: str, entries: Mapping[str, Any]) -> str:
    """``text`` with entries at the end of a mapping at the top level (``fields``, ``elements``), made when absent."""
    if not entries:
        return text
    lines = "".join(f"  {flow(name)}: {flow(value)}\n" for name, value in entries.items())
    root = _root(text)
    found = _pair(root, section)
    if found is None:
        fields = _pair(root, "fields")
        at = fields[0].start_mark.index if fields else len(text)
        return f"{text[:at]}{section}:\n{lines}{text[at:]}"
    node = found[1]
    if node.flow_style:
        value = {**(yaml.safe_load(text[node.start_mark.index : node.end_mark.index]) or {}), **entries}
        return text[: node.start_mark.index] + flow(value) + text[node.end_mark.index :]
    last = node.value[-1][1].end_mark.index
    at = text.find("\n", last)
    at = len(text) if at < 0 else at + 1
    return text[:at] + ("" if text[:at].endswith("\n") else "\n") + lines + text[at:]


def difference(before: str, after: str, name: str) -> str:
    """A unified diff of two texts of one contract; '' when they are the same."""
    return "".join(
        difflib.unified_diff(
            before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{name}", f"b/{name}", n=1
        )
    )


def _root(text: str) -> yaml.MappingNode:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(node, yaml.MappingNode):
        raise ContractError("the contract is not a mapping", hint="see docs/contracts.md")
    return node


def _pair(node: Any, key: str) -> tuple[Any, Any] | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next(((k, v) for k, v in node.value if k.value == key), None)


def _child(node: Any, key: str) -> Any:
    found = _pair(node, key)
    return found[1] if found else None


def _dedented(text: str, node: Any) -> str:
    """The text of a block node with its first line's indent put back, so that it parses alone."""
    return " " * int(node.start_mark.column) + text[node.start_mark.index : node.end_mark.index]

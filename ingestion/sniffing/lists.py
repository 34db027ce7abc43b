"""JSON documents whose records are lists of values: where they stand, and where the names of their columns do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from catalog.errors import InputError
from ingestion.detect import find_header
from ingestion.formats.json import are_lists
from ingestion.sniffing.rows import Raw, table_of

NAME_MEMBERS = ("name", "id", "field", "fieldname", "field_name", "key", "column", "code", "title", "label", "alias")
"""What a description of a column calls its name, the likeliest first; compared without case."""


class Lists(NamedTuple):
    """Records that are lists: dotted paths of them and of their names, '' when the names stand among the records."""

    path: str
    records: list[Any]
    names_path: str
    names: tuple[str, ...]


def find_lists(document: Any) -> Lists | None:
    """The longest list of lists in a document, one whose columns are named beside it before all others."""
    found = [
        Lists(path, node, *_named(document, path, _width(node)))
        for path, node in walk(document)
        if are_lists(node) and _width(node) > 1
    ]
    return max(found, key=lambda t: (bool(t.names), len(t.records)), default=None)


def walk(node: Any, at: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Every list that is reached through objects alone, and its dotted path."""
    if isinstance(node, list):
        yield at, node
    for key, value in node.items() if isinstance(node, dict) else ():
        yield from walk(value, f"{at}.{key}" if at else key)


def _width(records: list[Any]) -> int:
    return Counter(len(r) for r in records if isinstance(r, list)).most_common(1)[0][0]


def _named(document: Any, records_path: str, width: int) -> tuple[str, tuple[str, ...]]:
    """Path and content of the list of names for ``width`` columns that stands nearest to the records."""
    above = records_path.split(".")[:-1]

    def nearness(path: str) -> int:
        steps = path.split(".")[:-1]
        return sum(a == b for a, b in zip(above, steps, strict=False)) - len(steps)

    found: list[tuple[str, tuple[str, ...]]] = []
    for path, node in walk(document):
        if path == records_path or len(node) != width:
            continue
        if _are_names(node):
            found.append((path, tuple(node)))
        elif member := _name_member(node):
            found.append((f"{path}.{member}", tuple(item[member] for item in node)))
    return max(found, key=lambda f: nearness(f[0]), default=("", ()))


def _name_member(items: list[Any]) -> str:
    """The member of column descriptions that is the name."""
    if not all(isinstance(i, dict) for i in items):
        return ""
    members = {k.lower(): k for k in items[0]}
    likely = (members[n] for n in NAME_MEMBERS if n in members)
    return next((k for k in likely if _are_names([i.get(k) for i in items])), "")


def _are_names(values: list[Any]) -> bool:
    return all(isinstance(v, str) and v.strip() for v in values) and len(set(values)) == len(values)


def table(found: Lists, max_rows: int, as_text: Callable[[Any], str]) -> Raw:
    """The records as text; without names beside them the header is looked for among the first, as in a grid.

    Raises:
        InputError: there is nothing below the names.
    """
    rows = [[as_text(v) for v in r] if isinstance(r, list) else [as_text(r)] for r in found.records[: max_rows + 40]]
    complete = len(rows) == len(found.records)
    if not found.names:
        header = find_header(rows).row
        raw = table_of(rows, complete, max_rows, (header - 1, 1) if header else None)
        return raw._replace(
            records_path=found.path, options={} if header else {"header_row": 0}, notes=(), junk_columns=0
        )
    width = len(found.names)
    fitting = [r for r in rows if len(r) == width][:max_rows]
    if not fitting:
        raise InputError("the file has no records", hint="ask for the file again")
    return Raw(
        found.names, fitting, len(rows), complete, short=sum(len(r) < width for r in rows),
        ragged=tuple(r for r in rows if len(r) > width), records_path=found.path, options={"names": found.names_path},
    )  # fmt: skip

"""A JSON document whose records - objects, or lists of values below names - are a list at a declared place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.errors import InputError
from catalog.model import Format
from ingestion.formats.base import (
    BAD_RECORD,
    NOT_A_LIST,
    RAGGED,
    REPEATED_NAME,
    Opened,
    raw_fields,
    raw_line,
    rows_to_batches,
)
from ingestion.formats.header import SEARCH_ROWS, Wanted, choose_header, normalise, unique_columns
from ingestion.formats.text import Utf8Reader, encoding_about, resolve_encoding

MEMBERS = "*"
"""Last step to records that are the members of an object, as in ``{"110102": {…}, "110105": {…}}``."""
MEMBER_NAME, MEMBER_VALUE = "记录编号", "记录值"
"""Columns of such a record's name, and of its value where that is no object."""
PLACE = "#"
"""Name of an exploded item's place in its list."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
"""Half of a character outside the first plane, written as an escape; alone it is no text."""
MAX_BYTES = 512 << 20
"""A document is held in memory whole; bigger deliveries come as NDJSON."""


def read(path: Path, fmt: Format, wanted: Wanted) -> Opened:
    """Open a JSON document; its records are the list at ``fmt.records`` (the document itself when empty).

    Numbers keep the digits they are written with, nested values become JSON text. Records that are lists have their
    columns from ``fmt.names``, or from the first of them that carries the contract's columns.

    Raises:
        InputError: too big, not JSON (with line), or no list of records, or of names, at that place.
    """
    if path.stat().st_size > MAX_BYTES:
        raise InputError(
            f"the JSON document is larger than {MAX_BYTES >> 20} MB", hint="ask for lines of JSON (NDJSON), type ndjson"
        )
    encoding = resolve_encoding(path, fmt.encoding)
    with Utf8Reader(path, encoding) as stream:
        text = stream.read().decode()
    objects = Objects()
    document = parse(text, objects)
    records = find_records(document, fmt.records)
    if objects.repeated or fmt.records.endswith(MEMBERS) or _SURROGATE.search(text):
        records = [_fit(r) for r in records]
    about = {**encoding_about(path, fmt.encoding, encoding), "records": fmt.records}
    if fmt.names or (not fmt.explode and are_lists(records)):
        return _table(document, records, fmt, wanted, about)
    if fmt.explode:
        records = [part for r in records for part in (spread(r, fmt.explode) if isinstance(r, dict) else [r])]
    if fmt.flatten:
        records = [flatten(r) if isinstance(r, dict) else r for r in records]
    names: dict[str, None] = {}
    for record in records:
        if isinstance(record, dict):
            names.update(dict.fromkeys(record))
    if fmt.explode and normalise(place := f"{fmt.explode}.{PLACE}") not in wanted.names():
        names.pop(place, None)
    columns = tuple(names) or tuple(wanted.display[n] for n in sorted(wanted.names()))
    columns += tuple(_inside(wanted, columns))
    batches = rows_to_batches(_rows(records, columns), len(columns))
    return Opened(unique_columns(columns), batches, about)


def members(node: dict[str, Any]) -> list[dict[str, Any]]:
    """The members of an object as records, each with its name; one whose own members are called so repeats it."""
    out: list[dict[str, Any]] = []
    for name, value in node.pairs if isinstance(node, Repeated) else node.items():
        inner = value.pairs if isinstance(value, Repeated) else list(value.items()) if isinstance(value, dict) else None
        pairs = [(MEMBER_NAME, name), *([(MEMBER_VALUE, value)] if inner is None else inner)]
        out.append(dict(pairs) if len({k for k, _ in pairs}) == len(pairs) else Repeated(pairs))
    return out


def are_lists(records: Sequence[Any]) -> bool:
    """Whether the records are lists of values and not objects."""
    return any(isinstance(r, list) for r in records) and not any(isinstance(r, dict) for r in records)


def _table(document: Any, records: list[Any], fmt: Format, wanted: Wanted, about: dict[str, Any]) -> Opened:
    """Records that are lists, below names that stand beside them or first among them."""
    if fmt.names:
        columns: Sequence[str] = find_names(document, fmt.names)
        if len(columns) > fmt.max_columns:
            raise InputError(
                f"the record has {len(columns)} columns, more than {fmt.max_columns}", hint="raise format.max_columns"
            )
    else:
        top = [[as_text(v) for v in r] if isinstance(r, list) else [] for r in records[:SEARCH_ROWS]]
        header = choose_header(top, wanted, fmt.header_row, fmt.max_columns)
        columns, records = header.columns, records[header.row :]
        about |= {"header_row": header.row, "title_rows": max(header.row - 1, 0)}
    columns = unique_columns(columns)
    return Opened(columns, rows_to_batches(_lists(records, len(columns)), len(columns)), about)


def find_names(document: Any, place: str) -> list[str]:
    """The column names at the dotted ``place``; its last step may be a member of each item of a list.

    Raises:
        InputError: there are no names there.
    """
    node = document
    for step in place.split("."):
        if isinstance(node, list):
            node = [item.get(step) if isinstance(item, dict) else None for item in node]
        else:
            node = node.get(step) if isinstance(node, dict) else None
    if not isinstance(node, list) or not node or not all(isinstance(n, str) and n.strip() for n in node):
        raise InputError(
            f"there is no list of column names at {place}",
            hint="correct format.names: the path of a list of texts, or of objects and the member that is the name",
        )
    return node


class Repeated(dict[str, Any]):
    """An object in which a name stands twice: Python keeps its last value, others the first."""

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


class Objects:
    """Makes the objects of a document, and counts those that repeat a name."""

    def __init__(self) -> None:
        self.repeated = 0

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) == len(pairs):
            return made
        self.repeated += 1
        return Repeated(pairs)


@dataclass(frozen=True)
class Unfit:
    """A record that cannot be taken: what is wrong with it, and what stood there."""

    problem: str
    raw: str


def _fit(record: Any) -> Any:
    """The record, or what is wrong with it: a name that it repeats, half a character (``\\ud83d`` alone)."""
    if _repeats(record):
        return Unfit(REPEATED_NAME, raw_line(_written(record)))
    try:
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return Unfit(BAD_RECORD, raw_line(json.dumps(record)))
    return record


def _repeats(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, Repeated) or any(map(_repeats, inner))


def _written(value: Any) -> str:
    """A value as JSON with all the names it had."""
    if isinstance(value, dict):
        pairs = value.pairs if isinstance(value, Repeated) else value.items()
        return "{" + ", ".join(f"{json.dumps(k)}: {_written(v)}" for k, v in pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return json.dumps(value)


def parse(text: str, objects: Objects) -> Any:
    """``text`` as JSON with numbers kept as text.

    Raises:
        InputError: with line and column of the fault.
    """
    try:
        return json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=objects)
    except json.JSONDecodeError as e:
        cut = e.pos >= len(text.rstrip()) - 1
        raise InputError(
            "the JSON document is cut short" if cut else f"not JSON: {e.msg}",
            hint="ask the department to send the file again",
            line=e.lineno,
            column=e.colno,
        ) from e
    except RecursionError as e:
        raise InputError("the JSON document nests too deeply", hint="refuse this delivery") from e


def find_records(document: Any, place: str) -> list[Any]:
    """The list of records at the dotted ``place`` of a document.

    Raises:
        InputError: there is no list there; the message names the keys that are.
    """
    node, walked = document, ""
    steps = [s for s in place.split(".") if s]
    inside = steps[-1:] == [MEMBERS]
    for key in steps[:-1] if inside else steps:
        if not isinstance(node, dict) or key not in node:
            keys = ", ".join(list(node)[:10]) if isinstance(node, dict) else f"a {type(node).__name__}"
            raise InputError(
                f"the document has no {key!r} at {walked or 'its top'} (there: {keys})",
                hint="correct format.records in the contract",
            )
        if isinstance(node, Repeated) and [k for k, _ in node.pairs].count(key) > 1:
            raise InputError(
                f"{key!r} stands more than once at {walked or 'the top of the document'}",
                hint="which of them holds is not to be known: ask the department to send the file again",
            )
        node, walked = node[key], f"{walked}.{key}".lstrip(".")
    if inside and isinstance(node, dict):
        return members(node)
    if not isinstance(node, list):
        lists = [k for k, v in node.items() if isinstance(v, list)] if isinstance(node, dict) else []
        raise InputError(
            f"there is no list of records at {place or 'the top of the document'}",
            hint=f"set format.records{' to ' + ' or '.join(lists) if lists else ''} in the contract",
        )
    return node


def flatten(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A record with the members of inner objects as ``outer.inner``; lists and empty objects stay as they are."""
    out: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, dict) and value:
            out |= flatten(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = value
    return out


def spread(record: dict[str, Any], path: str) -> Sequence[dict[str, Any] | Unfit]:
    """One record for each item of the list at the dotted ``path``, with the record's other members.

    An item's members are called ``path.member``, a plain item ``path``, its place (from 1) ``path.#``. A record whose
    list is absent or empty stays one record.
    """
    rest, items = without(record, path.split("."))
    if not items and (items is None or isinstance(items, list)):
        return [rest]
    if not isinstance(items, list):
        return [Unfit(NOT_A_LIST, raw_line(json.dumps(record, ensure_ascii=False)))]
    return [
        {**rest, **({f"{path}.{k}": v for k, v in item.items()} if isinstance(item, dict) else {path: item}),
         f"{path}.{PLACE}": str(place)}
        for place, item in enumerate(items, start=1)
    ]  # fmt: skip


def without(record: dict[str, Any], steps: Sequence[str]) -> tuple[dict[str, Any], Any]:
    """A record without the value at ``steps``, nor objects that held nothing else, and that value; None when absent."""
    head, *tail = steps
    rest = {k: v for k, v in record.items() if k != head}
    inner = record.get(head)
    if not tail or not isinstance(inner, dict):
        return rest, inner
    kept, value = without(inner, tail)
    return (rest | {head: kept} if kept else rest), value


def as_text(value: Any) -> str | None:
    """A JSON value (numbers already text) as source text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)


def _inside(wanted: Wanted, columns: tuple[str, ...]) -> list[str]:
    """The contract's columns ``outer.inner`` whose outer object is one column."""
    known = {normalise(c) for c in columns}
    names = [wanted.display[n] for n in sorted(wanted.names() - known)]
    return [n for n in names if "." in n and n.split(".")[0] in columns]


def _value(record: dict[str, Any], column: str) -> Any:
    if column in record or "." not in column:
        return record.get(column)
    node: Any = record
    for step in column.split("."):
        node = node.get(step) if isinstance(node, dict) else None
    return node


def _rows(records: list[Any], columns: tuple[str, ...]) -> Iterator[tuple[int, Any, str | None, str | None]]:
    for number, record in enumerate(records, start=1):
        if isinstance(record, dict):
            yield number, [as_text(_value(record, c)) for c in columns], None, None
        elif isinstance(record, Unfit):
            yield number, None, record.problem, record.raw
        else:
            yield number, None, BAD_RECORD, raw_line(as_text(record) or "null")


def _lists(records: list[Any], width: int) -> Iterator[tuple[int, Any, str | None, str | None]]:
    for number, record in enumerate(records, start=1):
        if isinstance(record, Unfit):
            yield number, None, record.problem, record.raw
        elif not isinstance(record, list):
            yield number, None, BAD_RECORD, raw_line(as_text(record) or "null")
        elif len(record) != width:
            yield number, None, RAGGED, raw_fields([as_text(v) for v in record])
        else:
            yield number, [as_text(v) for v in record], None, None


def wanted_first(wanted: Wanted, found: set[str]) -> tuple[str, ...]:
    """Column names: the contract's, then the others found, in a stable order."""
    known = {normalise(f): f for f in sorted(found)}
    first = [known.get(n, wanted.display[n]) for n in sorted(wanted.names())]
    rest = [f for f in sorted(found) if normalise(f) not in wanted.names()]
    return tuple(first + rest)

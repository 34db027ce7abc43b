"""A JSON document whose records are a list at a declared place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.errors import InputError
from catalog.model import Format
from ingestion.formats.base import BAD_RECORD, Opened, rows_to_batches, unique_columns
from ingestion.formats.header import Wanted, normalise
from ingestion.formats.text import Utf8Reader, encoding_about, resolve_encoding

MAX_BYTES = 512 << 20
"""A document is held in memory whole; bigger deliveries come as NDJSON."""


def read(path: Path, fmt: Format, wanted: Wanted) -> Opened:
    """Open a JSON document; its records are the list at ``fmt.records`` (the document itself when empty).

    Numbers keep the digits they are written with, nested values become JSON text.

    Raises:
        InputError: too big, not JSON (with line), or no list of records at that place.
    """
    if path.stat().st_size > MAX_BYTES:
        raise InputError(
            f"the JSON document is larger than {MAX_BYTES >> 20} MB", hint="ask for lines of JSON (NDJSON), type ndjson"
        )
    encoding = resolve_encoding(path, fmt.encoding)
    with Utf8Reader(path, encoding) as stream:
        text = stream.read().decode()
    records = find_records(parse(text), fmt.records)
    if fmt.flatten:
        records = [flatten(r) if isinstance(r, dict) else r for r in records]
    names: dict[str, None] = {}
    for record in records:
        if isinstance(record, dict):
            names.update(dict.fromkeys(record))
    columns = tuple(names) or tuple(wanted.display[n] for n in sorted(wanted.names()))
    batches = rows_to_batches(_rows(records, columns), len(columns))
    about = {**encoding_about(path, fmt.encoding, encoding), "records": fmt.records}
    return Opened(unique_columns(columns), batches, about)


def parse(text: str) -> Any:
    """``text`` as JSON with numbers kept as text.

    Raises:
        InputError: with line and column of the fault.
    """
    try:
        return json.loads(text, parse_float=str, parse_int=str)
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
    for key in filter(None, place.split(".")):
        if not isinstance(node, dict) or key not in node:
            keys = ", ".join(list(node)[:10]) if isinstance(node, dict) else f"a {type(node).__name__}"
            raise InputError(
                f"the document has no {key!r} at {walked or 'its top'} (there: {keys})",
                hint="correct format.records in the contract",
            )
        node, walked = node[key], f"{walked}.{key}".lstrip(".")
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


def as_text(value: Any) -> str | None:
    """A JSON value (numbers already text) as source text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)


def _rows(records: list[Any], columns: tuple[str, ...]) -> Iterator[tuple[int, Any, str | None, str | None]]:
    for number, record in enumerate(records, start=1):
        if isinstance(record, dict):
            yield number, [as_text(record.get(c)) for c in columns], None, None
        else:
            yield number, None, BAD_RECORD, json.dumps({"_line": as_text(record)}, ensure_ascii=False)


def wanted_first(wanted: Wanted, found: set[str]) -> tuple[str, ...]:
    """Column names: the contract's, then the others found, in a stable order."""
    known = {normalise(f): f for f in sorted(found)}
    first = [known.get(n, wanted.display[n]) for n in sorted(wanted.names())]
    rest = [f for f in sorted(found) if normalise(f) not in wanted.names()]
    return tuple(first + rest)

"""Reads the first records of a sample as text, whatever it is written in and however it is packed."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, cast
from xml.etree import ElementTree

from catalog.errors import InputError
from catalog.model import Format
from ingestion.detect import FORMAT_OF, detect_encoding, detect_kind
from ingestion.formats import open_file, vector
from ingestion.formats.archive import unpack
from ingestion.formats.base import Opened
from ingestion.formats.excel import text
from ingestion.formats.header import Wanted
from ingestion.formats.json import MEMBERS, flatten, members
from ingestion.formats.kinds import ARCHIVES
from ingestion.formats.text import Utf8Reader
from ingestion.formats.xml import declared_utf8, local, refuse_doctype, xml_encoding
from ingestion.sniffing.fixed import read_fixed
from ingestion.sniffing.lists import find_lists, table, walk
from ingestion.sniffing.rows import NO_DELIMITER, Raw, read_csv, read_sheets, read_workbook

ANYTHING = Wanted({}, {}, frozenset(), None, frozenset(), frozenset(), {})
"""A reader is told of no contract: every column is as good as another."""
LAYER_COLUMN = "图层"
"""Column made of the layer a feature stands in, where several are taken together."""
XML_LOOK = 200_000
_HINTS = {
    "pdf": "ask the department for the table itself, not its print",
    "sqlite": "ask for the table as CSV or GeoPackage",
    "7z": "ask for it packed as ZIP, or not at all",
    "rar": "ask for it packed as ZIP, or not at all",
    "ods": "ask for it saved as XLSX",
    "document": "ask the department for the table itself, as XLSX or CSV",
    "shp": "ask for all parts (.shp .shx .dbf .prj) in one ZIP",
}


def read_raw(path: Path, kind: str, max_rows: int) -> Raw:
    """The records of ``path`` up to ``max_rows``; of an archive those of its members with the same columns.

    Raises:
        InputError: the kind has no reader, the file is broken, or an archive holds several layouts.
    """
    if kind in ARCHIVES:
        return _packed(path, max_rows)
    if kind == "csv":
        raw = read_csv(path, max_rows)
        alone = len(raw.names) == 1 or raw.delimiter == NO_DELIMITER
        return (read_fixed(path, max_rows) if alone else None) or raw
    if kind in ("xlsx", "xls", "excel-xml", "html"):
        return read_workbook(path, max_rows)
    if kind in ("json", "ndjson"):
        return _json(path, kind, max_rows)
    if kind == "xml":
        at, others = record_path(path)
        raw = _through(path, Format(type="xml", records=at), max_rows)
        return raw._replace(notes=(*raw.notes, *_left_out(others, "重复的元素")))
    if kind in ("dbf", "parquet"):
        return _through(path, Format(type=cast(Any, kind)), max_rows)
    if kind in FORMAT_OF:
        return _vector(path, max_rows)
    if kind == "empty":
        raise InputError("the file is empty", hint="ask for it again", file=path.name)
    raise InputError(
        f"there is no reader for a file of kind {kind}", hint=_HINTS.get(kind, "save it as CSV or XLSX"), file=path.name
    )


def read_each(path: Path, max_rows: int) -> list[Raw]:
    """The records of ``path``, of every member when it is an archive, each up to ``max_rows``.

    Raises:
        InputError: a part has no reader or is broken.
    """
    kind = detect_kind(path)
    if kind in ("xlsx", "xls", "excel-xml"):
        return read_sheets(path, max_rows)
    if kind not in ARCHIVES:
        return [read_raw(path, kind, max_rows)]
    with tempfile.TemporaryDirectory(prefix="sniffed-") as folder:
        members = unpack(path, Format(type="csv"), Path(folder)).members
        return [raw for m in members if detect_kind(m.path) != "empty" for raw in read_each(m.path, max_rows)]


def _packed(path: Path, max_rows: int) -> Raw:
    """The members that are most and alike; what else is in the archive is left out by a pattern of names."""
    groups: dict[tuple[str, tuple[str, ...]], list[tuple[str, Raw]]] = {}
    with tempfile.TemporaryDirectory(prefix="sniffed-") as folder:
        members = unpack(path, Format(type="csv"), Path(folder)).members
        for name, place in members:
            found = detect_kind(place)
            if found in FORMAT_OF:
                raw = read_raw(place, found, max_rows)
                groups.setdefault((found, raw.names), []).append((name, raw))
    if not groups:
        raise InputError("no member of the archive can be read", hint="ask for CSV or XLSX", file=path.name)
    (kind, _), alike = max(groups.items(), key=lambda g: sum(r.rows for _, r in g[1]))
    names = [n for n, _ in alike]
    others = sorted({m.name for m in members} - set(names))
    pattern = f"*{PurePosixPath(names[0]).suffix}"
    first = alike[0][1]
    options = dict(first.options)
    notes = [*first.notes, f"压缩包内 {len(names)} 个文件合为一批（{'、'.join(names[:5])}）"]
    if others:
        if {m.name for m in members if PurePosixPath(m.name).match(pattern)} != set(names):
            raise InputError(
                f"the archive holds files of different layouts ({', '.join(others[:5])} and {names[0]})",
                hint="unpack it and make a feed of each",
                file=path.name,
            )
        options["members"] = pattern
        notes.append(f"压缩包内 {'、'.join(others[:5])} 未取")
    return first._replace(
        records=[record for _, r in alike for record in r.records][:max_rows],
        rows=sum(r.rows for _, r in alike),
        complete=all(r.complete for _, r in alike),
        ragged=tuple(row for _, r in alike for row in r.ragged),
        blank_rows=sum(r.blank_rows for _, r in alike),
        kind=kind,
        options=options,
        notes=tuple(notes),
    )


def _through(path: Path, fmt: Format, max_rows: int) -> Raw:
    """The records as the reader that will load them hands them on."""
    opened = open_file(path, fmt, ANYTHING)
    try:
        rows, total = _taken(opened, len(opened.columns), max_rows)
    finally:
        opened.close()
    if not total:
        raise InputError("the file has no records", hint="ask for the file again", file=path.name)
    return Raw(
        opened.columns, rows, total, total <= max_rows, encoding=opened.about.get("encoding", ""),
        records_path=fmt.records,
    )  # fmt: skip


def _taken(opened: Opened, width: int, most: int) -> tuple[list[list[str]], int]:
    rows: list[list[str]] = []
    total = 0
    for batch in opened.batches:
        total += batch.num_rows
        columns = [batch.column(i + 1).to_pylist() for i in range(width)]
        rows += [[str(v or "") for v in row] for row in zip(*columns, strict=True)][: most - len(rows)]
        if total > most:
            break
    return rows, total


def record_path(path: Path) -> tuple[str, list[tuple[str, int]]]:
    """The path of the element that stands most often below one that stands once: the record.

    Returns:
        that path, and paths of other elements that repeat so with how often, as far as was looked.

    Raises:
        InputError: not XML, a document type, or nothing repeats.
    """
    refuse_doctype(path)
    counts: Counter[tuple[str, ...]] = Counter()
    filled: set[tuple[str, ...]] = set()
    with Utf8Reader(path, xml_encoding(path, "auto")[0]) as stream:
        for at, element in _elements(stream):
            counts[at] += 1
            if element.attrib or len(at) > 1:
                filled.add(at[:-1] if not element.attrib else at)
            if counts.total() > XML_LOOK:
                break
    once = {at for at, n in counts.items() if n == 1}
    repeated = [at for at, n in counts.items() if n > 1 and at in filled and at[:-1] in once]
    if not repeated:
        repeated = [at for at in counts if at in filled and not any(o in filled for o in counts if o[:-1] == at)]
    if not repeated:
        raise InputError(
            "no element of this XML repeats", hint="write the contract by hand: format.records", file=path.name
        )
    most = max(repeated, key=counts.__getitem__)
    return "/".join(most), [("/".join(at), counts[at]) for at in repeated if at != most and counts[at] > 1]


def _elements(stream: Utf8Reader) -> Iterator[tuple[tuple[str, ...], ElementTree.Element]]:
    parser = ElementTree.XMLPullParser(("start", "end"))
    stack: list[ElementTree.Element] = []
    at: tuple[str, ...] = ()
    first = True
    try:
        while data := stream.read(1 << 18):
            parser.feed(declared_utf8(data) if first else data)
            first = False
            for event, element in cast(Iterator[tuple[str, ElementTree.Element]], parser.read_events()):
                if event == "start":
                    stack.append(element)
                    at = (*at, local(element.tag))
                    yield at, element
                else:
                    stack.pop()
                    at = at[:-1]
                    if stack:
                        del stack[-1][:]
    except ElementTree.ParseError:
        return  # the reader itself says what is wrong, with its place


def _json(path: Path, kind: str, max_rows: int) -> Raw:
    encoding = detect_encoding(path)
    records_path, complete = "", True
    others: list[tuple[str, int]] = []
    try:
        if kind == "ndjson":
            with path.open(encoding=encoding, errors="replace") as f:
                lines = [line for _, line in zip(range(max_rows + 1), f, strict=False) if line.strip()]
            complete = len(lines) <= max_rows
            found: list[Any] = _parsed(lines[:max_rows])
        else:
            document = json.loads(path.read_text(encoding=encoding))
            records_path, found = _records(document)
            others = [(at, len(r)) for at, r in _lists_of_objects(document) if at != records_path and len(r) > 1]
            if not found:
                records_path, found = _members(document)
            lists = find_lists(document)
            if lists and (lists.names or len(lists.records) > len(found)):
                return table(lists, max_rows, _json_text)._replace(encoding=encoding)
    except json.JSONDecodeError as e:
        raise InputError(f"not JSON: {e.msg}", hint="ask for the file again", file=path.name, line=e.lineno) from e
    except UnicodeDecodeError as e:
        told = f"not {encoding} text: byte {e.object[e.start]:#04x} is unreadable"
        raise InputError(told, hint="the file is damaged there: ask for it again", offset=e.start) from e
    except RecursionError as e:
        raise InputError("the JSON is nested too deeply", hint="refuse this delivery", file=path.name) from e
    records = [r for r in found if isinstance(r, dict)]
    if not records:
        raise InputError(
            "no list of records in this JSON",
            hint="ask for the records as a list of objects, or as CSV",
            file=path.name,
        )
    nested = any(isinstance(v, dict) and v for r in records for v in r.values())
    if nested:
        records = [flatten(r) for r in records]
    names = tuple(dict.fromkeys(k for r in records for k in r))
    if not names:
        raise InputError("the records of this JSON are empty", hint="ask for the file again", file=path.name)
    rows = [[_json_text(r.get(n)) for n in names] for r in records[:max_rows]]
    complete = complete and len(records) <= max_rows
    options: Mapping[str, Any] = {"flatten": True} if nested else {}
    notes = _left_out(others, "记录列表")
    notes += ("记录内的对象已展开为“外层.内层”列",) if nested else ()
    notes += tuple(
        f"列 {n} 是对象的列表，按 JSON 文本保留；需要一项一行时在 format 中写 explode: {n}"
        for n in names
        if any(isinstance(v := r.get(n), list) and any(isinstance(i, dict) for i in v) for r in records)
    )
    return Raw(
        names, rows, len(rows), complete, encoding=encoding, records_path=records_path, options=options, notes=notes
    )


def _parsed(lines: list[str]) -> list[Any]:
    """The records of lines of JSON; a few lines that are none are the load's to set apart.

    Raises:
        json.JSONDecodeError, RecursionError: most lines are none, or nest too deeply.
    """
    found: list[Any] = []
    failed: list[json.JSONDecodeError | RecursionError] = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except (json.JSONDecodeError, RecursionError) as e:
            failed.append(e)
    if len(failed) > len(found):
        raise failed[0]
    return found


def _records(document: Any) -> tuple[str, list[Any]]:
    """Dotted path and content of the longest list of objects in a document."""
    return max(_lists_of_objects(document), key=lambda found: len(found[1]), default=("", []))


def _lists_of_objects(document: Any) -> list[tuple[str, list[Any]]]:
    return [(at, node) for at, node in walk(document) if any(isinstance(r, dict) for r in node)]


def _left_out(lists: Sequence[tuple[str, int]], kind: str) -> tuple[str, ...]:
    """A note on the lists of records that are not taken, when there are any."""
    shown = "、".join(f"{at}（{n} 条）" for at, n in lists[:5]) + ("等" if len(lists) > 5 else "")
    return (f"文件中另有{kind} {shown}，未取；需要时为它另建一个资源",) if lists else ()


FEWEST_MEMBERS = 5
"""An object with fewer members is more likely one record, or what an interface says when it has none."""


def _members(document: Any, at: str = "") -> tuple[str, list[Any]]:
    """Path and records of the largest object whose members are records: objects with names in common, or all values."""
    best: tuple[str, list[Any]] = ("", [])
    if not isinstance(document, dict):
        return best
    values = list(document.values())
    objects = [v for v in values if isinstance(v, dict)]
    names = Counter(k for v in objects for k in v)
    alike = len(objects) == len(values) and any(n > 0.5 * len(values) for n in names.values())
    kinds = {type(v) for v in values if v is not None}
    if len(values) >= FEWEST_MEMBERS and (alike or (not objects and len(kinds) == 1)):
        best = (f"{at}.{MEMBERS}" if at else MEMBERS, members(document))
    for key, value in document.items():
        found = _members(value, f"{at}.{key}" if at else key)
        best = found if len(found[1]) > len(best[1]) else best
    return best


def _json_text(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return text(value) or ""


def _vector(path: Path, max_rows: int) -> Raw:
    """The attributes of a map's features, read by the very reader that will load it."""
    found = _map(path, {"sheets": "all"})
    layers = vector.layer_names(path)
    options: dict[str, Any] = {}
    notes: tuple[str, ...] = ()
    if len(layers) > 1:
        opened = {name: _map(path, {"sheets": (name,)}) for name in layers}
        groups = Counter(o.columns for o in opened.values())
        common = groups.most_common(1)[0][0]
        alike = [n for n in layers if opened[n].columns == common]
        others = [n for n in layers if n not in alike]
        options["sheets"] = alike if others else "all"
        if len(alike) > 1 and LAYER_COLUMN not in common:  # what a folder of places is called stands nowhere else
            options["part_column"] = LAYER_COLUMN
        notes = (f"{len(alike)} 个图层列相同，合为一批（{'、'.join(alike)}）",)
        notes += (f"另有图层 {'、'.join(others)}，列不同，未取",) if others else ()
        found = _map(path, {"part_column": options.get("part_column"), "sheets": tuple(alike) if others else "all"})
    rows, total = _taken(found, len(found.columns), max_rows)
    kept = [i for i, n in enumerate(found.columns) if n != "geometry"]
    return Raw(
        tuple(found.columns[i] for i in kept),
        [[row[i] for i in kept] for row in rows],
        total,
        total <= max_rows,
        encoding=found.about.get("encoding") or "",
        crs="" if found.about.get("unstated") else str(found.about["crs"]),
        geometry=bool(found.about.get("geometry_type")),
        options=options,
        notes=notes,
    )


def _map(path: Path, options: Mapping[str, Any]) -> Opened:
    try:
        return vector.read(path, Format(type="vector", **options), ANYTHING)
    except InputError as e:
        if "coordinate system" not in e.message:
            raise
    opened = vector.read(path, Format(type="vector", crs="EPSG:4490", **options), ANYTHING)
    opened.about["unstated"] = True
    return opened

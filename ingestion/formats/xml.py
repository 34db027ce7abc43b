"""XML records, streamed: one element a record, its attributes and inner elements as columns.

Elements and attributes go by their local names, whatever their namespace prefix; inner ones are
``outer.inner``, attributes ``@name`` (of the record) or ``inner.@name``. The text is decoded by the
codecs of Python, because the parser does not know GB18030. A document type declaration is refused,
and with it every entity: no bomb, no file, no address can be named.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree
from xml.parsers import expat

import pyarrow as pa

from catalog.errors import InputError
from catalog.model import Format
from ingestion.formats.base import BAD_RECORD, Opened, rows_to_batches
from ingestion.formats.header import Wanted, unique_columns
from ingestion.formats.json import wanted_first
from ingestion.formats.text import Utf8Reader, found_otherwise, resolve_encoding, utf16_of

CHUNK = 256 << 10
PROBE_RECORDS = 1000
MAX_DEPTH = 100
MAX_RECORD_ELEMENTS = 100_000
_DECLARATION = re.compile(rb"^\s*<\?xml\b([^>]*)\?>")
_ENCODING = re.compile(rb"""encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")

Record = dict[str, Any] | str
"""A record's columns, or the text of an element that is none."""


def read(path: Path, fmt: Format, wanted: Wanted) -> Opened:
    """Open an XML document; its records are the elements at the path ``fmt.records`` (``list/item`` or ``list.item``).

    Raises:
        InputError: a document type, not well-formed (with line), too deep, or no such element; some of these
            while the batches are consumed.
    """
    steps = [s for s in re.split(r"[/.]", fmt.records) if s]
    if not steps:
        raise InputError("the contract does not say which element is a record", hint="set format.records to its path")
    encoding, about = xml_encoding(path, fmt.encoding)
    stream = Utf8Reader(path, encoding)
    records = _records(stream, steps, fmt.max_columns)
    try:
        head = list(itertools.islice(records, PROBE_RECORDS))
    except BaseException:
        stream.close()
        raise
    found = {name for record in head if isinstance(record, dict) for name in record}
    columns = wanted_first(wanted, found)
    opened = Opened(unique_columns(columns), iter(()), {**about, "records": fmt.records}, close=stream.close)
    opened.batches = _batches(itertools.chain(head, records), columns, opened.late_columns)
    return opened


def xml_encoding(path: Path, declared: str) -> tuple[str, dict[str, str]]:
    """The codec of a document, and what ``about`` says of it: the contract's, else the document's own, else the bytes'.

    Raises:
        InputError: it names an encoding that Python does not have.
    """
    with path.open("rb") as f:
        head = f.read(4096)
    said = utf16_of(head)
    if said is None and (m := _DECLARATION.match(head.removeprefix(b"\xef\xbb\xbf"))):
        named = _ENCODING.search(m.group(1))
        said = named.group(1).decode() if named else "utf-8"
    encoding = resolve_encoding(path, declared if declared != "auto" else said or "auto")
    found = found_otherwise(path, encoding)
    if found and declared == "auto" and said:
        encoding = resolve_encoding(path, found)
        return encoding, {"encoding": encoding, "encoding_declared": said}
    return encoding, {"encoding": encoding} | ({"encoding_found": found} if found else {})


def refuse_doctype(path: Path) -> None:
    """Refuse an XML file with a document type declaration before another reader opens it.

    Raises:
        InputError: it has one, or does not begin like XML.
    """
    with Utf8Reader(path, xml_encoding(path, "auto")[0]) as stream:
        _guard(declared_utf8(stream.read(CHUNK)))


def declared_utf8(data: bytes) -> bytes:
    """``data`` without the XML declaration, whose encoding is not true any more; line numbers stay."""
    return _DECLARATION.sub(lambda m: b"\n" * m.group(0).count(b"\n"), data, count=1)


def _guard(head: bytes) -> None:
    """A document type can only stand before the first element."""
    state = {"element": False}

    def doctype(*_: object) -> None:
        raise InputError(
            "the XML has a document type (DOCTYPE), which may carry entities", hint="ask for the file without it"
        )

    def element(*_: object) -> None:
        state["element"] = True

    parser = expat.ParserCreate("utf-8")
    parser.StartDoctypeDeclHandler, parser.StartElementHandler = doctype, element
    try:
        parser.Parse(head, False)
    except expat.ExpatError as e:
        if not state["element"]:
            raise malformed(e) from e
    if not state["element"]:
        raise InputError("there is no XML element at the beginning of the file", hint="ask for the file again")


def malformed(e: expat.ExpatError | ElementTree.ParseError) -> InputError:
    """What a parser found wrong, with its line and column."""
    code = getattr(e, "code", 0)
    cut = code in (expat.errors.codes["no element found"], expat.errors.codes["unclosed token"])
    line, column = getattr(e, "position", None) or (getattr(e, "lineno", 0), getattr(e, "offset", 0))
    return InputError(
        "the XML is cut short" if cut else f"not well-formed XML: {expat.ErrorString(code)}",
        hint="ask the department to send the file again",
        line=line,
        column=column,
    )


def _records(stream: Utf8Reader, steps: list[str], most: int) -> Iterator[Record]:
    parser = ElementTree.XMLPullParser(("start", "end"))
    walk = _Walk(steps, most)
    first = True
    while data := stream.read(CHUNK):
        if first:
            data, first = declared_utf8(data), False
            _guard(data)
        yield from _fed(parser, walk, data)
    yield from _fed(parser, walk, None)
    if not walk.seen:
        raise InputError(
            f"the document has no element {'/'.join(steps)}", hint=f"correct format.records; there are {walk.met()}"
        )


def _fed(parser: ElementTree.XMLPullParser, walk: _Walk, data: bytes | None) -> Iterator[Record]:
    try:
        if data is None:
            parser.close()
        else:
            parser.feed(data)
        for event, element in cast(Iterator[tuple[str, ElementTree.Element]], parser.read_events()):
            if walk.inside and walk.within(event == "start"):
                continue
            if event == "start":
                walk.start(element)
            elif (record := walk.end(element)) is not None:
                yield record
    except ElementTree.ParseError as e:
        raise malformed(e) from e


class _Walk:
    """Follows a document's elements, picks the records out and lets go of everything else."""

    def __init__(self, steps: list[str], most: int) -> None:
        self.steps, self.most = steps, most
        self.stack: list[ElementTree.Element] = []
        self.path: list[str] = []
        self.seen = 0
        self.inside = self.below = self.elements = 0
        self.paths: dict[str, None] = {}

    def start(self, element: ElementTree.Element) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise InputError(f"the XML nests deeper than {MAX_DEPTH} elements", hint="refuse this delivery")
        self.stack.append(element)
        self.path.append(local(element.tag))
        if len(self.paths) < 20:
            self.paths["/".join(self.path)] = None
        if self._is_record():
            self.inside, self.below, self.elements = len(self.stack), 0, 0
            self.seen += 1

    def within(self, starts: bool) -> bool:
        """Whether an event belongs to an element inside the record: these are only counted, the record has them."""
        if not starts:
            self.below -= 1
            return self.below >= 0
        self.below += 1
        self.elements += 1
        if self.inside + self.below > MAX_DEPTH:
            raise InputError(f"the XML nests deeper than {MAX_DEPTH} elements", hint="refuse this delivery")
        if self.elements > MAX_RECORD_ELEMENTS:
            raise InputError("one XML record has too many elements", hint="correct format.records", row=self.seen)
        return True

    def end(self, element: ElementTree.Element) -> Record | None:
        depth = len(self.stack)
        self.stack.pop()
        record: Record | None = None
        if self.inside == depth:
            record = columns_of(element)
            if isinstance(record, dict) and len(record) > self.most:
                raise InputError(
                    f"an XML record has {len(record)} columns, more than {self.most}",
                    hint="correct format.records, or raise format.max_columns",
                    row=self.seen,
                )
            self.inside = 0
        self.path.pop()
        if self.stack:
            del self.stack[-1][:]
        return record

    def _is_record(self) -> bool:
        n = len(self.steps)
        return self.path == self.steps or (self.path[-n:] == self.steps and len(self.path) <= n + 1)

    def met(self) -> str:
        """The first paths of the document, for whoever corrects a contract."""
        return ", ".join(self.paths)


def local(tag: str) -> str:
    """A name without its namespace."""
    return tag.rpartition("}")[2]


def columns_of(element: ElementTree.Element) -> Record:
    """A record element as columns; repeated inner elements become a JSON list, bare text is no record."""
    out: dict[str, Any] = {}
    if not len(element) and not element.attrib:
        return (element.text or "").strip()
    _collect(element, "", out)
    if element.text and (own := element.text.strip()):
        out["#text"] = own
    return {k: json.dumps(v, ensure_ascii=False) if isinstance(v, list) else v for k, v in out.items()}


def _collect(element: ElementTree.Element, prefix: str, out: dict[str, Any]) -> None:
    for name, value in element.attrib.items():
        _put(out, f"{prefix}@{local(name)}", value)
    for child in element:
        name = f"{prefix}{local(child.tag)}"
        if len(child):
            _collect(child, f"{name}.", out)
            if child.text and (own := child.text.strip()):
                _put(out, name, own)
            continue
        if child.attrib:
            _collect(child, f"{name}.", out)
            if not child.text:
                continue
        _put(out, name, child.text)


def _put(out: dict[str, Any], name: str, value: str | None) -> None:
    if name not in out:
        out[name] = value
    elif isinstance(out[name], list):
        out[name].append(value)
    else:
        out[name] = [out[name], value]


def _batches(records: Iterator[Record], columns: tuple[str, ...], late: set[str]) -> Iterator[pa.RecordBatch]:
    known = set(columns)

    def rows() -> Iterator[tuple[int, Any, str | None, str | None]]:
        for number, record in enumerate(records, start=1):
            if isinstance(record, dict):
                if not known.issuperset(record):
                    late.update(record.keys() - known)
                yield number, [record.get(c) for c in columns], None, None
            elif record:
                yield number, None, BAD_RECORD, json.dumps({"_line": record}, ensure_ascii=False)
            else:
                yield number, [None] * len(columns), None, None

    yield from rows_to_batches(rows(), len(columns))

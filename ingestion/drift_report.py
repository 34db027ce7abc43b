"""What changed in the deliveries of a feed, since which one, and what the contract would have to say instead.

The newest delivery is looked at as ``feed new`` looks at a sample; the one before it that was loaded is the measure.
A column that is missing and one that is unknown are taken for one and the same when their names and what stands in
them are alike; the name becomes an alias in ``from:``.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from catalog.errors import InputError
from catalog.model import Feed, ResolvedField
from catalog.registry import Catalog
from catalog.settings import Settings
from ingestion import landing
from ingestion.columns_sql import code_map
from ingestion.contract_edit import add_lines, change_field, difference
from ingestion.formats.header import HIDDEN, Wanted, flat, is_unnamed, looks_like_a_value, normalise
from ingestion.landing import Receipt
from ingestion.new_feed import Draft, add_field, element_dict
from ingestion.shown import without_numbers
from ingestion.sniff import sniff
from ingestion.sniffing.meaning import known_headers, match_codes, meaning_of, misfit
from ingestion.sniffing.model import Column, Sample
from ingestion.sniffing.types import covered

Kind = Literal["column_new", "column_missing", "column_renamed", "types", "codes", "layout"]
ALIKE = 0.6
"""How much of a name and its content must agree, together, for a column to be called renamed."""
MOST_ROWS = 20_000
"""Records of a delivery that are looked at."""
_LAYOUT = ("encoding", "header_row", "sheet", "sheets", "crs", "delimiter")


class Change(BaseModel):
    """One difference between the newest delivery and the contract, or the delivery before.

    Attributes:
        column: source column; ``field`` the contract's, where one is meant.
        since: the first receipt of those in a row that show it; ``since_at`` when it arrived.
        message: what changed, in Chinese; no value above grade 1.
        score: how alike a renamed column is, 0 to 1.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    column: str = ""
    field: str = ""
    since: str
    since_at: str
    message: str
    score: float | None = None


class DriftReport(BaseModel):
    """What the deliveries of a feed drifted to.

    Attributes:
        receipt: the newest delivery, which was looked at; '' when nothing was ever delivered.
        compared_with: the delivery it was compared with.
        diff: unified diff of the contract that would take the newest delivery; '' when nothing need change.
        contract: the whole text after the diff.
    """

    model_config = ConfigDict(frozen=True)

    feed: str
    receipt: str = ""
    compared_with: str = ""
    deliveries: int = 0
    changes: tuple[Change, ...] = ()
    diff: str = ""
    contract: str = ""


class _Seen:
    """The deliveries of a feed in order, with what became of each."""

    def __init__(self, settings: Settings, feed: Feed) -> None:
        self.settings = settings
        self.receipts = [
            r for r in landing.receipts_of(settings, feed.id) if not (r.duplicate_of or r.deletes or r.expired_at)
        ]
        self.outcomes = {r.id: landing.read_outcome(settings, r) or {} for r in self.receipts}

    def about(self, receipt: Receipt) -> dict[str, Any]:
        found: dict[str, Any] = self.outcomes[receipt.id].get("about") or {}
        return found

    def columns(self, receipt: Receipt) -> set[str] | None:
        """Normalised columns of a delivery, None where it could not be told."""
        names = self.about(receipt).get("columns")
        return {normalise(n) for n in names} if names else None

    def broke(self, receipt: Receipt, code: str) -> bool:
        outcome = self.outcomes[receipt.id]
        return code in (outcome.get("reasons") or {}) or code in (outcome.get("warnings") or {})

    def since(self, shows: Any) -> Receipt:
        """The first of the newest deliveries in a row that show something."""
        first = self.receipts[-1]
        for receipt in reversed(self.receipts[:-1]):
            if not shows(receipt):
                break
            first = receipt
        return first

    def before(self) -> Receipt | None:
        """The newest delivery but the last that was loaded."""
        for receipt in reversed(self.receipts[:-1]):
            if self.outcomes[receipt.id].get("verdict") in ("passed", "warned"):
                return receipt
        return None


def drift_report(settings: Settings, catalog: Catalog, feed_id: str) -> DriftReport:
    """Compare the newest delivery of a feed with its contract and with the delivery before.

    Raises:
        UnknownName: no such feed. InputError: the newest delivery cannot be read at all.
    """
    feed = catalog.feed(feed_id)
    seen = _Seen(settings, feed)
    if not seen.receipts:
        return DriftReport(feed=feed_id)
    newest, before = seen.receipts[-1], seen.before()
    sample = _look(settings, newest, catalog)
    former = _look(settings, before, catalog) if before else None
    text = catalog.files[feed_id].read_text(encoding="utf-8")
    found = _Found(catalog, feed, seen, sample, former, text)
    found.columns()
    found.values()
    found.layout(newest, before)
    return DriftReport(
        feed=feed_id,
        receipt=newest.id,
        compared_with=before.id if before else "",
        deliveries=len(seen.receipts),
        changes=tuple(found.changes),
        diff=difference(text, found.text, f"{feed.department}/{feed.object}.yaml"),
        contract=found.text,
    )


def _look(settings: Settings, receipt: Receipt, catalog: Catalog) -> Sample:
    path = landing.landed_file(settings, receipt)
    if not path.exists():
        raise InputError("the bytes of this delivery are gone", hint="see docs/destroy.md", receipt=receipt.id)
    return sniff(path, max_rows=MOST_ROWS)


class _Found:
    """Changes as they are found, and the contract as it would be after them."""

    def __init__(
        self, catalog: Catalog, feed: Feed, seen: _Seen, sample: Sample, former: Sample | None, text: str
    ) -> None:
        self.catalog, self.feed, self.seen, self.sample, self.former = catalog, feed, seen, sample, former
        self.text, self.changes = text, list[Change]()
        self.fields = {f.name: f for f in catalog.fields(feed)}
        self.wanted = Wanted.of(feed)
        self.here = {normalise(c.name): c for c in sample.columns}
        self.earlier = {normalise(c.name): c for c in former.columns} if former else {}

    def add(self, kind: Kind, since: Receipt, message: str, **more: Any) -> None:
        at = since.arrived_at.isoformat(timespec="seconds")
        self.changes.append(Change(kind=kind, since=since.id, since_at=at, message=message, **more))

    # --- columns

    def columns(self) -> None:
        if self.feed.format.type == "fixed":
            return  # its columns are the contract's own
        known = self.wanted.names() | self.wanted.ignore
        wide = self.wanted.wide
        unknown = [
            c
            for key, c in self.here.items()
            if key not in known and not is_unnamed(c.name) and not (wide and wide.search(flat(c.name)))
            and c.type != "geometry"
        ]  # fmt: skip
        missing = [
            name
            for name, names in self.wanted.any_of.items()
            if not set(names) <= self.wanted.made and not any(n in self.here for n in names)
            and self.fields[name].type != "geometry"
        ]  # fmt: skip
        for name, column, score in _pairs(self, missing, unknown):
            self._renamed(name, column, score)
            missing.remove(name)
            unknown.remove(column)
        for name in missing:
            self._missing(name)
        self._new(unknown)

    def _shows(self, column: Column) -> Receipt:
        key = normalise(column.name)

        def has(receipt: Receipt) -> bool:
            columns = self.seen.columns(receipt)
            error = self.seen.outcomes[receipt.id].get("error") or {}
            extra = [normalise(e) for e in str(error.get("where", {}).get("extra", "")).split(", ")]
            return key in columns if columns is not None else key in extra

        return self.seen.since(has)

    def _renamed(self, name: str, column: Column, score: float) -> None:
        old = self.feed.fields[name].from_
        message = f"列“{old[0]}”不见了，“{column.name}”与之相像（{score:.0%}），建议作别名"
        self.add("column_renamed", self._shows(column), message, column=column.name, field=name, score=round(score, 2))
        self.text = change_field(self.text, name, {"from": [*old, column.name]})

    def _missing(self, name: str) -> None:
        spec = self.feed.fields[name]
        names = {normalise(f) for f in spec.from_}

        def lacks(receipt: Receipt) -> bool:
            columns = self.seen.columns(receipt)
            error = self.seen.outcomes[receipt.id].get("error") or {}
            told = {normalise(m) for m in str(error.get("where", {}).get("missing", "")).split(", ")}
            return not (columns & names) if columns is not None else bool(told & names)

        may_lack = name in self.wanted.optional
        needed = spec.required or name in (*self.feed.load.key, self.feed.load.newest_by)
        hint = "字段留空" if may_lack else "必填，请部门补齐" if needed else "可让该字段留空"
        self.add(
            "column_missing", self.seen.since(lacks), f"缺少列“{spec.from_[0]}”，{hint}",
            column=spec.from_[0], field=name,
        )  # fmt: skip
        if not may_lack and not needed:
            self.text = change_field(self.text, name, {"drift": {"missing": "discard_value"}})

    def _new(self, columns: Sequence[Column]) -> None:
        draft = Draft()
        draft.fields = {name: {} for name in self.feed.fields}
        known = known_headers(self.catalog, self.feed.department)
        added: dict[str, Any] = {}
        for column in columns:
            since = self._shows(column)
            if looks_like_a_value(column.name):
                self.add("column_new", since, f"表头处是一个值（{HIDDEN}），这份文件可能没有表头")
                continue
            add_field(column, meaning_of(column, self.catalog, known), self.catalog, draft)
            name = draft.field_of[column.name]
            added[name] = draft.fields[name]
            kind, grade, why = draft.shown[column.name]
            told = f"新列“{column.name}”，像 {kind}，建议 {grade} 级" + (f"（{why}）" if why else "")
            self.add("column_new", since, told, column=column.name, field=name)
        own = {n: element_dict(e) for n, e in draft.elements.items() if n not in self.feed.elements}
        self.text = add_lines(add_lines(self.text, "fields", added), "elements", own)

    # --- values

    def values(self) -> None:
        for field in self.fields.values():
            column = next((self.here[n] for n in map(normalise, field.spec.from_) if n in self.here), None)
            if column is None or not column.filled or field.spec.parse:
                continue
            if field.type in ("date", "timestamp"):
                self._styles(field, column)
            elif field.code_list:
                self._codes(field, column)
            elif field.type in ("integer", "decimal", "double"):
                self._numbers(field, column)

    def _styles(self, field: ResolvedField, column: Column) -> None:
        formats = field.spec.formats
        new = [f for f in column.formats if f not in formats and not (not formats and f.startswith("%Y-%m-%d"))]
        if not new or (formats and covered(formats, column.values)):
            return
        since = self.seen.since(lambda r: self.seen.broke(r, f"{field.name}.type"))
        message = f"列“{column.name}”的日期有新写法 {'、'.join(new)}"
        self.add("types", since, message, column=column.name, field=field.name)
        kept = formats or (("%Y-%m-%d",) if field.type == "date" else ("%Y-%m-%d %H:%M:%S",))
        self.text = change_field(self.text, field.name, {"formats": list(dict.fromkeys([*kept, *new]))})

    def _numbers(self, field: ResolvedField, column: Column) -> None:
        was = self.earlier.get(normalise(column.name))
        if column.type in ("integer", "decimal", "double") and column.form != "percent":
            return
        if was is not None and was.type == column.type and was.form == column.form:
            return
        since = self.seen.since(lambda r: self.seen.broke(r, f"{field.name}.type"))
        now = column.form or column.type
        self.add("types", since, f"列“{column.name}”原为数字，现为 {now}", column=column.name, field=field.name)
        if column.form == "percent":
            self.text = change_field(self.text, field.name, {"parse": "percent"})

    def _codes(self, field: ResolvedField, column: Column) -> None:
        known = code_map(field, self.catalog.code_list(str(field.code_list)))
        unknown = {v: n for v, n in column.values.items() if v not in known and v not in field.spec.null_values}
        if not unknown:
            return
        some = column.model_copy(update={"values": unknown, "filled": sum(unknown.values())})
        mapped = match_codes(some, self.catalog, str(field.code_list)) or {}
        shown = "、".join(without_numbers(v) for v in list(unknown)[:10]) if field.grade == 1 else "值不显示"
        since = self.seen.since(lambda r: self.seen.broke(r, f"{field.name}.code_list"))
        message = f"列“{column.name}”有 {len(unknown)} 个代码表 {field.code_list} 之外的值（{shown}）"
        self.add("codes", since, message, column=column.name, field=field.name)
        if mapped:
            self.text = change_field(self.text, field.name, {"codes": {**field.spec.codes, **mapped}})

    # --- layout

    def layout(self, newest: Receipt, before: Receipt | None) -> None:
        """Encoding, header row, sheet and the like, where both deliveries could be read."""
        if before is None or self.former is None:
            return
        now: Mapping[str, Any] = {**self.seen.about(newest), "kind": self.sample.kind, "encoding": self.sample.encoding,
                                  "delimiter": self.sample.delimiter, "header_row": self.sample.header_row}  # fmt: skip
        was: Mapping[str, Any] = {**self.seen.about(before), "kind": self.former.kind, "encoding": self.former.encoding,
                                  "delimiter": self.former.delimiter, "header_row": self.former.header_row}  # fmt: skip
        names = {"encoding": "编码", "header_row": "表头行", "sheet": "工作表", "sheets": "工作表", "crs": "坐标系",
                 "delimiter": "分隔符", "kind": "文件种类"}  # fmt: skip
        for key in ("kind", *_LAYOUT):
            old, new = _plain(was.get(key)), _plain(now.get(key))
            if old != new and old is not None and new is not None:
                self.add("layout", newest, f"{names[key]}由 {old!r} 变为 {new!r}")


def _plain(value: Any) -> Any:
    return "utf-8" if value == "utf-8-sig" else value


def _pairs(found: _Found, missing: Sequence[str], unknown: Sequence[Column]) -> list[tuple[str, Column, float]]:
    """Missing fields with the unknown column each has become, the surest first; each is taken once."""
    scored = [(_likeness(found, name, c), name, c) for name in missing for c in unknown]
    taken: list[tuple[str, Column, float]] = []
    for score, name, column in sorted(scored, key=lambda s: -s[0]):
        if score >= ALIKE and all(name != n and column is not c for n, c, _ in taken):
            taken.append((name, column, score))
    return taken


def _likeness(found: _Found, name: str, column: Column) -> float:
    """How likely ``column`` is what the field ``name`` used to come from, 0 to 1."""
    spec, field = found.feed.fields[name], found.fields[name]
    if not spec.parse and misfit(column, field.element, found.catalog):
        return 0.0
    key = normalise(column.name)
    names = max(difflib.SequenceMatcher(None, normalise(old), key).ratio() for old in spec.from_)
    known = known_headers(found.catalog, found.feed.department).get(key, {})
    if (spec.element or name) in known or normalise(field.label) == key:
        names = max(names, 0.9)
    was = next((found.earlier[n] for n in map(normalise, spec.from_) if n in found.earlier), None)
    if was is None or not was.filled or not column.filled:
        return names * 0.9
    return 0.4 * names + 0.6 * _same_content(was, column)


def _same_content(was: Column, now: Column) -> float:
    """How alike the values of two columns are: type, length, share filled, and values in common."""
    same_type = was.type == now.type and was.formats[:1] == now.formats[:1]
    lengths = 1 - abs(_length(was) - _length(now)) / max(_length(was), _length(now), 1)
    few, many = sorted((set(was.values), set(now.values)), key=len)
    common = len(few & many) / len(few) if few else 0.0
    filled = 1 - abs(was.filled / (was.filled + was.empty) - now.filled / (now.filled + now.empty))
    varied = 1 - abs(was.distinct / was.filled - now.distinct / now.filled)
    shape = (lengths + filled + varied) / 3
    return (0.7 + 0.3 * common) * shape if same_type else 0.3 * common


def _length(column: Column) -> float:
    return sum(len(v) * n for v, n in column.values.items()) / column.filled

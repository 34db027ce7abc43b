"""Turns a sniffed sample into a contract that lints: one YAML file, and nothing else to edit.

``propose`` decides, ``ingestion.contract_files`` writes. A field whose header and content are those of a data
element of the house uses it; any other gets an element of its own inside the contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import yaml

from catalog.errors import ContractError, UnknownName
from catalog.model import NAME, Element, Feed, Format, Model
from catalog.registry import Catalog
from ingestion.contract_edit import flow
from ingestion.detect import header_key
from ingestion.formats.text import BIG5
from ingestion.sniff import is_key_like, update_column
from ingestion.sniffing.compose import Composed, compose
from ingestion.sniffing.meaning import (
    MONTH_PATTERN,
    Meaning,
    in_yuan,
    known_headers,
    layout_of,
    meaning_of,
    misfit,
    own_meaning,
    source_columns,
)
from ingestion.sniffing.model import Column, Sample
from ingestion.sniffing.names import field_name, object_name, title_of
from ingestion.sniffing.types import NULL_TOKENS, STYLES, covered

PREVIEW_HEADINGS = ("来源列", "字段", "类型", "级别", "空值", "示例（已脱敏）", "说明")


class Proposal(Model):
    """A contract that is not written yet.

    Attributes:
        feed_id: ``<department>__<object>``.
        contract_yaml: the whole file.
        new_elements_yaml: its elements of its own, '' when every field has one of the house's.
        notes: what a person should look at, in Chinese.
        preview: one row a source column, see ``PREVIEW_HEADINGS``; examples are masked.
    """

    feed_id: str
    department: str
    object: str
    contract_yaml: str
    new_elements_yaml: str = ""
    notes: tuple[str, ...] = ()
    preview: tuple[tuple[str, ...], ...] = ()


class Draft:
    """A contract while its fields are being collected."""

    def __init__(self) -> None:
        self.fields: dict[str, dict[str, Any]] = {}
        self.elements: dict[str, Element] = {}
        self.ignore: list[str] = []
        self.notes: list[str] = []
        self.shown: dict[str, tuple[str, int, str]] = {}
        self.field_of: dict[str, str] = {}
        self.grades: list[int] = []
        self.load: dict[str, Any] = {}
        self.format: dict[str, Any] = {}

    def taken(self, catalog: Catalog) -> set[str]:
        return {*self.fields, *self.elements, *catalog.elements}


def propose(
    sample: Sample, *, department: str, catalog: Catalog, object: str | None = None, title: str | None = None
) -> Proposal:
    """A contract for deliveries like ``sample``.

    Args:
        sample: see ``ingestion.sniff.sniff``.
        department: id of the provider, see ``dictionary/departments.yaml``.
        object: name of the contract's file; by default made from the sample's file name.
        title: Chinese title; by default from the sample's file name.

    Raises:
        UnknownName: there is no such department.
        ContractError: ``object`` is not a lower-case identifier.
    """
    if department not in catalog.departments:
        raise UnknownName(
            f"there is no department {department!r}",
            hint=f"one of {', '.join(catalog.departments)}, or add it to dictionary/departments.yaml",
        )
    if object is not None and not NAME.match(object):
        raise ContractError(f"object name {object!r} is not a lower-case identifier", hint="use a-z, 0-9 and _")
    obj = object or _free_object(object_name(sample.file), department, catalog)
    draft = Draft()
    composed = _copy_layout(sample, catalog, draft) or compose(sample, catalog)
    _collect(sample, catalog, department, composed, draft)
    load = draft.load or _load(sample, draft, catalog)
    contract = _contract(sample, catalog, department, obj, title, draft, load, composed)
    text = _render(contract, sample)
    Feed.model_validate({"id": f"{department}__{obj}", "department": department, "object": obj, **yaml.safe_load(text)})
    return Proposal(
        feed_id=f"{department}__{obj}",
        department=department,
        object=obj,
        contract_yaml=text,
        new_elements_yaml="".join(f"{n}: {flow(element_dict(e))}\n" for n, e in draft.elements.items()),
        notes=(*sample.notes, *composed.notes, *draft.notes, *_crs_note(sample)),
        preview=tuple(_preview(c, draft) for c in sample.columns),
    )


def _crs_note(sample: Sample) -> tuple[str, ...]:
    crs = crs_of_name(sample.file) if sample.format == "vector" else ""
    return (f"文件名表明坐标系为 {crs}，已写入合同，请确认",) if crs else ()


def _free_object(name: str, department: str, catalog: Catalog) -> str:
    free, n = name, 1
    while f"{department}__{free}" in catalog.feeds:
        n += 1
        free = f"{name}_{n}"
    return free


def _copy_layout(sample: Sample, catalog: Catalog, draft: Draft) -> Composed | None:
    """Takes the fields of a feed with the same columns as they are; None when there is no such feed."""
    feed = layout_of(sample, catalog)
    if feed is None:
        return None
    by_key = {header_key(c.name): c for c in sample.columns}
    used: set[str] = set()
    sources = source_columns(feed)
    for name, spec in feed.fields.items():
        keys = [k for k, field in source_columns(feed.model_copy(update={"fields": {name: spec}})).items() if field]
        present = [by_key[k] for k in keys if k in by_key]
        if not present or (len(present) < len(keys) and not spec.from_):
            continue
        element = feed.elements.get(spec.element or name) or catalog.elements[spec.element or name]
        if spec.from_ and not (spec.parse or spec.multiply or spec.codes) and misfit(present[0], element, catalog):
            continue
        written = spec.model_dump(by_alias=True, exclude_defaults=True, mode="json")
        if spec.from_:
            written["from"] = present[0].name
            if (
                element.type in ("date", "timestamp")
                and present[0].formats
                and not covered(spec.formats, present[0].values)
            ):
                written["formats"] = [*spec.formats, *(f for f in present[0].formats if f not in spec.formats)]
        draft.fields[name] = written
        if (spec.element or name) in feed.elements:
            draft.elements[spec.element or name] = element
        draft.grades.append(spec.grade or element.grade)
        for column in present:
            used.add(column.name)
            draft.field_of.setdefault(column.name, name)
            draft.shown.setdefault(column.name, (element.type, spec.grade or element.grade, f"同 {feed.id}"))
    draft.ignore += [c.name for c in sample.columns if header_key(c.name) in {header_key(i) for i in feed.ignore}]
    if {*feed.load.key, *filter(None, [feed.load.newest_by])} <= set(draft.fields):
        draft.load = feed.load.model_dump(exclude_defaults=True, mode="json")
    draft.format = {
        k: v
        for k, v in feed.format.model_dump(exclude_defaults=True, mode="json").items()
        if k in ("null_values", "free_text", "unpivot", "crs", "footer")
    }
    draft.notes.append(f"列与已有合同 {feed.id} 相同（{len(sources)} 列），字段照其写法；若是同一资源，请直接用它装载")
    return Composed({}, {}, frozenset({*used, *draft.ignore}))


def _collect(sample: Sample, catalog: Catalog, department: str, composed: Composed, draft: Draft) -> None:
    """Gives every source column that is not composed a field, or a place under ``ignore``."""
    for name, spec in composed.fields.items():
        element = composed.elements.get(name) or catalog.elements[name]
        draft.fields[name] = spec
        draft.grades.append(element.grade)
        for source in filter(None, (spec.get("x"), spec.get("y"))):
            draft.shown[source] = ("geometry", element.grade, f"合成 {name}")
    draft.elements.update(composed.elements)
    for source in composed.used:
        draft.shown.setdefault(source, ("", 1, "合成"))
    known = known_headers(catalog, department)
    for column in sample.columns:
        if column.name in composed.used:
            continue
        if column.is_counter:
            draft.ignore.append(column.name)
            draft.shown[column.name] = ("", 1, "行的顺序号，不取（已有 _row_number）")
        elif sample.header_row > 0 and column.name == f"列{column.position}":
            draft.ignore.append(column.name)
            draft.notes.append(f"第 {column.position} 列没有名称，未取")
            draft.shown[column.name] = ("", 1, "无名列，不取")
        elif column.form == "money" and _is_capital(column, catalog, draft):
            _add_capital(column, draft)
        else:
            add_field(column, meaning_of(column, catalog, known), catalog, draft)


_CAPITAL = {
    "registered_capital_text": {},
    "registered_capital_10k": {"parse": "capital_amount_10k"},
    "registered_capital_currency": {"parse": "capital_currency"},
}


def _is_capital(column: Column, catalog: Catalog, draft: Draft) -> bool:
    named = "资金" in column.name or "资本" in column.name
    return named and set(_CAPITAL) <= set(catalog.elements) and not set(_CAPITAL) & set(draft.fields)


def _add_capital(column: Column, draft: Draft) -> None:
    """A registered capital in text forms: the text, the amount and the currency."""
    for name, parse in _CAPITAL.items():
        draft.fields[name] = {"from": column.name, **parse}
    draft.field_of[column.name] = "registered_capital_text"
    draft.shown[column.name] = ("string → decimal 万元 + 币种", 1, "带单位的金额，拆为原文、金额、币种")


def add_field(column: Column, meaning: Meaning, catalog: Catalog, draft: Draft) -> None:
    written: dict[str, Any] = {"from": column.name}
    if meaning.own is None and catalog.elements[meaning.element].pseudonym and meaning.element in draft.fields:
        meaning = own_meaning(column)  # one feed table has one column of each pseudonym
    element = meaning.own or catalog.elements[meaning.element]
    if meaning.own is None and meaning.element not in draft.fields:
        name = meaning.element
    else:
        kind = "code" if element.codes else element.type
        unit = column.unit or ("%" if column.form == "percent" else "")
        unit = "" if column.form == "money" and not in_yuan(column) else unit
        name = field_name(column.name, unit=unit, kind=kind, taken=draft.taken(catalog))
        if meaning.own:
            draft.elements[name] = meaning.own
        else:
            written["element"] = meaning.element
            written["label"] = column.name
    if (
        element.type in ("date", "timestamp")
        and column.formats
        and not all(f.startswith("%Y-%m-%d") for f in column.formats)
    ):
        written["formats"] = list(column.formats)
    parse = parse_of(column, element)
    if parse:
        written["parse"] = parse
    if meaning.codes:
        written["codes"] = meaning.codes
    typed_only = [t for t in column.null_tokens if t not in NULL_TOKENS]
    if typed_only:
        written["null_values"] = typed_only
    if meaning.grade > element.grade:
        written["grade"] = meaning.grade
    draft.fields[name] = written
    draft.field_of[column.name] = name
    draft.grades.append(max(meaning.grade, element.grade))
    draft.shown[column.name] = (_type_shown(element), max(meaning.grade, element.grade), meaning.reason)
    if meaning.reason.startswith("不是数据元"):
        draft.notes.append(f"{column.name}：{meaning.reason}")


def parse_of(column: Column, element: Element) -> str:
    """The parser that reads a column's text forms as its element; '' when none is needed."""
    if column.form in ("unit", "money") and element.type == "decimal":
        return f"unit:{column.unit}"
    if column.form == "percent" and element.type == "decimal":
        return "percent"
    if column.form in ("date_cn", "excel_date") and element.type in ("date", "timestamp"):
        return column.form
    if column.form == "year" and element.type == "integer":
        return "year"
    return "month" if column.form == "month" and element.pattern == MONTH_PATTERN else ""


def _type_shown(element: Element) -> str:
    if element.codes:
        return f"code {element.codes}"
    return element.type + (f" {element.unit}" if element.unit else "")


def _is_sealed(field: str, draft: Draft, catalog: Catalog) -> bool:
    """Whether a field stands in the vault only: no key, for the feed table has nothing in its place."""
    name = draft.fields[field].get("element", field)
    element = draft.elements.get(name) or catalog.elements[name]
    return element.identifier == "direct" and element.pseudonym is None


def _load(sample: Sample, draft: Draft, catalog: Catalog) -> dict[str, Any]:
    """Upsert or append by a sure key, snapshot without: a key is sure when its header says so and it is unique."""
    sealed = {name for name, field in draft.field_of.items() if _is_sealed(field, draft, catalog)}
    single = next((k[0] for k in sample.candidate_keys if len(k) == 1 and k[0] not in sealed), None)
    if single and single in draft.field_of and is_key_like(sample.column(single)) and sample.rows >= 10:
        key = draft.field_of[single]
        draft.fields[key]["required"] = True
        load: dict[str, Any] = {"mode": "upsert", "key": [key]}
        updated = update_column(sample)
        if updated is not None and updated.name in draft.field_of:
            load["newest_by"] = draft.field_of[updated.name]
        draft.notes.append(f"主键取 {single}（样本中唯一且无空值），按键更新")
        return load
    if sample.candidate_keys:
        shown = "、".join(" + ".join(k) for k in sample.candidate_keys[:3])
        draft.notes.append(f"没有可靠的主键，整表替换；样本中唯一的列：{shown}")
    else:
        draft.notes.append("没有唯一的列，整表替换")
    return {"mode": "snapshot"}


def _contract(
    sample: Sample,
    catalog: Catalog,
    department: str,
    obj: str,
    title: str | None,
    draft: Draft,
    load: dict[str, Any],
    composed: Composed,
) -> dict[str, Any]:
    grade = max(draft.grades, default=1)
    sharing: dict[str, Any] = {"sharing": "unconditional", "opening": "conditional"}
    if grade == 2:
        sharing = {"sharing": "conditional", "opening": "conditional", "sharing_condition": "脱敏后使用"}
    elif grade > 2:
        sharing = {"sharing": "conditional", "opening": "none", "sharing_condition": "按需申请，经提供部门审批"}
    rules: list[dict[str, Any]] = [
        {"rule": "max_quarantine_pct", "max_pct": _max_pct(sample, draft), "severity": "stop"}
    ]
    if load["mode"] == "snapshot":
        rules.append({"rule": "row_count_change", "max_drop_pct": 50, "severity": "stop"})
    suffix = PurePath(sample.file).suffix.lower()
    same = suffix == f".{sample.kind}" or (sample.packed and suffix in (".gz", ".zip", ".tar", ".tgz"))
    contract: dict[str, Any] = {
        "title": title or title_of(sample.file),
        "provider": department,
        "catalogue": {"code": _next_code(department, catalog), **sharing, "update": "irregular"},
        "source": {"connector": "files", "path": f"{department}/{obj}/*{suffix if same else ''}"},
        "format": {**_format(sample, composed), **draft.format},
        "load": load,
    }
    if draft.elements:
        contract["elements"] = {n: element_dict(e) for n, e in draft.elements.items()}
    contract["fields"] = draft.fields
    if draft.ignore:
        contract["ignore"] = list(dict.fromkeys(draft.ignore))
    contract["rules"] = rules
    return contract


def _format(sample: Sample, composed: Composed) -> dict[str, Any]:
    """The format section: only what differs from the defaults, for encoding and header are found anew each time."""
    out: dict[str, Any] = {"type": sample.format}
    if sample.format == "csv":
        if sample.encoding.startswith("utf-16") or sample.encoding in BIG5:
            out["encoding"] = sample.encoding
        if sample.delimiter != ",":
            out["delimiter"] = sample.delimiter
    if sample.format in ("csv", "excel") and not sample.header_row:
        out["header_row"] = 0
    if sample.sheet:
        out["sheet"] = sample.sheet
    named = crs_of_name(sample.file) if sample.format == "vector" else ""
    if named or (sample.format == "vector" and not sample.crs):
        out["crs"] = named or "EPSG:4490"
    if sample.records:
        out["records"] = sample.records
    if sample.footer:
        out["footer"] = sample.footer
    out |= sample.options
    if len(sample.columns) + sample.junk_columns > Format.model_fields["max_columns"].default:
        out["max_columns"] = len(sample.columns) + sample.junk_columns
    if composed.unpivot:
        out["unpivot"] = composed.unpivot
    tokens = sorted({t for c in sample.columns for t in c.null_tokens} & NULL_TOKENS)
    if tokens:
        out["null_values"] = ["", *tokens]
    if sample.free_text:
        out["free_text"] = sample.free_text
    return out


_CRS_WORDS = {"gcj": "GCJ02", "amap": "GCJ02", "高德": "GCJ02", "火星": "GCJ02", "datav": "GCJ02", "bd09": "BD09",
              "百度": "BD09"}  # fmt: skip


def crs_of_name(file: str) -> str:
    """The coordinate system that a map's file name tells, where its content cannot: GeoJSON has no word for GCJ-02."""
    return next((crs for word, crs in _CRS_WORDS.items() if word in file.lower()), "")


def _max_pct(sample: Sample, draft: Draft) -> int:
    """Twice the share of rows the sample itself would lose, 30 at least, 90 at most."""
    if not sample.rows:
        return 30
    bad = sample.ragged
    for column in sample.columns:
        element = draft.fields.get(draft.field_of.get(column.name, ""), {}).get(
            "element", draft.field_of.get(column.name)
        )
        faulty = round(column.filled * (1 - column.share))
        if element == "uscc":
            faulty += sum(n for v, n in column.values.items() if "E+" in v.upper())
        bad += faulty
    return min(90, max(30, round(200 * bad / sample.rows)))


def _next_code(department: str, catalog: Catalog) -> str:
    """The next free number in the class the department's resources stand in."""
    codes = [f.catalogue.code for f in catalog.feeds.values()]
    own = sorted(f.catalogue.code for f in catalog.feeds.values() if f.provider == department)
    prefix = own[0].rpartition("-")[0] if own else f"3/{list(catalog.departments).index(department) + 1:02d}"
    numbers = [int(c.rpartition("-")[2]) for c in codes if c.rpartition("-")[0] == prefix]
    return f"{prefix}-{max(numbers, default=0) + 1:04d}"


def element_dict(element: Element) -> dict[str, Any]:
    out = element.model_dump(exclude_defaults=True, mode="json")
    if element.type != "decimal":
        out = {k: v for k, v in out.items() if k not in ("precision", "scale")}
    return {"label": element.label, **out, "grade": element.grade}


def _render(contract: Mapping[str, Any], sample: Sample) -> str:
    """The contract as a person would write it: one line a field."""
    where = f"第 {sample.header_row} 行表头，" if sample.header_row else ""
    size = f"{sample.rows} 行 {len(sample.columns)} 列"
    found = "，".join(filter(None, (sample.kind, sample.encoding, where + size)))
    lines = [f"# 由样本“{_comment(sample.file)}”生成：{found}。请核对含义、级别与共享属性。"]
    for key, value in contract.items():
        if key in ("fields", "elements"):
            lines.append(f"{key}:")
            lines += [f"  {flow(name)}: {flow(spec)}" for name, spec in value.items()]
        elif key == "rules":
            lines.append("rules:")
            lines += [f"  - {flow(rule)}" for rule in value]
        else:
            lines.append(f"{key}: {flow(value)}")
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    return "".join(c for c in text if c.isprintable())


def _preview(column: Column, draft: Draft) -> tuple[str, ...]:
    kind, grade, reason = draft.shown.get(column.name, ("", 1, ""))
    field = draft.field_of.get(column.name, "—")
    style = f" {column.formats[0]}" if column.formats and column.formats[0] in STYLES else ""
    nulls = f"{column.empty}" + (f"（{' '.join(column.null_tokens)}）" if column.null_tokens else "")
    return (column.name, field, kind + style, str(grade), nulls, " | ".join(column.examples), reason)

"""Sniffs a sample file: kind, encoding, header, column types, keys and sensitive content.

``sniff(path)`` reads the file and believes nothing but its bytes; ``ingestion.new_feed.propose``
turns what it found into a contract.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from pathlib import Path
from typing import cast

from catalog.registry import Catalog
from ingestion.detect import FORMAT_OF, Kind, detect_kind, header_key
from ingestion.sniffing.graded import graded
from ingestion.sniffing.meaning import known_headers, meaning_of
from ingestion.sniffing.model import Column, Finding, Sample
from ingestion.sniffing.records import read_raw
from ingestion.sniffing.rows import Raw
from ingestion.sniffing.sensitive import mask_text, scan
from ingestion.sniffing.types import IDENTIFIER, infer, strip_nulls, unit_of, valid_in

MAX_ROWS = 200_000
_MAX_KEY_LENGTH = 100
_SHORT = 4
"""Longest value of a column in which nobody writes a delimiter."""
_UPDATED = re.compile(r"更新时间|更新日期|修改时间|updated_at|update_time|modified")
_COUNTER = re.compile(r"^(序号|no\.?|index|rownum|行号)$")


def sniff(path: Path, *, catalog: Catalog | None = None, max_rows: int = MAX_ROWS) -> Sample:
    """What the file at ``path`` is and holds.

    Args:
        path: a delivered file; its name and extension are not believed.
        catalog: when given, columns also carry the data element, code list and grade they are taken for.
        max_rows: records read at most; types, keys and lengths are judged on these.

    Raises:
        InputError: the file is empty, broken, or of a kind without a reader.
    """
    path = Path(path)
    kind = detect_kind(path)
    raw = read_raw(path, kind, max_rows)
    packed, kind = (kind, cast(Kind, raw.kind)) if raw.kind else ("", kind)
    columns = tuple(_column(name, i, raw) for i, name in enumerate(raw.names))
    found = graded(columns, raw.records)
    columns = tuple(
        c.model_copy(update={"content": found[c.name].kind, "content_grade": found[c.name].grade})
        if c.name in found
        else c
        for c in columns
    )
    if raw.geometry:
        columns = tuple(c.model_copy(update={"is_counter": True}) if _is_made(c) else c for c in columns)
        filled = raw.rows
        columns += (
            Column(name="geometry", position=len(columns) + 1, type="geometry", filled=filled, distinct=filled),
        )
    free_text = _free_text(raw, columns)
    if catalog is not None:
        columns = tuple(_understood(c, catalog, known) for known in [known_headers(catalog)] for c in columns)
    return Sample(
        file=path.name,
        kind=kind,
        packed=packed,
        format=raw.format or FORMAT_OF[kind],
        options=dict(raw.options),
        size=path.stat().st_size,
        encoding=raw.encoding,
        delimiter=raw.delimiter,
        sheet=raw.sheet,
        records=raw.records_path,
        crs=raw.crs,
        header_row=raw.header_row,
        rows=raw.rows,
        complete=raw.complete,
        blank_rows=raw.blank_rows,
        ragged=len(raw.ragged) + raw.short,
        free_text=free_text,
        junk_columns=raw.junk_columns,
        footer=raw.footer,
        footer_rows=raw.footer_rows,
        columns=columns,
        candidate_keys=_keys(columns, raw.records),
        notes=_notes(raw, "" if packed else kind, path, columns),
    )


def _column(name: str, at: int, raw: Raw) -> Column:
    cells = [row[at].strip() for row in raw.records]
    values = Counter(c for c in cells if c)
    filled, nulls = strip_nulls(values)
    typed = infer(name, filled)
    total = sum(filled.values())
    return Column(
        name=name,
        position=at + 1,
        type=typed.type,
        share=round(typed.share, 4),
        formats=typed.formats,
        form=typed.form,
        unit=typed.unit or unit_of(name)[1],
        decimals=typed.decimals,
        digits=typed.digits,
        filled=total,
        empty=len(cells) - total,
        distinct=len(filled),
        unique=total == len(cells) == len(filled) and total > 1,
        is_counter=_is_counter(name, cells),
        max_length=max(map(len, filled), default=0),
        null_tokens=tuple(sorted(nulls)),
        findings=scan(name, filled) if typed.type in ("string", "integer") else (),
        examples=tuple(mask_text(v, name) for v in _spread(list(filled), 3)),
        note=typed.note,
        values=dict(filled),
    )


def _is_made(column: Column) -> bool:
    """A number that the software of a map gave its features: it is another in every export."""
    if column.name.lower() == "gml_id":
        return True
    numbers = [int(v) for v in column.values if v.isdigit() and len(v) < 10]
    running = len(numbers) == column.distinct and column.unique and max(numbers) - min(numbers) == len(numbers) - 1
    return column.name.lower() in ("id", "fid", "objectid") and running and min(numbers) in (0, 1)


def _understood(column: Column, catalog: Catalog, known: Mapping[str, Mapping[str, bool]]) -> Column:
    meaning = meaning_of(column, catalog, known)
    element = meaning.own or catalog.elements[meaning.element]
    said = {"element": meaning.element, "code_list": element.codes or "", "grade": max(meaning.grade, element.grade)}
    return column.model_copy(update=said)


def _spread(values: list[str], n: int) -> list[str]:
    return values[:: max(1, len(values) // n)][:n]


def _is_counter(name: str, cells: Sequence[str]) -> bool:
    """A running number 1, 2, 3 … below a header that says so: it is the row's place, not its name."""
    if not _COUNTER.match(header_key(name)):
        return False
    numbers = [int(c) for c in cells if c.isdigit() and len(c) < 10]
    if len(numbers) < 2 or len(numbers) < 0.9 * len([c for c in cells if c]):
        return False
    steps = sum(b - a == 1 for a, b in pairwise(numbers))
    return numbers[0] in (0, 1) and steps >= 0.9 * (len(numbers) - 1)


def _keys(columns: Sequence[Column], records: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Unique single columns that may name a record, best first; pairs when there is none."""
    usable = [
        c
        for c in columns
        if c.type in ("string", "integer", "date", "timestamp")
        and not c.is_counter
        and c.empty == 0
        and 0 < c.max_length <= _MAX_KEY_LENGTH
        and not any("**" in e for e in c.values)
    ]
    if len(records) < 2:
        return ()
    singles = [c for c in usable if c.unique and c.type in ("string", "integer")]
    if singles:
        return tuple((c.name,) for c in sorted(singles, key=_key_rank))
    likely = sorted((c for c in usable if c.distinct > 1), key=_key_rank)[:8]
    pairs = []
    for a, b in combinations(likely, 2):
        if a.distinct * b.distinct < len(records):
            continue
        seen = {(row[a.position - 1].strip(), row[b.position - 1].strip()) for row in records}
        if len(seen) == len(records):
            pairs.append((a.name, b.name))
    return tuple(pairs[:5])


def is_key_like(column: Column) -> bool:
    """A header that says the column names its record: 编号, 主键, 文号, 统一社会信用代码, id …"""
    named = IDENTIFIER.search(header_key(column.name)) or re.search(r"[a-z](?:I[dD]|No|Code)$", column.name)
    return named is not None and not re.search(r"电话|手机|传真|邮编|phone|tel", header_key(column.name))


def _key_rank(column: Column) -> tuple[bool, bool, int, int]:
    return (not is_key_like(column), column.type not in ("string", "integer"), -column.distinct, column.position)


def update_column(sample: Sample) -> Column | None:
    """The column that says when the source last changed a record, if there is one."""
    for column in sample.columns:
        if column.type in ("date", "timestamp") and _UPDATED.search(header_key(column.name)) and column.empty == 0:
            return column
    return None


def _free_text(raw: Raw, columns: Sequence[Column]) -> str:
    """The column which, given the surplus cells of ragged records, leaves the others well-typed."""
    texts = [c for c in columns if c.type == "string" and c.max_length > _SHORT]
    if not raw.ragged or not texts:
        return ""
    checks = [c for c in columns if c.type not in ("string", "geometry")]
    best, best_score = "", 0
    for column in sorted(texts, key=lambda c: -c.max_length):
        at = column.position - 1
        score = 0
        for row in raw.ragged[:500]:
            extra = len(row) - len(columns)
            joined = [*row[:at], "，".join(row[at : at + extra + 1]), *row[at + extra + 1 :]]
            score += all(_fits(c, joined[c.position - 1].strip()) for c in checks)
        if score > best_score:
            best, best_score = column.name, score
    return best if best_score * 2 >= min(len(raw.ragged), 500) and checks else ""


def _fits(column: Column, value: str) -> bool:
    if not value or value in column.null_tokens:
        return True
    if column.formats:
        return any(valid_in(f, value) for f in column.formats)
    return re.fullmatch(r"[-+]?[\d,.]+[%％]?", value) is not None


def _notes(raw: Raw, kind: str, path: Path, columns: Sequence[Column]) -> tuple[str, ...]:
    out = list(raw.notes)
    suffix = path.suffix.lower().lstrip(".")
    if kind in ("xlsx", "xls") and suffix != kind:
        out.append(f"文件名为 .{suffix}，内容是 {kind.upper()} 工作簿")
    if kind == "html":
        out.append(f"文件名为 .{suffix}，内容是网页中的表格")
    if kind == "excel-xml":
        out.append(f"文件名为 .{suffix}，内容是 Excel 2003 的 XML 工作簿")
    if raw.header_row > 1:
        out.append(f"表头在第 {raw.header_row} 行，其上 {raw.header_row - 1} 行是标题、落款或空行")
    if not raw.header_row and kind in ("csv", "xlsx", "xls", "excel-xml") and not raw.format:
        out.append("没有找到表头，列名为 列1、列2……，请补上含义")
    if raw.junk_columns:
        out.append(f"右侧 {raw.junk_columns} 个无名空列已忽略")
    if raw.ragged:
        out.append(f"{len(raw.ragged)} 行的单元格多于表头（多半是未加引号的分隔符）")
    if raw.short:
        out.append(f"{raw.short} 行的单元格少于表头")
    if raw.footer_rows:
        out.append(f"末尾 {raw.footer_rows} 行是合计、注或来源说明")
    if raw.blank_rows:
        out.append(f"{raw.blank_rows} 行空行")
    for column in columns:
        out.extend(f"{column.name}：{note}" for note in (column.note, _finding_note(column)) if note)
    if raw.geometry and not raw.crs:
        out.append("地图文件没有写坐标系，暂按国家大地坐标 EPSG:4490，请向提供部门确认")
    if not raw.complete:
        out.append(f"只看了前 {raw.rows} 行")
    return tuple(out)


_KINDS = {
    "resident_id": "公民身份号码",
    "resident_id_masked": "已遮蔽的证件号码",
    "phone": "电话号码",
    "bank_card": "银行卡号",
}


def _finding_note(column: Column) -> str:
    found: list[Finding] = [f for f in column.findings if f.kind in _KINDS]
    return "含" + "、".join(f"{_KINDS[f.kind]} {f.hits} 处" for f in found) if found else ""

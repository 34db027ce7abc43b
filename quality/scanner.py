"""Finds personal and identifying content in columns by their values; names of columns only break ties.

Resident IDs stand in credit-code and tax-number columns of real open data, also inside longer tokens, while permit
numbers (area, date, serial number) look like IDs and one in eleven even passes the check. What tells them apart is the
company they keep: among real IDs nearly all pass, among permits of one area one in eleven does.
"""

# ruff: noqa: S608 - every name is quoted, every constant is of this file
from __future__ import annotations

import re
import secrets
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from quality.identifiers import (
    is_bank_card_sql,
    is_org_code_sql,
    is_registration_number_sql,
    is_resident_id_sql,
    is_uscc_sql,
    resident_id_format_sql,
    uscc_format_sql,
)
from quality.identifiers.contact import PLATE
from quality.masks import get_mask
from quality.sql import literal, quote

if TYPE_CHECKING:
    import duckdb

Kind = Literal[
    "resident_id",
    "resident_id_15",
    "mobile",
    "fixed_phone",
    "bank_card",
    "uscc",
    "plate",
    "person_name",
    "address",
    "coordinate",
]
GRADES: dict[Kind, int] = {
    "resident_id": 3,
    "resident_id_15": 3,
    "mobile": 3,
    "fixed_phone": 1,
    "bank_card": 3,
    "uscc": 1,
    "plate": 2,
    "person_name": 3,
    "address": 1,
    "coordinate": 1,
}
"""Grade of a column with such content (working defaults, docs/grading.md)."""

HEADER_ID = re.compile(r"身份|证件号|公民|identity|resident_id|id_?card|id_document", re.I)
HEADER_PERSON = re.compile(
    r"姓名|联系人|负责人|经办人|来电人|申请人|当事人|户主|监护人|person_name|caller_name|contact_name", re.I
)
HEADER_REPRESENTATIVE = re.compile(r"法人代表|法定代表人|法人姓名|legal_representative", re.I)
HEADER_PHONE = re.compile(r"电话|手机|联系方式|号码|传真|phone|mobile|tel", re.I)
HEADER_CARD = re.compile(r"卡号|账号|帐号|银行|card|account", re.I)
HEADER_ADDRESS = re.compile(r"地址|住址|住所|住处|坐落|address", re.I)
HEADER_HOME = re.compile(r"住址|户籍|居住|家庭|residence|registered_address|home", re.I)
HEADER_COORDINATE = re.compile(r"经度|纬度|坐标|^(?:lon|lng|lat|x|y)$|longitude|latitude", re.I)

_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高梁郑罗宋谢唐韩曹许邓萧冯曾程蔡彭潘袁于董余苏叶吕魏蒋田杜丁沈姜范江傅钟卢汪"
    "戴崔任陆廖姚方金邱夏谭韦贾邹石熊孟秦阎薛侯雷白龙段郝孔邵史毛常万顾赖武康贺严尹钱施牛洪龚汤陶黎温莫易樊乔文安殷颜"
    "庄章鲁倪庞邢俞翟蓝聂齐向申葛柴伍覃骆关焦柳欧祝纪尚毕耿芦左季管符辛苗詹曲靳祁路涂兰甘裴梅童翁霍游阮尤岳柯牟滕谷舒"
    "卜成饶宁凌盛查单冉鲍华包屈房喻解蒲卫简时连车项闵邬吉党阳司费蒙席晏隋古强穆姬宫景米麦谈柏瞿艾沙鄢桂窦郁缪畅巩卓褚"
    "栾戚全娄甄郎池丛边岑农苟迟保商臧佘卞虞刁冷应匡栗仇练楚揭师官佟封燕桑巫敖原植邝仲荆储宗楼干苑寇盖南屠鞠荣井乐银奚"
    "明麻雍花闻冼木郜廉衣蔺和冀占公门帅利满"
)
_NAME = (
    f"[{_SURNAMES}][\\x{{4e00}}-\\x{{9fa5}}]{{1,2}}|[\\x{{4e00}}-\\x{{9fa5}}]{{2,4}}·[\\x{{4e00}}-\\x{{9fa5}}]{{2,6}}"
)
_DOUBLE = "(?:欧阳|司马|上官|诸葛|夏侯|皇甫|尉迟|公孙|慕容|司徒|令狐|宇文|长孙)[\\x{4e00}-\\x{9fa5}]{1,2}"
_ADDRESS = (
    r"(?:路|街|胡同|巷|里|条|区|园|村|庄|苑|寺|桥|门)[^,，;；]{0,12}"
    r"[0-9０-９一二三四五六七八九十甲乙丙丁]+[-－0-9]*(?:号|楼|栋|幢|院|单元|室)"
)
_COORDINATE = (
    r"\s*(?:1[01][0-9]|7[3-9]|[89][0-9]|1[23][0-9])\.[0-9]{3,}\s*[,，]"
    r"\s*(?:[1-4][0-9]|5[0-3])\.[0-9]{3,}\s*"
)
_FIXED = r"(?:^|[^0-9])[(（]?0(?:10|2[0-9]|[3-9][0-9]{2})[)）]?[-— ]?[2-8][0-9]{6,7}(?:[^0-9]|$)"
_WIDE_FROM, _WIDE_TO = "０１２３４５６７８９Ｘｘ－", "0123456789XX-"
_DIGITS = r"[0-9]{11}|[0-9]{6}[ -][0-9]{8}|1[3-9][0-9][ -][0-9]{4}|[0-9A-Z]{18}"
_TOKENS = r"[0-9]{6}[ -][0-9]{8}[ -][0-9]{3}[0-9Xx]|1[3-9][0-9][ -][0-9]{4}[ -][0-9]{4}|[0-9A-Za-z]{11,}"
_CARD_PREFIX = r"(?:62|4|5[1-5])[0-9]*"
_RECENT_BIRTH = 2008
"""From this year on a date inside a number is more often a permit's than a birth."""
_SHARE = 0.5
_FEW = 3


@dataclass(frozen=True)
class ColumnFinding:
    """One kind of content in one column.

    Attributes:
        hits: cells that hold it.
        share: of the cells with a value, 0 to 1.
        grade: of the column because of it.
        examples_masked: up to three, so masked that they name nobody.
    """

    column: str
    kind: Kind
    hits: int
    share: float
    grade: int
    examples_masked: tuple[str, ...] = ()


def scan_table(con: duckdb.DuckDBPyConnection, relation: str) -> list[ColumnFinding]:
    """What the columns of a table or view hold.

    Args:
        relation: name of a table or view, ``schema.table`` allowed. A view is read once.

    Returns:
        Findings in column order, the gravest first within a column. Dates, instants, truth values and blobs are not
        looked at; numbers are, as text.
    """
    name = ".".join(quote(part) for part in relation.split("."))
    described = con.execute(f"DESCRIBE SELECT * FROM {name}").fetchall()
    columns = [c for c, kind, *_ in described if _readable(kind)]
    if not columns:
        return []
    copy = quote(f"_scan_{secrets.token_hex(4)}")
    texts = ", ".join(f"CAST({quote(c)} AS VARCHAR) AS {quote(c)}" for c in columns)
    con.execute(f"CREATE TEMP TABLE {copy} AS SELECT {texts} FROM {name}")
    try:
        counts = _count(con, copy, columns)
        out: list[ColumnFinding] = []
        for column in columns:
            found = _column(con, copy, column, counts[column])
            out.extend(sorted(found, key=lambda f: (-f.grade, -f.hits)))
        return out
    finally:
        con.execute(f"DROP TABLE {copy}")


def _readable(kind: str) -> bool:
    return kind == "VARCHAR" or kind.startswith(("DECIMAL", "DOUBLE", "BIGINT", "INTEGER", "HUGEINT", "UBIGINT"))


def _count(con: duckdb.DuckDBPyConnection, table: str, columns: list[str]) -> dict[str, dict[str, int]]:
    """One pass over all columns: values, and values of every shape a regular expression can tell."""
    shapes = {
        "digits": lambda v: f"regexp_matches({v}, '{_DIGITS}|[０-９]{{11}}')",
        "plate": lambda v: f"regexp_matches({v}, '{PLATE}')",
        "fixed": lambda v: f"regexp_matches({v}, '{_FIXED}')",
        "address": lambda v: f"regexp_matches({v}, '{_ADDRESS}')",
        "pair": lambda v: f"regexp_full_match({v}, '{_COORDINATE}')",
    }
    selected = []
    for column in columns:
        v = quote(column)
        selected.append(f"count(nullif(trim({v}), ''))")
        selected += [f"count_if({shape(v)})" for shape in shapes.values()]
        person = HEADER_PERSON.search(column) or HEADER_REPRESENTATIVE.search(column)
        selected.append(f"count_if(regexp_full_match(trim({v}), '{_NAME}|{_DOUBLE}'))" if person else "0")
        selected.append(
            f"count_if(try_cast({v} AS DOUBLE) BETWEEN 3 AND 136 AND regexp_matches({v}, '[.][0-9]{{3}}'))"
            if HEADER_COORDINATE.search(column)
            else "0"
        )
    row = con.execute(f"SELECT {', '.join(selected)} FROM {table}").fetchone() or ()
    names = ["values", *shapes, "name", "degree"]
    return {
        column: {n: int(v or 0) for n, v in zip(names, row[i * len(names) : (i + 1) * len(names)], strict=True)}
        for i, column in enumerate(columns)
    }


def _column(con: duckdb.DuckDBPyConnection, table: str, column: str, counts: dict[str, int]) -> list[ColumnFinding]:
    values = counts["values"]
    if not values:
        return []

    def finding(kind: Kind, hits: int, examples: Iterable[str] = (), grade: int | None = None) -> ColumnFinding:
        return ColumnFinding(column, kind, hits, hits / values, grade or GRADES[kind], tuple(examples))

    out = []
    if counts["digits"]:
        out += [finding(k, hits, shown) for k, (hits, shown) in _tokens(con, table, column).items()]
    if counts["plate"] and (counts["plate"] >= _FEW or counts["plate"] / values >= _SHARE):
        out.append(finding("plate", counts["plate"]))
    if counts["fixed"] and (HEADER_PHONE.search(column) or counts["fixed"] / values >= 0.02):
        out.append(finding("fixed_phone", counts["fixed"]))
    if counts["name"] / values >= _SHARE:
        representative = HEADER_REPRESENTATIVE.search(column)
        shown = [get_mask("partial_name").apply(v) for v in _examples(con, table, column, f"{_NAME}|{_DOUBLE}")]
        out.append(finding("person_name", counts["name"], map(str, shown), 2 if representative else None))
    share = counts["address"] / values
    if share >= (0.2 if HEADER_ADDRESS.search(column) else _SHARE):
        out.append(finding("address", counts["address"], (), 3 if HEADER_HOME.search(column) else None))
    if counts["pair"] / values >= _SHARE or counts["degree"] / values >= _SHARE:
        out.append(finding("coordinate", max(counts["pair"], counts["degree"])))
    return out


def _examples(con: duckdb.DuckDBPyConnection, table: str, column: str, form: str) -> list[str]:
    v = quote(column)
    rows = con.execute(f"SELECT trim({v}) FROM {table} WHERE regexp_full_match(trim({v}), '{form}') LIMIT 3").fetchall()
    return [row[0] for row in rows]


def _tokens(con: duckdb.DuckDBPyConnection, table: str, column: str) -> dict[Kind, tuple[int, list[str]]]:
    """Numbers inside the cells of one column: kind to cells and masked examples."""
    v = quote(column)
    plain = f"CASE WHEN regexp_matches({v}, '[０-９]') THEN translate({v}, '{_WIDE_FROM}', '{_WIDE_TO}') ELSE {v} END"
    seen = quote(f"_tokens_{secrets.token_hex(4)}")
    con.execute(
        f"""CREATE TEMP TABLE {seen} AS
        WITH cells AS (SELECT rowid AS cell, {plain} AS v FROM {table}
                       WHERE regexp_matches({v}, '{_DIGITS}|[０-９]{{11}}')),
        found AS (SELECT cell, unnest(regexp_extract_all(v, '{_TOKENS}')) AS t FROM cells),
        split AS (SELECT cell, upper(replace(replace(t, ' ', ''), '-', '')) AS t FROM found),
        body AS (SELECT cell, t, regexp_extract(t, '^[A-Z]{{0,4}}([0-9]{{15,17}}.*)$', 1) AS b FROM split)
        SELECT cell, t, left(b, 18) AS id,
            regexp_full_match(b, '[0-9]{{17}}[0-9X].{{0,2}}')::INT
                * {resident_id_format_sql("left(b, 18)", allow_15=False)}::INT AS id_form,
            {is_resident_id_sql("left(b, 18)", allow_15=False)}::INT AS id_valid,
            {is_uscc_sql("t")}::INT AS uscc, {uscc_format_sql("t")}::INT AS uscc_form,
            regexp_full_match(t, '[0-9]{{11}}')::INT AS eleven,
            regexp_full_match(t, '(?:86)?1[3-9][0-9]{{9}}')::INT AS mobile,
            regexp_full_match(t, '[0-9]{{16,19}}')::INT * regexp_full_match(t, '{_CARD_PREFIX}')::INT AS card_form,
            {is_bank_card_sql("t")}::INT AS card,
            regexp_full_match(t, '[0-9]{{15}}')::INT * {is_resident_id_sql("t")}::INT
                * (1 - {is_org_code_sql("substr(t, 7)")}::INT) * (1 - {is_registration_number_sql("t")}::INT) AS old_id,
            regexp_full_match(t, '[0-9]{{15}}')::INT * (1 - {is_org_code_sql("substr(t, 7)")}::INT)
                * (1 - {is_registration_number_sql("t")}::INT) AS old_form
        FROM body"""
    )
    try:
        out: dict[Kind, tuple[int, list[str]]] = {}
        _resident_ids(con, seen, column, out)
        _mobiles(con, seen, column, out)
        _cards(con, seen, column, out)
        _codes(con, seen, out)
        return out
    finally:
        con.execute(f"DROP TABLE {seen}")


def _one(con: duckdb.DuckDBPyConnection, statement: str) -> tuple[Any, ...]:
    return con.execute(statement).fetchone() or ()


def _codes(con: duckdb.DuckDBPyConnection, seen: str, out: dict[Kind, tuple[int, list[str]]]) -> None:
    """Credit codes by authority and class: one in 31 of any 18 digits passes, of codes nearly all do."""
    groups = con.execute(
        f"""SELECT left(t, 2), count(*), sum(uscc), count(DISTINCT cell) FILTER (WHERE uscc = 1)
        FROM {seen} WHERE uscc_form = 1 AND id_valid = 0 GROUP BY ALL"""
    ).fetchall()
    hits = sum(cells for _, form, valid, cells in groups if valid / form >= _SHARE)
    if hits:
        out["uscc"] = (int(hits), [])


def _resident_ids(
    con: duckdb.DuckDBPyConnection, seen: str, column: str, out: dict[Kind, tuple[int, list[str]]]
) -> None:
    """18 characters by group: area of registration, and whether the date is recent."""
    recent = f"(substr(id, 7, 4)::INT >= {_RECENT_BIRTH})"
    groups = con.execute(
        f"""SELECT left(id, 6), {recent}, count(*), sum(id_valid)
        FROM {seen} WHERE id_form = 1 AND uscc * (1 - id_valid) = 0 GROUP BY ALL"""
    ).fetchall()
    accepted = _accepted(groups, expected=HEADER_ID.search(column) is not None)
    if accepted:
        pairs = ", ".join(f"({literal(area)}, {str(bool(late)).lower()})" for area, late in sorted(accepted))
        where = f"id_form = 1 AND id_valid = 1 AND (left(id, 6), {recent}) IN ({pairs})"
        (hits,) = _one(con, f"SELECT count(DISTINCT cell) FROM {seen} WHERE {where}")
        rows = con.execute(f"SELECT DISTINCT id FROM {seen} WHERE {where} ORDER BY id LIMIT 3").fetchall()
        mask = get_mask("partial_id")
        if hits:
            out["resident_id"] = (int(hits), [str(mask.apply(r[0], {"area_only": True})) for r in rows])
    hits, forms = _one(con, f"SELECT count(DISTINCT cell) FILTER (WHERE old_id = 1), sum(old_form) FROM {seen}")
    # without a check character only shape speaks: three in a hundred random numbers have it, so company is asked for
    company = "resident_id" in out or HEADER_ID.search(column) or hits >= _FEW
    if hits and company and hits / forms >= 0.1:
        out["resident_id_15"] = (int(hits), [])


def _accepted(groups: list[tuple[str, bool, int, int]], *, expected: bool) -> set[tuple[str, bool]]:
    """The groups whose numbers are IDs: most of those with the right form also pass the check.

    Small groups are judged together. One recent number alone is believed only where IDs are expected or found.
    """
    out: set[tuple[str, bool]] = set()
    small: dict[bool, list[tuple[str, int, int]]] = defaultdict(list)
    for area, late, form, valid in groups:
        if form < _FEW:
            small[late].append((area, form, valid))
        elif valid / form >= _SHARE:
            out.add((area, late))
    for late, members in sorted(small.items()):
        form, valid = sum(m[1] for m in members), sum(m[2] for m in members)
        alone = form < 2 and not out
        if valid / form >= _SHARE and (expected or not late or form >= _FEW or (valid == form and not alone)):
            out |= {(area, late) for area, _, _ in members}
    return out


def _mobiles(con: duckdb.DuckDBPyConnection, seen: str, column: str, out: dict[Kind, tuple[int, list[str]]]) -> None:
    """Eleven digits are telephones when most of the column's eleven-digit numbers could be."""
    where = "mobile = 1"
    hits, mobiles, others = _one(
        con,
        f"""SELECT count(DISTINCT cell) FILTER (WHERE {where}), sum(mobile), sum(eleven * (1 - mobile)) FROM {seen}""",
    )
    if hits and (HEADER_PHONE.search(column) or mobiles / (mobiles + others) >= _SHARE):
        rows = con.execute(f"SELECT DISTINCT right(t, 11) FROM {seen} WHERE {where} ORDER BY 1 LIMIT 3").fetchall()
        out["mobile"] = (int(hits), [str(get_mask("partial_phone").apply(r[0])) for r in rows])


def _cards(con: duckdb.DuckDBPyConnection, seen: str, column: str, out: dict[Kind, tuple[int, list[str]]]) -> None:
    """16 to 19 digits with an issuer's prefix: among cards all pass the Luhn check, among others one in ten."""
    form = "card_form = 1 AND id_valid = 0 AND uscc = 0"
    hits, forms, union = _one(
        con,
        f"""SELECT count(DISTINCT cell) FILTER (WHERE {form} AND card = 1), count(*) FILTER (WHERE {form}),
            count(*) FILTER (WHERE {form} AND card = 1 AND starts_with(t, '62')) FROM {seen}""",
    )
    likely = HEADER_CARD.search(column) or union or hits >= _FEW
    if hits and hits / forms >= _SHARE and likely:
        out["bank_card"] = (int(hits), [])

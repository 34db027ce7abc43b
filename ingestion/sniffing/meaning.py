"""What a column means: a data element of the house when header and content agree, else its own.

Headers alone are not believed: a credit-code column of 9.11E+17s, a name column of masked names or
a fine in yuan below the label of a fine in 10,000 yuan each get what their values are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from pydantic import Field

from catalog.model import Element, Feed, Grade, Model
from catalog.registry import Catalog
from ingestion.detect import header_key
from ingestion.sniffing.model import Column, Sample
from ingestion.sniffing.sensitive import HOME_HEADER, PERSON_HEADER, PHONE_HEADER
from ingestion.sniffing.types import unit_of
from quality.identifiers import is_phone, is_resident_id, is_uscc
from quality.scanner_kinds import KIND_LABELS, Kind
from quality.simplified import simplified

FITS = 0.9
"""Share of filled values that must satisfy an element before its rules may judge the column."""
_GENERIC = frozenset(
    (
        "name",
        "time",
        "value",
        "code",
        "type",
        "station",
        "lon",
        "lat",
        "geometry",
        "no",
        "seq",
        "id",
        "year",
        "source",
        "parent",
        "school",
        "revision",
        "series",
        "lines",
        "device",
        "updated",
    )
) | {"单位", "指标", "地区", "标题", "街道", "社区", "编号", "名称"}
"""Headers that mean something else in every file; only a whole known layout gives them meaning."""
_SYNONYMS = {
    "resident_id": "身份证号码 公民身份号码 身份证 居民身份证号 身份证件号码",
    "uscc": "社会信用代码 信用代码 统一信用代码 统一社会信用代码证号 企业统一社会信用代码 单位统一社会信用代码",
    "entity_name": "企业名称 单位名称 公司名称 机构名称 纳税人名称 企业(单位)名称 法人名称 市场主体名称",
    "legal_representative": "法人 法人姓名 法定代表人姓名 法定代表人(负责人)",
    "entity_address": "注册地址 经营地址 经营场所 企业地址 单位地址 住所 经营地点",
    "phone": "手机号 手机号码 联系方式 联系人电话 电话 电话号码",
    "decision_number": "处罚决定文书号 行政处罚文号 处罚决定书文号 处罚文号",
    "party_name": "行政相对人 当事人 当事人名称 被处罚人",
    "authority_name": "处罚机构 处罚单位 作出处罚决定的机关",
    "decision_date": "处罚日期 行政处罚决定日期",
    "violation_facts": "主要违法事实",
    "person_name": "申请人姓名 负责人姓名",
    "remark": "备注说明",
    "birth_date": "出生年月日 生日 dob date_of_birth birthday birth_date",
    "district_name": "所在区 所属区 所属区域 所属区县 所在区县 区县 行政区 辖区",
    "community_name": "所属社区 社区名称",
    "street_name": "所属街道 街道名称 街道(镇)",
}
_SURNAMES = frozenset(
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
)
_LIST_SUFFIX = re.compile(r"(?:街道办事处|街道|地区|区|县|族|市|社区居委会|社区)$")


class Meaning(Model):
    """What a column is taken for.

    Attributes:
        element: the house's data element, '' when the column needs its own.
        own: the private element, when ``element`` is ''.
        codes: raw values to codes where they are not the list's own names.
        reason: why, in Chinese.
    """

    element: str = ""
    own: Element | None = None
    codes: dict[str, str] = Field(default_factory=dict)
    grade: int = 1
    reason: str = ""


def layout_of(sample: Sample, catalog: Catalog) -> Feed | None:
    """The feed whose columns at least four in five of the sample's columns are, and that lacks none it needs."""
    have = {header_key(c.name) for c in sample.columns}
    best: tuple[float, Feed] | None = None
    for feed in catalog.feeds.values():
        wanted = set(source_columns(feed))
        share = len(have & wanted) / len(have) if have else 0.0
        if share >= 0.8 and len(have & wanted) >= 0.8 * len(wanted) and (best is None or share > best[0]):
            best = (share, feed)
    return best[1] if best else None


def source_columns(feed: Feed) -> dict[str, str]:
    """Comparable source names a feed's fields take, each to the field that takes it first."""
    out: dict[str, str] = {}
    for name, spec in feed.fields.items():
        templated = re.findall(r"\{([^{}]+)\}", spec.template or "")
        for source in (*spec.from_, *templated, *filter(None, (spec.x, spec.y))):
            out.setdefault(header_key(source), name)
    return out


def known_headers(catalog: Catalog, first: str = "") -> dict[str, dict[str, bool]]:
    """Comparable header to the elements it may be, best first: from contracts, then labels, then synonyms.

    True beside an element says that a contract takes it from this very header, so even its unit is known.

    Args:
        first: department whose contracts are asked before the others.
    """
    out: dict[str, dict[str, bool]] = {}

    def add(header: str, element: str, sure: bool = False) -> None:
        if element in catalog.elements:
            out.setdefault(header_key(header), {}).setdefault(element, sure)

    for feed in sorted(catalog.feeds.values(), key=lambda f: f.department != first):
        for name, spec in feed.fields.items():
            if not (spec.multiply or spec.parse or spec.template or spec.x):
                for source in spec.from_:
                    if header_key(source) not in _GENERIC:
                        add(source, spec.element or name, sure=True)
    for name, element in catalog.elements.items():
        add(re.sub(r"（[^）]*）$", "", element.label), name)
        add(element.label, name)
        if "_" in name:
            add(name, name)
    for name, headers in _SYNONYMS.items():
        for header in headers.split():
            add(header, name)
    return out


def meaning_of(column: Column, catalog: Catalog, known: Mapping[str, Mapping[str, bool]]) -> Meaning:
    """What ``column`` is; ``known`` comes from ``known_headers``."""
    if column.type == "geometry":
        return Meaning(element="geom_cgcs2000", reason="几何字段")
    key, bare = header_key(column.name), header_key(unit_of(column.name)[0])
    candidates = {**known.get(bare, {}), **known.get(key, {})}
    refused: list[str] = []

    def fitting(sure: bool) -> Meaning | None:
        for name in (n for n, s in candidates.items() if s == sure):
            fault, codes = _misfit(column, catalog.elements[name], catalog, sure=sure)
            if not fault:
                grade = max(catalog.elements[name].grade, column.content_grade, 3 if column.has("resident_id") else 1)
                return Meaning(element=name, codes=codes, grade=grade, reason=f"数据元 {catalog.elements[name].label}")
            refused.append(f"不是数据元“{catalog.elements[name].label}”：{fault}")
        return None

    found = fitting(True) or _coded(column, catalog) or fitting(False) or _by_content(column, catalog)
    if found:
        return found
    return own_meaning(column, *refused[:1])


def own_meaning(column: Column, *why: str) -> Meaning:
    """An element of the column's own; ``why`` says what it is not."""
    own, reason = _own(column)
    return Meaning(own=own, grade=own.grade, reason="；".join(filter(None, (*why, reason))))


def _share(column: Column, test: Callable[[str], Any]) -> float:
    total = sum(column.values.values())
    return sum(n for v, n in column.values.items() if test(v)) / total if total else 0.0


def misfit(column: Column, element: Element, catalog: Catalog) -> str:
    """Why the values of ``column`` are not those of ``element`` though a contract says so; '' when they are."""
    return _misfit(column, element, catalog, sure=True)[0] if column.filled else ""


_SCIENTIFIC = re.compile(r"^\d(?:\.\d+)?[eE]\+?\d{1,2}$")
_RULE_TESTS: dict[str, Callable[[str], bool]] = {
    "resident_id": lambda v: is_resident_id(v.upper()),
    "uscc": lambda v: is_uscc(v.upper()) or bool(_SCIENTIFIC.match(v)),
    "phone": is_phone,
}


def _misfit(column: Column, element: Element, catalog: Catalog, *, sure: bool) -> tuple[str, dict[str, str]]:
    """Why the column's values are not the element's ('' when they are), and the codes they need mapped."""
    if not column.filled:
        plain = element.type == "string" and not element.codes and not element.rules
        return ("" if plain else "样本中无值"), {}
    fault = _type_misfit(column, element, sure=sure)
    if fault:
        return fault, {}
    if element.codes:
        codes = match_codes(column, catalog, element.codes)
        return ("", codes) if codes is not None else ("有代码表之外的值", {})
    if element.max_length and _share(column, lambda v: len(v) > (element.max_length or 0)) > 0.01:
        return "值过长", {}
    if element.pattern and _share(column, re.compile(element.pattern).fullmatch) < FITS:
        return "不合格式", {}
    for rule in element.rules:
        test = _RULE_TESTS.get(rule.rule)
        if test and _share(column, test) < FITS:
            return f"{_share(column, test):.0%} 的值合规则 {rule.rule}", {}
        if rule.rule == "not_future" and _share(column, lambda v: re.search(r"20[5-9]\d|2[1-9]\d\d", v)) > 0.01:
            return "有远期日期", {}
    return "", {}


def _type_misfit(column: Column, element: Element, *, sure: bool) -> str:
    kinds: dict[str, tuple[str, ...]] = {
        "string": ("string", "integer", "decimal", "double", "date", "timestamp", "boolean"),
        "integer": ("integer",),
        "decimal": ("integer", "decimal"),
        "double": ("integer", "decimal", "double"),
        "date": ("date",),
        "timestamp": ("date", "timestamp"),
    }
    wide = sure and element.type == "decimal" and column.type == "double"
    if element.type != "string" and (
        (column.type not in kinds.get(element.type, ()) and not wide) or column.form in ("money", "percent", "unit")
    ):
        return f"值是 {column.form or column.type}"
    if element.unit and column.unit != element.unit and not (sure and not column.unit):
        return f"单位应为{element.unit}"
    too_fine = column.decimals > element.scale and not sure
    if element.type == "decimal" and (column.digits > element.precision - element.scale or too_fine):
        return "位数过多"
    if element.type in ("integer", "decimal", "double") and column.type != "string":
        low, high = _bound(element.min, float("-inf")), _bound(element.max, float("inf"))
        numbers = {v: n for v, n in column.values.items() if re.fullmatch(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?", v)}
        outside = sum(n for v, n in numbers.items() if not low <= float(v) <= high)
        if outside > 0.02 * column.filled:
            return "值在上下限之外"
    return ""


def _bound(value: float | str | None, default: float) -> float:
    return default if value is None else float(value)


def match_codes(column: Column, catalog: Catalog, list_id: str) -> dict[str, str] | None:
    """Raw values to codes of a list where neither code nor name is written; None when the list does not fit."""
    code_list = catalog.code_lists[list_id]
    names, codes = code_list.by_name(), set(code_list.codes)
    short = {
        _LIST_SUFFIX.sub("", n): c
        for n, c in names.items()
        if len(_LIST_SUFFIX.sub("", n)) >= (1 if list_id == "ethnic_group" else 2)
    }
    mapped: dict[str, str] = {}
    missed = 0
    for value, n in column.values.items():
        if value in codes or value in names:
            continue
        code = short.get(_LIST_SUFFIX.sub("", value)) if len(value) > 1 or list_id == "ethnic_group" else None
        if code is None:
            missed += n
        else:
            mapped[value] = code
    return mapped if missed <= 0.01 * column.filled and len(mapped) <= 40 else None


_LIST_HEADERS = {
    "districts": r"区|县|辖区|district",
    "streets": r"街道|street",
    "communities": r"社区|居委会|community",
    "sex": r"性别|姓别|sex|gender",
    "ethnic_group": r"民族",
    "education": r"学历|文化程度|教育",
    "marital_status": r"婚姻",
    "family_relation": r"关系",
    "industry": r"行业",
    "yes_no": r"是否|^is_|^has_",
    "satisfaction": r"满意",
    "seven_have_five_nature": r"七有|五性",
    "currency": r"币种|币",
}


def _coded(column: Column, catalog: Catalog) -> Meaning | None:
    """A column whose header and values are those of a code list."""
    if column.type not in ("string", "integer") or not column.filled:
        return None
    for list_id, code_list in catalog.code_lists.items():
        hint = _LIST_HEADERS.get(list_id, re.escape(code_list.title.removesuffix("代码")))
        if not re.search(hint, header_key(column.name)):
            continue
        codes = match_codes(column, catalog, list_id)
        if codes is not None:
            house = next((n for n, e in catalog.elements.items() if e.codes == list_id and list_id != "yes_no"), None)
            if house:
                grade = catalog.elements[house].grade
                return Meaning(element=house, codes=codes, grade=grade, reason=f"代码表 {code_list.title}")
            quasi = list_id in ("sex", "ethnic_group", "education", "marital_status", "family_relation")
            own = Element(
                label=column.name, codes=list_id, grade=2 if quasi else 1, identifier="quasi" if quasi else "none"
            )
            return Meaning(own=own, codes=codes, grade=own.grade, reason=f"代码表 {code_list.title}")
    return None


_CODE_HEADER = re.compile(r"信用代码|uscc|(?<!构)代码$|^代码|编码$|机构编号|credit_?code")


def _by_content(column: Column, catalog: Catalog) -> Meaning | None:
    """Identifiers told by their checksum, whatever the header says."""
    if column.type not in ("string", "integer") or not column.filled:
        return None
    for name in ("resident_id", "uscc"):
        test = _RULE_TESTS[name]
        hits = sum(n for v, n in column.values.items() if test(v) and not _SCIENTIFIC.match(v))
        if name == "uscc" and not _CODE_HEADER.search(header_key(column.name)):
            continue
        if name in catalog.elements and hits >= 0.95 * column.filled:
            element = catalog.elements[name]
            return Meaning(element=name, grade=element.grade, reason=f"值是{element.label}")
    key = header_key(column.name)
    if "phone" in catalog.elements and PHONE_HEADER.search(key) and _share(column, is_phone) >= FITS:
        return Meaning(element="phone", grade=catalog.elements["phone"].grade, reason="值是电话号码")
    if PERSON_HEADER.search(key) and "person_name_masked" in catalog.elements:
        if _share(column, lambda v: "*" in v or "＊" in v) >= FITS and column.max_length <= 60:
            return Meaning(element="person_name_masked", grade=2, reason="值是已脱敏的姓名")
        if _share(column, _personal) >= FITS and column.max_length <= 60:
            return Meaning(element="person_name", grade=3, reason="值是姓名")
    return None


def _personal(value: str) -> bool:
    return 2 <= len(value) <= 4 and simplified(value[0]) in _SURNAMES and all("一" <= c <= "鿿" for c in value)


MONTH_PATTERN = "^[0-9]{4}-(0[1-9]|1[0-2])$"
"""Months as GB/T 7408.1 writes them, as in the house's own element."""


def in_yuan(column: Column) -> bool:
    """Whether all amounts of a column are renminbi, and its header names no other unit than 元."""
    return column.form == "money" and column.unit == "元" and unit_of(column.name)[1] in ("", "元")


_PARTY = re.compile(r"单位|企业名|相对人|申请|业主|当事|纳税人|户名|人$|人名称$")
_FREE_HEADER = re.compile(r"描述|内容|诉求|留言|情况|备注|意见|事由|经过|remark|note|content|description")
_CATEGORIES: dict[Kind, str] = {
    "resident_id": "可能含个人身份号码", "resident_id_15": "可能含个人身份号码", "mobile": "个人通信",
    "bank_card": "金融账户", "plate": "个人财产", "person_name": "可能为自然人姓名", "address": "个人基本资料",
    "medical": "医疗健康", "minor": "个人基本资料",
}  # fmt: skip
"""Category of a column that holds what the scanner calls so, where it is graded above 1."""
_EMAIL_HEADER = re.compile(r"邮箱|e-?mail")


def _own(column: Column) -> tuple[Element, str]:
    """An element of the column's own: type and length from its values, grade from what they hold."""
    key = header_key(column.name)
    type_ = "string" if column.form == "money" and not in_yuan(column) else column.type
    if not column.filled and column.unit:
        type_ = "decimal"
    label, unit = column.name, column.unit or ("%" if column.form == "percent" else "")
    extra: dict[str, Any] = {}
    if type_ == "string" and column.filled:
        extra["max_length"] = _room(column.max_length)
    if column.form == "month":
        extra["pattern"] = MONTH_PATTERN
    if type_ == "decimal":
        scale = max(2, column.decimals)
        extra.update(precision=max(18, min(38, column.digits + 4 + scale)), scale=scale)
    grade: Grade = 1
    reason = ""
    short = column.max_length <= 60
    if column.has("resident_id"):
        grade, reason = 3, "值中有公民身份号码"
        extra.update(category="可能含个人身份号码", identifier="direct", mask="partial_id" if short else None)
    elif PHONE_HEADER.search(key) or (column.has("phone") and short):
        grade, reason = 3, "联系电话"
        extra.update(category="个人通信", identifier="direct", mask="partial_phone" if short else None)
    elif PERSON_HEADER.search(key) and type_ == "string":
        grade, reason = 2, "可能是人名"
        extra.update(category="可能为自然人姓名", identifier="quasi", mask="partial_name" if short else None)
    elif HOME_HEADER.search(key) and type_ == "string":
        grade, reason = 3, "住址"
        extra.update(category="个人基本资料", identifier="quasi", mask="partial_address")
    elif _EMAIL_HEADER.search(key):
        grade, reason = 3, "电子邮箱"
        extra.update(category="个人通信", identifier="direct")
    elif column.has("bank_card"):
        grade, reason = 3, "值中有银行卡号"
        extra.update(category="金融账户", identifier="direct")
    elif column.has("resident_id_masked"):
        grade, reason = 2, "值中有已遮蔽的证件号码"
        extra.update(category="个人身份（来源已遮蔽）", identifier="quasi")
    elif type_ == "string" and (column.max_length > 200 or column.has("phone") or _is_free_text(key, column)):
        grade, reason = 2, "自由文本"
        extra.update(category="自由文本")
    elif _PARTY.search(key) and type_ == "string" and column.distinct > 20 and _share(column, _personal) >= 0.02:
        grade, reason = 2, "部分值像人名"
        extra.update(category="可能为自然人姓名", identifier="quasi")
    if type_ == "string" and column.content and column.content_grade > grade:
        grade, reason = cast(Grade, column.content_grade), f"值是{KIND_LABELS[column.content]}"
        extra["category"] = _CATEGORIES[column.content]
    extra = {k: v for k, v in extra.items() if v is not None}
    return Element(label=label, type=type_, unit=unit or None, grade=grade, **extra), reason


def _is_free_text(key: str, column: Column) -> bool:
    """Whether a column is what people write in their own words: they write of themselves and their neighbours."""
    return bool(_FREE_HEADER.search(key)) and column.max_length > 20 and column.distinct > 20


def _room(length: int) -> int:
    """A maximum length with room to grow: at least twice what was seen."""
    return next(n for n in (50, 100, 200, 500, 1000, 4000, 20_000, 100_000, 1 << 30) if n >= 2 * length)

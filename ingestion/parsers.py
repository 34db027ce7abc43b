"""Parsers of text forms, named by a field's ``parse``: each turns a text expression into a SQL expression.

A parser gives NULL for text it cannot read, so that the ``type`` rule finds it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from catalog.errors import ContractError
from quality.identifiers import is_registration_number_sql, is_resident_id_sql, taxpayer_kind_sql
from quality.sql import literal

_FULL = "'０１２３４５６７８９．，－＋％（）'"
_HALF = "'0123456789.,-+%()'"
_AMOUNT = "'([-+]?[0-9][0-9,]*(?:\\.[0-9]+)?)'"


def half_width(text: str) -> str:
    """Full-width digits, signs and brackets as half-width ones."""
    return f"translate({text}, {_FULL}, {_HALF})"


def _first_number(text: str) -> str:
    plain = half_width(text)
    return f"TRY_CAST(replace(regexp_extract({plain}, {_AMOUNT}, 1), ',', '') AS DECIMAL(32,8))"


def number_cn(text: str) -> str:
    """A number with thousands separators, full-width digits and 万 or 亿: ``１,５００万`` is 15000000."""
    return f"{_first_number(text)} * {_scale(text)}"


def _scale(text: str) -> str:
    return (
        f"CASE WHEN contains({text}, '万亿') THEN 1000000000000 WHEN contains({text}, '亿') THEN 100000000 "
        f"WHEN contains({text}, '万') THEN 10000 ELSE 1 END"
    )


def capital_amount_10k(text: str) -> str:
    """The amount of a capital in 10,000 of its currency: ``500(万元人民币)``, ``858万人民币``, ``30000元``."""
    unit = (
        f"CASE WHEN contains({text}, '亿') THEN 10000 WHEN contains({text}, '万') THEN 1 "
        f"WHEN contains({text}, '元') THEN 0.0001 ELSE 1 END"
    )
    return f"{_first_number(text)} * {unit}"


_CURRENCIES = (
    ("美元", "USD"), ("港", "HKD"), ("日元", "JPY"), ("欧元", "EUR"), ("英镑", "GBP"), ("马克", "DEM"),
    ("瑞士法郎", "CHF"), ("法郎", "FRF"), ("加拿大元", "CAD"), ("加元", "CAD"), ("澳", "AUD"), ("新加坡", "SGD"),
    ("韩元", "KRW"), ("台币", "TWD"), ("瑞典克朗", "SEK"),
)  # fmt: skip


def capital_currency(text: str) -> str:
    """The ISO 4217 code of a registered capital; 万 or 元 alone is the renminbi."""
    cases = " ".join(f"WHEN contains({text}, '{word}') THEN '{code}'" for word, code in _CURRENCIES)
    yuan = " OR ".join(f"contains({text}, '{word}')" for word in ("元", "万", "人民币"))
    return f"CASE {cases} WHEN {yuan} THEN 'CNY' END"


def percent(text: str) -> str:
    """``12.5%`` and ``12.5`` are 12.5; ``１２‰`` is 1.2."""
    return f"{_first_number(text)} * CASE WHEN contains({text}, '‰') THEN 0.1 ELSE 1 END"


def digits(text: str) -> str:
    """The digits of a text and nothing else."""
    return f"nullif(regexp_replace({half_width(text)}, '[^0-9]', '', 'g'), '')"


def excel_date(text: str) -> str:
    """A date, or the number of days since 1899-12-30 that Excel shows where a cell lost its date format.

    Only numbers of 1949 to 2119 (18000-80000) are taken for dates. Workbooks of the 1904 calendar
    differ by 1462 days, which no number tells: there, take ``excel_date_1904``.
    """
    return _serial(text, "1899-12-30")


def excel_date_1904(text: str) -> str:
    """As ``excel_date``, counted from 1904-01-01 (workbooks made by Excel for Mac before 2011)."""
    return _serial(text, "1904-01-01")


def _serial(text: str, first: str) -> str:
    days = f"TRY_CAST({text} AS DOUBLE)"
    moment = f"TIMESTAMP '{first}' + to_microseconds(CAST(round({days} * 86400) AS BIGINT) * 1000000)"
    return f"CASE WHEN {days} BETWEEN 18000 AND 80000 THEN CAST({moment} AS VARCHAR) ELSE {text} END"


def uscc_of_taxpayer(text: str) -> str:
    """A taxpayer number that is a unified social credit code; one that is a person's ID number gives none."""
    return f"CASE WHEN {taxpayer_kind_sql(text)} = 'uscc' THEN {text} END"


def org_code_of_taxpayer(text: str) -> str:
    """The organisation code inside a 15-digit taxpayer number; none where it may be a 15-digit ID number."""
    code = f"{taxpayer_kind_sql(text)} = 'org_code_15'"
    return f"CASE WHEN {code} AND NOT {is_resident_id_sql(text)} THEN substr({text}, 7, 9) END"


def registration_number_of_code(text: str) -> str:
    """A 15-digit registration number of before the credit codes, where the text is one; it cannot be converted."""
    return f"CASE WHEN {is_registration_number_sql(text)} AND NOT {is_resident_id_sql(text)} THEN {text} END"


def entity_code_kind(text: str) -> str:
    """What a value of a code column really is, see `quality.identifiers.taxpayer_kind`."""
    return taxpayer_kind_sql(text)


def resident_id_of_code(text: str) -> str:
    """The resident ID that stands in a column of organisations' codes; a sole trader's has two characters more."""
    kind = taxpayer_kind_sql(text)
    whole = f"WHEN 'resident_id' THEN {text} WHEN 'resident_id_15' THEN {text}"
    return f"CASE {kind} {whole} WHEN 'resident_id_plus_2' THEN substr({text}, 1, 18) END"


def id_of_disability_certificate(text: str) -> str:
    """The resident ID at the head of a disability certificate's number: 18 characters, then kind, level and reissue."""
    return f"CASE WHEN length({text}) BETWEEN 20 AND 22 THEN substr({text}, 1, 18) END"


SPELLED = str.maketrans("〇○零一二三四五六七八九", "000123456789")
"""Chinese numerals of dates as digits; 十 stands for itself."""


def date_cn(text: str) -> str:
    """A date in Chinese numerals as one in digits: ``二〇二四年十二月三十一日`` is ``2024年12月31日``."""
    plain = f"translate({text}, '〇○零一二三四五六七八九', '000123456789')"
    for pattern, by in (("([1-9])十([1-9])", r"\1\2"), ("([1-9])十", r"\10"), ("十([1-9])", r"1\1")):
        plain = f"regexp_replace({plain}, '{pattern}', '{by}', 'g')"
    return f"replace({plain}, '十', '10')"


_YEAR, _MONTH = "((?:19|20)[0-9]{2})", "(0?[1-9]|1[0-2])"


def month(text: str) -> str:
    """A month as ``2024-01``: ``2024年1月``, ``2024/1``, ``2024.01``, ``202401``; NULL for anything else."""
    patterns = (f"{_YEAR}[-/.年]{_MONTH}月?份?", f"{_YEAR}(0[1-9]|1[0-2])")
    cases = " ".join(
        f"WHEN regexp_full_match({text}, '{p}') THEN regexp_extract({text}, '{p}', 1) || '-' || "
        f"lpad(regexp_extract({text}, '{p}', 2), 2, '0')"
        for p in patterns
    )
    return f"CASE {cases} END"


def year(text: str) -> str:
    """A year as its four digits: ``2024年``, ``2024年度``; NULL for anything else."""
    return f"nullif(regexp_extract({text}, '^{_YEAR}[ ]*年?度?$', 1), '')"


UNIT_NAMES = {
    "元": ("元", "圆", "元整", "元人民币", "人民币", "人民币元"),
    "平方米": ("平方米", "平米", "㎡", "m2", "m²", "平方"),
    "立方米": ("立方米", "m3", "m³", "立方"),
    "米": ("米", "m", "M"), "公里": ("公里", "千米", "km", "KM"), "平方公里": ("平方公里", "平方千米", "km2", "km²"),
    "毫米": ("毫米", "mm"), "千克": ("千克", "公斤", "kg", "KG"), "吨": ("吨", "t"), "公顷": ("公顷", "ha"),
    "千瓦时": ("千瓦时", "度", "kwh", "kWh", "KWH"), "分钟": ("分钟", "分", "min"), "小时": ("小时", "h"),
}  # fmt: skip
"""How cells write the units that many columns have; any other is written as it is called."""
_SCALES = {"千": 1_000, "万": 10_000, "百万": 1_000_000, "千万": 10_000_000, "亿": 100_000_000, "万亿": 10**12}


def unit_pattern(unit: str) -> str:
    """The regular expression of a number in ``unit``: group 1 the number, 2 what it is scaled by."""
    names = "|".join(re.escape(n) for n in UNIT_NAMES.get(unit, (unit,)))
    words = "|".join(sorted(_SCALES, key=len, reverse=True))
    scale = "()" if unit.startswith(tuple(_SCALES)) else f"({words})?"
    sign = "[¥￥]?[ ]*" if unit.endswith("元") else ""
    return f"{sign}([-+]?[0-9][0-9,]*(?:[.][0-9]+)?)[ ]*[(]?[ ]*{scale}(?:{names})?[)]?"


def number_in(unit: str) -> Callable[[str], str]:
    """The parser of numbers with their unit in the cell: ``1,200平方米``, ``￥35.00``, ``3.5万元`` (in 元: 35000).

    Another unit gives NULL, so that such a row is set apart rather than mistaken.
    """

    def read(text: str) -> str:
        plain, pattern = half_width(text), literal(unit_pattern(unit))
        number = f"replace(regexp_extract({plain}, {pattern}, 1), ',', '')"
        scale = f"regexp_extract({plain}, {pattern}, 2)"
        scales = " ".join(f"WHEN '{word}' THEN {by}" for word, by in _SCALES.items())
        return (
            f"CASE WHEN regexp_full_match({plain}, {pattern}) "
            f"THEN TRY_CAST({number} AS DECIMAL(32,8)) * CASE {scale} {scales} ELSE 1 END END"
        )

    return read


PARSERS: dict[str, Callable[[str], str]] = {
    "capital_amount_10k": capital_amount_10k,
    "capital_currency": capital_currency,
    "date_cn": date_cn,
    "digits": digits,
    "entity_code_kind": entity_code_kind,
    "excel_date": excel_date,
    "excel_date_1904": excel_date_1904,
    "id_of_disability_certificate": id_of_disability_certificate,
    "month": month,
    "number_cn": number_cn,
    "org_code_of_taxpayer": org_code_of_taxpayer,
    "percent": percent,
    "registration_number_of_code": registration_number_of_code,
    "resident_id_of_code": resident_id_of_code,
    "uscc_of_taxpayer": uscc_of_taxpayer,
    "year": year,
}
UNIT = "unit:"
"""Starts the name of a parser of numbers with their unit: ``unit:平方米``."""


def parser(name: str, **where: object) -> Callable[[str], str]:
    """The parser called ``name``.

    Raises:
        ContractError: there is none; the hint lists those there are.
    """
    if name.startswith(UNIT) and 0 < len(name) - len(UNIT) <= 10:
        return number_in(name.removeprefix(UNIT))
    if name not in PARSERS:
        told = f"one of {', '.join(sorted(PARSERS))}, or {UNIT}元 and the like"
        raise ContractError(f"there is no parser {name!r}", hint=told, **where)
    return PARSERS[name]

"""The type of a column, judged by its distinct values and, where values are silent, its header."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ingestion.detect import header_key
from ingestion.parsers import SPELLED, UNIT_NAMES, unit_pattern
from ingestion.sniffing.model import SniffedType
from quality.simplified import simplified

NULL_TOKENS = frozenset(
    ("/", "\\", "-", "--", "—", "——", "NA", "N/A", "n/a", "#N/A", "NULL", "null", "None", "none", "NaN", "nan")
) | {"空", "(空)", "（空）", "暂无", "无数据"}
"""Texts that stand for "no value" wherever they are met."""
NULL_WHEN_TYPED = frozenset(["无", "不详", "不明", "未知", "…", "...", "?", "？", "*", "未匹配", "请求出错"])
"""Texts that stand for "no value" only among numbers and dates; in a text column they say something."""

ENOUGH = 0.95
"""Share of filled values that must read as a type; the rest would go to quarantine."""
_MAX_DISTINCT = 5_000

INTEGER = re.compile(r"^[-+]?(?:0|[1-9]\d{0,17})$")
DECIMAL = re.compile(r"^[-+]?(?:\d{1,18}(?:\.(\d+))?|\.(\d+))$")
EXPONENT = re.compile(r"^[-+]?\d+(?:\.\d+)?[eE][-+]?\d+$")
THOUSANDS = re.compile(r"^[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$")
PERCENT = re.compile(r"^[-+]?\d+(?:\.\d+)?\s*[%％]$")
MONEY = re.compile(
    r"^[¥￥]\s*[-+]?[\d,]+(?:\.\d+)?$|^[-+]?[\d,]+(?:\.\d+)?\s*[(（]?\s*(?:[万亿千百]?(?:元|圆)|[万亿]?(?:人民币|美元|港元|港币|欧元|日元|英镑|[^\d(（]{0,4}元))"
    r"(?:人民币|整)?\s*[)）]?$"
)
IDENTIFIER = re.compile(
    r"(?:(?:编号|编码|代码|号码|证号|文号|户号|卡号|帐号|账号|号|主键|电话|手机|传真|邮编|标识|code|phone|uuid|(?:^|_)(?:id|no|tel|key))"
    r"(?:_\d+)?(?:\(.*\))?|code\d+)$"
)
"""Headers of columns that identify: their digits are not a quantity."""

_DATES = {
    "%Y-%m-%d": r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})",
    "%Y/%m/%d": r"(?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})",
    "%Y.%m.%d": r"(?P<y>\d{4})\.(?P<m>\d{1,2})\.(?P<d>\d{1,2})",
    "%Y年%m月%d日": r"(?P<y>\d{4})年(?P<m>\d{1,2})月(?P<d>\d{1,2})日",
    "%Y%m%d": r"(?P<y>(?:19|20)\d{2})(?P<m>\d{2})(?P<d>\d{2})",
    "%d/%m/%Y": r"(?P<d>\d{1,2})/(?P<m>\d{1,2})/(?P<y>\d{4})",
    "%m/%d/%Y": r"(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4})",
    "%d-%m-%Y": r"(?P<d>\d{1,2})-(?P<m>\d{1,2})-(?P<y>\d{4})",
    "%d.%m.%Y": r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})",
}
_TIMES = {
    "": "",
    " %H:%M": r" (?P<H>\d{1,2}):(?P<M>\d{2})",
    " %H:%M:%S": r" (?P<H>\d{1,2}):(?P<M>\d{2}):(?P<S>\d{2})",
    " %H:%M:%S.%f": r" (?P<H>\d{1,2}):(?P<M>\d{2}):(?P<S>\d{2})\.\d{1,6}",
    "T%H:%M:%S": r"T(?P<H>\d{1,2}):(?P<M>\d{2}):(?P<S>\d{2})",
    "T%H:%M:%S.%f": r"T(?P<H>\d{1,2}):(?P<M>\d{2}):(?P<S>\d{2})\.\d{1,6}",
    "T%H:%M:%S%z": r"T(?P<H>\d{1,2}):(?P<M>\d{2}):(?P<S>\d{2})(?:Z|[+-]\d{2}:?\d{2})",
    " %H时%M分": r" ?(?P<H>\d{1,2})时(?P<M>\d{1,2})分",
    " %H:%M:%S%z": r" (?P<H>\d{1,2}):(?P<M>\d{2}):(?P<S>\d{2}) ?(?:Z|[+-]\d{2}:?\d{2})",
}
STYLES: dict[str, re.Pattern[str]] = {
    d + t: re.compile(f"^{dp}{tp}$") for d, dp in _DATES.items() for t, tp in _TIMES.items() if d != "%Y%m%d" or not t
}
_SPELLED_DATE = re.compile(r"[〇○零一二三四五六七八九]{4}年[一二三四五六七八九十]{1,2}月[一二三四五六七八九十]{1,3}日")
_MONTH = re.compile(r"(?:19|20)\d{2}(?:[-/.年](?:0?[1-9]|1[0-2])月?份?|(?:0[1-9]|1[0-2]))$")
_YEAR = re.compile(r"(?:19|20)\d{2}\s*年度?$")
_MONTH_HEADER = re.compile(r"月|所属期|账期|周期|日期$|时间$|month|period")
_WIDE = str.maketrans("０１２３４５６７８９．，－＋％（）", "0123456789.,-+%()")
_WITH_UNIT = re.compile(r"[-+]?[\d,]*\d(?:\.\d+)?\s*([^\d\s,.:：/%％＊*()（）-]{1,5}[23]?)$")
_CNY = re.compile(unit_pattern("元"))
_DATE_LIKE = re.compile(r"^\d{1,4}[-/.年]\d{1,2}[-/.月]\d{1,4}|^(?:19|20)\d{6}$")
_DATE_HEADER = re.compile(r"日期|时间|日$|date|time|截止|有效期")


class Typed(NamedTuple):
    """A column's type and how it is written; ``share`` of the filled values agree."""

    type: SniffedType
    share: float = 1.0
    formats: tuple[str, ...] = ()
    form: str = ""
    decimals: int = 0
    digits: int = 0
    note: str = ""
    unit: str = ""


def strip_nulls(values: Counter[str]) -> tuple[Counter[str], Counter[str]]:
    """Filled values, and the tokens among them that stand for "no value"."""
    nulls = Counter({v: n for v, n in values.items() if v in NULL_TOKENS})
    rest = Counter({v: n for v, n in values.items() if v not in nulls})
    typed = sum(n for v, n in rest.items() if v not in NULL_WHEN_TYPED and (DECIMAL.match(v) or _DATE_LIKE.match(v)))
    if typed > 0.5 * sum(rest.values()):
        nulls.update({v: rest.pop(v) for v in NULL_WHEN_TYPED & rest.keys()})
    return rest, nulls


def infer(header: str, values: Mapping[str, int]) -> Typed:
    """The type that at least ``ENOUGH`` of the values read as, else text.

    Args:
        header: source name; identifiers and dates written as digits are told by it.
        values: distinct filled values (trimmed) with counts.
    """
    key = header_key(header)
    sample = _thin(values)
    total = sum(sample.values())
    if not total:
        return Typed("string")
    if set(map(str.lower, sample)) <= {"true", "false"}:
        return Typed("boolean")
    when = _dates(key, sample, total) or _spelled(key, sample, total) or _period(key, sample, total)
    if when:
        return when
    if serial := _serial(key, sample):
        return serial
    if (IDENTIFIER.search(key) and not re.search(r"序号$|^no\.?$", key)) or re.search(r"[a-z]I[dD]$|ID$", header):
        return Typed("string")
    return _number(key, _half(sample), total) or Typed("string", note=_mixed(sample, total))


def _half(sample: Mapping[str, int]) -> dict[str, int]:
    """The values with full-width digits and signs as half-width ones."""
    out: dict[str, int] = {}
    for value, n in sample.items():
        half = value.translate(_WIDE)
        out[half] = out.get(half, 0) + n
    return out


def arabic(value: str) -> str:
    """A date in Chinese numerals as one in digits, as the parser ``date_cn`` reads it."""
    text = value.translate(SPELLED)
    for pattern, by in ((r"([1-9])十([1-9])", r"\1\2"), (r"([1-9])十", r"\g<1>0"), (r"十([1-9])", r"1\1")):
        text = re.sub(pattern, by, text)
    return text.replace("十", "10")


def _spelled(key: str, sample: Mapping[str, int], total: int) -> Typed | None:
    """Dates in Chinese numerals, among them others in digits."""
    if not any(_SPELLED_DATE.fullmatch(v) for v in sample):
        return None
    digits: dict[str, int] = {}
    for value, n in sample.items():
        text = arabic(value)
        digits[text] = digits.get(text, 0) + n
    found = _dates(key, digits, total)
    return found._replace(form="date_cn") if found else None


def _serial(key: str, sample: Mapping[str, int]) -> Typed | None:
    """Days since 1899-12-30 below a header of dates: cells of a workbook that lost their format (1964 to 2119)."""
    if not _DATE_HEADER.search(key) or not all(re.fullmatch(r"[2-7]\d{4}(?:\.0+)?", v) for v in sample):
        return None
    note = "值是 Excel 的日期序号，按日期读取，请确认"
    return Typed("date", form="excel_date", note=note) if all(23_400 < float(v) < 80_000 for v in sample) else None


def _period(key: str, sample: Mapping[str, int], total: int) -> Typed | None:
    """Months and years that are written with 年 or below a header that says so."""
    if _matches(sample, _YEAR) >= ENOUGH * total:
        return Typed("integer", _matches(sample, _YEAR) / total, form="year", digits=4)
    months = _matches(sample, _MONTH) / total
    if months >= ENOUGH and (_MONTH_HEADER.search(key) or all("年" in v for v in sample)):
        return Typed("string", months, form="month")
    return None


def _thin(values: Mapping[str, int]) -> dict[str, int]:
    """At most ``_MAX_DISTINCT`` values, spread evenly over the file."""
    step = max(1, len(values) // _MAX_DISTINCT)
    return dict(list(values.items())[::step]) if step > 1 else dict(values)


def _matches(sample: Mapping[str, int], pattern: re.Pattern[str]) -> int:
    return sum(n for v, n in sample.items() if pattern.match(v))


def valid_in(style: str, value: str) -> bool:
    """Whether ``value`` is a date or timestamp in a strptime format of ``STYLES``."""
    found = STYLES[style].match(value)
    if not found:
        return False
    parts = {k: int(v) for k, v in found.groupdict().items() if v is not None}
    return (
        1 <= parts["m"] <= 12
        and 1 <= parts["d"] <= 31
        and parts["y"] >= 1000
        and parts.get("H", 0) <= 23
        and parts.get("M", 0) <= 59
        and parts.get("S", 0) <= 60
    )


def _dates(key: str, sample: Mapping[str, int], total: int) -> Typed | None:
    if _matches(sample, _DATE_LIKE) < ENOUGH * total:
        return None
    left = dict(sample)
    formats: list[str] = []
    note = ""
    while left and len(formats) < 6:
        hits = {style: sum(n for v, n in left.items() if valid_in(style, v)) for style in STYLES}
        best = max(hits, key=lambda style: hits[style])
        if not hits[best]:
            break
        swapped = best.replace("%d/%m", "%m/%d")
        if swapped != best and hits[swapped] == hits[best]:
            note = "日与月的先后无法由样本判断，按日/月/年读取，请确认"
        formats.append(best)
        left = {v: n for v, n in left.items() if not valid_in(best, v)}
    share = 1 - sum(left.values()) / total
    if share < ENOUGH or (formats[0] == "%Y%m%d" and not _DATE_HEADER.search(key)):
        return None
    midnight = all(re.search(r"[ T]0{1,2}:00(:00)?(\.0+)?$", v) for v in sample if len(v) > 10)
    timed = any("%H" in f for f in formats) and not (midnight and re.search("日期|date", key))
    return Typed("timestamp" if timed else "date", share, tuple(formats), note=note)


def _number(key: str, sample: Mapping[str, int], total: int) -> Typed | None:
    plain = {v: n for v, n in sample.items() if DECIMAL.match(v)}
    share = sum(plain.values()) / total
    coded = any(re.match(r"^0\d", v) for v in plain) or (
        len(plain) > 1 and min(map(len, plain)) >= 12 and "." not in next(iter(plain))
    )
    if share >= ENOUGH and not coded:
        decimals = max((len(m.group(1) or m.group(2) or "") for v in plain if (m := DECIMAL.match(v))), default=0)
        digits = max(len(v.lstrip("+-").partition(".")[0]) for v in plain)
        if decimals > 6:
            return Typed("double", share, decimals=decimals, digits=digits)
        return Typed("decimal" if decimals else "integer", share, decimals=decimals, digits=digits)
    if coded:
        return None
    exponents = _matches(sample, EXPONENT)
    if exponents and (exponents + sum(plain.values())) >= ENOUGH * total and not IDENTIFIER.search(key):
        return Typed("double", (exponents + sum(plain.values())) / total)
    for form, pattern in (("percent", PERCENT), ("thousands", THOUSANDS), ("money", MONEY)):
        hits = _matches(sample, pattern)
        if hits and hits + sum(plain.values()) >= ENOUGH * total:
            decimals = max(len(v.partition(".")[2]) for v in sample)
            return Typed(
                "decimal", (hits + sum(plain.values())) / total, form=form, decimals=min(decimals, 6), digits=18,
                unit="元" if form == "money" and all(_CNY.fullmatch(v) for v in sample) else "",
            )  # fmt: skip
    return _united(sample, total)


def _united(sample: Mapping[str, int], total: int) -> Typed | None:
    """Numbers with one unit of the house's in their cells: ``10.5平方米``; money is told before."""
    named: Counter[str] = Counter()
    for value, n in sample.items():
        found = _WITH_UNIT.match(value)
        if found:
            named[_unit_called(found.group(1))] += n
    unit = named.most_common(1)[0][0] if named else ""
    if unit not in UNITS or unit == "元":
        return None
    pattern = re.compile(unit_pattern(unit))
    good = {v: n for v, n in sample.items() if pattern.fullmatch(v)}
    share = sum(good.values()) / total
    if share < ENOUGH:
        return None
    decimals = max(len(m.group(1).partition(".")[2]) for v in good if (m := pattern.fullmatch(v)))
    return Typed("decimal", share, form="unit", decimals=min(decimals, 6), digits=18, unit=unit)


def _unit_called(word: str) -> str:
    return next((unit for unit, names in UNIT_NAMES.items() if word in names), word)


def _mixed(sample: Mapping[str, int], total: int) -> str:
    """A remark when most, but not enough, values read as something stricter than text."""
    if max(map(len, sample)) > 40:
        return ""
    dates, numbers = _matches(sample, _DATE_LIKE) / total, _matches(sample, DECIMAL) / total
    if 0.5 < dates < ENOUGH:
        return f"约 {dates:.0%} 的值像日期，其余不是，暂按文本"
    if 0.5 < numbers < ENOUGH:
        return f"约 {numbers:.0%} 的值像数字，其余不是，暂按文本"
    return ""


UNITS = {
    "亿元": "100m_cny", "万元": "10k_cny", "千元": "1k_cny", "元": "cny", "元/平方米": "cny_per_m2", "平方米": "m2",
    "㎡": "m2", "m2": "m2", "m²": "m2", "平方公里": "km2", "立方米": "m3", "m3": "m3", "m³": "m3", "公顷": "ha",
    "公里": "km", "千米": "km", "米": "m", "毫米": "mm", "千瓦时": "kwh", "度": "kwh", "吨": "t", "千克": "kg",
    "小时": "hours", "分钟": "minutes", "天": "days", "日": "days", "人": "persons", "万人": "10k_persons",
    "户": "households", "%": "pct", "％": "pct", "℃": "c", "个": "count",
}  # fmt: skip
"""Units as headers write them, and the ending they give a field's name."""


def unit_of(header: str) -> tuple[str, str]:
    """The header without its bracketed unit, and the unit ('' when it names none)."""
    found = re.search(r"[(（\[]\s*(?:单位[:：])?([^()（）\[\]]{1,8})\s*[)）\]]\s*$", header)
    if found and (unit := simplified(found.group(1).strip())) in UNITS:
        return header[: found.start()].strip(), unit
    return header, ""


def covered(formats: Iterable[str], values: Iterable[str]) -> bool:
    """Whether every value is written in one of the formats."""
    known = [f for f in formats if f in STYLES]
    return all(any(valid_in(f, v) for f in known) for v in values)

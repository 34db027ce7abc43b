"""The kinds of content the scanner knows: their grades, and what gives them away in values and headers.

Medical terms are data: ``catalog/grading/medical_terms.yaml``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from catalog.yamlfile import read_yaml
from quality.identifiers.contact import PLATE as PLATE
from quality.identifiers.resident import FORM_18

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
    "medical",
    "minor",
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
    "medical": 3,
    "minor": 3,
}
"""Grade of a column with such content (working defaults, docs/grading.md)."""

KIND_LABELS: dict[Kind, str] = {
    "resident_id": "公民身份号码",
    "resident_id_15": "15 位公民身份号码",
    "mobile": "手机号码",
    "fixed_phone": "固定电话",
    "bank_card": "银行卡号",
    "uscc": "统一社会信用代码",
    "plate": "车牌号",
    "person_name": "自然人姓名",
    "address": "地址",
    "coordinate": "坐标",
    "medical": "医疗健康信息",
    "minor": "不满十四周岁未成年人信息",
}
CELL_KINDS: tuple[Kind, ...] = ("resident_id", "resident_id_15", "mobile", "bank_card", "plate")
"""Kinds of which one value says enough; the others are judged by the column as a whole."""

HEADER_ID = re.compile(r"身份|证件号|公民|identity|resident_id|id_?card|id_document", re.I)
HEADER_PERSON = re.compile(
    r"姓名|联系人|负责人|经办人|来电人|申请人|当事人|户主|监护人|person_name|caller_name|contact_name", re.I
)
HEADER_REPRESENTATIVE = re.compile(r"法人代表|法定代表人|法人姓名|legal_representative", re.I)
HEADER_PHONE = re.compile(r"电话|手机|联系方式|号码|传真|phone|mobile|tel", re.I)
HEADER_CARD = re.compile(r"卡号|账号|帐号|银行|card|account", re.I)
HEADER_ADDRESS = re.compile(r"地址|住址|住所|住处|坐落|address", re.I)
HEADER_HOME = re.compile(r"住址|户籍|居住|家庭|residence|registered_address|home", re.I)
HEADER_MEDICAL = re.compile(r"诊断|疾病|病种|病情|病史|病名|主诉|症状|过敏|ICD|diagnos|disease|medical|illness", re.I)
HEADER_BIRTH = re.compile(r"出生|生日|birth", re.I)
HEADER_MINOR = re.compile(
    r"学生|儿童|幼儿|婴儿|新生儿|未成年|监护|入园|入学|学籍|就读|pupil|student|child|minor|guardian|school", re.I
)
HEADER_COORDINATE = re.compile(r"经度|纬度|坐标|^(?:lon|lng|lat|x|y)$|longitude|latitude", re.I)

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高梁郑罗宋谢唐韩曹许邓萧冯曾程蔡彭潘袁于董余苏叶吕魏蒋田杜丁沈姜范江傅钟卢汪"
    "戴崔任陆廖姚方金邱夏谭韦贾邹石熊孟秦阎薛侯雷白龙段郝孔邵史毛常万顾赖武康贺严尹钱施牛洪龚汤陶黎温莫易樊乔文安殷颜"
    "庄章鲁倪庞邢俞翟蓝聂齐向申葛柴伍覃骆关焦柳欧祝纪尚毕耿芦左季管符辛苗詹曲靳祁路涂兰甘裴梅童翁霍游阮尤岳柯牟滕谷舒"
    "卜成饶宁凌盛查单冉鲍华包屈房喻解蒲卫简时连车项闵邬吉党阳司费蒙席晏隋古强穆姬宫景米麦谈柏瞿艾沙鄢桂窦郁缪畅巩卓褚"
    "栾戚全娄甄郎池丛边岑农苟迟保商臧佘卞虞刁冷应匡栗仇练楚揭师官佟封燕桑巫敖原植邝仲荆储宗楼干苑寇盖南屠鞠荣井乐银奚"
    "明麻雍花闻冼木郜廉衣蔺和冀占公门帅利满"
)
NAME = f"[{SURNAMES}][\\x{{4e00}}-\\x{{9fa5}}]{{1,2}}|[\\x{{4e00}}-\\x{{9fa5}}]{{2,4}}·[\\x{{4e00}}-\\x{{9fa5}}]{{2,6}}"
DOUBLE = "(?:欧阳|司马|上官|诸葛|夏侯|皇甫|尉迟|公孙|慕容|司徒|令狐|宇文|长孙)[\\x{4e00}-\\x{9fa5}]{1,2}"
ADDRESS = (
    r"(?:路|街|胡同|巷|里|条|区|园|村|庄|苑|寺|桥|门)[^,，;；]{0,12}"
    r"[0-9０-９一二三四五六七八九十甲乙丙丁]+[-－0-9]*(?:号|楼|栋|幢|院|单元|室)"
)
COORDINATE = (
    r"\s*(?:1[01][0-9]|7[3-9]|[89][0-9]|1[23][0-9])\.[0-9]{3,}\s*[,，]"
    r"\s*(?:[1-4][0-9]|5[0-3])\.[0-9]{3,}\s*"
)
FIXED = r"(?:^|[^0-9])[(（]?0(?:10|2[0-9]|[3-9][0-9]{2})[)）]?[-— ]?[2-8][0-9]{6,7}(?:[^0-9]|$)"
WIDE_FROM, WIDE_TO = "０１２３４５６７８９Ｘｘ－", "0123456789XX-"
GAP = r"[ \x{2d}\x{a0}\x{200b}\x{2013}\x{2014}\x{3000}\x{ff0d}]"
"""What people and word processors put between the groups of a number: blanks of every kind, dashes."""
DIGITS = (
    f"[0-9]{{11}}|[0-9]{{6}}{GAP}[0-9]{{4}}|[0-9]{{4}}{GAP}[0-9]{{4}}{GAP}|1[3-9][0-9]{GAP}[0-9]{{4}}|[0-9A-Z]{{18}}"
)
TOKENS = (
    f"[0-9]{{6}}{GAP}[0-9]{{8}}{GAP}[0-9]{{3}}{GAP}?[0-9Xx]"
    f"|[0-9]{{6}}{GAP}[0-9]{{4}}{GAP}[0-9]{{2}}{GAP}?[0-9]{{2}}{GAP}[0-9]{{3}}[0-9Xx]"
    f"|[0-9]{{4}}(?:{GAP}[0-9]{{4}}){{3}}(?:{GAP}[0-9]{{1,2}}[0-9Xx])?"
    f"|1[3-9][0-9]{GAP}[0-9]{{4}}{GAP}[0-9]{{4}}|[0-9A-Za-z]{{11,}}"
)
AFTER_ID = "[0-9A-Z]{0,4}|1[3-9][0-9]{9}"
"""What may follow an ID in one token: kind and degree of a disability certificate and its reissues, a telephone."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CARD_START = "62|4|5[1-5]"
CARD_PREFIX = f"(?:{CARD_START})[0-9]*"
RECENT_BIRTH = 2008
"""From this year on a date inside a number is more often a permit's than a birth."""
SHARE = 0.5
FEW = 3
OLD_SHARE = 0.1
"""Of 15-digit numbers that are no code of an organisation, how many must have the shape of an ID."""

SHORTEST = 6
"""Bytes of the shortest text anything is found in by itself."""
MEDICAL_SHARE = 0.2
"""Of a column whose header says nothing; one value in twenty is enough where it does."""
MEDICAL_SHARE_EXPECTED = 0.05
MINOR_AGE = 14
ICD = r"(?:^|[^A-Za-z0-9])[A-TV-Z][0-9]{2}(?:[.][0-9xX]{1,3}(?:[0-9x+*]{0,4})?)?(?:$|[^A-Za-z0-9])"
"""A code of ICD-10; believed only under a medical header, where houses and products have no such codes."""


@dataclass(frozen=True)
class MedicalTerms:
    """Regular expressions of the list: what names an illness or treatment, and what only looks like it."""

    term: str
    decoy: str


@cache
def medical_terms(file: Path | None = None) -> MedicalTerms:
    """The list of ``file``, by default the packaged one."""
    import catalog

    path = file or Path(catalog.__file__).parent / "grading" / "medical_terms.yaml"
    data = read_yaml(path).data
    terms = "|".join(re.escape(t) for t in data["terms"])
    return MedicalTerms(terms, f"(?:{terms})[^，。；,;]{{0,4}}(?:{'|'.join(re.escape(t) for t in data['not_before'])})")


def personal() -> str:
    """Matches every cell in which something of a grade above 1 could be that no header hints at: numbers as
    `quality.scanner` tells them, which stand between other characters or with gaps, plates and illnesses."""
    number = rf"(?:86)?1[3-9][0-9]{{9}}|[0-9]{{15}}|(?:{CARD_START})[0-9]{{14,18}}"
    resident = f"[A-Za-z]{{0,4}}(?:{FORM_18})[0-9A-Za-z]{{0,11}}"
    alone = f"(?:^|[^0-9A-Za-z])(?:{number}|{resident})(?:[^0-9A-Za-z]|$)"
    return f"{alone}|[0-9]{GAP}[0-9]|[０-９]|{PLATE}|{medical_terms().term}"


def hints(header: str) -> bool:
    """Whether a header is a reason to look at every value of its column: it tells more than the value does."""
    forms = (HEADER_PERSON, HEADER_REPRESENTATIVE, HEADER_COORDINATE, HEADER_MEDICAL, HEADER_BIRTH, HEADER_HOME)
    return any(form.search(header) for form in forms)


def prefilter() -> str:
    """Matches every cell in which any kind but a name or an address could be: one pass in place of one for each."""
    pair = r"[.][0-9]{3,}\s*[,，]\s*[0-9]{2}[.][0-9]{3}"
    return f"{DIGITS}|[０-９]{{11}}|{PLATE}|{FIXED}|{pair}|{medical_terms().term}"

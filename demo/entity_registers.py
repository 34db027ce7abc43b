"""Registers about entities besides the registry: changes, people, owners, lists, permits, tax, social insurance.

Names come as offices write them: of before a renaming, abbreviated, with other brackets or characters; codes are
credit codes, numbers of before them, damaged, a person's, or none. ``truth/entity_records.csv`` says who is meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from demo.entities import Contact, Entity
from demo.entity_lives import Holding
from demo.faults import DUPLICATE, Fault, Row, put, rewrite
from demo.identifiers import break_check
from demo.world import World, word_list

if TYPE_CHECKING:
    from numpy.random import Generator

CHANGES, PERSONS = "market_supervision__changes", "market_supervision__key_persons"
SHAREHOLDERS, ABNORMAL = "market_supervision__shareholders", "market_supervision__abnormal_list"
LICENCES, TAX = "government_services__licences", "tax__registrations"
EMPLOYERS, SOCIAL = "social_security__employers", "civil_affairs__social_organisations"
INSTITUTIONS, PENALTIES = "staffing__institutions", "market_supervision__penalties"

HEADERS: dict[str, tuple[str, ...]] = {
    CHANGES: ("变更编号", "统一社会信用代码", "企业名称", "变更事项", "变更前内容", "变更后内容", "核准日期"),
    PERSONS: ("备案编号", "统一社会信用代码", "职务", "姓名", "身份证件号码", "任职日期"),
    SHAREHOLDERS: (
        "出资编号", "统一社会信用代码", "股东类型", "股东名称", "自然人证件号码", "股东统一社会信用代码",
        "认缴出资额（万元）", "出资比例",
    ),
    ABNORMAL: ("企业名称", "列入原因", "列入日期", "移出日期", "作出决定机关"),
    LICENCES: (
        "许可决定文书号", "行政相对人名称", "行政相对人代码", "许可类别", "许可内容", "有效期自", "有效期至",
        "许可机关",
    ),
    TAX: ("登记序号", "纳税人名称", "纳税人识别号", "工商注册号", "行业代码", "纳税人状态", "登记日期"),
    EMPLOYERS: ("社保登记编号", "单位名称", "单位代码", "参保人数", "缴费状态", "欠费月数"),
    SOCIAL: (
        "社会组织名称", "统一社会信用代码", "社会组织类型", "成立登记日期", "法定代表人", "业务主管单位", "住所",
        "登记状态",
    ),
    INSTITUTIONS: (
        "单位名称", "统一社会信用代码", "举办单位", "经费来源", "开办资金（万元）", "法定代表人", "住所",
        "设立登记日期", "法人状态",
    ),
}  # fmt: skip
FILES = {
    CHANGES: ("bgdj", "gb18030"),
    PERSONS: ("zyry", "gb18030"),
    SHAREHOLDERS: ("gdcz", "utf-8"),
    ABNORMAL: ("jyyc", "gb18030"),
    LICENCES: ("xzxk", "utf-8"),
    TAX: ("swdj", "gb18030"),
    EMPLOYERS: ("cbdw", "gb18030"),
    SOCIAL: ("shzz", "utf-8"),
    INSTITUTIONS: ("sydw", "utf-8"),
}
"""Stem of the file's name, and its encoding."""
_BAD_CODE = (
    rewrite("bad_checksum_uscc", "统一社会信用代码", break_check),
    rewrite("scientific_uscc", "统一社会信用代码", lambda _: "9.11E+17"),
)
FAULTS: dict[str, tuple[Fault, ...]] = {
    CHANGES: (*_BAD_CODE, put("impossible_date", "核准日期", "2024-02-30"), DUPLICATE),
    PERSONS: (
        rewrite("bad_checksum_id", "身份证件号码", break_check, "warned"),
        rewrite("old_id_15", "身份证件号码", lambda v: v[:6] + v[8:17] if v[6:8] == "19" else v, "loaded"),
        *_BAD_CODE,
        put("missing_required", "姓名", ""),
    ),
    SHAREHOLDERS: (*_BAD_CODE, put("outside_range", "出资比例", "120")),
    ABNORMAL: (put("missing_required", "企业名称", ""), put("impossible_date", "列入日期", "2023-02-30")),
    LICENCES: (put("missing_required", "许可决定文书号", ""), put("impossible_date", "有效期自", "2023-02-30")),
    TAX: (put("missing_required", "纳税人名称", ""), put("unknown_code", "行业代码", "ZZ")),
    EMPLOYERS: (put("negative_amount", "参保人数", "-3"), put("not_a_number", "参保人数", "若干"), DUPLICATE),
    SOCIAL: (*_BAD_CODE, put("missing_required", "社会组织名称", "")),
    INSTITUTIONS: (*_BAD_CODE, put("missing_required", "单位名称", "")),
}
KEYS = {
    CHANGES: ("变更编号",), PERSONS: ("备案编号",), SHAREHOLDERS: ("出资编号",), ABNORMAL: ("企业名称", "列入日期"),
    LICENCES: ("许可决定文书号",), TAX: ("登记序号",), EMPLOYERS: ("社保登记编号",), SOCIAL: ("统一社会信用代码",),
    INSTITUTIONS: ("统一社会信用代码",),
}  # fmt: skip


@dataclass
class Records:
    """Who each record is about: ``rows`` of ``truth/entity_records.csv`` (feed, record, entity, name and code kind)."""

    rate: float
    rows: list[tuple[str, str, int, str, str]] = field(default_factory=list)

    def add(self, feed: str, record: str, entity: Entity | None, name: str, code: str = "") -> None:
        self.rows.append((feed, record, entity.number if entity else 0, name, code))


@lru_cache(maxsize=1)
def _traditional() -> Any:
    import opencc

    return opencc.OpenCC("s2t")


def written_name(rng: Generator, name: str, rate: float) -> tuple[str, str]:
    """A name as an office writes it, and how: ``plain``, spelled otherwise (always some), or abbreviated (``rate``)."""
    draw, kind = rng.random(), rng.random()
    if draw < rate:
        bare = name.removeprefix("北京市").removeprefix("北京")
        forms = ("股份有限公司", "有限责任公司", "有限公司")
        form = next((f for f in forms if name.endswith(f)), "")
        if kind < 0.3 and bare != name:
            return bare, "no_place"
        if kind < 0.6 and form:
            return name.removesuffix(form), "no_form"
        if kind < 0.8 and form and bare != name:
            return bare.removesuffix(form), "no_place_no_form"
        if kind < 0.9 and form:
            return name[: 2 + 3 * (bare != name)], "own_word_only"
        return str(_traditional().convert(name)), "traditional"
    if draw < rate + 0.12:
        if kind < 0.4 and ("（" in name or "(" in name):
            return name.translate(str.maketrans("（）()", "()（）")), "brackets"
        if kind < 0.7 and name.endswith("有限公司") and "股份" not in name:
            return name.replace("有限公司", "有限责任公司"), "form_spelled"
        return f"{name[:4]} {name[4:]}", "blanks"
    return name, "plain"


def written_code(rng: Generator, entity: Entity, rate: float) -> tuple[str, str]:
    """A code as an office writes it, and its kind."""
    draw = rng.random()
    if draw < rate / 2:
        return "9.11E+17", "scientific"
    if draw < rate:
        return entity.owner.resident_id, "resident_id"
    draw = rng.random()
    if draw < 0.15 and entity.registration:
        return entity.registration, "registration_15"
    if draw < 0.28 and entity.registered < "2015-10-01":
        return "110102" + entity.organisation, "org_code_15"
    return ("", "none") if draw > 0.85 else (entity.uscc, "uscc")


def _as_called(rng: Generator, entity: Entity, day: str, records: Records) -> tuple[str, str]:
    then = entity.name_on(day)
    name, how = written_name(rng, then, records.rate)
    return name, how if then == entity.name else f"former_{how}"


def _day(rng: Generator, first: str, last: np.datetime64) -> str:
    span = max(1, int((last - np.datetime64(first)).astype(int)))
    return str(np.datetime64(first) + int(rng.integers(span)))


def change_rows(world: World, entities: Sequence[Entity], people: Sequence[Contact]) -> list[Row]:
    """Renamings, closings, and some changes of seat, representative and capital; row grain: one change."""
    rng = world.rng("entity_changes")
    last = np.datetime64(world.as_of) - 1
    out: list[list[str]] = []

    def add(entity: Entity, item: str, before: str, after: str, day: str) -> None:
        out.append(["", entity.uscc, entity.name, item, before, after, day])

    for e in entities:
        names = [*(f.name for f in e.former), e.name]
        for renaming, after in zip(e.former, names[1:], strict=True):
            add(e, "名称变更", renaming.name, after, renaming.until)
        draw = rng.random(3)
        if draw[0] < 0.08:
            other = people[int(rng.integers(len(people)))]
            add(e, "法定代表人变更", other.name, e.owner.name, _day(rng, e.registered, last))
        if draw[1] < 0.06:
            add(e, "住所变更", people[int(rng.integers(len(people)))].address, e.address, _day(rng, e.registered, last))
        if draw[2] < 0.04:
            add(e, "注册资本变更", "50(万元人民币)", e.capital, _day(rng, e.registered, last))
        if e.closed[0]:
            add(e, "吊销" if e.closed[0] == "8" else "注销", "", "", e.closed[1])
    out.sort(key=lambda r: (r[6], r[1], r[3]))
    return [[f"BG{i:08d}", *r[1:]] for i, r in enumerate(out, start=1)]


def person_rows(world: World, entities: Sequence[Entity], people: Sequence[Contact]) -> list[Row]:
    """The legal representative of every enterprise, and some directors; row grain: one person in one position."""
    rng = world.rng("key_persons")
    out: list[Row] = []
    for e in entities:
        posts = ["法定代表人", *[p for p in ("监事", "经理") if not e.parent and rng.random() < 0.35]]
        for post in posts:
            who = e.owner if post == "法定代表人" else people[int(rng.integers(len(people)))]
            out.append([f"RY{len(out) + 1:08d}", e.uscc, post, who.name, who.resident_id, e.registered])
    return out


def shareholder_rows(held: Sequence[Holding]) -> list[Row]:
    """Row grain: one shareholder of one company."""
    out: list[Row] = []
    for company, owner, share in held:
        person = isinstance(owner, Contact)
        out.append(
            [
                f"CZ{len(out) + 1:08d}",
                company.uscc,
                "自然人股东" if person else "法人股东",
                owner.name,
                owner.resident_id if isinstance(owner, Contact) else "",
                owner.uscc if isinstance(owner, Entity) else "",
                f"{share:g}",
                f"{share:g}%" if len(out) % 3 == 0 else f"{share:g}",
            ]
        )
    return out


def abnormal_rows(world: World, entities: Sequence[Entity], strangers: Sequence[str], records: Records) -> list[Row]:
    """The list of abnormal operations: names only; a quarter are firms of elsewhere. Row grain: one entry."""
    rng = world.rng("abnormal")
    reasons = word_list("organisations.yaml")["abnormal_reasons"]
    last = np.datetime64(world.as_of) - 3
    out: list[Row] = []
    taken: set[tuple[str, str]] = set()
    for _ in range(max(40, len(entities) // 9)):
        day = _day(rng, "2016-01-01", last)
        e: Entity | None = entities[int(rng.integers(len(entities)))]
        if e is None or rng.random() < 0.25 or e.registered > day:
            e, name, how = None, strangers[int(rng.integers(len(strangers)))], "stranger"
        else:
            name, how = _as_called(rng, e, day, records)
        if (name, day) in taken:
            continue
        taken.add((name, day))
        back = _day(rng, day, last) if rng.random() < 0.4 else ""
        reason = reasons[int(rng.integers(len(reasons)))]
        out.append([name, reason, day, back, "北京市西城区市场监督管理局"])
        records.add(ABNORMAL, f"{name}|{day}", e, how)
    return out


def strangers(world: World, count: int = 400) -> list[str]:
    """Names of firms that are in no register of the district."""
    rng = world.rng("strangers")
    data = word_list("trades.yaml")
    out = []
    for _ in range(count):
        brand = "".join(data["brand_chars"][int(k)] for k in rng.integers(0, len(data["brand_chars"]), 4))
        trade = data["trades"][int(rng.integers(len(data["trades"])))]["words"][0]
        out.append(f"北京{brand}{trade}有限公司")
    return out


def licence_rows(world: World, entities: Sequence[Entity], records: Records) -> list[Row]:
    """Permits; row grain: one decision."""
    rng = world.rng("licences")
    kinds = word_list("organisations.yaml")["licences"]
    last = np.datetime64(world.as_of) - 1
    out: list[Row] = []
    for i in range(max(60, len(entities) // 3)):
        e = entities[int(rng.integers(len(entities)))]
        kind = kinds[int(rng.integers(len(kinds)))]
        day = _day(rng, max(e.registered, "2016-01-01"), last)
        name, how = _as_called(rng, e, day, records)
        code, code_kind = written_code(rng, e, records.rate)
        until = str(np.datetime64(day) + 365 * kind["years"])
        number = f"{kind['code']}〔{day[:4]}〕{i + 1:06d}"
        out.append([number, name, code, kind["kind"], kind["content"], day, until, kind["office"]])
        records.add(LICENCES, number, e, how, code_kind)
    return out


def tax_rows(world: World, entities: Sequence[Entity], records: Records) -> list[Row]:
    """Tax registrations; three in ten still carry the name of the day they were made. Row grain: one registration."""
    rng = world.rng("tax_registrations")
    out: list[Row] = []
    today = world.as_of.isoformat()
    for e in entities:
        if rng.random() > 0.92:
            continue
        name, how = _as_called(rng, e, e.registered if rng.random() < 0.3 else today, records)
        code, kind = written_code(rng, e, records.rate)
        if kind == "registration_15":  # this office never wrote those into its own number
            code, kind = e.uscc, "uscc"
        number = f"SW{len(out) + 1:08d}"
        status = "注销" if e.closed[0] else "正常"
        out.append([number, name, code, e.registration, e.industry, status, e.registered])
        records.add(TAX, number, e, how, kind)
    return out


def employer_rows(world: World, entities: Sequence[Entity], records: Records) -> list[Row]:
    """Employers in the social insurance; row grain: one employer."""
    rng = world.rng("employers")
    today = world.as_of.isoformat()
    out: list[Row] = []
    for e in entities:
        if rng.random() > (0.6 if e.form == "enterprise" else 0.9):
            continue
        name, how = _as_called(rng, e, e.registered if rng.random() < 0.15 else today, records)
        code, kind = written_code(rng, e, records.rate)
        number = f"SB{len(out) + 1:07d}"
        staff = int(rng.lognormal(2.0, 1.2)) + 1
        late = int(rng.integers(1, 12)) if rng.random() < 0.06 else 0
        status = "停保" if e.closed[0] else "欠费" if late else "正常"
        out.append([number, name, code, str(staff), status, str(late)])
        records.add(EMPLOYERS, number, e, how, kind)
    return out


def social_rows(organisations: Sequence[Entity]) -> list[Row]:
    """Social organisations; row grain: one of them."""
    return [
        [e.name, e.uscc, e.kind, e.registered, e.owner.name, e.scope, e.address, "正常"]
        for e in organisations
        if e.form == "social_organisation"
    ]


def institution_rows(organisations: Sequence[Entity]) -> list[Row]:
    """Public institutions; row grain: one of them."""
    return [
        [e.name, e.uscc, e.scope, "财政补助", e.capital, e.owner.name, e.address, e.registered, "正常"]
        for e in organisations
        if e.form == "institution"
    ]

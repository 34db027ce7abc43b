"""The registers of persons beside the police's: weddings, deaths, health, schools, insurance, disability, homes."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo.faults import DUPLICATE, RAGGED_LONG, Fault, put, rewrite
from demo.identifiers import mobile_numbers
from demo.layouts import Layout, delimited, elements, json_lines, workbook
from demo.lives import YEARS, Lives
from demo.names import given_names, surnames
from demo.people import HEAD, SPOUSE
from demo.registers import Moment, Register, add, dated, events, numbered, other_sex, sexes, spelling, stamped
from demo.sheaf import Mention, Table
from demo.takes import STALE, WEIGHTS, Habits, Take, take
from demo.world import World

Array = NDArray[Any]
ALL = (*WEIGHTS, *STALE)
EVENT_KINDS = tuple(k for k in WEIGHTS if k != "duplicate")
MARRIAGES_SINCE = np.datetime64("2004-01-01")
"""The marriage register is kept by computer since then."""


def _age(world: World, lives: Lives) -> Array:
    return (np.datetime64(world.as_of, "D") - lives.people.birth).astype(int) / 365.2425


def _day_before(text: str) -> str:
    """Another day of the same month, in digits."""
    return text[:-2] + ("15" if text[-2:] != "15" else "16")


# --- marriages -------------------------------------------------------------------------------------------------

MARRIAGE_HEADER = (
    "登记字号", "登记类别", "登记日期", "男方姓名", "男方证件号码", "男方出生日期", "男方电话", "女方姓名",
    "女方证件号码", "女方出生日期", "女方电话", "婚后住址", "录入时间",
)  # fmt: skip
MARRIAGE_FAULTS: tuple[Fault, ...] = (
    put("impossible_date", "登记日期", "2019年02月30日"),
    put("wrong_code", "登记类别", "复婚冷静"),
    rewrite("missing_required", "女方姓名", lambda _: ""),
    DUPLICATE,
    put("phone_garbage", "男方电话", "无"),
    put("future_birth", "男方出生日期", "2099年01月01日"),
)
WED, DIVORCED = "结婚登记", "离婚登记"


def _marriage_habits(world: World, lives: Lives, rng: np.random.Generator) -> Habits:
    kinds = tuple(k for k in EVENT_KINDS if k != "sex_wrong")
    return Habits(np.full(len(lives.people), 0.6), kinds=kinds, rate=0.6, closes=True, fifteen=0.02)


def _marriages(world: World, lives: Lives, habits: Habits, rng: np.random.Generator, days: int) -> Take:
    """Weddings of couples of the community, and divorces, whose other half nobody knows any more."""
    people, today = lives.people, np.datetime64(world.as_of, "D")
    made = spelling(world, lives, habits, rng)
    wed = people.male & ~np.isnat(lives.wed) & (lives.wed >= MARRIAGES_SINCE)
    parted = (people.marital == "离婚") & (rng.random(len(people)) < 0.5)
    ago = today - rng.integers(0, 365 * YEARS, len(people))
    parted &= ago > people.birth + 365 * 24
    who = np.concatenate([np.flatnonzero(wed), np.flatnonzero(parted)])
    kind = np.concatenate([np.full(int(wed.sum()), WED), np.full(int(parted.sum()), DIVORCED)])
    taken = events(world, made, who, kind, np.concatenate([lives.wed[wed], ago[parted]]), habits, rng, days)
    other = np.where(taken.kind == WED, people.spouse[taken.who], -1)
    fault, form, name, number, birth, male = (
        np.where(other >= 0, column[other], blank)
        for column, blank in (
            (made.fault, ""), (made.id_form, "none"), (made.name, ""), (made.number, ""), (made.birth, taken.birth),
            (made.male, ~taken.male),
        )
    )  # fmt: skip
    spouse = Take(other, fault, form, name, number, birth, male, taken.first, taken.again, taken.day)
    unknown = other < 0
    year = people.birth[taken.who].astype("datetime64[Y]").astype(int) + 1970
    strangers = add(surnames(rng, len(other)), given_names(rng, ~people.male[taken.who], year))
    spouse.name[unknown] = strangers[unknown]
    return Take(
        taken.who, taken.fault, taken.id_form, taken.name, taken.number, taken.birth, taken.male, taken.first,
        taken.again, taken.day, taken.kind, taken.date, spouse,
    )  # fmt: skip


def _marriage_table(m: Moment) -> Table:
    lives, who, first, second = m.lives, m.who, m.take, m.take.second
    if second is None:
        raise ValueError("a marriage has two people")
    other = m.of(second.who)
    man_first = lives.people.male[who]
    columns: dict[str, list[Array]] = {"husband": [], "wife": []}
    mentions = []
    known, stand_in = other >= 0, np.where(other >= 0, other, 0)
    phones = np.where(known, lives.phone(stand_in, m.at), mobile_numbers(m.rng, len(who)))
    mine: list[Array] = [
        m.of(first.name), m.of(first.number), dated(m.of(first.birth), "年"), lives.phone(who, m.at),
        lives.people.person[who], m.of(first.fault), m.of(first.id_form),
    ]  # fmt: skip
    born = np.where(known, dated(m.of(second.birth), "年"), "")
    theirs: list[Array] = [
        m.of(second.name), m.of(second.number), born, phones,
        np.where(known, lives.people.person[stand_in], 0), m.of(second.fault), m.of(second.id_form),
    ]  # fmt: skip
    for role, side in (("husband", man_first), ("wife", ~man_first)):
        columns[role] = [np.where(side, a, b) for a, b in zip(mine, theirs, strict=True)]
        word = "男方" if role == "husband" else "女方"
        warned = {"id_wrong": f"{word}证件号码", "birth_wrong": f"{word}出生日期"}
        mentions.append(Mention(role, columns[role][4], columns[role][5], columns[role][6], warned))
    record = numbered("J110102-", m.serial, 7)
    address, _ = lives.residence(who, m.at)
    date = dated(m.of(first.date), "年")
    values = [record, m.of(first.kind), date, *columns["husband"][:4], *columns["wife"][:4], address, stamped(m.at)]
    return Table(values, m.serial, record, mentions)


def _marriage_layout(world: World) -> Layout:
    day = world.as_of
    seal = ("登记机关：北京市西城区民政局婚姻登记处", f"导出日期：{day.year}年{day.month}月{day.day}日")
    return workbook(MARRIAGE_HEADER, title="西城区婚姻登记情况表", seal=seal, day=day)


# --- deaths ----------------------------------------------------------------------------------------------------

DEATH_COLUMNS = ("@no", "name", "idno", "sex", "birth", "address", "community", "died", "informant", "phone", "updated")
DEATH_PIECES = (
    '<death no="', '"><deceased><name>', "</name><idno>", "</idno><sex>", "</sex><birth>", "</birth><address>",
    "</address><community>", "</community></deceased><died>", "</died><informant><name>", "</name><phone>",
    "</phone></informant><updated>", "</updated></death>\n",
)  # fmt: skip
DEATH_FAULTS: tuple[Fault, ...] = (
    put("impossible_date", "died", "20250230"),
    put("wrong_code", "sex", "M"),
    rewrite("missing_required", "name", lambda _: ""),
    DUPLICATE,
    put("future_date", "died", "20991231"),
)


def _death_habits(world: World, lives: Lives, rng: np.random.Generator) -> Habits:
    cover = np.where(lives.people.gone == "dead", 0.97, 0.0)
    return Habits(cover, kinds=EVENT_KINDS, closes=True, without_id=0.02, fifteen=0.06)


def _deaths(world: World, lives: Lives, habits: Habits, rng: np.random.Generator, days: int) -> Take:
    who = np.flatnonzero(lives.people.gone == "dead")
    made = spelling(world, lives, habits, rng)
    return events(world, made, who, np.full(len(who), "死亡"), lives.ended[who], habits, rng, days)


def _death_table(m: Moment) -> Table:
    lives, who = m.lives, m.who
    people = lives.people
    spouse = people.spouse[who]
    kin = np.where(spouse >= 0, people.name[spouse], add(people.name[who].astype("U1"), "某"))
    phone = np.where(spouse >= 0, people.phone[spouse], mobile_numbers(m.rng, len(who)))
    record = numbered("SW", m.serial, 8)
    date = m.of(m.take.date)
    birth = np.minimum(m.of(m.take.birth), date)
    address, at = lives.registered(who, date.astype("datetime64[s]"))
    values = [
        record, m.of(m.take.name), m.of(m.take.number), sexes(m.of(m.take.male)), dated(birth, ""),
        address, m.communities(at, "name"), dated(date, ""), kin, phone, stamped(m.at),
    ]  # fmt: skip
    return Table(values, m.serial, record, [m.mention({"id_wrong": "deceased.idno", "birth_wrong": "deceased.birth"})])


def _death_layout(world: World) -> Layout:
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<records>\n'
    return elements(DEATH_COLUMNS, DEATH_PIECES, head=head, tail="</records>\n")


# --- health ----------------------------------------------------------------------------------------------------

HEALTH_COLUMNS = (
    "jkdabh", "xm", "sfzjhm", "xbdm", "csrq", "mzdm", "brdh", "xzz", "jwhdm", "jdjg", "jdrq", "dazt", "xgsj",
)  # fmt: skip
HEALTH_FAULTS: tuple[Fault, ...] = (
    put("impossible_date", "csrq", "19900230"),
    put("wrong_code", "xbdm", "F"),
    put("future_birth", "csrq", "20990101"),
    rewrite("missing_required", "xm", lambda _: ""),
    put("phone_garbage", "brdh", "00000000"),
    put("unknown_code", "jwhdm", "110102999999"),
    DUPLICATE,
    rewrite("sex_against_id", "xbdm", other_sex, "warned"),
)


def _health_habits(world: World, lives: Lives, rng: np.random.Generator) -> Habits:
    age = _age(world, lives)
    cover = np.select([lives.people.floating, age < 7, age >= 65], [0.40, 0.95, 0.95], 0.74)
    return Habits(cover, kinds=ALL, closes=True, without_id=np.where(age < 3, 0.25, 0.03), fifteen=0.01)


def _health_table(m: Moment) -> Table:
    lives, who = m.lives, m.who
    people = lives.people
    address, at = lives.residence(who, m.at)
    closed = (lives.ended[who].astype("datetime64[s]") <= m.at) & ~np.isin(
        m.of(m.take.fault), ("dead_listed", "left_listed")
    )
    status = np.where(closed, np.where(people.gone[who] == "dead", "死亡", "迁出"), "在管")
    codes = {"汉族": "01", "蒙古族": "02", "回族": "03", "维吾尔族": "05", "苗族": "06", "壮族": "08", "朝鲜族": "10",
             "满族": "11", "土家族": "15"}  # fmt: skip
    ethnic = np.select([people.ethnic[who] == n for n in codes], list(codes.values()), "01")
    record = numbered("110102JK", m.serial)
    opened = np.maximum(lives.entered[who], np.datetime64("2009-07-01")) + who % 900  # the service began in 2009
    opened = np.minimum(m.at.astype("datetime64[D]"), opened)
    values = [
        record, m.of(m.take.name), m.of(m.take.number), sexes(m.of(m.take.male), ("1", "2")),
        dated(m.of(m.take.birth), ""), ethnic, lives.phone(who, m.at), address, m.communities(at, "code"),
        add(m.communities(at, "street_name"), "社区卫生服务中心"), dated(opened, ""), status, stamped(m.at),
    ]  # fmt: skip
    warned = {"id_wrong": "sfzjhm", "birth_wrong": "csrq", "sex_wrong": "xbdm"}
    return Table(values, m.serial, record, [m.mention(warned)])


# --- schools ---------------------------------------------------------------------------------------------------

STUDENT_HEADER = (
    "学籍号", "学生姓名", "身份证件号", "性别", "出生日期", "学校", "年级", "班级", "家庭住址", "监护人姓名", "关系",
    "监护人身份证件号", "监护人联系电话", "更新日期",
)  # fmt: skip
STUDENT_FAULTS: tuple[Fault, ...] = (
    put("impossible_date", "出生日期", "20130230"),
    put("wrong_code", "性别", "男生"),
    rewrite("missing_required", "学校", lambda _: ""),
    put("phone_garbage", "监护人联系电话", "同上"),
    DUPLICATE,
    rewrite("birth_against_id", "出生日期", _day_before, "warned", needs="身份证件号"),
    RAGGED_LONG,
)
GRADES = ("一年级", "二年级", "三年级", "四年级", "五年级", "六年级", "初一", "初二", "初三", "高一", "高二", "高三")


def _student_habits(world: World, lives: Lives, rng: np.random.Generator) -> Habits:
    age = _age(world, lives)
    cover = np.where((age >= 6.3) & (age < 18.3), 0.9, 0.0)
    kinds = tuple(k for k in ALL if k != "phone_stale")
    return Habits(cover, kinds=kinds, without_id=0.05)


def _students(world: World, lives: Lives, habits: Habits, rng: np.random.Generator, days: int) -> Take:
    """Pupils, and beside each a parent, in another clerk's spelling, often without an ID."""
    taken = take(world, lives, habits, rng, days)
    kinds = ("name_by_sound", "name_by_shape", "name_familiar", "id_wrong", "id_missing")
    parents = spelling(world, lives, Habits(habits.cover, kinds=kinds, without_id=0.45), rng)
    at = lives.people.guardian[taken.who]
    at = np.where((at >= 0) & lives.people.here[at], at, -1)
    blank = at < 0
    fault, form, name, number = (
        np.where(blank, empty, column[at])
        for column, empty in ((parents.fault, ""), (parents.id_form, "none"), (parents.name, ""), (parents.number, ""))
    )
    parent = Take(at, fault, form, name, number, taken.birth, taken.male, taken.first, taken.again, taken.day)
    return Take(
        taken.who, taken.fault, taken.id_form, taken.name, taken.number, taken.birth, taken.male, taken.first,
        taken.again, taken.day, second=parent,
    )  # fmt: skip


def _student_table(m: Moment) -> Table:
    lives, who, second = m.lives, m.who, m.take.second
    if second is None:
        raise ValueError("a pupil has a guardian, if an unknown one")
    people = lives.people
    year = ((m.at.astype("datetime64[D]") - people.birth[who]).astype(int) / 365.25 - 6).astype(int).clip(0, 11)
    level = np.select([year < 6, year < 9], ["小学", "初级中学"], "高级中学")
    address, at = lives.residence(who, m.at)
    street = np.strings.replace(m.communities(at, "street_name"), "街道", "")
    school = add(add("北京市西城区", street), add(np.where(who % 3 == 0, "第一", "第二"), level))
    guardian = m.of(second.who)
    known, stand_in = guardian >= 0, np.where(guardian >= 0, guardian, 0)
    relation = np.where(known, np.where(people.male[stand_in], "父亲", "母亲"), "")
    record = numbered("L1101022", m.serial, 8)
    values = [
        record, m.of(m.take.name), m.of(m.take.number), sexes(m.of(m.take.male)), dated(m.of(m.take.birth), ""),
        school, np.array(GRADES)[year], add((who % 8 + 1).astype("U2"), "班"), address, m.of(second.name), relation,
        m.of(second.number), np.where(known, lives.phone(stand_in, m.at), ""), stamped(m.at),
    ]  # fmt: skip
    warned = {"id_wrong": "身份证件号", "birth_wrong": "出生日期", "sex_wrong": "性别"}
    of_guardian = Mention(
        "guardian", np.where(known, people.person[stand_in], 0), m.of(second.fault), m.of(second.id_form),
        {"id_wrong": "监护人身份证件号"}, subject=False,
    )  # fmt: skip
    return Table(values, m.serial, record, [m.mention(warned), of_guardian])


# --- social insurance ------------------------------------------------------------------------------------------

INSURED_HEADER = (
    "个人编号", "社会保障号码", "姓名", "性别", "出生年月日", "险种", "参保状态", "手机号码", "通讯地址", "经办时间",
)  # fmt: skip
INSURED_FAULTS: tuple[Fault, ...] = (
    put("impossible_date", "出生年月日", "19850431"),
    put("wrong_code", "险种", "商业保险"),
    rewrite("missing_required", "姓名", lambda _: ""),
    put("phone_garbage", "手机号码", "1380013"),
    DUPLICATE,
    rewrite("sex_against_id", "性别", other_sex, "warned", needs="社会保障号码"),
    RAGGED_LONG,
)


def _insured_habits(world: World, lives: Lives, rng: np.random.Generator) -> Habits:
    age = _age(world, lives)
    cover = np.select([age < 18, lives.people.floating, age < 23], [0.0, 0.5, 0.55], 0.90)
    return Habits(cover, kinds=ALL, closes=True, without_id=0.01, fifteen=0.05)


def _insured_table(m: Moment) -> Table:
    lives, who = m.lives, m.who
    people = lives.people
    listed = np.isin(m.of(m.take.fault), ("dead_listed", "left_listed"))
    over = (lives.ended[who].astype("datetime64[s]") <= m.at) & ~listed
    age = (m.at.astype("datetime64[D]") - people.birth[who]).astype(int) / 365.25
    retired = age >= np.where(people.male[who], 60, 55)
    status = np.select([over, retired, who % 11 == 0], ["4", "3", "2"], "1")
    kind = np.select([(age < 24) | (who % 13 == 0), who % 7 == 0], ["3", "2"], "1")
    record = numbered("1102", m.serial, 10)
    address, _ = lives.residence(who, m.at)
    values = [
        record, m.of(m.take.number), m.of(m.take.name), sexes(m.of(m.take.male), ("1", "2")),
        dated(m.of(m.take.birth), ""), kind, status, lives.phone(who, m.at),
        np.strings.replace(address, "北京市西城区", ""), stamped(m.at, ""),
    ]  # fmt: skip
    warned = {"id_wrong": "社会保障号码", "birth_wrong": "出生年月日", "sex_wrong": "性别"}
    return Table(values, m.serial, record, [m.mention(warned)])


# --- disability ------------------------------------------------------------------------------------------------

DISABILITY_HEADER = (
    "残疾人证号", "姓名", "性别", "出生年月日", "残疾类别", "残疾等级", "社区", "家庭住址", "联系电话", "监护人",
    "监护人电话", "发证日期", "更新日期",
)  # fmt: skip
DISABILITY_FAULTS: tuple[Fault, ...] = (
    put("impossible_date", "出生年月日", "1966.02.30"),
    put("wrong_code", "残疾类别", "其他残疾"),
    rewrite("missing_required", "残疾人证号", lambda _: ""),
    put("phone_garbage", "联系电话", "不详"),
    DUPLICATE,
)
DISABILITIES = np.array(["视力", "听力", "言语", "肢体", "智力", "精神", "多重"])
DISABILITY_SHARE = np.cumsum((0.13, 0.17, 0.02, 0.45, 0.09, 0.11, 0.03))


def _disability_habits(world: World, lives: Lives, rng: np.random.Generator) -> Habits:
    age = _age(world, lives)
    cover = np.where(lives.people.floating, 0.0, np.select([age < 18, age < 60], [0.006, 0.022], 0.07))
    kinds = ("name_by_sound", "name_by_shape", "id_wrong", "birth_wrong", "sex_wrong", "address_stale", "phone_stale")
    return Habits(cover, kinds=kinds)


def _disability_table(m: Moment) -> Table:
    lives, who = m.lives, m.who
    people = lives.people
    draw = (people.person[who] * 2_654_435_761 % 1000) / 1000  # the same at each delivery
    kind = np.searchsorted(DISABILITY_SHARE, draw, side="right").clip(0, 6)
    level = (people.person[who] % 4 + 1).astype(int)
    certificate = add(m.of(m.take.number), add((kind + 1).astype("U1"), level.astype("U1")))
    address, at = lives.residence(who, m.at)
    spouse = people.spouse[who]
    cared = (level <= 2) & (spouse >= 0)
    issued = np.minimum(m.at.astype("datetime64[D]"), people.birth[who] + 365 * 3)
    issued = np.maximum(issued, m.at.astype("datetime64[D]") - 700)
    values = [
        certificate, m.of(m.take.name), sexes(m.of(m.take.male)), dated(m.of(m.take.birth), "."), DISABILITIES[kind],
        np.array(["一级", "二级", "三级", "四级"])[level - 1], m.communities(at, "name"), address,
        lives.phone(who, m.at), np.where(cared, people.name[spouse], ""),
        np.where(cared, people.phone[spouse], ""), dated(issued, "."), stamped(m.at),
    ]  # fmt: skip
    warned = {"id_wrong": "残疾人证号", "birth_wrong": "出生年月日"}
    return Table(values, m.serial, certificate, [m.mention(warned)])


def _disability_layout(world: World) -> Layout:
    day = world.as_of
    seal = ("填报单位：西城区残疾人联合会（盖章）", f"日期：{day.year}年{day.month}月{day.day}日")
    return workbook(DISABILITY_HEADER, title="西城区残疾人证核发情况表", seal=seal, day=day)


# --- homes -----------------------------------------------------------------------------------------------------

HOUSING_HEADER = (
    "登记编号", "房屋编码", "房屋坐落", "所属社区", "使用人类别", "使用人", "证件号", "出生年份", "电话", "入住日期",
    "登记时间",
)  # fmt: skip
HOUSING_FAULTS: tuple[Fault, ...] = (
    put("impossible_date", "入住日期", "2023-02-29"),
    put("wrong_code", "使用人类别", "借住"),
    rewrite("missing_required", "使用人", lambda _: ""),
    put("phone_garbage", "电话", "停机"),
    DUPLICATE,
    put("not_a_number", "出生年份", "不详"),
    RAGGED_LONG,
)


def _housing_habits(world: World, lives: Lives, rng: np.random.Generator) -> Habits:
    people = lives.people
    cover = np.where(np.isin(people.role, (HEAD, SPOUSE)), 0.72, 0.42)
    kinds = tuple(k for k in ALL if k != "sex_wrong")
    return Habits(cover, kinds=kinds, without_id=np.where(people.role == HEAD, 0.15, 0.65), fifteen=0.02)


def _housing_table(m: Moment) -> Table:
    lives, who = m.lives, m.who
    people = lives.people
    address, at = lives.residence(who, m.at)
    homes, place = np.unique(address, return_inverse=True)
    codes = np.array([f"{zlib.crc32(h.encode()):010d}" for h in homes.tolist()])[place]
    head = people.role[who] == HEAD
    kind = np.where(head, np.where(people.floating[who], "承租人", "产权人"), "同住人")
    since = np.maximum(lives.entered[who], np.datetime64("1990-01-01"))
    moved = lives.moved[who].astype("datetime64[s]")
    since = np.where(moved <= m.at, lives.moved[who], since)
    record = numbered("FW", m.serial)
    values = [
        record, add("110102", codes), address, m.communities(at, "name"), kind, m.of(m.take.name), m.of(m.take.number),
        m.of(m.take.birth).astype("datetime64[Y]").astype(str), lives.phone(who, m.at), dated(since), stamped(m.at),
    ]  # fmt: skip
    return Table(values, m.serial, record, [m.mention({"id_wrong": "证件号"})])


SOCIAL = (
    Register(
        "civil_affairs__marriages", "civil_affairs/marriages", "hydj_{day}.xlsx", "hydj_{day}.xlsx", _marriage_layout,
        MARRIAGE_FAULTS, _marriage_habits, _marriage_table, _marriages, footer="合计：{}条",
    ),
    Register(
        "civil_affairs__deaths", "civil_affairs/deaths", "deaths_{day}.xml", "deaths_{day}.xml", _death_layout,
        DEATH_FAULTS, _death_habits, _death_table, _deaths,
    ),
    Register(
        "health__records", "health/records", "jkda_{day}.ndjson", "jkda_{day}.ndjson",
        lambda _: json_lines(HEALTH_COLUMNS), HEALTH_FAULTS, _health_habits, _health_table,
    ),
    Register(
        "education__students", "education/students", "xueji_{day}.csv", "xueji_{day}.csv",
        lambda _: delimited(STUDENT_HEADER, encoding="utf-8-sig"), STUDENT_FAULTS, _student_habits, _student_table,
        _students,
    ),
    Register(
        "social_security__insured", "social_security/insured", "cbry_{day}.txt", "cbry_{day}.txt",
        lambda _: delimited(INSURED_HEADER, "|", encoding="gb18030"), INSURED_FAULTS, _insured_habits, _insured_table,
    ),
    Register(
        "disabled_federation__certificates", "disabled_federation/certificates", "cjrz_{day}.xlsx", "cjrz_{day}.xlsx",
        _disability_layout, DISABILITY_FAULTS, _disability_habits, _disability_table, footer="合计：{}人",
    ),
    Register(
        "housing__occupants", "housing/occupants", "fwsyr_{day}.csv", "fwsyr_{day}.csv",
        lambda _: delimited(HOUSING_HEADER, "\t", eol="\n"), HOUSING_FAULTS, _housing_habits, _housing_table,
    ),
)  # fmt: skip

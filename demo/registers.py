"""The registers of public security: households, their changes, and the floating population."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo.faults import DUPLICATE, RAGGED_LONG, RAGGED_SHORT, Fault, put, rewrite
from demo.identifiers import break_check
from demo.layouts import Layout, delimited, workbook
from demo.lives import YEARS, Lives
from demo.sheaf import Mention, Table
from demo.takes import Habits, Take, take
from demo.world import World

Array = NDArray[Any]
add: Any = np.strings.add


@dataclass(frozen=True)
class Moment:
    """What a register writes its records from: which of a take, at what time, under which numbers."""

    world: World
    lives: Lives
    take: Take
    pick: Array
    at: Array
    serial: Array
    rng: np.random.Generator

    @property
    def who(self) -> Array:
        return self.take.who[self.pick]

    def of(self, column: Array) -> Array:
        """A column of the take for the picked records."""
        return column[self.pick]

    def mention(self, warned: dict[str, str], role: str = "") -> Mention:
        """The records' own people."""
        t = self.take
        return Mention(role, self.lives.people.person[self.who], self.of(t.fault), self.of(t.id_form), warned)

    def communities(self, at: Array, attribute: str) -> Array:
        """``code``, ``name`` or ``street_name`` of the communities at these places."""
        texts = [c.street.name if attribute == "street_name" else getattr(c, attribute) for c in self.world.communities]
        return np.array(texts)[at]


@dataclass(frozen=True)
class Register:
    """A register: where it goes, how it is laid out, who is in it and what it says.

    Attributes:
        base, day: file names below the feed's folder, with ``{day}`` for ``YYYYMMDD``; no ``day``: one file, monthly.
        faults: of whole records; footer: last line of a workbook, with the number of records.
        records: the community's records; None: a take of people after ``habits``.
        table: what the records say.
    """

    feed: str
    folder: str
    base: str
    day: str
    layout: Callable[[World], Layout]
    faults: tuple[Fault, ...]
    habits: Callable[[World, Lives, np.random.Generator], Habits]
    table: Callable[[Moment], Table]
    records: Callable[[World, Lives, Habits, np.random.Generator, int], Take] = take
    footer: str = ""


# --- ways of writing -------------------------------------------------------------------------------------------


def dated(days: Array, form: str = "-") -> Array:
    """Dates as text, joined by ``form``; ``年`` gives ``2026年06月30日``; "" for none."""
    text = np.datetime_as_string(days.astype("datetime64[D]"), unit="D")
    if form == "年":
        text = add(np.strings.replace(np.strings.replace(text, "-", "年", 1), "-", "月", 1), "日")
    elif form != "-":
        text = np.strings.replace(text, "-", form)
    return np.where(np.isnat(days), "", text)


def stamped(times: Array, form: str = " ") -> Array:
    """Times as ``YYYY-MM-DD HH:MM:SS``, or fourteen digits for an empty ``form``."""
    text = np.datetime_as_string(times.astype("datetime64[s]"), unit="s")
    if form == "":
        return np.strings.replace(np.strings.replace(np.strings.replace(text, "-", ""), ":", ""), "T", "")
    return np.strings.replace(text, "T", form)


def numbered(prefix: str, serial: Array, digits: int = 9) -> Array:
    """Record numbers of a register."""
    return add(prefix, np.strings.zfill((serial + 1).astype("U9"), digits))


def sexes(male: Array, words: tuple[str, str] = ("男", "女")) -> Array:
    return np.where(male, words[0], words[1])


def other_day(birth: str) -> str:
    """Another day of the same month."""
    return birth[:-2] + ("15" if birth[-2:] != "15" else "16")


def other_sex(value: str) -> str:
    return {"男": "女", "女": "男", "1": "2", "2": "1"}[value]


# --- households ------------------------------------------------------------------------------------------------

HOUSEHOLD_HEADER: tuple[str, ...] = (
    "身份证号", "姓名", "性别", "民族", "出生日期", "户号", "与户主关系", "文化程度", "婚姻状况", "户籍地址",
    "社区编码", "联系电话", "更新时间",
)  # fmt: skip
HOUSEHOLD_FAULTS: tuple[Fault, ...] = (
    rewrite("bad_checksum_id", "身份证号", break_check),
    put("wrong_code", "性别", "M"),
    put("impossible_date", "出生日期", "1990-02-30"),
    put("future_birth", "出生日期", "2099-01-01"),
    rewrite("missing_required", "姓名", lambda _: ""),
    put("phone_garbage", "联系电话", "12345"),
    put("unknown_code", "社区编码", "110102999999"),
    DUPLICATE,
    RAGGED_LONG,
    rewrite("truncated_id", "身份证号", lambda v: v[:17]),
    rewrite("scientific_id", "身份证号", lambda v: f"{float(v[:17]) * 10:.2E}"),
    put("unknown_name_of_code", "民族", "外星族"),
    rewrite("sex_against_id", "性别", other_sex, "warned"),
    rewrite("birth_against_id", "出生日期", other_day, "warned"),
    RAGGED_SHORT,
)


def _household_habits(world: World, lives: Lives, rng: np.random.Generator) -> Habits:
    cover = np.where(lives.people.floating, 0.0, 1.0)
    kinds = ("name_by_sound", "name_by_shape", "address_stale", "phone_stale")
    return Habits(cover, kinds=kinds, rate=0.2)


def _household(m: Moment) -> Table:
    people, who = m.lives.people, m.who
    births = dated(m.of(m.take.birth))
    births = np.where(who % 2 == 0, np.strings.replace(births, "-", "/"), births)
    address, at = m.lives.registered(who, m.at)
    single = m.lives.wed[who] > m.at  # NaT compares false
    values = [
        m.of(m.take.number), m.of(m.take.name), sexes(m.of(m.take.male)), people.ethnic[who], births,
        add("110102", np.strings.zfill(people.household[who].astype("U8"), 8)), people.relation[who],
        people.education[who], np.where(single, "未婚", people.marital[who]), address, m.communities(at, "code"),
        m.lives.phone(who, m.at), stamped(m.at),
    ]  # fmt: skip
    return Table(values, m.serial, np.full(len(who), ""), [m.mention({})])


# --- changes of household --------------------------------------------------------------------------------------

CHANGES_HEADER = (
    "变动编号", "变动类别", "变动日期", "公民身份号码", "姓名", "性别", "出生日期", "户号", "原住址", "现住址",
    "社区编码", "登记时间",
)  # fmt: skip
CHANGES_FAULTS: tuple[Fault, ...] = (
    put("impossible_date", "变动日期", "2025/02/30"),
    put("wrong_code", "变动类别", "其它"),
    rewrite("missing_required", "姓名", lambda _: ""),
    DUPLICATE,
    put("future_date", "变动日期", "2099/01/01"),
    rewrite("birth_against_id", "出生日期", other_day, "warned", needs="公民身份号码"),
    RAGGED_LONG,
)
BORN, CAME, MOVED, LEFT, DIED = "出生", "迁入登记", "移居", "迁出登记", "死亡"


def _changes_habits(world: World, lives: Lives, rng: np.random.Generator) -> Habits:
    cover = np.where(lives.people.floating, 0.0, 0.98)
    kinds = ("name_by_sound", "name_by_shape", "name_swapped", "id_missing", "id_wrong", "birth_wrong", "sex_wrong")
    return Habits(cover, kinds=kinds, closes=True)


def _changes(world: World, lives: Lives, habits: Habits, rng: np.random.Generator, days: int) -> Take:
    """One record an event of somebody's household registration within the last years."""
    people = lives.people
    since = np.datetime64(world.as_of, "D") - 365 * YEARS
    own = ~people.floating
    born = own & (people.birth == lives.entered) & (people.birth > since)
    came = own & ~born & (lives.entered > since)
    moved = own & ~np.isnat(lives.moved) & ~lives.apart
    which = {
        BORN: (born, lives.entered),
        CAME: (came, lives.entered),
        MOVED: (moved, lives.moved),
        LEFT: (own & (people.gone == "left"), lives.ended),
        DIED: (own & (people.gone == "dead"), lives.ended),
    }
    who = np.concatenate([np.flatnonzero(w) for w, _ in which.values()])
    kind = np.concatenate([np.full(int(w.sum()), k) for k, (w, _) in which.items()])
    date = np.concatenate([d[w] for w, d in which.values()])
    return events(world, spelling(world, lives, habits, rng), who, kind, date, habits, rng, days)


def spelling(world: World, lives: Lives, habits: Habits, rng: np.random.Generator) -> Take:
    """Everybody once, as the clerks of a register of events would spell them; its times mean nothing."""
    everybody = Habits(np.ones(len(lives.people)), tuple(habits.kinds), habits.rate, habits.without_id, habits.fifteen,
                       closes=True, listed_on=0.0)  # fmt: skip
    return take(world, lives, everybody, rng, 0)


def events(
    world: World, made: Take, who: Array, kind: Array, date: Array, habits: Habits, rng: np.random.Generator, days: int
) -> Take:
    """Records of events: each is entered some days after its date, once, and never touched again.

    Args:
        made: everybody of the community once, in whose spelling the events are entered.
        who, kind, date: of the events.
    """
    today: Any = np.datetime64(world.as_of, "D")
    entered = date + rng.integers(0, 6, len(who))
    kept = (entered <= today) & (rng.random(len(who)) < habits.cover[who])
    who, kind, date, entered = who[kept], kind[kept], date[kept], entered[kept]
    order = np.argsort(entered, kind="stable")
    who, kind, date, entered = who[order], kind[order], date[order], entered[order]
    at = entered.astype("datetime64[s]") + rng.integers(30_000, 61_000, len(who))
    news = entered > today - days
    day = np.where(news, (entered.astype("datetime64[D]") - today).astype(int) + days, 0)
    nat = np.datetime64("NaT", "s")
    return Take(
        who, made.fault[who], made.id_form[who], made.name[who], made.number[who], made.birth[who], made.male[who],
        np.where(news, nat, at), np.where(news, at, nat), day,
        kind, date,
    )  # fmt: skip


def _changes_table(m: Moment) -> Table:
    lives, who, kind = m.lives, m.who, m.of(m.take.kind)
    people, date = lives.people, m.of(m.take.date)
    outside = np.where(people.floating[who], people.origin[who], add(people.origin[who], "（市外）"))
    eve, after = date.astype("datetime64[s]") - 1, date.astype("datetime64[s]") + 86_399
    old, _ = lives.registered(who, eve)
    new, at = lives.registered(who, after)
    former = np.select([kind == BORN, kind == CAME], ["", outside], old)
    left = np.isin(kind, (LEFT, DIED))
    record = numbered("HKBD", m.serial)
    values = [
        record, kind, dated(date, "/"), m.of(m.take.number), m.of(m.take.name), sexes(m.of(m.take.male)),
        dated(m.of(m.take.birth), "/"), add("110102", np.strings.zfill(people.household[who].astype("U8"), 8)),
        former, np.where(left, "", new), m.communities(at, "code"), stamped(m.at),
    ]  # fmt: skip
    warned = {"id_wrong": "公民身份号码", "birth_wrong": "出生日期"}
    return Table(values, m.serial, record, [m.mention(warned)])


# --- floating population ---------------------------------------------------------------------------------------

FLOATING_HEADER: tuple[str, ...] = (
    "街道", "社区", "姓名", "证件号码", "性别", "出生日期", "户籍所在地", "来京日期", "现住址", "联系电话", "登记日期",
)  # fmt: skip
FLOATING_FAULTS: tuple[Fault, ...] = (
    rewrite("bad_checksum_id", "证件号码", break_check),
    put("wrong_code", "性别", "F"),
    put("impossible_date", "来京日期", "2024/13/05"),
    put("future_birth", "出生日期", "2098/05/01"),
    rewrite("missing_required", "姓名", lambda _: ""),
    put("phone_garbage", "联系电话", "无"),
    DUPLICATE,
    rewrite("sex_against_id", "性别", other_sex, "loaded"),
    rewrite("birth_against_id", "出生日期", other_day, "warned"),
)


def _floating_habits(world: World, lives: Lives, rng: np.random.Generator) -> Habits:
    cover = np.where(lives.people.floating, 1.0, 0.0)
    kinds = ("name_by_sound", "name_by_shape", "name_swapped", "phone_stale")
    return Habits(cover, kinds=kinds, rate=0.5, fifteen=0.03)


def _floating_take(world: World, lives: Lives, habits: Habits, rng: np.random.Generator, days: int) -> Take:
    return take(world, lives, habits, rng, 0)  # a monthly list: nothing happens to it in between


def _floating(m: Moment) -> Table:
    people, who = m.lives.people, m.who
    address, at = m.lives.residence(who, m.at)
    address = np.where(who % 5 == 0, add(address, "（出租房）"), address)
    values = [
        m.communities(at, "street_name"), m.communities(at, "name"), m.of(m.take.name), m.of(m.take.number),
        sexes(m.of(m.take.male)), dated(m.of(m.take.birth), "/"), people.origin[who],
        dated(m.lives.entered[who], "/"), address, m.lives.phone(who, m.at), dated(m.at.astype("datetime64[D]"), "/"),
    ]  # fmt: skip
    return Table(values, m.serial, np.full(len(who), ""), [m.mention({})])


def _floating_layout(world: World) -> Layout:
    day = world.as_of
    seal = ("填报单位：北京市公安局西城分局（盖章）", f"日期：{day.year}年{day.month}月{day.day}日")
    return workbook(FLOATING_HEADER, title="西城区流动人口登记表", seal=seal, day=day, merge_first=True)


PUBLIC_SECURITY = (
    Register(
        "public_security__household", "public_security/household", "household_{day}.csv", "household_{day}.csv",
        lambda _: delimited(HOUSEHOLD_HEADER, encoding="gb18030"), HOUSEHOLD_FAULTS, _household_habits, _household,
    ),
    Register(
        "public_security__household_changes", "public_security/household_changes", "hkbd_{day}.csv", "hkbd_{day}.csv",
        lambda _: delimited(CHANGES_HEADER, encoding="gb18030"), CHANGES_FAULTS, _changes_habits, _changes_table,
        _changes,
    ),
    Register(
        "public_security__floating_population", "public_security/floating_population", "floating_{month}.xlsx", "",
        _floating_layout, FLOATING_FAULTS, _floating_habits, _floating, _floating_take, footer="合计：{}人",
    ),
)  # fmt: skip

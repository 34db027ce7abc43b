"""The two population registers: household (public security, CSV) and floating population (XLSX)."""

from __future__ import annotations

from typing import Any

import numpy as np

from demo.faults import DUPLICATE, RAGGED_LONG, RAGGED_SHORT, Fault, Row, put, rewrite
from demo.identifiers import break_check, mobile_numbers
from demo.people import People
from demo.world import World


def _other_day(birth: str) -> str:
    return birth[:-2] + ("15" if birth[-2:] != "15" else "16")


HOUSEHOLD_HEADER: tuple[str, ...] = (
    "身份证号",
    "姓名",
    "性别",
    "民族",
    "出生日期",
    "户号",
    "与户主关系",
    "文化程度",
    "婚姻状况",
    "户籍地址",
    "社区编码",
    "联系电话",
    "更新时间",
)
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
    rewrite("sex_against_id", "性别", lambda v: "女" if v == "男" else "男", "warned"),
    rewrite("birth_against_id", "出生日期", _other_day, "warned"),
    RAGGED_SHORT,
)

FLOATING_HEADER: tuple[str, ...] = (
    "街道",
    "社区",
    "姓名",
    "证件号码",
    "性别",
    "出生日期",
    "户籍所在地",
    "来京日期",
    "现住址",
    "联系电话",
    "登记日期",
)
FLOATING_FAULTS: tuple[Fault, ...] = (
    rewrite("bad_checksum_id", "证件号码", break_check),
    put("wrong_code", "性别", "F"),
    put("impossible_date", "来京日期", "2024/13/05"),
    put("future_birth", "出生日期", "2098/05/01"),
    rewrite("missing_required", "姓名", lambda _: ""),
    put("phone_garbage", "联系电话", "无"),
    DUPLICATE,
    rewrite("sex_against_id", "性别", lambda v: "女" if v == "男" else "男", "loaded"),
    rewrite("birth_against_id", "出生日期", _other_day, "warned"),
)


def household_rows(world: World, people: People) -> list[Row]:
    """The register's records of the settled residents of a community; row grain: one person."""
    rng = world.rng("household_register", people.community.index)
    keep = np.flatnonzero(~people.floating)
    if not len(keep):
        return []
    births = people.birth[keep].astype(str)
    births = np.where(rng.random(len(keep)) < 0.5, np.strings.replace(births, "-", "/"), births)
    ethnic = people.ethnic[keep].astype("U8")
    last = np.datetime64(world.as_of, "s") - 86_400  # the day before the increment
    born = people.birth[keep].astype("datetime64[s]")
    span = np.minimum((last - born).astype(np.int64), 86_400 * 3000)
    updated = last - (rng.random(len(keep)) * span).astype(np.int64) + rng.integers(30_000, 61_000, len(keep))
    stamps = np.strings.replace(np.datetime_as_string(updated), "T", " ")
    return [
        [
            str(people.resident_id[i]),
            str(people.name[i]),
            "男" if people.male[i] else "女",
            str(ethnic[k]),
            str(births[k]),
            f"110102{people.household[i]:08d}",
            str(people.relation[i]),
            str(people.education[i]),
            str(people.marital[i]),
            str(people.address[i]),
            people.community.code,
            str(people.phone[i]),
            str(stamps[k]),
        ]
        for k, i in enumerate(keep.tolist())
    ]


def household_changes(world: World, community: int, rows: list[Row], touched: set[int]) -> list[Row]:
    """About one resident in a hundred with a new phone, address or marriage on the last day.

    Args:
        touched: records with a fault; they are left alone, so that the truth stays plain.
    """
    rng = world.rng("household_changes", community)
    stamp = world.as_of.isoformat()
    out = []
    for i in np.flatnonzero(rng.random(len(rows)) < 0.01).tolist():
        if i in touched:
            continue
        row = list(rows[i])
        kind = int(rng.integers(3))
        if kind == 0:
            row[11] = str(mobile_numbers(rng, 1)[0])
        elif kind == 1:
            row[9] = str(rows[int(rng.integers(len(rows)))][9])
        elif row[8] == "未婚" and row[6] == "户主":
            row[8] = "初婚"
        row[12] = f"{stamp} {int(rng.integers(8, 18)):02d}:{int(rng.integers(60)):02d}:{int(rng.integers(60)):02d}"
        out.append(row)
    return out


def floating_rows(world: World, people: People) -> list[Row]:
    """The register's records of the floating population of a community; row grain: one person."""
    rng = world.rng("floating_register", people.community.index)
    keep = np.flatnonzero(people.floating)
    today = np.datetime64(world.as_of)
    arrived = np.maximum(today - rng.integers(40, 3000, len(keep)), people.birth[keep])
    registered = np.minimum(arrived + rng.integers(1, 40, len(keep)), today - 1)
    lodging = np.where(rng.random(len(keep)) < 0.2, "（出租房）", "")
    return [
        [
            people.community.street.name,
            people.community.name,
            str(people.name[i]),
            str(people.resident_id[i]),
            "男" if people.male[i] else "女",
            _slashed(people.birth[i]),
            str(people.origin[i]),
            _slashed(arrived[k]),
            f"{people.address[i]}{lodging[k]}",
            str(people.phone[i]),
            _slashed(registered[k]),
        ]
        for k, i in enumerate(keep.tolist())
    ]


def _slashed(day: Any) -> str:
    return str(day).replace("-", "/")

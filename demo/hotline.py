"""The 12345 hotline: work orders of six months with seasons, bursts and response times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from demo.entities import Contact
from demo.faults import DUPLICATE, RAGGED_LONG, Fault, Row, put, swap
from demo.world import World, word_list

HEADER: tuple[str, ...] = (
    "工单编号",
    "来电时间",
    "来电人",
    "来电号码",
    "街道",
    "社区",
    "发生地址",
    "一级分类",
    "二级分类",
    "三级分类",
    "标题",
    "主要内容",
    "七有五性",
    "承办单位",
    "派单时间",
    "首次联系时间",
    "办结时间",
    "处理时限(小时)",
    "是否解决",
    "是否满意",
    "是否剔除",
    "更新时间",
)
FAULTS: tuple[Fault, ...] = (
    swap("response_before_call", "来电时间", "首次联系时间", needs="首次联系时间"),
    put("wrong_code", "是否满意", "还行"),
    put("impossible_date", "来电时间", "2026-02-30 09:15:00"),
    put("missing_required", "一级分类", ""),
    put("phone_garbage", "来电号码", "1380000"),
    put("unknown_code", "街道", "西直门街道"),
    DUPLICATE,
    put("negative_value", "处理时限(小时)", "-24"),
    RAGGED_LONG,
    put("unknown_name_of_code", "七有五性", "行有所乐"),
)
# day of week (Monday first) and hour of day: when people call
WEEK = np.array([1.25, 1.15, 1.1, 1.1, 1.05, 0.7, 0.65])
HOURS = np.array([1, 0.6, 0.4, 0.4, 0.4, 0.6, 1.5, 4, 8, 10, 9.5, 7, 5, 6, 8, 8, 7.5, 6.5, 5.5, 6, 6.5, 5.5, 3.5, 2])


@dataclass(frozen=True)
class Orders:
    """Work orders in order of the call; arrays of equal length, ``datetime64[s]`` Beijing time.

    ``nothing`` (NaT) stands for an event that never comes.
    """

    called: Any
    dispatched: Any
    contacted: Any
    closed: Any
    reviewed: Any
    category: Any
    caller: Any
    place: Any
    burst: Any
    excluded: Any
    resolved: Any
    satisfied: Any

    def __len__(self) -> int:
        return len(self.called)


def window(world: World) -> tuple[date, date]:
    """First and last day of calls: 181 days up to the last day."""
    return world.as_of - timedelta(days=180), world.as_of


def make_orders(world: World, people: Sequence[Contact]) -> Orders:
    """Draw the orders with all their events, known or still to come on the last day."""
    rng = world.rng("orders")
    data = word_list("hotline.yaml")
    categories, bursts = data["categories"], data["bursts"]
    first, _ = window(world)
    names = {s.code: s.name for s in world.streets}
    n = world.orders
    days = np.array([first + timedelta(days=d) for d in range(181)])
    load = np.array([_load(categories, d) for d in days])  # days × categories
    cell = rng.choice(load.size, n, p=(load / load.sum()).ravel())
    day, category = cell // load.shape[1], cell % load.shape[1]
    place = rng.integers(0, len(people), n)
    burst = np.full(n, -1)
    for b, spec in enumerate(bursts):
        start = (date(world.as_of.year, spec["month"], spec["day"]) - first).days
        if not 0 <= start <= 180 - spec["days"]:
            continue
        near = np.array([i for i, p in enumerate(people) if p.street == names[spec["street"]]])
        part = rng.random(n) < spec["share_pct"] / 100
        day[part] = start + rng.integers(0, spec["days"], part.sum())
        category[part], burst[part] = spec["category"], b
        if len(near):
            place[part] = near[rng.integers(0, len(near), part.sum())]
    hour = rng.choice(24, n, p=HOURS / HOURS.sum())
    called = np.datetime64(first, "s") + day * 86_400 + hour * 3600 + rng.integers(0, 3600, n)
    order = np.argsort(called, kind="stable")
    called, category, place, burst = called[order], category[order], place[order], burst[order]
    limit = np.array([c["hours"] for c in categories])[category]
    dispatched = called + rng.integers(120, 5400, n)
    late = rng.random(n) < 0.055
    contacted = dispatched + (
        np.where(late, 1.05 + rng.random(n), rng.beta(1.4, 4, n)) * np.minimum(limit, 24) * 3600
    ).astype(int)
    closed = contacted + (rng.gamma(1.6, 0.30, n) * limit * 3600).astype(int) + 600
    reviewed = closed + rng.integers(7_200, 4 * 86_400, n)
    draw = rng.random((3, n))
    hard = np.isin(category, [1, 5, 6, 8])
    resolved = np.select([draw[0] < 0.86 - 0.14 * hard, draw[0] < 0.96], ["是", "否"], "")
    happy = np.where(resolved == "是", 0.80, 0.22)
    satisfied = np.select([draw[1] < happy, draw[1] < happy + 0.13, draw[1] < 0.95], ["满意", "基本满意", "不满意"], "")
    caller = np.where(rng.random(n) < 0.7, place, rng.integers(0, len(people), n))
    excluded = draw[2] < 0.05
    return Orders(
        called, dispatched, contacted, closed, reviewed, category, caller, place, burst, excluded, resolved, satisfied
    )


def _load(categories: Any, day: date) -> list[float]:
    week = WEEK[day.weekday()]
    return [c["weight"] * c["season"].get(day.month, 1.0) * week for c in categories]


def order_rows(
    world: World, orders: Orders, people: Sequence[Contact], *, known_at: datetime, since: datetime | None = None
) -> list[Row]:
    """The orders as the system knew them at ``known_at``; row grain: one order.

    Args:
        since: only orders with an event after it and up to ``known_at`` (a daily increment).
    """
    data = word_list("hotline.yaml")
    now = np.datetime64(known_at, "s")
    events = np.stack([orders.called, orders.dispatched, orders.contacted, orders.closed, orders.reviewed])
    updated = np.where(events <= now, events, np.datetime64(0, "s")).max(axis=0)
    pick = orders.called <= now
    if since is not None:
        pick &= updated > np.datetime64(since, "s")
    texts = np.strings.replace(np.datetime_as_string(events), "T", " ")
    texts = np.where(events <= now, texts, "")
    stamps = np.strings.replace(np.datetime_as_string(updated), "T", " ")
    out = []
    for i in np.flatnonzero(pick).tolist():
        category = data["categories"][int(orders.category[i])]
        place, caller = people[int(orders.place[i])], people[int(orders.caller[i])]
        number = (i * 7 + world.seed) % 23 + 2
        title = f"{place.address.removeprefix('北京市西城区')}{category['title']}"
        if orders.burst[i] >= 0:
            title = f"{place.street.removesuffix('街道')}{data['bursts'][int(orders.burst[i])]['title']}"
        said = category["say"].format(n=number)
        if i % 17 == 0 and caller.phone:
            said += f"。联系人{caller.name}，电话{caller.phone}"
        handler = place.street + "办事处" if category["office"] == "street" else category["office"]
        reviewed = bool(texts[4, i])
        out.append(
            [
                f"XC{str(orders.called[i])[:10].replace('-', '')}{i + 1:07d}",
                str(texts[0, i]),
                caller.name if i % 11 else "",
                caller.phone,
                place.street,
                place.community,
                place.address,
                *category["levels"],
                title,
                f"来电人反映：{said}。",
                category["need"],
                handler,
                str(texts[1, i]),
                str(texts[2, i]),
                str(texts[3, i]),
                str(category["hours"]),
                str(orders.resolved[i]) if reviewed else "",
                str(orders.satisfied[i]) if reviewed else "",
                "是" if orders.excluded[i] else "否",
                str(stamps[i]),
            ]
        )
    return out

"""Messages left online and the replies, with the tabs and line breaks the page puts around them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from demo.entities import Contact
from demo.faults import DUPLICATE, Fault, Row, put
from demo.world import World, word_list

HEADER: tuple[str, ...] = ("留言编号", "留言用户", "留言主题", "留言时间", "留言详情", "答复意见", "答复时间")
FAULTS: tuple[Fault, ...] = (
    put("missing_required", "留言主题", ""),
    put("impossible_date", "留言时间", "2026/2/30 10:00:00"),
    DUPLICATE,
    put("reply_before_message", "答复时间", "2019/1/1 8:00:00", "warned"),
)
BEFORE, AFTER = "\n\t\t\t\t\t\n\t\t\t\t\t", "\n\t\t\t\t\t\n\t\t\t\t\t\n\t\t\t\t"


def message_rows(world: World, people: Sequence[Contact]) -> tuple[list[Row], list[Row]]:
    """The archive up to the day before, and the last day's replies; row grain: one message."""
    rng = world.rng("messages")
    data = word_list("hotline.yaml")
    n = max(80, world.orders // 15)
    end = np.datetime64(world.as_of, "s")
    posted = np.sort(end - rng.integers(86_400, 86_400 * 400, n))
    replied = posted + (rng.lognormal(2.4, 0.9, n) * 86_400).astype(int)
    base, fresh = [], []
    for i in range(n):
        place = people[int(rng.integers(len(people)))]
        category = data["categories"][int(rng.integers(len(data["categories"])))]
        number = int(rng.integers(2, 20))
        user = f"A{int(rng.integers(10**6, 10**9)):012d}"
        reply = data["replies"][int(rng.integers(len(data["replies"])))].format(n=number)
        reply = f"网友“{user}”：您好！{reply}{_spoken(replied[i])}"
        row = [
            str(2_000 + i * 3),
            user,
            f"{place.community}{category['title']}",
            _stamp(posted[i]),
            f"{BEFORE}{category['say'].format(n=number)}，地点在{place.address}。{AFTER}",
            reply,
            _stamp(replied[i]),
        ]
        if replied[i] <= end:
            base.append(row)
        else:
            base.append([*row[:5], "", ""])
            if replied[i] <= end + 86_399:
                fresh.append(row)
    return base, fresh


def _stamp(at: np.datetime64) -> str:
    """``2026/4/5 9:03:00``: no leading zeros in date and hour, as the site prints it."""
    day, clock = str(at).split("T")
    year, month, date = (int(x) for x in day.split("-"))
    return f"{year}/{month}/{date} {int(clock[:2])}{clock[2:]}"


def _spoken(at: np.datetime64) -> str:
    year, month, date = (int(x) for x in str(at)[:10].split("-"))
    return f"{year}年{month}月{date}日"

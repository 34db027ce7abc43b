"""What matching names without a code costs: names a second against a library of as many firms, beside one by one.

The yardstick looks for the nearest name with rapidfuzz over the whole library, as one would without an index.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any

CHARS = "华安信达恒泰盛兴德瑞丰汇金鼎诚中京联天宇远方博众嘉和康隆祥永新通顺源利亚东方海龙凯鑫正大伟业宏创"
TRADES = ("科技", "商贸", "文化传播", "投资管理", "餐饮管理", "建筑工程", "物业管理", "教育咨询")
YARDSTICK_NAMES = 200


@cache
def names(count: int) -> tuple[list[str], list[str]]:
    """``count`` registered names, and as many asked for: a third as they are, abbreviated, and unknown."""
    import random

    draw = random.Random(5)
    known = list(
        dict.fromkeys(f"北京{''.join(draw.choices(CHARS, k=4))}{draw.choice(TRADES)}有限公司" for _ in range(count * 2))
    )
    register, others = known[:count], known[count:]
    asked = []
    for i in range(count):
        name = register[draw.randrange(len(register))]
        asked.append((name, name[2:], others[i % len(others)])[i % 3])
    return register, asked


def ours(rows: int) -> float:
    """Seconds to index ``rows`` names and match as many."""
    from warehouse.entities.matcher import EntityMatcher, KnownName

    register, asked = names(rows)
    start = time.perf_counter()
    found = EntityMatcher([KnownName(n, n) for n in register]).match(asked)
    seconds = time.perf_counter() - start
    assert sum(m is not None for m in found) > 0.6 * len(asked)
    return seconds


def nearest(rows: int) -> float:
    """Seconds the yardstick would take for ``rows`` names, from a sample of them."""
    from rapidfuzz import fuzz, process

    register, asked = names(rows)
    start = time.perf_counter()
    for name in asked[:YARDSTICK_NAMES]:
        process.extractOne(name, register, scorer=fuzz.ratio, score_cutoff=90)
    return (time.perf_counter() - start) * rows / YARDSTICK_NAMES


def run(scale: float = 1.0) -> list[dict[str, Any]]:
    """The rows of the report; 5,000 names a second is the least."""
    from bench.harness import compare

    rows = int(60_000 * scale)
    here = "bench.bench_entity"
    return [
        compare(f"match {rows:,} names to {rows:,} firms / nearest by rapidfuzz", ours=f"{here}:ours",
                yardstick=f"{here}:nearest", args={"rows": rows}, rows=rows, target=0.2),
    ]  # fmt: skip

"""What the makers of ugly files share: the case they return, and the records of made-up firms."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.ingestion.test_sniff import GOOD_USCC

N = 40
RARE = "𠮷㐂䶮"
"""Characters of names that GB 18030 writes in four bytes."""


@dataclass(frozen=True)
class Case:
    """A made file.

    Attributes:
        rows: records that must be loaded.
        types: source column to the type its field should have; ``code`` for one with a code list.
        key: source columns of the key, () when there is none.
        kind: what the sniffer should call it.
        skipped: records that are no data: footers, blank rows.
        quarantined: records that cannot be right.
        grades: source column to the least grade.
    """

    path: Path
    types: Mapping[str, str]
    rows: int = N
    key: Sequence[str] = ()
    kind: str = "csv"
    skipped: int = 0
    quarantined: int = 0
    grades: Mapping[str, int] = field(default_factory=dict)


CASES: dict[str, Callable[[Path], Case]] = {}


def case(make: Callable[[Path], Case]) -> Callable[[Path], Case]:
    CASES[make.__name__] = make
    return make


def day(i: int) -> tuple[int, int, int]:
    return 2020 + i % 4, i % 12 + 1, i % 28 + 1


def firms(n: int = N) -> list[list[object]]:
    """A header and records: number, name, credit code, date, amount, district."""
    head: list[object] = ["编号", "企业名称", "统一社会信用代码", "成立日期", "注册资本（万元）", "所在区"]
    rows: list[list[object]] = [
        [
            f"QY{i:05d}",
            f"北京第{i}商贸有限公司",
            GOOD_USCC[i % 4],
            "{}-{:02d}-{:02d}".format(*day(i)),
            f"{i}.5",
            "西城区",
        ]
        for i in range(n)
    ]
    return [head, *rows]


FIRMS = {
    "编号": "string", "企业名称": "string", "统一社会信用代码": "string", "成立日期": "date",
    "注册资本（万元）": "decimal", "所在区": "code",
}  # fmt: skip


def text(
    rows: Sequence[Sequence[object]], delimiter: str = ",", end: str = "\r\n", quoting: Any = csv.QUOTE_MINIMAL
) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)
    return out.getvalue()


def put(path: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path

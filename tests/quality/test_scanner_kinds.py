"""Every kind with values that are it and decoys that are not; precision and recall as docs/grading.md states them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from quality.identifiers import is_bank_card
from quality.identifiers.organisation import ALPHABET
from quality.scanner_kinds import KIND_LABELS
from tests.quality.test_scanner import permit, resident_id, scan, uscc

ON = date(2026, 11, 22)
Row = tuple[str, dict[str, list[str | None]], dict[tuple[str, str], int]]
N = 200


def mobile(rng: random.Random) -> str:
    return f"1{rng.choice('3456789')}{rng.randint(0, 10**9 - 1):09}"


def name(rng: random.Random) -> str:
    return rng.choice("王李张刘陈杨黄赵吴周") + "".join(
        rng.choice("伟芳娜敏静丽强磊军洋") for _ in range(rng.randint(1, 2))
    )


def card(rng: random.Random) -> str:
    return next(c for c in (f"622202{rng.randint(10**12, 10**13 - 1)}" for _ in range(999)) if is_bank_card(c))


POSITIVE: dict[str, tuple[str, Callable[[random.Random], str]]] = {
    "resident_id": ("统一社会信用代码", resident_id),
    "resident_id_15": ("身份证号", lambda r: f"110102{r.randint(40, 89)}{r.randint(1, 12):02}{r.randint(1, 28):02}123"),
    "mobile": ("备注", lambda r: f"请联系{mobile(r)}处理"),
    "fixed_phone": ("联系电话", lambda r: f"010-6{r.randint(10**6, 10**7 - 1)}"),
    "bank_card": ("账号", card),
    "uscc": ("代码", uscc),
    "plate": ("内容", lambda r: f"车辆京{r.choice('AN')}{r.randint(10000, 99999)}占道"),
    "person_name": ("联系人", name),
    "address": ("户籍地址", lambda r: f"北京市西城区西交民巷{r.randint(1, 99)}号院{r.randint(1, 9)}号楼"),
    "coordinate": ("坐标", lambda r: f"116.3{r.randint(1000, 9999)},39.8{r.randint(1000, 9999)}"),
    "medical": ("诊断", lambda r: r.choice(["2 型糖尿病", "原发性高血压（I10.x00）", "肺癌术后", "抑郁发作"])),
    "minor": ("出生日期", lambda r: f"{r.randint(2013, 2025)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}"),
}
DECOYS: dict[str, tuple[str, Callable[[random.Random], str]]] = {
    "resident_id": ("许可证编号", permit),
    "resident_id_15": ("注册号", lambda r: f"{r.randint(110000, 110300)}{r.randint(0, 10**9 - 1):09}"),
    "mobile": ("流水号", lambda r: str(r.randint(10**10, 10**11 - 1))),
    "fixed_phone": ("合同号", lambda r: f"2024{r.randint(10**6, 10**7 - 1)}"),
    "bank_card": ("账单号", lambda r: str(r.randint(10**15, 10**16 - 1))),
    "uscc": ("序列号", lambda r: "91110102" + "".join(r.choice(ALPHABET) for _ in range(10))),
    "plate": ("编号", lambda r: f"京规自{r.randint(10000, 99999)}号"),
    "person_name": ("社区", lambda r: r.choice(["陶然亭", "白纸坊", "月坛"])),
    "address": ("标题", lambda r: f"第{r.randint(1, 99)}次会议纪要"),
    "coordinate": ("版本", lambda r: f"1.{r.randint(1, 9)},2.{r.randint(1, 9)}"),
    "medical": (
        "经营范围",
        lambda r: r.choice(
            ["糖尿病防治宣传", "北京肿瘤医院", "高血压用药销售", "肝炎疫苗", "A12 号楼装修", "骨折治疗仪"]
        ),
    ),
    "minor": ("成立日期", lambda r: f"{r.randint(2013, 2025)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}"),
}


def measure(kind: str) -> tuple[int, int, int, int]:
    """Planted, found of them, decoys, found of those: each in a column of its own."""
    rng = random.Random(f"{kind}")
    header, make = POSITIVE[kind]
    other, decoy = DECOYS[kind]
    people = scan(**{header: [make(rng) for _ in range(N)]})
    nothing = scan(**{other: [decoy(rng) for _ in range(N)]})
    hit, false = people.get((header, kind)), nothing.get((other, kind))
    return N, hit.hits if hit else 0, N, false.hits if false else 0


@pytest.mark.parametrize("kind", KIND_LABELS)
def test_every_kind_is_found_and_its_decoys_are_not(kind: str) -> None:
    planted, found, _, false = measure(kind)
    # one in eleven 15-digit IDs reads as an organisation code, one in eleven as a registration number
    assert found / planted >= 0.995
    assert found / (found + false) >= 0.99


@pytest.mark.slow
def test_the_table_in_the_documentation_is_what_is_measured(root: Path) -> None:
    text = (root / "docs" / "grading.md").read_text(encoding="utf-8")
    stated = dict(re.findall(r"^\| `(\w+)` \|.*\| (\d\.\d{3} / \d\.\d{3}) \|$", text, re.M))
    measured = {}
    for kind in KIND_LABELS:
        planted, found, _, false = measure(kind)
        measured[kind] = f"{found / planted:.3f} / {found / (found + false):.3f}"
    assert stated == measured


def test_a_hospital_in_a_diagnosis_column_does_not_hide_the_illness() -> None:
    found = scan(疾病名称=["糖尿病", "在肿瘤医院确诊肺癌", "无", None])
    assert found["疾病名称", "medical"].hits == 2
    assert scan(备注=["糖尿病医院"] * 9) == {}


def test_births_of_adults_are_no_minors_and_context_decides() -> None:
    grown: list[str | None] = ["1980-01-01"] * 19
    assert scan(出生日期=[*grown, "2020-01-01"]) == {}
    found = scan(出生日期=[*grown, "2020/01/01"], 监护人=["无"] * 20)
    assert (found["出生日期", "minor"].hits, found["出生日期", "minor"].grade) == (1, 3)


def test_ids_of_children_say_so() -> None:
    rng = random.Random(8)
    ids = [*(resident_id(rng, 2015, 2022) for _ in range(9)), *(resident_id(rng, 1960, 1990) for _ in range(30))]
    found = scan(证件号=ids)
    assert (found["证件号", "resident_id"].hits, found["证件号", "minor"].hits) == (39, 9)

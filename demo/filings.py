"""What departments file about entities: penalties, tax arrears, listed companies' branches."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from demo.entities import Contact, Entity
from demo.entity_registers import PENALTIES, Records, written_name
from demo.faults import RAGGED_SHORT, Fault, RawRow, Row, put, rewrite
from demo.identifiers import break_check, credit_code, organisation_codes
from demo.world import World, word_list

PENALTY_HEADER: tuple[str, ...] = (
    "行政相对人名称",
    "法定代表人",
    "法定代表人证件类型",
    "法定代表人证件号码",
    "行政处罚决定书文号",
    "违法行为类型",
    "违法事实",
    "处罚依据",
    "处罚类别",
    "处罚内容",
    "罚款金额（万元）",
    "处罚决定日期",
    "处罚有效期",
    "处罚机关",
    "备注",
)
ARREARS_HEADER: tuple[str, ...] = ("企业或单位名称", "纳税人识别号", "经营地点", "欠税金额", "税种")
LISTED_HEADER: tuple[str, ...] = ("企业名称", "性质", "主键", "更新时间", "统一社会信用代码")
LISTED_KINDS = (
    "其他股份有限公司分公司(上市)",
    "股份有限公司分公司(上市、国有控股)",
    "股份有限公司分公司(上市、自然人投资或控股)",
    "股份有限公司(上市、国有控股)",
)
DIGITS = "零壹贰叁肆伍陆柒捌玖"


def _bare_commas(row: Row, at: dict[str, int], rng: np.random.Generator) -> Row:
    cells = ['"' + c.replace('"', '""') + '"' if "," in c or '"' in c else c for c in row]
    cells[at["违法事实"]] = row[at["违法事实"]].replace("，", ",").replace('"', "")
    return RawRow(cells)


PENALTY_FAULTS: tuple[Fault, ...] = (
    Fault("unescaped_comma", "违法事实", "loaded", _bare_commas),
    put("missing_required", "行政处罚决定书文号", ""),
    put("impossible_date", "处罚决定日期", "2025/02/30"),
    put("not_a_number", "罚款金额（万元）", "叁仟元"),
    put("negative_amount", "罚款金额（万元）", "-0.5"),
    RAGGED_SHORT,
)
ARREARS_FAULTS: tuple[Fault, ...] = (
    rewrite("scientific_uscc", "纳税人识别号", lambda _: "9.11E+17"),
    put("missing_required", "企业或单位名称", ""),
    put("not_a_number", "欠税金额", "不详"),
    put("negative_amount", "欠税金额", "-120.000"),
)
LISTED_FAULTS: tuple[Fault, ...] = (
    rewrite("bad_checksum_uscc", "统一社会信用代码", break_check),
    rewrite("scientific_uscc", "统一社会信用代码", lambda _: "9.11E+17"),
    put("impossible_date", "更新时间", "31/02/2024 10:00:00"),
    put("missing_required", "企业名称", ""),
)


def penalty_rows(world: World, entities: Sequence[Entity], records: Records) -> list[Row]:
    """Decisions of the last 18 months, oldest first; row grain: one decision against one party."""
    rng = world.rng("penalties")
    kinds = word_list("trades.yaml")["penalties"]
    n = max(60, len(entities) // 4)
    days = np.sort(rng.integers(2, 540, n))[::-1]
    out = []
    for i in range(n):
        kind = kinds[int(rng.integers(len(kinds)))]
        entity = entities[int(rng.integers(len(entities)))]
        decided = np.datetime64(world.as_of) - int(days[i])
        low, high = kind["fine"]
        yuan = int(rng.integers(int(low * 100), int(high * 100) + 1)) * 100
        fact = kind["fact"].format(n=int(rng.integers(1, 9)), m=int(rng.integers(1, 12)))
        forever = rng.random() < 0.15
        known = rng.random() < 0.45
        called = entity.name_on(str(decided))
        name, how = written_name(rng, called, records.rate)
        number = f"京西{kind['code']}罚字〔{str(decided)[:4]}〕{i + 1:06d}号"
        records.add(PENALTIES, f"{number}|{name}", entity, how if called == entity.name else f"former_{how}")
        out.append(
            [
                name,
                entity.owner.name[0] + "*" + entity.owner.name[2:],
                "身份证" if known else "",
                entity.owner.resident_id[:6] + "************ " if known else "",
                number,
                kind["kind"],
                f"{str(decided).replace('-', '年', 1).replace('-', '月')}日，执法人员对{entity.name}检查，{fact}。",
                kind["basis"],
                "罚款" if rng.random() < 0.88 else "警告,罚款",
                f"罚款人民币{_in_words(yuan)}元整",
                f"{yuan / 10_000:.6f}",
                str(decided).replace("-", "/"),
                "2099/12/31" if forever else str(decided + int(kind["days"])).replace("-", "/"),
                kind["office"],
                "",
            ]
        )
    return out


def _in_words(yuan: int) -> str:
    """``3000`` → ``叁仟``; amounts are whole hundreds below a million."""
    text = ""
    for power, unit in ((100_000, "拾"), (10_000, "万"), (1_000, "仟"), (100, "佰")):
        digit = yuan // power % 10
        if digit:
            text += DIGITS[digit] + unit
        elif unit == "万" and yuan >= 100_000:
            text += "万"
    return text


def arrears_rows(world: World, entities: Sequence[Entity], people: Sequence[Contact]) -> list[Row]:
    """Open tax debts: 15-character numbers, credit codes, padded numbers, owners' personal IDs."""
    rng = world.rng("arrears")
    taxes = word_list("trades.yaml")["taxes"]
    out = []
    for _ in range(max(30, len(entities) // 12)):
        entity = entities[int(rng.integers(len(entities)))]
        draw = rng.random()
        name, number = entity.name, entity.uscc
        if draw < 0.5:
            number = "110102" + entity.organisation
        elif draw < 0.6:
            number = "110102" + entity.organisation + "000"
        elif draw < 0.68:
            owner = people[int(rng.integers(len(people)))]
            name, number = f"北京{owner.name}便民服务部", owner.resident_id
        for k in rng.permutation(len(taxes))[: int(rng.integers(1, 5))].tolist():
            amount = float(np.round(rng.lognormal(9.5, 1.8), 2))
            out.append([name, number, entity.address, f"{amount:.3f}", taxes[k]])
    return out


def listed_rows(world: World, count: int) -> list[Row]:
    """Branches of listed companies in the district, with ``d/M/yyyy`` times."""
    rng = world.rng("listed")
    parents = word_list("trades.yaml")["listed_parents"]
    kinds = LISTED_KINDS
    lanes = sorted({lane for s in word_list("streets.yaml")["streets"].values() for lane in s["lanes"]})
    codes = organisation_codes(50_000_000 + np.arange(count), rng.random(count) < 0.25)
    out = []
    for i in range(count):
        parent = parents[int(rng.integers(len(parents)))]
        at = np.datetime64(world.as_of, "s") - int(rng.integers(86_400, 86_400 * 2500))
        day, clock = str(at).split("T")
        year, month, date = (int(x) for x in day.split("-"))
        kind = kinds[int(rng.integers(len(kinds)))]
        unit = "支行" if "银行" in parent else "营业部"
        tail = f"北京{lanes[int(rng.integers(len(lanes)))]}{unit}" if "分公司" in kind else ""
        out.append(
            [
                f"{parent}股份有限公司{tail}",
                kind,
                hashlib.md5(f"{world.seed}-{i}".encode(), usedforsecurity=False).hexdigest().upper(),
                f"{date}/{month}/{year} {clock}",
                credit_code("91", "110102" if rng.random() < 0.8 else "110000", codes[i]),
            ]
        )
    return out

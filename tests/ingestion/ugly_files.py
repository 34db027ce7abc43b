"""Files as departments send them, each ugly in its own way, with what a good contract makes of it.

``CASES`` maps a name to a maker of the file. A maker writes below the folder it is given and returns a ``Case``: the
path, the records the file holds, and of every column what a person would say it is.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.ingestion.test_sniff import GOOD_USCC, resident_id, workbook

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


# --- encodings --------------------------------------------------------------------------------------------------------


def _encoded(name: str, encoding: str, end: str = "\r\n") -> None:
    def make(folder: Path) -> Case:
        return Case(put(folder / f"{name}.csv", text(firms(), end=end), encoding), FIRMS, key=("编号",))

    make.__name__ = name
    case(make)


for _name, _encoding in {
    "utf8": "utf-8", "utf8_bom": "utf-8-sig", "gb18030": "gb18030", "gbk": "gbk", "utf16": "utf-16",
    "utf16_le_unmarked": "utf-16-le", "utf16_be_unmarked": "utf-16-be", "utf32": "utf-32",
}.items():  # fmt: skip
    _encoded(_name, _encoding)
_encoded("old_mac_line_ends", "gb18030", "\r")


@case
def four_byte_characters(folder: Path) -> Case:
    rows = [["姓名", "备注"], *[[f"王{RARE[i % 3]}", f"第{i}人，{RARE}"] for i in range(N)]]
    return Case(
        put(folder / "生僻字.csv", text(rows), "gb18030"), {"姓名": "string", "备注": "string"}, grades={"姓名": 2}
    )


@case
def utf16_tabs_all_chinese(folder: Path) -> Case:
    rows = [
        ["单位名称", "所属街道", "情况"],
        *[[f"第{'一二三四五六七八九十'[i % 10]}{'甲乙丙丁'[i // 10]}处", "广安门内街道", "正常"] for i in range(N)],
    ]
    return Case(
        put(folder / "导出.txt", text(rows, "\t"), "utf-16-le"),
        {"单位名称": "string", "所属街道": "string", "情况": "string"},
    )  # fmt: skip


@case
def utf8_with_broken_tail_of_gbk(folder: Path) -> Case:
    """Mostly ASCII, Chinese only far down in GBK."""
    rows = [["id", "value", "note"], *[[i, i / 4, "ok"] for i in range(2000)], [2000, 1, "备注：已核"]]
    return Case(
        put(folder / "log.csv", text(rows), "gbk"),
        {"id": "string", "value": "decimal", "note": "string"},
        rows=2001,
        key=("id",),
    )


# --- layouts of text --------------------------------------------------------------------------------------------------


@case
def title_seal_and_footer(folder: Path) -> Case:
    rows = [
        ["西城区企业登记情况汇总表"], ["填报单位（盖章）：某某局", "", "", "填报日期：2024年6月30日"], [],
        *firms(), ["合计", "40家", "", "", "820"], ["填表人：张三", "", "审核人：李四"],
    ]  # fmt: skip
    return Case(put(folder / "汇总表.csv", text(rows), "gb18030"), FIRMS, key=("编号",), skipped=2)


@case
def blank_rows_and_columns(folder: Path) -> Case:
    rows = [[*r[:3], "", *r[3:], "", ""] for r in firms()]
    body = [row for r in rows[1:] for row in ([r, [""] * len(r)] if r[0] in ("QY00010", "QY00020") else [r])]
    return Case(put(folder / "空行空列.csv", text([rows[0], *body])), FIRMS, key=("编号",), skipped=2)


@case
def one_column_with_footer(folder: Path) -> Case:
    lines = [
        "企业名称",
        *[f"北京第{i}商贸有限公司" for i in range(N)],
        "注：以上名单截至2024年6月底",
        "数据来源：市场监管局",
    ]
    return Case(put(folder / "异常名录.csv", "\r\n".join(lines) + "\r\n", "gb18030"), {"企业名称": "string"}, skipped=2)


@case
def one_column_with_total(folder: Path) -> Case:
    lines = ["统一社会信用代码", *[GOOD_USCC[i % 4] for i in range(N)], "", "合计：40"]
    return Case(put(folder / "代码.csv", "\n".join(lines) + "\n"), {"统一社会信用代码": "string"}, skipped=1)


@case
def one_column_no_header_with_footer(folder: Path) -> Case:
    lines = [*[f"北京第{i}商贸有限公司" for i in range(N)], "填表人：张三"]
    return Case(put(folder / "名单.txt", "\n".join(lines) + "\n"), {"列1": "string"}, skipped=1)


@case
def semicolons_with_decimal_points(folder: Path) -> Case:
    rows = [
        ["站点编号", "数值", "时间"],
        *[[f"ST{i:03d}", i / 8, f"2024-03-{i % 28 + 1:02d} {i % 24:02d}:00"] for i in range(N)],
    ]
    return Case(
        put(folder / "监测.csv", text(rows, ";")), {"站点编号": "string", "数值": "decimal", "时间": "timestamp"},
        key=("站点编号",),
    )  # fmt: skip


@case
def pipes_and_everything_quoted(folder: Path) -> Case:
    return Case(
        put(folder / "导出.txt", text(firms(), "|", quoting=csv.QUOTE_ALL), "gb18030"), FIRMS, key=("编号",)
    )  # fmt: skip


@case
def full_width_commas_inside_and_quotes(folder: Path) -> Case:
    rows = [
        ["编号", "标题", "内容"],
        *[[f"B{i:04d}", f'关于"{i}"号楼，停水', f'您好，\n第{i}户，已停水"三"天'] for i in range(N)],
    ]
    return Case(
        put(folder / "来信.csv", text(rows)), {"编号": "string", "标题": "string", "内容": "string"}, key=("编号",)
    )


@case
def duplicate_headers(folder: Path) -> Case:
    rows = [
        ["编号", "名称", "备注", "名称", "备注"],
        *[[f"B{i:04d}", f"甲{i}", "", f"乙{i}", f"注{i}"] for i in range(N)],
    ]
    return Case(
        put(folder / "重名.csv", text(rows)), {"编号": "string", "名称": "string", "名称#2": "string", "备注#2": "string"},
        key=("编号",),
    )  # fmt: skip


@case
def no_header(folder: Path) -> Case:
    return Case(
        put(folder / "无表头.csv", text(firms()[1:]), "gb18030"),
        {"列1": "string", "列2": "string", "列3": "string", "列4": "date", "列5": "decimal", "列6": "string"},
    )


@case
def trailing_commas_and_spaces(folder: Path) -> Case:
    lines = [",".join(f" {c}\u3000" for c in r) + ",,," for r in firms()]
    return Case(put(folder / "尾逗号.csv", "\r\n".join(lines) + "\r\n", "gb18030"), FIRMS, key=("编号",))


@case
def tabs_before_numbers(folder: Path) -> Case:
    """What an export writes so that a spreadsheet keeps long numbers: a tab or an apostrophe before them."""
    rows = [
        ["订单编号", "联系电话", "金额"],
        *[[f"\t2024{i:014d}", f"\t1380013{i:04d}", f"{i * 100}.00"] for i in range(N)],
    ]
    return Case(
        put(folder / "订单.csv", text(rows), "gb18030"), {"订单编号": "string", "联系电话": "string", "金额": "decimal"},
        key=("订单编号",), grades={"联系电话": 3},
    )  # fmt: skip


@case
def excel_formula_texts(folder: Path) -> Case:
    lines = ["编号,证件号", *[f'="{i:06d}",="{resident_id(f"11010219{50 + i}0101{i:03d}")}"' for i in range(N)]]
    return Case(
        put(folder / "公式.csv", "\r\n".join(lines) + "\r\n", "gb18030"),
        {"编号": "string", "证件号": "string"},
        key=("编号",),
        grades={"证件号": 3},
    )


@case
def sep_line_of_excel(folder: Path) -> Case:
    return Case(put(folder / "sep.csv", "sep=;\r\n" + text(firms(), ";"), "utf-8-sig"), FIRMS, key=("编号",))


@case
def fixed_width(folder: Path) -> Case:
    def pad(value: str, width: int) -> bytes:
        return value.encode("gb18030").ljust(width)

    lines = [pad("编号", 8) + pad("单位名称", 24) + pad("成立日期", 10) + "金额".encode("gb18030").rjust(12)]
    lines += [
        pad(f"A{i:05d}", 8)
        + pad(f"第{i}服务中心", 24)
        + pad("{}{:02d}{:02d}".format(*day(i)), 10)
        + f"{i * 10.25:.2f}".encode().rjust(12)
        for i in range(N)
    ]
    return Case(
        put(folder / "定长.txt", b"\r\n".join(lines) + b"\r\n"),
        {"编号": "string", "单位名称": "string", "成立日期": "date", "金额": "decimal"}, key=("编号",),
    )  # fmt: skip


@case
def unescaped_commas(folder: Path) -> Case:
    head = "编号,工程名称,建设地址,开工日期,面积（平方米）"
    lines = [
        f"G{i:04d},第{i}工程,西城区{i}号"
        + (",东侧" if i % 10 == 3 else "")
        + ",{}-{:02d}-{:02d}".format(*day(i))
        + f",{i * 10}.5"
        for i in range(N)
    ]
    return Case(
        put(folder / "工程.csv", "\r\n".join([head, *lines]) + "\r\n", "gb18030"),
        {"编号": "string", "工程名称": "string", "建设地址": "string", "开工日期": "date", "面积（平方米）": "decimal"},
        key=("编号",),
    )  # fmt: skip


# --- values -----------------------------------------------------------------------------------------------------------


@case
def dates_in_four_styles(folder: Path) -> Case:
    def written(i: int) -> str:
        y, m, d = day(i)
        return (f"{y}年{m}月{d}日", f"{y}/{m}/{d}", f"{y}.{m:02d}.{d:02d}", f"{y}{m:02d}{d:02d}")[i % 4]

    rows = [
        ["编号", "处罚日期", "更新时间"],
        *[[f"C{i:03d}", written(i), f"{2023}/1/{i % 28 + 1} {i % 24}:05"] for i in range(N)],
    ]
    return Case(
        put(folder / "四种日期.csv", text(rows), "gb18030"), {"编号": "string", "处罚日期": "date", "更新时间": "timestamp"},
        key=("编号",),
    )  # fmt: skip


@case
def chinese_dates(folder: Path) -> Case:
    digits = "〇一二三四五六七八九"

    def spelled(i: int) -> str:
        y, m, d = day(i)
        tens = ["", *"一二三四五六七八九", "十", "十一", "十二"]
        dd = ("" if d < 10 else "十" if d < 20 else "二十") + (digits[d % 10] if d % 10 else "")
        return "".join(digits[int(c)] for c in str(y)) + f"年{tens[m]}月{dd}日"

    rows = [["编号", "印发日期"], *[[f"D{i:03d}", spelled(i)] for i in range(N)]]
    return Case(put(folder / "中文日期.csv", text(rows)), {"编号": "string", "印发日期": "date"}, key=("编号",))


@case
def months_and_years(folder: Path) -> Case:
    rows = [
        ["所属期", "年度", "税额（元）"],
        *[[f"{2020 + i // 12}年{i % 12 + 1}月", f"{2020 + i // 12}年", f"{i},000.00"] for i in range(N)],
    ]
    return Case(put(folder / "月报.csv", text(rows)), {"所属期": "string", "年度": "integer", "税额（元）": "decimal"})


@case
def percent_and_money(folder: Path) -> Case:
    rows = [
        ["项目编号", "完成比例", "投资额", "中标价（元）"],
        *[[f"P{i:03d}", f"{i}.5%", f"{i + 1}万元", f"￥{i + 1},234.50"] for i in range(N)],
    ]
    return Case(
        put(folder / "投资.csv", text(rows), "gb18030"),
        {"项目编号": "string", "完成比例": "decimal", "投资额": "decimal", "中标价（元）": "decimal"}, key=("项目编号",),
    )  # fmt: skip


@case
def units_in_cells(folder: Path) -> Case:
    rows = [["地块编号", "面积", "高度"], *[[f"L{i:03d}", f"{i * 10.5}平方米", f"{i}m"] for i in range(N)]]
    return Case(
        put(folder / "地块.csv", text(rows)),
        {"地块编号": "string", "面积": "decimal", "高度": "decimal"},
        key=("地块编号",),
    )


@case
def full_width_digits_and_negative_brackets(folder: Path) -> Case:
    wide = str.maketrans("0123456789.", "０１２３４５６７８９．")
    rows = [["科目编号", "金额"], *[[f"K{i:03d}", str(i * 3.5).translate(wide)] for i in range(N)]]
    return Case(put(folder / "全角.csv", text(rows)), {"科目编号": "string", "金额": "decimal"}, key=("科目编号",))


@case
def nulls_of_many_kinds(folder: Path) -> Case:
    nulls = ("/", "-", "无", "—", "NULL", "暂无")
    rows = [
        ["编号", "人数", "检查日期"],
        *[
            [
                f"N{i:03d}",
                nulls[i % 6] if i % 3 == 0 else i,
                nulls[i % 6] if i % 4 == 0 else "{}-{:02d}-{:02d}".format(*day(i)),
            ]
            for i in range(60)
        ],
    ]
    return Case(
        put(folder / "空值.csv", text(rows)), {"编号": "string", "人数": "integer", "检查日期": "date"}, rows=60, key=("编号",)
    )  # fmt: skip


@case
def leading_zeros_and_long_digits(folder: Path) -> Case:
    rows = [["网格编码", "邮编", "卡号"], *[[f"{i:06d}", "100032", f"62220202000{i:08d}"] for i in range(N)]]
    return Case(
        put(folder / "编码.csv", text(rows)),
        {"网格编码": "string", "邮编": "string", "卡号": "string"},
        key=("网格编码",),
    )


@case
def identifiers_inside_text(folder: Path) -> Case:
    rows = [
        ["受理编号", "诉求内容", "来电人", "来电号码"],
        *[[f"S{i:04d}", f"市民反映，身份证{resident_id(f'1101021980010{i % 9 + 1}{i:03d}'[:17])}，电话138001{i:05d}，第{i}次来电", f"王某{'一二三四五'[i % 5]}", f"138001{i:05d}"] for i in range(N)],
    ]  # fmt: skip
    return Case(
        put(folder / "热线.csv", text(rows), "gb18030"),
        {"受理编号": "string", "诉求内容": "string", "来电人": "string", "来电号码": "string"}, key=("受理编号",),
        grades={"诉求内容": 3, "来电号码": 3, "来电人": 2},
    )  # fmt: skip


@case
def scientific_codes(folder: Path) -> Case:
    rows = [
        ["企业名称", "统一社会信用代码"],
        *[[f"北京第{i}公司", "9.11101E+17" if i % 10 == 0 else GOOD_USCC[i % 4]] for i in range(N)],
    ]
    return Case(
        put(folder / "科学计数.csv", text(rows), "gb18030"), {"企业名称": "string", "统一社会信用代码": "string"}, rows=36,
        quarantined=4,
    )  # fmt: skip


@case
def yes_no_and_sex(folder: Path) -> Case:
    rows = [["编号", "是否达标", "性别"], *[[f"Y{i:03d}", "是否"[i % 2], "男女"[i % 2]] for i in range(N)]]
    return Case(
        put(folder / "是否.csv", text(rows)),
        {"编号": "string", "是否达标": "code", "性别": "code"},
        key=("编号",),
        grades={"性别": 2},
    )


@case
def coordinates_in_one_column(folder: Path) -> Case:
    rows = [["站点编号", "经度", "纬度"], *[[f"X{i:03d}", 116.36 + i / 1000, 39.91 + i / 1000] for i in range(N)]]
    return Case(
        put(folder / "站点.csv", text(rows)),
        {"站点编号": "string", "经度": "geometry", "纬度": "geometry"},
        key=("站点编号",),
    )


# --- workbooks --------------------------------------------------------------------------------------------------------


@case
def workbook_named_csv(folder: Path) -> Case:
    path = workbook(folder / "台账.xlsx", [["西城区台账"], *firms(), ["合计", "", "", "", 820]], merge=["A1:F1"])
    return Case(path.rename(folder / "台账.csv"), FIRMS, key=("编号",), kind="xlsx", skipped=1)


@case
def web_page_named_xls(folder: Path) -> Case:
    body = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in firms())
    page = f'<html><head><meta charset="gb2312"></head><body><table border=1>{body}</table></body></html>'
    return Case(put(folder / "导出.xls", page, "gb18030"), FIRMS, key=("编号",), kind="html")


@case
def header_of_two_rows_merged(folder: Path) -> Case:
    rows = [
        ["街道", "人口（人）", "", "面积（平方公里）"],
        ["", "户籍", "常住", ""],
        *[[f"第{i}街", 1000 + i, 2000 + i, i / 4] for i in range(N)],
    ]
    path = workbook(folder / "街道.xlsx", rows, merge=["A1:A2", "B1:C1", "D1:D2"])
    return Case(
        path, {"街道": "string", "人口（人）_户籍": "integer", "人口（人）_常住": "integer", "面积（平方公里）": "decimal"}, kind="xlsx",
    )  # fmt: skip


@case
def header_of_three_rows(folder: Path) -> Case:
    rows = [
        ["指标", "2023年", "", "", ""], ["", "上半年", "", "下半年", ""], ["", "数量", "金额", "数量", "金额"],
        *[[f"指标{i}", i, i * 1.5, i + 1, i * 2.5] for i in range(N)],
    ]  # fmt: skip
    path = workbook(folder / "三级表头.xlsx", rows, merge=["A1:A3", "B1:E1", "B2:C2", "D2:E2"])
    return Case(
        path, {"指标": "string", "2023年_上半年_数量": "integer", "2023年_上半年_金额": "decimal", "2023年_下半年_金额": "decimal"},
        kind="xlsx",
    )  # fmt: skip


@case
def workbook_of_months(folder: Path) -> Case:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for month in ("1月", "2月", "3月"):
        sheet = book.create_sheet(month)
        for row in [["编号", "户数（户）"], *[[f"{month}{i:03d}", i] for i in range(N)]]:
            sheet.append(row)
    book.create_sheet("说明").append(["本表由统计科提供"])
    path = folder / "各月.xlsx"
    book.save(path)
    return Case(path, {"编号": "string", "户数（户）": "integer"}, rows=3 * N, key=("编号",), kind="xlsx")


@case
def workbook_with_dates_and_merged_groups(folder: Path) -> Case:
    import datetime

    rows: list[list[object]] = [["街道", "社区", "检查时间", "合格率"]]
    merges = []
    for g in range(8):
        merges.append(f"A{2 + g * 5}:A{6 + g * 5}")
        for i in range(5):
            rows.append(
                [
                    f"第{g}街" if not i else None,
                    f"社区{g}{i}",
                    datetime.datetime(2024, 1 + g, 1 + i, 9, 30),
                    (g + i) / 20,
                ]
            )
    return Case(
        workbook(folder / "检查.xlsx", rows, merge=merges),
        {"街道": "string", "社区": "string", "检查时间": "timestamp", "合格率": "decimal"}, kind="xlsx",
    )  # fmt: skip


# --- structured -------------------------------------------------------------------------------------------------------


@case
def nested_lines(folder: Path) -> Case:
    lines = [
        json.dumps(
            {
                "id": f"e{i}",
                "sensor": {"code": f"RG{i % 5}", "pos": {"lon": 116.3, "lat": 39.9}},
                "v": i / 4,
                "tags": ["a", i],
                "at": f"2024-05-01T00:{i:02d}:00+08:00",
            }
        )
        for i in range(N)
    ]
    return Case(
        put(folder / "事件.ndjson", "\n".join(lines) + "\n"),
        {"id": "string", "sensor.code": "string", "v": "decimal", "at": "timestamp", "tags": "string"}, key=("id",), kind="ndjson",
    )  # fmt: skip


@case
def json_in_an_envelope(folder: Path) -> Case:
    document = {
        "code": 200,
        "msg": "ok",
        "data": {
            "total": N,
            "pages": [1, 2],
            "list": [{"主键": i + 1000, "名称": f"甲{i}", "启用": i % 2 == 0, "金额": i / 8} for i in range(N)],
        },
    }
    return Case(
        put(folder / "接口.json", json.dumps(document, ensure_ascii=False), "gb18030"),
        {"主键": "string", "名称": "string", "启用": "boolean", "金额": "decimal"}, key=("主键",), kind="json",
    )  # fmt: skip


@case
def xml_of_rows(folder: Path) -> Case:
    rows = "".join(
        f'<row id="{i}"><名称>甲{i}&amp;乙</名称><日期>2024-01-{i % 28 + 1:02d}</日期><金额>{i}.50</金额></row>'
        for i in range(N)
    )
    return Case(
        put(folder / "数据.xml", f'<?xml version="1.0" encoding="GB2312"?><result><head><count>{N}</count></head><rows>{rows}</rows></result>', "gb18030"),
        {"名称": "string", "日期": "date", "金额": "decimal"}, kind="xml",
    )  # fmt: skip


def _dbf(folder: Path) -> bytes:
    import struct

    columns = [("编号", "C", 8), ("名称", "C", 30), ("面积", "N", 12), ("日期", "D", 8)]
    out = struct.pack("<BBBBIHH20x", 3, 124, 1, 1, N, 32 + 32 * len(columns) + 1, 1 + sum(w for *_, w in columns))
    for name, kind, width in columns:
        out += (
            name.encode("gbk").ljust(11, b"\0")
            + kind.encode()
            + b"\0" * 4
            + bytes([width, 2 if kind == "N" else 0])
            + b"\0" * 14
        )
    out += b"\r"
    for i in range(N):
        out += (
            b" "
            + f"F{i:05d}".encode().ljust(8)
            + f"第{i}地块".encode("gbk").ljust(30)
            + f"{i * 2.25:.2f}".encode().rjust(12)
            + "{}{:02d}{:02d}".format(*day(i)).encode()
        )
    return out + b"\x1a"


@case
def dbf_gbk(folder: Path) -> Case:
    return Case(
        put(folder / "地块.dbf", _dbf(folder)), {"编号": "string", "名称": "string", "面积": "decimal", "日期": "date"},
        key=("编号",), kind="dbf",
    )  # fmt: skip


def _frame(crs: Any = 4490) -> Any:
    import geopandas as gpd
    from shapely.geometry import Point, box

    shapes = [
        Point(116.36 + i / 1000, 39.9).buffer(0.0002)
        if i % 2
        else box(116.36 + i / 1000, 39.9, 116.3605 + i / 1000, 39.901)
        for i in range(N)
    ]
    return gpd.GeoDataFrame(
        {
            "编号": [f"M{i:03d}" for i in range(N)],
            "名称": [f"片{i}" for i in range(N)],
            "面积": [i + 0.5 for i in range(N)],
        },
        geometry=shapes,
        crs=crs,
    )


MAP = {"编号": "string", "名称": "string", "面积": "decimal", "geometry": "geometry"}


@case
def shapefile_without_cpg(folder: Path) -> Case:
    from pyogrio import write_dataframe

    write_dataframe(_frame(), folder / "片区.shp", encoding="GBK")
    path = folder / "片区.zip"
    with zipfile.ZipFile(path, "w") as z:
        for part in folder.glob("片区.*"):
            if part.suffix in (".shp", ".shx", ".dbf", ".prj"):
                z.write(part, f"数据/{part.name}")
    return Case(path, {**MAP, "面积": "any"}, key=("编号",), kind="shapefile")


@case
def geopackage(folder: Path) -> Case:
    from pyogrio import write_dataframe

    write_dataframe(_frame(4326), folder / "片区.gpkg", layer="片区")
    return Case(folder / "片区.gpkg", {**MAP, "面积": "any"}, key=("编号",), kind="gpkg")


@case
def gml(folder: Path) -> Case:
    from pyogrio import write_dataframe

    write_dataframe(_frame(4490), folder / "片区.gml", driver="GML")
    return Case(folder / "片区.gml", {**MAP, "面积": "any"}, key=("编号",), kind="gml")


@case
def kml(folder: Path) -> Case:
    marks = "".join(
        f"<Placemark><name>点{i}</name><description>说明{i}</description><Point><coordinates>{116.36 + i / 1000},39.9,0</coordinates></Point></Placemark>"
        for i in range(N)
    )
    return Case(
        put(folder / "点位.kml", f'<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document><Folder><name>点位</name>{marks}</Folder></Document></kml>'),
        {"Name": "string", "geometry": "geometry"}, kind="kml",
    )  # fmt: skip


@case
def geojson_in_metres(folder: Path) -> Case:
    frame = _frame(4490).to_crs(4548)
    document = json.loads(frame.to_json())
    document["crs"] = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4548"}}
    return Case(
        put(folder / "片区.geojson", json.dumps(document, ensure_ascii=False)),
        {**MAP, "面积": "any"},
        key=("编号",),
        kind="geojson",
    )


@case
def parquet(folder: Path) -> Case:
    import datetime
    import decimal

    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({
        "编号": [f"Q{i:03d}" for i in range(N)], "金额": pa.array([decimal.Decimal(i) / 4 for i in range(N)], pa.decimal128(18, 2)),
        "时间": pa.array([datetime.datetime(2024, 1, 1, i % 24, i) for i in range(N)], pa.timestamp("us")),
        "日期": [datetime.date(*day(i)) for i in range(N)], "达标": [i % 2 == 0 for i in range(N)],
        "街道": pa.array(["广安门内街道"] * N).dictionary_encode(), "明细": [[{"a": i}] for i in range(N)],
    })  # fmt: skip
    pq.write_table(table, folder / "数据.parquet")
    return Case(
        folder / "数据.parquet",
        {"编号": "string", "金额": "decimal", "时间": "timestamp", "日期": "date", "达标": "boolean", "街道": "code", "明细": "string"},
        key=("编号",), kind="parquet",
    )  # fmt: skip


# --- packed -----------------------------------------------------------------------------------------------------------


@case
def packed_tar(folder: Path) -> Case:
    path = folder / "月度.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for part in range(2):
            rows = firms()
            data = text([rows[0], *[[f"P{part}{r[0]}", *r[1:]] for r in rows[1:]]]).encode("gb18030")
            info = tarfile.TarInfo(f"月度/第{part}月.csv")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return Case(path, FIRMS, rows=2 * N, key=("编号",))


@case
def packed_zip_with_a_gbk_name_and_a_letter(folder: Path) -> Case:
    path = folder / "报送.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("企业.csv", text(firms()).encode("gb18030"))
        z.writestr("说明.txt", "请查收。")
        z.writestr("__MACOSX/._企业.csv", b"\0\5\x16\7")
    return Case(path, FIRMS, key=("编号",))


@case
def packed_gzip_of_a_workbook(folder: Path) -> Case:
    inner = workbook(folder / "inner.xlsx", firms())
    path = folder / "企业.xlsx.gz"
    path.write_bytes(gzip.compress(inner.read_bytes()))
    inner.unlink()
    return Case(path, FIRMS, key=("编号",), kind="xlsx")


# --- worse ------------------------------------------------------------------------------------------------------------


@case
def header_with_line_breaks_and_blanks(folder: Path) -> Case:
    rows = [
        ["编 号", "企业\n名称", "金额\n（元）", "备注\u3000"],
        *[[f"Z{i:03d}", f"甲{i}", f"{i}.25", ""] for i in range(N)],
    ]
    return Case(
        put(folder / "换行表头.csv", text(rows), "gb18030"),
        {"编 号": "string", "企业 名称": "string", "金额 （元）": "decimal"},
        key=("编 号",),
    )


@case
def bom_inside_and_zero_width(folder: Path) -> Case:
    rows = firms()
    content = text(rows[:21]).encode("utf-8-sig") + b"\xef\xbb\xbf" + text(rows[21:]).encode()
    return Case(put(folder / "拼接.csv", content), FIRMS, key=("编号",))


@case
def two_files_pasted_with_their_headers(folder: Path) -> Case:
    """The header stands again in the middle: no record, and counted as skipped."""
    rows = firms()
    return Case(
        put(folder / "两段.csv", text([*rows[:21], rows[0], *rows[21:]]), "gb18030"), FIRMS, key=("编号",), skipped=1
    )


@case
def subtotals_between(folder: Path) -> Case:
    rows = [["街道", "项目编号", "投资（万元）"]]
    for g in range(4):
        rows += [[f"第{g}街", f"G{g}{i:02d}", f"{g + i}.5"] for i in range(10)]
        rows.append(["小计", "", f"{g + 1}00"])
    rows.append(["总计", "", "600"])
    return Case(
        put(folder / "小计.csv", text(rows)),
        {"街道": "string", "项目编号": "string", "投资（万元）": "decimal"},
        key=("项目编号",),
        skipped=5,
    )


@case
def open_quote(folder: Path) -> Case:
    lines = text(firms()).splitlines()
    lines[12] = lines[12].replace(",北京", ',"北京')
    return Case(put(folder / "引号.csv", "\r\n".join(lines) + "\r\n"), FIRMS, rows=N - 1, key=("编号",), quarantined=1)


@case
def cut_in_the_last_line(folder: Path) -> Case:
    data = text(firms()).encode("gb18030")
    return Case(put(folder / "截断.csv", data[:-25]), FIRMS, rows=N - 1, key=("编号",), quarantined=1)


@case
def header_only_english_camel(folder: Path) -> Case:
    rows = [
        ["stationId", "obsTime", "pm25Value", "isValid"],
        *[[f"BJ{i:02d}", 1700000000000 + i * 3600_000, i / 3, "true"] for i in range(N)],
    ]
    return Case(
        put(folder / "air.tsv", text(rows, "\t")),
        {"stationId": "string", "pm25Value": "double", "isValid": "boolean"},
        key=("stationId",),
    )


@case
def html_with_title_row(folder: Path) -> Case:
    body = "<tr><td colspan=6>西城区汇总表</td></tr>" + "".join(
        "<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in firms()
    )
    return Case(put(folder / "汇总.xls", f"<table>{body}</table>", "utf-8-sig"), FIRMS, key=("编号",), kind="html")


@case
def workbook_with_hidden_and_blank_top(folder: Path) -> Case:
    from openpyxl import Workbook

    book = Workbook()
    hidden = book.active
    assert hidden is not None
    hidden.title, hidden.sheet_state = "字典", "hidden"
    hidden.append(["代码", "名称"])
    sheet = book.create_sheet("数据")
    for _ in range(3):
        sheet.append([])
    for row in firms():
        sheet.append(["", *row])
    path = folder / "隐藏.xlsx"
    book.save(path)
    return Case(path, FIRMS, key=("编号",), kind="xlsx")


@case
def workbook_numbers_as_text(folder: Path) -> Case:
    rows = [
        ["编号", "联系电话", "数量", "日期"],
        *[[f"T{i:03d}", 13800130000 + i, str(i), 45000 + i] for i in range(N)],
    ]
    return Case(
        workbook(folder / "文本数字.xlsx", rows),
        {"编号": "string", "联系电话": "string", "数量": "integer", "日期": "date"},
        key=("编号",),
        kind="xlsx",
        grades={"联系电话": 3},
    )


@case
def ndjson_with_varying_keys(folder: Path) -> Case:
    lines = [
        json.dumps({"编号": f"V{i:03d}", "值": i / 2} | ({"备注": "补"} if i % 3 == 0 else {}), ensure_ascii=False)
        for i in range(N)
    ]
    return Case(
        put(folder / "变列.ndjson", "\n".join(lines)),
        {"编号": "string", "值": "decimal", "备注": "string"},
        key=("编号",),
        kind="ndjson",
    )


@case
def xml_with_namespaces_and_attributes(folder: Path) -> Case:
    rows = "".join(
        f'<d:item code="K{i:03d}"><d:name>甲{i}</d:name><d:geo lon="116.3" lat="39.9"/></d:item>' for i in range(N)
    )
    return Case(
        put(folder / "命名空间.xml", f'<d:list xmlns:d="urn:x">{rows}</d:list>'),
        {"@code": "string", "name": "string"},
        kind="xml",
        key=("@code",),
    )


@case
def masked_names_and_numbers(folder: Path) -> Case:
    rows = [
        ["申请编号", "申请人", "证件号码", "联系电话"],
        *[[f"M{i:04d}", f"{'张王李赵'[i % 4]}*", f"110102********{i:04d}", f"138****{i:04d}"] for i in range(N)],
    ]
    return Case(
        put(folder / "脱敏.csv", text(rows)),
        {"申请编号": "string", "申请人": "string"},
        key=("申请编号",),
        grades={"申请人": 2, "证件号码": 2},
    )


@case
def mostly_empty_wide(folder: Path) -> Case:
    rows = [
        [f"字段{c}" for c in range(120)],
        *[[f"W{i}" if c == 0 else ("" if c % 7 else i) for c in range(120)] for i in range(N)],
    ]
    return Case(put(folder / "宽表.csv", text(rows), "gb18030"), {"字段0": "string", "字段7": "integer"})

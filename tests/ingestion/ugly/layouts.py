"""Delimited and fixed-width text: titles, footers, blank columns, headers that are none."""

from __future__ import annotations

import csv
from pathlib import Path

from tests.ingestion.test_sniff import GOOD_USCC, resident_id
from tests.ingestion.ugly.case import FIRMS, Case, N, case, day, firms, put, text


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
def headers_all_the_same(folder: Path) -> Case:
    rows = [["数值", "数值", "数值"], *[[f"甲{i}", f"{i}.5", f"2024-01-{i % 28 + 1:02d}"] for i in range(N)]]
    return Case(put(folder / "同名.csv", text(rows)), {"数值": "string", "数值#2": "decimal", "数值#3": "date"})


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


@case
def every_record_ends_in_a_delimiter(folder: Path) -> Case:
    head, *rows = firms()
    lines = [",".join(map(str, head)), *(",".join(map(str, r)) + ",," for r in rows)]
    return Case(put(folder / "行末逗号.csv", "\r\n".join(lines) + "\r\n", "gb18030"), FIRMS, key=("编号",))


@case
def every_record_lacks_its_last_cell(folder: Path) -> Case:
    head, *rows = firms()
    text_of = [",".join(map(str, r)) for r in ([*head, "备注"], *rows)]
    return Case(put(folder / "缺末列.csv", "\n".join(text_of)), FIRMS | {"备注": "string"}, key=("编号",))


@case
def many_columns_with_words_for_nothing(folder: Path) -> Case:
    """Five words that stand for no value, in a hundred columns: DuckDB made a join of each column."""
    words = ("无", "N/A", "暂无", "null", "-")
    head = ["编号", *(f"指标{i}" for i in range(99))]
    rows = [
        [f"X{n:04d}", *(words[(n + i) % 5] if (n + i) % 7 == 0 else f"甲{n}乙{i}" for i in range(99))] for n in range(N)
    ]
    return Case(put(folder / "百列.csv", text([head, *rows])), {"指标98": "string"}, key=("编号",))

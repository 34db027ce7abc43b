"""What goes wrong in several ways at once."""

from __future__ import annotations

import json
from pathlib import Path

from tests.ingestion.test_sniff import workbook
from tests.ingestion.ugly.case import FIRMS, Case, N, case, firms, put, text


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

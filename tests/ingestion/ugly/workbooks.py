"""Workbooks: misnamed, merged, of several sheets."""

from __future__ import annotations

from pathlib import Path

from tests.ingestion.test_sniff import workbook
from tests.ingestion.ugly.case import FIRMS, Case, N, case, firms, put


@case
def workbook_named_csv(folder: Path) -> Case:
    path = workbook(folder / "台账.xlsx", [["西城区台账"], *firms(), ["合计", "", "", "", 820]], merge=["A1:F1"])
    return Case(path.rename(folder / "台账.csv"), FIRMS, key=("编号",), kind="xlsx", skipped=1)


@case
def new_workbook_named_xls(folder: Path) -> Case:
    path = workbook(folder / "台账.xlsx", firms())
    return Case(path.rename(folder / "台账.xls"), FIRMS, key=("编号",), kind="xlsx")


@case
def workbook_of_2003_in_xml(folder: Path) -> Case:
    def cells(row: list[object]) -> str:
        return "".join(f'<Cell><Data ss:Type="String">{c}</Data></Cell>' for c in row)

    head, *rows = firms()
    title = '<Row><Cell ss:MergeAcross="5"><Data ss:Type="String">企业名录</Data></Cell></Row>'
    body = "".join(f"<Row>{cells(row)}</Row>" for row in (head, *rows))
    space = (
        'xmlns="urn:schemas-microsoft-com:office:spreadsheet" xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet"'
    )
    text = f'<?xml version="1.0" encoding="GB2312"?><Workbook {space}><Worksheet ss:Name="名录"><Table>{title}{body}'
    path = put(folder / "名录.xls", f"{text}</Table></Worksheet></Workbook>", "gb18030")
    return Case(path, FIRMS, key=("编号",), kind="excel-xml")


@case
def web_page_of_tables_for_layout(folder: Path) -> Case:
    rows = "".join(f"<tr>{''.join(f'<td>{c}</td>' for c in row)}</tr>" for row in firms())
    page = f"<html><body><table><tr><td>查询条件：全部</td></tr></table><table><tr><td><table>{rows}</table></td></tr>"
    return Case(put(folder / "查询.xls", f"{page}</table></body></html>", "gb18030"), FIRMS, key=("编号",), kind="html")


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

"""Workbooks of many sheets, headers of many rows, formulas, links, old dates - and pages and damage under their names."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Build = Callable[[str], Any]

SHEETS = """
load: {mode: snapshot}
elements: {note: {label: 备注, grade: 1}, year_text: {label: 年度, grade: 1}}
fields:
  sensor_id: {from: 编号, required: true}
  rain_mm: {from: 雨量}
"""
HEADER = ["编号", "雨量"]


def book(sheets: dict[str, list[list[Any]]], change: Callable[[Any], None] | None = None) -> bytes:
    import openpyxl

    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    if change:
        change(made)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def house_of(build: Build, contracts: dict[str, str], fmt: str, more: str = "") -> Any:
    return build(contracts["head"] + f"format: {{type: excel, {fmt}}}" + SHEETS + more)


def refused(result: Any, *words: str) -> None:
    assert result.verdict == "stopped", result
    assert result.rows_loaded == 0
    for word in words:
        assert word in result.message, result.message


THREE = {
    "2023年": [["一表", None], HEADER, ["A", 1], ["B", "多"]],
    "2024年": [["雨量", "编号"], [3, "C"]],
    "说明": [["本表由水务局填报"]],
}


def hide(name: str) -> Callable[[Any], None]:
    def change(made: Any) -> None:
        made[name].sheet_state = "hidden"
        made.create_sheet("空")

    return change


def test_all_sheets_are_one_delivery(build: Build, contracts: dict[str, str]) -> None:
    house = house_of(build, contracts, "sheets: all, part_column: 年度", "  year_text: {from: 年度}\n")
    result = house.send(book(THREE, hide("说明")), "a.xlsx")
    assert (result.rows_found, result.rows_loaded, result.rows_quarantined) == (3, 2, 1)
    assert house.rows("sensor_id, rain_mm, year_text, _row_number") == [("A", 1, "2023年", 1), ("C", 3, "2024年", 3)]
    assert [(s["name"], s["first_row"], s["rows"], s["header_row"]) for s in result.about["sheets"]] == [
        ("2023年", 1, 2, 2),
        ("2024年", 3, 1, 1),
    ]
    assert (result.about["hidden_sheets"], result.about["empty_sheets"]) == (["说明"], ["空"])


@pytest.mark.parametrize(("sheets", "rows"), [('"^20"', 3), ("[2024年]", 1), ('["2024年", "2023年"]', 3)])
def test_sheets_by_pattern_and_by_name(build: Build, contracts: dict[str, str], sheets: str, rows: int) -> None:
    assert house_of(build, contracts, f"sheets: {sheets}").send(book(THREE), "a.xlsx").rows_found == rows


def test_hidden_sheets_are_taken_by_name_only(build: Build, contracts: dict[str, str]) -> None:
    def change(made: Any) -> None:
        made["密"].sheet_state = "veryHidden"

    content = book({"空": [], "密": [HEADER, ["A", 1]]}, change)
    refused(house_of(build, contracts, "sheets: all").send(content, "a.xlsx"), "is hidden (密)", "format.sheets")
    assert house_of(build, contracts, "sheets: [密]").send(content, "b.xlsx").rows_loaded == 1


def test_a_sheet_without_the_columns_or_missing_is_named(build: Build, contracts: dict[str, str]) -> None:
    refused(house_of(build, contracts, "sheets: all").send(book(THREE), "a.xlsx"), "sheet=说明", "编号")
    refused(house_of(build, contracts, "sheets: [2025年]").send(book(THREE), "b.xlsx"), "no sheet 2025年", "2024年")
    refused(house_of(build, contracts, 'sheets: "^19"').send(book(THREE), "c.xlsx"), "matches format.sheets")
    refused(house_of(build, contracts, "sheet: 2025年").send(book(THREE), "d.xlsx"), "no sheet '2025年'")
    refused(house_of(build, contracts, "sheet: 7").send(book(THREE), "e.xlsx"), "3 sheets, not 8")


def test_a_header_of_three_rows_with_merged_groups(build: Build, contracts: dict[str, str]) -> None:
    rows: list[list[Any]] = [
        ["降雨统计表", None, None, None],
        ["编号", "观测", None, "备注"],
        [None, "雨量", None, None],
        [None, "日", "年", None],
        ["A", 1, 2, "x"],
        ["B", 3, 4, None],
    ]

    def merge(made: Any) -> None:
        for area in ("A1:D1", "A2:A4", "B2:C2", "B3:C3", "D2:D4"):
            made.active.merge_cells(area)

    house = build(
        contracts["head"]
        + "format: {type: excel, header_rows: 3, header_join: '/'}"
        + SHEETS.replace("from: 雨量", "from: 观测/雨量/日")
        + "  note: {from: 备注}\nignore: [观测/雨量/年]\n"
    )
    result = house.send(book({"表": rows}, merge), "a.xlsx")
    assert (result.rows_found, result.about["header_row"]) == (2, 2)
    assert house.rows("sensor_id, rain_mm, note, _row_number") == [("A", 1, "x", 1), ("B", 3, None, 2)]


@pytest.mark.slow
def test_units_in_cells_text_numbers_damage_and_dates_of_1904(build: Build, contracts: dict[str, str]) -> None:
    from openpyxl.utils.datetime import CALENDAR_MAC_1904

    def old(made: Any) -> None:
        made.epoch = CALENDAR_MAC_1904

    house = build(
        contracts["head"]
        + """
format: {type: excel}
load: {mode: snapshot}
elements: {code_text: {label: 编码, grade: 1}, money_cny: {label: 金额, type: decimal, grade: 1}}
fields:
  code_text: {from: 编码}
  money_cny: {from: 金额, parse: number_cn}
  birth_date: {from: 日期, parse: excel_date}
"""
    )
    rows = [
        ["编码", "金额", "日期"],
        ["00123", "12.5万元", dt.date(2024, 1, 31)],
        [110102198001011234, "１,５００", 45322],
        [5, 3, "2024-01-31"],
        [6, 3, "45322.0"],
        [7, 3, "前天"],
    ]
    for change in (None, old):
        result = house.send(book({"表": rows}, change), f"{change}.xlsx")
        assert (result.rows_loaded, result.reasons) == (4, {"birth_date.type": 1})
        assert house.rows("code_text, money_cny, birth_date::text") == [
            ("00123", 125000, "2024-01-31"),
            ("1.10102198001011E+17", 1500, "2024-01-31"),
            ("5", 3, "2024-01-31"),
            ("6", 3, "2024-01-31"),
        ]


# --- hostile and broken


def test_formulas_without_stored_results_are_not_read_as_empty(build: Build, contracts: dict[str, str]) -> None:
    house = house_of(build, contracts, "sheet: 表")
    content = book({"表": [HEADER, ["A", "=1+1"], ["B", '=SUM(Z1:Z9)&"<x>"']], "别": [["=1"]]})
    refused(house.send(content, "a.xlsx"), "2 cells hold formulas", "WPS", "sheet=表")
    assert house.send(content.replace(b"x", b"x"), "a.xlsx").verdict == "stopped"
    stored = stored_results(content)
    assert house.send(stored, "b.xlsx").rows_loaded == 2
    assert house.rows("sensor_id, rain_mm") == [("A", 2), ("B", None)]


def stored_results(content: bytes) -> bytes:
    """The workbook as Excel would save it: results beside the formulas, one of them an empty text."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as z, zipfile.ZipFile(out, "w") as made:
        for name in z.namelist():
            data = z.read(name)
            if name.endswith("sheet1.xml"):
                data = data.replace(b"<f>1+1</f><v />", b"<f>1+1</f><v>2</v>").replace(
                    b"<f>1+1</f><v></v>", b"<f>1+1</f><v>2</v>"
                )
                data = data.replace(b'<c r="B3"><f>', b'<c r="B3" t="str"><f>')
            made.writestr(name, data)
    return out.getvalue()


def test_links_to_other_workbooks_are_counted_and_never_followed(build: Build, contracts: dict[str, str]) -> None:
    house = house_of(build, contracts, "sheet: 表")
    content = io.BytesIO(book({"表": [HEADER, ["A", 1]]}))
    with zipfile.ZipFile(content, "a") as z:
        z.writestr("xl/externalLinks/externalLink1.xml", "<externalLink/>")
        z.writestr("xl/externalLinks/_rels/externalLink1.xml.rels", '<r Target="http://127.0.0.1:1/x.xlsx"/>')
    assert house.send(content.getvalue(), "a.xlsx").about["external_links"] == 1


def excel_2003(*sheets: str) -> str:
    space = "urn:schemas-microsoft-com:office:"
    return (
        f'<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>\n<s:Workbook xmlns:s="{space}spreadsheet" '
        f'xmlns:x="{space}excel">{"".join(sheets)}</s:Workbook>'
    )


def sheet_2003(name: str, rows: str, hidden: bool = False) -> str:
    options = "<x:WorksheetOptions><x:Visible>SheetHidden</x:Visible></x:WorksheetOptions>" if hidden else ""
    return f'<s:Worksheet s:Name="{name}"><s:Table>{rows}</s:Table>{options}</s:Worksheet>'


def cell_2003(kind: str, value: str, more: str = "") -> str:
    return f'<s:Cell{more}><s:Data s:Type="{kind}">{value}</s:Data></s:Cell>'


def test_the_xml_of_excel_2003(build: Build, contracts: dict[str, str]) -> None:
    house = build(
        contracts["head"]
        + """
format: {type: excel, sheets: all, footer: ^合计}
load: {mode: snapshot}
elements: {code_text: {label: 编码, grade: 1}, note: {label: 备注, grade: 1}}
fields:
  code_text: {from: 编码}
  birth_date: {from: 日期}
  rain_mm: {from: 雨量}
  note: {from: 备注}
"""
    )
    head = "".join(cell_2003("String", name) for name in ("编码", "日期", "雨量", "备注"))
    moment = cell_2003("DateTime", "2024-01-31T00:00:00.000")
    rows = (
        f"<s:Row>{head}</s:Row>",
        f"<s:Row>{cell_2003('Number', '7', ' s:MergeDown=' + chr(34) + '1' + chr(34))}{moment}{cell_2003('Number', '1.5')}"
        f"{cell_2003('String', '<B>粗</B>体&amp;')}</s:Row>",
        f"<s:Row>{cell_2003('Error', '#N/A', ' s:Index=' + chr(34) + '3' + chr(34))}{cell_2003('Boolean', '1')}</s:Row>",
        f'<s:Row s:Index="6">{cell_2003("Number", "1.5E-3")}</s:Row>',
        f"<s:Row>{cell_2003('String', '合计')}</s:Row>",
        '<s:Row s:Index="1048576"><s:Cell s:Index="16384"/></s:Row>',
    )
    text = excel_2003(sheet_2003("表", "".join(rows)), sheet_2003("密", rows[0] + rows[1], hidden=True))
    result = house.send(text, "a.xls")
    assert (result.rows_found, result.rows_loaded, result.skipped) == (6, 3, {"blank": 2, "footer": 1}), result.message
    assert result.about["hidden_sheets"] == ["密"]
    assert house.rows("code_text, birth_date::text, rain_mm, note, _row_number") == [
        ("0.0015", None, None, None, 5),
        ("7", "2024-01-31", 1.5, "粗体&", 1),
        ("7", None, None, "true", 2),
    ]


def test_the_xml_of_excel_2003_that_is_broken(build: Build, contracts: dict[str, str]) -> None:
    house = house_of(build, contracts, "sheet: 0")
    row = f"<s:Row>{cell_2003('String', '编号')}{cell_2003('String', '雨量')}</s:Row>"
    far = f"<s:Row s:Index='1048576'>{cell_2003('String', 'x', ' s:Index=' + chr(34) + '16384' + chr(34))}</s:Row>"
    good = excel_2003(sheet_2003("表", row))
    for name, text, words in (
        ("a", good[:-30], "cut short"),
        ("b", excel_2003(sheet_2003("表", row + far)), "too many cells"),
        ("c", good.replace("<s:Row>", "<s:Row s:Index='-1'>"), "Index is no number"),
        ("d", excel_2003(), "no worksheet"),
        ("e", good.replace("<s:Workbook", "<!DOCTYPE a [<!ENTITY b 'c'>]><s:Workbook"), "DOCTYPE"),
    ):
        refused(house.send(text, f"{name}.xls"), words)


def test_a_header_of_16304_columns(build: Build, contracts: dict[str, str]) -> None:
    house = house_of(build, contracts, "sheet: 表")
    refused(
        house.send(book({"表": [[*HEADER, *(f"f{i}" for i in range(16_302))], ["A", 1]]}), "a.xlsx"), "16304 columns"
    )


def test_truncated_xls_is_refused_whatever_the_reader_does(
    build: Build, contracts: dict[str, str], shared_data: Path
) -> None:
    house = house_of(build, contracts, "sheet: 0")
    whole = (shared_data / "opendata_bj" / "环境影响登记表备案.csv").read_bytes()
    for part in (100, 593, 5000, len(whole) // 2, len(whole) - 600):
        refused(house.send(whole[:part], f"{part}.xls"), "workbook cannot be read")


def test_a_panic_of_the_reader_is_the_files_fault(
    build: Build, contracts: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class PanicException(BaseException):
        pass

    class Workbook:
        @staticmethod
        def from_path(path: str) -> None:
            raise PanicException("slice index starts at 1024 but ends at 593")

    monkeypatch.setattr("python_calamine.CalamineWorkbook", Workbook)
    house = house_of(build, contracts, "sheet: 0")
    refused(house.send(book({"表": [HEADER]}), "a.xlsx"), "workbook cannot be read")


# --- pages with tables under the name of a workbook

PAGE = """<html xmlns:x="urn:schemas-microsoft-com:office:excel"><head><meta http-equiv="Content-Type"
content="text/html; charset=CHARSET"></head><body><p>某局</p><table border=1>
<tr><td colspan=3>雨量表</td></tr><tr><th>街道<th>编号<th>雨量
<tr><td rowspan="2">广内</td><td>A&amp;1</td><td x:num>1.5</td></tr>
<tr><td>B<br>2</td><td>&nbsp;</td></tr></table><table><tr><td>页脚</td></tr></table></body></html>"""


@pytest.mark.parametrize("charset", ["gb2312", "utf-8", "GBK"])
def test_a_page_called_xls(build: Build, contracts: dict[str, str], charset: str) -> None:
    house = house_of(build, contracts, "footer: ^合计", "  note: {from: 街道}\n")
    result = house.send(PAGE.replace("CHARSET", charset), "a.xls", charset)
    assert (result.rows_found, result.rows_loaded, result.about["html"]) == (2, 2, True)
    assert house.rows("sensor_id, rain_mm, note") == [("A&1", 1.5, "广内"), ("B\n2", None, "广内")]


def test_a_page_without_a_table_or_too_wide(build: Build, contracts: dict[str, str]) -> None:
    house = house_of(build, contracts, "sheet: 0")
    refused(house.send("<!DOCTYPE html><html><body>请登录</body></html>", "a.xls"), "web page without a table", "login")
    cells = "<tr>" + '<td rowspan="1000" colspan="1000">x</td>' * 30 + "</tr>"
    refused(house.send(f"<html><table>{cells}</table></html>", "b.xls"), "too many cells")


def bare(rows: str, prefix: str = "") -> bytes:
    """A workbook whose sheet is written by hand: other writers leave out places, or prefix every element."""
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = f'<worksheet xmlns="{space}"><sheetData>{rows}</sheetData></worksheet>'
    if prefix:
        sheet = sheet.replace("</", f"</{prefix}:").replace("<", f"<{prefix}:").replace(f"<{prefix}:/", "</")
        sheet = sheet.replace("xmlns=", f"xmlns:{prefix}=")
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book({"表": [[1]]}))) as z, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name in z.namelist():
            made.writestr(name, sheet if name.endswith("sheet1.xml") else z.read(name))
    return out.getvalue()


def cell(place: str, value: str, kind: str = "str") -> str:
    return f'<c{place} t="{kind}"><v>{value}</v></c>'


CAPTIONS = "<row>" + cell("", "编号") + cell("", "雨量") + "</row>"


def test_sheets_whose_cells_do_not_say_their_place_or_have_a_prefix(build: Build, contracts: dict[str, str]) -> None:
    house = house_of(build, contracts, "sheet: 表")
    rows = CAPTIONS + "".join(f"<row>{cell('', f'S{i}')}{cell('', str(i), 'n')}</row>" for i in range(3))
    assert house.send(bare(rows), "a.xlsx").rows_loaded == 3
    assert house.send(bare(rows, "x"), "b.xlsx").rows_loaded == 3
    unstored = "<row>" + cell("", "A") + "<c><f>1+1</f></c></row>"
    for name, content in {"c": bare(CAPTIONS + unstored), "d": bare(CAPTIONS + unstored, "x")}.items():
        refused(house.send(content, f"{name}.xlsx"), "1 cells hold formulas")


def test_what_a_sheet_spans_is_what_cells_with_a_value_span(monkeypatch: Any, tmp_path: Path) -> None:
    from catalog.errors import InputError
    from catalog.model import Format
    from ingestion.formats import xlsx
    from ingestion.formats.excel import Book

    monkeypatch.setattr(xlsx, "MAX_CELLS", 3_000)
    place = tmp_path / "a.xlsx"
    header = "".join(cell(f' r="{c}1"', c) for c in ("A", "Z", "AD"))

    def opened(content: bytes) -> None:
        place.write_bytes(content)
        Book(place, Format(type="excel")).sheet("表")

    wide = [f'<row r="1">{header}</row>', *(f'<row r="{r}"><c r="A{r}"><v>1</v></c></row>' for r in range(2, 101))]
    opened(bare("".join(wide)))  # 100 × 30 exactly
    styled = [f'<row r="{r}"><c r="XFD{r}" s="0"/></row>' for r in range(101, 20_000)]
    opened(bare("".join([*wide, *styled])))  # formatted far below and to the right: no values
    for more in ("<row r='101'><c s='0' r='A101'><v>1</v></c></row>", '<row r="100"><c r="AE100"><v>1</v></c></row>'):
        for prefix in ("", "x"):
            with pytest.raises(InputError, match="more than can be held"):
                opened(bare("".join([*wide, more]), prefix))
    for place_of in ("A1048577", "XFE1", "ZZZZ1", "AAAAAAA1"):
        with pytest.raises(InputError, match="where no sheet has one"):
            opened(bare(f'<row r="1">{header}</row><row r="2"><c r="{place_of}"><v>1</v></c></row>'))
    unplaced = "<row>" + "<c><v>1</v></c>" * 31 + "</row>" + "<row><c><v>1</v></c></row>" * 99
    with pytest.raises(InputError, match="100 rows × 31 columns"):
        opened(bare(unplaced))


def as_read(values: list[Any]) -> list[str | None]:
    """A column of cells through the reader's way by column."""
    from ingestion.formats.excel import _by_column

    return [v or None for batch in _by_column(iter([v] for v in values), 1) for v in batch.column("c0").to_pylist()]


def test_numbers_of_a_column_are_written_as_cell_by_cell() -> None:
    from random import Random

    from ingestion.formats.excel import text

    dice = Random(7)
    plain = [dice.choice((1, -1)) * dice.uniform(1, 9.9) * 10.0 ** dice.randrange(-4, 9) for _ in range(5000)]
    plain += [0.0, -0.0, 1.0, 0.1, 0.0001, 999999999999999.0, 123456789.0125, 1 / 3, 45000.25]
    some = [
        1.0,
        0.5,
        -0.0,
        1e15,
        1e-05,
        1e300,
        123456789012.5,
        float("nan"),
        float("inf"),
        7,
        "",
        None,
        "甲",
        "1",
        True,
    ]
    some += [dt.date(2024, 1, 31), dt.datetime(2024, 1, 31, 8, 5), dt.time(8, 5), dt.timedelta(hours=30)]
    mixed = [[dice.choice(some[:k]) for _ in range(3_000)] for k in range(1, len(some) + 1)]
    blanks = [dice.choice([*plain[:50], "", None]) for _ in range(9_000)]
    for values in (plain, [float(int(v)) for v in plain], [0.5], blanks, [*plain, *mixed[-1], *plain], *mixed, []):
        assert as_read(values) == [text(v) for v in values]

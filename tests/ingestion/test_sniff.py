"""What the sniffer finds in files made up to be as ugly as real ones."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from catalog.errors import InputError
from ingestion.detect import (
    column_names,
    detect_delimiter,
    detect_encoding,
    detect_kind,
    find_header,
    header_key,
)
from ingestion.sniff import sniff

GOOD_USCC = ("91110105672353933E", "91110105666293647X", "91110108801992433N", "911101088020066237")


def resident_id(seventeen: str) -> str:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return seventeen + "10X98765432"[sum(int(c) * w for c, w in zip(seventeen, weights, strict=True)) % 11]


def write(path: Path, rows: Sequence[Sequence[object]], encoding: str = "utf-8", delimiter: str = ",") -> Path:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def workbook(path: Path, rows: Sequence[Sequence[object]], merge: Sequence[str] = ()) -> Path:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(list(row))
    for area in merge:
        sheet.merge_cells(area)
    book.save(path)
    return path


LISTED = [["名称", "数量", "更新时间"], *[[f"企业{i}", i * 7, f"2024-01-{i:02d} 08:30:00"] for i in range(1, 25)]]


# --- kind and encoding ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \r\n", "empty"),
        (b"a,b\n1,2\n", "csv"),
        (b'{"a": 1}\n{"a": 2}\n', "ndjson"),
        (b'{"result": {"data": [{"a": 1}]}}', "json"),
        (b'[{"a": 1},\n{"a": 2}]', "json"),
        (b'{"type": "FeatureCollection", "features": []}', "geojson"),
        (b'{"name": "x", "type":"FeatureCollection", "features": []}', "geojson"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "html"),
        (b"<?xml version='1.0'?><kml xmlns='http://www.opengis.net/kml/2.2'/>", "kml"),
        (b"<?xml version='1.0'?><rows><row/></rows>", "xml"),
        (b"PAR1....PAR1", "parquet"),
        (b"\x1f\x8b\x08\x00abc", "gzip"),
        (b"%PDF-1.7", "pdf"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls"),
        (b"[2023] notes, and more\n1,2\n", "csv"),
        ("名称,地址\n甲,乙\n".encode("utf-16"), "csv"),
        (bytes(range(256)) * 4, "binary"),
    ],
)
def test_kind_is_told_by_content(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / "delivery.csv"
    path.write_bytes(content)
    assert detect_kind(path) == kind


def test_workbook_and_shapefile_are_told_inside_a_zip(tmp_path: Path) -> None:
    assert detect_kind(workbook(tmp_path / "a.csv", LISTED)) == "xlsx"
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("街道.shp", b"")
        archive.writestr("街道.dbf", b"")
    assert detect_kind(tmp_path / "b.zip") == "shapefile"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le"])
def test_encoding_is_found(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "a.csv", LISTED, encoding)
    assert detect_encoding(path) == encoding
    assert sniff(path).columns[0].name == "名称"


def test_chinese_far_below_the_top_decides(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,name\n" + b"1,abc\n" * 400_000 + "2,西城区\n".encode("gb18030"))
    assert detect_encoding(path) == "gb18030"


def test_a_character_cut_by_truncation_is_no_other_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("名称,地址\n西城区,北京\n".encode()[:-2])
    assert detect_encoding(path) == "utf-8"


def test_delimiter() -> None:
    assert detect_delimiter("a\tb\tc\n1\t2,5\t3\n4\t5,5\t6\n") == "\t"
    assert detect_delimiter("a;b\n1,5;2\n3,5;4\n") == ";"
    assert detect_delimiter("only\none\ncolumn\n") == ","


# --- header -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "row"),
    [
        ([["名称", "金额"], ["甲", "1"], ["乙", "2"]], 1),
        (
            [
                ["2023年台账", "", ""],
                ["序号", "企业名称", "处罚日期"],
                ["1", "甲", "2023/1/1"],
                ["2", "乙", "2023/1/2"],
            ],
            2,
        ),
        (
            [
                ["某局2020年12月公示台账", "Unnamed: 1", "Unnamed: 2"],
                ["单位名称：某局（盖章）    2021年1月5日", "", ""],
                ["序号", "企业名称", "备注"],
                ["1", "甲公司", ""],
                ["2", "乙公司", ""],
            ],
            3,
        ),
        ([["规则：统计口径为上月末；含注销企业", ""], ["街道", "户数"], ["德胜街道", "12"], ["月坛街道", "7"]], 2),
        ([["1", "甲公司", "2023-01-01"], ["2", "乙公司", "2023-01-02"], ["3", "丙公司", "2023-01-03"]], 0),
        ([["企业名称"], ["甲公司"], ["乙公司"]], 1),
        ([["名称", "/", "/", "/"], ["甲", "/", "/", "/"], ["乙", "/", "/", "/"]], 1),
        ([["110102010", "德胜街道"], ["110102010", "德胜街道"], ["110102003", "新街口街道"]], 0),
        (
            [
                ["Code", "Lat", "1982", "1990", "2000"],
                ["A", "31.2", "739", "906", "1491"],
                ["B", "39.9", "600", "736", "1"],
            ],
            1,
        ),
        (
            [
                ["甲", "丙", "1982", "1990", "2000"],
                ["乙", "丁", "1999", "2001", "2003"],
                ["丙", "戊", "1988", "1990", "1995"],
            ],
            0,
        ),
        ([["street_code9", "street_name"], ["110102010", "德胜街道"], ["110102010", "德胜街道"]], 1),
    ],
)
def test_header_row(rows: list[list[str]], row: int) -> None:
    assert find_header(rows).row == row


def test_names_are_cleaned_cut_and_unique() -> None:
    cells = ["\ufeff公司属性\n[交易日期] 最新收盘日", "备注", "", "备注", "Unnamed: 4", "", "/"]
    assert column_names(cells) == ("公司属性 [交易日期] 最新收盘日", "备注", "列3", "备注#2")
    assert header_key("企业 名称（全称）\n") == header_key("企业名称(全称)")


# --- tables -----------------------------------------------------------------------------------------------------------


def test_titles_blank_rows_footer_and_empty_columns_are_no_data(tmp_path: Path) -> None:
    wide = [""] * 300
    rows = [
        ["汇总表", *wide],
        ["名称", "数量", *wide],
        ["", "", *wide],
        *[[f"甲{i}", i, *wide] for i in range(20)],
        ["", "", *wide],
        ["数据来源：某局", "", *wide],
    ]
    sample = sniff(write(tmp_path / "a.csv", rows))
    assert (sample.header_row, sample.rows, sample.blank_rows, sample.footer_rows) == (2, 20, 2, 1)
    assert [c.name for c in sample.columns] == ["名称", "数量"]
    assert sample.junk_columns == 300
    assert sample.footer is not None
    assert "数据来源" in sample.footer


@pytest.mark.slow
def test_sixteen_thousand_empty_columns(tmp_path: Path) -> None:
    wide = [""] * 16_302
    sample = sniff(write(tmp_path / "a.csv", [["名称", "数量", *wide], ["甲", 1, *wide], ["乙", 2, *wide]]))
    assert len(sample.columns) == 2
    assert sample.rows == 2


def test_ragged_rows_are_counted_and_the_free_text_column_is_found(tmp_path: Path) -> None:
    lines = ["企业名称,违法事实,处罚日期,罚款金额"]
    lines += [f"企业{i},未按规定存放货物的事实{i},2023/1/{i % 28 + 1},{i * 100}" for i in range(40)]
    lines += ["甲,违反规定,情节轻微,已改正,2023/2/1,500", "乙,占道经营,拒不改正,2023/2/2,500"]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines), encoding="gb18030")
    sample = sniff(path)
    assert sample.ragged == 2
    assert sample.free_text == "违法事实"
    assert sample.column("处罚日期").type == "date"


def test_no_header_gives_placeholders(tmp_path: Path) -> None:
    sample = sniff(write(tmp_path / "a.csv", [[f"甲{i}", i, f"2024-01-{i:02d}"] for i in range(1, 20)]))
    assert sample.header_row == 0
    assert [c.name for c in sample.columns] == ["列1", "列2", "列3"]
    assert sample.rows == 19


def test_workbook_with_title_seal_and_merged_cells(tmp_path: Path) -> None:
    rows = [
        ["流动人口登记表", None, None],
        ["单位：某派出所", None, "日期：2024-01-31"],
        ["街道", "社区", "登记日期"],
        *[["德胜街道" if i % 5 == 0 else None, f"社区{i}", f"2024/1/{i + 1}"] for i in range(20)],
        ["合计", 20, None],
    ]
    merge = ["A1:C1", *[f"A{4 + i}:A{8 + i}" for i in range(0, 20, 5)]]
    sample = sniff(workbook(tmp_path / "表.csv", rows, merge))
    assert (sample.kind, sample.format, sample.header_row, sample.rows) == ("xlsx", "excel", 3, 20)
    assert sample.footer == "^(合计)"
    assert sample.column("街道").empty == 0
    assert any("XLSX" in note for note in sample.notes)


def test_second_sheet_is_taken_when_the_first_is_empty(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.create_sheet("数据")
    for row in LISTED:
        sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    assert sniff(tmp_path / "a.xlsx").sheet == 1


def test_json_records_and_ndjson(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    records = [{"report_month": f"2024-{m:02d}", "cpi": 99.9 + m} for m in range(1, 13)]
    path.write_text(json.dumps({"code": 0, "result": {"data": records}}), encoding="utf-8")
    sample = sniff(path)
    assert (sample.format, sample.records, sample.rows) == ("json", "result.data", 12)
    path.write_text("\n".join(json.dumps(r) for r in records), encoding="utf-8")
    assert sniff(path).format == "ndjson"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"<html><body>login</body></html>", "web page without a table"),
        (b"\x1f\x8b\x08abc", "archive is damaged"),
        (b'{"a": [1, 2]}', "records"),
    ],
)
def test_what_cannot_be_read_says_so(tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        sniff(path)
    assert word in str(caught.value)
    assert caught.value.hint


# --- types ------------------------------------------------------------------------------------------------------------


def one(tmp_path: Path, header: str, values: Sequence[object]):  # type: ignore[no-untyped-def]
    rows = [[header, "说明"], *[[v, f"第{i}条"] for i, v in enumerate(values)]]
    return sniff(write(tmp_path / "a.csv", rows)).columns[0]


@pytest.mark.parametrize(
    ("header", "values", "type_", "formats"),
    [
        ("验收日期", ["2019/1/31", "2019/12/5"], "date", ("%Y/%m/%d",)),
        ("认定时间", ["2002年11月7日", "2011年12月27日"], "date", ("%Y年%m月%d日",)),
        ("更新时间", ["19/7/2023 10:31:50", "5/8/2023 09:00:01"], "timestamp", ("%d/%m/%Y %H:%M:%S",)),
        ("date", ["12/31/2023", "1/2/2023"], "date", ("%m/%d/%Y",)),
        ("处罚日期", ["2020-11-30 00:00:00", "2020-12-07 00:00:00"], "date", ("%Y-%m-%d %H:%M:%S",)),
        (
            "答复时间",
            ["2019/5/9 9:49:10", "2019/5/9 9:49:11", "2019-05-10"],
            "timestamp",
            ("%Y/%m/%d %H:%M:%S", "%Y-%m-%d"),
        ),
        ("time", ["2024-01-01T00:00:00+08:00", "2024-01-01T00:01:00+08:00"], "timestamp", ("%Y-%m-%dT%H:%M:%S%z",)),
        ("成立日期", ["20200131", "20191231"], "date", ("%Y%m%d",)),
        ("有效期", ["2099/12/31", "1899/12/30"], "date", ("%Y/%m/%d",)),
        ("许可证号", ["20200131", "20191231"], "string", ()),
        ("推送月份", ["2021-03", "2021-04"], "string", ()),
        ("数量", ["1", "250", "0", "-3"], "integer", ()),
        ("面积（平方米）", ["1.5", "20", "3.25"], "decimal", ()),
        ("联系电话", ["58592936", "61730019"], "string", ()),
        ("区划", ["0101", "0203"], "string", ()),
        ("备案编码", ["202311022800001115", "202311022800001116"], "string", ()),
        ("金额", ["1,234.50", "12,000.00", "99"], "decimal", ()),
        ("占比", ["12.5%", "8%"], "decimal", ()),
        ("读数", ["1.5e-05", "2.0e+03"], "double", ()),
        ("温度", ["0.30000000000000004", "1.1"], "double", ()),
        ("启用", ["true", "false"], "boolean", ()),
        ("名称", ["甲", "乙"], "string", ()),
    ],
)
def test_types(tmp_path: Path, header: str, values: list[str], type_: str, formats: tuple[str, ...]) -> None:
    column = one(tmp_path, header, values)
    assert (column.type, column.formats) == (type_, formats)


def test_ambiguous_day_and_month_is_said(tmp_path: Path) -> None:
    column = one(tmp_path, "日期", ["1/2/2023", "3/4/2023"])
    assert column.formats == ("%d/%m/%Y",)
    assert "无法" in column.note


def test_money_percent_and_thousands_keep_their_form(tmp_path: Path) -> None:
    assert one(tmp_path, "注册资金", ["500(万元人民币)", "858万人民币", "30(万美元)", "N/A"]).form == "money"
    assert one(tmp_path, "占比", ["12.5%", "8%"]).form == "percent"
    assert one(tmp_path, "面积（平方米）", ["1", "2"]).unit == "平方米"


def test_null_tokens_are_found_and_do_not_spoil_the_type(tmp_path: Path) -> None:
    column = one(tmp_path, "PM2.5", ["NA", "4", "12.5", "/", "空", "-", "无"])
    assert column.type == "decimal"
    assert set(column.null_tokens) == {"NA", "/", "空", "-", "无"}
    kept = one(tmp_path, "违法所得说明", ["无", "有", "部分"])
    assert "无" not in kept.null_tokens


def test_a_column_mostly_of_dates_stays_text_and_says_so(tmp_path: Path) -> None:
    column = one(tmp_path, "验收日期", ["2019/1/1", "2019/1/2", "2019/1/3", "办结", "移交"])
    assert column.type == "string"
    assert "像日期" in column.note


# --- keys and sensitive content ---------------------------------------------------------------------------------------


def test_key_single_pair_and_counter(tmp_path: Path) -> None:
    rows = [["序号", "企业名称", "统一社会信用代码", "年度"]]
    rows += [[str(i + 1), f"企业{i % 4}", GOOD_USCC[i % 4], str(2019 + i // 4)] for i in range(12)]
    sample = sniff(write(tmp_path / "a.csv", rows))
    assert sample.column("序号").is_counter
    assert sample.candidate_keys[0] == ("统一社会信用代码", "年度")
    rows = [["工单编号", "标题"], *[[f"GD{i:05d}", f"标题{i}"] for i in range(30)]]
    assert sniff(write(tmp_path / "b.csv", rows)).candidate_keys[0] == ("工单编号",)


def test_masked_numbers_are_no_key(tmp_path: Path) -> None:
    rows = [["用户编号", "数量"], *[[f"87{i:02d}****87{i:02d}", i % 3] for i in range(30)]]
    assert ("用户编号",) not in sniff(write(tmp_path / "a.csv", rows)).candidate_keys


def test_resident_ids_are_found_inside_other_columns_and_longer_tokens(tmp_path: Path) -> None:
    ids = [resident_id(f"1101021980010{i}{i}12") for i in range(1, 6)]
    rows = [["统一社会信用代码", "纳税人识别号"], *[[GOOD_USCC[n % 4], v + "F0"] for n, v in enumerate(ids)]]
    sample = sniff(write(tmp_path / "a.csv", rows))
    assert sample.column("纳税人识别号").has("resident_id")
    assert sample.column("统一社会信用代码").has("uscc")
    assert not sample.column("统一社会信用代码").has("resident_id")


def test_nothing_personal_is_shown(tmp_path: Path) -> None:
    number, mobile, name = resident_id("11010219800101123"), "13812345678", "欧阳小明"
    rows = [["姓名", "身份证号", "联系电话", "主要内容"]]
    rows += [[name, number, mobile, f"来电人{mobile}，证件{number}，请回复"] for _ in range(5)]
    sample = sniff(write(tmp_path / "a.csv", rows))
    shown = sample.model_dump_json() + repr(sample)
    for value in (number, mobile, name):
        assert value not in shown


def test_only_the_first_rows_are_judged_when_there_are_many(tmp_path: Path) -> None:
    sample = sniff(write(tmp_path / "a.csv", LISTED), max_rows=5)
    assert not sample.complete
    assert any("只看了前" in n for n in sample.notes)


def test_a_bomb_of_a_workbook_is_refused_before_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        cells = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
        archive.writestr("xl/worksheets/sheet1.xml", f"<worksheet><sheetData>{cells}</sheetData></worksheet>")
    with pytest.raises(InputError) as caught:
        sniff(path)
    assert "more than can be held" in str(caught.value)


def test_an_empty_workbook_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no filled sheet"):
        sniff(workbook(tmp_path / "a.xlsx", []))

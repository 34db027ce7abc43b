"""Values as people write them: dates, money, units, codes, numbers that lost their zeros."""

from __future__ import annotations

from pathlib import Path

from tests.ingestion.test_sniff import GOOD_USCC, resident_id
from tests.ingestion.ugly.case import Case, N, case, day, put, text


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

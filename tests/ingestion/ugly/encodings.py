"""Text in every encoding, and with characters that are hard to write."""

from __future__ import annotations

from pathlib import Path

from tests.ingestion.ugly.case import FIRMS, RARE, Case, N, case, firms, put, text


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

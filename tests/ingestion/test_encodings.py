"""Delimited and fixed-width text in every encoding departments save: found by content, declared wins, both are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingestion.formats import detect_encoding, detect_kind

pytestmark = pytest.mark.slow  # many small loads: a minute in all with the others of its kind

Build = Callable[[str], Any]

ROWS = "编号,雨量,地点\n" + "".join(f"站点{i},{i},{'西城区广安门内街道槐柏树街' * 3}\n" for i in range(30))
ENCODINGS = ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16", "utf-16-le", "utf-16-be"]


def contract(contracts: dict[str, str], **changes: str) -> str:
    fmt = {"type": "csv", "encoding": "auto", **changes}
    return (
        contracts["head"]
        + f"""
format: {{{", ".join(f"{k}: {v}" for k, v in fmt.items())}}}
load: {{mode: snapshot}}
fields: {{sensor_id: {{from: 编号, required: true}}, rain_mm: {{from: 雨量, required: true}}}}
ignore: [地点]
"""
    )


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("mark", [",", "\t"])
def test_found_by_content(build: Build, contracts: dict[str, str], encoding: str, mark: str) -> None:
    house = build(contract(contracts, delimiter=repr(mark).replace("'", '"')))
    result = house.send(ROWS.replace(",", mark), "a.txt", encoding)
    assert (result.rows_found, result.rows_loaded) == (30, 30)
    assert result.about["encoding"].startswith({"gbk": "gb18030"}.get(encoding, encoding))
    assert house.rows("sensor_id", where="rain_mm = 7") == [("站点7",)]


def test_utf_16_without_a_mark_and_nearly_without_ascii(tmp_path: Path) -> None:
    text = "".join("西城区广安门内街道槐柏树街北里社区居民委员会" * 4 + "，一\n" for _ in range(300))
    for encoding in ("utf-16-le", "utf-16-be"):
        path = tmp_path / "a.csv"
        path.write_bytes(text.encode(encoding))
        assert (detect_kind(path), detect_encoding(path)) == ("text", encoding)


def test_gb18030_and_big_binary_are_not_utf_16(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("名称，地址\n甲\0乙，丙\n".encode("gb18030") * 40)
    assert detect_encoding(path) == "gb18030"


@pytest.mark.parametrize(
    ("declared", "written", "found"),
    [
        ("gb18030", "utf-8", "utf-8"),
        ("gb18030", "utf-8-sig", "utf-8-sig"),
        ("gbk", "gbk", None),
        ("utf-8", "utf-8-sig", None),
        ("utf-16-le", "utf-16-le", None),
    ],
)
def test_declared_wins_and_disagreement_is_told(tmp_path: Path, declared: str, written: str, found: str | None) -> None:
    from ingestion.formats.text import encoding_about, resolve_encoding

    path = tmp_path / "a.csv"
    path.write_bytes(ROWS.encode(written))
    about = encoding_about(path, declared, resolve_encoding(path, declared))
    assert about.get("encoding_found") == found


# --- headers of several rows


def test_a_header_of_two_rows(build: Build, contracts: dict[str, str]) -> None:
    house = build(
        contracts["head"]
        + """
format: {type: csv, header_rows: 2}
load: {mode: snapshot}
fields: {sensor_id: {from: 编号}, rain_mm: {from: 雨量_日}, battery_pct: {from: 雨量_年}}
ignore: [地点_街道, 地点_社区]
"""
    )
    text = "表一,,,,\n编号,雨量,,地点,\n,日,年,街道,社区\nA,1,2,x,y\nB,3,4,x,y\n"
    result = house.send(text)
    assert (result.rows_found, result.about["header_row"]) == (2, 2)
    assert house.rows("sensor_id, rain_mm, battery_pct, _row_number") == [("A", 1, 2, 1), ("B", 3, 4, 2)]


# --- fixed width

FIXED = """
format:
  type: fixed
  header_row: 1
  positions: POSITIONS
  columns: [{name: 编号, start: 1, width: 6}, {name: 雨量, start: 7, width: 5}, {name: 地点, start: 12, width: 8}]
load: {mode: snapshot}
fields: {sensor_id: {from: 编号, required: true}, rain_mm: {from: 雨量, required: true}}
ignore: [地点]
"""


def padded(text: str, width: int, encoding: str) -> bytes:
    data = text.encode(encoding)
    return data + b" " * (width - len(data))


def fixed_lines(*rows: tuple[str, str, str], encoding: str = "gb18030") -> bytes:
    out = "编号  雨量 地点\n".encode(encoding)
    for a, b, c in rows:
        out += padded(a, 6, encoding) + padded(b, 5, encoding) + padded(c, 8, encoding) + b"\r\n"
    return out


def test_fixed_width_in_bytes_of_gb18030(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["head"] + FIXED.replace("POSITIONS", "bytes"))
    result = house.send(fixed_lines(("西城1", "1.5", "广内街道"), ("B", "2", ""), ("㐀", "3", "x")))
    assert (result.rows_found, result.rows_loaded, result.about["encoding"]) == (3, 3, "gb18030")
    assert house.rows("sensor_id, rain_mm") == [("B", 2), ("㐀", 3), ("西城1", 1.5)]


def test_fixed_width_in_characters(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["head"] + FIXED.replace("POSITIONS", "characters"))
    text = "编号\n" + "".join(f"{a:<6}{b:<5}{c:<8}\n" for a, b, c in [("西城1", "1.5", "广内街道"), ("B", "2", "")])
    for encoding in ("utf-8", "utf-16"):
        house.send(text, f"{encoding}.txt", encoding)
        assert house.rows("sensor_id, rain_mm") == [("B", 2), ("西城1", 1.5)]


def test_fixed_width_records_that_do_not_fit(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["head"] + FIXED.replace("POSITIONS", "bytes"))
    good = fixed_lines(("A", "1", "x"))
    cut_character = padded("ABCDE西", 6, "gb18030") + padded("2", 4, "gb18030") + b"x       \r\n"
    result = house.send(
        good + b"B     2\r\n" + cut_character + b"D     4    12345678LONG\r\n\r\nE     5    123", "a.txt"
    )
    assert (result.rows_found, result.rows_loaded) == (5, 1)
    assert result.reasons == {"ragged": 2, "bad_record": 1, "truncated": 1}
    assert sorted(r[0] for r in house.rows("row_number", "quarantine")) == [2, 3, 4, 5]


def test_positions_in_bytes_of_utf_16_are_refused(build: Build, contracts: dict[str, str]) -> None:
    house = build(contracts["head"] + FIXED.replace("POSITIONS", "bytes"))
    assert "format.positions" in house.send("编号\n西城1\n" * 20, "a.txt", "utf-16").message


@pytest.mark.parametrize(
    ("fmt", "word"),
    [
        ("{type: fixed}", "columns are needed"),
        ("{type: csv, columns: [{name: a, start: 1, width: 2}]}", "columns are needed"),
        ("{type: fixed, columns: [{name: a, start: 1, width: 3}, {name: b, start: 3, width: 2}]}", "overlap"),
        ("{type: fixed, columns: [{name: a, start: 1, width: 3}, {name: a, start: 4, width: 2}]}", "repeats"),
        ("{type: json, header_rows: 2}", "header_rows"),
        ("{type: csv, sheets: all}", "sheets"),
        ('{type: excel, sheets: "(["}', "regular expression"),
        ("{type: xml, flatten: true}", "flatten"),
    ],
)
def test_a_format_that_does_not_fit_its_type_does_not_lint(
    build: Build, contracts: dict[str, str], fmt: str, word: str
) -> None:
    from catalog.errors import ContractError

    with pytest.raises(ContractError, match=word):
        build(contracts["head"] + f"format: {fmt}\nload: {{mode: snapshot}}\nfields: {{sensor_id: {{from: 编号}}}}\n")


@pytest.mark.parametrize("header", ["auto", "0"])
def test_the_fast_way_is_not_lost_where_the_head_ends(tmp_path: Path, header: str) -> None:
    """What was read ahead for the header must not leave a block that is too short to hold a record."""
    from catalog.model import Format
    from ingestion.formats import Wanted, open_file

    path = tmp_path / "a.csv"
    path.write_text("编号,雨量\n" + "".join(f"站{i:08d},{'西城区' * 6}\n" for i in range(45_000)), encoding="utf-8")
    fmt = Format(type="csv", header_row=0 if header == "0" else "auto")
    names = {"编号": ("编号",), "雨量": ("雨量",)}
    wanted = Wanted(names, {}, frozenset(), None, frozenset(), frozenset(), {n: n for n in names})
    opened = open_file(path, fmt, wanted)
    assert sum(b.num_rows for b in opened.batches) == 45_000 + (header == "0")
    opened.close()


def test_utf8_with_a_broken_character_is_not_taken_for_gb18030(tmp_path: Path) -> None:
    """Read as GB18030 it would load as wrong characters; as damaged UTF-8 it is refused with the place."""
    path = tmp_path / "damaged.csv"
    text = "".join(f"第{i}号,西城区广安门内街道\n" for i in range(50)).encode()
    path.write_bytes(text[:602] + text[603:])
    assert detect_encoding(path) == "utf-8"
    path.write_bytes("".join(f"第{i}号,西城区广安门内街道\n" for i in range(50)).encode("gb18030"))
    assert detect_encoding(path) == "gb18030"


TRADITIONAL = "編號,名稱,設立日期\n" + "".join(f"{i},臺北市中正區忠孝東路,民國一百年\n" for i in range(9))


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        (TRADITIONAL, "big5", "cp950"),
        (TRADITIONAL.replace("臺", "啫", 4) + TRADITIONAL, "big5hkscs", "big5hkscs"),
        (TRADITIONAL, "gbk", "gb18030"),
        (ROWS, "gb2312", "gb18030"),
        ("编号,名称\n1,甲\n", "gb18030", "gb18030"),
        ("編號,名稱,數量\n1,蘋果,3\n", "big5", "cp950"),
        ("編號\n1\n", "big5", "gb18030"),  # too little to tell
    ],
)
def test_big5_is_told_from_gb18030(tmp_path: Path, text: str, encoding: str, found: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode(encoding))
    assert detect_encoding(path) == found


def test_a_damaged_byte_in_big5_costs_its_record(build: Build, contracts: dict[str, str]) -> None:
    text = "编号,雨量,地点\n".replace("编号", "編號").replace("点", "點")
    data = (text + "".join(f"S{i},{i},臺北市中正區忠孝東路\n" for i in range(30))).encode("big5")
    house = build(contract(contracts).replace("编号", "編號").replace("地点", "地點"))
    result = house.send(data.replace("S7,7,臺北".encode("big5"), b"S7,7,\xff\xfe"))
    assert (result.rows_loaded, result.reasons, result.about["encoding"]) == (29, {"undecodable": 1}, "cp950")


def test_characters_of_nul_in_utf8_do_not_make_it_utf_16(tmp_path: Path) -> None:
    """Read as UTF-16, such a file would load as other text without an error."""
    path = tmp_path / "a.csv"
    path.write_bytes("".join(["编号,名称\n", *(f"{n},甲\0\n" for n in range(30))]).encode())
    assert detect_encoding(path) == "utf-8"
